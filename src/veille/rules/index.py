"""Which rules a mention may concern: they are found by what they need, not asked one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from veille.rules.matchers import Needs, getter
from veille.rules.view import View


class Index:
    """Rules by a word or value that a mention must have to concern them."""

    def __init__(self, asked: Sequence[Needs]) -> None:
        self._open: list[int] = []
        found: dict[str, dict[str, list[int]]] = {}
        for number, needs in enumerate(asked):
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
