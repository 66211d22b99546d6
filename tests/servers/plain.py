"""What is said, whatever its spaces: most tests read sentences, a few hold the spaces too."""

from __future__ import annotations

_PLAIN = str.maketrans("\u00a0\u202f", "  ")


def plain(text: str) -> str:
    """Return the text with plain spaces where lines must not break: typography, not meaning."""
    return text.translate(_PLAIN)
