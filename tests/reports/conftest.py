"""A store with weeks in it: mentions with a given mood, alerts, incidents, deliveries."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from veille.domain.analysis import (
    Analysis,
    Entity,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.mention import MentionKind
from veille.domain.record import Identity, MaskedMention
from veille.reports.figures import Summary
from veille.reports.summary import summarize
from veille.reports.week import Week
from veille.store import mentions, work
from veille.store.engine import Db, SqliteStore, connect

PARIS = ZoneInfo("Europe/Paris")
MONDAY = datetime(2026, 11, 16, tzinfo=PARIS).astimezone(UTC)
SCORES = {"negative": -0.9, "neutral": 0.0, "positive": 0.9}


@dataclass
class Press:
    """Writes mentions and reads the summary of a week."""

    db: Db
    number: int = 0

    def hear(
        self, mood: str, times: int = 1, *, at: datetime = MONDAY + timedelta(hours=1), **more: Any
    ) -> str:
        """Store and analyze so many mentions; return the key of the last."""
        key = ""
        for _ in range(times):
            self.number += 1
            key = f"key-{self.number}"
            self.store(key, at=at, **{k: v for k, v in more.items() if k not in READ})
            self.read(at, mood, **{k: v for k, v in more.items() if k in READ})
        return key

    def store(self, key: str, *, at: datetime, **more: Any) -> None:
        text = more.pop("text", f"texte {key}")
        received_at = more.pop("received_at", at)
        plain: dict[str, Any] = {
            "source": "presse",
            "watches": ("mairie",),
            "kind": MentionKind.POST,
            "created_at": at,
            "content_hash": f"hash of {text}",
            "identity": Identity(native_id=f"native-{key}"),
            "author": "author",
        }
        masked = MaskedMention(key=key, text=text, received_at=received_at, **(plain | more))
        mentions.add(self.db, mentions=[masked], tombstones=[], now=received_at)

    def read(
        self, at: datetime, mood: str, *, urgent: bool = False, person: str | None = None
    ) -> None:
        """Analyze what waits, as the model would."""
        label: Any = SentimentLabel(mood) if mood in SCORES else mood
        named = Entity(label="PER", text=person or "", start=0, end=1)
        analysis = Analysis(
            lang="fr",
            sentiment=Sentiment(label=label, score=SCORES.get(mood, 0.0), probabilities={}),
            crisis=0.1,
            urgency=Urgency(
                label=UrgencyLabel.URGENT if urgent else UrgencyLabel.NORMAL, score=0.5
            ),
            entities=(named,) if person else (),
        )
        late = at + timedelta(days=400)
        claimed = work.claim(self.db, limit=10, now=late, lease=timedelta(0))
        work.save(self.db, [(item, analysis) for item in claimed], now=late)

    def summary(
        self, name: str = "2026-W47", *, quotes: bool = True, listed: Iterable[str] = ("presse",)
    ) -> Summary:
        week = Week.named(name, PARIS)
        return summarize(
            self.db,
            week,
            institution="Saint-Aubin",
            listed=listed,
            now=week.ends_at + timedelta(hours=8),
            quotes=quotes,
        )


READ = ("urgent", "person")


@pytest.fixture
def monday() -> datetime:
    return MONDAY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "veille.db"


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory, blank: Path) -> Path:
    """The store of `two_weeks`, lived once and copied."""
    path = shutil.copy(blank, tmp_path_factory.mktemp("lived") / "veille.db")
    opened = connect(path, is_durable=False)
    opened.execute("BEGIN")
    _live(Press(opened))
    opened.execute("COMMIT")
    opened.close()
    return path


@pytest.fixture
def begun(request: pytest.FixtureRequest, blank: Path) -> Path:
    """What the store of a test is a copy of: two weeks where it asks for them."""
    is_lived = "two_weeks" in request.fixturenames
    return request.getfixturevalue("lived") if is_lived else blank


@pytest.fixture
def db(path: Path, begun: Path) -> Iterator[Db]:
    opened = connect(shutil.copy(begun, path), is_durable=False)
    opened.execute("BEGIN")  # one transaction: a test needs hundreds of writes
    yield opened
    opened.close()


@pytest.fixture
def press(db: Db) -> Press:
    return Press(db)


@pytest.fixture
def two_weeks(press: Press) -> Press:
    """Two weeks of a town: 200 mentions, then 250 in which the bins went wrong."""
    press.number = int(press.db.value("SELECT count(*) FROM mentions"))
    return press


def _live(press: Press) -> None:
    week = timedelta(days=7)
    bins = {"watches": ("dechets",)}
    press.hear("positive", 40, at=MONDAY - week + timedelta(hours=9))
    press.hear("neutral", 80, at=MONDAY - week + timedelta(days=2))
    press.hear("negative", 30, at=MONDAY - week + timedelta(days=3))
    press.hear("positive", 30, at=MONDAY - week + timedelta(days=4), **bins)
    press.hear("negative", 20, at=MONDAY - week + timedelta(days=5), **bins)
    press.hear("positive", 50, at=MONDAY + timedelta(hours=9))
    press.hear("neutral", 80, at=MONDAY + timedelta(days=1))
    press.hear("negative", 40, at=MONDAY + timedelta(days=2))
    press.hear("positive", 10, at=MONDAY + timedelta(days=3), **bins)
    press.hear("negative", 69, at=MONDAY + timedelta(days=6, hours=23), **bins)
    last = MONDAY + timedelta(days=6, hours=23, minutes=30)
    press.hear("negative", at=last, **bins, text="Bacs pleins !")


@pytest.fixture
async def store(path: Path, blank: Path) -> AsyncIterator[SqliteStore]:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(blank, path)
    async with SqliteStore(path, group_commit=timedelta(0), is_durable=False) as opened:
        yield opened


@pytest.fixture
def of_week() -> Callable[[str], Week]:
    return lambda name: Week.named(name, PARIS)
