"""Masking of direct identifiers in text, in time linear in its length."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from veille.domain.mention import IdentifierKind
from veille.privacy.emails import find_emails
from veille.privacy.numbers import find_ibans, find_nirs, find_plates
from veille.privacy.phones import find_phones, find_urls, national
from veille.privacy.skeleton import skeleton

REPLACEMENTS = {
    IdentifierKind.EMAIL: "[courriel masqué]",
    IdentifierKind.IBAN: "[IBAN masqué]",
    IdentifierKind.NIR: "[n° de sécurité sociale masqué]",
    IdentifierKind.PHONE: "[téléphone masqué]",
    IdentifierKind.PLATE: "[plaque masquée]",
}
Finder = Callable[[str], Iterator[tuple[int, int]]]
Found = tuple[int, int, IdentifierKind]
_GONE = "\x00"  # stands where something was masked: part of no identifier, like the brackets
# The order matters: an address may hold digits, an IBAN what looks like a phone number, and what
# makes digits no phone number (a date, a decimal, a SIRET) must not reach into a plate.
_AFTER_URLS: tuple[tuple[IdentifierKind, Finder], ...] = (
    (IdentifierKind.NIR, find_nirs),
    (IdentifierKind.PLATE, find_plates),
    (IdentifierKind.PHONE, find_phones),
)
_NUMBER = re.compile(r"[\dZz](?:(?<=\d)|(?i:[eé]ro))")
_ROUNDS = 4  # glued identifiers hide each other; each round frees the next
_LIST = re.compile(r"[,:|*](?:(?<=\d.)|(?<=\d[ ].))[ ]?\d")  # as between the pairs of a phone
_LIST_BEFORE = re.compile(r"\d[ ]?[,:|*][ ]?\Z")
_LIST_AFTER = re.compile(r"[ ]?(?:[,:|*]|,?[ ]?(?:et|ou|&))[ ]?\d")
_LIST_REACH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """`text` without direct identifiers; `kinds` are those that were found, sorted."""

    text: str
    kinds: tuple[str, ...]


def mask(text: str, *, keep: frozenset[str] = frozenset()) -> Masked:
    """Return text with phones, e-mails, NIRs, IBANs and number plates replaced by what they were.

    `keep` lists the institution's own phones and e-mails, in any spelling. Masking twice changes
    nothing. Names and handles are left.
    """
    kept = _kept(keep)
    kinds: set[str] = set()
    for _ in range(_ROUNDS):
        shape = skeleton(text)
        found: list[Found] = []
        rest = _find(shape.text, kept, found)
        found.sort()
        kinds.update(str(kind) for *_, kind in found)
        text = _replace(text, shape.offsets, found)
        hides = _may_hide(rest)
        if not any(hides(shape.text, start, end) for start, end, _ in found):
            break
    return Masked(text=text, kinds=tuple(sorted(kinds)))


def _find(plain: str, kept: frozenset[str], found: list[Found]) -> str:
    """Add what was found; return plain with it blanked."""
    plain = _take(plain, IdentifierKind.EMAIL, find_emails(plain), kept=kept, found=found)
    if not _NUMBER.search(plain):
        return plain
    plain = _take(plain, IdentifierKind.IBAN, find_ibans(plain), kept=kept, found=found)
    plain = _take_urls(plain, kept=kept, found=found)
    for kind, find in _AFTER_URLS:
        plain = _take(plain, kind, find(plain), kept=kept, found=found)
    return plain


def _replace(text: str, offsets: Sequence[int], found: Sequence[Found]) -> str:
    pieces: list[str] = []
    last = 0
    for start, end, kind in found:
        pieces += text[last : offsets[start]], REPLACEMENTS[kind]
        last = offsets[end]  # with what is invisible behind it: keycaps, joiners
    return "".join((*pieces, text[last:]))


def _may_hide(rest: str) -> Callable[[str, int, int], bool]:
    """Return what tells whether an identifier hid another: a short question if no list is left."""
    return _is_listed if _LIST.search(rest) else _is_glued


def _is_glued(plain: str, start: int, end: int) -> bool:
    return plain[start - 1 : start].isalnum() or plain[end : end + 1].isalnum()


def _is_listed(plain: str, start: int, end: int) -> bool:
    """Whether it is glued, or made what stands beside it look like a part of a list."""
    return (
        _is_glued(plain, start, end)
        or _LIST_BEFORE.search(plain, max(0, start - _LIST_REACH), start) is not None
        or _LIST_AFTER.match(plain, end) is not None
    )


def _take(
    plain: str,
    kind: IdentifierKind,
    spans: Iterable[tuple[int, int]],
    *,
    kept: frozenset[str],
    found: list[Found],
) -> str:
    """Add what was found; return plain with it blanked, so that the next pattern passes over."""
    pieces: list[str] = []
    last = 0
    for start, end in spans:
        if not (kept and _canonical(plain[start:end]) in kept):
            found.append((start, end, kind))
        pieces += plain[last:start], _GONE * (end - start)
        last = end
    return "".join((*pieces, plain[last:])) if last else plain


def _take_urls(plain: str, *, kept: frozenset[str], found: list[Found]) -> str:
    """Blank the URLs, whose digits are seldom anybody's, after taking the phones they carry."""
    pieces: list[str] = []
    last = 0
    for start, phone, end in find_urls(plain):
        if phone < end and not (kept and _canonical(plain[phone:end]) in kept):
            found.append((phone, end, IdentifierKind.PHONE))
        pieces += plain[last:start], _GONE * (end - start)
        last = end
    return "".join((*pieces, plain[last:])) if last else plain


@cache
def _kept(keep: frozenset[str]) -> frozenset[str]:
    return frozenset(_canonical(skeleton(value.strip()).text) for value in keep)


def _canonical(identifier: str) -> str:
    """One spelling of a phone or e-mail: `+33 1…` and `01.…` are the same number."""
    return identifier.lower() if "@" in identifier else national(identifier)
