"""The comparison and the swap tests measure what they say."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from veille.domain.analysis import HostilityLabel
from veille.domain.errors import InputError
from veille.nlp.analyst import Analyst
from veille.nlp.metrics import Whole
from veille.training.corpus import Corpus, Row

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bias() -> ModuleType:
    return script("bias")


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    return script("compare")


def frames_of(bias: ModuleType, folder: Path, *lines: str) -> list[Any]:
    path = folder / "frames.tsv"
    path.write_text("# comment\naxis\ttone\ttext\n" + "\n".join(lines) + "\n", encoding="utf-8")
    found: list[Any] = bias.read_frames(path)  # Any: a script's own class
    return found


def reading(bias: ModuleType, hostility: str, score: float) -> object:
    scores = dict.fromkeys(bias.SCORED, 0.0) | {"hostility": score}
    labels = dict.fromkeys(bias.LABELLED, "same") | {"hostility": hostility}
    return bias.Reading(scores=scores, labels=labels)


def test_braces_of_a_frame_change_together(bias: ModuleType, tmp_path: Path) -> None:
    (frame,) = frames_of(bias, tmp_path, "gender\tneutral\t{Il|Elle} est {parti|partie}.")
    assert frame.texts == ("Il est parti.", "Elle est partie.")


def test_a_list_fills_a_frame_and_opens_it_with_a_capital(bias: ModuleType, tmp_path: Path) -> None:
    _, frame = frames_of(
        bias, tmp_path, "@who\tlist\tles gens|les élus",
        "group\tneutral\tOn voit {@who}.", "group\tneutral\t{@who} passent.",
    )  # fmt: skip
    assert frame.texts == ("Les gens passent.", "Les élus passent.")


@pytest.mark.parametrize(
    "line",
    [
        "group\tneutral\tsans variante",
        "group\tneutral\t{un|deux} et {trois}",
        "group\tneutral\t{@unknown}",
        "group\tangry\t{un|deux}",
        "group\t{un|deux}",
    ],
)
def test_a_frame_that_compares_nothing_is_refused_by_its_line(
    bias: ModuleType, tmp_path: Path, line: str
) -> None:
    with pytest.raises(InputError, match="line 3"):
        frames_of(bias, tmp_path, line)


def test_a_name_is_blamed_only_where_the_reference_is_not_hostile(
    bias: ModuleType, tmp_path: Path
) -> None:
    frames = frames_of(
        bias, tmp_path, "group\tneutral\t{a|b|c} ici", "group\tneutral\t{a|b} crétins"
    )
    none, threat = HostilityLabel.NONE, HostilityLabel.THREAT
    read = [
        (frames[0], [reading(bias, x, y) for x, y in ((none, 0.1), (threat, 0.9), (none, 0.2))]),
        (frames[1], [reading(bias, HostilityLabel.UNCIVIL, 0.8)] * 2),
    ]
    assert bias.blamed(read, frozenset({"group"})) == {"b": 1}
    (row,) = [row for row in bias.rows(read) if "| hostility |" in row]
    assert row.startswith("| group | 3 | hostility | 0.300 | 0.800 | 1 of 3: 33.3%")


def test_shipped_frames_say_what_the_card_claims_of_them(bias: ModuleType) -> None:
    frames = bias.read_frames(bias.FRAMES)
    assert len(frames) >= 60
    assert {"group", "name", "quarter", "region", "register", "gender", "overseas"} == {
        frame.axis for frame in frames
    }
    assert all(len(set(frame.texts)) == len(frame.texts) for frame in frames)


def test_naming_a_group_makes_no_sentence_hostile(bias: ModuleType, analyst: Analyst) -> None:
    """Measured: none of 528; every second frame, with room for one."""
    frames = [frame for frame in bias.read_frames(bias.FRAMES) if frame.axis == "group"][::2]
    read = bias.read_all(analyst, frames)
    assert bias.blamed(read, frozenset({"group"})).total() <= 1


class Parrot:
    """Says the same of everything; knows sentiment alone."""

    name = "parrot"
    heads = frozenset({"sentiment"})

    def read(self, texts: Sequence[str], heads: Sequence[str]) -> Mapping[str, Whole]:
        return {head: np.zeros(len(texts), dtype=np.int64) for head in heads}


class ByLength:
    """A classifier of one dimension that can be checked by hand."""

    def fit(self, vectors: np.ndarray, gold: Sequence[int]) -> ByLength:
        self.cut = float(np.mean(vectors))
        return self

    def predict(self, vectors: np.ndarray) -> np.ndarray:
        return (vectors[:, 0] > self.cut).astype(int)


def test_the_table_has_a_row_a_head_and_a_dash_for_what_a_method_cannot_say(
    compare: ModuleType,
) -> None:
    rows = [
        Row(text=str(at), labels={"sentiment": at % 2, "urgency": at % 2}, origin="x")
        for at in range(10)
    ]
    lines = list(compare.measure([Parrot()], [compare.TestSet(name="ten", rows=rows)]))
    assert lines[0] == "| set, head | n | parrot |"
    assert lines[2].startswith("| ten, sentiment | 10 | 33.3 [")
    assert lines[3] == "| ten, urgency | 10 | – |"
    assert lines[4].startswith("| texts/s, sentiment of ten | 10 | ")


def test_a_learner_knows_only_the_heads_it_was_taught(compare: ModuleType) -> None:
    learner = compare.Learner(
        name="length",
        vectors=lambda texts: np.array([[float(len(text))] for text in texts]),
        classifier=ByLength,
    )
    learner.learn(
        [
            Row(text="a", labels={"urgency": 0, "sentiment": 1}, origin="x"),
            Row(text="aaaaa", labels={"urgency": 1}, origin="x"),
        ]
    )
    assert learner.heads == {"urgency"}
    assert learner.read(["aa", "aaaaaa"], ["urgency"])["urgency"].tolist() == [0, 1]


def test_a_lexicon_is_neutral_inside_its_band(compare: ModuleType) -> None:
    polarity = {"bien": 0.4, "rien": 0.04, "mal": -0.4}
    lexicon = compare.Lexicon(name="x", polarity=polarity.__getitem__, band=0.05)
    found = lexicon.read(["mal", "rien", "bien"], ["sentiment"])["sentiment"]
    assert found.tolist() == [0, 1, 2]


def test_sets_that_are_absent_are_named_and_skipped(
    compare: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = Corpus(data=tmp_path, sentences=tmp_path)
    names = [item.name for item in compare.test_sets(corpus)]
    assert names == ["municipal, dev", "**municipal, blind**"]
    assert capsys.readouterr().err.count("SKIPPED") == 3
