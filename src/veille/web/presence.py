"""Who else looks at an incident or a mention right now, and who writes: kept in memory only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from veille.domain.ids import short_id
from veille.web.live import HUB
from veille.web.site import form_of, site_of, visitor_of
from veille.web.words import number_of

GONE = timedelta(seconds=45)
"""Two heartbeats of 20 s may be lost before somebody counts as gone."""
MOST = 12
"""Pages one person is counted on: the oldest is forgotten."""
_LETTERS = frozenset("IQ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """Somebody on a page, and whether they write there."""

    name: str
    is_writing: bool


class Presence:
    """Who was last seen where. Nothing of it is stored: a restart forgets it, and pages ask again.

    Used from one loop.
    """

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, tuple[datetime, bool]]] = {}

    def note(self, target: str, name: str, *, is_writing: bool, now: datetime) -> bool:
        """`name` is on the page of `target`; return whether that is news to those who look."""
        before = self._standing(target, name, now)
        pages = self._seen.setdefault(name, {})
        pages.pop(target, None)  # so that the newest is last
        pages[target] = (now, is_writing)
        while len(pages) > MOST:
            del pages[next(iter(pages))]
        return before != is_writing

    def leave(self, target: str, name: str, *, now: datetime) -> bool:
        """`name` is not on the page of `target`; return whether they were."""
        was_there = self._standing(target, name, now) is not None
        self._seen.get(name, {}).pop(target, None)
        return was_there

    def of(self, target: str, *, now: datetime, but: str) -> list[Present]:
        """Return who is on that page, those who write first, `but` one."""
        found = [
            Present(name=name, is_writing=writing)
            for name in self._seen
            if name != but and (writing := self._standing(target, name, now)) is not None
        ]
        return sorted(found, key=lambda each: (not each.is_writing, each.name.casefold()))

    def _standing(self, target: str, name: str, now: datetime) -> bool | None:
        """Return whether they write there, None when they are gone."""
        at, is_writing = self._seen.get(name, {}).get(target, (None, False))
        return is_writing if at is not None and now - at < GONE else None


PRESENCE = web.AppKey("presence", Presence)


def said(request: web.Request, target: str) -> str:
    """Return who else is on the page of `target`, as a line; "" when nobody is."""
    say = site_of(request).say
    return " · ".join(
        say(f"views.presence.{'writes' if each.is_writing else 'looks'}", name=each.name)
        for each in others(request, target)
    )


def others(request: web.Request, target: str) -> list[Present]:
    """Return who else is on the page of `target`."""
    now, name = site_of(request).now(), visitor_of(request).name
    return request.app[PRESENCE].of(target, now=now, but=name)


def note(request: web.Request, target: str, *, is_writing: bool = False) -> None:
    """The visitor is on the page of `target`; who looks at it too hears of it at once."""
    name, now = visitor_of(request).name, site_of(request).now()
    if request.app[PRESENCE].note(target, name, is_writing=is_writing, now=now):
        _tell(request, target)


def leave(request: web.Request, target: str) -> None:
    """The visitor is not on the page of `target`; who looks at it hears of it at once."""
    name, now = visitor_of(request).name, site_of(request).now()
    if request.app[PRESENCE].leave(target, name, now=now):
        _tell(request, target)


async def beat(request: web.Request) -> web.Response:
    """The visitor is on that page, writes there, or left it; the answer says who else is."""
    written = request.match_info["id"]
    letter = written[:1].upper()
    number = number_of(written, letter) if letter in _LETTERS else None
    if number is None:
        raise web.HTTPNotFound
    target, form = short_id(letter, number), await form_of(request)
    if form.get("left"):
        leave(request, target)
    else:
        note(request, target, is_writing=bool(form.get("writing")))
    return web.Response(text=said(request, target), content_type="text/plain", charset="utf-8")


def _tell(request: web.Request, target: str) -> None:
    request.app[HUB].publish(target, {"kind": "presence"})
