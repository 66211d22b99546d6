"""Silences and other mutes on a real store: they survive a kill, and are in the audit trail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import pytest

from servers.mortal import KilledError, MortalStore
from veille.alerts.muting import Muting
from veille.alerts.quiet import CalendarSettings
from veille.alerts.settings import RouteSettings
from veille.domain.errors import ConflictError, InputError
from veille.domain.incident import IncidentState
from veille.domain.notification import NotificationKind
from veille.domain.silence import Mute, MuteKind, Silence
from veille.pipeline.actions import Actions
from veille.pipeline.dispatch import Dispatch
from veille.pipeline.replay import Replay, Script, Stages
from veille.rules.settings import RulesSettings
from veille.store import audit, incidents, outbox, queue, silences, timeline
from veille.store.engine import SqliteStore

if TYPE_CHECKING:
    from conftest import Town

T = TypeVar("T")
HOUR = timedelta(hours=1)
PARIS = ZoneInfo("Europe/Paris")
NIGHT = CalendarSettings(id="nuit", hours=("02:00-02:03",))


def route(**fields: object) -> RouteSettings:
    return msgspec.convert({"receivers": ["astreinte", "courriel"]} | fields, RouteSettings)


def dispatch(store: SqliteStore, **fields: object) -> Dispatch:
    return Dispatch(
        store,
        route=route(**fields),
        group_wait=RulesSettings().waits(),
        muting=Muting(calendars={"nuit": NIGHT}, zone=PARIS),
    )


@pytest.fixture
def actions(town: Town, store: SqliteStore) -> Actions:
    return Actions(store, route=route(), now=lambda: town.now)


async def incident(store: SqliteStore, number: int = 1) -> object:
    found = await store.read(lambda db: incidents.get(db, number))
    assert found is not None
    return found


async def kinds(store: SqliteStore, target: str) -> list[str]:
    return [event.kind for event in await store.read(lambda db: timeline.of(db, target))]


async def test_a_silence_mutes_the_next_incident_of_its_labels_and_its_end_tells_it(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    silence = await actions.silence(
        {"topic": ("danger",)}, lasting=2 * HOUR, reason="exercice de nuit", actor="Camille"
    )
    await town.say("au secours")
    await town.work(later=timedelta(seconds=10))
    found = await incident(store)
    assert found.state is IncidentState.OPEN
    assert found.muted == Mute(kind=MuteKind.SILENCE, by="S1", until=silence.ends_at)
    assert await store.read(outbox.depth) == {}
    assert len(await store.read(lambda db: queue.list_(db, states=["new"], limit=9))) == 1
    await actions.expire(1, actor="Sacha")
    await town.work(later=timedelta(seconds=10))
    assert await store.read(outbox.depth) == {"astreinte": 1, "courriel": 1}
    assert await kinds(store, "I1") == [
        "alert.firing", "incident.opened", "incident.muted", "incident.unmuted",
    ]  # fmt: skip
    assert await kinds(store, "S1") == ["silence.added", "silence.expired"]
    rows = await store.read(
        lambda db: [tuple(r) for r in db.rows("SELECT actor, action, target FROM audit")]
    )
    assert rows == [("Camille", "silence.added", "S1"), ("Sacha", "silence.expired", "S1")]
    assert await store.read(audit.verify) is None
    (kept,) = await store.read(silences.list_)
    assert (kept.ended_by, kept.author, kept.reason) == ("Sacha", "Camille", "exercice de nuit")


async def test_an_incident_is_silenced_with_what_comes_next_about_the_same(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    await town.say("nul", "c'est nul", "vraiment nul")
    await town.run(timedelta(minutes=1))
    silence = await actions.silence("i1", lasting=HOUR, reason="on s'en occupe", actor="Camille")
    assert silence.match["severity"] == ("info", "warning")
    assert (await kinds(store, "I1"))[-1] == "silence.added"
    await town.run(timedelta(minutes=11))
    assert (await incident(store)).state is IncidentState.RESOLVED
    before = await store.read(outbox.depth)
    await town.say("nul", "c'est nul", "vraiment nul")
    await town.run(timedelta(minutes=1))
    assert (await incident(store, 2)).muted.by == "S1"
    assert await store.read(outbox.depth) == before


async def test_a_preview_counts_what_was_told_in_the_last_day_and_stores_nothing(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    await town.say("au secours", "nul", "c'est nul", "vraiment nul")
    await town.run(timedelta(minutes=1))
    match, hidden = await actions.preview({"watch": ("mairie",)})
    assert match == {"watch": ("mairie",)}
    shown = {h.incident.title: (h.notifications, h.is_now, h.is_whole) for h in hidden}
    assert shown == {"Appel urgent": (1, True, True), "3 plaintes": (1, True, True)}
    _, only = await actions.preview({"rule": ("urgent",)})
    assert [h.incident.id for h in only] == [1]
    assert (await actions.preview({"rule": ("other",)}))[1] == []
    await town.run(timedelta(minutes=11))
    assert [h.is_now for h in (await actions.preview({"watch": ("mairie",)}))[1]] == [False, False]
    town.now += timedelta(hours=25)
    assert (await actions.preview({"watch": ("mairie",)}))[1] == []
    assert await store.read(silences.list_) == []


async def test_what_cannot_be_meant_is_refused_and_stores_nothing(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    await town.say("au secours")
    await town.work()
    given = {"lasting": HOUR, "reason": "x", "actor": "Camille"}
    for target, changed in (
        ({}, {}),
        ({"severity": ("grave",)}, {}),
        ("Q1", {}),
        ("I9", {}),
        ("I1", {"reason": "  "}),
        ("I1", {"reason": "x" * 501}),
        ("I1", {"lasting": timedelta(seconds=59)}),
        ("I1", {"lasting": timedelta(days=31)}),
    ):
        with pytest.raises(InputError):
            await actions.silence(target, **(given | changed))
    await actions.resolve("I1", actor="Camille")
    with pytest.raises(ConflictError):
        await actions.silence("I1", **given)
    assert await store.read(silences.list_) == []
    with pytest.raises(InputError):
        await actions.expire(1, actor="x")
    await actions.silence({"topic": ("x",)}, **given)
    await actions.expire(1, actor="x")
    with pytest.raises(ConflictError):
        await actions.expire(1, actor="x")


async def test_the_digest_names_what_the_budget_held_back_even_what_ended(
    town: Town, store: SqliteStore
) -> None:
    budget = {"per": "1h", "notifications": 1, "starts": "00:00"}
    town.dispatch = dispatch(store, budget=budget, group_by=["watch", "topic", "rule"])
    await town.say("au secours")  # critical: it counts, and is told
    await town.work()
    await town.say("nul", "c'est nul", "vraiment nul")
    await town.run(timedelta(minutes=12))
    held = await incident(store, 2)
    assert held.state is IncidentState.RESOLVED
    assert held.muted.kind is MuteKind.BUDGET
    await town.run(timedelta(minutes=50))
    rows = await store.read(lambda db: outbox.log(db, 0))
    assert [(row.kind, row.receiver) for row in rows] == [
        (NotificationKind.DIGEST, "astreinte"), (NotificationKind.DIGEST, "courriel"),
    ]  # fmt: skip
    told = await store.read(lambda db: silences.of_digest(db, rows[0].key, "astreinte"))
    assert [found.id for found in told] == [2]
    assert await store.read(silences.gathered) == []
    assert (await incident(store, 2)).muted is None
    await town.run(timedelta(hours=2))
    assert len(await store.read(lambda db: outbox.log(db, 0))) == 2


RULES = b"""
rules:
  - id: urgent
    kind: mention
    where: {urgency.label: urgent}
    window: 20s
    severity: critical
    labels: {topic: danger}
  - {id: told, kind: mention, where: {text: {words: [nul]}}, window: 50s, severity: warning,
     group_by: [watch, author], group_wait: 0s}
"""
SAYS = (
    (0, "nul"), (20, "au secours"), (25, "nul"), (100, "nul"), (103, "nul"), (105, "nul"),
    (130, "au secours"), (150, "nul"), (200, "nul"), (202, "nul"), (240, "au secours"),
)  # fmt: skip


def script(town: Town) -> Script:
    mentions = [
        town.mention(text, created_at=town.now + timedelta(seconds=second), id=str(second))
        for second, text in SAYS
    ]
    return Script.of(b"file", mentions)


async def _tell(
    build: Callable[..., Town], path: Path, lives: int
) -> tuple[Sequence[object], Sequence[object], int]:
    """Replay with a silence, quiet hours, a budget and lingering; return what was planned."""
    async with SqliteStore(path, group_commit=timedelta(0), is_durable=False) as inner:
        store = MortalStore(inner, lives)
        town = build(store, rules=RULES, is_replay=True)
        if not await inner.read(silences.list_):
            await inner.write(lambda db: silences.add(db, _silence(town)))
        budget = {"per": "1h", "notifications": 1, "starts": "00:04"}
        town.dispatch = dispatch(
            store, mute=["nuit"], budget=budget, linger="30s", repeat_interval="5m",
            group_by=["watch", "topic", "author"],
        )  # fmt: skip
        stages = Stages(
            collect=town.collect,
            analyze=town.analyze,
            evaluate=town.evaluate,
            dispatch=town.dispatch,
        )
        with suppress(KilledError):
            async for _ in Replay(store, stages, script(town)).play():
                pass
        told = await inner.read(
            lambda db: [tuple(r) for r in db.rows("SELECT key, receiver, due_at FROM outbox")]
        )
        log = await inner.read(timeline.log)
        return told, [(e.at, e.kind, e.target, dict(e.data)) for e in log], store.lives


def _silence(town: Town) -> Silence:
    begins = town.now + timedelta(seconds=10)
    return Silence(
        id=0, match={"rule": ("urgent",)}, author="c", reason="essai", starts_at=begins,
        ends_at=begins + timedelta(seconds=130), created_at=begins,
    )  # fmt: skip


@pytest.mark.timeout(120)
async def test_killed_between_any_two_commits_it_tells_the_same(
    stages: Callable[..., Town], tmp_path: Path
) -> None:
    many = 1_000_000
    told, log, left = await _tell(stages, tmp_path / "whole.db", many)
    seen = {kind for _, kind, *_ in log}
    assert seen >= {"incident.muted", "incident.unmuted", "incident.resolved"}
    assert {data["mute"] for _, kind, _, data in log if kind == "incident.muted"} == {
        "silence", "calendar", "budget",
    }  # fmt: skip
    assert {key.split("-")[0] for key, *_ in told} >= {"digest"}
    for lives in range(1, many - left, 11):
        path = tmp_path / f"{lives}.db"
        await _tell(stages, path, lives)
        assert (await _tell(stages, path, many))[:2] == (told, log), f"killed after {lives}"
        path.unlink()


@pytest.mark.parametrize("order", range(6))
async def test_two_acknowledgements_that_race_a_resolution_leave_it_resolved_or_taken_once(
    town: Town, store: SqliteStore, order: int
) -> None:
    await town.say("au secours")
    await town.work()
    town.now += timedelta(minutes=10)
    await town.evaluate.step(town.now)  # the alert is over: dispatch is about to resolve
    actions = [Actions(store, route=route(), now=lambda: town.now) for _ in range(2)]
    racers = {
        "camille": lambda: actions[0].acknowledge("I1", actor="camille"),
        "sacha": lambda: actions[1].acknowledge("I1", actor="sacha"),
        "veille": lambda: town.dispatch.step(town.now),
    }
    names = sorted(racers)
    turn = [names[order % 3], *[n for n in names if n != names[order % 3]][:: 1 - 2 * (order // 3)]]
    done = await asyncio.gather(*(racers[name]() for name in turn), return_exceptions=True)
    assert {type(each) for each in done if isinstance(each, Exception)} <= {ConflictError}
    while await town.dispatch.step(town.now):
        pass
    found = await incident(store)
    assert found.state is IncidentState.RESOLVED
    names_taken = [
        e.actor for e in await store.read(lambda db: timeline.of(db, "I1"))
        if e.kind == "incident.acknowledged"
    ]  # fmt: skip
    assert len(names_taken) <= 1
    assert (found.acknowledged_by in names_taken) == bool(names_taken)
    town.now += timedelta(seconds=1)
    with pytest.raises(ConflictError, match="not reopened"):
        await actions[0].acknowledge("I1", actor="camille")
    before = replace(found)
    await town.work()
    assert await incident(store) == before
