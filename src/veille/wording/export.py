"""Mentions as files for others: CSV, JSON Lines and Atom; pseudonyms only, nothing that acts."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from xml.sax.saxutils import escape, quoteattr

import msgspec

from veille.domain.incident import QueueItem
from veille.domain.record import StoredMention
from veille.domain.text import printable
from veille.wording.catalogue import Catalogue
from veille.wording.format import excerpt, visible

COLUMNS = (
    "id", "received_at", "created_at", "source", "text", "tone", "intent", "urgency", "topics",
    "author", "language", "item", "state", "severity",
)  # fmt: skip
_FORMULA = "=+-@\t\r\n|%"
"""What begins a formula or a command in a spreadsheet (OWASP, CSV Injection), full width too."""
# the same behind what parts cells or lines elsewhere: quotes hold a file together only for who
# parts it as it was written, and a semicolon or a comma is a matter of the reader's country;
# behind an empty quotation a cell goes on, and a variation selector is seen by nobody
_WITHIN = re.compile(
    r"""([;,\t\r\n](?:[^\S\t\r\n]|["'\ufe00-\ufe0f])*)(?=[=+@＝＋＠－﹦﹢﹫﹣﬩-])"""
)
# what XML 1.0 (section 2.2) has no place for, even escaped
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_ASCII = re.compile("[^\x00-\x7e]+")
_TITLE = 80


class Format(StrEnum):
    """What an export is written as."""

    CSV = "csv"
    JSONL = "jsonl"
    ATOM = "atom"


TYPES = {
    Format.CSV: "text/csv",
    Format.JSONL: "application/jsonl",
    Format.ATOM: "application/atom+xml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What an export is of: its `title`, the host and hash that name it, when it was made."""

    title: str
    host: str
    hash: str
    at: datetime
    say: Catalogue


Entry = tuple[StoredMention, QueueItem | None]


def head(kind: Format, sheet: Sheet) -> str:
    """Return what stands before the first mention."""
    match kind:
        case Format.CSV:
            names = [sheet.say(f"search.export.column.{name}") for name in COLUMNS]
            return "\ufeff" + _line(names, sheet)  # Excel takes a file without it for Latin-1
        case Format.JSONL:
            return ""
        case Format.ATOM:
            made = sheet.at.isoformat()
            language = quoteattr(sheet.say.language)
            return (
                '<?xml version="1.0" encoding="utf-8"?>\n'
                f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang={language}>'
                f"<id>{_tag(sheet, 'search', sheet.hash)}</id><title>{_xml(sheet.title)}</title>"
                f"<updated>{made}</updated><generator>veille</generator>\n"
            )


def body(kind: Format, entries: Sequence[Entry], sheet: Sheet) -> str:
    """Return these mentions, each on a line or as an entry; one without text is left out."""
    kept = [(mention, item) for mention, item in entries if not mention.is_deleted]
    match kind:
        case Format.CSV:
            return "".join(_line(list(_cells(*entry)), sheet) for entry in kept)
        case Format.JSONL:
            return "".join(f"{line_of(mention)}\n" for mention, _ in kept)
        case Format.ATOM:
            return "".join(_entry(mention, sheet) for mention, _ in kept)


def foot(kind: Format) -> str:
    """Return what stands after the last mention."""
    return "</feed>\n" if kind is Format.ATOM else ""


def _cells(mention: StoredMention, item: QueueItem | None) -> Iterator[str]:
    found = mention.analysis
    yield from (mention.key, mention.received_at.isoformat(), mention.created_at.isoformat())
    yield from (mention.source, mention.text)
    if found is None:
        yield from ("", "", "", "")
    else:
        said = {head: each.value for head, each in mention.corrections.items()}
        yield said.get("sentiment", found.sentiment.label)
        yield said.get("intent", found.intent.label)
        yield said.get("urgency", found.urgency.label)
        yield said.get("topic") or " ".join(topic.id for topic in found.topics)
    yield from (mention.author or "", mention.lang or "")
    yield from ("", "", "") if item is None else (f"Q{item.id}", item.state, item.severity)


def _line(cells: list[str], sheet: Sheet) -> str:
    out = io.StringIO()
    # French spreadsheets part cells by semicolons, since the comma is in their numbers
    separator = ";" if sheet.say.language == "fr" else ","
    writer = csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(map(harmless, cells))
    return out.getvalue()


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula, whatever stands invisibly before.

    Nor a part of it, should somebody's spreadsheet part cells otherwise than the file does.
    """
    text = _WITHIN.sub(r"\1'", printable(cell))
    # blanks and marks that nobody sees
    seen = next((c for c in text if unicodedata.category(c)[0] not in "ZCM"), "")
    first = unicodedata.normalize("NFKC", seen)[:1]
    is_risky = text[:1] in _FORMULA or (first and first in _FORMULA)
    return visible(f"'{text}" if text and is_risky else text)


def line_of(mention: StoredMention) -> str:
    """Return a line of mention interchange v1; ids are veille's own, authors pseudonyms."""
    found, said = mention.analysis, mention.corrections
    line: dict[str, object] = {
        "source": mention.source,
        "id": mention.key,
        "text": printable(mention.text),
        "created_at": mention.created_at,
        "received_at": mention.received_at,
        "kind": mention.kind,
        "lang": mention.lang,
        "own": mention.own,
        "edited_at": mention.edited_at,
        "author": _known({"id": mention.author, "followers": mention.followers}) or None,
    }
    if found is not None:
        line["analysis"] = {
            "sentiment": {"label": found.sentiment.label, "score": found.sentiment.score},
            "urgency": {"label": found.urgency.label, "score": found.urgency.score},
            "intent": {"label": found.intent.label, "score": found.intent.score},
            "topics": [{"id": topic.id, "score": topic.score} for topic in found.topics],
            "corrections": {head: each.value for head, each in said.items()},
        }
    return _inert(msgspec.json.encode(_known(line)).decode())


def _inert(line: str) -> str:
    """Return the same JSON in which nothing acts on who looks at it, or parts it into lines."""
    return _NOT_ASCII.sub(
        lambda run: run[0] if visible(run[0]) == run[0] else json.dumps(run[0])[1:-1], line
    )


def _known(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _entry(mention: StoredMention, sheet: Sheet) -> str:
    title = excerpt(mention.text, _TITLE) or mention.source
    changed = mention.edited_at or mention.received_at
    who = mention.author or "?"
    return (
        f"<entry><id>{_tag(sheet, 'mention', mention.key)}</id><title>{_xml(title)}</title>"
        f"<updated>{changed.isoformat()}</updated>"
        f"<published>{mention.created_at.isoformat()}</published>"
        f"<author><name>{_xml(who)}</name></author>"
        f"<category term={quoteattr(_plain(mention.source))}/>"
        f'<content type="text">{_xml(mention.text)}</content></entry>\n'
    )


def _tag(sheet: Sheet, what: str, name: str) -> str:
    """Return a tag URI (RFC 4151): of this installation for good, without the platform's ids."""
    return _xml(f"tag:{sheet.host},2026:{what}/{name}")


def _xml(text: str) -> str:
    return escape(_plain(text))


def _plain(text: str) -> str:
    return visible(_NOT_XML.sub("\ufffd", printable(text)))
