"""A calibration of one's own, on top of the shipped one: `[models] calibration`."""

from __future__ import annotations

import hashlib
import math

import msgspec

from veille.domain.errors import ModelError
from veille.nlp.manifest import Calibration, Choice, Manifest, Score

FILE_LIMIT = 64 * 1024
COOLEST, HOTTEST = 0.05, 20.0
"""Bounds of a temperature, as nlp.fitting fits it."""
_MARK = "+cal."


class Heads(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The heads a file calibrates anew; the others stay as shipped."""

    sentiment: Choice | None = None
    hostility: Choice | None = None
    intent: Choice | None = None
    urgency: Score | None = None


class CalibrationFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `veille models calibrate --out` writes.

    `model` is the name and version it was fitted on: it says nothing of any other.
    """

    model: str
    made_at: str
    calibration: Heads


def identity(manifest: Manifest) -> str:
    """Return name and version of the model, whatever its calibration."""
    return f"{manifest.name}-{manifest.version.partition(_MARK)[0]}"


def recalibrated(manifest: Manifest, raw: bytes, *, name: str) -> Manifest:
    """Return the manifest with the numbers of a calibration file, and its hash in the version.

    Raises ModelError, with the remedy, for a malformed file, for numbers no fit gives, and when
    the file was fitted on another model.
    """
    if len(raw) > FILE_LIMIT:
        raise ModelError(f"{name}: {len(raw)} bytes are no calibration; name another file")
    try:
        file = msgspec.toml.decode(raw, type=CalibrationFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{name}: {error}; make it again: veille models calibrate") from error
    if file.model != identity(manifest):
        raise ModelError(
            f"{name} calibrates {file.model}, the model is {identity(manifest)}: make it again "
            "with veille models calibrate, or take calibration out of [models]"
        )
    numbers = {head: getattr(file.calibration, head) for head in Heads.__struct_fields__}
    given = {head: each for head, each in numbers.items() if each is not None}
    for head, each in given.items():
        if trouble := _trouble(manifest, head, each):
            raise ModelError(f"{name}: calibration.{head}: {trouble}; make it again")
    digest = hashlib.sha256(raw).hexdigest()[:8]
    calibration: Calibration = msgspec.structs.replace(manifest.calibration, **given)
    version = f"{manifest.version.partition(_MARK)[0]}{_MARK}{digest}"
    return msgspec.structs.replace(manifest, version=version, calibration=calibration)


def _trouble(manifest: Manifest, head: str, numbers: Choice | Score) -> str | None:
    if isinstance(numbers, Choice):
        if not COOLEST <= numbers.temperature <= HOTTEST:
            return f"a temperature of {numbers.temperature} is not in [{COOLEST}, {HOTTEST}]"
        strange = numbers.least.keys() - manifest.places[head].keys()
        if strange:
            return f"no label {', '.join(sorted(strange))}"
        if not all(0 <= least <= 1 for least in numbers.least.values()):
            return "least holds what is no probability"
        return None
    if not (math.isfinite(numbers.scale) and numbers.scale > 0 and math.isfinite(numbers.shift)):
        return "scale must be above 0, and both numbers finite"
    if numbers.threshold is None or not 0 < numbers.threshold < 1:
        return "threshold must lie between 0 and 1"
    return None
