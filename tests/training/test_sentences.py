"""The training sentences keep the promises of their data card."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from veille.domain.text import fold, words
from veille.training.corpus import DEV_VOICES, labels_of, read_tsv
from veille.training.labels import HEADS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "training" / "sentences"
SHARED = ROOT.parent / "shared" / "data"
FOREIGN = ("crisislex", "umsab_sentiment_ar", "umsab_sentiment_de", "umsab_sentiment_en",
           "umsab_sentiment_es", "umsab_sentiment_hi", "umsab_sentiment_it",
           "umsab_sentiment_pt", "mlma_hate_en")  # fmt: skip
NEAR = 0.75  # of the words of both: « merci beaucoup à vous » meets itself in any two collections
LONG = 7  # shorter texts (« bravo à tous », « c’est du foutage de gueule ») are anyone’s
LABELS = ("sentiment", "urgent", "crisis", "hostility", "target", "intent", "topic")
ROWS = [(path.stem, row) for path in sorted(FOLDER.glob("*.tsv")) for row in read_tsv(path)]


def _bag(text: str) -> frozenset[str]:
    return frozenset(words(fold(text)))


def _near(others: list[str]) -> Iterator[str]:
    """Yield each sentence of ours that says the same as one of the others."""
    posted: dict[str, list[frozenset[str]]] = defaultdict(list)
    for bag in {_bag(text) for text in others}:
        if len(bag) >= LONG:
            for word in bag:
                posted[word].append(bag)
    for _, row in ROWS:
        bag = _bag(row["text"])
        if len(bag) < LONG:
            continue
        # Sets that share so much share one of the rarest words, all but what may differ.
        may_differ = len(bag) - math.ceil(NEAR * len(bag))
        rare = sorted(bag, key=lambda word: len(posted.get(word, ())))[: may_differ + 1]
        found = {
            other
            for word in rare
            for other in posted.get(word, ())
            if NEAR <= len(other) / len(bag) <= 1 / NEAR
        }
        if any(len(bag & other) / len(bag | other) >= NEAR for other in found):
            yield row["text"]


def _tsv(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split("\t")[0] for line in lines if not line.startswith(("#", "text\t"))]


def test_all_labels_are_known_and_every_row_has_those_that_must_not_lack() -> None:
    assert len(ROWS) == 12_424
    for _, row in ROWS:
        assert labels_of(row).keys() >= {"sentiment", "urgency", "hostility", "target", "intent"}
        assert row["text"].strip() == row["text"]
        assert row["voice"]


def test_hostility_and_target_come_together() -> None:
    lonely = [r["text"] for _, r in ROWS if (r["hostility"] == "none") != (r["target"] == "none")]
    assert lonely == []


def test_at_least_four_thousand_sentences_have_every_label() -> None:
    assert sum(all(row[name] for name in LABELS) for _, row in ROWS) >= 4_000


def test_every_label_occurs_in_train_and_in_dev() -> None:
    for head in ("hostility", "target", "intent", "topic"):
        for is_dev in (True, False):
            seen = {row[head] for _, row in ROWS if (row["voice"] in DEV_VOICES) == is_dev}
            assert set(HEADS[head]) <= seen, (head, is_dev)


def test_no_sentence_is_there_twice() -> None:
    counts = Counter(fold(row["text"]).strip() for _, row in ROWS)
    assert [text for text, count in counts.items() if count > 1] == []


def test_sentences_of_a_pair_stand_in_one_split_and_differ_in_a_label() -> None:
    pairs: dict[str, list[dict[str, str]]] = defaultdict(list)
    for _, row in ROWS:
        if row["pair"]:
            pairs[row["pair"]].append(row)
    assert len(pairs) >= 300
    for rows in pairs.values():
        assert len(rows) > 1, rows
        assert len({tuple(row[name] for name in LABELS) for row in rows}) > 1, rows
        assert len({row["voice"] in DEV_VOICES for row in rows}) == 1, rows


def test_the_dev_voices_are_every_eighth_of_all_files_with_voices() -> None:
    voices = sorted({row["voice"] for file, row in ROWS if file != "a"})
    assert set(voices[3::8]) == DEV_VOICES
    assert sum(row["voice"] in DEV_VOICES for _, row in ROWS) == 1_369


@pytest.mark.parametrize("name", ["municipal_fr_dev.tsv", "blind_fr.tsv"])
def test_no_sentence_is_or_resembles_one_that_we_measure_by(name) -> None:
    assert list(_near(_tsv(ROOT / "tests" / "data" / name))) == []


@pytest.mark.timeout(120)  # it reads every public text there is
def test_no_sentence_was_taken_from_a_public_set() -> None:
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is absent: the public sets are not in this repository")
    texts = []
    for path in sorted(SHARED.glob("*/*.jsonl")):
        if path.parent.name.startswith(FOREIGN):
            continue
        with path.open(encoding="utf-8") as lines:
            texts += [str(json.loads(line).get("text", "")) for line in lines]
    assert texts
    assert list(_near(texts)) == []
