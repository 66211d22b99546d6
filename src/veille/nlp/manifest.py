"""`model.toml`: what a model is made of, what it was trained on, how it is calibrated."""

from __future__ import annotations

import msgspec


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers fitted on development data only; `origin` says on which.

    Sentiment probabilities are the softmax of logits / `sentiment_temperature`; crisis and
    urgency are the logistic function of `scale` * logit + `shift` (Platt scaling).
    """

    sentiment_temperature: float
    crisis_scale: float
    crisis_shift: float
    urgency_scale: float
    urgency_shift: float
    urgency_threshold: float
    origin: str


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


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. `files` maps each file's name to its SHA-256."""

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
