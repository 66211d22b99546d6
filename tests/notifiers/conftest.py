from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from veille.demo.mail import MailStandIn
from veille.demo.slack import SlackStandIn
from veille.domain.alert import Severity
from veille.domain.incident import IncidentState
from veille.domain.notification import Facts, Notification, NotificationKind, Quote
from veille.net.client import Client
from veille.net.guard import check_host
from veille.notifiers.base import Tools
from veille.notifiers.message import Voice
from veille.notifiers.pace import Pace
from veille.wording.catalogue import catalogue

NIGHT = datetime(2026, 1, 18, 1, 14, tzinfo=UTC)  # 02:14 in Saint-Aubin


@dataclass
class Clock:
    """A monotonic clock that moves only when somebody sleeps on it."""

    now_s: float = 1000.0
    slept_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept_s += seconds
        self.now_s += seconds


def make_flood(**changes: Any) -> Facts:
    facts = Facts(
        incident=12,
        title="Inondation, appels à l'aide",
        severity=Severity.CRITICAL,
        state=IncidentState.OPEN,
        at=NIGHT,
        opened_at=NIGHT - timedelta(minutes=9),
        rule="flood_distress",
        value=12,
        threshold=3,
        author_count=11,
        mention_count=12,
        window=timedelta(minutes=15),
        annotations={"actions": "joindre le CODIS; vérifier un lieu; publier une consigne"},
        evidence=("k1", "k2"),
        usual=0.0,
        certainty=0.96,
    )
    return replace(facts, **changes)


def make_note(
    kind: NotificationKind = NotificationKind.OPENED, *, facts: Facts | None = None, **changes: Any
) -> Notification:
    quotes = (
        "…une dame est coincée dans sa voiture rue du Lavoir, personne ne répond au 18…",
        "…on est sur le toit de la salle des fêtes, il y a des enfants…",
    )
    whole = Notification(
        key=f"I12-{kind}-1",
        kind=kind,
        facts=facts or make_flood(),
        institution="Saint-Aubin",
        link="https://veille.mairie.example/incidents/12",
        quotes=tuple(Quote(text=text, source="bluesky", at=NIGHT, lang="fr") for text in quotes),
        places=("rue du Lavoir", "salle des fêtes", "camping municipal"),
    )
    return replace(whole, **changes)


def make_voice(language: str = "fr") -> Voice:
    return Voice(words=catalogue(language), zone=ZoneInfo("Europe/Paris"))


@pytest.fixture
def flood() -> Callable[..., Facts]:
    return make_flood


@pytest.fixture
def note() -> Callable[..., Notification]:
    return make_note


@pytest.fixture
def voice() -> Callable[..., Voice]:
    return make_voice


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with Client(allow_private=True) as client:
        yield client.session()


@pytest.fixture
async def tools(clock: Clock, session: aiohttp.ClientSession) -> Tools:
    secrets = {"SLACK_TOKEN": "xoxb-stand-in", "WRONG": "xoxb-wrong", "SMTP": "a secret"}
    return Tools(
        voice=make_voice(),
        secret=secrets.__getitem__,
        session=lambda *, allow_private: session,
        check_host=check_host,
        pace=Pace(clock=clock, sleep=clock.sleep),
        now=lambda: NIGHT,
    )


@pytest.fixture
async def slack(clock: Clock) -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn(clock=clock) as stand_in:
        yield stand_in


@pytest.fixture
async def relay() -> AsyncIterator[MailStandIn]:
    async with MailStandIn() as stand_in:
        yield stand_in
