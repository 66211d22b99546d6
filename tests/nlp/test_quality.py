"""The shipped weights are the good ones: a wrong file, threshold or calibration must not pass.

Each floor is the lower end of the 95 % interval of what was measured (the card's tables), rounded
down; of what should not happen, the upper end. benchmarks/evaluate.py measures.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from veille.app.evaluation import logits_of, read
from veille.nlp import evaluation
from veille.nlp.analyst import Analyst
from veille.nlp.evaluation import ChoiceFigures, ScoreFigures
from veille.nlp.labelled import Example
from veille.nlp.metrics import Numbers
from veille.nlp.prepare import for_encoder, legible

ROOT = Path(__file__).parents[2]
PUBLIC = ROOT.parent / "shared" / "data"
MUNICIPAL = ROOT / "tests" / "data" / "municipal_fr_dev.tsv"
BLIND = ROOT / "tests" / "data" / "blind_fr.tsv"
SHORT = ROOT / "tests" / "nlp" / "short_calls.tsv"


class Scored:
    """A labelled file with what the network says of every `step`th text."""

    def __init__(
        self, analyst: Analyst, path: Path, *, head: str | None = None, step: int = 1
    ) -> None:
        if not path.exists():
            pytest.skip(f"{path} is absent: this set was NOT checked")
        self._manifest = analyst.manifest
        found = read(path, analyst.manifest, head).examples[::step]
        self._rows: list[Example] = [row for row in found if legible(for_encoder(row.text))]
        texts = [row.text for row in self._rows]
        self._logits: Numbers = logits_of(analyst, texts, lambda _: None)

    def choice(self, head: str) -> ChoiceFigures:
        figures = evaluation.figures(self._manifest, head, self._logits, self._rows)
        assert isinstance(figures, ChoiceFigures)
        return figures

    def score(self, head: str) -> ScoreFigures:
        figures = evaluation.figures(self._manifest, head, self._logits, self._rows)
        assert isinstance(figures, ScoreFigures)
        return figures

    def hurting(self) -> dict[str, int]:
        found = evaluation.mistakes(self._manifest, self._logits, self._rows)
        return {each.name: each.hits for each in found}


def test_municipal_sentences_stay_above_their_floors(analyst: Analyst) -> None:
    municipal = Scored(analyst, MUNICIPAL)
    urgency = municipal.score("urgency")
    assert urgency.auroc.value >= 0.99
    assert urgency.recall.value >= 0.83
    assert urgency.precision.value >= 0.72
    assert municipal.choice("sentiment").macro_f1.value >= 0.82
    assert municipal.choice("intent").macro_f1.value >= 0.76


def test_short_calls_for_help_are_told_from_short_talk(analyst: Analyst) -> None:
    urgency = Scored(analyst, SHORT).score("urgency")
    assert urgency.auroc.value >= 0.92
    assert urgency.recall.value >= 0.74
    assert urgency.precision.value >= 0.74


@pytest.mark.parametrize(
    ("name", "floor"), [("umsab_sentiment_fr", 0.68), ("deft2017_polarity_fr", 0.71)]
)
def test_french_tweets_stay_above_their_floor(analyst: Analyst, name: str, floor: float) -> None:
    tweets = Scored(analyst, PUBLIC / name / "dev.jsonl")
    assert tweets.choice("sentiment").macro_f1.value >= floor


def test_crisis_tweets_stay_above_their_floor(analyst: Analyst) -> None:
    tweets = Scored(analyst, PUBLIC / "crisislex_t26" / "dev.jsonl", step=5)
    assert tweets.score("crisis").auroc.value >= 0.88


def test_toxic_comments_stay_above_their_floor(analyst: Analyst) -> None:
    comments = Scored(analyst, PUBLIC / "toxifrench" / "dev.jsonl", head="toxicity")
    assert comments.score("toxicity").accuracy.value >= 0.68


def test_blind_sentences_stay_above_their_floors(analyst: Analyst) -> None:
    """No figure of this set may ever choose anything: a floor that fails is no reason to tune."""
    blind = Scored(analyst, BLIND)
    urgency = blind.score("urgency")
    assert urgency.recall_at_5.value >= 0.86
    assert urgency.recall.value >= 0.82
    for head, floor in {"sentiment": 0.73, "hostility": 0.75, "intent": 0.73}.items():
        assert blind.choice(head).macro_f1.value >= floor, head
    hurting = blind.hurting()
    assert hurting["criticism called hostile"] <= 3  # of 44
    assert hurting["thanks called negative"] <= 11  # of 50
    assert hurting["irony called positive"] <= 13  # of 42
