"""`/silences`: what is muted by whom and why, what a new silence would hide, and ending one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from veille.domain.durations import parse_duration
from veille.domain.errors import ConflictError, InputError
from veille.domain.ids import short_id
from veille.domain.silence import Match, Silence, check_terms, parse_match, parse_silence_id
from veille.store import silences
from veille.store.engine import Db
from veille.store.silences import Hidden
from veille.web.site import form_of, render, see, site_of, visitor_of, words_of
from veille.web.words import Words
from veille.wording.format import moment, visible

LENGTHS = ("1h", "4h", "morning", "2d", "7d")
MORNING = time(8)
_DONE = ("added", "expired")


def length_of(code: str, now: datetime, zone: ZoneInfo) -> timedelta:
    """Return how long a choice of the page lasts; InputError for another."""
    if code not in LENGTHS:
        raise InputError("choose one of the lengths shown")
    return _morning(now, zone) - now if code == "morning" else parse_duration(code)


def lengths(words: Words) -> list[tuple[str, str]]:
    """Return the choices with their names; the morning is the next one, named by its day."""
    at = moment(words.say, _morning(words.now, words.timezone), words.timezone.key)
    return [(code, words.say(f"quiet.page.lengths.{code}", time=at)) for code in LENGTHS]


def _morning(now: datetime, zone: ZoneInfo) -> datetime:
    local = now.astimezone(zone)
    today = datetime.combine(local.date(), MORNING, tzinfo=zone)
    return (
        today
        if today > local
        else datetime.combine(local.date() + timedelta(days=1), MORNING, tzinfo=zone)
    )


async def page(request: web.Request) -> web.Response:
    """All silences, and the form for a new one."""
    return await _show(request)


async def preview(request: web.Request) -> web.Response:
    """The page with what the form's silence would hide, to be confirmed."""
    form = await form_of(request)
    wrong: tuple[str, ...] = ("lasting", "reason")
    try:
        _terms(request, form)
        wrong = ("match",)
        match, hidden = await site_of(request).actions.preview(_match(form))
    except InputError:
        return await _show(request, problem="refused", form=form, wrong=wrong)
    return await _show(request, form=form, hidden=hidden, match=match)


async def add(request: web.Request) -> web.Response:
    """The silence stands, or the page says what is missing."""
    form = await form_of(request)
    try:
        reason, lasting = _terms(request, form)
        await site_of(request).actions.silence(
            _match(form), lasting=lasting, reason=reason, actor=visitor_of(request).name
        )
    except InputError:
        return await _show(request, problem="refused", form=form)
    return see("/silences?done=added")


async def expire(request: web.Request) -> web.Response:
    """The silence is over."""
    form = await form_of(request)
    try:
        number = parse_silence_id(form.get("silence", ""))
        await site_of(request).actions.expire(number, actor=visitor_of(request).name)
    except (InputError, ConflictError):
        return await _show(request, problem="gone", form={}, status=409)
    return see("/silences?done=expired")


def _match(form: Mapping[str, str]) -> Match:
    lines = (line.strip() for line in form.get("match", "").splitlines())
    return parse_match(tuple(line for line in lines if line))


def _terms(request: web.Request, form: Mapping[str, str]) -> tuple[str, timedelta]:
    site = site_of(request)
    lasting = length_of(form.get("lasting", ""), site.shown_now(), site.timezone)
    return check_terms(form.get("reason", ""), lasting), lasting


async def _show(
    request: web.Request,
    *,
    problem: str | None = None,
    form: Mapping[str, str] | None = None,
    hidden: list[Hidden] | None = None,
    match: Match | None = None,
    wrong: tuple[str, ...] = (),
    status: int = 200,
) -> web.Response:
    site, words = site_of(request), words_of(request)
    now, done = site.shown_now(), request.query.get("done")

    def load(db: Db) -> tuple[list[Silence], list[Silence]]:
        return silences.lasting(db, now), silences.list_(db, limit=20)

    active, recent = await site.store.read(load)
    return render(
        request,
        "silences.html",
        status=400 if problem == "refused" else status,
        problem=site.say(f"quiet.page.{problem}") if problem else None,
        done=site.say(f"quiet.page.done_{done}") if done in _DONE else None,
        active=active,
        over=[silence for silence in recent if silence.ends_at <= now],
        form=form or {},
        wrong=wrong,
        hidden=hidden,
        saved=sum(each.notifications for each in hidden or () if each.is_whole),
        labels=written(match or {}),
        lengths=lengths(words),
        written=written,
        short_id=short_id,
        visible=visible,
    )


def written(match: Match) -> list[str]:
    """Return the labels as they are written: `severity=info ou warning` is two of them."""
    return [visible(f"{name}={value}") for name, values in match.items() for value in values]
