"""Whose turn it is, as people read it; in Slack they are called by their member id alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from servers.plain import plain
from veille.domain.alert import Severity
from veille.domain.incident import IncidentState
from veille.domain.notification import Facts, Notification, NotificationKind, Relay
from veille.notifiers.message import Voice, compose
from veille.notifiers.relay import relay_words
from veille.notifiers.slack_blocks import card, thread_line
from veille.wording.catalogue import catalogue

NOW = datetime(2026, 11, 22, 3, 5, tzinfo=UTC)
SECOND = Relay(step=2, steps=3, round=1, waited=timedelta(minutes=5), names=("Claire Martin",))


@pytest.mark.parametrize(
    ("relay", "said"),
    [
        (
            SECOND,
            "Claire Martin, vous êtes d'astreinte : relais 2 sur 3, sans réponse depuis 5 min.",
        ),
        (
            Relay(step=1, steps=3, round=1, waited=timedelta(seconds=1), names=("Anne", "Bruno")),
            "Anne et Bruno, vous êtes d'astreinte : relais 1 sur 3.",
        ),
        (
            Relay(step=2, steps=3, round=2, waited=timedelta(), names=("Anne",), nobody=(1,)),
            "Anne, vous êtes d'astreinte : relais 2 sur 3, tour 2. "
            "Personne d'astreinte au relais 1.",
        ),
        (
            Relay(step=3, steps=3, round=1, waited=timedelta(minutes=10)),
            "Astreinte : relais 3 sur 3, sans réponse depuis 10 min.",
        ),
        (
            Relay(step=2, steps=2, round=1, waited=timedelta(), nobody=(1, 2)),
            "Personne n'a pu être joint : relais 2 sur 2. "
            "Personne d'astreinte aux relais 1 et 2. Prévenez quelqu'un.",
        ),
    ],
)
def test_the_sentence_names_people_place_and_wait(relay: Relay, said: str) -> None:
    assert plain(relay_words(relay, catalogue("fr"))) == said


def notification(relay: Relay, *, may_repeat: bool = False) -> Notification:
    facts = Facts(
        incident=1,
        title="<@U99> <!channel>",
        severity=Severity.CRITICAL,
        state=IncidentState.OPEN,
        at=NOW,
        opened_at=NOW - timedelta(minutes=5),
        rule="r",
        value=3,
        threshold=1,
        author_count=3,
        relay=relay,
    )
    return Notification(
        key="I1-escalated-2",
        kind=NotificationKind.ESCALATED,
        facts=facts,
        institution="Saint-Aubin",
        link="https://x.example/incidents/1",
        may_repeat=may_repeat,
    )


def test_slack_calls_by_the_configured_id_and_by_nothing_in_a_text() -> None:
    relay = Relay(step=1, steps=1, round=1, waited=timedelta(), names=("<@U7>",), slack=("U0A",))
    voice = Voice(words=catalogue("fr"), zone=ZoneInfo("Europe/Paris"))
    message = compose(notification(relay), voice=voice, quotes=True)
    for blocks in (card(message, []), thread_line(message)):
        rich = [e for b in blocks if b["type"] == "rich_text" for e in b["elements"]]  # type: ignore[attr-defined]
        users = [x for e in rich for x in e["elements"] if x["type"] == "user"]
        assert users == [{"type": "user", "user_id": "U0A"}]


def test_a_possible_repeat_says_so() -> None:
    voice = Voice(words=catalogue("fr"), zone=ZoneInfo("Europe/Paris"))
    message = compose(notification(SECOND, may_repeat=True), voice=voice, quotes=True)
    assert "Répétition possible" in message.notice
    assert message.subject.startswith("Astreinte · ")
