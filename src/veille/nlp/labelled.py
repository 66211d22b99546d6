"""Labelled texts from a file: TSV with or without a header, or JSON Lines of one label a line."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from veille.domain.analysis import FEELINGS, IntentLabel, Target
from veille.domain.errors import InputError

FILE_LIMIT = 64 * 1024 * 1024
"""Twenty times the largest public set of docs/models.md; a larger file is no test set."""
YES, NO = "yes", "no"
SCORES = ("urgency", "crisis", "toxicity")
HEADS = ("sentiment", *SCORES, "hostility", "target", "intent", "topic")
_COLUMNS = {**{head: head for head in HEADS}, "urgent": "urgency", "toxic": "toxicity"}
_WANTED = frozenset({"text", "label", *_COLUMNS})
# A commented file without a header has these, as tests/data/municipal_fr_dev.tsv.
_HEADERLESS = ("text", "sentiment", "urgent", "intent", "topic")
_TRUTH = {"1": YES, "0": NO, "yes": YES, "no": NO, "true": YES, "false": NO}
_LEFT_OUT = {"sentiment": frozenset({"mixed"})}
_VALUES: Mapping[str, Mapping[str, str]] = {
    "sentiment": {
        **{label.value: label.value for label in FEELINGS},
        "neg": "negative", "neu": "neutral", "pos": "positive", "objective": "neutral",
    },
    "urgency": {**_TRUTH, "urgent": YES, "normal": NO},
    # CrisisLexT26 (Olteanu, Vieweg and Castillo, CSCW 2015) and T6 (ICWSM 2014)
    "crisis": {
        **_TRUTH, "Related and informative": YES, "Related - but not informative": NO,
        "Not related": NO, "Not applicable": NO, "on-topic": YES, "off-topic": NO,
    },
    "toxicity": {**_TRUTH, "toxic": YES, "normal": NO, "hateful": YES, "non-hateful": NO},
    "hostility": {name: name for name in ("none", "uncivil", "threat")},
    "target": {name: name for name in ("none", *Target)},
    "intent": {label.value: label.value for label in IntentLabel if label.value != "undecided"},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One text with what it is by each head that was labelled; scores are `yes` or `no`."""

    text: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A whole file. `left_out` counts the texts without any label we have, by why."""

    examples: tuple[Example, ...]
    left_out: Mapping[str, int]

    def of(self, head: str) -> list[Example]:
        """Return the examples that say something of this head."""
        return [each for each in self.examples if head in each.labels]

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads something is said of, in a fixed order."""
        found = {head for each in self.examples for head in each.labels}
        return tuple(head for head in HEADS if head in found)


def parse(raw: bytes, *, topics: Sequence[str], head: str | None = None) -> Labelled:
    """Return the labelled texts of a file; `head` says what a column named `label` is about.

    An empty cell says nothing. InputError names the line and the remedy for an unknown column, a
    label no head has, a text that is missing, bytes that are not UTF-8, and two columns that say
    the same or may contradict each other.
    """
    if len(raw) > FILE_LIMIT:
        raise InputError(f"the file has {len(raw)} bytes, more than {FILE_LIMIT}: split it")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"line {line}: not UTF-8; save the file as UTF-8") from error
    # splitlines would also split at U+2028 inside a text
    lines = [(n, line.rstrip("\r")) for n, line in enumerate(text.split("\n"), start=1)]
    lines = [(n, line) for n, line in lines if line.strip()]
    is_json = bool(lines) and lines[0][1].startswith("{")
    rows = list(_json_rows(lines) if is_json else _tsv_rows(lines))
    if not rows:
        raise InputError("the file has no text: one labelled text a line is needed")
    values = {**_VALUES, "topic": {topic: topic for topic in topics}}
    names = _names(rows, values, head)
    return _labelled(rows, names, values)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    line: int
    cells: Mapping[str, str]


def _json_rows(lines: Sequence[tuple[int, str]]) -> Iterator[_Row]:
    for number, line in lines:
        try:
            found = json.loads(line, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise InputError(f"line {number}: no JSON object: {error}") from error
        if not isinstance(found, dict):
            raise InputError(f'line {number}: no JSON object; write {{"text": …, "label": …}}')
        cells = {key: _word(found[key]) for key in found.keys() & _WANTED if found[key] is not None}
        yield _Row(line=number, cells=cells)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    doubled = [name for name, n in Counter(name for name, _ in pairs).items() if n > 1]
    if doubled := [name for name in doubled if name in _WANTED]:
        raise ValueError(f'"{doubled[0]}" stands twice; keep one')
    return dict(pairs)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def _tsv_rows(lines: Sequence[tuple[int, str]]) -> Iterator[_Row]:
    body = [(n, line) for n, line in lines if not line.startswith("#")]
    if not body:
        return
    top, header = body[0][0], tuple(next(_cells(body[0][1])))
    if "text" in header:
        body = body[1:]
        known = [name for name in header if name in _WANTED]
        if doubled := [name for name, n in Counter(known).items() if n > 1]:
            raise InputError(f'line {top}: the column "{doubled[0]}" stands twice; keep one')
        if known == ["text"]:
            names = ", ".join(["label", *_COLUMNS])
            raise InputError(f"line {top}: no column with a label; name one of {names}")
    elif len(header) == len(_HEADERLESS):
        header = _HEADERLESS
    else:
        raise InputError(
            f"line {top}: {len(header)} columns and no header; write a first line such as "
            "text<TAB>sentiment"
        )
    for number, line in body:
        cells = next(_cells(line))
        if len(cells) != len(header):
            raise InputError(f"line {number}: {len(cells)} columns, the header has {len(header)}")
        named = dict(zip(header, cells, strict=True))
        yield _Row(line=number, cells={k: v for k, v in named.items() if k in _WANTED})


def _cells(line: str) -> Iterator[list[str]]:
    return csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE)


def _names(
    rows: Sequence[_Row], values: Mapping[str, Mapping[str, str]], head: str | None
) -> dict[str, str]:
    """Return which head each column is about."""
    present = {name for row in rows for name in row.cells}
    names = {name: about for name, about in _COLUMNS.items() if name in present}
    _check_rivals(rows, names)
    if "label" not in present:
        return {name: about for name, about in names.items() if head in {None, about}}
    if head is not None:
        return {"label": head}
    used = {row.cells["label"]: row.line for row in reversed(rows) if row.cells.get("label")}
    fitting = [
        each
        for each in HEADS
        if used.keys() <= values[each].keys() | _LEFT_OUT.get(each, frozenset())
    ]
    if len(fitting) == 1:
        return {"label": fitting[0]}
    if fitting:
        raise InputError(f"the labels fit several heads; say --head {' or --head '.join(fitting)}")
    nearest = max(HEADS, key=lambda each: len(used.keys() & values[each].keys()))
    strange = min(line for label, line in used.items() if label not in values[nearest])
    label = next(label for label, line in used.items() if line == strange)
    raise _unknown(strange, label, nearest, values[nearest])


def _check_rivals(rows: Sequence[_Row], names: Mapping[str, str]) -> None:
    """Refuse what would be silently ignored: columns beside `label`, two of one head."""
    seen: dict[str, str] = {}  # the first column of each head
    for row in rows:
        for name, head in names.items():
            if name in row.cells and (first := seen.setdefault(head, name)) != name:
                raise InputError(f'line {row.line}: "{first}" and "{name}" are one head; keep one')
    labels = [row.line for row in rows if "label" in row.cells]
    if names and labels:
        raise InputError(
            f'line {labels[0]}: "label" beside "{next(iter(names))}"; rename label to its head'
        )


def _labelled(
    rows: Sequence[_Row], names: Mapping[str, str], values: Mapping[str, Mapping[str, str]]
) -> Labelled:
    left_out: Counter[str] = Counter()
    examples = []
    for row in rows:
        text = row.cells.get("text", "")
        if not text.strip():
            raise InputError(f"line {row.line}: no text")
        labels, why = {}, "no label"
        for name, head in names.items():
            said = row.cells.get(name, "").strip()
            if said in _LEFT_OUT.get(head, ()):
                why = f"{head} {said}"
            elif said:
                if said not in values[head]:
                    raise _unknown(row.line, said, head, values[head])
                labels[head] = values[head][said]
        if labels:
            examples.append(Example(text=text, labels=labels))
        else:
            left_out[why] += 1
    if not examples:
        raise InputError("no text of the file has a label for this; see --head")
    return Labelled(examples=tuple(examples), left_out=dict(left_out))


def _unknown(line: int, label: str, head: str, known: Mapping[str, str]) -> InputError:
    names = ", ".join(known)
    # what is quoted stands where a label should: bounded, since it may be a text put there
    return InputError(f'line {line}: "{label[:24]}" is no {head}: write one of {names}')
