"""Which state of a thing somebody saw, for what counts no versions."""

from __future__ import annotations

import hashlib

import msgspec

_BITS = 59
"""So that its number has 18 digits at most, as a version has in a form or an ETag."""


def mark(thing: object) -> int:
    """Return a number below 2**59 that another state of the thing does not have, but by chance."""
    said = hashlib.sha256(msgspec.json.encode(thing)).digest()
    return int.from_bytes(said[:8], "big") >> (64 - _BITS)
