"""A database on disk, and makers of what goes into it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from veille.domain.alert import Severity
from veille.domain.analysis import (
    Analysis,
    Entity,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.incident import Incident, IncidentState
from veille.domain.mention import MentionKind
from veille.domain.notification import Facts, NotificationKind, OutboxRow
from veille.domain.record import Identity, MaskedMention
from veille.store.engine import Db, SqliteStore, connect

NOW = datetime(2026, 1, 18, 1, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "veille.db"


@pytest.fixture
def db(path: Path, blank: Path) -> Iterator[Db]:
    """One connection that commits each statement."""
    path.parent.mkdir(mode=0o700)
    shutil.copy(blank, path)
    opened = connect(path, is_durable=False)
    yield opened
    opened.close()


@pytest.fixture
async def store(path: Path, blank: Path) -> AsyncIterator[SqliteStore]:
    path.parent.mkdir(mode=0o700)
    shutil.copy(blank, path)
    async with SqliteStore(path, group_commit=timedelta(0), is_durable=False) as opened:
        yield opened


@pytest.fixture
def mention() -> Callable[..., MaskedMention]:
    """Make a masked mention; its text follows from its key unless given."""

    def make(key: str = "a", *, minute: int = 0, **changes: object) -> MaskedMention:
        text = str(changes.get("text", f"texte de {key}"))
        plain = MaskedMention(
            key=key,
            source="presse",
            watches=("mairie",),
            kind=MentionKind.POST,
            text=text,
            created_at=NOW,
            received_at=NOW + timedelta(minutes=minute),
            content_hash=f"hash of {text}",
            identity=Identity(native_id=f"native-{key}", url=f"https://presse.example/{key}"),
            author=f"author-{key}",
        )
        return replace(plain, **changes)  # type: ignore[arg-type]  # a test names the fields

    return make


@pytest.fixture
def analysis() -> Callable[..., Analysis]:
    """Make an analysis: neutral and not urgent unless told."""

    def make(*, urgent: bool = False, entity: str = "Lavoir", score: float = 0.1) -> Analysis:
        return Analysis(
            lang="fr",
            sentiment=Sentiment(
                label=SentimentLabel.NEUTRAL,
                score=score,
                probabilities={"negative": 0.2, "neutral": 0.5, "positive": 0.3},
            ),
            crisis=0.25,
            urgency=Urgency(
                label=UrgencyLabel.URGENT if urgent else UrgencyLabel.NORMAL, score=0.5
            ),
            entities=(Entity(label="LOC", text=entity, start=0, end=len(entity)),),
            analyzers={"sentiment.fr": "v1"},
        )

    return make


@pytest.fixture
def incident() -> Callable[..., Incident]:
    """Make an open incident; its key follows from its number unless given."""

    def make(number: int = 1, **changes: object) -> Incident:
        plain = Incident(
            id=number,
            key=f"group-{number}",
            labels={"watch": "mairie"},
            state=IncidentState.OPEN,
            severity=Severity.WARNING,
            title="Inondation",
            opened_at=NOW,
            updated_at=NOW,
        )
        return replace(plain, **changes)  # type: ignore[arg-type]  # a test names the fields

    return make


@pytest.fixture
def row() -> Callable[..., OutboxRow]:
    """Make an outbox row of a receiver and an incident."""

    def make(key: str, *, receiver: str = "astreinte", number: int = 1, due: int = 0) -> OutboxRow:
        facts = Facts(
            incident=number,
            title="Inondation",
            severity=Severity.CRITICAL,
            state=IncidentState.OPEN,
            at=NOW,
            opened_at=NOW,
            rule="flood_distress",
            value=12,
            threshold=3,
            author_count=11,
            window=timedelta(minutes=15),
            evidence=("a", "b"),
            certainty=0.93,
        )
        return OutboxRow(
            key=key,
            receiver=receiver,
            incident=number,
            kind=NotificationKind.OPENED,
            facts=facts,
            due_at=NOW + timedelta(seconds=due),
        )

    return make
