"""Reading one field of a rule or test file: the right type, or a finding that says where."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from veille.domain.durations import format_duration, parse_duration
from veille.domain.errors import InputError
from veille.rules.yaml_nodes import Fields, Findings, Items, Node, Scalar, shown, suggest

MAX_TEXT = 2000
MAX_POINTS = 500
"""Each previous window is counted again at every look."""
_INTEGER = re.compile(r"0|[1-9]\d{0,10}", re.ASCII)
_DECIMAL = re.compile(r"(?:0|[1-9]\d{0,8})(?:\.\d{1,9})?", re.ASCII)
_OCTAL = re.compile(r"0+(\d+(?:\.\d+)?)", re.ASCII)
_TRUTH = {"true": True, "false": False}


class Reader:
    """The fields of one mapping. Every method notes what is wrong and returns the default."""

    def __init__(self, node: Node, findings: Findings, known: Sequence[str]) -> None:
        self.node = node
        self.findings = findings
        self.fields: dict[str, Node] = {}
        if not isinstance(node, Fields):
            findings.add(node, f"expected a mapping, not {shown(node)}")
            return
        self.fields = node.nodes
        for name, key in node.keys.items():
            if name not in known and not findings.is_full:
                findings.add(key, f'unknown field "{name[:60]}"; {suggest(name, known)}')

    def has(self, name: str) -> bool:
        """Whether the field is written."""
        return name in self.fields

    def wrong(self, name: str, message: str) -> None:
        """Note that the field is wrong; at the mapping itself when it is missing."""
        self.findings.add(self.fields.get(name, self.node), f"{name}: {message}")

    def text(self, name: str, default: str = "") -> str:
        """Return a field's text, up to MAX_TEXT characters."""
        node = self.fields.get(name)
        if node is None:
            return default
        if not isinstance(node, Scalar) or (not node.text and not node.is_quoted):
            self.wrong(name, f"expected text, not {shown(node)}")
            return default
        if len(node.text) > MAX_TEXT:
            self.wrong(name, f"over {MAX_TEXT} characters: shorten it")
            return default
        return node.text

    def choice(self, name: str, known: Sequence[str], default: str | None = None) -> str:
        """Return one of `known`; a field without default must be written."""
        if not self.has(name):
            if default is None:
                self.wrong(name, f"missing: write one of {', '.join(known)}")
            return known[0] if default is None else default
        text = self.text(name)
        if text not in known:
            self.wrong(name, f'unknown value "{text[:60]}"; {suggest(text, known)}')
            return known[0] if default is None else default
        return text

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """Return a whole number in [low, high]."""
        node = self.fields.get(name)
        if node is None:
            return default
        if isinstance(node, Scalar) and _INTEGER.fullmatch(node.text):
            if low <= int(node.text) <= high:
                return int(node.text)
            self.wrong(name, f"{node.text} is out of range: write {low} to {high}")
        else:
            self.wrong(name, f"expected a whole number, not {shown(node)}{octal(node)}")
        return default

    def decimal(self, name: str, default: float, low: float, high: float) -> float:
        """Return a number in [low, high], written with a point."""
        node = self.fields.get(name)
        if node is None:
            return default
        if isinstance(node, Scalar) and _DECIMAL.fullmatch(node.text):
            if low <= float(node.text) <= high:
                return float(node.text)
            self.wrong(name, f"{node.text} is out of range: write {low:g} to {high:g}")
        else:
            self.wrong(name, f"expected a number such as 2.5, not {shown(node)}{octal(node)}")
        return default

    def previous(self, points: int, min_points: int, low: int) -> tuple[int, int]:
        """Return `points`, how many windows before this one, and `min_points`, how many of them
        must have been heard; both in [low, MAX_POINTS].
        """
        points = self.integer("points", points, low, MAX_POINTS)
        heard = self.integer("min_points", min(min_points, points), low, MAX_POINTS)
        if heard > points:
            self.wrong("min_points", f"{heard} is more than points, {points}: nothing fires")
        return points, heard

    def truth(self, name: str, *, default: bool) -> bool:
        """Return true or false; nothing else is either."""
        node = self.fields.get(name)
        if node is None:
            return default
        if isinstance(node, Scalar) and node.text in _TRUTH:
            return _TRUTH[node.text]
        self.wrong(name, f"expected true or false, not {shown(node)}")
        return default

    def duration(self, name: str, default: timedelta, low: timedelta, high: timedelta) -> timedelta:
        """Return a duration in [low, high]."""
        node = self.fields.get(name)
        if node is None:
            return default
        try:
            found = parse_duration(node.text if isinstance(node, Scalar) else "")
        except InputError as error:
            self.wrong(name, str(error))
            return default
        if low <= found <= high:
            return found
        limits = f"{format_duration(low)} to {format_duration(high)}"
        self.wrong(name, f"{format_duration(found)} is out of range: write {limits}")
        return default

    def names(self, name: str, known: Sequence[str], default: tuple[str, ...]) -> tuple[str, ...]:
        """Return a list of different names, each one of `known`."""
        if not self.has(name):
            return default
        found: list[str] = []
        for node in self.items(name):
            text = node.text if isinstance(node, Scalar) else ""
            if self.findings.is_full:
                return ()
            if text not in known:
                self.findings.add(node, f"{name}: unknown {shown(node)}; {suggest(text, known)}")
            elif text in found:
                self.findings.add(node, f'{name}: "{text}" stands twice')
            else:
                found.append(text)
        return tuple(found)

    def items(self, name: str) -> tuple[Node, ...]:
        """Return the nodes of a list field; empty when it is missing."""
        node = self.fields.get(name)
        if node is None:
            return ()
        if not isinstance(node, Items):
            remedy = f": write [{node.text[:60]}]" if isinstance(node, Scalar) and node.text else ""
            self.wrong(name, f"expected a list, not {shown(node)}{remedy}")
            return ()
        return node.nodes

    def texts(self, name: str) -> dict[str, str]:
        """Return a mapping of texts; empty when it is missing."""
        node = self.fields.get(name)
        if node is None:
            return {}
        if not isinstance(node, Fields):
            self.wrong(name, f"expected a mapping, not {shown(node)}")
            return {}
        inner = Reader(node, self.findings, tuple(node.nodes))
        return {key: inner.text(key) for key in node.nodes}


def octal(node: Node) -> str:
    """Return what to write instead of a number that begins with 0, "" for all else.

    YAML 1.1 reads `010` as 8: who meant 10 would not see it.
    """
    found = _OCTAL.fullmatch(node.text) if isinstance(node, Scalar) else None
    return "" if found is None else f": YAML may read it as octal: write {found[1]}"
