"""What a second answer, a second person or a second post does to what is owed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pipeline import test_clock
from pipeline.test_clock import MONDAY, PARIS, Desk, at, minutes, us
from veille.alerts.clock_settings import ClockSettings
from veille.alerts.operational import UNANSWERED
from veille.domain.alert import Flag, Severity
from veille.domain.calendar import Region
from veille.domain.deed import Verb
from veille.domain.errors import ReasonError
from veille.domain.incident import QueueState
from veille.pipeline.clock import Clock
from veille.store import alerts, ledger, observations, queue

if TYPE_CHECKING:
    pass

desk = test_clock.desk
POOL = "question: à quelle heure ouvre la piscine municipale le samedi matin"


async def undo(desk: Desk, deed: int | None) -> None:
    desk.town.now += timedelta(seconds=5)
    await desk.actions.undo(deed or 0, actor="marie")
    await desk.tick(desk.town.now)


async def waiting(desk: Desk) -> list[str]:
    return [one.mention for one in await desk.store.read(lambda db: ledger.unanswered(db, limit=9))]


async def test_a_second_answer_that_is_undone_was_none_either(desk: Desk) -> None:
    key = await desk.hear("question: où voter", MONDAY, id="q1")
    item = await desk.flag(key, MONDAY)
    answered = {"verb": Verb.MOVE, "state": QueueState.ANSWERED}
    await desk.act(item, MONDAY + minutes(5), **answered)
    await desk.hear("question: et à quelle heure", MONDAY + minutes(20), reply_to="q1")
    await desk.act(item, MONDAY + minutes(25), verb=Verb.REOPEN)
    deed = await desk.act(item, MONDAY + minutes(30), **answered)
    assert await waiting(desk) == []
    await undo(desk, deed)
    assert await waiting(desk) == [key]
    assert (await desk.owed(key))["due_at"] == us(MONDAY + minutes(20 + 120))


@pytest.mark.parametrize("again", [False, True])
async def test_a_publication_that_is_undone_was_no_answer(desk: Desk, again: bool) -> None:
    key = await desk.hear("question: où voter", MONDAY, id="q1")
    item = await desk.flag(key, MONDAY)
    if again:
        await desk.act(
            item, MONDAY + minutes(5), verb=Verb.MOVE, state=QueueState.ANSWERED, stays_open=True
        )
        await desk.hear("question: et à quelle heure", MONDAY + minutes(20), reply_to="q1")
    desk.town.now = MONDAY + minutes(21)
    drafts = desk.actions.drafts
    draft = await drafts.write(item, text="À la salle des fêtes.", actor="marie")
    done = await drafts.publish(draft.id, version=draft.version, actor="marie")
    await desk.tick(desk.town.now)
    assert await waiting(desk) == []
    await undo(desk, done.id)
    assert await waiting(desk) == [key]


async def test_who_posted_it_twice_is_answered_under_either_post(desk: Desk) -> None:
    first = await desk.hear(POOL, MONDAY, id="q1", author="ana")
    await desk.hear(POOL + " svp", MONDAY + minutes(3), id="q2", author="ana")
    await desk.hear("à 9 h", MONDAY + minutes(10), own=True, reply_to="q2")
    owed = await desk.owed(first)
    assert (owed["state"], owed["answered_us"]) == ("met", 10 * 60 * 1_000_000)


async def test_a_text_of_ours_to_nobody_answers_nobody_where_people_reply(desk: Desk) -> None:
    key = await desk.hear("question: où voter", MONDAY, id="q1", thread="fil")
    await desk.hear(
        "information: pareil", MONDAY + minutes(1), reply_to="q1", thread="fil", author="ben"
    )
    await desk.hear("bonne journée à tous", MONDAY + minutes(5), own=True, thread="fil")
    assert await waiting(desk) == [key]


async def test_who_writes_again_after_an_answer_is_not_closed_without_a_reason(desk: Desk) -> None:
    key = await desk.hear("question: où voter", MONDAY, id="q1")
    item = await desk.flag(key, MONDAY)
    await desk.act(item, MONDAY + minutes(5), verb=Verb.MOVE, state=QueueState.ANSWERED)
    await desk.hear("question: et à quelle heure", MONDAY + minutes(20), reply_to="q1")
    closed = {"verb": Verb.MOVE, "state": QueueState.CLOSED}
    with pytest.raises(ReasonError):
        await desk.act(item, MONDAY + minutes(25), **closed)
    await desk.act(item, MONDAY + minutes(25), **closed, reason="vu au guichet")


async def test_what_is_grave_is_due_by_its_severity_and_what_is_critical_day_and_night(
    desk: Desk,
) -> None:
    night = MONDAY - timedelta(hours=6)  # 03:00 in Paris
    key = await desk.hear("complaint: l'eau monte dans la rue", night)
    await desk.flag(key, night)
    assert (await desk.owed(key))["due_at"] == us(MONDAY + timedelta(days=4, hours=8))

    async def raise_to(severity: Severity) -> int:
        flag = Flag(key=key, rule="crue", severity=severity, at=night)
        await desk.store.write(lambda db: queue.flag(db, [flag]))
        await desk.tick(night + minutes(1))
        due: int = (await desk.owed(key))["due_at"]
        return due

    assert await raise_to(Severity.WARNING) == us(MONDAY + timedelta(hours=8))
    assert await raise_to(Severity.CRITICAL) == us(night + minutes(30))
    await desk.act("Q1", night + minutes(10), verb=Verb.MOVE, state=QueueState.WAITING)
    await desk.act("Q1", night + minutes(70), verb=Verb.TAKE)
    assert (await desk.owed(key))["due_at"] == us(night + minutes(90))
    assert await desk.used(key) == {"resolution": 10}


STRASBOURG = Region.ALSACE_MOSELLE


@pytest.mark.parametrize(
    ("region", "asked", "due"),
    [
        (Region.METROPOLE, "2027-05-07 16:45", "2027-05-10 09:15"),  # 8 May is a Saturday
        (Region.METROPOLE, "2027-03-26 16:45", "2027-03-30 09:15"),  # Easter Monday on the 29th
        (STRASBOURG, "2027-03-26 16:45", "2027-03-30 09:30"),  # Good Friday is one there
        (Region.METROPOLE, "2027-03-27 11:00", "2027-03-30 09:30"),  # clocks turn that night
        (Region.METROPOLE, "2027-05-05 16:45", "2027-05-07 09:15"),  # Ascension on the 6th
        (Region.METROPOLE, "2027-05-01 12:00", "2027-05-03 09:30"),
        (Region.METROPOLE, "2027-10-29 16:45", "2027-11-02 09:15"),  # back again, then Toussaint
        (STRASBOURG, "2028-12-22 16:50", "2028-12-27 09:20"),  # 25 and 26 December
    ],
)
async def test_who_asks_in_the_years_to_come_is_owed_an_answer_to_the_minute(
    desk: Desk, region: Region, asked: str, due: str
) -> None:
    promised = ClockSettings().promises(zone=PARIS, region=region, kinds={})
    desk.clock = Clock(desk.store, promised)
    key = await desk.hear("question: où voter", at(asked), id="q1")
    assert (await desk.owed(key))["due_at"] == us(at(due))
    await desk.hear("à l'école", at(due), own=True, id="r1", reply_to="q1")
    before = tuple(await desk.owed(key))
    assert (await desk.owed(key))["answered_us"] == 30 * 60 * 1_000_000
    await desk.hear("thanks: merci", at(due) + timedelta(days=1), reply_to="r1")
    assert tuple(await desk.owed(key)) == before


async def test_people_are_warned_of_the_next_response_too(desk: Desk) -> None:
    key = await desk.hear("question: où voter", MONDAY, id="q1")
    await desk.tick(MONDAY + minutes(23))
    assert (await desk.owed(key))["told_at"] == us(MONDAY + minutes(23))
    await desk.hear("à l'école", MONDAY + minutes(25), own=True, id="r1", reply_to="q1")
    await desk.hear("question: laquelle", MONDAY + minutes(40), reply_to="r1")
    assert await live(desk) == []
    await desk.tick(MONDAY + minutes(40 + 91))
    assert (await desk.owed(key))["told_at"] == us(MONDAY + minutes(40 + 91))
    assert await live(desk) == [key]


async def live(desk: Desk) -> list[str]:
    found = await desk.store.read(alerts.live)
    return [alert.group["mention"] for alert in found if alert.rule == UNANSWERED]


async def test_rules_are_told_which_text_they_have_seen_before(desk: Desk) -> None:
    for text in ("complaint: c'est sale", "complaint: c'est très sale"):
        await desk.hear(text, MONDAY, id="c1")
    found = await desk.store.read(lambda db: observations.after(db, 0, limit=9))
    assert [(seen.key, seen.is_again) for seen in found] == [
        (found[0].key, False),
        (found[0].key, True),
    ]


async def test_who_says_it_again_as_a_cry_for_help_is_due_as_one(desk: Desk) -> None:
    night = MONDAY - timedelta(hours=6)
    first = await desk.hear(POOL, night, id="q1", author="ana")
    again = await desk.hear(POOL + " vite", night + minutes(1), id="q2", author="ana")
    flag = Flag(key=again, rule="crue", severity=Severity.CRITICAL, at=night)
    await desk.store.write(lambda db: queue.flag(db, [flag]))
    await desk.tick(night + minutes(2))
    assert (await desk.owed(again))["same_as"] == first
    assert (await desk.owed(first))["due_at"] == us(night + minutes(30))
