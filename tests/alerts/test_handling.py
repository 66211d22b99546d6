"""What people do: who comes second is told, nothing is reopened by accident."""

from __future__ import annotations

from dataclasses import replace

import pytest

from veille.alerts import handling
from veille.domain.alert import Severity
from veille.domain.errors import ConflictError, InputError
from veille.domain.incident import Incident, IncidentState
from veille.domain.notification import NotificationKind


@pytest.fixture
def incident(at):
    return Incident(
        id=12, key="k", labels={}, state=IncidentState.OPEN, severity=Severity.CRITICAL, title="t",
        opened_at=at(0), updated_at=at(0), notify_at=at(99), notified_at=at(0), version=3,
    )  # fmt: skip


def test_an_acknowledgement_takes_the_incident_and_ends_repeats(incident, at):
    done = handling.acknowledge(incident, actor="camille", now=at(5))
    assert done.subject.state is IncidentState.ACKNOWLEDGED
    assert (done.subject.assignee, done.subject.acknowledged_by) == ("camille", "camille")
    assert done.subject.notify_at is None
    assert done.subject.version == 4
    assert (done.event.target, done.event.kind) == ("I12", "incident.acknowledged")
    assert (done.event.actor, done.event.at) == ("camille", at(5))
    assert done.announce is NotificationKind.ACKNOWLEDGED


def test_an_acknowledgement_leaves_the_assignee(incident, at):
    done = handling.acknowledge(replace(incident, assignee="jo"), actor="camille", now=at(5))
    assert done.subject.assignee == "jo"


def test_the_same_tap_twice_changes_nothing_and_another_person_is_told(incident, at):
    taken = handling.acknowledge(incident, actor="camille", now=at(5)).subject
    again = handling.acknowledge(taken, actor="camille", now=at(6))
    assert again == handling.Handled(subject=taken)
    with pytest.raises(ConflictError, match="I12 was acknowledged by camille at 2026-01-18T01:00"):
        handling.acknowledge(taken, actor="jo", now=at(6))


def test_a_resolved_incident_is_not_reopened(incident, at):
    closed = handling.resolve(incident, actor="camille", now=at(9)).subject
    assert (closed.state, closed.resolved_by) == (IncidentState.RESOLVED, "camille")
    assert closed.notify_at is None
    for act in (
        lambda: handling.acknowledge(closed, actor="jo", now=at(10)),
        lambda: handling.assign(closed, to="jo", actor="jo", now=at(10)),
        lambda: handling.resolve(closed, actor="jo", now=at(10)),
    ):
        with pytest.raises(ConflictError, match=r"resolved by camille.*not reopened"):
            act()
    assert handling.resolve(closed, actor="camille", now=at(10)).event is None


def test_an_assignment_does_not_acknowledge(incident, at):
    done = handling.assign(incident, to="jo", actor="camille", now=at(5))
    assert (done.subject.state, done.subject.assignee) == (IncidentState.OPEN, "jo")
    assert done.subject.notify_at == at(99)
    assert done.announce is NotificationKind.ASSIGNED
    assert handling.assign(done.subject, to="jo", actor="x", now=at(6)).event is None
    with pytest.raises(InputError):
        handling.assign(incident, to=" ", actor="camille", now=at(5))


def test_nobody_hears_of_an_incident_they_were_never_told_of(incident, at):
    quiet = replace(incident, notified_at=None)
    assert handling.acknowledge(quiet, actor="camille", now=at(5)).announce is None


def test_a_resolved_incident_is_reopened_on_purpose_and_veille_leaves_it_open(incident, at):
    closed = handling.resolve(incident, actor="camille", now=at(9)).subject
    again = handling.reopen(closed, actor="jo", now=at(20), again_at=at(99))
    assert (again.subject.state, again.subject.assignee) == (IncidentState.OPEN, None)
    assert (again.subject.kept_by, again.subject.notify_at) == ("jo", at(99))
    assert again.subject.resolved_at is None
    assert again.announce is NotificationKind.REOPENED
    assert handling.reopen(incident, actor="jo", now=at(20), again_at=at(99)).event is None
    merged = replace(closed, merged_into=3)
    with pytest.raises(ConflictError, match="I12 was merged into I3 at"):
        handling.reopen(merged, actor="jo", now=at(20), again_at=at(99))
