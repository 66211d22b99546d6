"""What people say of alerts: kept by rule, the last word stands."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from veille.alerts.settings import RouteSettings
from veille.domain.errors import ConflictError, InputError
from veille.domain.incident import IncidentState, Verdict
from veille.domain.notification import NotificationKind
from veille.pipeline.actions import Actions
from veille.store import audit, incidents, outbox, timeline, verdicts

if TYPE_CHECKING:
    from conftest import Town
    from veille.store.engine import SqliteStore


@pytest.fixture
async def actions(town: Town, store: SqliteStore) -> Actions:
    await town.say("au secours")
    await town.work()
    return Actions(store, route=RouteSettings(receivers=("astreinte",)), now=lambda: town.now)


async def kinds(store: SqliteStore) -> list[str]:
    return [event.kind for event in await store.read(lambda db: timeline.of(db, "I1"))]


async def judged(town: Town, store: SqliteStore) -> dict[str, verdicts.Judged]:
    since = town.now - timedelta(days=1)
    return await store.read(lambda db: verdicts.by_rule(db, since=since))


async def test_a_false_alarm_ends_the_incident_and_is_told_as_such(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    await actions.judge("I1", verdict=Verdict.FALSE_ALARM, actor="Camille")
    incident = await store.read(lambda db: incidents.get(db, 1))
    assert incident is not None
    assert (incident.state, incident.resolved_by) == (IncidentState.RESOLVED, "Camille")
    assert (await kinds(store))[-2:] == ["incident.judged", "incident.resolved"]
    row = await store.write(lambda db: db.row("SELECT facts FROM outbox WHERE kind = 'resolved'"))
    assert '"verdict":"false_alarm"' in row["facts"]


async def test_a_true_alert_leaves_the_incident_as_it_is(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    before = await store.read(lambda db: incidents.get(db, 1))
    await actions.judge("I1", verdict=Verdict.TRUE_ALERT, actor="Camille")
    after = await store.read(lambda db: incidents.get(db, 1))
    assert before is not None
    assert after is not None
    assert (after.state, after.touched) == (before.state, before.touched)


async def test_the_last_word_stands_and_the_same_word_twice_is_said_once(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    await actions.judge("I1", verdict=Verdict.TRUE_ALERT, actor="Camille")
    await actions.judge("I1", verdict=Verdict.TRUE_ALERT, actor="Sacha")
    assert (await kinds(store)).count("incident.judged") == 1
    town.now += timedelta(minutes=1)
    await actions.judge("I1", verdict=Verdict.WRONG_LABEL, actor="Sacha")
    found = (await judged(town, store))["urgent"]
    assert (found.true_alert, found.wrong_label, found.precision) == (0, 1, 1.0)
    assert await store.read(audit.verify) is None


async def test_a_verdict_is_for_what_exists_as_it_was_seen(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    with pytest.raises(InputError):
        await actions.judge("Q9", verdict=Verdict.TRUE_ALERT, actor="Camille")
    with pytest.raises(InputError):
        await actions.judge("I9", verdict=Verdict.TRUE_ALERT, actor="Camille")
    await actions.assign("I1", to="Sacha", actor="Sacha")
    with pytest.raises(ConflictError):
        await actions.judge("I1", verdict=Verdict.FALSE_ALARM, actor="Camille", version=0)
    assert await judged(town, store) == {}


async def test_a_silence_from_a_message_is_shown_in_it_once_for_each_silence(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    for _ in range(2):
        await actions.silence("I1", lasting=timedelta(hours=1), reason="pause", actor="Camille")
    log = await store.read(lambda db: outbox.log(db, 1))
    muted = [entry for entry in log if entry.kind is NotificationKind.MUTED]
    assert [(entry.key, entry.receiver) for entry in muted] == [
        ("I1-muted-S1", "astreinte"),
        ("I1-muted-S2", "astreinte"),
    ]
