"""The text as patterns see it: plain digits, spaces and dashes, nothing invisible."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_ALIASES = {
    **dict.fromkeys("\t\u2800", " "),
    **dict.fromkeys("−⁃", "-"),
    **dict.fromkeys("·•․‧。", "."),
    **dict.fromkeys("∕⁄", "/"),
    **dict.fromkeys("’‘ʼ′`´", "'"),
    **dict.fromkeys("\u115f\u1160\u3164\uffa0", None),
}
_SAME_SHAPE = ("<wide>", "<narrow>", "<small>", "<font>", "<circle>")
_INVISIBLE = {"Cf", "Mn", "Me"}  # zero-width, combining, and the keycap around emoji digits
_CACHE_SIZE = 65_536  # hostile text may hold every code point

_FEW = 16  # kinds of look-alikes; ordinary text has three: apostrophe, dash, narrow space


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """`text` for matching; `offsets[i]` is where its character i stands in the original.

    `offsets` has one more entry than `text`: the length of the original.
    """

    text: str
    offsets: Sequence[int]


def skeleton(text: str) -> Skeleton:
    """Return text with look-alike digits, spaces, dashes made ASCII and the invisible left out."""
    if text.isascii():
        return Skeleton(text=text.replace("\t", " "), offsets=range(len(text) + 1))
    shapes = {c: _TABLE[ord(c)] for c in set(text)}
    changed = {c: shape for c, shape in shapes.items() if shape != c}
    plain = _changed(text, changed)
    if len(plain) == len(text):
        return Skeleton(text=plain, offsets=range(len(text) + 1))
    offsets = [i for i, c in enumerate(text) if shapes[c] is not None]
    return Skeleton(text=plain, offsets=[*offsets, len(text)])


def _changed(text: str, changed: dict[str, str | None]) -> str:
    """Return text translated; replacing a few characters one by one is ten times faster."""
    if len(changed) > _FEW or not changed.keys().isdisjoint(changed.values()):
        return text.translate(_TABLE)
    for char, shape in changed.items():
        text = text.replace(char, shape or "")
    return text


class _Table(dict[int, str | None]):
    def __missing__(self, code: int) -> str | None:
        value = _shape(chr(code))
        if len(self) < _CACHE_SIZE:
            self[code] = value
        return value


def _shape(char: str) -> str | None:
    if char in _ALIASES:
        return _ALIASES[char]
    category = unicodedata.category(char)
    if category in _INVISIBLE:
        return None
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category == "Zs":
        return " "
    if category == "Pd":
        return "-"
    tag, _, code = unicodedata.decomposition(char).partition(" ")
    return chr(int(code, 16)) if tag in _SAME_SHAPE and " " not in code else char


_TABLE = _Table()
