"""Known passwords: what leaked lists hold, and what is put together from two of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

from veille.domain.text import fold

DIGEST_BYTES = 5
SHORTEST = 3
"""Letters of the shortest entry: fewer are part of too many good passwords."""
_LONGEST = 45  # letters of the longest name of a commune
_FEWEST = 5  # different letters: fewer are one key held down
_PARTS = 2  # « motdepasseazerty » is one guess more than « motdepasse »
_LEET = str.maketrans("@4301$57", "aaeoisst")


def reduced(text: str) -> str:
    """Return what is left of a password without case, accents, spaces and punctuation."""
    return "".join(char for char in fold(text) if char.isalnum())


def digest(text: str) -> bytes:
    """Return the digest of a reduced password, as the list holds it."""
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()


@cache
def _digests() -> frozenset[bytes]:
    body = (resources.files("veille.web") / "wordlists" / "known.bin").read_bytes()
    return frozenset(body[at : at + DIGEST_BYTES] for at in range(0, len(body), DIGEST_BYTES))


def is_listed(text: str) -> bool:
    """Whether a list of known passwords holds it, whatever its case, accents and punctuation.

    Wrongly true about once in 16 million looks (wordlists/known.toml).
    """
    plain = reduced(text)
    return len(plain) >= SHORTEST and digest(plain) in _digests()


def is_plain(text: str, *, names: Sequence[str]) -> bool:
    """Whether a password is only one thing repeated, or two known ones with digits around.

    `names` are known too: of the user, of the town. Digits written for letters (« m0tdepa5se »)
    hide nothing.
    """
    plain = reduced(text)
    if len(set(plain)) < _FEWEST or _is_repeated(plain):
        return True
    own = frozenset(part for name in names for part in _parts(name))
    written = reduced(fold(text).translate(_LEET))
    return any(_covered(each, own, _PARTS) for each in {plain, written})


def _parts(name: str) -> list[str]:
    whole = [reduced(name), *(reduced(word) for word in name.replace("-", " ").split())]
    return [part for part in whole if len(part) >= SHORTEST]


def _is_repeated(plain: str) -> bool:
    period = (plain + plain).find(plain, 1)
    return period < len(plain) and period < 12  # noqa: PLR2004 a longer one is a password itself


def _covered(rest: str, own: frozenset[str], parts: int) -> bool:
    rest = rest.lstrip("0123456789")
    if not rest:
        return True
    if parts == 0:
        return False
    return any(
        (rest[:end] in own or digest(rest[:end]) in _digests())
        and _covered(rest[end:], own, parts - 1)
        for end in range(min(len(rest), _LONGEST), SHORTEST - 1, -1)
    )
