"""Incidents are merged, split, reopened and put back while alerts go on: nothing is lost or told
twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from veille.alerts.settings import RouteSettings
from veille.domain.errors import ConflictError, InputError
from veille.domain.incident import Incident, IncidentState, Verdict
from veille.domain.notification import NotificationKind
from veille.pipeline.actions import Actions
from veille.store import audit, incidents, outbox, timeline, verdicts

if TYPE_CHECKING:
    from conftest import Town
    from veille.store.engine import SqliteStore

RULES = b"""
rules:
  - id: urgent
    kind: mention
    where: {urgency.label: urgent}
    window: 10m
    severity: critical
    labels: {topic: danger}
    annotations: {summary: "Appel urgent"}
  - id: angry
    kind: mention
    where: {sentiment.label: negative}
    window: 10m
    severity: warning
    group_wait: 0s
    labels: {topic: colere}
    annotations: {summary: "Plainte"}
  - id: loud
    kind: count
    where: {sentiment.label: negative}
    window: 10m
    min_count: 2
    severity: warning
    labels: {topic: danger}
    annotations: {summary: "Plaintes nombreuses"}
"""


@pytest.fixture
async def town(stages: Callable[..., Town], store: SqliteStore) -> Town:
    town = stages(store, rules=RULES)
    await town.evaluate.open(town.now)
    await town.say("au secours", author="a")
    await town.work()
    await town.say("c'est nul", author="b")
    await town.work()
    return town


@pytest.fixture
def actions(town: Town, store: SqliteStore) -> Actions:
    return Actions(
        store, route=RouteSettings(receivers=["astreinte", "courriel"]), now=lambda: town.now
    )


async def get(store: SqliteStore, number: int) -> Incident:
    found = await store.read(lambda db: incidents.get(db, number))
    assert found is not None
    return found


async def evidence(store: SqliteStore, number: int) -> list[str]:
    return await store.read(lambda db: incidents.evidence(db, number, 99))


async def told(store: SqliteStore, number: int) -> list[str]:
    log = await store.read(lambda db: outbox.log(db, number))
    return [entry.kind for entry in log if entry.receiver == "astreinte"]


async def kinds(store: SqliteStore, number: int) -> list[str]:
    events = await store.read(lambda db: timeline.whole(db, f"I{number}"))
    return [event.kind for event in events]


async def test_what_was_merged_is_read_from_both_and_goes_on_under_one(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    danger, anger = await get(store, 1), await get(store, 2)
    both_had = await evidence(store, 1) + await evidence(store, 2)
    await actions.merge("I2", into="I1", actor="Camille")
    into, merged = await get(store, 1), await get(store, 2)
    assert (merged.state, merged.merged_into) == (IncidentState.RESOLVED, 1)
    assert into.alerts == (*danger.alerts, *anger.alerts)
    assert merged.alerts == anger.alerts
    assert await evidence(store, 1) == both_had
    assert await evidence(store, 2) == both_had[1:]
    assert (await told(store, 2))[-1] == NotificationKind.MERGED
    assert {"incident.joined", "incident.merged"} <= set(await kinds(store, 1))
    await town.say("encore nul", author="c")
    await town.work(later=timedelta(minutes=20))
    assert len(await evidence(store, 1)) == 3
    states = [incident.id for incident in await store.read(incidents.unresolved)]
    assert states == [1]


async def test_after_a_merge_a_new_alert_of_the_other_key_comes_here_until_it_is_over(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    await actions.merge("I1", into="I2", actor="Camille")
    await town.say("nul et nul", author="d")  # the alert `loud` has the key of I1
    await town.work(later=timedelta(seconds=10))
    assert [i.id for i in await store.read(incidents.unresolved)] == [2]
    assert len((await get(store, 2)).alerts) == 3
    await actions.resolve("I2", actor="Camille")
    await town.say("au secours", author="e")
    await town.work(later=timedelta(minutes=11))
    assert [i.id for i in await store.read(incidents.unresolved)] == [3]
    assert (await get(store, 3)).key == (await get(store, 1)).key


@pytest.mark.parametrize(("merged", "into"), [(2, 1), (1, 2)])
async def test_a_merge_is_undone_to_what_both_were(
    town: Town, store: SqliteStore, actions: Actions, merged: int, into: int
) -> None:
    before = [await get(store, 1), await get(store, 2)]
    had = [await evidence(store, 1), await evidence(store, 2)]
    done = await actions.merge(f"I{merged}", into=f"I{into}", actor="Camille")
    await town.work(later=timedelta(seconds=3))
    await actions.undo(done.id or 0, actor="Camille")
    await town.work()
    after = [await get(store, 1), await get(store, 2)]
    assert [await evidence(store, 1), await evidence(store, 2)] == had
    for name in ("state", "alerts", "also", "merged_into", "severity", "title", "assignee", "key"):
        assert [getattr(i, name) for i in after] == [getattr(i, name) for i in before], name
    # nobody had heard of it yet: what was to be said is not
    assert NotificationKind.MERGED not in await told(store, merged)
    assert await store.read(audit.verify) is None
    assert [i.id for i in await store.read(incidents.unresolved)] == [1, 2]


async def test_what_cannot_be_merged_says_why(store: SqliteStore, actions: Actions) -> None:
    with pytest.raises(InputError):
        await actions.merge("I1", into="I1", actor="Camille")
    with pytest.raises(InputError):
        await actions.merge("Q1", into="I1", actor="Camille")
    await actions.merge("I2", into="I1", actor="Camille")
    with pytest.raises(ConflictError, match="I2 is resolved"):
        await actions.merge("I2", into="I1", actor="Camille")
    with pytest.raises(ConflictError, match="I2 was merged into I1"):
        await actions.reopen("I2", actor="Camille")


async def test_an_alert_split_off_is_an_incident_of_its_own_with_its_evidence(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    await actions.merge("I2", into="I1", actor="Camille")
    before = await get(store, 1)
    calm = before.alerts[1]
    had = await evidence(store, 1)
    town.now += timedelta(seconds=30)
    name, _ = await actions.split("I1", alerts=[calm], actor="Camille")
    assert name == "I3"
    rest, off = await get(store, 1), await get(store, 3)
    assert (rest.alerts, off.alerts) == (before.alerts[:1], (calm,))
    assert (rest.severity, off.severity) == ("critical", "warning")
    assert (await evidence(store, 1), await evidence(store, 3)) == (had[:1], had[1:])
    await town.say("c'est nul aussi", author="f")
    await town.work(later=timedelta(seconds=10))
    assert (await told(store, 3))[0] == NotificationKind.OPENED
    assert len(await evidence(store, 3)) == 2
    assert had[1] not in await evidence(store, 1)  # though `loud` counts it there


async def test_mentions_split_off_do_not_come_back_and_stay_until_a_person_ends_it(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    await town.say("au secours encore", author="g")
    await town.work()
    keys = await evidence(store, 1)
    name, done = await actions.split("I1", mentions=keys[-1:], actor="Camille")
    off = await get(store, 3)
    # nobody is called: who did it by hand is there, and has it
    assert (off.state, off.assignee, off.acknowledged_by) == (
        IncidentState.ACKNOWLEDGED, "Camille", "Camille",
    )  # fmt: skip
    await town.say("au secours toujours", author="h")
    await town.work(later=timedelta(minutes=1))
    assert await evidence(store, 3) == keys[-1:]
    assert keys[-1] not in await evidence(store, 1)
    await town.run(timedelta(hours=1))
    assert (await get(store, 3)).state is IncidentState.ACKNOWLEDGED
    assert (await get(store, 1)).state is IncidentState.RESOLVED
    assert await told(store, 3) == []
    await actions.resolve(name, actor="Camille")
    assert done.id is not None


async def test_a_split_is_undone_to_the_very_order_of_the_evidence(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    await actions.merge("I2", into="I1", actor="Camille")
    town.now += timedelta(seconds=60)
    before, had = await get(store, 1), await evidence(store, 1)
    _, done = await actions.split("I1", alerts=before.alerts[:1], actor="Camille")
    await town.work(later=timedelta(seconds=2))
    await actions.undo(done.id or 0, actor="Camille")
    await town.work()
    after = await get(store, 1)
    for name in ("state", "alerts", "also", "severity", "title", "assignee"):
        assert getattr(after, name) == getattr(before, name), name
    assert await evidence(store, 1) == had
    off = await get(store, 3)
    assert (off.state, off.merged_into) == (IncidentState.RESOLVED, 1)


async def test_a_split_leaves_something_and_takes_only_what_is_there(
    store: SqliteStore, actions: Actions
) -> None:
    only = (await get(store, 1)).alerts
    for wanted in ({"alerts": only}, {"alerts": ["feed"]}, {"mentions": ["nothing"]}, {}):
        with pytest.raises(InputError):
            await actions.split("I1", **wanted, actor="Camille")


async def test_a_reopened_incident_is_told_and_left_open_by_veille(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    await actions.resolve("I1", actor="Camille")
    town.now += timedelta(minutes=1)
    await actions.reopen("I1", actor="Sacha")
    again = await get(store, 1)
    assert (again.state, again.kept_by, again.assignee) == (IncidentState.OPEN, "Sacha", None)
    assert (await told(store, 1))[-1] == NotificationKind.REOPENED
    await town.run(timedelta(hours=1))
    assert (await get(store, 1)).state is IncidentState.OPEN
    await actions.resolve("I1", actor="Sacha")
    assert (await get(store, 1)).state is IncidentState.RESOLVED


async def test_two_incidents_at_work_never_have_one_key(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    done = await actions.resolve("I1", actor="Camille")
    await town.say("au secours", author="i")
    await town.work(later=timedelta(seconds=5))
    assert (await get(store, 3)).key == (await get(store, 1)).key
    with pytest.raises(ConflictError, match="I3 is about the same thing"):
        await actions.undo(done.id or 0, actor="Camille")
    with pytest.raises(ConflictError, match="I3 is about the same thing"):
        await actions.reopen("I1", actor="Camille")
    assert (await get(store, 1)).state is IncidentState.RESOLVED


async def test_an_undone_acknowledgement_is_said_to_those_who_heard_of_it(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    before = await get(store, 1)
    done = await actions.acknowledge("I1", actor="Camille")
    await store.write(
        lambda db: db.execute(
            "UPDATE outbox SET state = 'sent' WHERE receiver = 'astreinte' AND incident = 1"
        )
    )
    await town.work(later=timedelta(seconds=4))
    await actions.undo(done.id or 0, actor="Camille")
    after = await get(store, 1)
    assert (after.state, after.assignee, after.notify_at) == ("open", None, before.notify_at)
    assert (await told(store, 1))[-1] == NotificationKind.REOPENED
    log = await store.read(lambda db: outbox.log(db, 1))
    mailed = [entry.kind for entry in log if entry.receiver == "courriel"]
    assert "acknowledged" not in mailed  # it was not out yet: it is not said, nor taken back
    assert "reopened" not in mailed


async def test_a_false_alarm_undone_leaves_no_verdict(store: SqliteStore, actions: Actions) -> None:
    done = await actions.judge("I1", verdict=Verdict.FALSE_ALARM, actor="Camille")
    await actions.undo(done.id or 0, actor="Camille")
    assert (await get(store, 1)).state is IncidentState.OPEN
    assert await store.read(lambda db: verdicts.of(db, 1)) is None


async def test_a_verdict_is_not_undone_over_what_somebody_else_said_since(
    store: SqliteStore, actions: Actions
) -> None:
    done = await actions.judge("I1", verdict=Verdict.TRUE_ALERT, actor="Camille")
    await actions.judge("I1", verdict=Verdict.WRONG_LABEL, actor="Sacha")
    with pytest.raises(ConflictError):
        await actions.undo(done.id or 0, actor="Camille")
    assert await store.read(lambda db: verdicts.of(db, 1)) is Verdict.WRONG_LABEL


async def test_a_merge_is_not_undone_once_veille_resolved_what_it_made(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    await town.work(later=timedelta(minutes=9, seconds=55))
    done = await actions.merge("I2", into="I1", actor="Camille")
    await town.work(later=timedelta(seconds=8))
    resolved = await get(store, 1)
    try:
        await actions.undo(done.id or 0, actor="Camille")
    except ConflictError:
        return
    after = await get(store, 1)
    assert after.state is resolved.state, "an incident that is over is not open again"


async def test_what_was_resolved_is_not_put_back_beside_a_new_incident_of_its_group(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    done = await actions.resolve("I1", actor="Camille")
    await town.say("encore nul", author="d")  # another alert of the same group fires
    await town.work(later=timedelta(seconds=5))
    with pytest.raises(ConflictError):
        await actions.undo(done.id or 0, actor="Camille")
    assert (await get(store, 1)).state is IncidentState.RESOLVED
