"""The daemon's model process around a small analyst, which dies of a word of the test's choice."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import ModuleType

import pytest

from veille.app import analyst_process
from veille.app.analyst_process import AnalystProcess
from veille.domain.analysis import (
    Analysis,
    Passage,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.nlp.settings import ModelSettings

DEADLY, BROKEN = "DEADLY_WORD", "BROKEN_WORD"


class Deadly:
    """Dies of one word as of a fault in a library, raises on another, reads the rest as calm."""

    def analyze(self, passages: Sequence[Passage]) -> list[Analysis]:
        for passage in passages:
            if os.environ[DEADLY] in passage.text:
                os.kill(os.getpid(), signal.SIGKILL)
            if os.environ[BROKEN] in passage.text:
                raise ValueError("the analyst broke")
        label = SentimentLabel.NEUTRAL
        calm = Analysis(
            lang="fr",
            sentiment=Sentiment(label=label, score=0.0, probabilities={label: 1}),
            crisis=0.1,
            urgency=Urgency(label=UrgencyLabel.NORMAL, score=0.02),
            analyzers={"deadly": "1"},
        )
        return [calm for _ in passages]

    explain = None


def answer() -> None:
    """Answer as the daemon's process does, with this analyst for a model."""
    model = ModuleType("veille.nlp.load")
    model.load_analyst = lambda *_, **__: Deadly()  # type: ignore[attr-defined] a module of ours
    sys.modules["veille.nlp.load"] = model
    analyst_process.answer()


def process(patch: pytest.MonkeyPatch, *, deadly: str, broken: str) -> AnalystProcess:
    """Return a process of its own that dies of texts with one word, and raises on another."""
    patch.setattr(analyst_process, "_CHILD", "from servers.deadly import answer; answer()")
    patch.setenv("PYTHONPATH", "tests")
    patch.setenv(DEADLY, deadly)
    patch.setenv(BROKEN, broken)
    return AnalystProcess(ModelSettings(), ())
