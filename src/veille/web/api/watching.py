"""What is watched and owed: sources, rules, the ledger and the audit trail."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from veille.domain.ids import short_id
from veille.domain.ledger import Entry, Why
from veille.domain.obligation import Clock
from veille.store import audit_trail, firings, ledger, sources, verdicts
from veille.store.audit_trail import TrailFilter
from veille.store.codec import micros, moment
from veille.store.engine import Db
from veille.store.sources import SourceHealth
from veille.web.api.operation import Answer, Call, Listed, Nothing, Page, Paged
from veille.web.api.shapes import Shape

_PERIOD = timedelta(days=30)
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class RuleShape(Shape, frozen=True, kw_only=True):
    """A rule that runs: how often it fired in 30 days, and how often people found it right."""

    id: str
    fired: int
    shadow: int
    fired_at: datetime | None
    true_alert: int
    false_alarm: int
    wrong_label: int
    precision: float | None
    interval: list[float] | None


class Owed(Shape, frozen=True, kw_only=True):
    """A question or request: since when it waits, and why; or what was decided of it."""

    mention: str
    source: str
    intent: str
    asked_at: datetime
    due_at: datetime | None
    age_s: float
    why: Why | None
    item: str | None
    assignee: str | None
    repeats: int
    clocks: list[Clock]
    outcome: str | None
    actor: str | None
    decided_at: datetime | None
    reason: str | None


class Decided(Paged, frozen=True, kw_only=True):
    """Since how many days."""

    days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 7


class Trail(Paged, frozen=True, kw_only=True):
    """Whose rows, of what, on what."""

    actor: _Name | None = None
    action: _Name | None = None
    target: _Name | None = None


class TrailRow(Shape, frozen=True, kw_only=True):
    """A row of the audit trail, and the hash that makes it a link of the chain."""

    seq: int
    at: datetime
    actor: str
    action: str
    target: str
    before: dict[str, str | int | float | bool | None] | None
    after: dict[str, str | int | float | bool | None] | None
    hash: str


async def list_sources(call: Call[Nothing, None]) -> Answer[Listed[SourceHealth]]:
    """How each source is that was ever read; `*rules` is the folder of rules."""
    return Answer(value=Listed(items=await call.site.store.read(sources.health)))


async def list_rules(call: Call[Nothing, None]) -> Answer[Listed[RuleShape]]:
    """The rules that run, with what they found and how they were judged in 30 days."""
    asker, desk, since = call.site.asker, call.site.house.rules, call.now - _PERIOD
    known = [rule.id for rule in desk.running().rules] if desk else []
    names = known or (list(asker.rules()) if asker else [])

    def load(db: Db) -> list[RuleShape]:
        fired, judged = firings.by_rule(db, names, since=since), verdicts.by_rule(db, since=since)
        return [_rule(name, fired.get(name), judged.get(name)) for name in names]

    return Answer(value=Listed(items=await call.site.store.read(load)))


async def unanswered(call: Call[Paged, None]) -> Answer[Page[Owed]]:
    """Every question and request without a human answer, the oldest first."""
    limit, after = call.query.limit, call.after()
    place = None if after is None else (moment(int(after[0])), str(after[1]))
    found = await call.site.store.read(
        lambda db: ledger.unanswered(db, limit=limit + 1, after=place)
    )
    shown = found[:limit]
    last = shown[-1] if len(found) > limit else None
    more = call.next([micros(last.asked_at), last.mention]) if last else None
    return Answer(value=Page(items=[_owed(call, each) for each in shown], next=more))


async def decided(call: Call[Decided, None]) -> Answer[Page[Owed]]:
    """Questions and requests that were answered or decided, the latest first."""
    limit, after = call.query.limit, call.after()
    place = None if after is None else (moment(int(after[0])), str(after[1]))
    since = call.now - timedelta(days=call.query.days)
    found = await call.site.store.read(
        lambda db: ledger.decided(db, since=since, limit=limit + 1, before=place)
    )
    shown = found[:limit]
    last = shown[-1] if len(found) > limit else None
    at = last.decided_at if last else None
    more = call.next([micros(at), last.mention]) if last and at else None
    return Answer(value=Page(items=[_owed(call, each) for each in shown], next=more))


async def audit(call: Call[Trail, None]) -> Answer[Page[TrailRow]]:
    """Who did what, the newest first."""
    asked, after = call.query, call.after()
    where = TrailFilter(actor=asked.actor, action=asked.action, target=asked.target)
    before = None if after is None else int(after[0])
    found = await call.site.store.read(
        lambda db: audit_trail.page(db, where, limit=asked.limit + 1, before=before)
    )
    shown = found[: asked.limit]
    more = call.next([shown[-1].seq]) if len(found) > len(shown) else None
    rows = [
        TrailRow(
            seq=row.seq,
            at=row.at,
            actor=row.actor,
            action=row.action,
            target=row.target,
            before=None if row.before is None else dict(row.before),
            after=None if row.after is None else dict(row.after),
            hash=row.hash,
        )
        for row in shown
    ]
    return Answer(value=Page(items=rows, next=more))


def _rule(name: str, fired: firings.Fired | None, judged: verdicts.Judged | None) -> RuleShape:
    told, said = fired or firings.Fired(), judged or verdicts.Judged()
    return RuleShape(
        id=name,
        fired=told.count,
        shadow=told.shadow,
        fired_at=told.last_at,
        true_alert=said.true_alert,
        false_alarm=said.false_alarm,
        wrong_label=said.wrong_label,
        precision=said.precision,
        interval=None if said.interval is None else list(said.interval),
    )


def _owed(call: Call[Paged, None] | Call[Decided, None], entry: Entry) -> Owed:
    promises = call.site.promises
    is_open = entry.decided_at is None
    return Owed(
        mention=entry.mention,
        source=entry.source,
        intent=entry.intent,
        asked_at=entry.asked_at,
        due_at=entry.due_at,
        age_s=entry.age(promises, call.now).total_seconds(),
        why=entry.why(promises, call.now) if is_open else None,
        item=None if entry.item is None else short_id("Q", entry.item),
        assignee=entry.assignee,
        repeats=entry.repeats,
        clocks=list(entry.clocks),
        outcome=entry.outcome,
        actor=entry.actor,
        decided_at=entry.decided_at,
        reason=entry.reason,
    )
