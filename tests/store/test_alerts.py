"""Alerts, incidents, the queue, the timeline, watermarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from veille.domain.alert import Alert, AlertState, Flag, Severity, Transition
from veille.domain.analysis import Analysis
from veille.domain.errors import ConflictError, InputError
from veille.domain.incident import Event, Incident, IncidentState, QueueState
from veille.domain.record import MaskedMention, Tombstone
from veille.store import alerts, incidents, mentions, queue, timeline, watermarks
from veille.store.engine import Db

MakeIncident = Callable[..., Incident]
MakeMention = Callable[..., MaskedMention]
MakeAnalysis = Callable[..., Analysis]


def an_alert(now: datetime, fingerprint: str = "f1", **changes: object) -> Alert:
    plain = Alert(
        fingerprint=fingerprint,
        rule="flood",
        rule_version="v1",
        severity=Severity.CRITICAL,
        group={"watch": "mairie"},
        labels={"watch": "mairie", "territory": "99001"},
        state=AlertState.FIRING,
        started_at=now,
        fired_at=now + timedelta(microseconds=1),
        value=12,
        threshold=3,
        evidence=("a", "b"),
        window=timedelta(minutes=15),
        hold=timedelta(seconds=30),
        annotations={"summary": "« crue »"},
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # a test names the fields


def test_a_watermark_starts_at_zero_and_is_replaced(db: Db) -> None:
    assert watermarks.get(db, "evaluate") == 0
    watermarks.set(db, "evaluate", 4)
    watermarks.set(db, "evaluate", 9)
    assert watermarks.get(db, "evaluate") == 9
    assert watermarks.get(db, "dispatch") == 0


def test_live_alerts_are_those_not_resolved(db: Db, now: datetime) -> None:
    firing = an_alert(now)
    pending = an_alert(now, "f2", state=AlertState.PENDING, fired_at=None)
    alerts.save(db, [firing, pending])
    assert alerts.live(db) == [firing, pending]
    resolved = replace(firing, state=AlertState.RESOLVED, resolved_at=now)
    alerts.save(db, [resolved])
    assert alerts.live(db) == [pending]
    assert alerts.get(db, ["f1", "unknown"]) == {"f1": resolved}


def test_transitions_are_numbered_and_read_in_order(db: Db, now: datetime) -> None:
    first = Transition(at=now, alert=an_alert(now))
    second = Transition(at=now, alert=an_alert(now, "f2"), reason="rule_removed")
    numbered = alerts.add_transitions(db, [first, second])
    assert numbered == [replace(first, seq=1), replace(second, seq=2)]
    assert alerts.transitions_after(db, 0, limit=9) == numbered
    assert alerts.transitions_after(db, 0, limit=1) == numbered[:1]
    assert alerts.transitions_after(db, 1, limit=9) == numbered[1:]
    [third] = alerts.add_transitions(db, [first])
    assert third.seq == 3


def test_an_incident_is_saved_and_swapped_by_version(
    db: Db, now: datetime, incident: MakeIncident
) -> None:
    kept = incidents.save(db, incident(notify_at=now), expected_version=None)
    assert incidents.get(db, 1) == kept == incident(notify_at=now)
    taken = replace(kept, state=IncidentState.ACKNOWLEDGED, assignee="Camille")
    kept = incidents.save(db, taken, expected_version=1)
    assert kept.version == 2
    assert incidents.get(db, 1) == kept


@pytest.mark.parametrize("expected", [None, 1, 3])
def test_a_stale_version_is_a_conflict_and_changes_nothing(
    db: Db, incident: MakeIncident, expected: int | None
) -> None:
    incidents.save(db, incident(), expected_version=None)
    kept = incidents.save(db, incident(title="2"), expected_version=1)
    with pytest.raises(ConflictError, match="I1 was changed"):
        incidents.save(db, incident(title="3"), expected_version=expected)
    assert incidents.get(db, 1) == kept


def test_one_incident_of_a_key_is_unresolved(db: Db, incident: MakeIncident) -> None:
    first = incidents.save(db, incident(1, key="same"), expected_version=None)
    with pytest.raises(ConflictError, match="I1 is about the same"):
        incidents.save(db, incident(2, key="same"), expected_version=None)
    incidents.save(db, replace(first, state=IncidentState.RESOLVED), expected_version=1)
    incidents.save(db, incident(2, key="same"), expected_version=None)
    with pytest.raises(ConflictError, match="I2 is about the same"):  # reopening the first
        incidents.save(db, first, expected_version=2)


def test_a_number_is_never_used_twice(db: Db, incident: MakeIncident) -> None:
    assert incidents.next_id(db) == 1
    incidents.save(db, incident(1), expected_version=None)
    assert incidents.next_id(db) == 2
    db.execute("DELETE FROM incidents")
    assert incidents.next_id(db) == 2


def test_incidents_are_listed_by_state_gravest_first(db: Db, incident: MakeIncident) -> None:
    for number, (severity, state) in enumerate(
        (
            (Severity.INFO, IncidentState.OPEN),
            (Severity.CRITICAL, IncidentState.ACKNOWLEDGED),
            (Severity.CRITICAL, IncidentState.OPEN),
            (Severity.WARNING, IncidentState.OPEN),
            (Severity.CRITICAL, IncidentState.RESOLVED),
            (Severity.INFO, IncidentState.RESOLVED),
        ),
        start=1,
    ):
        made = incident(number, severity=severity, state=state)
        incidents.save(db, made, expected_version=None)
    listed = incidents.list_(db, states=list(IncidentState), limit=9)
    assert [found.id for found in listed] == [3, 2, 4, 1, 6, 5]
    assert [i.id for i in incidents.list_(db, states=[IncidentState.OPEN], limit=2)] == [3, 4]
    assert [i.id for i in incidents.unresolved(db)] == [1, 2, 3, 4]


def test_due_incidents_are_those_whose_time_has_come(
    db: Db, now: datetime, incident: MakeIncident
) -> None:
    for number, minute in ((1, 5), (2, 0), (3, None)):
        at = None if minute is None else now + timedelta(minutes=minute)
        incidents.save(db, incident(number, notify_at=at), expected_version=None)
    assert [i.id for i in incidents.due(db, now)] == [2]
    assert [i.id for i in incidents.due(db, now + timedelta(minutes=5))] == [2, 1]


def test_evidence_is_kept_once_newest_last(db: Db, incident: MakeIncident) -> None:
    incidents.save(db, incident(), expected_version=None)
    incidents.add_evidence(db, 1, ["a", "b"])
    incidents.add_evidence(db, 1, ["b", "c", "a"])
    assert incidents.evidence(db, 1, 9) == ["a", "b", "c"]
    assert incidents.evidence(db, 1, 2) == ["b", "c"]
    assert not incidents.has_new_evidence(db, ["c", "a"])
    assert incidents.has_new_evidence(db, ["c", "d"])
    assert not incidents.has_new_evidence(db, [])


def a_flag(now: datetime, severity: Severity = Severity.WARNING, key: str = "a") -> Flag:
    return Flag(key=key, rule=f"rule_{severity}", severity=severity, at=now)


def test_a_mention_has_one_item_as_severe_as_its_gravest_flag(db: Db, now: datetime) -> None:
    assert queue.flag(db, [a_flag(now), a_flag(now), a_flag(now, Severity.INFO)]) == 1
    [item] = queue.list_(db, states=[QueueState.NEW], limit=9)
    assert (item.severity, item.rule, item.version) == (Severity.WARNING, "rule_warning", 1)
    assert queue.flag(db, [a_flag(now, Severity.CRITICAL)]) == 1
    assert queue.flag(db, [a_flag(now, Severity.CRITICAL)]) == 0
    [item] = queue.list_(db, states=[QueueState.NEW], limit=9)
    assert (item.severity, item.rule, item.version) == (Severity.CRITICAL, "rule_critical", 2)
    assert [(e.kind, e.data["severity"]) for e in timeline.of(db, "Q1")] == [
        ("queue.flagged", "warning"),
        ("queue.flagged", "critical"),
    ]


def test_an_item_is_swapped_by_version(db: Db, now: datetime) -> None:
    queue.flag(db, [a_flag(now)])
    item = queue.get(db, 1)
    assert item is not None
    taken = queue.save(
        db, replace(item, state=QueueState.TAKEN, assignee="Camille"), expected_version=1
    )
    assert queue.get(db, 1) == taken
    with pytest.raises(ConflictError, match="Q1 was changed"):
        queue.save(db, replace(item, state=QueueState.CLOSED), expected_version=1)
    with pytest.raises(ConflictError, match="Q7"):
        queue.save(db, replace(item, id=7), expected_version=1)
    assert queue.get(db, 7) is None


def test_open_items_come_first_gravest_then_oldest(db: Db, now: datetime) -> None:
    for minute, severity in enumerate(
        (Severity.INFO, Severity.CRITICAL, Severity.CRITICAL, Severity.WARNING)
    ):
        at = now + timedelta(minutes=minute)
        queue.flag(db, [a_flag(at, severity, key=f"m{minute + 1}")])
    third = queue.get(db, 3)
    assert third is not None
    queue.save(db, replace(third, state=QueueState.CLOSED), expected_version=1)
    listed = queue.list_(db, states=list(QueueState), limit=9)
    assert [item.id for item in listed] == [2, 4, 1, 3]
    assert [item.id for item in queue.list_(db, states=[QueueState.NEW], limit=1)] == [2]


def test_a_person_puts_a_stored_mention_into_the_queue_once(
    db: Db, now: datetime, mention: Callable[..., MaskedMention]
) -> None:
    mentions.add(db, mentions=[mention("a"), mention("b")], tombstones=[], now=now)
    item = queue.add_by_hand(db, "a", "Camille", now)
    assert (item.mention, item.severity, item.rule) == ("a", Severity.INFO, None)
    assert queue.add_by_hand(db, "a", "Dominique", now) == item
    assert [event.actor for event in timeline.of(db, f"Q{item.id}")] == ["Camille"]
    gone = Tombstone(key="b", source="presse", at=now)
    mentions.add(db, mentions=[], tombstones=[gone], now=now)
    for key in ("b", "unknown"):
        with pytest.raises(InputError, match="not stored"):
            queue.add_by_hand(db, key, "Camille", now)


def test_the_timeline_keeps_everything_in_the_order_it_was_written(db: Db, now: datetime) -> None:
    events = [
        Event(target="I1", at=now, kind="incident.opened", data={"value": 3, "keys": ["a"]}),
        Event(target="Q1", at=now, kind="note", actor="Camille", text="appelé \ud800 le maire"),
        Event(target="I1", at=now - timedelta(hours=1), kind="note", data={"x": None, "y": 0.5}),
    ]
    timeline.add(db, events)
    kept = [events[0], replace(events[1], text="appelé \ufffd le maire"), events[2]]
    assert timeline.log(db) == kept
    assert timeline.of(db, "I1") == [kept[0], kept[2]]
    assert timeline.of(db, "I12") == []
