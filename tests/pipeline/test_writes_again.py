"""Who writes again after an answer or a decision stands in the queue again; thanks do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline import test_clock
from pipeline.test_clock import MONDAY, Desk, minutes, promises, us
from veille.domain.deed import Verb
from veille.domain.errors import ConflictError, ReasonError
from veille.domain.incident import QueueItem, QueueState
from veille.domain.mention import Author, Batch
from veille.domain.queue_filter import QueueFilter
from veille.pipeline.clock import Clock
from veille.pipeline.redact import Redact
from veille.store import audit_trail, ledger, mentions, queue, ranking, timeline

desk = test_clock.desk
ANSWERED = {"verb": Verb.MOVE, "state": QueueState.ANSWERED}
CLOSED = {"verb": Verb.MOVE, "state": QueueState.CLOSED, "reason": "vu au guichet"}
WAITING = {"verb": Verb.MOVE, "state": QueueState.WAITING, "waiting_for": "la voirie"}
NEXT = "question: et à quelle heure"


async def asked(desk: Desk) -> str:
    """A question in the queue, Q1; return its key."""
    key = await desk.hear("question: où voter", MONDAY, id="q1")
    await desk.flag(key, MONDAY)
    return key


async def one(desk: Desk, number: int = 1) -> QueueItem:
    found = await desk.store.read(lambda db: queue.get(db, number))
    assert found is not None
    return found


async def to_do(desk: Desk) -> list[str]:
    found = await desk.store.read(
        lambda db: ranking.ranked(db, QueueFilter(), now=desk.town.now, limit=9)
    )
    return [f"Q{ranked.item.id}" for ranked in found]


async def kinds(desk: Desk) -> list[str]:
    return [event.kind for event in await desk.store.read(lambda db: timeline.of(db, "Q1"))]


@pytest.mark.parametrize(
    ("deed", "state", "owner"),
    [
        (ANSWERED, QueueState.NEW, None),
        (CLOSED, QueueState.NEW, None),
        ({"verb": Verb.MOVE, "state": QueueState.OUT_OF_SCOPE}, QueueState.NEW, None),
        (WAITING, QueueState.TAKEN, "marie"),
        ({"verb": Verb.SNOOZE, "until": MONDAY + timedelta(days=2)}, QueueState.NEW, None),
    ],
)
async def test_what_was_put_away_is_to_do_again_when_its_author_writes_again(
    desk: Desk, deed: dict[str, object], state: QueueState, owner: str | None
) -> None:
    await asked(desk)
    await desk.act("Q1", MONDAY + minutes(5), **deed)
    was = await one(desk)
    await desk.hear(NEXT, MONDAY + minutes(20), reply_to="q1")
    item = await one(desk)
    assert (item.state, item.assignee, item.snoozed_until) == (state, owner, None)
    assert (item.reason, item.waiting_for) == (None, None)
    assert item.version == was.version + 1
    assert await to_do(desk) == ["Q1"]
    assert (await kinds(desk))[-1] == "queue.returned"
    (row,) = await desk.store.read(
        lambda db: audit_trail.page(db, audit_trail.TrailFilter(action="queue.returned"), limit=9)
    )
    assert row.before is not None
    assert row.after is not None
    told = (row.actor, row.before["state"], row.after["state"])
    assert told == ("veille", str(was.state), str(state))


async def test_its_clock_is_the_next_response_and_a_second_answer_ends_it(desk: Desk) -> None:
    key = await asked(desk)
    await desk.act("Q1", MONDAY + minutes(5), **ANSWERED)
    await desk.hear(NEXT, MONDAY + minutes(20), reply_to="q1")
    assert (await desk.owed(key))["due_at"] == us(MONDAY + minutes(20 + 120))
    with pytest.raises(ReasonError):
        await desk.act("Q1", MONDAY + minutes(21), verb=Verb.MOVE, state=QueueState.CLOSED)
    await desk.act("Q1", MONDAY + minutes(30), **ANSWERED)
    owed = await desk.owed(key)
    assert (owed["state"], owed["due_at"]) == ("met", None)
    assert (await desk.used(key))["next_response"] == 10


async def test_thanks_robots_and_other_people_bring_nothing_back(desk: Desk) -> None:
    key = await asked(desk)
    await desk.act("Q1", MONDAY + minutes(5), **ANSWERED)
    before = (await one(desk), tuple(await desk.owed(key)))
    told = desk.town.mention("information: absente jusqu'à lundi", reply_to="q1")
    told = replace(told, author=Author(id="ana", role="auto"))
    await desk.town.collect.accept(
        desk.town.source, Batch(mentions=(told,)), now=MONDAY + minutes(6)
    )
    await desk.tick(MONDAY + minutes(6))
    await desk.hear("thanks: merci", MONDAY + minutes(20), reply_to="q1")
    await desk.hear(NEXT, MONDAY + minutes(21), reply_to="q1", author="ben")
    assert (await one(desk), tuple(await desk.owed(key))) == before


async def test_what_was_written_before_the_answer_but_read_after_it_counts_from_then(
    desk: Desk,
) -> None:
    key = await asked(desk)
    await desk.act("Q1", MONDAY + minutes(5), **ANSWERED)
    written = MONDAY + minutes(3)
    await desk.hear(NEXT, MONDAY + minutes(15), reply_to="q1", created_at=written)
    assert await to_do(desk) == ["Q1"]
    assert (await desk.owed(key))["due_at"] == us(MONDAY + minutes(15 + 120))


async def test_what_was_read_before_the_answer_is_answered_with_it(desk: Desk) -> None:
    key = await asked(desk)
    await desk.hear(NEXT, MONDAY + minutes(3), reply_to="q1")
    await desk.act("Q1", MONDAY + minutes(5), **ANSWERED)
    await desk.tick(MONDAY + minutes(60))
    assert (await one(desk)).state is QueueState.ANSWERED
    assert (await desk.owed(key))["state"] == "met"


async def test_it_comes_back_once_and_a_new_decision_stands(desk: Desk) -> None:
    await asked(desk)
    await desk.act("Q1", MONDAY + minutes(5), **ANSWERED)
    await desk.hear(NEXT, MONDAY + minutes(20), reply_to="q1")
    await desk.act("Q1", MONDAY + minutes(25), **CLOSED)
    for table in ("obligations", "watermarks"):  # as a kill or an upgrade has it counted anew
        await desk.store.write(lambda db, table=table: db.execute(f"DELETE FROM {table}"))
    desk.clock = Clock(desk.store, promises())
    await desk.tick(MONDAY + minutes(30))
    assert (await one(desk)).state is QueueState.CLOSED
    assert (await kinds(desk)).count("queue.returned") == 1


async def test_who_answered_a_second_before_is_told_and_undoes_nothing(desk: Desk) -> None:
    await asked(desk)
    deed = await desk.act("Q1", MONDAY + minutes(5), **ANSWERED)
    seen = (await one(desk)).version
    await desk.hear(NEXT, MONDAY + minutes(5) + timedelta(seconds=3), reply_to="q1")
    with pytest.raises(ConflictError, match=r"veille was faster \(queue.returned"):
        await desk.actions.undo(deed or 0, actor="marie")
    with pytest.raises(ConflictError, match="veille was faster"):
        await desk.actions.acknowledge("Q1", actor="paul", version=seen)
    assert await to_do(desk) == ["Q1"]


async def test_the_item_of_a_repeated_question_stands_for_it(desk: Desk) -> None:
    """The first of two like posts has no item: the second's is closed, and comes back."""
    text = "question: à quelle heure ouvre la piscine municipale le samedi matin"
    first = await desk.hear(text, MONDAY, id="q1")
    again = await desk.hear(text + " svp", MONDAY + minutes(1), id="q2")
    await desk.flag(again, MONDAY + minutes(2))
    (entry,) = await desk.store.read(lambda db: ledger.unanswered(db, limit=9))
    assert (entry.mention, entry.item) == (first, 1)
    await desk.act("Q1", MONDAY + minutes(5), **CLOSED)
    owed = await desk.owed(first)
    assert (owed["state"], owed["outcome"], owed["actor"]) == ("ended", "closed", "marie")
    await desk.hear("question: et le dimanche", MONDAY + minutes(9), reply_to="q2")
    assert await to_do(desk) == ["Q1"]
    await desk.act("Q1", MONDAY + minutes(10), **ANSWERED)
    await desk.hear("complaint: c'est faux", MONDAY + minutes(12), reply_to="q2")
    with pytest.raises(ReasonError):
        await desk.act("Q1", MONDAY + minutes(13), verb=Verb.MOVE, state=QueueState.CLOSED)


async def test_a_complaint_comes_back_too(desk: Desk) -> None:
    key = await desk.hear("complaint: la benne déborde", MONDAY, id="q1")
    await desk.flag(key, MONDAY)
    await desk.act("Q1", MONDAY + minutes(5), **ANSWERED)
    await desk.hear("complaint: toujours rien", MONDAY + minutes(20), reply_to="q1")
    assert await to_do(desk) == ["Q1"]
    assert (await desk.owed(key))["state"] == "open"


async def test_an_item_whose_text_was_deleted_stands_for_nothing_any_more(desk: Desk) -> None:
    text = "question: à quelle heure ouvre la piscine municipale le samedi matin"
    first = await desk.hear(text, MONDAY, id="q1")
    again = await desk.hear(text + " svp", MONDAY + minutes(1), id="q2")
    await desk.flag(again, MONDAY + minutes(2))
    await desk.store.write(
        lambda db: mentions.delete(db, [again], cause=mentions.ERASED, now=MONDAY)
    )
    while await Redact(desk.store).step(MONDAY + minutes(3)):
        pass
    await desk.tick(MONDAY + minutes(3))
    (entry,) = await desk.store.read(lambda db: ledger.unanswered(db, limit=9))
    assert (entry.mention, entry.item) == (first, None)
    await desk.hear("question: et le dimanche", MONDAY + minutes(9), reply_to="q1")
    assert (await one(desk)).state is QueueState.CLOSED


async def test_nobody_waits_any_more_once_the_question_is_deleted(desk: Desk) -> None:
    key = await asked(desk)
    await desk.act("Q1", MONDAY + minutes(5), **ANSWERED)
    await desk.hear(NEXT, MONDAY + minutes(20), reply_to="q1")
    assert await desk.store.read(lambda db: timeline.wrote_again(db, ["Q1"])) == {"Q1"}
    gone = MONDAY + minutes(30)
    await desk.store.write(lambda db: mentions.delete(db, [key], cause=mentions.ERASED, now=gone))
    while await Redact(desk.store).step(gone):
        pass
    await desk.tick(gone)
    assert await desk.store.read(lambda db: timeline.wrote_again(db, ["Q1"])) == set()
    assert await to_do(desk) == []
