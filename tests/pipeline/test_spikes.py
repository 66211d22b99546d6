"""Spikes through the stages: S3, restarts, edited rules, short memories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from veille.domain.incident import IncidentState
from veille.domain.mention import Batch
from veille.pipeline import recount
from veille.pipeline.evaluate import Evaluate
from veille.rules.parse import parse_rules
from veille.store import alerts, baselines, incidents, outbox, timeline, watermarks
from veille.store.codec import micros

if TYPE_CHECKING:
    from conftest import Town
    from veille.store.engine import SqliteStore

S3 = [4, 6, 5, 5, 4, 6, 5, 5, 4, 6, 5, 5]
HOUR = timedelta(hours=1)
START = datetime(2026, 1, 18, 1, 0, tzinfo=UTC)
RULES = b"""rules:
  - {id: v, kind: spike, baseline: previous, window: 1h, min_count: 10, severity: warning,
     annotations: {summary: "{count} messages, contre {expected} d'habitude ; seuil {threshold}"}}
"""
SEASONAL = b"rules: [{id: v, kind: spike, window: 1h, min_count: 6, severity: info}]"

Stages = Callable[..., "Town"]


async def hear(town: Town, counts: Sequence[int]) -> None:
    """So many mentions in each hour that follows, the last at its end."""
    for count in counts:
        start = town.now
        for part in range(1, count + 1):
            town.now = start + HOUR * part / count
            mention = town.mention(f"remarque {town.number}", author=f"a{town.number % 9}")
            await town.collect.accept(town.source, Batch(mentions=(mention,)), now=town.now)
            await town.work()
        town.now = start + HOUR


async def burst(town: Town, count: int) -> None:
    """All of them at the end of the next hour."""
    town.now += HOUR
    batch = tuple(town.mention(f"la place est fermée {n}") for n in range(count))
    await town.collect.accept(town.source, Batch(mentions=batch), now=town.now)
    await town.work()


async def opened(evaluate: Evaluate, now: datetime) -> None:
    """It was opened, and its rules have counted what is stored."""
    await evaluate.open(now)
    while await evaluate.step(now):
        pass


async def test_s3_is_one_alert_of_18_against_7_1213_told_once_and_resolved(
    store: SqliteStore, stages: Stages
) -> None:
    town = stages(store, rules=RULES)
    await town.evaluate.open(town.now)
    await hear(town, S3)
    await burst(town, 18)
    (live,) = await store.read(alerts.live)
    assert (live.value, live.threshold) == (18, 7.1213)
    await town.run(timedelta(minutes=15))  # the next quarter is still high
    claimed = await store.write(
        lambda db: outbox.claim(db, "astreinte", now=town.now, lease=timedelta(minutes=1))
    )
    assert claimed is not None
    assert claimed.facts is not None
    assert (claimed.facts.value, claimed.facts.threshold, claimed.facts.usual) == (18, 7.1213, 5.0)
    assert claimed.facts.title == "18 messages, contre 5 d'habitude ; seuil 7,12"
    assert await store.read(outbox.depth) == {"astreinte": 1, "courriel": 1}, "told once"
    (live,) = await store.read(alerts.live)
    assert (live.value, live.threshold) == (18, 7.1213)
    await town.run(HOUR)
    assert await store.read(alerts.live) == []
    (incident,) = await store.read(
        lambda db: incidents.list_(db, states=list(IncidentState), limit=9)
    )
    assert incident.state is IncidentState.RESOLVED
    log = await store.read(lambda db: timeline.of(db, "I1"))
    assert [e.kind for e in log if e.kind.startswith("alert.")] == [
        "alert.firing",
        "alert.resolved",
    ]
    assert [e.data["threshold"] for e in log if e.kind == "alert.firing"] == [7.1213]


async def test_s3_with_three_points_raises_nothing(store: SqliteStore, stages: Stages) -> None:
    town = stages(store, rules=RULES)
    await town.evaluate.open(town.now)
    await hear(town, S3[:3])
    await burst(town, 18)
    assert await store.read(alerts.live) == []


async def test_an_edited_rule_counts_its_past_from_the_store(
    store: SqliteStore, stages: Stages
) -> None:
    town = stages(store, rules=SEASONAL)
    await town.evaluate.open(town.now)
    start = town.now
    await hear(town, [1] * 12)
    edited = parse_rules({"r.yml": SEASONAL.replace(b"min_count: 6", b"min_count: 7")})
    town.evaluate.take_rules(edited)
    await town.work(later=timedelta(seconds=10))
    (version,) = edited.versions.values()
    (found,) = (
        await store.read(lambda db: baselines.load(db, [version], counted=[version]))
    ).values()
    assert found.since == start + HOUR, "the first mention there was"
    (hours,) = found.counts.values()
    assert sum(hours.values()) == 12


async def test_a_rule_that_counts_its_past_does_not_take_what_was_swept_for_silence(
    store: SqliteStore, stages: Stages
) -> None:
    town = stages(store, rules=SEASONAL)
    await town.evaluate.open(town.now)
    await hear(town, [1] * 12)
    edited = parse_rules({"r.yml": SEASONAL.replace(b"min_count: 6", b"min_count: 7")})
    (version,) = edited.versions.values()
    again = Evaluate(store, edited, reach=timedelta(hours=4, minutes=30))
    await opened(again, town.now)
    since = await store.read(lambda db: baselines.since(db, [version]))
    assert since[version] == town.now - 4 * HOUR


async def test_counting_again_is_bounded_and_says_where_it_began(
    store: SqliteStore, stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = stages(store, rules=SEASONAL)
    await town.evaluate.open(town.now)
    await hear(town, [1] * 12)
    monkeypatch.setattr(recount, "LIMIT", 5)
    monkeypatch.setattr(recount, "PIECE", 2)
    edited = parse_rules({"r.yml": SEASONAL.replace(b"min_count: 6", b"min_count: 7")})
    (version,) = edited.versions.values()
    await opened(Evaluate(store, edited), town.now)
    found = await store.read(lambda db: baselines.load(db, [version], counted=[version]))
    assert found[version].since == town.now - 4 * HOUR
    assert [sum(hours.values()) for hours in found[version].counts.values()] == [5]


async def test_a_restart_between_any_two_mentions_changes_no_count(
    store: SqliteStore, stages: Stages
) -> None:
    seasonal = b"  - {id: s, kind: spike, window: 1h, min_count: 6, severity: info}"
    town = stages(store, rules=RULES + seasonal)
    await town.evaluate.open(town.now)
    for count in [*S3, 0]:
        await (hear(town, [count]) if count else burst(town, 18))
        rules = town.evaluate._ruleset
        town.evaluate = Evaluate(store, rules)  # a killed process: only the store is left
        await town.evaluate.open(town.now)
    (previous,) = [a for a in await store.read(alerts.live) if a.rule == "v"]
    assert previous.baseline is not None
    assert (previous.baseline.expected, previous.baseline.points) == (5.0, 12)
    versions = rules.versions
    found = await store.read(
        lambda db: baselines.load(db, versions.values(), counted=versions.values())
    )
    for history in found.values():
        assert [sum(hours.values()) for hours in history.counts.values()] == [sum(S3) + 18]
    assert await store.read(lambda db: watermarks.get(db, "evaluate")) == sum(S3) + 18


async def counted(store: SqliteStore, version: str) -> int:
    found = await store.read(lambda db: baselines.load(db, [version], counted=[version]))
    return sum(sum(hours.values()) for hours in found[version].counts.values())


async def test_a_rule_that_comes_back_counts_what_it_missed(
    store: SqliteStore, stages: Stages
) -> None:
    before = parse_rules({"r.yml": SEASONAL})
    between = parse_rules({"r.yml": SEASONAL.replace(b"min_count: 6", b"min_count: 7")})
    (version,) = before.versions.values()
    (other,) = between.versions.values()
    town = stages(store, rules=SEASONAL)
    await town.evaluate.open(town.now)
    await hear(town, [1] * 4)
    town.evaluate.take_rules(between)
    await hear(town, [1] * 5)
    assert await counted(store, version) == 4, "what an open incident said is usual stays"
    town.evaluate = Evaluate(store, before)  # reverted while veille was stopped
    await opened(town.evaluate, town.now)
    assert await counted(store, version) == 9
    await hear(town, [1] * 2)
    assert (await counted(store, version), await counted(store, other)) == (11, 9)
    town.evaluate.take_rules(between)
    await hear(town, [1])
    assert (await counted(store, version), await counted(store, other)) == (11, 12)


async def test_the_hours_between_the_last_pulse_and_a_start_are_no_past(
    store: SqliteStore, stages: Stages
) -> None:
    town = stages(store, rules=RULES)
    await town.evaluate.open(town.now)
    await hear(town, [5] * 10)
    stopped = town.now
    await store.write(lambda db: watermarks.set(db, watermarks.PULSE, micros(stopped)))
    town.now += 3 * HOUR
    town.evaluate = Evaluate(store, parse_rules({"r.yml": RULES}))
    await town.evaluate.open(town.now)
    await burst(town, 18)
    (live,) = await store.read(alerts.live)
    assert live.baseline is not None
    assert (live.baseline.points, live.baseline.expected) == (9, 5.0)


async def test_a_rule_that_looks_back_further_than_mentions_are_kept_is_named(
    store: SqliteStore,
) -> None:
    with capture_logs() as logs:
        await Evaluate(store, parse_rules({"r.yml": RULES}), reach=12 * HOUR).open(START)
        await Evaluate(store, parse_rules({"r.yml": RULES}), reach=13 * HOUR).open(START)
    assert [entry["rules"] for entry in logs] == [["v"]]
