"""What people do to queue items: one table says what follows what, and nothing is overwritten."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.alerts.items import MOVES, Doing, do, wake
from veille.domain.alert import Severity
from veille.domain.deed import Deed, Verb
from veille.domain.errors import ConflictError, InputError, ReasonError
from veille.domain.incident import QueueItem, QueueState


@pytest.fixture
def item(at):
    return QueueItem(
        id=7, mention="m", state=QueueState.NEW, severity=Severity.WARNING, rule="r",
        created_at=at(0), updated_at=at(0), state_at=at(0),
    )  # fmt: skip


@pytest.fixture
def by(at):
    return lambda actor="camille", seconds=5, **more: Doing(actor=actor, now=at(seconds), **more)


def move(state, **more):
    return Deed(verb=Verb.MOVE, state=state, **more)


TAKE = Deed(verb=Verb.TAKE)


def test_a_queue_item_is_taken_once_and_who_comes_second_hears_who_and_when(item, by):
    taken = do(item, TAKE, by())
    assert (taken.subject.state, taken.subject.assignee) == (QueueState.TAKEN, "camille")
    assert (taken.event.target, taken.event.kind) == ("Q7", "queue.taken")
    assert taken.subject.version == 2
    assert do(taken.subject, TAKE, by(seconds=6)).event is None
    with pytest.raises(ConflictError, match=r"Q7 is camille's since 2026-01-18T01:00\+00:00"):
        do(taken.subject, TAKE, by("jo"))
    given = do(taken.subject, Deed(verb=Verb.ASSIGN, to="jo"), by()).subject
    assert given.assignee == "jo"
    with pytest.raises(InputError):
        do(item, Deed(verb=Verb.ASSIGN, to=" "), by())


def test_what_is_closed_is_worked_on_again_only_on_purpose(item, by):
    closed = do(item, move(QueueState.CLOSED), by()).subject
    assert closed.assignee == "camille"
    for deed in (TAKE, Deed(verb=Verb.ASSIGN, to="jo"), Deed(verb=Verb.RELEASE)):
        with pytest.raises(ConflictError, match="Q7 is closed since"):
            do(closed, deed, by("jo"))
    back = do(closed, Deed(verb=Verb.REOPEN), by("jo", 7))
    assert (back.subject.state, back.subject.assignee) == (QueueState.NEW, None)
    assert back.event.kind == "queue.reopened"
    assert back.event.data["from"] == "closed"
    assert do(back.subject, Deed(verb=Verb.REOPEN), by("jo", 8)).event is None


@given(st.sampled_from(QueueState), st.sampled_from(QueueState))
def test_only_the_moves_of_the_table_are_made(before, after):
    now = datetime(2026, 1, 18, 1, 0, tzinfo=UTC)
    item = QueueItem(
        id=7, mention="m", state=before, severity=Severity.INFO, rule=None, created_at=now,
        updated_at=now, assignee="camille",
    )  # fmt: skip
    by = Doing(actor="camille", now=now + timedelta(minutes=1))
    is_allowed = after in MOVES[before]
    if before is after and not is_allowed:
        assert do(item, move(after), by).event is None
    elif is_allowed and before is not after:
        done = do(item, move(after), by)
        assert (done.subject.state, done.subject.version) == (after, 2)
        assert done.subject.state_at == by.now
    elif not is_allowed:
        with pytest.raises(ConflictError):
            do(item, move(after), by)


def test_every_state_can_be_left_again():
    assert set(MOVES) == set(QueueState)
    assert all(MOVES.values())


def test_waiting_says_for_whom_and_forgets_it_when_it_ends(item, by):
    waits = do(item, move(QueueState.WAITING, waiting_for=" la  voirie "), by())
    assert waits.subject.waiting_for == "la voirie"
    assert waits.event.text == "la voirie"
    other = do(waits.subject, move(QueueState.WAITING, waiting_for="le SDIS"), by(seconds=6))
    assert other.subject.waiting_for == "le SDIS"
    assert other.subject.state_at == waits.subject.state_at
    same = do(other.subject, move(QueueState.WAITING, waiting_for="le SDIS"), by(seconds=7))
    assert same.event is None
    assert do(other.subject, TAKE, by(seconds=8)).subject.waiting_for is None
    with pytest.raises(InputError):
        do(item, move(QueueState.WAITING, waiting_for="x" * 201), by())


def test_a_question_without_an_answer_is_closed_with_a_reason_only(item, by):
    with pytest.raises(ReasonError):
        do(item, move(QueueState.CLOSED), by(asks=True))
    closed = do(item, move(QueueState.CLOSED, reason="réponse donnée au guichet"), by(asks=True))
    assert closed.subject.reason == "réponse donnée au guichet"
    assert do(item, move(QueueState.OUT_OF_SCOPE), by(asks=True)).subject.reason is None
    answered = do(item, move(QueueState.ANSWERED), by(asks=True)).subject
    assert do(answered, move(QueueState.CLOSED), by()).event is not None


@pytest.mark.parametrize("state", [QueueState.ANSWERED, QueueState.REPORTED])
def test_several_actions_do_not_close(item, by, state):
    done = do(item, move(state, stays_open=True), by())
    assert (done.subject.state, done.subject.assignee) == (QueueState.TAKEN, "camille")
    assert done.event.kind == f"queue.{state}"
    assert (done.subject.answered_by or done.subject.reported_at) is not None
    with pytest.raises(InputError):
        do(item, move(QueueState.CLOSED, stays_open=True), by())


def test_what_was_reported_stays_open_until_it_is_closed(item, by):
    reported = do(item, move(QueueState.REPORTED), by()).subject
    assert reported.state.is_open
    assert do(reported, move(QueueState.CLOSED), by()).subject.reported_at == by().now


def test_a_snooze_ends_by_itself_and_any_work_ends_it_too(item, by, at):
    later = do(item, Deed(verb=Verb.SNOOZE, until=at(3600)), by())
    assert (later.subject.snoozed_until, later.subject.snoozed_by) == (at(3600), "camille")
    assert later.subject.state is QueueState.NEW
    assert later.subject.created_at == item.created_at
    back = wake(later.subject, at(3600))
    assert back.subject.snoozed_until is None
    assert (back.event.kind, back.event.actor) == ("queue.woken", "veille")
    assert back.event.data["who"] == "camille"
    for deed in (TAKE, Deed(verb=Verb.UNSNOOZE), move(QueueState.WAITING)):
        assert do(later.subject, deed, by(seconds=9)).subject.snoozed_until is None


@pytest.mark.parametrize("seconds", [-1, 5, 91 * 86400])
def test_a_snooze_ends_in_a_time_to_come_that_is_not_a_farewell(item, by, at, seconds):
    with pytest.raises(InputError):
        do(item, Deed(verb=Verb.SNOOZE, until=at(seconds)), by())


def test_what_is_handed_back_is_new_and_nobodys(item, by):
    mine = do(item, move(QueueState.WAITING, waiting_for="la voirie"), by()).subject
    free = do(mine, Deed(verb=Verb.RELEASE), by(seconds=9))
    assert (free.subject.state, free.subject.assignee) == (QueueState.NEW, None)
    assert free.subject.waiting_for is None
    assert free.event.data["who"] == "camille"
    assert do(replace(item), Deed(verb=Verb.RELEASE), by()).event is None
