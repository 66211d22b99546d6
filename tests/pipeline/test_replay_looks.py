"""A replay looks only where something can change, and tells what looking at every instant does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from veille.alerts.muting import Muting
from veille.alerts.quiet import BudgetSettings, CalendarSettings
from veille.alerts.settings import RouteSettings
from veille.domain.mention import Author, Mention
from veille.domain.silence import Silence
from veille.pipeline.dispatch import Dispatch
from veille.pipeline.replay import GRID, Replay, Script, Stages
from veille.rules.engine import PARIS
from veille.rules.settings import RulesSettings
from veille.store import silences
from veille.store.engine import Db, SqliteStore

if TYPE_CHECKING:
    from conftest import Town

    Build = Callable[..., Town]

RULES = b"""
rules:
  - {id: urgent, kind: mention, where: {urgency.label: urgent}, window: 6m, severity: critical,
     flag: true, labels: {topic: danger}, annotations: {summary: "Appel urgent"}}
  - {id: angry, kind: count, where: {sentiment.label: negative}, window: 12m, min_count: 2,
     min_authors: 1, for: 1m, keep_firing_for: 4m, severity: warning, labels: {topic: danger},
     annotations: {summary: "{count} plaintes de {authors} auteurs"}}
  - {id: mostly, kind: ratio, of: {sentiment.label: negative}, min_ratio: 0.3, min_count: 3,
     min_authors: 1, window: 15m, severity: info, annotations: {summary: "{count} sur tous"}}
  - {id: busy, kind: spike, baseline: previous, points: 4, min_points: 2, k: 1, window: 5m,
     min_count: 2, min_authors: 1, severity: info, annotations: {summary: "contre {expected}"}}
  - {id: fast, kind: velocity, doubles_in: 5m, steps: 4, window: 16m, min_count: 3, min_authors: 1,
     severity: info}
  - {id: mute, kind: silence, group_by: [source], own: true, max_age: 40m, exclude_own: false,
     severity: info}
  - {id: lonely, kind: unanswered, within: 7m, window: 30m, severity: info,
     where: {text: {words: [question]}}}
"""
ROUTE = RouteSettings(
    receivers=("astreinte", "courriel"),
    routes=(RouteSettings(match={"severity": "info"}, receivers=("lettre",), mute=("pause",)),),
    group_interval="3m",
    repeat_interval="11m",
    linger="5m",
    budget=BudgetSettings(per="1h", notifications=3, starts="06:00"),
)
PAUSE = CalendarSettings(id="pause", hours=("02:21-02:57", "03:33-04:00"))
TEXTS = ("au secours", "nul", "nul !", "une question", "bonjour", "salut", "oui", "tornade")


class EveryInstant(Replay):
    """It looks at each instant of the grid, whatever can happen there."""

    def _next(self, at: datetime, taken: int) -> datetime | None:
        del taken
        return at + GRID if self._until is not None and at + GRID <= self._until else None


def scripted(town: Town, seed: int) -> Script:
    draw, at, made = Random(seed), town.now, []
    for n in range(24):
        at += timedelta(seconds=draw.choice([0, 4, 20, 70, 200, 600]))
        made.append(
            Mention(
                source=draw.choice(["s", "t"]),
                id=str(n),
                text=draw.choice(TEXTS),
                created_at=at - timedelta(seconds=draw.choice([0, 0, 90])),
                received_at=at,
                author=Author(id=f"a{draw.randrange(9)}"),
                own=draw.random() < 0.1,
            )
        )
        if draw.random() < 0.1:
            gone = draw.choice(made)
            made.append(replace(gone, received_at=at, deleted=True))
    return Script.of(b"file", made)


async def told(
    build: Build, path: Path, seed: int, kind: type[Replay]
) -> tuple[list[tuple[str, str]], int]:
    """Return everything a reader of the store can see, and at how many instants it looked."""
    async with SqliteStore(path, group_commit=timedelta(0), is_durable=False) as store:
        town = build(store, rules=RULES, is_replay=True)
        start = town.now + timedelta(minutes=17)
        quiet = Silence(
            id=0, match={"severity": ("warning",)}, author="camille", reason="travaux",
            starts_at=start, ends_at=start + timedelta(minutes=23), created_at=start,
        )  # fmt: skip
        await store.write(lambda db: silences.add(db, quiet))
        dispatch = Dispatch(
            store,
            route=ROUTE,
            group_wait=RulesSettings(group_wait={"info": "2m"}).waits(),
            muting=Muting(calendars={"pause": PAUSE}, zone=PARIS),
        )
        stages = Stages(
            collect=town.collect, analyze=town.analyze, evaluate=town.evaluate, dispatch=dispatch
        )
        until = town.now + timedelta(hours=2, minutes=40)
        looks = 0
        async for _ in kind(store, stages, scripted(town, seed), until=until).play():
            looks += 1
        return await store.read(seen), looks


TABLES = (
    "timeline", "outbox", "queue", "transitions", "incidents", "evidence", "digests", "examples",
    "alerts", "baselines", "memories", "watermarks",
)  # fmt: skip


def seen(db: Db) -> list[tuple[str, str]]:
    return [
        (table, row)
        for table in TABLES
        for row in sorted(str(tuple(row)) for row in db.rows(f"SELECT * FROM {table}"))
    ]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(2))
async def test_what_is_told_is_what_every_instant_tells(
    stages: Build, tmp_path: Path, seed: int
) -> None:
    always, all_looks = await told(stages, tmp_path / "always.db", seed, EveryInstant)
    found, looks = await told(stages, tmp_path / "some.db", seed, Replay)
    assert found == always
    assert looks < all_looks / 3
    log = "".join(row for table, row in found if table == "timeline")
    for kind in ("alert.firing", "incident.opened", "incident.muted", "incident.resolved"):
        assert kind in log
