"""From the logits of development texts to probabilities and labels, and to figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veille.domain.errors import ConfigError
from veille.nlp import fitting, metrics
from veille.nlp.manifest import CHOICES, Calibration, Choice, Measure, Score
from veille.nlp.metrics import Estimate, Numbers, Whole
from veille.training.corpus import Corpus, Row
from veille.training.labels import HEADS, SPANS, is_score
from veille.training.network import Read
from veille.training.recipe import Abstain

FITTED_ON = {
    "sentiment": ("umsab", "deft", "voices", "municipal"),
    "crisis": ("t26", "voices", "umsab", "deft"),
    "urgency": ("voices", "municipal"),
    "hostility": ("voices",),
    "target": ("voices",),
    "intent": ("voices", "municipal"),
    "topic": ("voices", "municipal"),
    "toxicity": ("toxifrench",),
}
"""Which development sets each head's numbers are fitted on; opinion tweets are no crisis."""
FALSE_ALARMS = 0.05  # of the urgency label: the rate its recall is asked for at (issue 4)
RESAMPLES = metrics.RESAMPLES
CALM = ("umsab", "deft")


@dataclass(frozen=True, slots=True, kw_only=True)
class DevSet:
    """A development set with what the network says of it: a row a text, a column an output."""

    name: str
    rows: Sequence[Row]
    logits: Numbers

    def of(self, head: str) -> tuple[Numbers, Whole]:
        """Return the head's logits of the texts that are labelled, and the labels."""
        gold = [row.labels.get(head, -1) for row in self.rows]
        if head == "crisis" and self.name in CALM:
            gold = [0] * len(gold)
        known = [i for i, label in enumerate(gold) if label >= 0]
        return self.logits[known, SPANS[head]], np.array([gold[i] for i in known], dtype=np.int64)


def dev_rows(corpus: Corpus) -> dict[str, list[Row]]:
    """Return the development texts by set."""
    public = {name: corpus.public(name, "dev") for name in ("umsab", "deft", "t26", "toxifrench")}
    return {"voices": corpus.ours("dev"), "municipal": corpus.municipal(), **public}


def glance(corpus: Corpus, read: Read) -> str:
    """Return the main figures of a network on the smaller development sets, to choose between.

    Not calibrated: which label is likeliest does not depend on it.
    """
    found = []
    for name, rows in dev_rows(corpus).items():
        if name == "t26":  # 4,250 tweets: measured once, when published
            continue
        logits = read([row.text for row in rows])
        each = DevSet(name=name, rows=rows, logits=logits)
        for head in HEADS:
            ours, gold = each.of(head)
            if len(set(gold.tolist())) < 2:  # noqa: PLR2004  nothing to tell apart
                continue
            if is_score(head):
                found.append(f"{name} {head} AUROC {metrics.auroc(gold, ours[:, 0]):.3f}")
            else:
                said = ours.argmax(axis=1).astype(np.int64)
                found.append(f"{name} {head} macro-F1 {metrics.macro_f1(gold, said):.3f}")
    return ", ".join(found)


def calibration(sets: Mapping[str, DevSet], abstain: Mapping[str, Abstain]) -> Calibration:
    """Return the numbers of all heads. Raises ConfigError where a head has no dev text."""
    found: dict[str, Choice | Score] = {}
    for head in HEADS:
        logits, gold = _together(sets, head)
        if len(set(gold.tolist())) < 2:  # noqa: PLR2004  nothing to tell apart
            raise ConfigError(f"the dev texts have fewer than two labels of {head}: add some")
        origin = f"{' + '.join(FITTED_ON[head])} dev, n = {len(gold)}"
        if is_score(head):
            found[head] = _score(head, logits[:, 0], gold, origin)
        else:
            found[head] = _choice(head, logits, gold, abstain.get(head), origin)
    return Calibration(**found)  # type: ignore[arg-type]  # each head has the kind of its name


def measures(sets: Mapping[str, DevSet], numbers: Calibration) -> list[Measure]:
    """Return the figures of every head on every set that labels it, with 95 % intervals."""
    found = []
    for each in sets.values():
        for head in HEADS:
            logits, gold = each.of(head)
            if len(set(gold.tolist())) < 2:  # noqa: PLR2004  nothing to tell apart
                continue
            columns = _probabilities(head, logits, numbers)
            for metric, estimate in _figures(head, columns, gold):
                found.append(_measure(each.name, len(gold), f"{head} {metric}", estimate))
    return found


def _figures(head: str, shares: Numbers, gold: Whole) -> list[tuple[str, Estimate]]:
    if not is_score(head):
        said = shares.argmax(axis=1).astype(np.int64)
        right = (said == gold).astype(np.float64)
        return [
            ("macro-F1", _interval(metrics.macro_f1, gold, said)),
            ("accuracy", metrics.wilson(int(right.sum()), len(gold))),
            ("ECE", _interval(metrics.ece, shares.max(axis=1), right)),
        ]
    yes = shares[:, 0]
    hits = int(((yes >= 0.5) == (gold == 1)).sum())  # noqa: PLR2004  even odds
    found = [
        ("AUROC", _interval(metrics.auroc, gold, yes)),
        ("accuracy", metrics.wilson(hits, len(gold))),
        ("ECE", _interval(metrics.ece, yes, gold.astype(np.float64))),
    ]
    if head == "urgency":
        recall = metrics.recall_at(gold, yes)
        found.append((f"recall at {FALSE_ALARMS:.0%} false alarms", recall))
    return found


def _interval(metric: metrics.Metric, *columns: NDArray[Any]) -> Estimate:
    return metrics.bootstrap(metric, *columns, resamples=RESAMPLES)


def _measure(name: str, n: int, metric: str, estimate: Estimate) -> Measure:
    low, value, high = (round(x, 4) for x in (estimate.low, estimate.value, estimate.high))
    return Measure(dataset=name, split="dev", n=n, metric=metric, value=value, low=low, high=high)


def _probabilities(head: str, logits: Numbers, numbers: Calibration) -> Numbers:
    if head in CHOICES:
        return fitting.softmax(logits, getattr(numbers, head).temperature)
    score: Score = getattr(numbers, head)
    return fitting.logistic(score.scale * logits + score.shift)


def _together(sets: Mapping[str, DevSet], head: str) -> tuple[Numbers, Whole]:
    parts = [sets[name].of(head) for name in FITTED_ON[head]]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _score(head: str, logits: Numbers, gold: Whole, origin: str) -> Score:
    scale, shift = (round(x, 4) for x in fitting.platt(logits, gold))
    threshold = None
    if head == "urgency":
        scores = fitting.logistic(scale * logits + shift)
        threshold = fitting.threshold_for_false_alarms(scores, gold, rate=FALSE_ALARMS)
        threshold = round(threshold, 4)
        origin += f"; threshold: the lowest with {FALSE_ALARMS:.0%} false alarms there"
    return Score(scale=scale, shift=shift, threshold=threshold, origin=f"Platt: {origin}")


def _choice(
    head: str, logits: Numbers, gold: Whole, abstain: Abstain | None, origin: str
) -> Choice:
    temperature = round(fitting.temperature(logits, gold), 4)
    shares = fitting.softmax(logits, temperature)
    least: dict[str, float] = {}
    if abstain is not None:
        least = _least(head, shares, gold, abstain)
        origin += f"; abstains by {abstain.words()}"
    return Choice(temperature=temperature, least=least, origin=f"temperature by NLL: {origin}")


def _least(head: str, shares: Numbers, gold: Whole, abstain: Abstain) -> dict[str, float]:
    said, sure = shares.argmax(axis=1), shares.max(axis=1)
    if abstain.coverage is not None:
        cut = round(fitting.least_for_coverage(sure, coverage=abstain.coverage), 4)
        return dict.fromkeys(HEADS[head], cut)
    found = {}
    for number, label in enumerate(HEADS[head]):
        at = said == number
        right = (gold[at] == number).astype(np.int64)
        cut_at = fitting.least_probability(sure[at], right, precision=abstain.precision or 0.0)
        found[label] = 1.0 if cut_at is None else round(cut_at, 4)
    return found
