"""Each way a question leaves the ledger is a decision, with what, who and when; nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline import test_clock
from pipeline.test_clock import MONDAY, PARIS, Desk, minutes
from veille.alerts.clock_settings import ClockSettings
from veille.domain.calendar import Region
from veille.domain.deed import Verb
from veille.domain.incident import QueueState
from veille.domain.mention import Batch
from veille.pipeline.clock import Clock
from veille.pipeline.redact import Redact
from veille.store import audit_trail, happenings, ledger, mentions

desk = test_clock.desk
SAID = MONDAY + minutes(5)


async def open_(desk: Desk) -> list[str]:
    return [one.mention for one in await desk.store.read(lambda db: ledger.unanswered(db, limit=9))]


async def asked(desk: Desk) -> str:
    key = await desk.hear("question: où voter", MONDAY, id="q1")
    await desk.flag(key, MONDAY)
    assert await open_(desk) == [key]
    return key


async def say_again(desk: Desk, text: str, at: object = SAID) -> None:
    """The author edits the question."""
    told = desk.town.mention(text, author="ana", id="q1", created_at=MONDAY, edited_at=at)
    desk.town.now = SAID
    await desk.town.collect.accept(desk.town.source, Batch(mentions=(told,)), now=SAID)
    await desk.tick(SAID)


async def leave(desk: Desk, way: str, key: str) -> None:
    desk.town.now = SAID
    if way in {"closed", "reported", "out_of_scope", "answered"}:
        moved = {"verb": Verb.MOVE, "state": QueueState(way), "reason": "vu"}
        await desk.act("Q1", SAID, **moved)
    elif way == "corrected":
        await desk.actions.correct("Q1", labels={"intent": "irony"}, actor="marie")
    elif way == "edited":
        await say_again(desk, "information: on vote à l'école")
    elif way == "deleted":
        gone = replace(desk.town.mention("", id="q1"), deleted=True)
        await desk.town.collect.accept(desk.town.source, Batch(mentions=(gone,)), now=SAID)
    else:
        await desk.store.write(lambda db: mentions.delete(db, [key], cause=way, now=SAID))
    while await Redact(desk.store).step(SAID):
        pass
    await desk.tick(SAID)


@pytest.mark.parametrize(
    ("way", "actor"),
    [
        ("answered", "marie"),
        ("closed", "marie"),
        ("reported", "marie"),
        ("out_of_scope", "marie"),
        ("corrected", "marie"),
        ("edited", None),
        ("deleted", None),
        ("erased", None),
        ("expired", None),
    ],
)
async def test_a_question_leaves_by_a_decision_that_is_listed(
    desk: Desk, way: str, actor: str | None
) -> None:
    key = await asked(desk)
    await leave(desk, way, key)
    assert await open_(desk) == []
    (entry,) = await desk.store.read(lambda db: ledger.decided(db, since=MONDAY, limit=9))
    assert (entry.mention, entry.outcome, entry.actor) == (key, way, actor)
    assert (entry.decided_at, entry.due_at) == (SAID, None)
    if actor is not None:
        rows = await desk.store.read(
            lambda db: audit_trail.page(db, audit_trail.TrailFilter(actor=actor), limit=9)
        )
        assert rows[0].target == "Q1", "who decided stands in the trail"
    desk.clock = Clock(desk.store, test_clock.promises(first_response="3h"))
    await desk.tick(SAID + minutes(1))
    assert await open_(desk) == [], "counting anew brings nothing back"


async def test_what_was_taken_back_is_owed_again(desk: Desk) -> None:
    key = await asked(desk)
    await leave(desk, "corrected", key)
    await desk.actions.correct("Q1", labels={"intent": ""}, actor="paul")
    await desk.tick(SAID + minutes(1))
    assert await open_(desk) == [key]
    await leave(desk, "edited", key)
    await say_again(desk, "question: où voter alors", SAID + minutes(1))
    assert await open_(desk) == [key]


async def test_a_source_that_is_removed_takes_nothing_with_it(desk: Desk) -> None:
    key = await asked(desk)
    others = ClockSettings().promises(zone=PARIS, region=Region.METROPOLE, kinds={"autre": "rss"})
    desk.clock = Clock(desk.store, others)
    await desk.tick(SAID)
    assert await open_(desk) == [key]


async def test_who_writes_very_often_is_heard_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(happenings, "MOST", 3)
    key = await desk.hear("question: où voter", MONDAY, id="q1", thread="fil")
    for number in (1, 2, 3):
        at = MONDAY + minutes(10 * number)
        await desk.hear("à l'école", at, own=True, id=f"r{number}", reply_to="q1", thread="fil")
        await desk.hear("question: et après", at + minutes(5), id=f"n{number}", thread="fil")
    assert await open_(desk) == [key]


async def test_who_writes_again_is_heard_among_many_who_answer_the_same_post(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(happenings, "MOST", 3)  # and the source knows no threads
    key = await desk.hear("question: où voter", MONDAY, id="q1")
    for number in (1, 2, 3):
        said = f"information: moi aussi {number}"
        await desk.hear(said, MONDAY + minutes(number), author=f"ben{number}", reply_to="q1")
    await desk.hear("à l'école", MONDAY + minutes(10), own=True, reply_to="q1")
    assert await open_(desk) == []
    await desk.hear("question: et après", MONDAY + minutes(20), reply_to="q1")
    assert await open_(desk) == [key]
