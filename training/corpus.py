"""Read the training and dev sets: public ones from the data folder, our sentences from here.

The public texts are never copied into the repository; VEILLE_DATA names their folder.
"""

from __future__ import annotations

import csv
import json
import os
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from veille.nlp.prepare import for_encoder

DATA = Path(os.environ.get("VEILLE_DATA", Path(__file__).parents[2] / "shared" / "data"))
OURS = Path(__file__).with_name("sentences_fr.tsv")
SENTIMENTS = ("negative", "neutral", "positive")
SHORT = {"neg": 0, "neu": 1, "pos": 2}
INFORMATIVE = "Related and informative"
UNKNOWN = -1  # a label the set does not give; its loss is left out
# Sets with person-written French that only widen the vocabulary (licences: MIT, CC BY).
VOCABULARY_SETS = ("mlma_hate_fr", "toxifrench", "hatecheck_fr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One text with the labels its set gives; UNKNOWN where it gives none."""

    text: str
    sentiment: int = UNKNOWN
    crisis: int = UNKNOWN
    urgent: int = UNKNOWN
    origin: str = ""


def read_jsonl(name: str, split: str) -> Iterator[dict]:
    """Yield the rows of a public set, their text as the runtime hands it to the network."""
    with (DATA / name / f"{split}.jsonl").open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            yield {**row, "text": for_encoder(row["text"])}


def umsab(split: str) -> list[Row]:
    rows = read_jsonl("umsab_sentiment_fr", split)
    return [
        Row(text=r["text"], sentiment=SENTIMENTS.index(r["label"]), origin="umsab") for r in rows
    ]


def deft(split: str) -> list[Row]:
    """Return DEFT 2017 with three classes: objective is neutral, mixed is left out."""
    classes = {"negative": 0, "objective": 1, "positive": 2}
    rows = (r for r in read_jsonl("deft2017_polarity_fr", split) if r["label"] in classes)
    return [Row(text=r["text"], sentiment=classes[r["label"]], origin="deft") for r in rows]


def t26(split: str) -> list[Row]:
    rows = read_jsonl("crisislex_t26", split)
    return [
        Row(text=r["text"], crisis=int(r["label"] == INFORMATIVE), origin=r["event"]) for r in rows
    ]


def t26_sample(count: int, seed: int) -> list[Row]:
    """Return `count` train rows, shared evenly by event and then by label."""
    groups: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in t26("train"):
        groups[row.origin, row.crisis].append(row)
    rng = random.Random(seed)
    for rows in groups.values():
        rng.shuffle(rows)
    sample: list[Row] = []
    while len(sample) < count and any(groups.values()):
        sample += [rows.pop() for rows in groups.values() if rows]
    return sample[:count]


def label(value: str) -> int:
    return int(value) if value else UNKNOWN


def ours() -> list[Row]:
    with OURS.open(encoding="utf-8") as lines:
        return [
            Row(
                text=for_encoder(r["text"]),
                sentiment=SHORT[r["sentiment"]],
                urgent=label(r["urgent"]),
                crisis=label(r["crisis"]),
                origin="ours",
            )
            for r in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def municipal_dev() -> list[Row]:
    """Return the hundred dev sentences of the project; never trained on."""
    path = Path(__file__).parents[1] / "tests" / "data" / "municipal_fr_dev.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = [line.split("\t") for line in lines if not line.startswith("#")]
    return [
        Row(text=for_encoder(c[0]), sentiment=SHORT[c[1]], urgent=int(c[2]), origin="municipal")
        for c in cells
    ]


def all_training_texts() -> Iterator[str]:
    """Yield every text whose pieces the vocabulary must hold."""
    for name in ("umsab_sentiment_fr", "deft2017_polarity_fr", "crisislex_t26", *VOCABULARY_SETS):
        yield from (row["text"] for row in read_jsonl(name, "train"))
    if OURS.exists():
        yield from (row.text for row in ours())
