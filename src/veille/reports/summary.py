"""The summary of one week, read from the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from statistics import median

from veille.alerts.clock_settings import usual
from veille.domain.alert import Severity
from veille.domain.ids import short_id
from veille.domain.incident import Incident
from veille.domain.promise import Promises
from veille.domain.text import fold
from veille.reports import figures
from veille.reports.answers import answers
from veille.reports.figures import Mood, Move, Pair, Summary
from veille.reports.week import Week
from veille.store import sources, tallies, weekly
from veille.store.engine import Db
from veille.store.sources import SourceHealth
from veille.store.tallies import Tally
from veille.wording.format import excerpt, visible

EXAMPLES = 3
EXAMPLE_LENGTH = 200
MOVES = 3
UNTOLD = ("refreshed", "redacted")
"""Edits of a message that was sent: nobody is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """The tallies of a week and of the week before."""

    week: Week
    now: Sequence[Tally]
    previous: Sequence[Tally]

    def total(self, what: str, *, skip: Sequence[str] = ()) -> Pair:
        def count(of: Sequence[Tally]) -> int:
            return sum(t.count for t in of if t.what == what and t.label not in skip)

        return Pair(now=count(self.now), previous=count(self.previous))

    def by_name(self, what: str, *, skip: Sequence[str] = ()) -> Counter[str]:
        found: Counter[str] = Counter()
        for tally in self.now:
            if tally.what == what and tally.label not in skip:
                found[tally.name] += tally.count
        return found

    def mood(
        self, what: str, of: Sequence[Tally], *, name: str | None = None, day: date | None = None
    ) -> Mood:
        zone = self.week.zone
        return figures.mood(
            (t.label, t.count)
            for t in of
            if t.what == what
            and (name is None or t.name == name)
            and (day is None or t.at.astimezone(zone).date() == day)
        )

    def groups(self, what: str) -> list[tuple[str, Mood, Mood]]:
        """Return name, mood and previous mood, the most written of first."""
        found = [
            (name, self.mood(what, self.now, name=name), self.mood(what, self.previous, name=name))
            for name in {t.name for t in (*self.now, *self.previous) if t.what == what}
        ]
        return sorted(found, key=lambda g: (-g[1].count, -g[2].count, g[0]))


def summarize(
    db: Db,
    week: Week,
    *,
    institution: str,
    listed: Iterable[str],
    now: datetime,
    quotes: bool,
    promises: Promises | None = None,
) -> Summary:
    """Return the summary of a week. Figures of a week that is over stay the same.

    Only the open queue and what waits for an answer, the state of the sources `listed`, what is not
    analyzed and examples are as of `now`.
    """
    counts = _Counts(
        week=week,
        now=tallies.between(db, week.starts_at, week.ends_at),
        previous=tallies.between(db, week.previous.starts_at, week.previous.ends_at),
    )
    mood, before = counts.mood("source", counts.now), counts.mood("source", counts.previous)
    incidents, critical = _incidents(db, week)
    moved, ranked = _moves(db, counts, mood, before, quotes=quotes)
    health = {one.source: one for one in sources.health(db)}
    return Summary(
        week=week.name,
        starts_at=week.starts_at,
        ends_at=week.ends_at,
        timezone=week.zone.key,
        institution=institution,
        made_at=now,
        is_complete=now >= week.ends_at,
        counted_since=weekly.since(db),
        verdict=figures.verdict(mood, before, critical=critical, moved=ranked),
        volume=figures.change(mood.count, before.count),
        mood=mood,
        previous_mood=before,
        net=figures.compared(mood.net(), before.net()),
        polar=figures.compared(mood.polar(), before.polar()),
        abstained=figures.compared(mood.undecided(), before.undecided()),
        urgent=counts.total("urgent"),
        own=counts.total("own"),
        days=_days(counts),
        sources=[figures.group(*g) for g in counts.groups("source")],
        watches=[figures.group(*g) for g in counts.groups("watch")],
        topics=[figures.group(*g) for g in counts.groups("topic")],
        moves=moved,
        incidents=incidents,
        alerts=_alerts(counts),
        deliveries=_deliveries(counts),
        queue=_queue(db, counts),
        answers=answers(db, week, promises or usual(week.zone), now=now),
        source_states=[_source(name, health.get(name), week) for name in sorted(listed)],
        masked=dict(sorted(counts.by_name("masked").items())),
        deleted=dict(sorted(counts.by_name("deleted").items())),
        unread=weekly.unread(db, week.starts_at, week.ends_at),
    )


def _queue(db: Db, counts: _Counts) -> figures.Queue:
    open_count, oldest_at = weekly.open_queue(db)
    return figures.Queue(
        flagged=counts.total("flagged"),
        handled=counts.total("handled"),
        open=open_count,
        oldest_at=oldest_at,
    )


def _days(counts: _Counts) -> list[figures.Day]:
    moods = [(day, counts.mood("source", counts.now, day=day)) for day in counts.week.days]
    return [figures.Day(day=d, count=m.count, mood=m, net=m.net()) for d, m in moods]


def _moves(
    db: Db, counts: _Counts, now: Mood, before: Mood, *, quotes: bool
) -> tuple[list[Move], list[Move]]:
    """Return three moves up and three down with examples, and all there are.

    They are by topic if there are topics, else by watch, else by source; none of a single group.
    """
    for by in ("topic", "watch", "source"):
        groups = counts.groups(by)
        if len(groups) > 1:
            ranked = figures.moves(by, groups, now, before)
            break
    else:
        return [], []
    up = [m for m in ranked if m.points > 0][:MOVES]
    down = [m for m in ranked if m.points < 0][:MOVES]
    return (_with_examples(db, counts.week, [*up, *down]) if quotes else [*up, *down]), ranked


def _with_examples(db: Db, week: Week, moved: Sequence[Move]) -> list[Move]:
    """Give the largest moves an example each, three at most, no text twice."""
    largest = sorted(moved, key=lambda m: -abs(m.points))[:EXAMPLES]
    found: dict[str, figures.Example] = {}
    shown: set[str] = set()
    for move in largest:
        label = "positive" if move.points > 0 else "negative"
        candidates = weekly.examples(
            db, move.by, move.name, label=label, start=week.starts_at, end=week.ends_at
        )
        for candidate in candidates:
            folded = fold(candidate.text)
            if folded in shown:
                continue
            shown.add(folded)
            found[move.name] = figures.Example(
                text=excerpt(visible(candidate.text[: 2 * EXAMPLE_LENGTH]), EXAMPLE_LENGTH),
                source=candidate.source,
                at=candidate.created_at,
                lang=candidate.lang,
            )
            break
    return [replace(move, example=found.get(move.name)) for move in moved]


def _incidents(db: Db, week: Week) -> tuple[figures.Incidents, int]:
    """Return what was done with incidents, and how many critical ones opened."""
    known = weekly.incidents_until(db, week.ends_at)
    opened = [i for i in known if _is_in(i.opened_at, week)]
    topics = Counter(i.labels["topic"] for i in opened if "topic" in i.labels)

    def pair(at: Callable[[Incident], datetime | None]) -> Pair:
        return Pair(
            now=sum(_is_in(at(i), week) for i in known),
            previous=sum(_is_in(at(i), week.previous) for i in known),
        )

    found = figures.Incidents(
        opened=pair(lambda i: i.opened_at),
        acknowledged=pair(lambda i: i.acknowledged_at),
        resolved=pair(lambda i: i.resolved_at),
        median_to_acknowledge_s=_median(known, week),
        previous_median_to_acknowledge_s=_median(known, week.previous),
        by_topic=dict(sorted(topics.items())),
        log=[_line(i, week) for i in opened],
    )
    return found, sum(i.severity is Severity.CRITICAL for i in opened)


def _median(incidents: Sequence[Incident], week: Week) -> float | None:
    waits = [
        (i.acknowledged_at - i.opened_at).total_seconds()
        for i in incidents
        if i.acknowledged_at is not None and _is_in(i.acknowledged_at, week)
    ]
    return round(median(waits), 1) if waits else None


def _line(incident: Incident, week: Week) -> figures.IncidentLine:
    def by_then(at: datetime | None) -> datetime | None:
        return at if at is not None and at < week.ends_at else None

    return figures.IncidentLine(
        id=short_id("I", incident.id),
        title=incident.title,
        severity=incident.severity,
        topic=incident.labels.get("topic"),
        opened_at=incident.opened_at,
        acknowledged_at=by_then(incident.acknowledged_at),
        resolved_at=by_then(incident.resolved_at),
    )


def _is_in(at: datetime | None, week: Week) -> bool:
    return at is not None and week.starts_at <= at < week.ends_at


def _alerts(counts: _Counts) -> list[figures.AlertCount]:
    now: Counter[tuple[str, str]] = Counter()
    previous: Counter[tuple[str, str]] = Counter()
    for total, of in ((now, counts.now), (previous, counts.previous)):
        for tally in of:
            if tally.what == "alert":
                total[tally.name, tally.label] += tally.count
    gravest = sorted(
        now | previous, key=lambda k: (-Severity(k[1]).rank, -now[k], -previous[k], k[0])
    )
    return [
        figures.AlertCount(rule=rule, severity=severity, now=now[key], previous=previous[key])
        for key in gravest
        for rule, severity in [key]
    ]


def _deliveries(counts: _Counts) -> list[figures.Deliveries]:
    by = {what: counts.by_name(what, skip=UNTOLD) for what in ("sent", "failed", "parked")}
    return [
        figures.Deliveries(
            receiver=name,
            sent=by["sent"][name],
            failed=by["failed"][name],
            parked=by["parked"][name],
        )
        for name in sorted({name for found in by.values() for name in found})
    ]


def _source(name: str, health: SourceHealth | None, week: Week) -> figures.SourceState:
    if health is None:  # never tried
        return figures.SourceState(
            source=name, state="silent", read_at=None, last_item_at=None, failures=0
        )
    is_silent = health.accepted_at is None or health.accepted_at < week.starts_at
    return figures.SourceState(
        source=name,
        state="error" if health.error is not None else "silent" if is_silent else "ok",
        read_at=health.read_at,
        last_item_at=health.accepted_at,
        failures=health.failures,
    )
