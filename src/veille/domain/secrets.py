"""Secrets by name."""

from __future__ import annotations

from collections.abc import Mapping

from veille.domain.errors import ConfigError


class Secrets:
    """Secrets by name, from the secrets file and systemd credentials; values never show in repr.

    `trouble` says why the file is refused, with the remedy; empty when it is not.
    """

    def __init__(self, values: Mapping[str, str], *, where: str, trouble: str = "") -> None:
        self._values = dict(values)
        self._where = where
        self.trouble = trouble

    def __repr__(self) -> str:
        return f"Secrets({sorted(self._values)})"

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def also(self, values: Mapping[str, str]) -> Secrets:
        """Return these secrets and those."""
        return Secrets({**self._values, **values}, where=self._where, trouble=self.trouble)

    def __call__(self, name: str) -> str:
        """Return the secret of that name; ConfigError names the file and the line to add."""
        try:
            return self._values[name]
        except KeyError:
            raise ConfigError(
                self.trouble
                or f'{self._where}: secret "{name}" is missing: add the line {name} = "…"'
            ) from None
