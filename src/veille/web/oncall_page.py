"""`/on-call`: who is on call now and this week, who takes over, and what happens if nobody does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from veille.domain.errors import ConflictError, InputError, OwnShiftError
from veille.domain.oncall import Override
from veille.store.users import folded
from veille.web.house import Change, Roll, RotaDesk
from veille.web.oncall_words import OnCallWords
from veille.web.site import form_of, render, see, site_of, visitor_of, words_of

AHEAD = timedelta(weeks=4)
"""Shifts that may be swapped begin within it, as gaps are looked for."""
_DONE = ("replaced", "swapped", "withdrawn")
_ID = 9  # digits of an override's number


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A change as the form asks for it: one override, or a swap of two shifts."""

    schedule: str
    override: Override | None
    keys: tuple[str, ...]


async def page(request: web.Request) -> web.Response:
    """Schedules, their week, the forms, and the policies."""
    return await _show(request)


async def preview(request: web.Request) -> web.Response:
    """The page with what the form would change, to be confirmed."""
    form = await form_of(request)
    desk = _desk(request)
    try:
        changes = await _look(request, desk, _asked(request, form))
    except (InputError, ConflictError) as error:
        return await _show(request, problem=_problem(error), form=form)
    return await _show(request, form=form, changes=changes)


async def change(request: web.Request) -> web.Response:
    """The override or the swap counts, or the page says why not."""
    form = await form_of(request)
    desk, own, now = _desk(request), _own(request), site_of(request).shown_now()
    try:
        asked = _asked(request, form)
        if asked.override is not None:
            await desk.replace(asked.override, own=own, now=now)
        else:
            actor = visitor_of(request).name
            await desk.swap(asked.schedule, asked.keys, own=own, actor=actor, now=now)
    except (InputError, ConflictError) as error:
        return await _show(request, problem=_problem(error), form=form)
    return see(f"/on-call?done={'replaced' if asked.override is not None else 'swapped'}")


async def withdraw(request: web.Request) -> web.Response:
    """The override counts no more."""
    form = await form_of(request)
    written, actor = form.get("override", ""), visitor_of(request).name
    if not (written.isascii() and written.isdigit() and len(written) <= _ID):
        raise web.HTTPBadRequest
    try:
        own, now = _own(request), site_of(request).shown_now()
        await _desk(request).hand_back(int(written), own=own, actor=actor, now=now)
    except (InputError, ConflictError) as error:
        return await _show(request, problem=_problem(error, gone="gone"))
    return see("/on-call?done=withdrawn")


def _desk(request: web.Request) -> RotaDesk:
    desk = site_of(request).house.rota
    if desk is None:
        raise web.HTTPNotFound
    return desk


def _own(request: web.Request) -> str | None:
    """Return the person whose shifts this visitor may change, None: anybody's."""
    visitor = visitor_of(request)
    if visitor.may("edit"):
        return None
    names = _desk(request).names
    return next((one for one in names if folded(one) == folded(visitor.name)), "")


def _problem(error: Exception, *, gone: str = "moved") -> str:
    if isinstance(error, OwnShiftError):
        return "own"
    return gone if isinstance(error, ConflictError) else "refused"


def _asked(request: web.Request, form: Mapping[str, str]) -> _Asked:
    schedule, now = form.get("schedule", ""), site_of(request).shown_now()
    if form.get("verb") == "swap":
        keys = (form.get("one", ""), form.get("other", ""))
        return _Asked(schedule=schedule, override=None, keys=keys)
    zone = site_of(request).timezone
    wanted = Override(
        id=0,
        schedule=schedule,
        person=form.get("person", ""),
        starts_at=_instant(form.get("since", ""), zone) if form.get("since") else now,
        ends_at=_instant(form.get("until", ""), zone),
        actor=visitor_of(request).name,
        created_at=now,
    )
    return _Asked(schedule=schedule, override=wanted, keys=())


def _instant(written: str, zone: ZoneInfo) -> datetime:
    """Return the time of a field, by the institution's clocks; InputError for nonsense."""
    try:
        found = datetime.fromisoformat(written)
        # far years overflow where they are compared
        # two times of one zone compare as their clocks read, in the nights that clocks change too
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError("no time: write 2026-12-24T18:00") from error


async def _look(request: web.Request, desk: RotaDesk, asked: _Asked) -> Sequence[Change]:
    own, now = _own(request), site_of(request).shown_now()
    if asked.override is not None:
        return await desk.replaced(asked.override, own=own, now=now)
    return await desk.swapped(asked.schedule, asked.keys, own=own, now=now)


async def _show(
    request: web.Request,
    *,
    problem: str | None = None,
    form: Mapping[str, str] | None = None,
    changes: Sequence[Change] | None = None,
) -> web.Response:
    site, words, desk = site_of(request), words_of(request), _desk(request)
    say, now, done = site.say, site.shown_now(), request.query.get("done")
    rolls = await desk.rolls(now, ahead=AHEAD)
    said = OnCallWords(words=words, names=desk.names, now=now)
    may_all, own = visitor_of(request).may("edit"), _own(request)
    return render(
        request,
        "oncall.html",
        status=400
        if problem == "refused"
        else 403
        if problem == "own"
        else 409
        if problem
        else 200,
        problem=say(f"pages.oncall.problem.{problem}") if problem else None,
        wrong=_fields(form or {}) if problem == "refused" else (),
        done=say(f"pages.oncall.done.{done}") if done in _DONE else None,
        rolls=[said.roll(roll) for roll in rolls],
        days=said.week(rolls),
        policies=[said.policy(one, desk.uses.get(one.id, ())) for one in desk.policies],
        form=form or {},
        changes=None if changes is None else [said.change(one) for one in changes],
        people=sorted(desk.names.items(), key=lambda one: one[1]),
        schedules=[roll.id for roll in rolls],
        swaps=said.swaps(rolls),
        withdrawable=_withdrawable(rolls, request, may_all=may_all),
        may_change=may_all or bool(own),
        is_own=not may_all,
    )


def _fields(form: Mapping[str, str]) -> tuple[str, ...]:
    """Return the ids of the fields that say what is wanted, in the form that was sent."""
    if form.get("verb") == "swap":
        return tuple(f"{field}-{form.get('schedule', '')}" for field in ("one", "other"))
    return "person", "since", "until"


def _withdrawable(rolls: Sequence[Roll], request: web.Request, *, may_all: bool) -> list[int]:
    """Return the overrides this visitor may end: all, or those they wrote."""
    name = visitor_of(request).name
    return [one.id for roll in rolls for one in roll.overrides if may_all or one.actor == name]
