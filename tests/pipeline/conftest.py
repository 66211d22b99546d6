"""A pipeline on a real store, with a small analyst that reads words instead of a model."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

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
from veille.domain.mention import Author, Batch, Mention
from veille.domain.query import Matcher
from veille.domain.watch import Watch
from veille.pipeline.analyze import Analyze
from veille.pipeline.collect import Collect
from veille.pipeline.dispatch import Dispatch
from veille.pipeline.evaluate import Evaluate
from veille.privacy.protect import Protector
from veille.privacy.pseudonym import Pseudonyms
from veille.rules.parse import parse_rules
from veille.rules.settings import RulesSettings
from veille.store.engine import SqliteStore

START = datetime(2026, 1, 18, 1, 0, tzinfo=UTC)
RULES = b"""
rules:
  - id: urgent
    kind: mention
    where: {urgency.label: urgent}
    window: 10m
    severity: critical
    flag: true
    labels: {topic: danger}
    annotations: {summary: "Appel urgent"}
  - id: angry
    kind: count
    where: {sentiment.label: negative}
    window: 10m
    min_count: 3
    min_authors: 2
    severity: warning
    annotations: {summary: "{count} plaintes"}
"""


class WordAnalyst:
    """Urgent when the text says "secours", negative when it says "nul"; fails on "panne"."""

    def analyze(self, passages: Sequence[Passage]) -> list[Analysis]:
        return [self._one(passage.text) for passage in passages]

    def _one(self, text: str) -> Analysis:
        if "panne" in text:
            raise ValueError("the analyst broke")
        urgent, bad = "secours" in text, "nul" in text
        label = SentimentLabel.NEGATIVE if bad else SentimentLabel.NEUTRAL
        return Analysis(
            lang="fr",
            sentiment=Sentiment(label=label, score=-0.9 if bad else 0.0, probabilities={label: 1}),
            crisis=0.9 if urgent else 0.1,
            urgency=Urgency(
                label=UrgencyLabel.URGENT if urgent else UrgencyLabel.NORMAL,
                score=0.95 if urgent else 0.02,
            ),
            analyzers={"words": "1"},
        )


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source of the tests."""

    id: str = "presse"
    watches: list[str] | None = None
    trusted: bool = False
    own: bool = False


@dataclass
class Town:
    """All stages on one store, driven by hand."""

    store: SqliteStore
    collect: Collect
    analyze: Analyze
    evaluate: Evaluate
    dispatch: Dispatch
    now: datetime = START
    number: int = 0
    source: Source = field(default_factory=Source)

    def mention(self, text: str, *, author: str | None = None, **more: object) -> Mention:
        self.number += 1
        values: dict[str, object] = {
            "source": self.source.id,
            "id": f"m{self.number}",
            "text": text,
            "created_at": self.now,
            "author": Author(id=author or f"a{self.number}"),
        }
        return Mention(**(values | more))  # type: ignore[arg-type] test values

    async def say(self, *texts: str, author: str | None = None) -> None:
        mentions = tuple(self.mention(text, author=author) for text in texts)
        await self.collect.accept(self.source, Batch(mentions=mentions), now=self.now)

    async def work(self, *, later: timedelta = timedelta(0)) -> None:
        self.now += later
        for stage in (self.analyze, self.evaluate, self.dispatch):
            while await stage.step(self.now):
                pass

    async def run(self, duration: timedelta) -> None:
        """Let the stages look every ten seconds."""
        for _ in range(int(duration / timedelta(seconds=10))):
            await self.work(later=timedelta(seconds=10))


def build_town(
    store: SqliteStore, *, query: str = "", rules: bytes = RULES, is_replay: bool = False
) -> Town:
    protector = Protector(
        Pseudonyms(mention_key=b"m" * 32, author_key=b"a" * 32),
        sealing_key=b"s" * 32,
        keep=frozenset(),
        nonce=lambda: b"n" * 12,
    )
    return Town(
        store=store,
        collect=Collect(
            store,
            matcher=Matcher((Watch(id="mairie", query=query),)),
            protector=protector,
            is_replay=is_replay,
        ),
        analyze=Analyze(store, WordAnalyst()),
        evaluate=Evaluate(store, parse_rules({"rules.yml": rules})),
        dispatch=Dispatch(
            store,
            route=RouteSettings(receivers=["astreinte", "courriel"]),
            group_wait=RulesSettings().waits(),
        ),
    )


@pytest.fixture
async def store(tmp_path: Path, blank: Path) -> AsyncIterator[SqliteStore]:
    path = shutil.copy(blank, tmp_path / "veille.db")
    async with SqliteStore(path, group_commit=timedelta(0), is_durable=False) as opened:
        yield opened


@pytest.fixture
async def town(store: SqliteStore) -> Town:
    town = build_town(store)
    await town.evaluate.open(town.now)
    return town


@pytest.fixture
def stages() -> Callable[..., Town]:
    return build_town
