"""The `[route]` table of config.toml: who hears of what, and how often."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

import msgspec

from veille.alerts.quiet import BudgetSettings
from veille.domain.durations import parse_duration
from veille.domain.errors import InputError

_GROUP_BY, _INTERVAL, _REPEAT, _CAP, _LINGER = ("watch", "topic"), "5m", "4h", "1d", "0s"
_ROOT_ONLY = {
    "group_by": _GROUP_BY,
    "group_interval": _INTERVAL,
    "repeat_interval": _REPEAT,
    "repeat_cap": _CAP,
    "linger": _LINGER,
    "budget": None,
}
_LONGEST_LINGER = timedelta(days=1)
_DOUBLINGS = 12  # of 10s, the shortest interval, well over the longest cap a day is asked for


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node of the tree from labels to receivers; grouping and intervals stand on the root.

    The root matches everything. A child whose `match` labels are all equal is entered; the first
    one is the last, unless it says `continue`. A child without receivers uses its parent's, and
    one without `escalation` or `mute` its parent's policy and calendars.
    """

    receivers: tuple[str, ...] = ()
    match: dict[str, str] = {}
    routes: tuple[RouteSettings, ...] = ()
    continue_: bool = msgspec.field(default=False, name="continue")
    escalation: str | None = None
    group_by: tuple[str, ...] = _GROUP_BY
    group_interval: str = _INTERVAL
    repeat_interval: str = _REPEAT
    repeat_cap: str = _CAP
    linger: str = _LINGER
    mute: tuple[str, ...] | None = None
    budget: BudgetSettings | None = None

    def __post_init__(self) -> None:
        """Refuse what would silently do nothing; msgspec adds the path to the message."""
        for name in ("group_interval", "repeat_interval", "repeat_cap"):
            _check_interval(name, getattr(self, name))
        if self.repeat < self.interval:
            raise ValueError("repeat_interval: shorter than group_interval: write at least that")
        if _duration("linger", self.linger) > _LONGEST_LINGER:
            raise ValueError(f"linger: {self.linger} is out of range: write 0s to 1d")
        for index, child in enumerate(self.routes):
            at = f"routes[{index}]"
            if not child.match:
                raise ValueError(f"{at}: a nested route needs match: say which labels it is for")
            for name in _ROOT_ONLY:
                if getattr(child, name) != _ROOT_ONLY[name]:
                    raise ValueError(f"{at}: {name} stands on [route] only: move it there")

    @property
    def interval(self) -> timedelta:
        """The least time between two notifications of one incident."""
        return parse_duration(self.group_interval)

    @property
    def repeat(self) -> timedelta:
        """After how long an incident that nobody took is said again the first time."""
        return parse_duration(self.repeat_interval)

    def repeat_after(self, times: int) -> timedelta:
        """After how long it is said again when it was so many times: doubled each time, capped."""
        doubled: timedelta = self.repeat * (1 << min(times, _DOUBLINGS))
        return max(self.repeat, min(doubled, parse_duration(self.repeat_cap)))

    @property
    def lingering(self) -> timedelta:
        """How long an incident stays open after its last alert ended."""
        return parse_duration(self.linger)


def _duration(name: str, written: str) -> timedelta:
    try:
        return parse_duration(written)
    except InputError as error:
        raise ValueError(f"{name}: {error}") from error


def _check_interval(name: str, written: str) -> None:
    found = _duration(name, written)
    if not timedelta(seconds=10) <= found <= timedelta(days=30):
        raise ValueError(f"{name}: {written} is out of range: write 10s to 30d")


def receivers(route: RouteSettings, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the ids of the receivers for these labels, each once, in the order of the tree."""
    return tuple(reached(route, labels))


def reached(
    route: RouteSettings,
    labels: Mapping[str, str],
    *,
    inherited: tuple[str, ...] = (),
    mute: tuple[str, ...] = (),
) -> dict[str, tuple[str, ...]]:
    """Return the receivers for these labels, with the calendars that every branch to them names.

    `inherited` and `mute` are what the parents of this node say.
    """
    names = route.receivers or inherited
    quiet = mute if route.mute is None else route.mute
    found: dict[str, tuple[str, ...]] = {}
    for child in route.routes:
        if all(labels.get(name) == value for name, value in child.match.items()):
            for name, ids in reached(child, labels, inherited=names, mute=quiet).items():
                found[name] = tuple(i for i in found.get(name, ids) if i in ids)
            if not child.continue_:
                break
    return found or dict.fromkeys(names, quiet)


def escalation(route: RouteSettings, labels: Mapping[str, str]) -> str | None:
    """Return the id of the policy for these labels: that of the first branch that names one.

    "" is of a branch that wants none, None of a tree that names none.
    """
    for child in route.routes:
        if all(labels.get(name) == value for name, value in child.match.items()):
            found = escalation(child, labels)
            if found is not None:
                return found
            if not child.continue_:
                break
    return route.escalation


def nodes(route: RouteSettings) -> Iterator[RouteSettings]:
    """Yield a route and all below it."""
    for _, node in placed(route):
        yield node


def placed(route: RouteSettings, at: str = "route") -> Iterator[tuple[str, RouteSettings]]:
    """Yield a route and all below it, with their keys: route.routes[0]."""
    yield at, route
    for index, child in enumerate(route.routes):
        yield from placed(child, f"{at}.routes[{index}]")
