"""Proof and why not: what is kept with an alert, and what stood against one, on a real store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from veille.domain.alert import Alert, AlertState, Condition
from veille.domain.errors import InputError
from veille.domain.evidence import Asked, DoubtKind
from veille.domain.incident import Event
from veille.domain.mention import Batch
from veille.domain.silence import Mute, MuteKind
from veille.domain.whynot import Outcome, WhyNot
from veille.pipeline.redact import follow_up
from veille.pipeline.whynot import Setting, why_not
from veille.rules.evidence import verdict
from veille.rules.parse import parse_rules
from veille.store import alerts, examples, incidents, mentions, timeline
from veille.store.engine import Db
from veille.store.retention import Ages, purge

# Fixtures come from conftest.py; importmode=importlib keeps it from being imported by name.
Town = Any

RULES = b"""
rules:
  - id: urgent
    kind: mention
    where: {urgency.label: urgent, text: {words: ["secours"]}}
    window: 10m
    severity: critical
    flag: true
  - id: angry
    kind: count
    where: {sentiment.label: negative}
    window: 10m
    min_count: 3
    min_authors: 2
    severity: warning
  - {id: lasting, kind: count, where: {sentiment.label: negative}, window: 10m, min_count: 2,
     for: 5m, severity: info}
  - {id: unlike, kind: spike, baseline: previous, window: 10m, points: 4, min_points: 3,
     min_count: 2, min_authors: 1, count_by: mentions, severity: info}
  - {id: elsewhere, kind: mention, where: {places: ["97411"]}, severity: info}
  - {id: role, kind: count, min_count: 1, group_by: [author], where: {lang: fr}, severity: info}
  - {id: trial, kind: mention, where: {text: {words: [essai]}}, severity: info, shadow: true}
  - {id: share, kind: ratio, where: {lang: fr}, of: {sentiment.label: negative}, window: 10m,
     min_count: 4, min_ratio: 0.5, severity: info}
  - id: then
    kind: sequence
    within: 10m
    steps: [{where: {text: {words: [fuite]}}}, {where: {text: {words: [panne]}}}]
    severity: info
  - {id: off, kind: mention, where: {lang: fr}, severity: info, enabled: false}
"""


@pytest.fixture
async def night(store: Any, stages: Callable[..., Town]) -> Town:
    town = stages(store, rules=RULES)
    await town.evaluate.open(town.now)
    return town


async def ask(town: Town, name: str, rule: str) -> WhyNot:
    setting = Setting(ruleset=parse_rules({"rules.yml": RULES}), now=town.now)
    answer: WhyNot = await town.store.read(lambda db: why_not(db, name, rule, setting))
    return answer


async def only(town: Town, rule: str) -> Alert:
    def find(db: Db) -> list[Alert]:
        rows = db.rows("SELECT fingerprint FROM alerts")
        found = alerts.get(db, [row["fingerprint"] for row in rows]).values()
        return [alert for alert in found if alert.rule == rule]

    (alert,) = await town.store.read(find)
    assert isinstance(alert, Alert)
    return alert


async def examples_of(town: Town, alert: Alert) -> tuple[Any, ...]:
    found = await town.store.read(lambda db: examples.of(db, [alert]))
    return tuple(found.get(alert.fingerprint, ()))


async def test_an_alert_keeps_what_was_measured_examples_and_what_speaks_against(
    night: Town,
) -> None:
    await night.say("c'est nul", "vraiment nul", author="x")
    await night.say("quel service nul")
    await night.work()
    alert = await only(night, "angry")
    assert alert.conditions == (
        Condition(name="count", value=3, threshold=3),
        Condition(name="authors", value=2, threshold=2),
    )
    assert verdict(alert)
    shown = await examples_of(night, alert)
    assert [one.labels["sentiment.label"] for one in shown] == ["negative"] * 3
    assert {doubt.kind for doubt in alert.against} >= {DoubtKind.ONE_AUTHOR, DoubtKind.ONE_SOURCE}


async def test_examples_hold_places_in_the_text_and_never_the_text(night: Town) -> None:
    await night.say("Au secours, rue du Lavoir")
    await night.work()
    (one,) = await examples_of(night, await only(night, "urgent"))
    assert [(span.field, span.start, span.end) for span in one.spans] == [("text", 3, 10)]
    raw = await night.store.read(lambda db: db.value("SELECT group_concat(example) FROM examples"))
    assert "Lavoir" not in raw


async def test_an_alert_that_grows_gains_examples_up_to_five(night: Town) -> None:
    for _ in range(7):
        await night.say("au secours")
        await night.work(later=timedelta(seconds=10))
    shown = await examples_of(night, await only(night, "urgent"))
    assert len(shown) == 5


async def test_deletion_takes_the_example_and_an_edit_its_places(night: Town) -> None:
    await night.say("au secours", "vite, au secours")
    await night.work()
    alert = await only(night, "urgent")
    first, second = await examples_of(night, alert)

    def delete(db: Db) -> None:
        mentions.delete(db, [first.key], cause=mentions.DELETED, now=night.now)
        follow_up(db, night.now)

    await night.store.write(delete)
    assert [one.key for one in await examples_of(night, alert)] == [second.key]
    edited = night.mention("secours demandés", id="m2", author="a2")
    await night.collect.accept(night.source, Batch(mentions=(edited,)), now=night.now)
    (left,) = await examples_of(night, alert)
    assert left.spans == ()


async def test_what_is_deleted_before_the_rules_look_is_never_an_example(night: Town) -> None:
    await night.say("au secours")
    await night.work()
    alert = await only(night, "urgent")
    (one,) = await examples_of(night, alert)

    def delete_then_put(db: Db) -> None:
        mentions.delete(db, [one.key], cause=mentions.DELETED, now=night.now)
        follow_up(db, night.now)
        examples.put(db, alert, [one])

    await night.store.write(delete_then_put)
    assert await night.store.read(lambda db: db.value("SELECT count(*) FROM examples")) == 0


async def test_an_alert_that_fired_names_its_incident_and_who_was_told(night: Town) -> None:
    await night.say("au secours")
    await night.work()
    answer = await ask(night, "m1", "urgent")
    assert (answer.outcome, answer.incident, answer.told) == (Outcome.FIRED, 1, ())
    event = Event(
        target="I1", at=night.now, kind="notification.sent", data={"receiver": "courriel"}
    )
    await night.store.write(lambda db: timeline.add(db, [event]))
    answer = await ask(night, "presse:m1", "urgent")
    assert [told.receiver for told in answer.told] == ["courriel"]


async def test_what_muted_an_alert_is_named_until_somebody_is_told(night: Town) -> None:
    await night.say("au secours")
    await night.work()
    mute = Mute(kind=MuteKind.SILENCE, by="S3", until=night.now + timedelta(hours=1))

    def hold(db: Db) -> None:
        incident = incidents.get(db, 1)
        assert incident is not None
        incidents.save(db, replace(incident, muted=mute), expected_version=incident.version)

    await night.store.write(hold)
    answer = await ask(night, "m1", "urgent")
    assert (answer.outcome, answer.mute) == (Outcome.MUTED, mute)


async def test_the_first_condition_on_the_mention_that_fails_is_named(night: Town) -> None:
    await night.say("il pleut")
    await night.work()
    answer = await ask(night, "m1", "urgent")
    assert answer.outcome is Outcome.WHERE
    assert answer.failed == Asked(
        field="urgency.label", wanted="urgent", found="normal", holds=False
    )
    assert (await ask(night, "m1", "elsewhere")).outcome is Outcome.TERRITORY


async def test_the_first_condition_on_the_window_that_fails_is_named_at_its_nearest(
    night: Town,
) -> None:
    await night.say("c'est nul")
    await night.work(later=timedelta(minutes=1))
    await night.say("nul aussi")
    await night.work()
    answer = await ask(night, "m1", "angry")
    assert answer.outcome is Outcome.CONDITION
    assert answer.failed == Condition(name="count", value=2, threshold=3)
    assert answer.at is not None
    assert answer.at > night.now - timedelta(minutes=1, seconds=1)


async def test_what_a_share_or_no_step_of_a_sequence_is_about_is_named(night: Town) -> None:
    await night.say("une remarque", "une fuite")
    await night.work()
    share = await ask(night, "m1", "share")
    assert share.outcome is Outcome.WHERE
    assert isinstance(share.failed, Asked)
    assert (share.failed.field, share.failed.found) == ("sentiment.label", "neutral")
    then = await ask(night, "m1", "then")
    assert then.outcome is Outcome.WHERE
    assert [part[0].wanted for part in then.asked[-1].parts] == ["fuite", "panne"]
    begun = await ask(night, "m2", "then")
    assert begun.failed == Condition(name="step_2", value=0, threshold=1)


async def test_one_author_alone_is_what_failed(night: Town) -> None:
    await night.say("nul", "nul encore", "toujours nul", author="x")
    await night.work()
    answer = await ask(night, "m2", "angry")
    assert answer.failed == Condition(name="authors", value=1, threshold=2)


async def test_a_history_too_short_is_named_with_how_much_is_known(night: Town) -> None:
    await night.say("une remarque")
    await night.work()
    await night.run(timedelta(minutes=15))
    await night.say("la place", "la rue", "le pont")
    await night.work()
    answer = await ask(night, "m2", "unlike")
    assert answer.failed == Condition(name="points", value=1, threshold=3)
    assert answer.baseline is not None
    assert answer.baseline.reason == "min_points 1 < 3"


async def test_conditions_that_do_not_hold_for_long_enough_are_pending(night: Town) -> None:
    await night.say("nul", "encore nul")
    await night.work()
    assert (await ask(night, "m1", "lasting")).outcome is Outcome.PENDING
    waiting = await only(night, "lasting")
    assert waiting.state is AlertState.PENDING


async def test_own_late_strange_and_undone_mentions_say_so(night: Town) -> None:
    own = night.mention("au secours", own=True)
    late = night.mention("au secours", created_at=night.now - timedelta(days=1))
    nobody = replace(night.mention("une remarque"), author=None)
    await night.collect.accept(night.source, Batch(mentions=(own, late, nobody)), now=night.now)
    assert (await ask(night, "m1", "urgent")).outcome is Outcome.UNREAD
    await night.work()
    assert (await ask(night, "m1", "urgent")).outcome is Outcome.OWN
    answer = await ask(night, "m2", "urgent")
    assert (answer.outcome, answer.delay) == (Outcome.LATE, timedelta(days=1))
    assert (await ask(night, "m3", "role")).outcome is Outcome.GROUP
    assert (await ask(night, "m3", "off")).outcome is Outcome.DISABLED
    assert (await ask(night, "nobody", "urgent")).outcome is Outcome.ABSENT
    await night.say("la panne")
    await night.work()
    assert (await ask(night, "m4", "urgent")).outcome in {Outcome.UNREAD, Outcome.PARKED}


async def test_a_deleted_mention_counts_for_nothing(night: Town) -> None:
    await night.say("au secours")
    await night.work()
    key = (await ask(night, "m1", "angry")).mention
    await night.store.write(
        lambda db: mentions.delete(db, [key], cause=mentions.DELETED, now=night.now)
    )
    assert (await ask(night, key, "urgent")).outcome is Outcome.DELETED


async def test_a_rule_on_trial_says_so(night: Town) -> None:
    await night.say("un essai")
    await night.work()
    assert (await ask(night, "m1", "trial")).outcome is Outcome.SHADOW


async def test_an_unknown_rule_and_an_ambiguous_name_are_refused_with_what_is_known(
    night: Town,
) -> None:
    await night.say("au secours")
    with pytest.raises(InputError, match=r"angry.*urgent"):
        await ask(night, "m1", "urgentt")
    twin = night.mention("au secours", id="m1", source="radio")
    await night.collect.accept(night.source, Batch(mentions=(twin,)), now=night.now)
    with pytest.raises(InputError, match=r"presse:m1|radio:m1"):
        await ask(night, "m1", "urgent")


async def test_evidence_survives_a_restart_and_is_the_same(night: Town, stages: Any) -> None:
    await night.say("au secours")
    await night.work()
    alert = await only(night, "urgent")
    before = await examples_of(night, alert)
    again = stages(night.store, rules=RULES)
    await again.evaluate.open(night.now)
    again.now, again.number = night.now, night.number
    await again.work(later=timedelta(seconds=10))
    assert await only(again, "urgent") == alert
    assert await examples_of(again, alert) == before


async def test_examples_go_with_their_alert(night: Town) -> None:
    await night.say("au secours")
    await night.work()
    alert = await only(night, "urgent")
    day = timedelta(days=1)

    def age(db: Db) -> dict[str, int]:
        db.execute("DELETE FROM alerts WHERE fingerprint = ?", (alert.fingerprint,))
        return purge(db, Ages(flagged=day, incident=day), now=night.now, limit=10)

    assert (await night.store.write(age))["examples"] == 1
    assert await examples_of(night, alert) == ()


async def test_a_mention_that_joined_later_is_part_of_the_alert_that_fires(night: Town) -> None:
    await night.say("au secours")
    await night.work()
    await night.say("encore au secours")
    await night.work(later=timedelta(seconds=10))
    answer = await ask(night, "m2", "urgent")
    assert (answer.outcome, answer.incident) == (Outcome.FIRED, 1)
