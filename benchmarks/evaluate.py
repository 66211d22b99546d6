"""Measure a model on the development sets, through the runtime the daemon uses.

    python benchmarks/evaluate.py --model models/veille-e5-fr [--data ../shared/data] [--json FILE]

Prints each figure with its 95 % bootstrap interval (1,000 resamples, fixed seed) and the speed of
each part. A set that is absent is named and skipped. Prints no text of any set.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from veille.domain.analysis import Analysis
from veille.nlp.analyst import Analyst
from veille.nlp.entities import EntityFinder
from veille.nlp.load import load_analyst, load_encoder, load_entity_model
from veille.nlp.prepare import for_encoder
from veille.nlp.settings import ModelSettings

ROOT = Path(__file__).parents[1]
LABELS = ("negative", "neutral", "positive")
SHORT = {"neg": 0, "neu": 1, "pos": 2}
INFORMATIVE = "Related and informative"
RESAMPLES = 1_000

Numbers = NDArray[np.float64]
Metric = Callable[[Numbers, Numbers], float]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured value with its 95 % interval."""

    dataset: str
    split: str
    n: int
    metric: str
    value: float
    low: float
    high: float


def macro_f1(gold: Numbers, said: Numbers) -> float:
    """Return the mean over classes of 2 TP / (2 TP + FP + FN)."""
    scores = []
    for label in np.unique(gold):
        hits = np.sum((gold == label) & (said == label))
        scores.append(2 * hits / max(1, np.sum(gold == label) + np.sum(said == label)))
    return float(np.mean(scores))


def accuracy(gold: Numbers, said: Numbers) -> float:
    return float(np.mean(gold == said))


def recall(gold: Numbers, said: Numbers) -> float:
    return float(np.sum(gold * said) / max(1, np.sum(gold)))


def precision(gold: Numbers, said: Numbers) -> float:
    return float(np.sum(gold * said) / max(1, np.sum(said)))


def auroc(gold: Numbers, score: Numbers) -> float:
    """Return the chance that a positive scores above a negative, ties counting half."""
    values, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = ((ends - counts + 1 + ends) / 2)[inverse]
    positives = np.sum(gold == 1)
    negatives = len(values) and len(gold) - positives
    if not positives or not negatives:
        return float("nan")
    above = np.sum(ranks[gold == 1]) - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def interval(metric: Metric, gold: Numbers, said: Numbers) -> tuple[float, float]:
    """Return the 2.5th and 97.5th percentiles of the metric over resampled rows."""
    rng = np.random.default_rng(20261122)
    picks = (rng.integers(0, len(gold), len(gold)) for _ in range(RESAMPLES))
    values = [metric(gold[pick], said[pick]) for pick in picks]
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def figure(name: str, metric: Metric, gold: list[int], said: list[float]) -> Figure:
    """Return the metric on one set; `name` is `dataset/split/what`."""
    dataset, split, what = name.split("/")
    true, found = np.array(gold, dtype=float), np.array(said, dtype=float)
    low, high = interval(metric, true, found)
    value = metric(true, found)
    return Figure(
        dataset=dataset, split=split, n=len(gold), metric=what, value=value, low=low, high=high
    )


def label_numbers(found: list[Analysis]) -> list[float]:
    return [float(LABELS.index(item.sentiment.label)) for item in found]


def rows_of(data: Path, name: str) -> list[dict[str, str]]:
    """Return the dev rows of a set; none, and a loud line, when it is absent."""
    path = data / name / "dev.jsonl"
    if not path.exists():
        print(f"SKIPPED {name}: {path} is absent", file=sys.stderr)
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def sentiment_set(analyst: Analyst, data: Path, name: str) -> Iterator[Figure]:
    classes = {"negative": 0, "neutral": 1, "objective": 1, "positive": 2}
    rows = [row for row in rows_of(data, name) if row["label"] in classes]
    if not rows:
        return
    gold = [classes[row["label"]] for row in rows]
    said = label_numbers(analyst.analyze([row["text"] for row in rows]))
    yield figure(f"{name}/dev/sentiment macro-F1", macro_f1, gold, said)
    yield figure(f"{name}/dev/sentiment accuracy", accuracy, gold, said)


def crisis_set(analyst: Analyst, data: Path) -> Iterator[Figure]:
    name = "crisislex_t26"
    rows = rows_of(data, name)
    if not rows:
        return
    gold = [int(row["label"] == INFORMATIVE) for row in rows]
    said = [item.crisis for item in analyst.analyze([row["text"] for row in rows])]
    yield figure(f"{name}/dev/crisis AUROC", auroc, gold, said)
    for event in sorted({row["event"] for row in rows}):
        at = [i for i, row in enumerate(rows) if row["event"] == event]
        part = [gold[i] for i in at], [said[i] for i in at]
        yield figure(f"{name}/dev/crisis AUROC, {event}", auroc, *part)


def municipal_set(analyst: Analyst) -> Iterator[Figure]:
    name = "municipal_fr"
    path = ROOT / "tests" / "data" / "municipal_fr_dev.tsv"
    if not path.exists():
        print(f"SKIPPED {name}: {path} is absent", file=sys.stderr)
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    found = analyst.analyze([row[0] for row in rows])
    gold, said = [SHORT[row[1]] for row in rows], label_numbers(found)
    yield figure(f"{name}/dev/sentiment macro-F1", macro_f1, gold, said)
    yield figure(f"{name}/dev/sentiment accuracy", accuracy, gold, said)
    irony = [i for i, row in enumerate(rows) if row[3] == "irony"]
    part = [gold[i] for i in irony], [said[i] for i in irony]
    yield figure(f"{name}/dev/sentiment accuracy, irony", accuracy, *part)
    urgent = [int(row[2]) for row in rows]
    yield figure(f"{name}/dev/urgency AUROC", auroc, urgent, [x.urgency.score for x in found])
    labels = [float(item.urgency.label == "urgent") for item in found]
    yield figure(f"{name}/dev/urgency recall", recall, urgent, labels)
    yield figure(f"{name}/dev/urgency precision", precision, urgent, labels)


def short_set(analyst: Analyst) -> Iterator[Figure]:
    """Calls for help of a few words, and texts as short that are none."""
    name = "short_calls"
    path = ROOT / "tests" / "nlp" / "short_calls.tsv"
    if not path.exists():
        print(f"SKIPPED {name}: {path} is absent", file=sys.stderr)
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    found = analyst.analyze([row[0] for row in rows])
    urgent = [int(row[1]) for row in rows]
    labels = [float(item.urgency.label == "urgent") for item in found]
    yield figure(f"{name}/held out/urgency AUROC", auroc, urgent, [x.urgency.score for x in found])
    yield figure(f"{name}/held out/urgency recall", recall, urgent, labels)
    yield figure(f"{name}/held out/urgency precision", precision, urgent, labels)


def quiet_set(analyst: Analyst, data: Path) -> Iterator[Figure]:
    """Opinion tweets are hardly ever urgent: the share called urgent is a false-alarm rate."""
    for name in ("umsab_sentiment_fr", "deft2017_polarity_fr"):
        rows = rows_of(data, name)
        if rows:
            found = analyst.analyze([row["text"] for row in rows])
            labels = [float(item.urgency.label == "urgent") for item in found]
            yield figure(f"{name}/dev/share called urgent", accuracy, [1] * len(labels), labels)


def cost(work: Callable[[list[str]], object], texts: list[str]) -> tuple[float, float]:
    """Return texts per second, and milliseconds of processor time a text over all threads."""
    work(texts[:20])
    wall, busy = time.perf_counter(), time.process_time()
    work(texts)
    spent = time.process_time() - busy
    return len(texts) / (time.perf_counter() - wall), 1_000 * spent / len(texts)


def print_speed(analyst: Analyst, settings: ModelSettings, data: Path) -> None:
    texts = [row["text"] for row in rows_of(data, "umsab_sentiment_fr")]
    if not texts:
        return
    _, encoder = load_encoder(settings)
    finder = EntityFinder(load_entity_model())
    parts: dict[str, Callable[[list[str]], object]] = {
        "encoder": lambda chunk: encoder.encode([for_encoder(text) for text in chunk]),
        "entities": finder.find,
        "all": analyst.analyze,
    }
    for name, work in parts.items():
        rate, busy_ms = cost(work, texts)
        print(f"speed, {name}: {rate:.0f} texts/s, {busy_ms:.1f} ms of processor time a text")
    print(f"{settings.threads} threads; {processor()}; texts/s of a busy machine are too low")


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor()
    lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    vnni = "with" if any("avx512_vnni" in line for line in lines) else "without"
    return f"{names[0] if names else platform.processor()}, {vnni} AVX-512 VNNI"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "veille-e5-fr")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    args = parser.parse_args()
    settings = ModelSettings(directory=str(args.model.resolve().parent), threads=args.threads)
    analyst = load_analyst(settings)
    figures: list[Figure] = []
    for found in (
        sentiment_set(analyst, args.data, "umsab_sentiment_fr"),
        sentiment_set(analyst, args.data, "deft2017_polarity_fr"),
        crisis_set(analyst, args.data),
        municipal_set(analyst),
        short_set(analyst),
        quiet_set(analyst, args.data),
    ):
        for item in found:
            figures.append(item)
            print(
                f"{item.dataset} {item.split} (n={item.n}): {item.metric} {item.value:.3f} "
                f"[{item.low:.3f}, {item.high:.3f}]",
                flush=True,
            )
    print_speed(analyst, settings, args.data)
    if args.json:
        args.json.write_text(json.dumps([asdict(item) for item in figures], indent=1))


if __name__ == "__main__":
    main()
