"""Keyed hashes that stand for mentions and authors."""

from __future__ import annotations

import hmac

from veille.domain.errors import ConfigError

_KEY_BYTES = 16  # NIST SP 800-131A r2 (2019), section 10: no HMAC key below 112 bits
_DIGITS = 32  # 128 bits: no collision among a billion mentions


class Pseudonyms:
    """Names mentions and authors by HMAC-SHA-256, each in a domain of its own.

    `author_key` None drops authors. Raises ConfigError for a key shorter than 16 bytes.
    """

    __slots__ = ("_author_key", "_mention_key")

    def __init__(self, mention_key: bytes, author_key: bytes | None) -> None:
        _check(mention_key)
        if author_key is not None:
            _check(author_key)
        self._mention_key = mention_key
        self._author_key = author_key

    def mention_key(self, source: str, native_id: str) -> str:
        """Return the stored key of a mention: 32 hex digits."""
        return _hash(self._mention_key, "mention", source, native_id)

    def author(self, source: str, author_id: str) -> str | None:
        """Return the pseudonym of an author within a source: 32 hex digits, None without a key."""
        if self._author_key is None:
            return None
        return _hash(self._author_key, "author", source, author_id)

    def __repr__(self) -> str:
        return f"Pseudonyms(authors={'dropped' if self._author_key is None else 'hashed'})"


def _check(key: bytes) -> None:
    if len(key) < _KEY_BYTES:
        raise ConfigError(
            f"the pseudonym key has {len(key)} bytes, it needs at least {_KEY_BYTES}: put a random"
            " one into the secrets file (openssl rand -hex 32)"
        )


def _hash(key: bytes, domain: str, source: str, name: str) -> str:
    parts = (f"veille {domain} v1", source, name)
    coded = (part.encode("utf-8", "surrogatepass") for part in parts)
    # each part with its length, so that ("ab", "c") and ("a", "bc") differ
    message = b"".join(len(part).to_bytes(8, "big") + part for part in coded)
    return hmac.digest(key, message, "sha256").hex()[:_DIGITS]
