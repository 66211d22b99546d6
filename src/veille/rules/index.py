"""Which rules a mention may concern: they are found by what they need, not asked one by one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from veille.rules.matchers import Needs, getter
from veille.rules.view import View


class Index:
    """Rules, by number, by a word or value that a mention must have to concern them."""

    def __init__(self, asked: Mapping[int, Needs]) -> None:
        self._open: list[int] = []
        found: dict[str, dict[str, list[int]]] = {}
        for number, needs in asked.items():
            if needs is None:
                self._open.append(number)
                continue
            for name, value in needs:
                found.setdefault(name, {}).setdefault(value, []).append(number)
        self._fields: list[tuple[Callable[[View], Iterable[str]], dict[str, list[int]]]] = [
            (getter(name), numbers) for name, numbers in found.items()
        ]

    def candidates(self, view: View) -> set[int]:
        """Return the numbers of all rules that the mention concerns, and of some others."""
        met = set(self._open)
        for get, numbers in self._fields:
            for value in get(view):
                if value in numbers:
                    met.update(numbers[value])
        return met


class Layers:
    """For what is so old, the rules that remember for as long: most forget within hours."""

    def __init__(self, asked: Mapping[int, tuple[timedelta, Needs]]) -> None:
        self._asked = asked
        self._ends = sorted({kept for kept, _ in asked.values()})
        self._made: dict[timedelta, Index] = {}

    def index(self, age: timedelta) -> Index | None:
        """Return the rules that may still hold what came so long ago, None when none does."""
        at = bisect_left(self._ends, age)
        if at == len(self._ends):
            return None
        end = self._ends[at]
        if end not in self._made:
            asked = self._asked.items()
            self._made[end] = Index({n: needs for n, (kept, needs) in asked if kept >= end})
        return self._made[end]
