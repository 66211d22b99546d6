"""What is owed to who asked follows what is read and done, on a real store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from veille.alerts.clock_settings import ClockSettings
from veille.alerts.settings import RouteSettings
from veille.domain.alert import Severity
from veille.domain.analysis import (
    Analysis,
    Intent,
    IntentLabel,
    Passage,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.calendar import Region
from veille.domain.deed import Deed, Verb
from veille.domain.incident import QueueState
from veille.domain.ledger import Why
from veille.domain.mention import Author, Batch
from veille.domain.promise import Duty, Promises
from veille.pipeline.actions import Actions
from veille.pipeline.analyze import Analyze
from veille.pipeline.clock import Clock
from veille.store import alerts, incidents, ledger, mentions, obligations, outbox, queue
from veille.store.engine import Db, Row, SqliteStore

if TYPE_CHECKING:
    from pipeline.conftest import Town

PARIS = ZoneInfo("Europe/Paris")
MONDAY = datetime(2026, 1, 19, 9, 0, tzinfo=PARIS).astimezone(UTC)


class IntentAnalyst:
    """What a text begins with is its intent (`question: …`); without a colon it is undecided."""

    def analyze(self, passages: Sequence[Passage]) -> list[Analysis]:
        return [self._one(passage.text) for passage in passages]

    def _one(self, text: str) -> Analysis:
        word, colon, _ = text.partition(":")
        return Analysis(
            lang="fr",
            sentiment=Sentiment(
                label=SentimentLabel.NEUTRAL, score=0.0, probabilities={"neutral": 1.0}
            ),
            crisis=0.1,
            urgency=Urgency(label=UrgencyLabel.NORMAL, score=0.02),
            intent=Intent(label=IntentLabel(word), score=0.9) if colon else Intent(),
            analyzers={"intent": "1"},
        )


@dataclass
class Desk:
    """A town with its clock, driven by hand."""

    town: Town
    store: SqliteStore
    clock: Clock
    actions: Actions

    async def hear(self, text: str, at: datetime, **more: object) -> str:
        """Return the key of a mention that was written and read at that time."""
        self.town.now = at
        author = more.pop("author", "ana")
        told = self.town.mention(text, author=str(author), **more)
        if more.get("own"):
            told = replace(told, author=Author(id="mairie", role=told.author.role))
        await self.town.collect.accept(self.town.source, Batch(mentions=(told,)), now=at)
        await self.tick(at)
        key: str = await self.store.read(
            lambda db: db.value("SELECT key FROM mentions ORDER BY id DESC")
        )
        return key

    async def tick(self, at: datetime) -> None:
        self.town.now = at
        await self.town.work()
        while await self.clock.step(at):
            pass

    async def flag(self, key: str, at: datetime) -> str:
        item = await self.store.write(lambda db: queue.add_by_hand(db, key, "marie", at))
        await self.tick(at)
        return f"Q{item.id}"

    async def act(self, item: str, moment: datetime, **deed: object) -> int | None:
        """Do a deed, follow it, and return what undoes it."""
        self.town.now = moment
        done = await self.actions.do(item, Deed(**deed), actor="marie")  # type: ignore[arg-type]
        await self.tick(moment)
        return done.id

    async def owed(self, key: str) -> Row:
        found = await self.store.read(
            lambda db: db.row("SELECT * FROM obligations WHERE mention = ?", (key,))
        )
        assert found is not None
        return found

    async def used(self, key: str) -> Mapping[str, float]:
        """Return the minutes used of each clock that is promised something."""
        clocks = await self.store.read(lambda db: obligations.clocks(db, key))
        hours = promises().promise.opening
        return {c.duty.value: c.used(self.town.now, hours) / timedelta(minutes=1) for c in clocks}


def promises(**settings: object) -> Promises:
    return ClockSettings(**settings).promises(  # type: ignore[arg-type] a test names the fields
        zone=PARIS, region=Region.METROPOLE, kinds={"presse": "webhook"}
    )


@pytest.fixture
def desk(town: Town, store: SqliteStore) -> Desk:
    town.analyze = Analyze(store, IntentAnalyst())
    clock = Clock(store, promises(), summary=lambda warned: {"summary": f"due {warned.due_at}"})
    actions = Actions(store, route=RouteSettings(), now=lambda: town.now)
    return Desk(town=town, store=store, clock=clock, actions=actions)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def at(text: str) -> datetime:
    """Return the moment that clocks in Paris show so."""
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


def us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


async def test_a_question_is_owed_a_first_response_whether_flagged_or_not(desk: Desk) -> None:
    key = await desk.hear("question: à quelle heure ouvre la piscine", MONDAY)
    owed = await desk.owed(key)
    assert (owed["state"], owed["due_at"]) == ("open", us(MONDAY + minutes(30)))
    assert owed["item"] is None


async def test_information_thanks_and_our_own_posts_are_owed_nothing(desk: Desk) -> None:
    for text in ("information: marché samedi", "thanks: merci", "complaint: c'est sale"):
        await desk.hear(text, MONDAY)
    await desk.hear("question: et vous, qu'en pensez-vous", MONDAY, own=True)
    assert await desk.store.read(lambda db: db.value("SELECT count(*) FROM obligations")) == 0


async def test_a_flagged_complaint_is_owed_its_resolution_only(desk: Desk) -> None:
    key = await desk.hear("complaint: la benne déborde", MONDAY)
    await desk.flag(key, MONDAY)
    assert list(await desk.used(key)) == [Duty.RESOLUTION]
    assert (await desk.owed(key))["is_asked"] == 0


async def test_our_reply_on_the_platform_is_the_answer_and_counts_until_then(desk: Desk) -> None:
    key = await desk.hear("question: où voter", MONDAY, id="q1")
    await desk.hear("à la salle des fêtes", MONDAY + minutes(12), own=True, reply_to="q1")
    owed = await desk.owed(key)
    assert (owed["state"], owed["outcome"], owed["actor"]) == ("met", "answered", None)
    assert owed["answered_us"] == 12 * 60 * 1_000_000
    assert owed["due_at"] is None


async def test_a_robots_reply_is_no_answer(desk: Desk) -> None:
    key = await desk.hear("question: où voter", MONDAY, id="q1")
    await desk.hear(
        "merci de votre message", MONDAY + timedelta(seconds=2), own=True, reply_to="q1"
    )
    assert (await desk.owed(key))["state"] == "open"


async def test_a_reply_to_somebody_else_in_the_thread_is_no_answer(desk: Desk) -> None:
    key = await desk.hear("question: où voter", MONDAY, id="q1", thread="fil")
    await desk.hear("question: et moi", MONDAY, id="q2", thread="fil", author="ben")
    await desk.hear("là", MONDAY + minutes(5), own=True, reply_to="q2", thread="fil")
    assert (await desk.owed(key))["state"] == "open"


async def test_the_next_message_after_an_answer_is_owed_the_next_response(desk: Desk) -> None:
    key = await desk.hear("question: où voter", MONDAY, id="q1")
    await desk.hear("à l'école", MONDAY + minutes(10), own=True, id="r1", reply_to="q1")
    await desk.hear("information: laquelle", MONDAY + minutes(20), reply_to="r1")
    owed = await desk.owed(key)
    assert (owed["state"], owed["due_at"]) == ("open", us(MONDAY + minutes(20 + 120)))


async def test_thanks_restart_nothing_even_when_it_is_closed(desk: Desk) -> None:
    key = await desk.hear("question: où voter", MONDAY, id="q1")
    item = await desk.flag(key, MONDAY)
    await desk.act(item, MONDAY + minutes(10), verb=Verb.MOVE, state=QueueState.ANSWERED)
    await desk.act(item, MONDAY + minutes(11), verb=Verb.MOVE, state=QueueState.CLOSED)
    before = tuple(await desk.owed(key))
    await desk.hear("thanks: merci", MONDAY + minutes(20), reply_to="q1")
    assert tuple(await desk.owed(key)) == before


async def test_waiting_lets_business_time_stand_still(desk: Desk) -> None:
    key = await desk.hear("question: où voter", MONDAY)
    item = await desk.flag(key, MONDAY)
    await desk.act(item, MONDAY + minutes(10), verb=Verb.MOVE, state=QueueState.WAITING)
    waiting = await desk.owed(key)
    await desk.act(item, MONDAY + minutes(200), verb=Verb.TAKE)
    running = await desk.owed(key)
    assert waiting["due_at"] is None
    assert running["due_at"] == us(MONDAY + minutes(220))


async def test_reopening_goes_on_with_what_was_used(desk: Desk) -> None:
    key = await desk.hear("question: où voter", MONDAY)
    item = await desk.flag(key, MONDAY)
    close = {"verb": Verb.MOVE, "state": QueueState.CLOSED, "reason": "vu par téléphone"}
    await desk.act(item, MONDAY + minutes(20), **close)
    closed = await desk.owed(key)
    assert (closed["state"], closed["outcome"], closed["actor"]) == ("ended", "closed", "marie")
    await desk.act(item, MONDAY + minutes(300), verb=Verb.REOPEN)
    again = await desk.owed(key)
    assert (again["state"], again["due_at"]) == ("open", us(MONDAY + minutes(310)))


async def test_an_answer_that_is_undone_was_none(desk: Desk) -> None:
    key = await desk.hear("question: où voter", MONDAY)
    item = await desk.flag(key, MONDAY)
    moved = {"verb": Verb.MOVE, "state": QueueState.ANSWERED}
    deed = await desk.act(item, MONDAY + minutes(5), **moved)
    assert (await desk.owed(key))["state"] == "met"
    assert deed is not None
    desk.town.now += timedelta(seconds=5)
    await desk.actions.undo(deed, actor="marie")
    await desk.tick(desk.town.now)
    assert (await desk.owed(key))["state"] == "open"


async def test_an_answer_noted_while_the_item_stays_open_is_one(desk: Desk) -> None:
    key = await desk.hear("request: réparez le banc", MONDAY)
    item = await desk.flag(key, MONDAY)
    noted = {"verb": Verb.MOVE, "state": QueueState.ANSWERED, "stays_open": True}
    await desk.act(item, MONDAY + minutes(5), **noted)
    owed = await desk.owed(key)
    assert (owed["state"], owed["actor"]) == ("met", "marie")
    # its resolution still runs: 40 h of work
    assert owed["due_at"] is not None


async def test_a_correction_makes_and_ends_an_obligation_by_name(desk: Desk) -> None:
    key = await desk.hear("information: la piscine ferme", MONDAY)
    item = await desk.flag(key, MONDAY)
    await desk.actions.correct(item, labels={"intent": "question"}, actor="marie")
    await desk.tick(MONDAY)
    assert (await desk.owed(key))["due_at"] == us(MONDAY + minutes(30))
    await desk.actions.correct(item, labels={"intent": "information"}, actor="paul")
    await desk.tick(MONDAY + minutes(1))
    assert await desk.used(key) == {"resolution": 1.0}

    other = await desk.hear("question: où voter", MONDAY)
    await desk.actions.correct(
        await desk.flag(other, MONDAY), labels={"intent": "irony"}, actor="paul"
    )
    await desk.tick(MONDAY + minutes(2))
    found = await desk.store.read(lambda db: ledger.decided(db, since=MONDAY, limit=9))
    assert {(one.mention, one.outcome, one.actor) for one in found} == {
        (key, "corrected", "paul"),
        (other, "corrected", "paul"),
    }


async def test_the_same_question_of_the_same_person_is_owed_once(desk: Desk) -> None:
    text = "question: à quelle heure ouvre la piscine municipale le samedi matin"
    first = await desk.hear(text, MONDAY, author="ana")
    again = await desk.hear(text + " svp", MONDAY + minutes(3), author="ana")
    others = await desk.hear(text, MONDAY + minutes(4), author="ben")
    assert (await desk.owed(again))["same_as"] == first
    assert (await desk.owed(others))["same_as"] is None
    entries = await desk.store.read(lambda db: ledger.unanswered(db, limit=9))
    assert [(one.mention, one.repeats) for one in entries] == [(first, 1), (others, 0)]

    # the first one goes: what repeated it is owed for itself
    await desk.store.write(
        lambda db: mentions.delete(db, [first], cause=mentions.ERASED, now=MONDAY)
    )
    gone = await desk.owed(first)
    assert (gone["state"], gone["outcome"], gone["due_at"]) == ("ended", "erased", None)
    await desk.tick(MONDAY + minutes(5))
    assert (await desk.owed(again))["state"] == "open"


async def test_who_asks_the_same_again_after_an_answer_asks_anew(desk: Desk) -> None:
    text = "question: à quelle heure ouvre la piscine municipale le samedi matin"
    first = await desk.hear(text, MONDAY, id="q1", author="ana")
    await desk.hear("à 9 h", MONDAY + minutes(5), own=True, reply_to="q1")
    again = await desk.hear(text, MONDAY + minutes(60), author="ana")
    assert (await desk.owed(first))["state"] == "met"
    owed = await desk.owed(again)
    assert (owed["state"], owed["due_at"]) == ("open", us(MONDAY + minutes(90)))


async def test_questions_nearly_due_are_one_incident_and_each_is_told(desk: Desk) -> None:
    for text in ("question: où voter", "request: réparez le banc de la place"):
        await desk.hear(text, MONDAY)
    for minute in (23, 24):
        await desk.tick(MONDAY + minutes(minute))
    await desk.hear("question: où se garer", MONDAY + minutes(60))
    for minute in (83, 89):
        await desk.tick(MONDAY + minutes(minute))
    (incident,) = await desk.store.read(lambda db: incidents.list_(db, states=["open"], limit=9))
    assert (incident.severity, len(incident.alerts)) == (Severity.WARNING, 3)
    assert incident.title.startswith("due ")
    for hours in (6, 17, 29):  # it stays open, and nobody is called for it again, least by night
        await desk.tick(MONDAY + timedelta(hours=hours))
    log = await desk.store.read(lambda db: outbox.log(db, incident.id))
    assert [entry.kind for entry in log if entry.receiver == "courriel"] == ["opened", "updated"]


async def test_where_nobody_can_answer_nothing_is_due_and_the_ledger_says_why(desk: Desk) -> None:
    promised = promises(unanswerable=("presse",))
    desk.clock = Clock(desk.store, promised)
    key = await desk.hear("question: que fait la mairie", MONDAY)
    (entry,) = await desk.store.read(lambda db: ledger.unanswered(db, limit=9))
    assert (entry.mention, entry.due_at) == (key, None)
    assert entry.why(promised, MONDAY) is Why.UNANSWERABLE


async def test_the_ledger_says_why_nobody_answered(desk: Desk) -> None:
    async def why(at: datetime) -> Why:
        (entry,) = await desk.store.read(lambda db: ledger.unanswered(db, limit=9))
        return entry.why(promises(), at)

    key = await desk.hear("question: où voter", MONDAY - timedelta(hours=3))
    assert await why(MONDAY - timedelta(hours=2)) is Why.OUT_OF_HOURS
    assert await why(MONDAY + minutes(1)) is Why.NOT_QUEUED
    item = await desk.flag(key, MONDAY)
    assert await why(MONDAY + minutes(1)) is Why.NOBODY
    await desk.act(item, MONDAY + minutes(2), verb=Verb.TAKE)
    assert await why(MONDAY + minutes(3)) is Why.TAKEN
    until = MONDAY + timedelta(hours=5)
    await desk.act(item, MONDAY + minutes(4), verb=Verb.SNOOZE, until=until)
    assert await why(MONDAY + minutes(5)) is Why.SNOOZED
    waits = {"verb": Verb.MOVE, "state": QueueState.WAITING, "waiting_for": "la voirie"}
    await desk.act(item, MONDAY + minutes(6), **waits)
    assert await why(MONDAY + minutes(7)) is Why.WAITING


async def test_people_are_warned_once_before_it_is_due_also_after_a_restart(desk: Desk) -> None:
    async def told(at: datetime) -> list[tuple[str, str]]:
        await desk.tick(at)
        found = await desk.store.read(lambda db: db.rows("SELECT alert FROM transitions"))
        said = [json.loads(row["alert"]) for row in found]
        return [(alert["state"], alert["severity"]) for alert in said]

    key = await desk.hear("question: où voter", MONDAY, id="q1")
    assert await told(MONDAY + minutes(22)) == []
    assert await told(MONDAY + minutes(23)) == [("firing", "warning")]
    desk.clock = Clock(desk.store, promises(), summary=lambda _: {"summary": "encore"})
    assert await told(MONDAY + minutes(40)) == [("firing", "warning")]
    await desk.hear("à l'école", MONDAY + minutes(41), own=True, reply_to="q1")
    assert await told(MONDAY + minutes(42)) == [("firing", "warning"), ("resolved", "warning")]
    assert (await desk.owed(key))["told_at"] is not None


async def test_what_is_late_when_it_is_first_read_warns_nobody(desk: Desk) -> None:
    await desk.hear("question: où voter", MONDAY + timedelta(days=1), created_at=MONDAY)
    assert await desk.store.read(lambda db: db.value("SELECT count(*) FROM transitions")) == 0


async def test_what_is_read_late_rings_in_hours_unless_it_is_critical(desk: Desk) -> None:
    async def warned() -> int:
        found = "SELECT count(*) FROM transitions"
        return await desk.store.read(lambda db: db.value(found))

    asked, night = at("2026-01-19 16:35"), at("2026-01-20 03:00")
    await desk.hear("question: où voter", night, created_at=asked)
    just = night - minutes(25)
    item = await desk.flag(await desk.hear("question: où dormir", night, created_at=just), night)
    assert await warned() == 0
    await desk.store.write(lambda db: db.execute("UPDATE queue SET severity = 'critical'"))
    await desk.act(item, night, verb=Verb.TAKE)
    assert await warned() == 1
    await desk.tick(at("2026-01-20 09:00"))
    assert await warned() == 2


async def test_what_is_critical_by_its_repetition_rings_at_night_too(desk: Desk) -> None:
    text, night = "question: où dormir cette nuit avec les enfants", at("2026-01-20 03:00")
    first = await desk.hear(text, night, created_at=night - minutes(25))
    await desk.flag(first, night)
    again = await desk.hear(text, night, created_at=night - minutes(24))
    item = await desk.flag(again, night)
    critical = "UPDATE queue SET severity = 'critical' WHERE mention = ?"
    await desk.store.write(lambda db: db.execute(critical, (again,)))
    await desk.act(item, night, verb=Verb.TAKE)
    assert (await desk.owed(again))["same_as"] == first
    assert [alert.group for alert in await desk.store.read(alerts.live)] == [{"mention": first}]


async def test_everything_counted_anew_gives_the_same(desk: Desk) -> None:
    """What a kill or an upgrade makes again is what is there."""
    text = "question: à quelle heure ouvre la piscine municipale le samedi matin"
    key = await desk.hear(text, MONDAY, id="q1", author="ana")
    await desk.hear(text, MONDAY + minutes(1), author="ana")
    item = await desk.flag(key, MONDAY)
    await desk.act(item, MONDAY + minutes(2), verb=Verb.MOVE, state=QueueState.WAITING)
    await desk.act(item, MONDAY + minutes(30), verb=Verb.TAKE)
    await desk.hear("samedi à 9 h", MONDAY + minutes(40), id="r1", own=True, reply_to="q1")
    await desk.hear("request: et dimanche", MONDAY + minutes(50), reply_to="r1", author="ana")

    def look(db: Db) -> list[tuple[object, ...]]:
        return [tuple(row) for row in db.rows("SELECT * FROM obligations ORDER BY mention")]

    before = await desk.store.read(look)
    assert len(before) == 3
    for table in ("obligations", "watermarks"):
        await desk.store.write(lambda db, table=table: db.execute(f"DELETE FROM {table}"))
    desk.clock = Clock(desk.store, promises())
    while await desk.clock.step(MONDAY + minutes(51)):
        pass
    assert await desk.store.read(look) == before
    assert await desk.used(key) == {
        "first_response": 12.0,
        "next_response": 0.0,
        "resolution": 22.0,
    }


async def test_changed_promises_count_for_what_is_open(desk: Desk) -> None:
    key = await desk.hear("question: où voter", MONDAY)
    desk.clock = Clock(desk.store, promises(first_response="2h"))
    await desk.tick(MONDAY)
    assert (await desk.owed(key))["due_at"] == us(MONDAY + minutes(120))
