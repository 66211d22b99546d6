"""What a backtest says: scores of all rules and of each, sweeps, and two rule sets compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from veille.domain.errors import RuleError
from veille.pipeline.backtest import Nearest, Past, Played, play
from veille.pipeline.scoring import Incident, Score, score
from veille.rules.model import RuleSet
from veille.rules.parse import parse_rules
from veille.rules.sweep import variants

MOST_SWEPT = 10
"""Rules that are swept unless somebody names them: each takes some dozen more runs."""
Told = Callable[[int, float | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """An incident that no rule found, and what came nearest in each rule that saw anything."""

    incident: str
    nearest: tuple[Nearest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The scores of a set of rules: together, and of each that fired or should have.

    `trials` are of rules with `shadow: true`: they tell nobody, and stand in no sum.
    """

    version: str
    whole: Score
    rules: tuple[Score, ...]
    misses: tuple[Miss, ...]
    trials: tuple[Score, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A rule with one threshold at `value`; `is_current`: as it is written."""

    value: float
    is_current: bool
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One threshold of a rule, from low to high."""

    rule: str
    field: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the other rules change for one rule, or for all ("")."""

    rule: str
    tp: int
    fp: int
    fn: int
    alerts: int
    delay_s: float | None
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole backtest. `history` and `labels` are the SHA-256 of the files."""

    history: str
    labels: str
    mentions: int
    rejected: int
    start: datetime
    end: datetime
    shifts: int
    incidents: int
    rules: Judged
    sweeps: tuple[Sweep, ...]
    against: Judged | None = None
    changes: tuple[Change, ...] = ()


def judge(past: Past, ruleset: RuleSet, incidents: Sequence[Incident], told: Told) -> Judged:
    """Return how well these rules find the incidents."""
    played = play(past, ruleset, incidents, told)
    named = {name for incident in incidents for name in incident.rules or ()}
    named |= {firing.rule for firing in played.firings}
    span = past.span
    trials = {rule.id for rule in ruleset.rules if rule.shadow}
    rules = [
        score(rule.id, [f for f in played.firings if f.rule == rule.id], incidents, span)
        for rule in ruleset.rules
        if rule.id in named
    ]
    told_of = [firing for firing in played.firings if firing.rule not in trials]
    whole = score("", told_of, incidents, span)
    return Judged(
        version=ruleset.version,
        whole=whole,
        rules=tuple(found for found in rules if found.rule not in trials),
        trials=tuple(found for found in rules if found.rule in trials),
        misses=tuple(_miss(name, played) for name in whole.missed),
    )


def _miss(incident: str, played: Played) -> Miss:
    nearest = [found for (name, _), found in sorted(played.nearest.items()) if name == incident]
    return Miss(incident=incident, nearest=tuple(nearest))


def sweep(
    past: Past,
    files: Mapping[str, bytes],
    rules: Sequence[str],
    incidents: Sequence[Incident],
    told: Told,
) -> tuple[Sweep, ...]:
    """Return each threshold of these rules moved, each rule alone with its others as written.

    A value that the rule refuses is left out.
    """
    wanted = [
        variant
        for name, data in sorted(files.items())
        for variant in variants(name, data)
        if variant.rule in rules
    ]
    found: dict[tuple[str, str], list[Point]] = {}
    for done, variant in enumerate(wanted):
        told(done, len(wanted))
        try:
            ruleset = parse_rules({"variant.yml": variant.data})
        except RuleError:
            continue
        played = play(past, ruleset.needed_by(variant.rule)).firings
        firings = [firing for firing in played if firing.rule == variant.rule]
        result = score(variant.rule, firings, incidents, past.span)
        point = Point(value=variant.value, is_current=variant.is_current, score=result)
        found.setdefault((variant.rule, variant.field), []).append(point)
    return tuple(
        Sweep(rule=rule, field=field, points=tuple(points))
        for (rule, field), points in found.items()
    )


def swept(judged: Judged) -> list[str]:
    """Return the rules that are swept when nobody names any: those that fired or should have."""
    return [found.rule for found in (*judged.rules, *judged.trials)][:MOST_SWEPT]


def changes(before: Judged, after: Judged) -> tuple[Change, ...]:
    """Return what `after` changes, for all rules together and for each of either set."""
    pairs = [("", before.whole, after.whole)]
    old = {found.rule: found for found in (*before.rules, *before.trials)}
    new = {found.rule: found for found in (*after.rules, *after.trials)}
    for rule in dict.fromkeys((*old, *new)):
        pairs.append(
            (rule, old.get(rule, _nothing(rule, before)), new.get(rule, _nothing(rule, after)))
        )
    return tuple(_change(rule, a, b) for rule, a, b in pairs)


def _nothing(rule: str, judged: Judged) -> Score:
    """Return the score of a rule that is not there: it found nothing, and nobody expected it to."""
    return replace(
        judged.whole, rule=rule, tp=0, fp=0, fn=0, alerts=0, delay_s=None, hit=(), missed=()
    )


def _change(rule: str, before: Score, after: Score) -> Change:
    is_known = before.delay_s is not None and after.delay_s is not None
    return Change(
        rule=rule,
        tp=after.tp - before.tp,
        fp=after.fp - before.fp,
        fn=after.fn - before.fn,
        alerts=after.alerts - before.alerts,
        delay_s=(after.delay_s or 0) - (before.delay_s or 0) if is_known else None,
        gained=tuple(name for name in after.hit if name not in before.hit),
        lost=tuple(name for name in before.hit if name not in after.hit),
    )
