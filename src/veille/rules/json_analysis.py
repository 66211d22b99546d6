"""Analyses that lines of a history bring with them, written as in rule tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from veille.domain.analysis import Analysis
from veille.domain.errors import InputError
from veille.rules.partial import partial_analysis
from veille.rules.yaml_nodes import MAX_DEPTH, Fields, Findings, Items, Node, Scalar

_WORDS = {True: "true", False: "false", None: ""}


def written_analyses(lines: Iterable[bytes], name: str) -> dict[tuple[str, str], Analysis]:
    """Return the `analysis` of each line that has one, by its `source` and `id`.

    Of lines with the same id the last counts, for all versions of the mention. Lines that are no
    JSON object are left to who reads the mentions. InputError with every finding, one a line.
    """
    findings = Findings(name)
    found: dict[tuple[str, str], Analysis] = {}
    for number, line in enumerate(lines, start=1):
        if b'"analysis"' not in line:
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(value, Mapping) or not isinstance(value.get("analysis"), Mapping):
            continue
        key = (str(value.get("source")), str(value.get("id")))
        found[key] = partial_analysis(_node(value["analysis"], number, 0), findings)
    if findings.lines:
        raise InputError("\n".join(findings))
    return found


def _node(value: object, line: int, depth: int) -> Node:
    """Return a JSON value as the nodes of a test file; below the depth limit it is nothing."""
    if depth > MAX_DEPTH:
        return Scalar(line, 1, "", is_quoted=False)
    match value:
        case Mapping():
            nodes = {str(key): _node(inner, line, depth + 1) for key, inner in value.items()}
            keys = {key: Scalar(line, 1, key, is_quoted=True) for key in nodes}
            return Fields(line, 1, nodes, keys)
        case str():
            return Scalar(line, 1, value, is_quoted=True)
        case Sequence():
            return Items(line, 1, tuple(_node(inner, line, depth + 1) for inner in value))
        case bool() | None:
            return Scalar(line, 1, _WORDS[value], is_quoted=False)
        case float():
            return Scalar(line, 1, f"{value:.12f}".rstrip("0").rstrip("."), is_quoted=False)
        case _:
            return Scalar(line, 1, str(value), is_quoted=False)
