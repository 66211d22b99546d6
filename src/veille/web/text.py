"""Text from outside as pieces a template may show: masks apart, nothing invisible, safe links."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from veille.wording.format import visible

_MASK = re.compile(r"\[([^\[\]\n]{2,40} masquée?)\]")
_LANG = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*", re.ASCII)
_MAX_URL = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of text; `is_mask` when it stands for an identifier that was masked."""

    text: str
    is_mask: bool = False


def pieces(text: str, *, masked: Sequence[str] = ()) -> list[Piece]:
    """Return the text with control and bidi characters made visible, masks as pieces of their own.

    A text in which nothing was masked has no masks, whatever its author typed.
    """
    shown = visible(text)
    if not masked:
        return [Piece(text=shown)] if shown else []
    found: list[Piece] = []
    for number, part in enumerate(_MASK.split(shown)):
        if part:
            found.append(Piece(text=part, is_mask=number % 2 == 1))
    return found


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
