"""`/sources`: what is read, whether it is heard, and how the town's own accounts are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from veille.domain.alert import Alert, is_silence
from veille.store import alerts, flow, outbox, pulse, sources, work
from veille.store.engine import Db
from veille.store.flow import Flow
from veille.store.sources import SourceHealth
from veille.store.work import Backlog
from veille.web import accounts
from veille.web.accounts import Account
from veille.web.house import House, SourceInfo
from veille.web.site import render_watched, site_of, words_of
from veille.web.words import Words
from veille.wording.format import duration, measure, number, visible

SHAPES = {"down": "▲", "mute": "◆", "unread": "○", "gone": "○", "fine": "●"}
"""By state: none is told by its colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A source as the page shows it; `facts` are sentences, `remedy` what to do, "" without."""

    id: str
    name: str
    kind: str
    state: str
    shape: str
    said: str
    error: str
    remedy: str
    facts: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What the page and the API tell of sources, of one snapshot."""

    health: Mapping[str, SourceHealth]
    flows: Mapping[str, Flow]
    mute: Mapping[str, Alert]
    own: Sequence[Account]
    troubles: Mapping[str, tuple[int, str]]
    backlog: Backlog
    marks: Mapping[str, str]


async def page(request: web.Request) -> web.Response:
    """Sources that fail first, then the town's own accounts, then who cannot be told."""
    site, words = site_of(request), words_of(request)
    house = site.house
    loaded = await site.store.read(lambda db: load(db, house, words.now))
    rows = [_row(info, state, loaded, house, words) for info, state in states(loaded, house)]
    order = list(SHAPES)
    return render_watched(
        request,
        "sources.html",
        marks=loaded.marks,
        rows=sorted(rows, key=lambda row: order.index(row.state)),
        heading=_heading(rows, words),
        own=[accounts.row(account, words) for account in loaded.own],
        troubles=[
            words.trouble(name, count, cause) for name, (count, cause) in loaded.troubles.items()
        ],
        backlog=_backlog(loaded.backlog, words),
    )


def load(db: Db, house: House, now: datetime) -> Loaded:
    """Return what is told of sources, own accounts and receivers."""
    health = {one.source: one for one in sources.health(db)}
    named = {*(source.id for source in house.sources), *health}
    ruleset = house.rules.running().rules if house.rules is not None else ()
    own = [source.id for source in house.sources if source.is_own]
    return Loaded(
        health=health,
        flows=flow.by_source(db, sorted(named), now=now),
        mute={
            alert.group["source"]: alert
            for alert in alerts.live(db)
            if is_silence(alert) and "source" in alert.group
        },
        own=accounts.load(db, ruleset, own),
        troubles=outbox.troubles(db),
        backlog=work.backlog(db),
        marks=pulse.marks(db, ("sources",)),
    )


def states(loaded: Loaded, house: House) -> list[tuple[SourceInfo, str]]:
    """Return each source with its state: a key of SHAPES; `gone` where config.toml has it not."""
    known = {source.id for source in house.sources}
    gone = [name for name in loaded.health if name not in known and not sources.is_inner(name)]
    return [
        *((one, _state(one, loaded.health.get(one.id), loaded.mute)) for one in house.sources),
        *((SourceInfo(id=name, kind=""), "gone") for name in gone),
    ]


def _row(info: SourceInfo, state: str, loaded: Loaded, house: House, words: Words) -> Row:
    say, health = words.say, loaded.health.get(info.id)
    since = since_of(info.id, state, loaded)
    said = say(f"pages.sources.state.{state}")
    key = f"pages.sources.kind.{info.kind}"
    return Row(
        id=info.id,
        name=words.source(info.id),
        kind=say(key) if key in say.messages else info.kind,
        state=state,
        shape=SHAPES[state],
        said=said if since is None else say(
            "pages.sources.since", state=said, time=words.moment(since), wait=words.wait(since)
        ),
        error=visible(health.error) if health is not None and health.error else "",
        remedy=_remedy(info, state, health, words),
        facts=list(_facts(info, health, loaded.flows.get(info.id, Flow()), house, words)),
    )  # fmt: skip


def _state(info: SourceInfo, health: SourceHealth | None, mute: Mapping[str, Alert]) -> str:
    if health is not None and health.failures:
        return "down"
    if info.id in mute:
        return "mute"
    return "unread" if health is None or health.read_at is None else "fine"


def since_of(source: str, state: str, loaded: Loaded) -> datetime | None:
    """Return since when it is as it is, None where that says nothing."""
    health, mute = loaded.health.get(source), loaded.mute.get(source)
    if state == "down" and health is not None:
        return health.read_at or health.failing_since or health.error_at
    return mute.started_at if state == "mute" and mute is not None else None


def _remedy(info: SourceInfo, state: str, health: SourceHealth | None, words: Words) -> str:
    if state == "down" and health is not None and health.next_try_at is None:
        return words.say("pages.sources.remedy.config", source=info.id)
    key = f"pages.sources.remedy.{state}"
    return words.say(key, source=info.id) if key in words.say.messages else ""


def _facts(
    info: SourceInfo, health: SourceHealth | None, brought: Flow, house: House, words: Words
) -> list[str]:
    say = words.say
    found = []
    if health is not None and health.failures:
        found.append(say.count("pages.sources.failures", health.failures))
        if health.next_try_at is not None:
            found.append(_next_try(health.next_try_at, words))
    elif info.poll is not None:
        found.append(say("pages.sources.poll", every=duration(say, info.poll)))
    if health is not None and health.accepted_at is not None:
        found.append(say("pages.sources.last", time=words.at(health.accepted_at)))
    elif health is not None:
        found.append(say("pages.sources.nothing"))
    found += _lag(brought, words)
    if brought.week:
        mean = measure(say, brought.week / flow.DAYS, decimals=1)
        found.append(say("pages.sources.daily", mean=mean, day=number(say, brought.day)))
    else:
        found.append(say("pages.sources.no_day"))
    quota = house.quota().get(info.id)
    if quota is not None:
        found.append(say.count("pages.sources.quota", quota, count=number(say, quota)))
    if health is not None and health.rejected:
        count = number(say, health.rejected)
        found.append(say.count("pages.sources.rejected", health.rejected, count=count))
    return found


def _next_try(at: datetime, words: Words) -> str:
    if at <= words.now:
        return words.say("pages.sources.next_now")
    return words.say("pages.sources.next", time=words.when(at), age=words.age(at))


def _lag(brought: Flow, words: Words) -> list[str]:
    """Say how late the newest came, where that is known."""
    if brought.created_at is None or brought.received_at is None:
        return []
    late = max(timedelta(0), brought.received_at - brought.created_at)
    return [words.say("pages.sources.lag", late=duration(words.say, late))]


def _heading(rows: Sequence[Row], words: Words) -> str:
    bad = sum(row.state in {"down", "mute"} for row in rows)
    key = "pages.sources.heading" if bad else "pages.sources.heading_fine"
    if not rows:
        return words.say("pages.sources.none")
    return words.say.count(key, bad or len(rows), of=len(rows))


def _backlog(backlog: Backlog, words: Words) -> str:
    if backlog.oldest_at is None:
        return words.say("pages.sources.no_backlog")
    count = number(words.say, backlog.count)
    return words.say.count(
        "pages.sources.backlog", backlog.count, count=count, age=words.wait(backlog.oldest_at)
    )
