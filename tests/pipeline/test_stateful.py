"""Rules that remember: killed and resumed, fed by the store's health and by people's answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from servers.mortal import KilledError, MortalStore
from veille.domain.alert import Alert, AlertState
from veille.domain.incident import QueueState
from veille.domain.mention import Author, Batch, Mention
from veille.pipeline.actions import Actions
from veille.pipeline.replay import Replay, Script, Stages
from veille.rules.parse import parse_rules
from veille.store import alerts, memories, queue, sources, timeline
from veille.store.engine import SqliteStore

if TYPE_CHECKING:
    from conftest import Town

    Build = Callable[..., Town]

T = TypeVar("T")
RULES = b"""
rules:
  - {id: quiet, kind: silence, group_by: [source], severity: warning,
     annotations: {summary: "{source} {cause} depuis {since}"}}
  - {id: left, kind: silence, own: true, max_age: 1h, group_by: [source], severity: info,
     annotations: {summary: "{source} : {age} jours, {unanswered} sans r\xc3\xa9ponse"}}
  - {id: waiting, kind: unanswered, where: {sentiment.label: negative}, within: 1m, window: 5m,
     severity: info, flag: true}
  - {id: tag, kind: new_term, of: hashtag, memory: 1d, window: 40s, severity: info}
  - id: chain
    kind: sequence
    within: 1m
    steps: [{where: {urgency.label: urgent}}, {where: {sentiment.label: negative}}]
    severity: warning
  - {id: angry, kind: mention, where: {sentiment.label: negative}, window: 30s, severity: info}
  - {id: alone, kind: composite, all: [angry], none: [chain], severity: info}
"""
MINUTE = timedelta(minutes=1)


def script(town: Town) -> Script:
    # nothing waits or stands while new terms are learnt: kills fall where something happens
    says = [
        (-25200, "b", "#bonjour"),
        *((20 * n, "a", "bonjour") for n in range(22)), (60, "b", "nul"), (80, "b", "au secours"),
        (100, "b", "nul"), (500, "b", "#crue"), (510, "b", "encore #crue"), (4200, "b", "#eau"),
        (4210, "b", "voici #eau"), (4220, "b", "fin"),
    ]  # fmt: skip
    mentions = [
        Mention(
            source=source,
            id=str(n),
            text=text,
            created_at=town.now + timedelta(seconds=second),
            author=Author(id=f"a{n}"),
        )
        for n, (second, source, text) in enumerate(says)
    ]
    own = Mention(source="page", id="p", text="avis", created_at=town.now, own=True)
    return Script.of(b"file", [*mentions, own])


async def _play(build: Build, path: Path, lives: int) -> tuple[list[object], int]:
    async with SqliteStore(path, group_commit=timedelta(0), is_durable=False) as inner:
        store = MortalStore(inner, lives)
        town = build(store, rules=RULES, is_replay=True)
        stages = Stages(
            collect=town.collect,
            analyze=town.analyze,
            evaluate=town.evaluate,
            dispatch=town.dispatch,
        )
        try:
            # two hours in which things happen: what stands for a day after would be most commits
            end = town.now + timedelta(hours=2)
            async for _ in Replay(store, stages, script(town), until=end).play():
                pass
        except KilledError:
            pass
        log = await inner.read(timeline.log)
        return [(e.at, e.kind, e.target, e.data) for e in log], store.lives


@pytest.mark.timeout(120)
async def test_rules_that_remember_say_the_same_after_a_kill_at_any_commit(
    stages: Build, tmp_path: Path
) -> None:
    many = 1_000_000
    whole, left = await _play(stages, tmp_path / "whole.db", many)
    told = {(kind, data.get("rule")) for _, kind, _, data in whole}
    over = {"waiting", "tag", "chain", "angry", "alone"}
    assert told >= {("alert.firing", rule) for rule in {"quiet", "left", *over}}
    assert told >= {("alert.resolved", rule) for rule in over}
    for lives in range(1, many - left, (many - left) // 10):
        path = tmp_path / f"{lives}.db"
        await _play(stages, path, lives)
        assert (await _play(stages, path, many))[0] == whole, f"killed after commit {lives}"
        path.unlink()


async def firing(store: SqliteStore) -> dict[str, Alert]:
    live = await store.read(alerts.live)
    return {alert.rule: alert for alert in live if alert.state is AlertState.FIRING}


async def test_a_failing_source_is_told_and_its_return_is_told(
    store: SqliteStore, stages: Build
) -> None:
    town = stages(store, rules=RULES)
    await town.evaluate.open(town.now)
    await town.collect.accept(town.source, Batch(), now=town.now)
    await store.write(
        lambda db: sources.note_error(
            db, "presse", at=town.now + MINUTE, error="503", next_try_at=town.now + 2 * MINUTE
        )
    )
    await town.work(later=14 * MINUTE)
    assert not await firing(store)
    await town.work(later=MINUTE)
    alert = (await firing(store))["quiet"]
    assert alert.annotations["summary"].startswith("presse en panne depuis 18/01/2026 02:00")
    assert [condition.name for condition in alert.conditions] == ["down_s"]
    await town.collect.accept(town.source, Batch(), now=town.now)
    await town.work(later=MINUTE)
    assert not await firing(store)


async def test_a_question_that_somebody_dealt_with_waits_no_more(
    store: SqliteStore, stages: Build
) -> None:
    town = stages(store, rules=RULES)
    await town.evaluate.open(town.now)
    await town.say("c'est nul")
    await town.work()
    await town.work(later=MINUTE)
    assert (await firing(store))["waiting"].evidence
    item = (await store.read(lambda db: queue.list_(db, states=[QueueState.NEW], limit=9)))[0]
    assert item.rule == "waiting"
    actions = Actions(store, route=town.dispatch._route, now=lambda: town.now)
    await actions.resolve(f"Q{item.id}", actor="Ada", state=QueueState.ANSWERED)
    await town.work(later=MINUTE)
    assert "waiting" not in await firing(store)


async def test_an_edited_sentence_keeps_what_was_learnt_and_a_removed_rule_forgets(
    store: SqliteStore, stages: Build
) -> None:
    town = stages(store, rules=RULES)
    await town.evaluate.open(town.now)
    for _ in range(22):
        await town.say("bonjour")
        await town.work(later=2 * MINUTE)

    async def kept() -> set[str]:
        feeds = parse_rules({"r.yml": RULES}).feeds
        return set(await store.read(lambda db: memories.known(db, feeds)))

    before = await kept()
    town.evaluate.take_rules(parse_rules({"r.yml": RULES.replace(b"depuis", b"since")}))
    await town.work(later=3 * MINUTE)
    assert before
    assert await kept() == before
    assert (await firing(store))["quiet"].annotations["summary"].startswith("presse muet since")
    one = b"rules: [{id: left, kind: mention, where: {kind: reply}, severity: info}]"
    town.evaluate.take_rules(parse_rules({"r.yml": one}))
    await town.work(later=MINUTE)
    assert await kept() == set()
