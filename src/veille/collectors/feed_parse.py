"""Feeds from bounded bytes: RSS, Atom and RDF by feedparser, JSON Feed 1 and 1.1 as JSON."""

from __future__ import annotations

import calendar
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urljoin
from xml.parsers import expat

from veille.collectors.html_text import html_to_text
from veille.domain.errors import SourceError
from veille.domain.mention import Rejection
from veille.domain.text import printable

_REFERENCE = re.compile(rb"&#(x[0-9A-Fa-f]{1,6}|[0-9]{1,7});", re.IGNORECASE)
MAX_ITEMS = 10_000
MAX_TEXT_CHARS = 100_000
MAX_DEPTH = 100
MAX_ILL_FORMED_BYTES = 2 * 1024 * 1024  # guessing takes feedparser seconds beyond

# What code raises on an entry of another shape than documented.
_FOREIGN = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
_FIRST_ELEMENT = re.compile(rb"<\w")
_PAGE = re.compile(rb"<!doctype\s+html\b|<html\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedItem:
    """One entry as the feed gives it: plain text; dates aware or None, unchecked."""

    guid: str | None = None
    link: str | None = None
    title: str = ""
    text: str = ""
    author: str | None = None
    published: datetime | None = None
    updated: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """The readable entries in the feed's order, and why others (counted from 1) are not."""

    items: tuple[FeedItem, ...] = ()
    rejected: tuple[Rejection, ...] = ()


def parse_feed(body: bytes, *, content_type: str = "", url: str = "") -> Feed:
    """Return what the feed holds; at most 10,000 entries, the first ones.

    Ill-formed XML is read as well as can be. `url` makes relative links whole. Raises SourceError
    when the body is no feed (an HTML page, say) or declares XML entities.
    """
    stripped = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    if stripped[:1] == b"{":
        return _collect(_json_entries(stripped), _json_item)
    return _collect(_xml_entries(body, content_type), partial(_xml_item, url=url))


def _collect(entries: list[Any], read: Any) -> Feed:  # Any: foreign shapes end here
    items: list[FeedItem] = []
    rejected: list[Rejection] = []
    for number, entry in enumerate(entries[:MAX_ITEMS], start=1):
        try:
            item = read(entry)
        except _FOREIGN as error:
            reason = f"entry unreadable: {type(error).__name__}"
            rejected.append(Rejection(line=number, reason=reason))
            continue
        if item.title or item.text:
            items.append(item)
        else:
            rejected.append(Rejection(line=number, reason="entry without title or text"))
    if len(entries) > MAX_ITEMS:
        reason = f"more than {MAX_ITEMS} entries: the others are not read"
        rejected.append(Rejection(line=MAX_ITEMS + 1, reason=reason))
    return Feed(items=tuple(items), rejected=tuple(rejected))


def _mended(reference: re.Match[bytes]) -> bytes:
    """Return a reference to a character as it is, to half of one as U+FFFD.

    One `&#xD83D;` (half an emoji, cut by somebody's software) would break the whole feed.
    """
    digits = reference[1].lower()
    number = int(digits[1:], 16) if digits.startswith(b"x") else int(digits)
    return b"&#xFFFD;" if 0xD800 <= number <= 0xDFFF else reference[0]  # noqa: PLR2004 surrogates


def _xml_entries(body: bytes, content_type: str) -> list[Any]:
    # Imported here: half the command line never reads a feed.
    import feedparser
    from feedparser.encodings import convert_to_utf8

    headers = {"content-type": content_type}
    try:
        # First, since UTF-16 or UTF-7 could hide an entity from a search in the bytes.
        data = convert_to_utf8(dict(headers), body, {}) if body else b""
        _refuse_bombs(data)
        headers["content-type"] = "application/xml; charset=utf-8"
        parsed = feedparser.parse(
            io.BytesIO(_REFERENCE.sub(_mended, data)),
            response_headers=headers,
            resolve_relative_uris=False,  # in markup, which is dropped
            sanitize_html=False,
        )
    except SourceError:
        raise
    except Exception as error:  # a third party's parser on hostile bytes
        raise SourceError(f"the feed breaks its parser ({type(error).__name__})") from error
    if not parsed.entries and not parsed.get("version"):
        what = "an HTML page, maybe a login" if _PAGE.search(data[:4096]) else "no feed"
        raise SourceError(f"the answer is {what}: give the address of the RSS, Atom or JSON feed")
    return list(parsed.entries)


class _Refused(Exception):
    """Why a document is not given to feedparser."""


def _refuse_bombs(data: bytes) -> None:
    """Raise SourceError for entities (ten lines of them fill any memory) and for deep nesting.

    Nesting costs feedparser quadratic time.
    """
    depth = 0

    def starts(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise _Refused(f"is nested more than {MAX_DEPTH} elements deep")

    def ends(*_: object) -> None:
        nonlocal depth
        depth -= 1

    def declares(*_: object) -> None:
        raise _Refused("declares XML entities")

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = starts, ends
    parser.EntityDeclHandler = declares
    first = _FIRST_ELEMENT.search(data)
    try:
        # feedparser's loose parser takes entities from what precedes the first element.
        if b"<!ENTITY" in data[: first.start() if first else len(data)]:
            declares()
        parser.Parse(data, True)  # noqa: FBT003 (the signature of expat)
    except _Refused as error:
        raise SourceError(f"the feed {error}: refused; ask its publisher to change it") from error
    except (expat.ExpatError, ValueError):
        if len(data) > MAX_ILL_FORMED_BYTES:
            raise SourceError(
                f"the feed is ill-formed XML of over {MAX_ILL_FORMED_BYTES} bytes: ask its "
                "publisher to correct it"
            ) from None


def _xml_item(entry: dict[str, Any], *, url: str) -> FeedItem:  # Any: a foreign shape
    # feedparser is not told the URL: it would make relative guids whole, and a feed that moves
    # would have all of its guids changed.
    link = _key(entry.get("link"))
    title = _plain(entry.get("title_detail") or {"value": entry.get("title", "")})
    contents = [_plain(part) for part in entry.get("content") or ()]
    summary = _plain(entry.get("summary_detail") or {"value": entry.get("summary", "")})
    return FeedItem(
        guid=_key(entry.get("id")),
        link=_whole(url, link),
        title=title,
        text=max([*contents, summary], key=len),
        author=_name(entry.get("author")),
        published=_moment(entry.get("published_parsed")),
        updated=_moment(dict.get(entry, "updated_parsed")),  # without feedparser's substitute
    )


def _plain(detail: Mapping[str, Any]) -> str:
    value = str(detail.get("value") or "")
    return _clean(html_to_text(value) if "html" in str(detail.get("type")) else value)


def _moment(parsed: Any) -> datetime | None:  # a UTC struct_time or None
    try:
        return datetime.fromtimestamp(calendar.timegm(parsed), UTC) if parsed else None
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def _json_entries(body: bytes) -> list[Any]:
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SourceError("the answer is neither XML nor a readable JSON Feed") from error
    items = document.get("items")
    if not isinstance(items, list):
        raise SourceError("the answer is JSON without items, no JSON Feed: check the address")
    return items


def _whole(url: str, link: str | None) -> str | None:
    """Return the link made whole, or as it is where it is no address: the entry is read."""
    try:
        return urljoin(url, link) if link else None
    except ValueError:
        return link


def _json_item(entry: Mapping[str, Any]) -> FeedItem:
    authors = entry.get("authors") or [entry.get("author") or {}]
    given = (entry.get("content_text"), entry.get("summary"))
    texts = [_clean(text) for text in given if isinstance(text, str)]
    if isinstance(html := entry.get("content_html"), str):
        texts.append(_clean(html_to_text(html)))
    return FeedItem(
        guid=_key(entry.get("id")),
        link=_key(entry.get("url") or entry.get("external_url")),
        title=_clean(title) if isinstance(title := entry.get("title"), str) else "",
        text=max(texts, key=len, default=""),
        author=_name(authors[0].get("name")),
        published=_rfc3339(entry.get("date_published")),
        updated=_rfc3339(entry.get("date_modified")),
    )


def _rfc3339(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _clean(text: str) -> str:
    return printable(text).strip()[:MAX_TEXT_CHARS]


def _key(value: object) -> str | None:
    """Return an id, link or name as text: JSON Feed 1 allows numbers as ids."""
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        return None
    return printable(str(value)).strip() or None


def _name(value: object) -> str | None:
    name = _key(value)
    return None if name is None else name[:256]
