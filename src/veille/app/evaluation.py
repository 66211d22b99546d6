"""What `veille models evaluate` measures: figures of each head, then speed."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from veille.domain.analysis import Passage
from veille.domain.clock import busy_s, monotonic_s
from veille.domain.errors import InputError, ModelError
from veille.nlp import evaluation, labelled
from veille.nlp.analyst import Analyst
from veille.nlp.evaluation import ChoiceFigures, Mistake, ScoreFigures
from veille.nlp.labelled import Example, Labelled
from veille.nlp.manifest import Manifest
from veille.nlp.metrics import Numbers
from veille.nlp.prepare import for_encoder, legible

CHUNK = 128
SPEED_TEXTS = 500
"""As many texts tell the rate to a few per cent; more would only take longer."""
_WARM = 20  # the first texts also load what is loaded late
Report = Callable[[int, float | None], None]


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """How fast the whole analysis went; a busy machine makes it look slower than it is."""

    n: int
    texts_per_s: float
    processor_ms_per_text: float
    threads: int
    processor: str


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One file read by one model. `left_out` counts texts by why they are in no figure."""

    model: str
    n: int
    left_out: dict[str, int]
    heads: tuple[ChoiceFigures | ScoreFigures, ...]
    mistakes: tuple[Mistake, ...]
    speed: Speed


def read(
    path: Path, manifest: Manifest, head: str | None, *, topics: Sequence[str] = ()
) -> Labelled:
    """Return the labelled texts of a file; InputError names file, line and remedy.

    `topics`: ids of `topics.yml`, which may hold some the network has no output for.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; name another file") from error
    try:
        known = tuple(dict.fromkeys([*topics, *manifest.places["topic"]]))
        return labelled.parse(raw, topics=known, head=head)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def evaluate(data: Labelled, analyst: Analyst, *, threads: int, report: Report) -> Evaluation:
    """Return all figures of these texts; `report` hears how many were read.

    A text without letter or emoji is not read by the network and is counted as left out.
    """
    examples = [each for each in data.examples if legible(for_encoder(each.text))]
    if not examples:
        raise InputError("no text holds a letter or an emoji: nothing can be measured")
    left_out = dict(data.left_out)
    if silent := len(data.examples) - len(examples):
        left_out["neither letter nor emoji"] = silent
    named = [each for each in examples if "topic" in each.labels]
    total = len(examples) + max(len(named), min(len(examples), SPEED_TEXTS))
    logits = logits_of(analyst, [each.text for each in examples], lambda done: report(done, total))
    topics, speed = _whole(
        analyst, named, examples, threads, lambda done: report(len(examples) + done, total)
    )
    return Evaluation(
        model=f"{analyst.manifest.name} {analyst.manifest.version}",
        n=len(examples),
        left_out=left_out,
        heads=tuple(
            topics if head == "topic" and topics else _figures(analyst, head, logits, examples)
            for head in data.heads
        ),
        mistakes=evaluation.mistakes(analyst.manifest, logits, examples),
        speed=speed,
    )


def _figures(
    analyst: Analyst, head: str, logits: Numbers, examples: Sequence[Example]
) -> ChoiceFigures | ScoreFigures:
    rows = [at for at, each in enumerate(examples) if head in each.labels]
    part = [examples[at] for at in rows]
    return evaluation.figures(analyst.manifest, head, logits[rows], part)


def logits_of(analyst: Analyst, texts: Sequence[str], done: Callable[[int], None]) -> Numbers:
    """Return the network's outputs, a row a text; each text holds a letter or an emoji.

    ModelError when an output is no number.
    """
    found: list[tuple[float, ...]] = []
    for start in range(0, len(texts), CHUNK):
        chunk = [for_encoder(text) for text in texts[start : start + CHUNK]]
        found += [each.logits for each in analyst.encoder.encode(chunk)]
        done(len(found))
    logits = np.array(found, dtype=np.float64)
    if not np.isfinite(logits).all():
        name = f"{analyst.manifest.name} {analyst.manifest.version}"
        raise ModelError(f"{name}: outputs that are no numbers; install the model again")
    return logits


def _whole(
    analyst: Analyst,
    named: Sequence[Example],
    examples: Sequence[Example],
    threads: int,
    done: Callable[[int], None],
) -> tuple[ChoiceFigures | None, Speed]:
    """Return the topics of what has one, and the speed of everything on it or on some texts."""
    passages = [Passage(text=each.text) for each in named or examples[:SPEED_TEXTS]]
    analyst.analyze(passages[:_WARM])
    wall, busy, found = monotonic_s(), busy_s(), []
    for start in range(0, len(passages), CHUNK):
        found += analyst.analyze(passages[start : start + CHUNK])
        done(len(found))
    spent, used = monotonic_s() - wall, busy_s() - busy
    speed = Speed(
        n=len(passages),
        texts_per_s=len(passages) / max(spent, 1e-9),
        processor_ms_per_text=1_000 * used / len(passages),
        threads=threads,
        processor=processor(),
    )
    if not named:
        return None, speed
    gold = [each.labels["topic"] for each in named]
    main = [(t[0].id, t[0].score) if (t := each.topics) else ("other", 0.0) for each in found]
    return evaluation.choice_figures("topic", evaluation.topics_found(main, gold), gold), speed


def processor() -> str:
    """Return the name of the processor, and whether it multiplies int8 by AVX-512 VNNI."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    vnni = "with" if any("avx512_vnni" in line for line in lines) else "without"
    return f"{names[0] if names else platform.machine()}, {vnni} AVX-512 VNNI"
