"""What one kind of rule asks beyond what all rules ask: spikes and builds stand with their sums."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from veille.rules.matchers import Where
from veille.rules.office import Office


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct:
    """At least `min_distinct` different values of the field `of` among what counts."""

    of: str
    min_distinct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Of what counts, the share that also matches `of` is surely at least `min_ratio`.

    `confidence` in (0, 1) is that of the interval whose lower end must reach it. With `rise` it
    must also be so many times the share of the `points` previous windows, of which `min_points`
    were heard.
    """

    of: Where
    min_ratio: float
    confidence: float = 0.95
    rise: float | None = None
    points: int = 12
    min_points: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Velocity:
    """The window, cut into `steps`, grows so that it doubles within `doubles_in` or faster."""

    doubles_in: timedelta
    steps: int = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The followers of all authors are at least `min_reach`, no author counting above `cap`."""

    min_reach: int
    cap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A group that was heard is not heard any more: longer than usual, or than `max_age`.

    With `own` it is about what the institution publishes itself, on each of its accounts, with at
    least `min_unanswered` mentions of others since. `learn` is how long it listens before it judges
    what keeps no even time, `surprise` the -ln of the chance of such a silence, `down_after` how
    long a source may fail before that is said.
    """

    own: bool = False
    max_age: timedelta | None = None
    min_unanswered: int = 0
    learn: timedelta = timedelta(days=7)
    surprise: float = 14.0
    down_after: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """Nobody answered within that delay, counted in the office's hours where one is given."""

    within: timedelta
    office: Office | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTerm:
    """A term of that sort that was not said for the time of `memory`."""

    of: str
    memory: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One part of a sequence: so many mentions that match."""

    where: Where
    min_count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Each step in its turn, all within the rule's window."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """What other rules find: `all_of` and none of `none_of`, and one of `any_of` if it has any."""

    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
