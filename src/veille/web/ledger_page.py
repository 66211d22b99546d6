"""`/ledger`: every question and request without an answer, why, and what was decided of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from veille.domain.errors import InputError
from veille.domain.ids import short_id
from veille.domain.ledger import Entry
from veille.domain.record import StoredMention
from veille.store import ledger, mentions, pulse
from veille.store.codec import micros, moment
from veille.store.engine import Db
from veille.web.site import render_watched, site_of, words_of
from veille.web.words import Words
from veille.wording import clock
from veille.wording import format as wording

PAGE = 40
"""Rows of a list, as of the queue."""
PERIODS = (7, 30, 90)
"""Days of what was decided: a week, a month, a quarter."""
_DIGITS = 18  # of a time in microseconds, far beyond our century
_KEY = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question or request; `path` is None where it is not in the queue, `text` once gone."""

    said: clock.Said
    mention: StoredMention | None
    id: str | None
    path: str | None
    about: str
    repeats: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    days: int
    after: tuple[datetime, str] | None
    before: tuple[datetime, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    open: list[Entry]
    decided: list[Entry]
    count: int
    mentions: Mapping[str, StoredMention]
    marks: Mapping[str, str]


async def page(request: web.Request) -> web.Response:
    """What is open, the oldest first, then what was decided in the period; 400 for nonsense."""
    words = words_of(request)
    try:
        asked = _asked(request)
    except InputError as error:
        raise web.HTTPBadRequest from error
    loaded = await site_of(request).store.read(lambda db: _load(db, asked, words.now))
    say, shown, decided = words.say, loaded.open[:PAGE], loaded.decided[:PAGE]
    return render_watched(
        request,
        "ledger.html",
        marks=loaded.marks,
        heading=_heading(loaded.count, words),
        rows=[_row(request, one, loaded.mentions, words) for one in shown],
        decided=[_row(request, one, loaded.mentions, words) for one in decided],
        periods=[(say.count("clock.page.days", d), f"/ledger?days={d}", d) for d in PERIODS],
        days=asked.days,
        is_first=asked.after is None,
        next_path=_next(asked, "after", shown, loaded.open, "asked_at"),
        next_decided=_next(asked, "before", decided, loaded.decided, "decided_at"),
        is_first_decided=asked.before is None,
    )


def _load(db: Db, asked: _Asked, now: datetime) -> _Loaded:
    found = ledger.unanswered(db, limit=PAGE + 1, after=asked.after)
    since = now - timedelta(days=asked.days)
    decided = ledger.decided(db, since=since, limit=PAGE + 1, before=asked.before)
    return _Loaded(
        open=found,
        decided=decided,
        count=ledger.count(db),
        mentions=mentions.stored(db, [one.mention for one in (*found, *decided)]),
        marks=pulse.marks(db, ("gone",)),
    )


def _asked(request: web.Request) -> _Asked:
    written = request.query.get("days", str(PERIODS[0]))
    if written not in set(map(str, PERIODS)):
        raise InputError(f"days: one of {', '.join(map(str, PERIODS))}")
    return _Asked(
        days=int(written),
        after=_edge(request.query.get("after", "")),
        before=_edge(request.query.get("before", "")),
    )


def _edge(text: str) -> tuple[datetime, str] | None:
    """Return where the page before ended: a time and a mention's key, a keyed hash."""
    if not text:
        return None
    at, _, key = text.partition(".")
    if not (at.isascii() and at.isdigit() and len(at) <= _DIGITS and 0 < len(key) <= _KEY):
        raise InputError("no place in the ledger: begin at its first page")
    return moment(int(at)), key


def _heading(count: int, words: Words) -> str:
    said = wording.number(words.say, count)
    if count >= ledger.MOST:
        said = words.say("clock.page.more_than", count=said)
    return words.say.count("clock.page.open", count, count=said)


def _row(
    request: web.Request, entry: Entry, stored: Mapping[str, StoredMention], words: Words
) -> Row:
    mention = stored.get(entry.mention)
    said = clock.entry(
        words.say, entry, site_of(request).promises, now=words.now, zone=str(words.timezone)
    )
    parts = [
        short_id("Q", entry.item) if entry.item is not None else "",
        words.source(entry.source),
        words.label("intent", entry.intent),
        words.say("clock.page.asked", time=words.when(entry.asked_at)),
    ]
    return Row(
        said=said,
        mention=None if mention is None or mention.is_deleted else mention,
        id=None if entry.item is None else short_id("Q", entry.item),
        path=None if entry.item is None else f"/queue/{entry.item}",
        about=" · ".join(part for part in parts if part),
        repeats=words.say.count("clock.page.repeats", entry.repeats) if entry.repeats else "",
    )


def _next(
    asked: _Asked, name: str, shown: list[Entry], found: list[Entry], column: str
) -> str | None:
    if len(found) <= len(shown):
        return None
    last = shown[-1]
    return f"/ledger?days={asked.days}&{name}={micros(getattr(last, column))}.{last.mention}"
