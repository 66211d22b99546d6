"""The blind test set is what it says: labelled as docs/labels.md says, and never learnt from."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from veille.nlp.labelled import Labelled, parse
from veille.training.corpus import read_tsv
from veille.training.labels import HEADS

ROOT = Path(__file__).parents[2]
BLIND = ROOT / "tests" / "data" / "blind_fr.tsv"
TUNED_ON = (ROOT / "tests" / "data" / "municipal_fr_dev.tsv", ROOT / "tests/nlp/short_calls.tsv")


@pytest.fixture(scope="module")
def blind() -> Labelled:
    return parse(BLIND.read_bytes(), topics=HEADS["topic"])


def bare(text: str) -> str:
    """Return the letters and digits alone: spelling of case, accents and signs aside."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return re.sub(r"[^a-z0-9]+", " ", plain).strip()


def test_every_kind_of_text_is_there_in_numbers_that_measure(blind: Labelled) -> None:
    counts = {
        head: Counter(each.labels[head] for each in blind.examples)
        for head in ("sentiment", "urgency", "hostility", "intent", "topic")
    }
    assert len(blind.examples) >= 300
    assert counts["urgency"]["yes"] >= 60
    wanted = {"criticism": 40, "thanks": 40, "irony": 40, "insult": 25, "threat": 25, "rumor": 20}
    assert {name: counts["intent"][name] >= least for name, least in wanted.items()} == (
        dict.fromkeys(wanted, True)
    )
    assert min(counts["topic"][topic] for topic in HEADS["topic"]) >= 6
    assert set(counts["intent"]) == set(HEADS["intent"])


def test_labels_do_not_contradict_each_other(blind: Labelled) -> None:
    for each in blind.examples:
        labels = each.labels
        assert (labels["hostility"] == "none") == (labels["target"] == "none"), each
        assert (labels["intent"] == "threat") == (labels["hostility"] == "threat"), each
        if labels["intent"] in {"criticism", "thanks", "irony"}:
            assert (labels["hostility"], labels["urgency"]) == ("none", "no"), each
        if labels["intent"] in {"distress", "threat"}:
            assert (labels["sentiment"], labels["urgency"]) == ("negative", "yes"), each


def test_nothing_of_it_is_learnt_from_or_chosen_on(blind: Labelled) -> None:
    files = (ROOT / "training" / "sentences").glob("*.tsv")
    ours = [row["text"] for path in files for row in read_tsv(path)]
    tuned = [
        line.split("\t")[0]
        for path in TUNED_ON
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    texts = [bare(each.text) for each in blind.examples]
    assert len(ours) > 1_000
    assert len(set(texts)) == len(texts)
    # « merci » alone: some texts are so short that everybody writes them
    known = {text for each in (*ours, *tuned) if " " in (text := bare(each))}
    assert known.isdisjoint(texts)
