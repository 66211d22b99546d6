"""Which fields each kind of rule has, and how what it asks is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from veille.domain.durations import format_duration
from veille.rules.build import Build
from veille.rules.fields import Reader
from veille.rules.matchers import Where, compile_where
from veille.rules.model import GROUP_FIELDS, UNSIGNED_GROUP_FIELDS, Params, RuleKind
from veille.rules.params import Distinct, Ratio, Reach, Velocity
from veille.rules.parse_spike import MIN_POINTS, read_spike
from veille.rules.parse_stateful import (
    read_composite,
    read_new_term,
    read_silence,
    read_steps,
    read_unanswered,
)
from veille.rules.spike import LONGEST_PAST, Spike
from veille.rules.view import DISTINCT_FIELDS
from veille.rules.yaml_nodes import Fields

COUNTING = ("window", "late_by", "count_by", "min_count", "min_authors", "clear_below")
"""Fields of every kind that counts in a window."""
MAX_COUNT = 10_000
"""Largest `min_count`: a tenth of what an engine keeps for one rule."""
SOME_AUTHORS = 2
"""Default `min_authors` where a crowd is meant: one author alone cannot page anybody."""
MIN_STEPS, MAX_STEPS = 3, 24
"""A slope through fewer points is no trend; each more is counted again at every look."""
MAX_BUILD_STEPS = 168
"""A week of hours: the season beyond knows better."""
MAX_K, MAX_LIMIT = 10.0, 100.0
"""Standard deviations: whoever asks for more asks for silence."""
MAX_REACH = 10_000_000_000
"""More followers than people."""
MAX_RISE = 1000.0

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Given:
    """What the reading of a kind's own fields depends on."""

    window: timedelta
    topics: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind: its fields beyond the common ones, which of them must be written, and why.

    `group_by` is what its groups may be told by, `min_authors` the default. `read` gives what the
    kind asks; what is wrong is noted in the reader. `window` is the field that says how long its
    mentions count, and its default; `words` are placeholders of its annotations alone.
    """

    keys: tuple[str, ...]
    required: Mapping[str, str]
    read: Callable[[Reader, Given], Params | None] = lambda _reader, _given: None
    group_by: tuple[str, ...] = GROUP_FIELDS
    min_authors: int = SOME_AUTHORS
    window: tuple[str, timedelta] = ("window", timedelta(minutes=15))
    words: tuple[str, ...] = ()


def _build(reader: Reader, given: Given) -> Build:
    steps = reader.integer("steps", Build().steps, MIN_STEPS, MAX_BUILD_STEPS)
    if given.window * steps > LONGEST_PAST:
        reader.wrong(
            "steps",
            f"{steps} windows reach back more than {format_duration(LONGEST_PAST)}: "
            "write fewer steps or a shorter window",
        )
    return Build(
        k=reader.decimal("k", Build().k, 0.0, MAX_K),
        limit=reader.decimal("limit", Build().limit, 1.0, MAX_LIMIT),
        steps=steps,
    )


def _ratio(reader: Reader, given: Given) -> Ratio:
    rise = reader.decimal("rise", 1.0, 1.0, MAX_RISE) if reader.has("rise") else None
    for name in ("points", "min_points") if rise is None else ():
        if reader.has(name):
            reader.wrong(name, "belongs to rise: write by how much the share must have risen")
    points, min_points = reader.previous(Spike().points, Spike().min_points, MIN_POINTS)
    if rise is not None and given.window * (points + 1) > LONGEST_PAST:
        reader.wrong("points", f"reaches back more than {format_duration(LONGEST_PAST)}")
    return Ratio(
        of=_part(reader, given.topics),
        min_ratio=reader.decimal("min_ratio", 1.0, 0.0001, 1.0),
        confidence=reader.decimal("confidence", 0.95, 0.5, 0.9999),
        rise=rise,
        points=points,
        min_points=min_points,
    )


def _part(reader: Reader, topics: Sequence[str]) -> Where:
    node = reader.fields.get("of")
    if isinstance(node, Fields) and not node.nodes:
        reader.wrong("of", "empty: everything would be its own part; write a condition")
    return Where() if node is None else compile_where(node, reader.findings, topics)


def _distinct(reader: Reader, _given: Given) -> Distinct:
    return Distinct(
        of=reader.choice("of", DISTINCT_FIELDS, "source"),
        min_distinct=reader.integer("min_distinct", 1, 1, MAX_COUNT),
    )


def _velocity(reader: Reader, given: Given) -> Velocity:
    return Velocity(
        doubles_in=reader.duration("doubles_in", given.window, _SECOND, timedelta(days=7)),
        steps=reader.integer("steps", 6, MIN_STEPS, MAX_STEPS),
    )


def _reach(reader: Reader, _given: Given) -> Reach:
    reached = reader.integer("min_reach", 1, 1, MAX_REACH)
    return Reach(min_reach=reached, cap=reader.integer("cap", max(1, reached // 2), 1, MAX_REACH))


_OFFICE = ("hours", "days", "holidays")
_FLOOR = {"min_count": "says below which count it stays silent"}
KINDS: Mapping[RuleKind, Kind] = {
    RuleKind.MENTION: Kind(
        keys=("window", "late_by", "count_by"),
        required={"where": "says which mentions"},
        min_authors=1,
    ),
    RuleKind.COUNT: Kind(
        keys=COUNTING,
        required={"min_count": "says how many mentions fire it"},
        min_authors=1,
    ),
    RuleKind.SPIKE: Kind(
        keys=(*COUNTING, "baseline", "k", "points", "min_points", "surprise"),
        required=_FLOOR,
        read=lambda reader, given: read_spike(reader, given.window),
        group_by=UNSIGNED_GROUP_FIELDS,
    ),
    RuleKind.BUILD: Kind(
        keys=(*COUNTING, "k", "limit", "steps"),
        required=_FLOOR,
        read=_build,
        group_by=UNSIGNED_GROUP_FIELDS,
    ),
    RuleKind.RATIO: Kind(
        keys=(*COUNTING, "of", "min_ratio", "confidence", "rise", "points", "min_points"),
        required={
            "of": "says which part of what counts",
            "min_ratio": "says which share fires it",
            **_FLOOR,
        },
        read=_ratio,
        group_by=UNSIGNED_GROUP_FIELDS,
    ),
    RuleKind.DISTINCT: Kind(
        keys=(*COUNTING, "of", "min_distinct"),
        required={
            "of": "says the different values of which field count",
            "min_distinct": "says how many different ones fire it",
        },
        read=_distinct,
    ),
    RuleKind.VELOCITY: Kind(
        keys=(*COUNTING, "doubles_in", "steps"),
        required={"doubles_in": "says which growth fires it", **_FLOOR},
        read=_velocity,
        group_by=UNSIGNED_GROUP_FIELDS,
    ),
    RuleKind.REACH: Kind(
        keys=(*COUNTING, "min_reach", "cap"),
        required={"min_reach": "says how many followers fire it"},
        read=_reach,
    ),
    RuleKind.NEW_TERM: Kind(
        keys=("window", "late_by", "min_count", "min_authors", "of", "memory"),
        required={"of": "says what is a term"},
        read=lambda reader, _given: read_new_term(reader),
        group_by=UNSIGNED_GROUP_FIELDS,
        window=("window", timedelta(days=1)),
        words=("term",),
    ),
    RuleKind.SILENCE: Kind(
        keys=("own", "max_age", "min_unanswered", "learn", "surprise", "down_after"),
        required={"group_by": "says whose silence"},
        read=lambda reader, _given: read_silence(reader),
        group_by=UNSIGNED_GROUP_FIELDS,
        min_authors=1,
        words=("cause", "since", "usual", "age", "unanswered"),
    ),
    RuleKind.UNANSWERED: Kind(
        keys=("window", "late_by", "min_count", "min_authors", "within", *_OFFICE),
        required={"where": "says which mentions ask", "within": "says how soon they are answered"},
        read=lambda reader, _given: read_unanswered(reader),
        min_authors=1,
        window=("window", timedelta(days=7)),
    ),
    RuleKind.SEQUENCE: Kind(
        keys=("within", "late_by", "steps"),
        required={"steps": "says what comes after what", "within": "says how soon"},
        read=lambda reader, given: read_steps(reader, given.topics),
        min_authors=1,
        window=("within", timedelta(hours=1)),
    ),
    RuleKind.COMPOSITE: Kind(
        keys=("all", "any", "none"),
        required={},
        read=lambda reader, _given: read_composite(reader),
        min_authors=1,
        words=("rules",),
    ),
}
KIND_KEYS = tuple(dict.fromkeys(key for kind in KINDS.values() for key in kind.keys))
"""Every field that some kinds have and others not."""


def read_params(reader: Reader, kind: RuleKind, given: Given) -> Params | None:
    """Return what a rule of this kind asks; a field of other kinds, or one missing, is noted."""
    known = KINDS[kind]
    for name in KIND_KEYS:
        if reader.has(name) and name not in known.keys:
            owners = ", ".join(sorted(k for k, found in KINDS.items() if name in found.keys))
            reader.wrong(name, f"belongs to kind: {owners}: remove it, or change kind")
    for name, why in known.required.items():
        node = reader.fields.get(name)
        is_empty = name == "where" and isinstance(node, Fields) and not node.nodes
        if node is None or is_empty:
            article = "an" if kind == RuleKind.UNANSWERED else "a"
            reader.wrong(name, f"missing{' or empty' * is_empty}: {article} {kind} rule {why}")
    return known.read(reader, given)
