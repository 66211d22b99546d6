"""Jetstream v1 frames to mentions: posts, their edits and deletions, accounts that are gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from veille.collectors.interchange import MAX_MEDIA, MAX_TEXT_CHARS, MAX_URL_CHARS
from veille.collectors.repair import BROKEN, decode
from veille.domain.mention import (
    Author,
    Batch,
    GoneAuthor,
    Media,
    Mention,
    MentionKind,
    Rejection,
)
from veille.domain.text import language

POST = "app.bsky.feed.post"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HIDDEN_BY_RELAYS = frozenset({"desynchronized", "throttled"})
"""Inactive for a relay only: the account still stands (atproto.com/specs/account)."""

# Lengths: an at-uri has 8,192 bytes at most, a DID 2,048 (atproto.com/specs); longer ids are
# refused here so that no id is ever cut.
_Did = Annotated[str, Meta(pattern=r"^did:[a-z]+:[A-Za-z0-9._:%-]{1,256}\Z")]
_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:~-]{1,512}\Z")]
_Micros = Annotated[int, Meta(ge=0, le=4_102_444_800_000_000)]  # the year 2100


class _Commit(Struct, frozen=True, gc=False):
    operation: str
    collection: _Name
    rkey: _Name
    record: msgspec.Raw = msgspec.Raw()


class _Account(Struct, frozen=True, gc=False):
    active: bool
    status: str | None = None


class _Frame(Struct, frozen=True, gc=False):
    did: _Did
    time_us: _Micros
    kind: str
    commit: _Commit | None = None
    account: _Account | None = None


class _Ref(Struct, frozen=True, gc=False):
    uri: Annotated[str, Meta(min_length=1, max_length=1024)]


class _Reply(Struct, frozen=True, gc=False):
    parent: _Ref
    root: _Ref


class _Record(Struct, frozen=True, gc=False, rename={"created_at": "createdAt"}):
    text: str = ""
    created_at: str = ""
    langs: list[str] | None = None
    reply: _Reply | None = None
    embed: msgspec.Raw = msgspec.Raw()  # any shape: see _media


class _Picture(Struct, frozen=True, gc=False):
    alt: str = ""


class _External(Struct, frozen=True, gc=False):
    uri: str
    title: str = ""


class _Blob(Struct, frozen=True):
    pass


class _Embed(Struct, frozen=True):
    images: list[_Picture] = []
    video: _Blob | None = None
    alt: str = ""
    external: _External | None = None
    media: _Embed | None = None  # beside a quoted post


_FRAME = msgspec.json.Decoder(_Frame)
_RECORD = msgspec.json.Decoder(_Record)
_EMBED = msgspec.json.Decoder(_Embed)


@dataclass(slots=True)
class _Found:
    mentions: list[Mention] = field(default_factory=list)
    gone: dict[str, tuple[GoneAuthor, int]] = field(default_factory=dict)  # and mentions before it
    rejected: list[Rejection] = field(default_factory=list)
    unknown: int = 0
    time_us: int | None = None


def parse_frames(frames: Iterable[bytes], *, source: str, own: bool = False) -> Batch:
    """Return what the frames say, in order; the cursor is the last readable frame's `time_us`.

    Frames of unknown kinds are counted. A malformed one is rejected, named by its number from 1,
    and its record does not stop the others: nothing in a frame raises.
    """
    found = _Found()
    for number, frame in enumerate(frames, start=1):
        try:
            _take(decode(_FRAME, frame), found, source, own=own)
        except msgspec.ValidationError as error:  # names the field and the type, not the value
            found.rejected.append(Rejection(line=number, reason=str(error)))
        except BROKEN:
            found.rejected.append(Rejection(line=number, reason="not JSON"))
    return Batch(
        mentions=_standing(found),
        cursor=None if found.time_us is None else str(found.time_us),
        rejected=tuple(found.rejected),
        unknown_field_count=found.unknown,
        gone_authors=tuple(author for author, _ in found.gone.values()),
        is_ordered=True,
    )


def _take(frame: _Frame, found: _Found, source: str, *, own: bool) -> None:
    found.time_us = frame.time_us
    commit = frame.commit
    if frame.kind == "commit" and commit is not None:
        if commit.operation == "delete":
            found.mentions.append(_deleted(frame, commit, source, own=own))
        elif commit.operation in {"create", "update"}:
            found.mentions.append(_written(frame, commit, source, own=own))
        else:
            found.unknown += 1
    elif frame.kind == "account" and frame.account is not None:
        if frame.account.active:
            found.gone.pop(frame.did, None)  # its posts are shown again
        elif frame.account.status not in _HIDDEN_BY_RELAYS:
            gone = GoneAuthor(id=frame.did, at=_moment(frame.time_us))
            found.gone[frame.did] = (gone, len(found.mentions))
    elif frame.kind != "identity":
        found.unknown += 1


def _standing(found: _Found) -> tuple[Mention, ...]:
    """Return all but what an account wrote before it was gone; deletions stay."""
    ends = {did: place for did, (_, place) in found.gone.items()}
    return tuple(
        mention
        for place, mention in enumerate(found.mentions)
        if mention.author is None or place >= ends.get(mention.author.id, 0)
    )


def _deleted(frame: _Frame, commit: _Commit, source: str, *, own: bool) -> Mention:
    return Mention(
        source=source,
        id=f"at://{frame.did}/{commit.collection}/{commit.rkey}",
        text="",
        created_at=_moment(frame.time_us),
        own=own,
        deleted=True,
    )


def _written(frame: _Frame, commit: _Commit, source: str, *, own: bool) -> Mention:
    record = decode(_RECORD, bytes(commit.record))
    at = _moment(frame.time_us)
    is_post = commit.collection == POST
    reply = record.reply
    return Mention(
        source=source,
        id=f"at://{frame.did}/{commit.collection}/{commit.rkey}",
        text=record.text[:MAX_TEXT_CHARS],
        created_at=_created_at(record.created_at, at),
        kind=MentionKind.POST if reply is None else MentionKind.REPLY,
        author=Author(id=frame.did),
        url=f"https://bsky.app/profile/{frame.did}/post/{commit.rkey}" if is_post else None,
        lang=language(record.langs[0]) if record.langs else None,
        reply_to=None if reply is None else reply.parent.uri,
        thread=None if reply is None else reply.root.uri,
        media=_media(record.embed) if bytes(record.embed) else (),
        own=own,
        edited_at=at if commit.operation == "update" else None,
    )


def _moment(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_us)


def _created_at(written: str, seen_at: datetime) -> datetime:
    """Return what the author's clock says, but nothing later than the server's.

    As Bluesky sorts (docs.bsky.app, "Timestamps"): the earlier of creation and indexing. Without
    an offset, before 1970 or unreadable it says nothing.
    """
    try:
        created_at = datetime.fromisoformat(written)
        if created_at.tzinfo is None or not _EPOCH <= created_at <= seen_at:
            return seen_at
        return created_at.astimezone(UTC)
    except (ValueError, OverflowError):
        return seen_at


def _media(raw: msgspec.Raw) -> tuple[Media, ...]:
    """Return what is attached; an embed of another shape is none: the text counts all the same."""
    try:
        embed = decode(_EMBED, bytes(raw))
    except (*BROKEN, msgspec.ValidationError):
        return ()
    shown = embed.media or embed
    media = [Media(type="image", alt=picture.alt or None) for picture in shown.images]
    if shown.video is not None:
        media.append(Media(type="video", alt=shown.alt or None))
    if shown.external is not None and len(shown.external.uri) <= MAX_URL_CHARS:
        external = shown.external
        media.append(Media(type="external", url=external.uri, alt=external.title or None))
    return tuple(media[:MAX_MEDIA])
