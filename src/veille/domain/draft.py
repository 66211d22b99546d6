"""A draft answer: who wrote it, who approved it, and what a platform takes of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

NAME_LENGTH = 80
"""Of a template's name."""


class DraftState(StrEnum):
    """Where a draft is."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    APPROVED = "approved"
    PUBLISHED = "published"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One answer to a queue item (`item` is its number); a person publishes it, veille never does.

    `author` is who wrote the text as it stands. `image` is None without an image, else what is
    said of it for who cannot see it: "" is still owed. `published_on` names the platform.
    """

    id: int
    item: int
    text: str
    author: str
    state: DraftState
    created_at: datetime
    updated_at: datetime
    image: str | None = None
    approved_by: str | None = None
    published_by: str | None = None
    published_at: datetime | None = None
    published_on: str | None = None
    link: str | None = None
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text to begin with; `id` None: it ships with veille, and nobody changes it."""

    name: str
    text: str
    id: int | None = None
    author: str | None = None
    version: int = 1


LIMITS: Mapping[str, int] = MappingProxyType({"bluesky": 300, "mastodon": 500})
"""Graphemes of a post, by kind of source.

Bluesky: the lexicon `app.bsky.feed.post` (`maxGraphemes`). Mastodon: its default
(`max_characters` of `GET /api/v2/instance`, an administrator may raise it). Of the others none is
known here.
"""
LINK_LENGTH = 23
"""What Mastodon counts for any link (`characters_reserved_per_url`, same document)."""

_LINK = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE | re.ASCII)
_JOINER = "\u200d"
_FLAGS = range(0x1F1E6, 0x1F200)
_TONES = range(0x1F3FB, 0x1F400)
_TAGS = range(0xE0020, 0xE0080)


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How long a text is for a platform; `limit` None where none is known."""

    count: int
    limit: int | None = None

    @property
    def left(self) -> int | None:
        """How many signs may follow; negative where it is too long."""
        return None if self.limit is None else self.limit - self.count


def length(text: str, kind: str) -> Length:
    """Return how long `text` is as a source of this kind counts: what a reader sees as one sign."""
    counted = text.strip()
    if kind == "mastodon":
        counted = _LINK.sub("x" * LINK_LENGTH, counted)
    return Length(count=graphemes(counted), limit=LIMITS.get(kind))


def graphemes(text: str) -> int:
    """Return how many signs a reader counts: « é » is one, and so are a flag and a family.

    The rules of Unicode Standard Annex 29 that French text and emoji meet: combining marks,
    variation selectors, joiners, skin tones, tags and pairs of regional letters. Hangul and Indic
    syllables count more.
    """
    count, is_joined, flags = 0, False, 0
    previous = ""
    for char in text:
        code = ord(char)
        flags = flags + 1 if code in _FLAGS else 0
        is_extended = unicodedata.category(char) in {"Mn", "Me", "Mc"} or code in _TONES
        is_part = is_extended or code in _TAGS or char == _JOINER or (previous + char) == "\r\n"
        if not (is_part and count) and not is_joined and not (flags and flags % 2 == 0):
            count += 1
        is_joined, previous = char == _JOINER and count > 0, char
    return count


def fill(text: str, values: Mapping[str, str], unknown: str) -> str:
    """Return a template with `{name}` replaced by its value, or by `unknown` where it is empty.

    A brace of anything else stays as it is: a template is a text, not a program.
    """
    pattern = re.compile("|".join(re.escape(f"{{{name}}}") for name in values))
    return pattern.sub(lambda found: values[found[0][1:-1]] or unknown, text) if values else text


def needs_second(severity: str) -> bool:
    """Whether another person than its author approves an answer before it is published."""
    return severity == "critical"
