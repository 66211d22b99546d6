"""What a feed collector remembers, and which entries are new or edited: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from veille.collectors.feed_parse import MAX_TEXT_CHARS, FeedItem
from veille.domain.ids import content_hash
from veille.domain.mention import Author, Mention, MentionKind

KEPT_IDS = 1_000
"""Entries remembered after they left the feed; those still in it are always remembered."""

MAX_ID_CHARS = 900
MAX_LINK_CHARS = 4096

_EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)  # before any feed: a wrong date


class Seen(Struct, frozen=True, array_like=True):
    """One entry as last read: hashes of content, link and the whole; first seen, epoch seconds."""

    content: str
    link: str
    whole: str
    first_s: int


class FeedState(Struct, frozen=True, kw_only=True):
    """The cursor of a feed. `seen` is by hash of the mention id, least recently present first."""

    url: str = ""
    moved_to: str | None = None
    etag: str | None = None
    modified: str | None = None
    seen: dict[str, Seen] = {}


@dataclass(frozen=True, slots=True)
class _Entry:
    item: FeedItem
    base: str
    content: str
    link: str
    whole: str

    @property
    def ids(self) -> tuple[str, str, str]:
        """The ids it may have: its own, and two for entries that share it."""
        return self.base, f"{self.base}#{self.link}", f"{self.base}#{self.link}{self.content}"


def read_state(cursor: str | None) -> FeedState:
    """Return the state of a cursor; an unreadable one is an empty one (the store dedupes)."""
    try:
        return msgspec.json.decode(cursor or "{}", type=FeedState)
    except (msgspec.DecodeError, RecursionError):
        return FeedState()


def write_state(state: FeedState) -> str:
    """Return the cursor that `read_state` reads back."""
    return msgspec.json.encode(state).decode()


def advance(
    seen: Mapping[str, Seen], items: Sequence[FeedItem], *, source: str, own: bool, now: datetime
) -> tuple[tuple[Mention, ...], dict[str, Seen]]:
    """Return mentions of new and edited entries, oldest first, and what to remember after them.

    Dates decide nothing but the order: an entry is new when it was not seen. An entry without a
    plausible date gets the time it was first seen.
    """
    current: dict[str, Seen] = {}
    mentions: list[Mention] = []
    wholes = {value.whole for value in seen.values()} - {""}
    for id_, entry in _identified(seen, items):
        known = seen.get(_hash(id_))
        first_s = known.first_s if known else int(now.timestamp())
        current[_hash(id_)] = Seen(entry.content, entry.link, entry.whole, first_s)
        is_renumbered = known is None and entry.whole in wholes  # the same under a new guid
        is_same = known is not None and known.content == entry.content
        if not is_renumbered and not is_same:
            first_at = datetime.fromtimestamp(first_s, UTC)
            mention = _mention(entry.item, id_, source=source, own=own, first_at=first_at)
            edited_at = _edited_at(entry.item, now) if known else None
            mentions.append(replace(mention, edited_at=edited_at))
    older = [key for key in seen if key not in current]
    kept = {key: seen[key] for key in older[-KEPT_IDS:]}
    # Feeds list the newest first; sorting is stable, so entries of one second keep that order.
    return tuple(sorted(reversed(mentions), key=lambda m: m.created_at)), kept | current


def _identified(seen: Mapping[str, Seen], items: Sequence[FeedItem]) -> list[tuple[str, _Entry]]:
    """Return each entry with its id: stable from poll to poll, whatever guids do.

    Entries that are exactly as remembered take their ids first, so that a newcomer with a repeated
    guid is not taken for an edit of an entry that still stands beside it.
    """
    entries = [_entry(item) for item in items]
    taken: dict[str, _Entry] = {}
    named: dict[int, str] = {}
    for is_exact in (True, False):
        for place, entry in enumerate(entries):
            if place in named:
                continue
            id_ = _exact(entry, seen) if is_exact else _free(entry, seen, taken)
            if id_ is None or (id_ in taken and is_exact):
                continue
            named[place] = id_
            taken.setdefault(id_, entry)
    pairs = [(named[place], entry) for place, entry in enumerate(entries)]
    return [(id_, entry) for id_, entry in pairs if taken[id_] is entry]


def _exact(entry: _Entry, seen: Mapping[str, Seen]) -> str | None:
    for id_ in entry.ids:
        known = seen.get(_hash(id_))
        if known and known.content == entry.content and known.link == entry.link:
            return id_
    return None


def _free(entry: _Entry, seen: Mapping[str, Seen], taken: Mapping[str, _Entry]) -> str:
    """Return the first id that is the entry's own, or that nobody has."""
    for id_ in entry.ids[:2]:
        known, holder = seen.get(_hash(id_)), taken.get(id_)
        if holder is not None:
            if (holder.link, holder.content) == (entry.link, entry.content):
                return id_  # the very same entry twice: the second is dropped
            continue
        if known is None or known.link == entry.link or known.content == entry.content:
            return id_
    return entry.ids[2]


def _entry(item: FeedItem) -> _Entry:
    link, date, author = item.link or "", str(item.published or ""), item.author or ""
    text = item.text if not (item.title and date) else ""
    fallback = "entry:" + content_hash(item.title, date, text)
    return _Entry(
        item=item,
        base=_bounded(item.guid or item.link or fallback),
        content=content_hash(item.title, item.text)[:16],
        link=content_hash(link)[:8],
        whole=content_hash(link, date, author, item.title, item.text)[:16] if link and date else "",
    )


def _mention(item: FeedItem, id_: str, *, source: str, own: bool, first_at: datetime) -> Mention:
    published = item.published
    is_plausible = published is not None and _EARLIEST <= published <= first_at
    title = "" if item.text.startswith(item.title) else item.title
    link = item.link or ""
    is_web = link.startswith(("http://", "https://")) and len(link) <= MAX_LINK_CHARS
    return Mention(
        source=source,
        id=id_,
        text="\n".join(part for part in (title, item.text) if part)[:MAX_TEXT_CHARS],
        created_at=published if published and is_plausible else first_at,
        kind=MentionKind.ARTICLE,
        author=Author(id=item.author, name=item.author) if item.author else None,
        url=link if is_web else None,
        own=own,
    )


def _edited_at(item: FeedItem, now: datetime) -> datetime:
    updated = item.updated
    return updated if updated and _EARLIEST <= updated <= now else now


def _bounded(id_: str) -> str:
    return id_ if len(id_) <= MAX_ID_CHARS else f"{id_[:MAX_ID_CHARS]}#{content_hash(id_)}"


def _hash(id_: str) -> str:
    return content_hash(id_)[:16]
