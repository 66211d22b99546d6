"""What is well-formed and still wrong: rules that can never fire, rule sets that cost too much."""

from __future__ import annotations

from collections.abc import Iterator

from veille.rules.build import Build
from veille.rules.model import CountBy, Rule, RuleKind, RuleSet
from veille.rules.params import Distinct, Ratio, Reach, Velocity

MOST_RULES = 2000
"""Twice as many as were measured to cost a fifth of the pipeline (benchmarks/README.md)."""
MOST_INSTRUCTIONS = 200_000
"""Of all patterns: 100 MiB, a seventh of the daemon's memory (10,000 are 5 MiB at most)."""
MOST_COUNTS = 20_000
"""Windows that all rules count again at each look, for one group of each: 5 to 17 µs apiece
(benchmarks/README.md), so a third of a second of processor time when all floors are reached."""

_SINGLE = frozenset({"source", "kind", "lang", "role", "author", "cluster"})
"""Of these a mention has one."""


def impossible(rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield each field because of which the rule can never fire, or never clear, and why."""
    if "author" in rule.group_by and rule.min_authors > 1:
        yield "min_authors", "a group of one author never has two: remove it, or group by another"
    if rule.exclude_own and any(c.name == "own" and c.wanted == "true" for c in rule.where.clauses):
        yield "where", "own: true never counts while exclude_own is true: write exclude_own: false"
    params, least = rule.params, least_value(rule)
    is_alone = isinstance(params, Distinct) and params.of in _SINGLE.intersection(rule.group_by)
    if is_alone and least is not None and least > 1:
        yield "of", "a group by this field has one value of it: group by another"
    if rule.clear_below is not None and least is not None and rule.clear_below > least:
        yield (
            "clear_below",
            f"{rule.clear_below} is more than what fires it, {least}: write as much or less",
        )


def least_value(rule: Rule) -> int | None:
    """Return the smallest `value` at which the rule can fire, None when it depends on the rest."""
    match rule.params:
        case Distinct(min_distinct=least) | Reach(min_reach=least):
            return least
        case Ratio():
            return None
        case _:
            return rule.threshold if rule.kind is not RuleKind.MENTION else 1


def heavy(ruleset: RuleSet) -> list[str]:
    """Return what makes a rule set cost more than it should, largest first in each sentence."""
    rules = ruleset.rules
    found = []
    if len(rules) > MOST_RULES:
        found.append(f"{len(rules)} rules, over {MOST_RULES}: join those that differ in one word")
    if (size := sum(_size(rule) for rule in rules)) > MOST_INSTRUCTIONS:
        worst = max(rules, key=_size)
        found.append(
            f"the words and patterns of all rules compile to {size} instructions, over "
            f"{MOST_INSTRUCTIONS}: shorten them, first of {worst.id} ({worst.file}:{worst.line})"
        )
    if (counts := sum(_counts(rule) for rule in rules)) > MOST_COUNTS:
        worst = max(rules, key=_counts)
        found.append(
            f"all rules count {counts} windows at each look, over {MOST_COUNTS}: write fewer "
            f"points or steps, first in {worst.id} ({worst.file}:{worst.line})"
        )
    return found


def undecided(rule: Rule) -> str | None:
    """Return why a field of the rule decides nothing, None when all of them do."""
    is_plain = rule.kind is RuleKind.COUNT and rule.count_by is CountBy.MENTIONS
    if is_plain and rule.min_authors > rule.min_count:
        return f"min_count {rule.min_count} never decides: {rule.min_authors} authors wrote more"
    return None


def _size(rule: Rule) -> int:
    inner = rule.params.of.size if isinstance(rule.params, Ratio) else 0
    return rule.where.size + inner


def _counts(rule: Rule) -> int:
    steps = rule.params.steps if isinstance(rule.params, Build | Velocity) else 0
    return 1 + rule.previous + steps
