"""Variants of a rule along one of its thresholds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from veille.rules.mutation import Put, into, rules_in, written
from veille.rules.yaml_nodes import Fields, Scalar

OFFSETS = (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3)
"""By how much the threshold of a score moves; those that leave [-1, 1] are left out."""
FACTORS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)
"""By how much `min_count` is multiplied, rounded; each count once, 1 at least."""

_SCORE = re.compile(r"(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)", re.ASCII)
_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A rule with one threshold set to `value`, as a file of rules; `is_current`: as written."""

    rule: str
    field: str
    value: float
    is_current: bool
    data: bytes


def variants(file: str, data: bytes) -> Iterator[Variant]:
    """Yield the rules of a file with `min_count` and each threshold of a score moved, ascending.

    Some may be refused by the parser. Nothing is yielded of a file that cannot be read.
    """
    for name, rule, put in rules_in(file, data):
        node = rule.nodes.get("min_count")
        if isinstance(node, Scalar) and node.text.isdigit():
            current = int(node.text)
            for count in sorted({max(1, round(current * factor)) for factor in FACTORS}):
                yield _variant(name, "min_count", node, str(count), into(rule, "min_count", put))
        where = rule.nodes.get("where")
        if isinstance(where, Fields):
            yield from _scores(name, where, into(rule, "where", put))


def _scores(rule: str, where: Fields, put: Put) -> Iterator[Variant]:
    for field, node in where.nodes.items():
        if not field.endswith(".score") or not isinstance(node, Scalar):
            continue
        found = _SCORE.fullmatch(node.text.strip())
        if found is None:
            continue
        for offset in OFFSETS:
            value = round(float(found[2]) + offset, _DIGITS)
            if abs(value) <= 1 and (value >= 0 or float(found[2]) < 0):
                text = f"{found[1]} {value:g}"
                yield _variant(rule, field, node, text, into(where, field, put))


def _variant(rule: str, field: str, node: Scalar, text: str, put: Put) -> Variant:
    value, current = _number(text), _number(node.text)
    return Variant(
        rule=rule,
        field=field,
        value=value,
        is_current=value == current,
        data=written(put(replace(node, text=text))).encode(),
    )


def _number(text: str) -> float:
    return float(text.lstrip("<>= "))
