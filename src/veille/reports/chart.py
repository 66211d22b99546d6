"""Lines over a threshold, as SVG that needs no style and no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, MARGIN = 640, 240, 40
_DASHES = ("none", "8 4", "2 4", "12 4 2 4")
"""Lines differ in their dashes, so that nobody has to tell colours apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One named line; None where it is not defined, which leaves a gap. Values lie in [0, 1]."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A line as it is drawn: its pieces and dots."""

    name: str
    dashes: str
    pieces: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines over rising `xs`; `current` is marked. `title` says in words what is shown.

    The table beside it holds the same numbers.
    """

    title: str
    xs: tuple[float, ...]
    lines: tuple[Line, ...]
    current: float | None = None

    @property
    def drawn(self) -> tuple[Drawn, ...]:
        """The lines in the coordinates of the picture."""
        return tuple(self._draw(index, line) for index, line in enumerate(self.lines))

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Where each x stands, and how it is written."""
        return tuple((self.x(value), f"{value:g}") for value in self.xs)

    @property
    def levels(self) -> tuple[tuple[float, str], ...]:
        """Where 0, a half and 1 stand."""
        return tuple((_y(value), f"{value:g}") for value in (0.0, 0.5, 1.0))

    def x(self, value: float) -> float:
        """Return where a threshold stands; all are as far apart, however they are chosen."""
        step = (WIDTH - 2 * MARGIN) / max(1, len(self.xs) - 1)
        return round(MARGIN + self.xs.index(value) * step, 1)

    def _draw(self, index: int, line: Line) -> Drawn:
        points = [
            None if value is None else (self.x(x), _y(value))
            for x, value in zip(self.xs, line.values, strict=True)
        ]
        return Drawn(
            name=line.name,
            dashes=_DASHES[index % len(_DASHES)],
            pieces=tuple(_pieces(points)),
            dots=tuple(point for point in points if point is not None),
        )


def _y(value: float) -> float:
    return round(HEIGHT - MARGIN - value * (HEIGHT - 2 * MARGIN), 1)


def _pieces(points: Sequence[tuple[float, float] | None]) -> list[str]:
    """Return the runs of points that are defined, as SVG writes them."""
    runs: list[list[str]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(f"{point[0]},{point[1]}")
    return [" ".join(run) for run in runs if len(run) > 1]
