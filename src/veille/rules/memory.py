"""What a rule keeps for longer than its window: small facts by mark, told to the store."""

from __future__ import annotations

from collections.abc import ItemsView, Mapping
from typing import Generic, TypeVar

import msgspec

Kept = TypeVar("Kept")


class Memory(Generic[Kept]):
    """Facts of one type by mark, which are never changed but replaced."""

    def __init__(self, kept: type[Kept]) -> None:
        self._told: dict[str, Kept | None] = {}
        self._decoder = msgspec.json.Decoder(kept)
        self._kept: dict[str, Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, mark: str) -> bool:
        return mark in self._kept

    def items(self) -> ItemsView[str, Kept]:
        """Return every mark with what is kept under it."""
        return self._kept.items()

    def get(self, mark: str) -> Kept | None:
        """Return what is kept under a mark, None without."""
        return self._kept.get(mark)

    def put(self, mark: str, fact: Kept) -> None:
        """The fact is kept under its mark."""
        self._kept[mark] = fact
        self._told[mark] = fact

    def forget(self, mark: str) -> None:
        """Nothing is kept under this mark."""
        if self._kept.pop(mark, None) is not None:
            self._told[mark] = None

    def take_told(self) -> list[tuple[str, str | None]]:
        """Return what changed since the last call, by mark, as JSON; None: forgotten."""
        told = [
            (mark, None if fact is None else msgspec.json.encode(fact).decode())
            for mark, fact in self._told.items()
        ]
        self._told.clear()
        return told

    def restore(self, stored: Mapping[str, str]) -> None:
        """Go on from what the store holds; what was told in the meantime is in it already."""
        self._told.clear()
        self._kept = {mark: self._decoder.decode(state) for mark, state in stored.items()}
