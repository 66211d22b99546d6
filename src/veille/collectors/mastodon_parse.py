"""Statuses, notifications and stream events of the Mastodon API to mentions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from veille.collectors.html_text import html_to_text
from veille.collectors.interchange import MAX_MEDIA, MAX_TEXT_CHARS, MAX_URL_CHARS, Count, Id
from veille.collectors.repair import BROKEN, Decoded, decode
from veille.domain.errors import MentionError
from veille.domain.mention import Author, Media, Mention, MentionKind, Metrics
from veille.domain.text import language, printable

_PUBLIC = frozenset({"public", "unlisted"})
_QUIET_EVENTS = frozenset(
    "announcement announcement.reaction announcement.delete conversation encrypted_message "
    "filters_changed notifications_merged".split()
)
"""Events of the API that hold no public text (docs.joinmastodon.org/methods/streaming)."""
_YEARS = range(1970, 2200)  # beyond, adding a window to a time could overflow

MAX_ID_CHARS = 1024

_Moment = Annotated[datetime, Meta(tz=True)]


class _Account(Struct, frozen=True):
    acct: Annotated[str, Meta(min_length=1, max_length=512)]
    username: str | None = None
    display_name: str | None = None
    url: str | None = None
    created_at: _Moment | None = None
    followers_count: int | None = None  # -1 where it is hidden


class _Attachment(Struct, frozen=True):
    type: str = "unknown"
    url: str | None = None
    description: str | None = None


class _Status(Struct, frozen=True):
    id: Id
    created_at: _Moment
    visibility: str
    account: _Account
    content: str = ""
    spoiler_text: str | None = None
    url: str | None = None
    uri: str | None = None
    language: str | None = None
    in_reply_to_id: Id | None = None
    edited_at: _Moment | None = None
    media_attachments: list[_Attachment] | None = None
    favourites_count: Count | None = None
    reblogs_count: Count | None = None
    replies_count: Count | None = None
    reblog: _Status | None = None


class _Notification(Struct, frozen=True):
    id: Id
    type: str
    status: _Status | None = None


_STATUS = msgspec.json.Decoder(_Status)
_NOTIFICATION = msgspec.json.Decoder(_Notification)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose statuses these are: the source's id, its server's host, whether they are our own."""

    source: str
    host: str
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What one event or element of a page gave.

    `place` is its id in the timeline it stands in, to go on from. `mention` is None for what is
    not for us: other notifications, and whatever is not public.
    """

    mention: Mention | None = None
    place: str | None = None
    is_known: bool = True


def read_status(raw: bytes, origin: Origin) -> Item:
    """Return a status; a boost is the status it boosts, at the boost's place.

    Only what is public or unlisted becomes a mention. Raises MentionError, without its text.
    """
    status = _decode(_STATUS, raw)
    return Item(mention=_public(status.reblog or status, origin), place=status.id)


def read_notification(raw: bytes, origin: Origin) -> Item:
    """Return the status of a notification that mentions us; other notifications give none."""
    note = _decode(_NOTIFICATION, raw)
    status = note.status if note.type == "mention" else None
    mention = None if status is None else _public(status, origin)
    return Item(mention=mention, place=note.id)


def read_event(name: str, data: bytes, origin: Origin, *, now: datetime) -> Item:
    """Return what a stream event says; `place` only for a new status or notification.

    A deletion gives a tombstone. Raises MentionError, without its text.
    """
    if name == "update":
        return read_status(data, origin)
    if name == "status.update":  # it stands at its old place
        return Item(mention=read_status(data, origin).mention)
    if name == "notification":
        return read_notification(data, origin)
    if name == "delete":
        id_ = data.decode("utf-8", "replace").strip().strip('"')  # bare, on some servers quoted
        return Item(mention=tombstone(_clean_id(id_, "delete"), origin, now=now))
    return Item(is_known=name in _QUIET_EVENTS)


def tombstone(id_: str, origin: Origin, *, now: datetime) -> Mention:
    """Return what says that this status is deleted."""
    return Mention(
        source=origin.source, id=id_, text="", created_at=now, own=origin.own, deleted=True
    )


def _decode(decoder: msgspec.json.Decoder[Decoded], raw: bytes) -> Decoded:
    try:
        return decode(decoder, raw)
    except msgspec.ValidationError as error:  # names the field and the type, not the value
        raise MentionError(str(error)) from error
    except BROKEN as error:
        raise MentionError("not JSON") from error


def _public(status: _Status, origin: Origin) -> Mention | None:
    if status.visibility not in _PUBLIC:
        return None
    reply_to = status.in_reply_to_id
    return Mention(
        source=origin.source,
        id=_clean_id(status.id, "id"),
        text=_text(status),
        created_at=_utc(status.created_at),
        kind=MentionKind.POST if reply_to is None else MentionKind.REPLY,
        author=_author(status.account, origin),
        url=_link(status.url) or _link(status.uri),
        lang=language(status.language),
        reply_to=None if reply_to is None else _clean_id(reply_to, "in_reply_to_id"),
        media=tuple(_media(one) for one in (status.media_attachments or [])[:MAX_MEDIA]),
        metrics=Metrics(
            likes=status.favourites_count,
            shares=status.reblogs_count,
            replies=status.replies_count,
        ),
        own=origin.own,
        edited_at=None if status.edited_at is None else _utc(status.edited_at),
    )


def _text(status: _Status) -> str:
    """Return the content warning and the text: what it warns of may be all that names us."""
    parts = (status.spoiler_text or "", html_to_text(status.content))
    return printable("\n".join(part for part in parts if part))[:MAX_TEXT_CHARS]


def _author(account: _Account, origin: Origin) -> Author:
    """Return the author under the full address: `acct` of a local account has no host."""
    is_local = "@" not in account.acct
    acct = f"{account.acct}@{origin.host}" if is_local else account.acct
    followers = account.followers_count
    return Author(
        id=_clean_id(acct, "account.acct"),
        name=printable(account.display_name or account.username or "")[:1024] or None,
        handle=account.acct if is_local else None,
        followers=followers if followers is not None and followers >= 0 else None,
        created_at=None if account.created_at is None else _utc(account.created_at),
    )


def _media(one: _Attachment) -> Media:
    alt = None if one.description is None else printable(one.description)[:10_000]
    return Media(type=printable(one.type)[:64], url=_link(one.url), alt=alt)


def _clean_id(value: str, field: str) -> str:
    # Repaired ids could become equal: two mentions would be taken for one.
    if not value or len(value) > MAX_ID_CHARS or printable(value) != value:
        raise MentionError(f"{field} is empty, too long or holds control characters")
    return value


def _link(url: str | None) -> str | None:
    if url is None or len(url) > MAX_URL_CHARS or printable(url) != url:
        return None
    return url if url.lower().startswith(("http://", "https://")) else None


def _utc(value: datetime) -> datetime:
    if value.year not in _YEARS:
        raise MentionError("a date is not between 1970 and 2199")
    return value.astimezone(UTC)
