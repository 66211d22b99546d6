"""Observations and engines for rule tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from veille.domain.analysis import (
    Analysis,
    Cluster,
    Entity,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.mention import MentionKind
from veille.domain.record import Observation
from veille.rules.engine import Engine
from veille.rules.parse import parse_rules

START = datetime(2026, 1, 18, 1, 0, tzinfo=UTC)


def cluster(name: str, **found: Any) -> Cluster:
    given: dict[str, Any] = {"size": 1, "wordings": 1, "authors": 1, "is_claim": False}
    return Cluster(id=name, **{**given, **found})


def analysis(
    urgency: float = 0.0, sentiment: float = 0.0, entities: Any = (), **more: Any
) -> Analysis:
    if isinstance(more.get("cluster"), str):
        more["cluster"] = cluster(more["cluster"])
    label = SentimentLabel.NEGATIVE if sentiment < 0 else SentimentLabel.NEUTRAL
    return Analysis(
        lang="fr",
        sentiment=Sentiment(label=label, score=sentiment, probabilities={label: 1.0}),
        crisis=urgency,
        urgency=Urgency(
            label=UrgencyLabel.URGENT if urgency >= 0.5 else UrgencyLabel.NORMAL, score=urgency
        ),
        entities=tuple(Entity(label=a, text=b, start=0, end=len(b)) for a, b in entities),
        **more,
    )


@pytest.fixture
def observed() -> Callable[..., Observation]:
    """Makes one observation: at so many seconds after START, received when created."""

    def make(seq: int, at: float = 0, *, found: Analysis | None = None, **fields: Any):
        moment = START + timedelta(seconds=at)
        is_gone = fields.pop("is_gone", False)
        given: dict[str, Any] = {
            "seq": seq, "key": f"k{seq}", "source": "s", "watches": ("mairie",),
            "kind": MentionKind.POST, "text": "", "created_at": moment, "received_at": moment,
            "author": f"a{seq}", "analysis": None if is_gone else found or analysis(),
        }  # fmt: skip
        return Observation(**{**given, **fields})

    return make


@pytest.fixture
def engine_of() -> Callable[[str], Engine]:
    """Makes an engine of the YAML of its rules."""
    return lambda text: Engine(parse_rules({"r.yml": text.encode()}))


@pytest.fixture
def found() -> Callable[..., Analysis]:
    return analysis


@pytest.fixture
def at() -> Callable[[float], datetime]:
    return lambda seconds: START + timedelta(seconds=seconds)
