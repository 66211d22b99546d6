"""A mention as it is stored: masked, pseudonymous, matched to watches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from veille.domain.analysis import Analysis, UrgencyLabel
from veille.domain.card import Card
from veille.domain.correction import Correction
from veille.domain.mention import Media, MentionKind, Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What names the author, kept in a table of its own that is erased with the author."""

    native_id: str
    url: str | None = None
    author_id: str | None = None
    author_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedMention:
    """The only form of a mention the store accepts; only `privacy` makes it.

    `key`, `author`, `reply_to` and `thread` are keyed hashes (32 hex digits). `masked` names the
    kinds of identifier masked in `text`. `sealed` is the unmasked text, encrypted, when something
    was masked and a sealing key exists. `marks` are the keyed hashes under which its author may
    have objected: they are looked up, not stored. `author_age` is how many days old the account
    was when it wrote; its date is not kept.
    """

    key: str
    source: str
    watches: tuple[str, ...]
    kind: MentionKind
    text: str
    created_at: datetime
    received_at: datetime
    content_hash: str
    identity: Identity
    author: str | None = None
    followers: int | None = None
    author_age: int | None = None
    role: str | None = None
    lang: str | None = None
    reply_to: str | None = None
    thread: str | None = None
    media: tuple[Media, ...] = ()
    metrics: Metrics | None = None
    own: bool = False
    edited_at: datetime | None = None
    masked: tuple[str, ...] = ()
    sealed: bytes | None = None
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """The source deleted the mention of this key."""

    key: str
    source: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One accepted webhook request: the same id and body again is answered, not stored."""

    source: str
    webhook_id: str
    body_hash: str
    answer: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One analyzed mention as rules see it, in the order of `seq`.

    A deletion is an observation too, with `analysis` None: what it counted for is taken back.
    An edit is a new observation of the same `key`: `is_again` then. `media` holds the types of what
    came with the text, `masked` the kinds of identifier that were masked in it, `metrics` is as
    first read. `reply_to` and `thread` are keys of mentions.
    """

    seq: int
    key: str
    source: str
    watches: tuple[str, ...]
    kind: MentionKind
    text: str
    created_at: datetime
    received_at: datetime
    author: str | None = None
    followers: int | None = None
    author_age: int | None = None
    role: str | None = None
    own: bool = False
    reply_to: str | None = None
    thread: str | None = None
    media: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    metrics: Metrics | None = None
    is_again: bool = False
    analysis: Analysis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterMember:
    """Where a mention stands among those that say the same, as it was put when it came in.

    `cluster` and `wording` (of which the others are copies) are named after the mention that came
    first: its key, and `.2` and so on behind it when that was an edit. `at` is when it came.
    """

    key: str
    author: str | None
    at: datetime
    cluster: str
    wording: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMention:
    """A mention as it is read back: `text` is "" once deleted.

    `has_original` holds while the sealed, unmasked text exists. `corrections` are what people say
    against the analysis, or in confirmation of it, by head.
    """

    key: str
    source: str
    watches: tuple[str, ...]
    kind: MentionKind
    text: str
    created_at: datetime
    received_at: datetime
    author: str | None = None
    followers: int | None = None
    role: str | None = None
    lang: str | None = None
    own: bool = False
    edited_at: datetime | None = None
    masked: tuple[str, ...] = ()
    version: int = 1
    is_deleted: bool = False
    has_original: bool = False
    url: str | None = None
    analysis: Analysis | None = None
    corrections: Mapping[str, Correction] = field(default_factory=dict)

    @property
    def card(self) -> Card | None:
        """The emergency card, unless a person found the text not urgent."""
        judged = self.corrections.get("urgency")
        if self.analysis is None or (judged and judged.value != UrgencyLabel.URGENT):
            return None
        return self.analysis.card
