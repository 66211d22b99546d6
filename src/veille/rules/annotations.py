"""Annotations: sentences with `{placeholders}` that are looked up, never evaluated."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from string import Formatter

from veille.domain.errors import InputError

NAMES = ("count", "authors", "threshold", "window", "group")
"""Placeholders every rule has; the fields of its `group_by` come on top."""
EXPECTED = "expected"
"""The placeholder of spike rules: the usual count, `?` while nobody knows."""

_UNITS = {86400: "j", 3600: "h", 60: "min"}


@dataclass(frozen=True, slots=True)
class Template:
    """A checked sentence: pairs of literal text and the name that follows it, if any."""

    parts: tuple[tuple[str, str | None], ...]

    def render(self, values: Mapping[str, str]) -> str:
        """Return the sentence with each name replaced by its value, which is taken as it is."""
        return "".join(
            literal + ("" if name is None else values[name]) for literal, name in self.parts
        )


def parse_template(text: str, names: Collection[str]) -> Template:
    """Return the checked sentence; InputError for a name not in `names` or a format."""
    parts: list[tuple[str, str | None]] = []
    try:
        pieces = list(Formatter().parse(text))
    except ValueError as error:
        raise InputError(f"{error}: write {{{{ for a brace that stands for itself") from error
    for literal, name, spec, conversion in pieces:
        if name is not None and (name not in names or spec or conversion):
            known = ", ".join(f"{{{known}}}" for known in names)
            ending = f"!{conversion}" * bool(conversion) + f":{spec}" * bool(spec)
            raise InputError(f'"{{{name}{ending}}}" is no placeholder: use {known}')
        parts.append((literal, name))
    return Template(tuple(parts))


def written(number: float | None) -> str:
    """Return a number as people read it in French, to 2 decimals: `7,12`, `5`; `?` for None."""
    return "?" if number is None else f"{number:.2f}".rstrip("0").rstrip(".").replace(".", ",")


def spoken(duration: timedelta) -> str:
    """Return a duration as people read it, in the units of French: `15 min`, `1 h`, `7 j`."""
    seconds = int(duration.total_seconds())
    for size, unit in _UNITS.items():
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
