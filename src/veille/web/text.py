"""Text from outside as pieces a template may show: masks apart, nothing invisible, safe links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlsplit

from veille.wording.format import visible

_MASK = re.compile(r"\[([^\[\]\n]{2,40} masquée?)\]")
_LANG = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*", re.ASCII)
_MAX_URL = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of text; `is_mask` when it stands for an identifier that was masked.

    `is_match`: a rule found it.
    """

    text: str
    is_mask: bool = False
    is_match: bool = False


def pieces(
    text: str, *, masked: Sequence[str] = (), spans: Sequence[tuple[int, int]] = ()
) -> list[Piece]:
    """Return the text with control and bidi characters made visible, masks as pieces of their own.

    A text in which nothing was masked has no masks, whatever its author typed. `spans` are what
    rules matched, in code points of the text: pieces of their own too, but never of a mask.
    """
    found: list[Piece] = []
    at = 0
    for mask in _MASK.finditer(text) if masked else ():
        found += _matched(text, at, mask.start(), spans)
        found.append(Piece(text=visible(mask[1]), is_mask=True))
        at = mask.end()
    return found + _matched(text, at, len(text), spans)


def fits(text: str, size: int) -> int:
    """Return how many code points of the text take at most `size` bytes of a page, as shown."""
    end = len(text[:size])
    while (needed := len(escape(visible(text[:end])).encode("utf-8", "replace"))) > size:
        end = end * size // needed
    return end


def apart(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return what any of these places covers, in order; what overlaps or touches is one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        elif end > start:
            found.append((start, end))
    return found


def _matched(text: str, first: int, after: int, spans: Sequence[tuple[int, int]]) -> list[Piece]:
    """Return one stretch of the text, with what was matched in it."""
    found: list[Piece] = []
    at = first
    for start, end in apart(spans):
        a, b = max(start, at), min(end, after)
        if a < b:
            found += [
                Piece(text=visible(text[at:a])),
                Piece(text=visible(text[a:b]), is_match=True),
            ]
            at = b
    found.append(Piece(text=visible(text[at:after])))
    return [piece for piece in found if piece.text]


def safe_link(url: str | None) -> str | None:
    """Return a mention's address if a person may follow it: http or https with a host, no login."""
    if url is None or len(url) > _MAX_URL or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        return None
    return url


def foreign_lang(lang: str | None, page: str) -> str | None:
    """Return the `lang` a quote needs on a page in language `page`, None when it needs none."""
    if lang is None or _LANG.fullmatch(lang) is None or lang.split("-")[0] == page:
        return None
    return lang
