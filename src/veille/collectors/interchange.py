"""Mention interchange v1: one JSON object a line, for replay, webhook and file sources."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, NoReturn

import msgspec
from msgspec import Meta, Struct

from veille.collectors.html_text import html_to_text
from veille.domain.errors import MentionError
from veille.domain.mention import Author, Batch, Media, Mention, MentionKind, Metrics, Rejection
from veille.domain.text import language, printable
from veille.wording.format import visible

MAX_TEXT_CHARS = 100_000
CUT = " […]"
"""What a text that was longer ends with."""
MAX_LINE_BYTES = 4 * 1024 * 1024
MAX_MEDIA = 100
MAX_URL_CHARS = 4096

Id = Annotated[str, Meta(min_length=1, max_length=1024)]
Moment = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=0, le=2**53)]


class _Author(Struct, frozen=True, kw_only=True):
    id: Id
    name: str | None = None
    followers: Count | None = None
    created_at: Moment | None = None
    role: str | None = None


class _Media(Struct, frozen=True, kw_only=True):
    type: str
    url: str | None = None
    alt: str | None = None


class _Metrics(Struct, frozen=True, kw_only=True):
    likes: Count | None = None
    shares: Count | None = None
    replies: Count | None = None
    views: Count | None = None


class _Line(Struct, frozen=True, kw_only=True):
    id: Id
    created_at: Moment
    source: Id | None = None
    text: str | None = None
    html: str | None = None
    kind: str | None = None
    author: _Author | None = None
    url: str | None = None
    lang: str | None = None
    reply_to: Id | None = None
    thread: Id | None = None
    media: Annotated[list[_Media], Meta(max_length=MAX_MEDIA)] | None = None
    metrics: _Metrics | None = None
    own: bool | None = None
    received_at: Moment | None = None
    deleted: bool | None = None
    edited_at: Moment | None = None


_BOM = b"\xef\xbb\xbf"
_FIELDS = frozenset(_Line.__struct_fields__)
_INNER = {
    "author": frozenset(_Author.__struct_fields__),
    "media": frozenset(_Media.__struct_fields__),
    "metrics": frozenset(_Metrics.__struct_fields__),
}
_KINDS = frozenset(MentionKind)
_YEARS = range(1970, 2200)  # beyond, adding a window to a time could overflow


@dataclass(frozen=True, slots=True, kw_only=True)
class LineBatch(Batch):
    """A batch read from lines; `cut_count` texts were longer than 100,000 characters."""

    cut_count: int = 0


@dataclass(frozen=True, slots=True)
class _Read:
    mention: Mention
    unknown_field_count: int
    is_cut: bool


def parse_line(line: bytes, *, number: int, source: str | None) -> Mention:
    """Return the mention of one line; texts are cut at 100,000 characters, controls replaced.

    `source`, when given, stands instead of what the line says: nobody speaks for another source.
    The line's own then leads its ids (`facebook/123`), so that two of them cannot meet. Raises
    MentionError, which names the line and the field, never their content.
    """
    return _read(line, number=number, source=source).mention


def parse_lines(
    lines: Iterable[bytes],
    source: str | None = None,
    *,
    first: int = 1,
    unnamed: str | None = None,
) -> LineBatch:
    """Return the mentions of all good lines in order, and why the others are rejected.

    Blank lines count as lines and say nothing. `first` is the number of the first line, `unnamed`
    the source of lines that name none.
    """
    good: list[_Read] = []
    rejected: list[Rejection] = []
    for number, line in enumerate(lines, start=first):
        if not line.removeprefix(_BOM).strip():
            continue
        try:
            good.append(_read(line, number=number, source=source, unnamed=unnamed))
        except MentionError as error:
            reason = str(error).removeprefix(f"line {number}: ")
            rejected.append(Rejection(line=number, reason=reason))
    return LineBatch(
        mentions=tuple(read.mention for read in good),
        rejected=tuple(rejected),
        unknown_field_count=sum(read.unknown_field_count for read in good),
        cut_count=sum(read.is_cut for read in good),
    )


def _read(line: bytes, *, number: int, source: str | None, unnamed: str | None = None) -> _Read:
    try:
        raw = _decode(line.removeprefix(_BOM).strip())
        parsed = msgspec.convert(raw, _Line)
        mention, is_cut = _mention(parsed, source, unnamed)
    except msgspec.ValidationError as error:  # names the field and the type, not the value
        remedy = ": write it as a string" if "Expected `str" in str(error) else ""
        raise MentionError(f"line {number}: {error}{remedy}") from error
    except _Bad as error:
        raise MentionError(f"line {number}: {error}") from error
    return _Read(mention, _unknown_count(raw), is_cut)


class _Bad(Exception):
    """What is wrong with a line, without its number."""


def _decode(line: bytes) -> dict[str, object]:
    if len(line) > MAX_LINE_BYTES:
        raise _Bad(f"longer than {MAX_LINE_BYTES} bytes: shorten it")
    try:
        raw = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raw = _decode_slowly(line)
    if not isinstance(raw, dict):
        raise _Bad("not a JSON object: write {…} on one line")
    return raw


def _decode_slowly(line: bytes) -> object:
    """Return the JSON value; unlike msgspec, json takes lone surrogates, which are repaired."""
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _Bad(f"not UTF-8 at byte {error.start + 1}: save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        raise _Bad(f"not JSON at column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise _Bad("JSON nested too deeply") from error
    except ValueError as error:  # an integer of thousands of digits
        raise _Bad("a number is too long") from error


def _unknown_count(raw: dict[str, object]) -> int:
    count = len(raw.keys() - _FIELDS)
    for name, known in _INNER.items():
        value = raw.get(name)
        for inner in value if isinstance(value, list) else [value]:
            count += len(inner.keys() - known) if isinstance(inner, dict) else 0
    return count


def _mention(line: _Line, source: str | None, unnamed: str | None) -> tuple[Mention, bool]:
    deleted = bool(line.deleted)
    text, is_cut = _text(line, deleted=deleted)
    if line.kind is not None and line.kind not in _KINDS:
        raise _Bad(f"kind is unknown: write one of {', '.join(sorted(_KINDS))}")
    said = _id(line.source, "source") or source or unnamed or _missing("source")

    def native(written: Id | None, field: str) -> str | None:
        found = _id(written, field)
        return found if found is None or source in {None, said} else f"{said}/{found}"

    mention = Mention(
        source=source or visible(said),  # a name that pages, mails and labels show as it is
        id=native(line.id, "id") or _missing("id"),
        text=text,
        created_at=_utc(line.created_at, "created_at") or _missing("created_at"),
        kind=MentionKind(line.kind or MentionKind.POST),
        author=_author(line.author),
        url=_link(line.url),
        lang=language(line.lang),
        reply_to=native(line.reply_to, "reply_to"),
        thread=native(line.thread, "thread"),
        media=tuple(_media(one) for one in line.media or ()),
        metrics=_metrics(line.metrics),
        own=bool(line.own),
        received_at=_utc(line.received_at, "received_at"),
        deleted=deleted,
        edited_at=_utc(line.edited_at, "edited_at"),
    )
    return mention, is_cut


def _text(line: _Line, *, deleted: bool) -> tuple[str, bool]:
    if line.text is None and line.html is None and not deleted:
        raise _Bad("text is missing: give text, or html")
    text = printable(line.text or html_to_text(line.html or ""))
    if len(text) <= MAX_TEXT_CHARS:
        return text, False
    return text[: MAX_TEXT_CHARS - len(CUT)] + CUT, True  # who reads it sees that it went on


def _author(author: _Author | None) -> Author | None:
    if author is None:
        return None
    return Author(
        id=_id(author.id, "author.id") or _missing("author.id"),
        name=_short(author.name, 1024),
        followers=author.followers,
        created_at=_utc(author.created_at, "author.created_at"),
        role=_short(author.role, 256),
    )


def _media(media: _Media) -> Media:
    alt = None if media.alt is None else printable(media.alt)[:10_000]
    return Media(type=printable(media.type)[:64], url=_link(media.url), alt=alt)


def _metrics(metrics: _Metrics | None) -> Metrics | None:
    return None if metrics is None else Metrics(**msgspec.structs.asdict(metrics))


def _id(value: str | None, name: str) -> str | None:
    # Repaired ids could become equal: two mentions would be taken for one.
    if value is not None and printable(value) != value:
        raise _Bad(f"{name} holds control characters or lone surrogates: send it clean")
    return value


def _missing(name: str) -> NoReturn:
    raise _Bad(f"{name} is missing: it is required")


def _short(value: str | None, limit: int) -> str | None:
    return None if value is None else printable(value)[:limit]


def _link(url: str | None) -> str | None:
    """Return an address people may open, else None: no javascript:, no page-long URL."""
    if url is None or len(url) > MAX_URL_CHARS or printable(url) != url:
        return None
    return url if url.lower().startswith(("http://", "https://")) else None


def _utc(value: datetime | None, name: str) -> datetime | None:
    if value is None:
        return None
    if value.year not in _YEARS:
        raise _Bad(f"{name} is not between 1970 and 2199: correct it")
    return value.astimezone(UTC)
