"""Texts that a request may hold, as patterns that the document says too."""

from __future__ import annotations

import msgspec

from veille.domain.text import UNSHOWN

END = r"\Z"
"""Of a pattern: Python's `$` lets a line break follow, JSON Schema's does not; there it is `$`."""
_BLANK = r" \t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""The inside of a class: what `str.strip` takes away."""
_LABEL = r"[0-9A-Za-z\u00c0-\u024f]"


def line(most: int) -> msgspec.Meta:
    """Return what a name must be: 1 to `most` characters that are seen, the first no space."""
    return msgspec.Meta(max_length=most, pattern=f"^[^ {UNSHOWN}][^{UNSHOWN}]*{END}")


def text(most: int) -> msgspec.Meta:
    """Return what a text must be: 1 to `most` characters, not only blank ones, and no NUL."""
    return msgspec.Meta(
        min_length=1, max_length=most, pattern=rf"^[^\x00]*[^\x00{_BLANK}][^\x00]*{END}"
    )


LINK = rf"^(https?://{_LABEL}+([.-]{_LABEL}+)*(:[0-9]{{1,5}})?([/?#][^ {UNSHOWN}]*)?)?{END}"
"""A web address, or nothing."""
