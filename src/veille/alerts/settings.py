"""The `[route]` table of config.toml: who hears of what, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from veille.domain.durations import parse_duration
from veille.domain.errors import InputError

_GROUP_BY, _INTERVAL, _REPEAT = ("watch", "topic"), "5m", "4h"
_ROOT_ONLY = {"group_by": _GROUP_BY, "group_interval": _INTERVAL, "repeat_interval": _REPEAT}


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node of the tree from labels to receivers; grouping and intervals stand on the root.

    The root matches everything. A child whose `match` labels are all equal is entered; the first
    one is the last, unless it says `continue`. A child without receivers uses its parent's.
    """

    receivers: tuple[str, ...] = ()
    match: dict[str, str] = {}
    routes: tuple[RouteSettings, ...] = ()
    continue_: bool = msgspec.field(default=False, name="continue")
    group_by: tuple[str, ...] = _GROUP_BY
    group_interval: str = _INTERVAL
    repeat_interval: str = _REPEAT

    def __post_init__(self) -> None:
        """Refuse what would silently do nothing; msgspec adds the path to the message."""
        for name in ("group_interval", "repeat_interval"):
            _check_interval(name, getattr(self, name))
        if self.repeat < self.interval:
            raise ValueError("repeat_interval: shorter than group_interval: write at least that")
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
        """After how long an incident that nobody took is said again."""
        return parse_duration(self.repeat_interval)


def _check_interval(name: str, written: str) -> None:
    try:
        found = parse_duration(written)
    except InputError as error:
        raise ValueError(f"{name}: {error}") from error
    if not timedelta(seconds=10) <= found <= timedelta(days=30):
        raise ValueError(f"{name}: {written} is out of range: write 10s to 30d")


def receivers(route: RouteSettings, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the ids of the receivers for these labels, each once, in the order of the tree."""
    found: list[str] = []
    for child in route.routes:
        if all(labels.get(name) == value for name, value in child.match.items()):
            found.extend(receivers(child, labels) or route.receivers)
            if not child.continue_:
                break
    return tuple(dict.fromkeys(found or route.receivers))
