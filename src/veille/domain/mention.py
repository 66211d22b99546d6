"""A mention as its source sent it. It lives in memory only: privacy masks it before any write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class MentionKind(StrEnum):
    """What a text is on its platform."""

    POST = "post"
    COMMENT = "comment"
    REPLY = "reply"
    REVIEW = "review"
    ARTICLE = "article"
    MESSAGE = "message"


class IdentifierKind(StrEnum):
    """What is masked in a text before it is stored."""

    EMAIL = "email"
    IBAN = "iban"
    NIR = "nir"
    PHONE = "phone"
    PLATE = "plate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote it, in clear: never stored as such.

    `handle` is how the source shows them where that is shorter than `id`.
    """

    id: str
    name: str | None = None
    handle: str | None = None
    followers: int | None = None
    created_at: datetime | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A picture, film or sound that came with a text; it is never fetched."""

    type: str
    url: str | None = None
    alt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Counts shown by the platform when the mention was read."""

    likes: int | None = None
    shares: int | None = None
    replies: int | None = None
    views: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """One text as its source gave it; times are aware. `deleted` makes it a tombstone for `id`."""

    source: str
    id: str
    text: str
    created_at: datetime
    kind: MentionKind = MentionKind.POST
    author: Author | None = None
    url: str | None = None
    lang: str | None = None
    reply_to: str | None = None
    thread: str | None = None
    media: tuple[Media, ...] = ()
    metrics: Metrics | None = None
    own: bool = False
    received_at: datetime | None = None
    deleted: bool = False
    edited_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """An item that could not be read: `line` counts from 1, `reason` holds none of its text."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneAuthor:
    """An account that its source deleted at `at`: what it wrote until then is gone."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one read of a source gave, with the cursor to commit in the same transaction.

    `has_more` says that reading on at once may give more. `gone_authors` went before they wrote
    any of `mentions`. `is_ordered` says that mentions and deletions come in
    the order they happened, so that a deletion of what is not stored needs no tombstone.
    """

    mentions: tuple[Mention, ...] = ()
    cursor: str | None = None
    rejected: tuple[Rejection, ...] = ()
    unknown_field_count: int = 0
    has_more: bool = False
    gone_authors: tuple[GoneAuthor, ...] = ()
    is_ordered: bool = False
