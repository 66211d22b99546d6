"""The shipped weights are the good ones: floors well under the measured figures.

benchmarks/evaluate.py measures; here a wrong file, threshold or calibration must not pass.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from veille.nlp.analyst import Analyst

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
LABELS = ("negative", "neutral", "positive")


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("evaluate", ROOT / "benchmarks" / "evaluate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["evaluate"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def public_rows(name: str, step: int) -> list[dict[str, str]]:
    path = DATA / name / "dev.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is absent: this set was NOT checked")
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[::step]]


def test_municipal_dev_stays_above_its_floors(analyst: Analyst, bench: ModuleType) -> None:
    found = {item.metric: item.value for item in bench.municipal_set(analyst)}
    assert found["urgency AUROC"] >= 0.93
    assert found["urgency recall"] >= 0.85
    assert found["urgency precision"] >= 0.6
    assert found["sentiment macro-F1"] >= 0.65


def test_short_calls_for_help_are_told_from_short_talk(analyst: Analyst, bench: ModuleType) -> None:
    found = {item.metric: item.value for item in bench.short_set(analyst)}
    assert found["urgency AUROC"] >= 0.90
    assert found["urgency recall"] >= 0.75
    assert found["urgency precision"] >= 0.75


def test_french_tweets_stay_above_their_floor(analyst: Analyst, bench: ModuleType) -> None:
    rows = public_rows("umsab_sentiment_fr", 1)
    said = bench.label_numbers(analyst.analyze([row["text"] for row in rows]))
    gold = [float(LABELS.index(row["label"])) for row in rows]
    assert bench.macro_f1(bench.np.array(gold), bench.np.array(said)) >= 0.71


def test_crisis_tweets_stay_above_their_floor(analyst: Analyst, bench: ModuleType) -> None:
    rows = public_rows("crisislex_t26", 5)
    said = [item.crisis for item in analyst.analyze([row["text"] for row in rows])]
    gold = [float(row["label"] == bench.INFORMATIVE) for row in rows]
    assert bench.auroc(bench.np.array(gold), bench.np.array(said)) >= 0.90
