"""Mutants of a rule: one thing changed at a time, which the rule's tests have to notice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from veille.domain.durations import format_duration, parse_duration
from veille.domain.errors import InputError
from veille.rules.fields import Reader
from veille.rules.yaml_nodes import Fields, Findings, Items, Node, Scalar, read

COUNTS = frozenset({
    "min_count", "min_authors", "min_points", "min_distinct", "points", "steps", "clear_below",
    "min_reach", "min_unanswered",
})  # fmt: skip
"""Whole numbers that are moved up and down: by one, from 100 on by a tenth."""
DECIMALS = frozenset({"k", "surprise", "min_ratio", "confidence", "rise", "limit"})
"""Numbers that are moved by a tenth of themselves, up and down."""
DURATIONS = frozenset({
    "window", "for", "keep_firing_for", "late_by", "within", "doubles_in", "memory", "max_age",
    "learn", "down_after",
})  # fmt: skip
"""Halved and doubled; one of nothing becomes five minutes."""
CONDITIONS = frozenset({"where", "of", "any", "not"})
"""Mappings, or lists of them, that hold conditions on a mention."""
SCORE_STEP = 0.05
"""By how much the threshold of a score in [0, 1] moves; of a larger number a tenth of it."""

_COMPARISON = re.compile(r"(>=|<=|!=|=|>|<)\s*(-?\d+(?:\.\d+)?)", re.ASCII)
_FLIPPED = {">=": "<", ">": "<", "<=": ">", "<": ">", "=": "!=", "!=": "="}
_NEAR = {">=": ">", ">": ">=", "<=": "<", "<": "<="}
_EDGE = "5m"
_MANY = 100
_TENTH = 0.1
_DIGITS = 4

Put = Callable[[Node | None], Node]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change to one rule: where it was made, what became of what, and the whole changed file.

    `line` and `column` count from 1, in the file as it is written.
    """

    rule: str
    line: int
    column: int
    change: str
    data: bytes


def mutants(file: str, data: bytes) -> Iterator[Mutant]:
    """Yield every mutant of the rules in a file, in the order of their places.

    Changed are comparisons (turned round; with and without their edge; their number moved), whole
    numbers, durations and decimals that are thresholds; conditions are dropped and negated, and so
    are alternatives. Nothing is yielded of a file that cannot be read; a mutant may be one that no
    parser accepts.
    """
    for name, rule, put in rules_in(file, data):
        for place, change, mutated in _of_rule(rule, put):
            yield Mutant(
                rule=name,
                line=place.line,
                column=place.column,
                change=change,
                data=written(mutated).encode(),
            )


def rules_in(file: str, data: bytes) -> Iterator[tuple[str, Fields, Put]]:
    """Yield the id of each rule in a file, its fields, and what puts others in their place."""
    root = read(data, Findings(file))
    if not isinstance(root, Fields) or not isinstance(root.nodes.get("rules"), Items):
        return
    rules = Reader(root, Findings(file), tuple(root.nodes)).items("rules")
    listed = Items(root.line, root.column, rules)
    for index, rule in enumerate(rules):
        if isinstance(rule, Fields):
            name = rule.nodes.get("id")
            put = _at(listed, index, into(root, "rules", _itself))
            yield name.text if isinstance(name, Scalar) else "", rule, put


def _itself(node: Node | None) -> Node:
    return node or Node(1, 1)


_Change = tuple[Node, str, Node]
"""Where, what was changed, and the whole file with the change."""


def _of_rule(rule: Fields, put: Put) -> Iterator[_Change]:
    for name, node in rule.nodes.items():
        inner = into(rule, name, put)
        if name in CONDITIONS:
            yield from _of_conditions(node, inner)
        elif isinstance(node, Scalar):
            for text in _moved(name, node.text):
                yield node, f"{name}: {node.text} -> {text}", inner(replace(node, text=text))


def into(fields: Fields, name: str, put: Put) -> Put:
    """Return what puts another value under `name`; without one the field is left out."""

    def inner(changed: Node | None) -> Node:
        nodes = dict(fields.nodes)
        if changed is None:
            del nodes[name]
        else:
            nodes[name] = changed
        return put(replace(fields, nodes=nodes))

    return inner


def _at(items: Items, index: int, put: Put) -> Put:
    def inner(changed: Node | None) -> Node:
        kept = (*items.nodes[:index], *filter(None, [changed]), *items.nodes[index + 1 :])
        return put(replace(items, nodes=kept))

    return inner


def _moved(name: str, text: str) -> Iterator[str]:
    """Yield what a threshold of a rule becomes; nothing for what is none."""
    if name in COUNTS and text.isdigit():
        step = 1 if int(text) < _MANY else int(text) // 10
        yield str(int(text) + step)
        if int(text) > step:
            yield str(int(text) - step)
    elif name in DURATIONS:
        try:
            duration = parse_duration(text)
        except InputError:
            return
        yield format_duration(2 * duration) if duration else _EDGE
        if duration.total_seconds() > 1:
            yield format_duration(duration / 2)
    elif name in DECIMALS and _is_number(text):
        yield from (f"{float(text) * (1 + sign * _TENTH):.4g}" for sign in (1, -1))


def _of_conditions(node: Node, put: Put) -> Iterator[_Change]:
    """Yield the changes of a mapping of conditions, or of a list of such mappings."""
    if isinstance(node, Items):
        for index, item in enumerate(node.nodes):
            inner = _at(node, index, put)
            if len(node.nodes) > 1:
                yield item, f"alternative {index + 1} dropped", inner(None)
            yield from _of_conditions(item, inner)
        return
    if not isinstance(node, Fields):
        return
    for name, value in node.nodes.items():
        inner = into(node, name, put)
        key = node.keys[name]
        yield key, f"{name}: dropped", inner(None)
        if name != "not":
            yield key, f"{name}: negated", _negated(node, name, put)
        if name in CONDITIONS:
            yield from _of_conditions(value, inner)
        else:
            yield from _of_value(name, value, inner)


def _negated(node: Fields, name: str, put: Put) -> Node:
    """Put the condition under `not`, beside what stands there."""
    alone = Fields(node.line, node.column, {name: node.nodes[name]}, {})
    there = node.nodes.get("not")
    before = there.nodes if isinstance(there, Items) else () if there is None else (there,)
    nodes = {key: value for key, value in node.nodes.items() if key != name}
    nodes["not"] = Items(node.line, node.column, (*before, alone))
    return put(replace(node, nodes=nodes))


def _of_value(name: str, node: Node, put: Put) -> Iterator[_Change]:
    if isinstance(node, Scalar) and (found := _COMPARISON.fullmatch(node.text.strip())):
        for text in _compared(found[1], found[2]):
            yield node, f"{name}: {node.text} -> {text}", put(replace(node, text=text))


def _compared(operator: str, number: str) -> Iterator[str]:
    yield f"{_FLIPPED[operator]} {number}"
    if operator in _NEAR:
        yield f"{_NEAR[operator]} {number}"
        value = float(number)
        step = SCORE_STEP if abs(value) <= 1 else abs(value) * _TENTH
        yield from (f"{operator} {round(value + sign * step, _DIGITS):g}" for sign in (1, -1))


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(?:\.\d+)?", text, re.ASCII) is not None


def written(node: Node) -> str:
    """Return a node as one line of YAML, which JSON is; an unquoted scalar stays unquoted only when
    empty, since readers tell nothing else apart.
    """
    match node:
        case Scalar(text="", is_quoted=False):
            return "null"
        case Scalar(text=text):
            return json.dumps(text)
        case Items(nodes=nodes):
            return f"[{', '.join(map(written, nodes))}]"
        case Fields(nodes=fields):
            inner = ", ".join(f"{json.dumps(key)}: {written(n)}" for key, n in fields.items())
            return f"{{{inner}}}"
        case _:
            return "null"
