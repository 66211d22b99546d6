"""What stands beside the weights: model.toml, reference.jsonl and a first model card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from veille.nlp.manifest import Calibration, Choice, Manifest, Measure, Score, TrainingSet
from veille.nlp.metrics import Numbers
from veille.training.labels import HEADS, OUTPUTS, is_score
from veille.training.work import write

MAX_LENGTH = 256  # tokens read in use; training sees fewer, since long texts are rare
PLACES = 4  # decimals of a recorded number
# name in the manifest, licence, what it teaches
SETS = {
    "umsab": ("umsab_sentiment_fr", "Apache-2.0 (repository)", "sentiment"),
    "deft": ("deft2017_polarity_fr", "CeCILL", "sentiment"),
    "t26": ("crisislex_t26", "MIT", "crisis"),
    "toxifrench": ("toxifrench", "MIT", "toxicity"),
    "ours": ("sentences", "EUPL-1.2 (ours)", "all heads but toxicity"),
}


def neutral() -> Calibration:
    """Return numbers that change nothing, for a network that is not calibrated yet."""
    origin = "not calibrated"
    return Calibration(
        **{  # type: ignore[arg-type]  # each head has the kind of its name
            head: Score(scale=1.0, shift=0.0, origin=origin)
            if is_score(head)
            else Choice(temperature=1.0, origin=origin)
            for head in HEADS
        }
    )


def hashes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of each file."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write model.toml."""
    import tomlkit

    plain = msgspec.to_builtins(manifest)
    for head in plain["calibration"].values():
        if head.get("threshold", 0) is None:  # TOML has no null
            del head["threshold"]
    write(folder / "model.toml", tomlkit.dumps(plain).encode())


def manifest_of(
    *,
    name: str,
    version: str,
    licence: str,
    processor: str,
    files: dict[str, str],
    numbers: Calibration,
    training: Sequence[TrainingSet] = (),
    measured: Sequence[Measure] = (),
) -> Manifest:
    """Return the manifest of a network with the outputs of `labels`."""
    return Manifest(
        name=name,
        version=version,
        licence=licence,
        labels=OUTPUTS,
        max_length=MAX_LENGTH,
        processor=processor,
        files=files,
        calibration=numbers,
        training=tuple(training),
        measured=tuple(measured),
    )


def write_reference(folder: Path, texts: Sequence[str], logits: Numbers) -> None:
    """Write reference.jsonl: what the network in fp32 says of some sentences, all outputs."""
    lines = [
        {"text": text, "logits": [round(float(x), PLACES) for x in row]}
        for text, row in zip(texts, np.asarray(logits), strict=True)
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    write(folder / "reference.jsonl", text.encode())


def write_card(folder: Path, manifest: Manifest) -> None:
    """Write README.md with data and figures, unless a person's stands there already."""
    path = folder / "README.md"
    if path.exists():
        return
    rows = "".join(
        f"| {m.dataset} {m.split} | {m.n} | {m.metric} | {m.value:.3f} "
        f"| {m.low:.3f} to {m.high:.3f} |\n"
        for m in manifest.measured
    )
    data = "".join(f"| {t.name} | {t.rows} | {t.licence} | {t.use} |\n" for t in manifest.training)
    write(path, CARD.format(m=manifest, figures=rows, data=data).encode())


CARD = """# {m.name} {m.version}

Made by `veille models train`; licence {m.licence}; on {m.processor}. To be completed by a person:
intended use, limits, bias.

Development figures: the numbers of the calibration were fitted on these rows, so take them as
optimistic.

| set, split | n | metric | value | 95 % interval |
|---|---|---|---|---|
{figures}
| trained on | rows | licence | for |
|---|---|---|---|
{data}"""
