"""Addresses as settings write them: URL, host, port."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

WEB = frozenset({"http", "https"})
PORT = "([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
"""What a port looks like in a pattern: 0 to 65535, as 16 bits hold (RFC 9293, 3.1)."""


def is_address(url: str, schemes: Collection[str] = WEB) -> bool:
    """Whether this is a URL of one of these schemes, with a host and a port that can exist."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket that is not closed, a port over 65535
        return False
