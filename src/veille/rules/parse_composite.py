"""What composite rules refer to: it exists, in the same file, and not in a circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from graphlib import CycleError, TopologicalSorter

from veille.rules.fields import Reader
from veille.rules.model import Rule
from veille.rules.params import Composite
from veille.rules.yaml_nodes import Scalar, suggest

LISTS = ("all", "any", "none")
LONGEST_WAY = 10
"""Rules of a circle that a message names."""


def check_composites(written: Sequence[tuple[Reader, Rule]], disabled: Sequence[str]) -> None:
    """Note what composites of one file refer to in vain; a rule file is tested by itself."""
    rules = {rule.id: rule for _, rule in written}
    known = rules.keys() - set(disabled)
    for reader, rule in written:
        if not isinstance(rule.params, Composite):
            continue
        for name in LISTS:
            for node in reader.items(name):
                if reader.findings.is_full:
                    return
                if isinstance(node, Scalar) and (node.text == rule.id or node.text not in known):
                    reader.findings.add(node, _why(name, node.text, known, rule, disabled))
        _check_groups(reader, rule, rule.params, rules)
    readers = {rule.id: reader for reader, rule in written}
    for circle in _circles(rules):
        if readers[circle[0]].findings.is_full:
            return
        readers[circle[0]].wrong("id", f"refers to itself: {_shortened(circle)}: cut the circle")


def _why(name: str, text: str, known: Set[str], rule: Rule, disabled: Sequence[str]) -> str:
    if text == rule.id:
        return f'{name}: "{text}" is the rule itself: remove it'
    if text in disabled:
        return f'{name}: "{text}" has enabled: false, so that it never holds: remove it'
    return f'{name}: no rule "{text[:60]}" in this file; {suggest(text, sorted(known - {rule.id}))}'


def _circles(rules: Mapping[str, Rule]) -> Iterator[tuple[str, ...]]:
    """Yield ways from a rule back to it, of circles that share a rule one; first rule first."""
    asked = {rule.id: [m for m in _members(rule) if m != rule.id] for rule in rules.values()}
    places = {name: place for place, name in enumerate(rules)}
    while True:
        try:
            TopologicalSorter(asked).prepare()
        except CycleError as error:
            way: list[str] = error.args[1][:0:-1]  # it names each before the one that asks for it
            first = way.index(min(way, key=places.__getitem__))
            yield (*way[first:], *way[:first], way[first])
            asked |= {name: [] for name in way}
        else:
            return


def _shortened(circle: Sequence[str]) -> str:
    names = circle if len(circle) <= LONGEST_WAY else (*circle[:LONGEST_WAY], "…", circle[-1])
    return " > ".join(names)


def _members(rule: Rule) -> Iterator[str]:
    if isinstance(rule.params, Composite):
        yield from (*rule.params.all_of, *rule.params.any_of, *rule.params.none_of)


def _check_groups(reader: Reader, rule: Rule, asked: Composite, rules: Mapping[str, Rule]) -> None:
    """A group comes from a rule that has all its labels: one under all, or each under any."""

    def has(member: str) -> bool:
        found = rules.get(member)
        return found is None or set(rule.group_by) <= set(found.group_by)

    is_any = bool(asked.any_of) and all(map(has, asked.any_of))
    if not (is_any or any(map(has, asked.all_of))):
        names = ", ".join(rule.group_by)
        reader.wrong(
            "group_by",
            f"[{names}]: no rule under all, nor all under any, is grouped by that: its groups "
            "would be unknown; write labels they share",
        )
