"""Which words of a text carried a label."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """Words that carried a label: code points of the text, `end` excluded.

    `weight` in (0, 1]: how much the label's probability falls when these words alone are removed.
    """

    start: int
    end: int
    text: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a head said its label: `spans`, the weightiest first; none when no words stand out."""

    head: str
    label: str
    spans: tuple[Weight, ...]
