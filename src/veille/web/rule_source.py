"""A rule's file as it is read: its lines, where the rule stands, what its author says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from veille.domain.text import printable
from veille.wording.format import visible

_ITEM = re.compile(r"^(?P<indent>\s*)-\s")
_PLACE = re.compile(r"(?P<path>.+\.yml):(?P<line>[1-9]\d{0,8})(?::\d+)?:\s*(?P<what>.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a file, its number from 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong; `path` leads to the line, None where none is named."""

    said: str
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A rule as it stands in the folder: `comment` is what its author wrote above it."""

    file: str
    lines: Sequence[Line]
    comment: str


def lines_of(data: bytes) -> list[Line]:
    """Return the lines of a file, safe to show."""
    text = data.decode("utf-8", "replace")
    return [
        Line(number=number, text=visible(printable(line)))
        for number, line in enumerate(text.split("\n"), start=1)
    ]


def rule_source(files: Mapping[str, bytes], rule: str) -> Source | None:
    """Return where the rule of this id stands, None where no file has it now."""
    begins = re.compile(rf"""^\s*(-\s+)?id:\s*(["']?){re.escape(rule)}\2\s*(#.*)?$""")
    for name in sorted(files):
        if name.endswith("_test.yml") or rule.encode() not in files[name]:
            continue
        lines = lines_of(files[name])
        at = next((n for n, line in enumerate(lines) if begins.match(line.text)), None)
        if at is not None:
            return _block(name, lines, at)
    return None


def finding(text: str) -> Finding:
    """Return a line of an error with the way to the place it names; folders are left out."""
    found = _PLACE.fullmatch(text)
    if found is None:
        return Finding(said=visible(text))
    name, line = PurePath(found["path"]).name, found["line"]
    what = visible(found["what"])
    return Finding(said=f"{name}:{line}: {what}", path=f"/rules/files/{name}#L{line}")


def _block(name: str, lines: Sequence[Line], at: int) -> Source:
    """Return the item of the list that holds line `at`, with the comment above it."""
    first = next((n for n in range(at, -1, -1) if _ITEM.match(lines[n].text)), at)
    begun = _ITEM.match(lines[first].text)
    indent = begun["indent"] if begun else ""
    ends = len(lines)
    for n in range(first + 1, len(lines)):
        item = _ITEM.match(lines[n].text)
        if item and item["indent"] == indent:
            ends = n
            break
    while ends > first + 1 and lines[ends - 1].text.strip()[:1] in {"", "#"}:
        ends -= 1
    above = first
    while above > 0 and lines[above - 1].text.strip().startswith("#"):
        above -= 1
    said = (line.text.strip().lstrip("#").strip() for line in lines[above:first])
    return Source(file=name, lines=lines[above:ends], comment=" ".join(filter(None, said)))
