"""Nobody answers, and the daemon is killed again and again: each relay is told all the same."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from servers.duty import Duty
from servers.town import VEILLE, World, mention
from veille.alerts.settings import RouteSettings
from veille.domain.alert import Severity
from veille.domain.incident import Incident, IncidentState
from veille.domain.oncall import Ended
from veille.pipeline.actions import Actions
from veille.store import escalations, incidents, outbox, timeline
from veille.store.engine import Db, SqliteStore

KILLS = 50
STEPS = 50
MINUTE = 60
EVERY_S = 1
RULES = """
rules:
  - {id: appel, kind: mention, where: {text: {words: [incendie]}}, window: 6h, severity: critical}
"""
PERSON = """
[[receiver]]
id = "courriel-{name}"
kind = "email"
host = "127.0.0.1"
port = {port}
tls = "none"
sender = "veille@mairie.example"
to = ["{name}@mairie.example"]
allow_private = true

[[person]]
id = "{name}"
receivers = ["courriel-{name}"]
"""
PEOPLE = ("anne", "bruno", "chloe")
MARK = "Répétition possible"


def _configure(world: World, delays: Sequence[int]) -> None:
    """A policy whose steps are due so many seconds after the incident was told."""
    folder = world.daemon.folder
    (folder / "rules").mkdir()
    (folder / "rules" / "appel.yml").write_text(RULES)
    path: Path = folder / "config.toml"
    text = path.read_text().replace("[route]\n", '[route]\nescalation = "crise"\n')
    text += '\n[rules]\ndirectory = "rules"\n'
    for name in PEOPLE:
        text += PERSON.format(name=name, port=world.mail.port)
    text += '\n[[schedule]]\nid = "premier"\n[[schedule.layers]]\n'
    text += 'people = ["anne"]\nstart = 2026-01-01\n'
    text += '\n[[escalation]]\nid = "crise"\n'
    for number, delay in enumerate(delays):
        who = f'people = ["{PEOPLE[number % 3]}"]' if number % 3 else 'schedules = ["premier"]'
        text += f'[[escalation.steps]]\nafter = "{delay}s"\n{who}\n'
    path.write_text(text)


def _calls(world: World) -> list[tuple[int, str, bool]]:
    """Each mail of the escalation as it came: its number, its reader, whether it bears the mark."""
    found = []
    for mail in world.mail.received():
        key = mail.message_id.strip("<").split(".")[0]
        if "-escalated-" in key:
            reader = str(mail.message["To"]).split("@")[0]
            found.append((int(key.rsplit("-", 1)[1]), reader, MARK in mail.body("plain")))
    return found


async def _is_told(store: SqliteStore) -> bool:
    def told(db: Db) -> bool:
        found = escalations.get(db, 1)
        return found is not None and found.due_at is None and not outbox.depth(db)

    return await store.read(told)


async def _open_incident(world: World) -> datetime:
    """An incident stands in the store, told at the time that is returned."""
    now = datetime.now(UTC)
    incident = Incident(
        id=1,
        key="k",
        labels={"watch": "mairie"},
        state=IncidentState.OPEN,
        severity=Severity.CRITICAL,
        title="Incendie",
        opened_at=now,
        updated_at=now,
        notified_at=now,
    )
    (world.daemon.folder / "data").mkdir(exist_ok=True)
    async with world.daemon.store() as store:
        await store.write(lambda db: incidents.save(db, incident, expected_version=None))
    return now


async def _until(world: World, calls: int) -> None:
    """So many different calls arrived."""
    async with asyncio.timeout(60):
        while len({number for number, *_ in _calls(world)}) < calls:
            await asyncio.sleep(0.01)


async def _idle(store: SqliteStore, world: World, calls: int) -> None:
    """So many calls arrived, and it is on record that they did."""
    await _until(world, calls)
    async with asyncio.timeout(60):
        while await store.read(outbox.depth):
            await asyncio.sleep(0.05)


async def test_s2_each_relay_is_told_at_its_time_over_a_kill(world: World) -> None:
    _configure(world, [0, 5 * MINUTE, 10 * MINUTE])
    await _open_incident(world)
    duty = Duty(world.daemon.folder / "config.toml")
    async with world.daemon.store() as store:
        for minute, calls in ((0, 1), (6, 2), (10.02, 3)):  # killed at +4, there again at +6
            await asyncio.to_thread(duty.start, ahead=timedelta(minutes=minute))
            await _idle(store, world, calls)
            await asyncio.to_thread(duty.kill)
    assert _calls(world) == [(1, "anne", False), (2, "bruno", False), (3, "chloe", False)]


async def test_s2_nobody_is_called_after_the_acknowledgement_at_eight_minutes(world: World) -> None:
    _configure(world, [0, 5 * MINUTE, 10 * MINUTE])
    began_at = await _open_incident(world)
    duty = Duty(world.daemon.folder / "config.toml")

    def clock() -> datetime:
        return began_at + timedelta(minutes=8)

    async with world.daemon.store() as store:
        for minute, calls in ((0, 1), (6, 2)):
            await asyncio.to_thread(duty.start, ahead=timedelta(minutes=minute))
            await _idle(store, world, calls)
            await asyncio.to_thread(duty.kill)
        actions = Actions(store, route=RouteSettings(receivers=("courriel",)), now=clock)
        await actions.acknowledge("I1", actor="bruno")
        await asyncio.to_thread(duty.start, ahead=timedelta(minutes=11))
        async with asyncio.timeout(60):
            while not await _is_told(store):
                await asyncio.sleep(0.05)
        await asyncio.to_thread(duty.kill)
        found = await store.read(lambda db: escalations.get(db, 1))
    assert found is not None
    assert found.ended is Ended.ACKNOWLEDGED
    assert [reader for _, reader, _ in _calls(world)] == ["anne", "bruno"]


async def test_each_relay_is_told_over_fifty_kills_and_a_repeat_is_marked(world: World) -> None:
    """Each process is there when a step is due, and is killed while it starts, tells or notes it.

    Meanwhile the clock goes on: a minute from one process to the next.
    """
    _configure(world, [number * MINUTE for number in range(STEPS)])
    began_at = await _open_incident(world)
    rng = random.Random(5)
    duty = Duty(world.daemon.folder / "config.toml")
    progress = []
    for number in range(KILLS):
        due_at = began_at + timedelta(minutes=number)
        await asyncio.to_thread(duty.start, ahead=due_at - datetime.now(UTC))
        if number % 4:
            await asyncio.to_thread(duty.wait)
        if number % 5 == 4:
            await _until(world, progress[-1] + 1)
        await asyncio.sleep(rng.uniform(0.0, 0.4))
        await asyncio.to_thread(duty.kill)
        progress.append(len({number for number, *_ in _calls(world)}))
    await asyncio.to_thread(duty.start, ahead=timedelta(minutes=2 * STEPS))
    async with world.daemon.store() as store:
        async with asyncio.timeout(60):
            while not await _is_told(store):
                await asyncio.sleep(0.1)
        events = await store.read(lambda db: timeline.of(db, "I1"))
    await asyncio.to_thread(duty.kill)
    calls = _calls(world)
    assert {number: reader for number, reader, _ in calls} == {
        n + 1: PEOPLE[n % 3] for n in range(STEPS)
    }
    assert [e.data["step"] for e in events if e.kind == "incident.escalated"] == [
        n + 1 for n in range(STEPS)
    ]
    seen: Counter[int] = Counter()
    for number, _, is_marked in calls:
        assert is_marked or not seen[number]
        seen[number] += 1
    assert len(calls) - STEPS <= KILLS
    assert len(set(progress)) >= KILLS // 5, "the kills fell while it escalated"


async def test_the_daemon_calls_nobody_after_an_acknowledgement(world: World) -> None:
    _configure(world, [number * EVERY_S for number in range(STEPS)])
    await world.daemon.start()
    world.append(mention(1, "Incendie rue des Lilas à Saint-Aubin", source="dossier"))
    async with asyncio.timeout(60):
        while len(_calls(world)) < 2:
            await asyncio.sleep(0.05)
    command = ("queue", "ack", "I1", "--as", "bruno")
    taken = await asyncio.create_subprocess_exec(
        str(VEILLE), *command, "--config", str(world.daemon.folder / "config.toml")
    )
    assert await taken.wait() == 0
    await world.daemon.kill()
    before = _calls(world)
    assert len(before) < STEPS
    await world.daemon.start()
    await asyncio.sleep(2 * EVERY_S)
    assert _calls(world) == before  # nothing is left that could ring: the timer has ended
    assert await world.daemon.stop() == 0
