"""The menu: every page of its own, in the order people need them, with who may see it."""

from __future__ import annotations

from dataclasses import dataclass

from veille.domain.access import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A page in the menu; `is_main` where it stands at the thumb on a phone, else under "more"."""

    path: str
    name: str
    access: Access = Access.READ
    is_main: bool = False

    def holds(self, path: str) -> bool:
        """Whether `path` is this page or one under it."""
        return path == self.path or (self.path != "/" and path.startswith(self.path + "/"))


MENU: tuple[Entry, ...] = (
    Entry(path="/", name="menu.now", is_main=True),
    Entry(path="/silences", name="menu.silences"),
    Entry(path="/account", name="menu.account"),
)
"""Each name is a key of the catalogue."""
