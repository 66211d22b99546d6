"""From a text to an incident, its notification and the queue; killed and repeated at will."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from veille.alerts.settings import RouteSettings
from veille.domain.analysis import (
    Analysis,
    Passage,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.card import Card, Hazard, Slot
from veille.domain.errors import AnalystLostError, ConflictError, ModelError
from veille.domain.incident import IncidentState, QueueState
from veille.domain.mention import Batch
from veille.domain.notification import OutboxRow
from veille.pipeline.actions import Actions
from veille.pipeline.analyze import Analyst, Analyze
from veille.pipeline.sweep import Sweep
from veille.privacy.settings import PrivacySettings
from veille.store import audit, incidents, mentions, outbox, queue, timeline, work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conftest import Town
    from veille.store.engine import SqliteStore


async def test_an_urgent_text_opens_an_incident_flags_it_and_tells_both_receivers(
    town: Town, store: SqliteStore
) -> None:
    await town.say("au secours, l'eau monte")
    await town.work()
    open_ = await store.read(incidents.unresolved)
    assert [i.severity for i in open_] == ["critical"]
    items = await store.read(lambda db: queue.list_(db, states=[QueueState.NEW], limit=9))
    assert len(items) == 1
    assert await store.read(outbox.depth) == {"astreinte": 1, "courriel": 1}


async def test_what_matches_no_watch_is_counted_and_not_stored(
    town: Town, store: SqliteStore
) -> None:
    other = replace(town.source, watches=["nobody"])
    batch = Batch(mentions=(town.mention("rien à voir"),))
    accepted = await town.collect.accept(other, batch, now=town.now)
    assert (accepted.stored, accepted.unmatched) == (0, 1)
    assert await store.read(mentions.counts) == {}


async def test_a_text_that_breaks_the_analyst_is_parked_and_stops_nobody(
    town: Town, store: SqliteStore
) -> None:
    await town.say("tout va bien", "une panne", "au secours")
    for _ in range(12):
        await town.work(later=timedelta(minutes=10))
    counts = await store.read(mentions.counts)
    assert counts == {"analyzed": 2, "parked": 1}
    (parked,) = await store.read(work.parked)
    assert parked.error == "ValueError in analysis"


async def test_three_complaints_of_one_author_are_no_alert(town: Town, store: SqliteStore) -> None:
    await town.say("nul", "vraiment nul", "trop nul", author="x")
    await town.work()
    assert await store.read(incidents.unresolved) == []
    await town.say("nul aussi", author="y")
    await town.work()
    assert len(await store.read(incidents.unresolved)) == 1


async def test_an_incident_resolves_when_its_alerts_do(town: Town, store: SqliteStore) -> None:
    await town.say("au secours")
    await town.work()
    await town.run(timedelta(minutes=11))
    assert await store.read(incidents.unresolved) == []
    kinds = [e.kind for e in await store.read(lambda db: timeline.of(db, "I1"))]
    assert kinds == ["alert.firing", "incident.opened", "alert.resolved", "incident.resolved"]


async def test_a_deleted_mention_takes_its_alert_back(town: Town, store: SqliteStore) -> None:
    mention = town.mention("au secours, je suis coincé")
    await town.collect.accept(town.source, Batch(mentions=(mention,)), now=town.now)
    await town.work()
    gone = replace(mention, deleted=True, text="")
    await town.collect.accept(town.source, Batch(mentions=(gone,)), now=town.now)
    await town.work(later=timedelta(seconds=10))
    (incident,) = await store.read(
        lambda db: incidents.list_(db, states=list(IncidentState), limit=9)
    )
    assert incident.state is IncidentState.RESOLVED


async def test_the_same_batch_twice_changes_nothing(town: Town, store: SqliteStore) -> None:
    batch = Batch(mentions=(town.mention("au secours"),), cursor="7")
    await town.collect.accept(town.source, batch, now=town.now)
    await town.work()
    again = await town.collect.accept(town.source, batch, now=town.now)
    await town.work()
    assert (again.stored, again.seen) == (0, 1)
    assert len(await store.read(incidents.unresolved)) == 1


async def test_no_step_is_repeated_by_looking_again(town: Town, store: SqliteStore) -> None:
    await town.say("au secours", "nul", "nul !", "nul ?")
    await town.work()
    before = await store.read(timeline.log)
    await town.work()
    await town.work()
    assert await store.read(timeline.log) == before


async def test_stages_built_again_go_on_as_if_never_stopped(
    store: SqliteStore, stages: Callable[[SqliteStore], Town]
) -> None:
    town = stages(store)
    await town.evaluate.open(town.now)
    await town.say("nul", "c'est nul")
    await town.work()
    again = stages(store)  # a killed process: nothing of the first one is left but the store
    again.number, again.now = 10, town.now + timedelta(minutes=1)
    await again.evaluate.open(again.now)
    await again.say("vraiment nul")
    await again.work()
    assert len(await store.read(incidents.unresolved)) == 1


async def test_mentions_go_after_the_days_of_their_class_and_do_not_come_back(
    town: Town, store: SqliteStore
) -> None:
    sweep = Sweep(store, PrivacySettings())
    plain = town.mention("rien de grave")
    batch = Batch(mentions=(plain, town.mention("au secours")))
    await town.collect.accept(town.source, batch, now=town.now)
    await town.work()
    await town.run(timedelta(minutes=11))
    await sweep.step(town.now + timedelta(days=29))
    assert (await store.read(mentions.counts)) == {"analyzed": 2}
    await sweep.step(town.now + timedelta(days=31))
    assert (await store.read(mentions.counts)) == {"analyzed": 1, "deleted": 1}
    again = await town.collect.accept(town.source, Batch(mentions=(plain,)), now=town.now)
    assert again.stored == 0
    await sweep.step(town.now + timedelta(days=364))
    assert (await store.read(mentions.counts))["deleted"] == 1
    await sweep.step(town.now + timedelta(days=366))
    assert await store.read(mentions.counts) == {"deleted": 2}


async def test_the_sealed_original_of_an_urgent_text_goes_after_three_days(
    town: Town, store: SqliteStore
) -> None:
    await town.say("au secours, appelez le 06 39 98 12 34", "rappelez-moi au 06 39 98 56 78")
    await town.work()
    keys = await store.read(lambda db: [r["key"] for r in db.rows("SELECT key FROM mentions")])
    kept = [k for k in keys if await store.read(lambda db, k=k: mentions.original(db, k))]
    assert len(kept) == 1, "only the urgent one keeps its original"
    sweep = Sweep(store, PrivacySettings())
    await sweep.step(town.now + timedelta(hours=71))
    assert await store.read(lambda db: mentions.original(db, kept[0])) is not None
    await sweep.step(town.now + timedelta(hours=73))
    assert await store.read(lambda db: mentions.original(db, kept[0])) is None


async def test_a_cry_analyzed_after_its_window_still_alerts(town: Town, store: SqliteStore) -> None:
    await town.say("au secours")  # accepted, then the power goes for an hour
    await town.work(later=timedelta(hours=1))
    assert len(await store.read(incidents.unresolved)) == 1
    assert len(await store.read(lambda db: queue.list_(db, states=[QueueState.NEW], limit=9))) == 1


async def test_a_clock_set_back_mutes_nobody(town: Town, store: SqliteStore) -> None:
    await town.say("bonjour")
    await town.work()
    town.now -= timedelta(hours=1)
    await town.say("au secours")
    await town.work()
    assert len(await store.read(incidents.unresolved)) == 1


class Mortal:
    """Dies of each text that has one of these words; the next call finds it alive again."""

    def __init__(self, inner: Analyst, *words: str) -> None:
        self._inner = inner
        self._words = words

    def analyze(self, passages: Sequence[Passage]) -> list[Analysis]:
        if any(word in passage.text for word in self._words for passage in passages):
            raise AnalystLostError("the process ended")
        return self._inner.analyze(passages)


async def test_texts_that_kill_the_analyst_are_parked_even_when_no_other_waits(
    town: Town, store: SqliteStore
) -> None:
    town.analyze = Analyze(store, Mortal(town.analyze.analyst, "poison"))
    await town.say("un poison", "un autre poison")
    for _ in range(12):
        await town.work(later=timedelta(minutes=10))
    assert await store.read(mentions.counts) == {"parked": 2}


async def test_an_analyst_that_dies_of_any_text_parks_nobody(
    town: Town, store: SqliteStore
) -> None:
    town.analyze = Analyze(store, Mortal(town.analyze.analyst, ""))
    await town.say("tout va bien")
    with pytest.raises(ModelError):
        await town.analyze.step(town.now)
    assert await store.read(mentions.counts) == {"new": 1}


async def test_new_evidence_after_a_person_resolved_it_opens_another_incident(
    town: Town, store: SqliteStore
) -> None:
    await town.say("au secours")
    await town.work()
    actions = Actions(store, route=RouteSettings(), now=lambda: town.now)
    await actions.resolve("I1", actor="Camille")
    await town.work(later=timedelta(seconds=10))
    assert await store.read(incidents.unresolved) == []
    await town.say("au secours encore")
    await town.work(later=timedelta(seconds=10))
    assert [i.id for i in await store.read(incidents.unresolved)] == [2]


async def test_who_acts_second_is_told_who_was_first(town: Town, store: SqliteStore) -> None:
    await town.say("au secours")
    await town.work()
    actions = Actions(store, route=RouteSettings(), now=lambda: town.now)
    await actions.acknowledge("I1", actor="Camille", version=0)
    with pytest.raises(ConflictError, match="Camille"):
        await actions.acknowledge("I1", actor="Driss", version=1)
    with pytest.raises(ConflictError, match="Camille"):
        await actions.assign("I1", to="Driss", actor="Driss", version=0)
    paris = Actions(
        store, route=RouteSettings(), now=lambda: town.now, zone=ZoneInfo("Europe/Paris")
    )
    with pytest.raises(ConflictError, match=r"\+01:00"):
        await paris.acknowledge("I1", actor="Driss")
    await actions.note("I1", text="on appelle", actor="Driss")
    kinds = [e.kind for e in await store.read(lambda db: timeline.of(db, "I1"))]
    assert kinds[-2:] == ["incident.acknowledged", "note"]
    assert await store.read(audit.verify) is None


class HazardAnalyst:
    """All is urgent; the card says fire where the text says "feu", else flood."""

    def analyze(self, passages: Sequence[Passage]) -> list[Analysis]:
        return [self._one(passage.text) for passage in passages]

    def _one(self, text: str) -> Analysis:
        label = SentimentLabel.NEUTRAL
        hazard = Hazard.FIRE if "feu" in text else Hazard.FLOOD
        return Analysis(
            lang="fr",
            sentiment=Sentiment(label=label, score=0.0, probabilities={label: 1}),
            crisis=0.9,
            urgency=Urgency(label=UrgencyLabel.URGENT, score=0.95),
            card=replace(EMPTY_CARD, hazard=Slot(value=hazard, spans=())),
        )


EMPTY_CARD = Card(
    hazard=None, places=(), people=None, vulnerable=(), need=None, time=None, has_media=False
)


async def test_a_fire_among_calls_of_a_flood_is_told_and_quoted_once(
    town: Town, store: SqliteStore
) -> None:
    told: list[OutboxRow] = []

    async def hear(duration: timedelta) -> list[str]:
        await town.run(duration)
        before = len(told)
        while row := await store.write(
            lambda db: outbox.claim(db, "astreinte", now=town.now, lease=timedelta(minutes=1))
        ):
            await store.write(partial(outbox.sent, row=row, ref={}, now=town.now))
            told.append(row)
        return [str(row.kind) for row in told[before:]]

    town.analyze = Analyze(store, HazardAnalyst())
    await town.say(*["au secours, l'eau monte"] * 4)
    assert await hear(timedelta(minutes=1)) == ["opened"]
    await town.say("au secours, le feu, trois enfants à l'étage", "au secours, l'eau")
    assert await hear(timedelta(minutes=6)) == ["updated"]
    facts = told[-1].facts
    assert facts is not None
    stored = await store.read(lambda db: mentions.stored(db, facts.evidence[-1:]))
    assert ["feu" in mention.text for mention in stored.values()] == [True]
    await town.say("au secours, encore le feu")
    assert "updated" not in await hear(timedelta(minutes=8))
