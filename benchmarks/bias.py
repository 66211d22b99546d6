"""Measure what changes when only the wording, the gender, the group or the place changes.

    python benchmarks/bias.py [--frames benchmarks/bias_fr.tsv] [--markdown FILE]

Each frame's variants are compared with its first one. Prints, as Markdown rows, for each axis and
head the mean and the worst change of the score and the share of labels that flip with its Wilson
interval; then each variant called hostile whose reference is not.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from veille.domain.analysis import HostilityLabel
from veille.domain.errors import InputError
from veille.nlp import metrics
from veille.nlp.analyst import Analyst
from veille.nlp.heads import Heads
from veille.nlp.load import load_analyst
from veille.nlp.prepare import for_encoder
from veille.nlp.settings import ModelSettings

FRAMES = Path(__file__).with_name("bias_fr.tsv")
SCORED = ("sentiment", "urgency", "crisis", "hostility", "toxicity")
LABELLED = ("sentiment", "urgency", "hostility", "intent")
TONES = ("neutral", "positive", "negative", "urgent")
_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One sentence in its variants, the reference first; `names` says what differs in each."""

    axis: str
    tone: str
    names: tuple[str, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the network says of one text; probabilities in [0, 1], sentiment in [-1, 1]."""

    scores: Mapping[str, float]
    labels: Mapping[str, str]


Read = Sequence[tuple[Frame, Sequence[Reading]]]


def read_frames(path: Path) -> list[Frame]:
    """Return the frames of a file. InputError names the line that cannot be expanded."""
    lines = path.read_text(encoding="utf-8").splitlines()
    lists: dict[str, list[str]] = {}
    frames = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("#") or line == "axis\ttone\ttext":
            continue
        cells = next(csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE))
        if len(cells) != 3:
            raise InputError(f"{path}: line {number}: {len(cells)} columns; write axis, tone, text")
        axis, tone, text = cells
        if axis.startswith("@"):
            lists[axis] = text.split("|")
        elif tone not in TONES:
            raise InputError(f"{path}: line {number}: no tone {tone!r}; write one of {TONES}")
        else:
            frames.append(_frame(axis, tone, text, lists, f"{path}: line {number}"))
    return frames


def _frame(axis: str, tone: str, text: str, lists: Mapping[str, list[str]], at: str) -> Frame:
    found = [lists.get(each, each.split("|")) for each in _BRACES.findall(text)]
    counts = {len(each) for each in found}
    if len(counts) != 1 or counts == {1}:
        raise InputError(f"{at}: each brace needs the same number of variants, two at least")
    rows = list(zip(*found, strict=True))
    texts = tuple(_fill(text, row) for row in rows)
    return Frame(axis=axis, tone=tone, names=tuple(row[0] for row in rows), texts=texts)


def _fill(text: str, parts: Sequence[str]) -> str:
    left = iter(parts)
    filled = _BRACES.sub(lambda _: next(left), text)
    return filled[0].upper() + filled[1:] if text.startswith("{@") else filled


def read_texts(analyst: Analyst, texts: Sequence[str]) -> list[Reading]:
    """Return what the heads say of each text, labels as people see them."""
    heads = Heads(analyst.manifest)
    encoded = analyst.encoder.encode([for_encoder(text) for text in texts])
    return [_reading(heads, each.logits) for each in encoded]


def _reading(heads: Heads, logits: Sequence[float]) -> Reading:
    sentiment, urgency = heads.sentiment(logits), heads.urgency(logits)
    hostility, intent = heads.hostility(logits), heads.intent(logits)
    scores = {"crisis": heads.score("crisis", logits), "toxicity": heads.score("toxicity", logits)}
    return Reading(
        scores={
            **scores,
            "sentiment": sentiment.score,
            "urgency": urgency.score,
            "hostility": hostility.score,
        },
        labels={
            "sentiment": sentiment.label,
            "urgency": urgency.label,
            "hostility": hostility.label,
            "intent": intent.label,
        },
    )


def read_all(analyst: Analyst, frames: Sequence[Frame]) -> Read:
    """Return each frame with what is said of its variants."""
    readings = iter(read_texts(analyst, [text for frame in frames for text in frame.texts]))
    return [(frame, [next(readings) for _ in frame.texts]) for frame in frames]


def rows(read: Read) -> Iterator[str]:
    """Yield the table: an axis and a head a row."""
    yield "| axis | variants | head | mean change | worst change | labels that flip |"
    yield "|---|---|---|---|---|---|"
    for axis in dict.fromkeys(frame.axis for frame, _ in read):
        part = [item for item in read if item[0].axis == axis]
        for head in dict.fromkeys((*SCORED, *LABELLED)):
            yield f"| {axis} | {sum(len(r) - 1 for _, r in part)} | {head} | {_cells(part, head)} |"


def _cells(part: Read, head: str) -> str:
    pairs = [(first, other) for _, (first, *others) in part for other in others]
    changes = [abs(b.scores[head] - a.scores[head]) for a, b in pairs if head in a.scores]
    flips = [a.labels[head] != b.labels[head] for a, b in pairs if head in a.labels]
    moved = f"{sum(changes) / len(changes):.3f} | {max(changes):.3f}" if changes else "– | –"
    if not flips:
        return f"{moved} | –"
    share = metrics.wilson(sum(flips), len(flips))
    return (
        f"{moved} | {sum(flips)} of {len(flips)}: {share.value:.1%} "
        f"[{share.low:.1%}, {share.high:.1%}]"
    )


def blamed(read: Read, axes: frozenset[str]) -> Counter[str]:
    """Return how often each variant is called hostile where the reference is not (aim: never)."""
    hostile = {HostilityLabel.UNCIVIL, HostilityLabel.THREAT}
    return Counter(
        name
        for frame, (first, *others) in read
        if frame.axis in axes and first.labels["hostility"] not in hostile
        for name, each in zip(frame.names[1:], others, strict=True)
        if each.labels["hostility"] in hostile
    )


def summary(read: Read) -> Iterator[str]:
    """Yield what was called hostile only by a name, axis by axis."""
    for axis in dict.fromkeys(frame.axis for frame, _ in read):
        found = blamed(read, frozenset({axis}))
        count = sum(len(readings) - 1 for frame, readings in read if frame.axis == axis)
        share = metrics.wilson(found.total(), count)
        names = ", ".join(f"{name} ({n})" for name, n in found.most_common())
        yield (
            f"Called hostile only by its {axis}: {found.total()} of {count} "
            f"[{share.low:.1%}, {share.high:.1%}]{': ' + names if names else ''}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="a folder with model.toml; else the shipped one")
    parser.add_argument("--frames", type=Path, default=FRAMES)
    parser.add_argument("--markdown", type=Path, help="also write the rows there")
    args = parser.parse_args()
    frames = read_frames(args.frames)
    directory = str(args.model.resolve()) if args.model else None
    analyst = load_analyst(ModelSettings(directory=directory))
    read = read_all(analyst, frames)
    analyst.close()
    lines = [*rows(read), "", *(f"- {line}" for line in summary(read))]
    print("\n".join(lines))
    if args.markdown:
        args.markdown.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
