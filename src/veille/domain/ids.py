"""Identities that are computed: fingerprints, content hashes, short ids for people."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from veille.domain.errors import InputError

_SHORT_ID = re.compile(r"([IQ])([1-9][0-9]{0,17})", re.IGNORECASE | re.ASCII)


def fingerprint(name: str, labels: Mapping[str, str]) -> str:
    """Return the stable identity of an alert: 16 hex digits of rule and group labels."""
    parts = [name, *(f"{key}={labels[key]}" for key in sorted(labels))]
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def content_hash(*parts: str) -> str:
    """Return 32 hex digits that change when any part changes."""
    joined = "\x00".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()[:32]


def short_id(letter: str, number: int) -> str:
    """Return the id people say aloud: `I12` an incident, `Q345` a queue item."""
    return f"{letter}{number}"


def parse_short_id(text: str) -> tuple[str, int]:
    """Return ("I" or "Q", number) of `I12` or `q345`; InputError otherwise."""
    found = _SHORT_ID.fullmatch(text)
    if found is None:
        raise InputError(f'"{text}" is no incident or queue item: write I12 or Q345')
    return found[1].upper(), int(found[2])
