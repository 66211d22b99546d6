from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from servers.plain import plain
from veille.domain.alert import Alert, AlertState, Flag, Severity, Transition
from veille.domain.incident import Incident, IncidentState
from veille.domain.notification import NotificationKind, OutboxRow
from veille.domain.record import Tombstone
from veille.reports.compose import compose
from veille.store import alerts, incidents, mentions, outbox, queue, sources
from veille.wording.catalogue import catalogue

if TYPE_CHECKING:
    from conftest import Press

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)
AS_OF_NOW = ("made_at", "moves", "verdict", "deleted", "unread", "queue", "source_states")


def figures_of(press: Press, name: str = "2026-W47") -> dict[str, Any]:
    """Everything that must never change once the week is over."""
    whole = msgspec.to_builtins(press.summary(name))
    return {key: value for key, value in whole.items() if key not in AS_OF_NOW}


def delete(press: Press, key: str, at: datetime) -> None:
    gone = Tombstone(key=key, source="presse", at=at)
    mentions.add(press.db, mentions=[], tombstones=[gone], now=at)


def test_the_reference_week(two_weeks: Press) -> None:
    found = two_weeks.summary()
    assert (found.volume.now, found.volume.previous, found.volume.change.value) == (250, 200, 25.0)
    assert (found.net.now.value, found.net.previous.value) == (-20.0, 10.0)
    assert found.polar.now.value == -29.4
    assert [day.count for day in found.days] == [50, 80, 40, 10, 0, 0, 70]
    assert {g.name: (g.count, g.previous) for g in found.watches} == {
        "mairie": (170, 150),
        "dechets": (80, 50),
    }
    page = compose(found, catalogue("fr"))
    # −60/250 this week, +10/200 the week before
    assert plain(page.lead) == (
        "Semaine tendue : le solde passe de +10 à −20, "
        "surtout à cause de la veille « dechets » (−29)."
    )
    assert plain(page.subject) == ("Semaine 47 · Saint-Aubin · 250 mentions (+25 %), solde −20")


def test_figures_stay_when_every_mention_is_deleted(two_weeks: Press, monday: datetime) -> None:
    before = figures_of(two_weeks)
    for number in range(1, two_weeks.number + 1):
        delete(two_weeks, f"key-{number}", monday + WEEK + HOUR)
    assert figures_of(two_weeks) == before
    assert all(move.example is None for move in two_weeks.summary().moves)
    assert two_weeks.summary("2026-W48").deleted == {"neutral": 450}


def test_figures_stay_when_mentions_are_swept_by_age(two_weeks: Press, monday: datetime) -> None:
    before = figures_of(two_weeks)
    late = monday + timedelta(days=500)
    gone = mentions.expire(
        two_weeks.db, neutral=late, flagged=late, incident=late, now=late, limit=1000
    )
    assert gone == 450
    assert figures_of(two_weeks) == before


def test_a_deletion_within_the_running_week_changes_nothing(press: Press, monday: datetime) -> None:
    key = press.hear("negative", at=monday + HOUR)
    delete(press, key, monday + 2 * HOUR)
    assert (press.summary().volume.now, press.summary().mood.negative) == (1, 1)
    assert press.summary().deleted == {"neutral": 1}


def test_an_edit_is_counted_once_under_its_newest_sentiment_and_its_first_day(
    press: Press, monday: datetime
) -> None:
    press.hear("negative", at=monday + HOUR, text="C'est nul")
    press.store("key-1", at=monday + HOUR, received_at=monday + 9 * DAY, text="Merci, réparé")
    press.read(monday + 9 * DAY, "positive")
    found = press.summary()
    assert (found.mood.positive, found.mood.negative, found.days[0].count) == (1, 0, 1)
    assert press.summary("2026-W48").volume.now == 0


def test_a_mention_counts_in_the_week_it_was_written_in(press: Press, monday: datetime) -> None:
    press.hear("neutral", at=monday - HOUR / 60, received_at=monday + DAY)
    press.hear("neutral", at=monday, received_at=monday + 9 * DAY)
    assert (press.summary().volume.now, press.summary().volume.previous) == (1, 1)


def test_a_date_in_the_future_counts_as_the_arrival(press: Press, monday: datetime) -> None:
    press.hear("neutral", at=monday + 40 * DAY, received_at=monday + HOUR)
    assert press.summary().volume.now == 1


def test_own_posts_are_told_apart_and_never_counted(press: Press, monday: datetime) -> None:
    press.hear("positive", 3, own=True, masked=("phone",))
    found = press.summary()
    assert (found.volume.now, found.own.now, found.masked) == (0, 3, {})
    assert found.verdict.kind == "empty"


def test_what_the_model_has_not_read_is_said_and_not_counted(
    press: Press, monday: datetime
) -> None:
    press.store("key-x", at=monday + HOUR)
    press.store("key-y", at=monday + HOUR, own=True)
    found = press.summary()
    assert (found.volume.now, found.unread) == (0, 1)


def test_what_the_model_abstains_on_counts_in_the_volume_only(press: Press) -> None:
    press.hear("positive", 3)
    press.hear("neutral")
    press.hear("undecided", 2)
    found = press.summary()
    assert (found.volume.now, found.net.now.denominator, found.mood.abstained) == (6, 4, 2)


def test_urgent_and_masked_are_counted_by_kind(press: Press) -> None:
    press.hear("negative", 2, urgent=True, masked=("phone", "email"))
    press.hear("neutral", masked=("phone",))
    found = press.summary()
    assert found.urgent.now == 2
    assert found.masked == {"email": 2, "phone": 3}


def test_days_follow_the_clocks_of_the_town(press: Press, monday: datetime) -> None:
    """25 October 2026 has 25 hours in Paris: its last hour is still Sunday."""
    autumn = monday - 4 * WEEK  # 19 October, 00:00 in Paris is an hour earlier in UTC
    press.hear("neutral", at=autumn + 6 * DAY + timedelta(minutes=30) - HOUR)  # Sunday 00:30 CEST
    press.hear("neutral", at=autumn + 7 * DAY - timedelta(minutes=30))  # Sunday 23:30 CET
    assert [day.count for day in press.summary("2026-W43").days] == [0] * 6 + [2]


def test_no_example_names_a_person_is_our_own_or_was_deleted(
    press: Press, monday: datetime
) -> None:
    press.hear("positive", 5, at=monday - DAY)
    press.hear("negative", text="Jean Petit est un incapable", person="Jean Petit")
    press.hear("negative", text="communiqué", own=True)
    gone = press.hear("negative", text="effacé depuis")
    press.hear("negative", text="Trottoirs impraticables")
    press.hear("negative", text="ailleurs", source="bluesky")
    delete(press, gone, monday + 2 * DAY)
    shown = [m.example.text for m in press.summary().moves if m.example is not None]
    assert sorted(shown) == ["Trottoirs impraticables", "ailleurs"]
    assert all(m.example is None for m in press.summary(quotes=False).moves)


def test_at_most_three_examples_and_no_text_twice(press: Press, monday: datetime) -> None:
    for number in range(6):
        press.hear("positive", 3, at=monday - DAY, source=f"s{number}")
        press.hear("negative", 2, source=f"s{number}", text="La même phrase partout")
        press.hear("negative", source=f"s{number}", text=f"Phrase {number}")
    found = [m.example.text for m in press.summary().moves if m.example is not None]
    assert 1 <= len(found) == len(set(found)) <= 3


def incident(number: int, at: datetime, **more: Any) -> Incident:
    plain: dict[str, Any] = {
        "id": number,
        "key": f"k{number}",
        "labels": {"watch": "mairie", "topic": "flood"},
        "state": IncidentState.OPEN,
        "severity": Severity.WARNING,
        "title": "Inondation",
        "opened_at": at,
        "updated_at": at,
    }
    return Incident(**(plain | more))


def test_incidents_as_they_stood_at_the_end_of_the_week_without_names(
    press: Press, monday: datetime
) -> None:
    taken = {"acknowledged_by": "Camille Durand", "assignee": "Camille Durand"}
    for each in (
        incident(1, monday - HOUR, acknowledged_at=monday + HOUR, **taken),
        incident(2, monday + HOUR, acknowledged_at=monday + 2 * HOUR, **taken),
        incident(3, monday + DAY, acknowledged_at=monday + 8 * DAY, **taken),
        incident(4, monday + 2 * DAY, severity=Severity.CRITICAL, resolved_at=monday + 3 * DAY),
        incident(5, monday + 7 * DAY),
    ):
        incidents.save(press.db, each, expected_version=None)
    found = press.summary()
    assert (found.incidents.opened.now, found.incidents.opened.previous) == (3, 1)
    assert (found.incidents.acknowledged.now, found.incidents.resolved.now) == (2, 1)
    assert found.incidents.median_to_acknowledge_s == 5400.0  # of one and two hours
    assert [line.id for line in found.incidents.log] == ["I2", "I3", "I4"]
    assert found.incidents.log[1].acknowledged_at is None  # it was taken after the week
    assert found.incidents.by_topic == {"flood": 3}
    assert (found.verdict.kind, found.verdict.critical) == ("tense", 1)
    assert b"Camille" not in msgspec.json.encode(found)
    lead = compose(found, catalogue("fr")).lead
    assert plain(lead) == "Semaine tendue : 1 incident critique ; aucune mention."


def test_alerts_deliveries_and_the_queue_outlive_their_rows(press: Press, monday: datetime) -> None:
    alert = Alert(
        fingerprint="f",
        rule="flood",
        rule_version="1",
        severity=Severity.CRITICAL,
        group={},
        labels={},
        state=AlertState.FIRING,
        started_at=monday,
    )
    alerts.add_transitions(press.db, [Transition(at=monday + HOUR, alert=alert)])
    row = OutboxRow(
        key="I1-opened-1",
        receiver="astreinte",
        incident=1,
        kind=NotificationKind.OPENED,
        facts=None,
        due_at=monday,
    )
    at = monday + HOUR
    outbox.retry(press.db, row, due_at=at, error="en panne", now=at)
    outbox.sent(press.db, row, ref={}, now=at)
    press.hear("negative")
    item = Flag(key="key-1", rule="flood", severity=Severity.CRITICAL, at=at)
    queue.flag(press.db, [item, item])
    found = press.summary()
    assert [(a.rule, a.severity, a.now) for a in found.alerts] == [("flood", "critical", 1)]
    told = found.deliveries[0]
    assert (told.receiver, told.sent, told.failed, told.parked) == ("astreinte", 1, 1, 0)
    assert (found.queue.flagged.now, found.queue.open, found.queue.oldest_at) == (1, 1, at)
    before = figures_of(press)
    for table in ("transitions", "outbox", "timeline", "queue"):
        press.db.execute(f"DELETE FROM {table}")
    assert figures_of(press) == before
    assert press.summary().queue.flagged.now == 1


def test_a_message_that_was_only_edited_told_nobody(press: Press, monday: datetime) -> None:
    row = OutboxRow(
        key="I1-refreshed-1",
        receiver="astreinte",
        incident=1,
        kind=NotificationKind.REFRESHED,
        facts=None,
        due_at=monday,
    )
    outbox.sent(press.db, row, ref={}, now=monday + HOUR)
    assert press.summary().deliveries == []


@pytest.mark.parametrize(
    ("heard", "error", "state"), [(3, None, "ok"), (0, None, "silent"), (3, "403", "error")]
)
def test_how_each_source_is(
    press: Press, monday: datetime, heard: int, error: str | None, state: str
) -> None:
    at = monday + DAY
    sources.note_read(
        press.db, "presse", at=at, accepted=heard, unmatched=0, rejected=0, unknown_fields=0
    )
    if error:
        sources.note_error(press.db, "presse", at=at, error=error, next_try_at=None)
    assert [(s.source, s.state) for s in press.summary().source_states] == [("presse", state)]


def test_configured_sources_are_listed_and_nothing_else(press: Press, monday: datetime) -> None:
    for name in (sources.RULES, "ancienne"):
        sources.note_read(
            press.db, name, at=monday, accepted=0, unmatched=0, rejected=0, unknown_fields=0
        )
    (state,) = press.summary().source_states
    assert (state.source, state.state, state.read_at) == ("presse", "silent", None)
