"""`model.toml`: what a model is made of, what it was trained on, how it is calibrated."""

from __future__ import annotations

import math
from functools import cached_property

import msgspec

from veille.domain.analysis import FEELINGS, HostilityLabel, IntentLabel, Target
from veille.domain.errors import ModelError

CHOICES = ("sentiment", "hostility", "target", "intent", "topic")
SCORES = ("crisis", "urgency", "toxicity")
LABELS: dict[str, frozenset[str]] = {
    "sentiment": frozenset(FEELINGS),
    "hostility": frozenset(HostilityLabel) - {HostilityLabel.UNDECIDED},
    "target": frozenset({"none", *Target}),
    "intent": frozenset(IntentLabel) - {IntentLabel.UNDECIDED},
    **{head: frozenset({""}) for head in SCORES},
}
"""What the program reads of each head; topics are free, those it knows no words of too."""


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A head that chooses one label: probabilities are the softmax of logits / `temperature`.

    `least`: the probability a label needs to be said; under it the head abstains. `origin` says
    on which development data the numbers were fitted.
    """

    temperature: float
    least: dict[str, float] = {}
    origin: str

    def __post_init__(self) -> None:
        if not (self.temperature > 0 and math.isfinite(self.temperature)):
            raise ValueError(f"temperature {self.temperature:g} is no finite number above 0")


class Score(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A head of one probability: the logistic function of `scale` * logit + `shift` (Platt).

    `threshold`: from which probability its label is said; None where it has no label.
    """

    scale: float
    shift: float
    threshold: float | None = None
    origin: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and math.isfinite(self.shift)):
            raise ValueError(f"scale {self.scale:g} and shift {self.shift:g} must be finite")


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How each head's logits become probabilities and labels."""

    sentiment: Choice
    hostility: Choice
    target: Choice
    intent: Choice
    topic: Choice
    crisis: Score
    urgency: Score
    toxicity: Score


class TrainingSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One set the weights learnt from."""

    name: str
    rows: int
    licence: str
    use: str


class Measure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One measured figure with what makes it mean something; `low` and `high` bound 95 %."""

    dataset: str
    split: str
    n: int
    metric: str
    value: float
    low: float
    high: float


class Listing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`communes.toml`: where the list of communes comes from, and the SHA-256 of its files."""

    name: str
    version: str
    licence: str
    files: dict[str, str]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """The whole file. `files` maps each file's name to its SHA-256.

    `labels` names the network's outputs in order: `head:label`, or `head` alone for a score.
    """

    name: str
    version: str
    licence: str
    labels: tuple[str, ...]
    max_length: int
    processor: str
    files: dict[str, str]
    calibration: Calibration
    training: tuple[TrainingSet, ...]
    measured: tuple[Measure, ...] = ()

    @cached_property
    def places(self) -> dict[str, dict[str, int]]:
        """Where each head's labels stand in the outputs; a score's only label is "".

        Raises ModelError when a head is missing, or has other labels than the program reads.
        """
        found: dict[str, dict[str, int]] = {}
        for at, name in enumerate(self.labels):
            head, _, label = name.partition(":")
            if label in found.setdefault(head, {}):
                raise ModelError(f"{self.name} {self.version} has two outputs named {name}")
            found[head][label] = at
        missing = set(CHOICES + SCORES) - found.keys()
        if missing:
            raise ModelError(
                f"{self.name} {self.version} has no output for {', '.join(sorted(missing))}: "
                "it is older than this program; install veille again"
            )
        for head, labels in LABELS.items():
            if labels != found[head].keys():
                odd = ", ".join(f'"{label}"' for label in sorted(labels ^ found[head].keys()))
                raise ModelError(
                    f"{self.name} {self.version}: the labels of {head} differ from those this "
                    f"program reads, by {odd}; install veille again"
                )
        return found
