"""Exports: nothing in a text acts in a spreadsheet, a parser or a reader."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import feedparser
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from veille.domain.mention import MentionKind
from veille.domain.record import StoredMention
from veille.domain.text import printable
from veille.wording.catalogue import catalogue
from veille.wording.export import Format, Sheet, body, foot, head
from veille.wording.format import visible

AT = datetime(2026, 1, 18, 1, 16, tzinfo=UTC)
ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = st.text(st.characters(codec=None, categories=None), max_size=40)


def sheet(language: str = "fr") -> Sheet:
    return Sheet(title="T & <co>", host="veille.example", hash="ab", at=AT, say=catalogue(language))


def mention(text: str, source: str = "presse") -> StoredMention:
    return StoredMention(
        key="a" * 32, source=source, watches=(), kind=MentionKind.POST, text=text,
        created_at=AT, received_at=AT, author="b" * 32,
    )  # fmt: skip


def written(kind: Format, text: str, language: str = "fr") -> str:
    of = sheet(language)
    whole = head(kind, of) + body(kind, [(mention(text), None)], of) + foot(kind)
    return whole.encode().decode()  # as it is sent: a lone surrogate would fail here


def cell(text: str, language: str = "fr") -> str:
    plain = written(Format.CSV, text, language).removeprefix("\ufeff")
    separator = ";" if language == "fr" else ","
    return list(csv.reader(io.StringIO(plain, newline=""), delimiter=separator))[1][4]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+33", "-2", "@SUM(A1)", "\tx", "\rx", "\n=x", "|cmd", "%x",
        "＝1+1", "＋1", "－1", "＠x", "﹦1", "﹣1", "﬩1",  # full width and small forms
        " =1", "\u200b=1", "\ufeff=1", "\ufe0f=1", "\u00a0=1", "\u3000＝1",
        "=cmd|' /C calc'!A0", '=HYPERLINK("http://evil.example")',
    ],
)  # fmt: skip
def test_no_cell_begins_a_formula(text: str) -> None:
    assert cell(text).startswith("'")


@pytest.mark.parametrize("other", [",", ";", "\t"])
@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize(
    "text",
    [
        "a;=1+1", "a,=1+1", "a\t@SUM(A1)", "a\n=1", "a\r\n+1", "a; -1", "a,\u00a0＝1", "a;;=1",
        'a,"=1', 'a;""=1', 'a,"" "=1', 'a;\ufe0f=1',  # an empty quotation; a mark nobody sees
    ],
)  # fmt: skip
def test_no_cell_begins_a_formula_for_who_parts_cells_otherwise(
    text: str, language: str, other: str
) -> None:
    """A spreadsheet of another country: then only the first cell of a line counts as quoted."""
    plain = written(Format.CSV, text, language).removeprefix("\ufeff")
    # line by line, as a quote inside a cell that began without one does not hold a line together
    for line in plain.splitlines():
        for seen in next(csv.reader([line], delimiter=other)):
            first = seen.replace("\ufe0f", "").lstrip()[:1]
            assert not first or first not in "=+-@＝", (line, seen)


@pytest.mark.parametrize("text", ["a;b", 'il a dit "non"', "deux\nlignes", "1 - 2 = -1", "l'eau"])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert cell(text) == text


def test_cells_are_parted_as_the_language_does() -> None:
    assert cell("a,b;c", "en") == "a,b;c"
    assert written(Format.CSV, "x", "fr").splitlines()[0].count(";") == 13
    assert written(Format.CSV, "x", "en").splitlines()[0].count(",") == 13


@given(HOSTILE)
def test_every_text_is_one_row_of_csv(text: str) -> None:
    found = cell(text)
    assert not found or found[0] == "'" or found[0] not in "=+-@\t\r|%"


@given(HOSTILE)
@example("a\u2800b\u3164\u2028é\u009b\u202e👩\u200d🚒")
def test_every_text_is_one_line_of_json(text: str) -> None:
    lines = written(Format.JSONL, text).splitlines()  # a line ends there at U+2028 too
    assert len(lines) == 1
    assert lines[0] == visible(lines[0])
    read = json.loads(lines[0])
    assert (read["text"], read["author"]) == (printable(text), {"id": "b" * 32})


@given(HOSTILE)
def test_every_text_is_one_entry_of_a_feed(text: str) -> None:
    feed = ET.fromstring(written(Format.ATOM, text))
    entries = feed.findall(f"{ATOM}entry")
    assert len(entries) == 1
    assert [child.tag.removeprefix(ATOM) for child in entries[0]] == [
        "id", "title", "updated", "published", "author", "category", "content",
    ]  # fmt: skip
    assert entries[0].findtext(f"{ATOM}title")


def test_a_feed_is_one_for_readers_too() -> None:
    feed = feedparser.parse(written(Format.ATOM, "L'eau monte rue du Lavoir"))
    assert (feed.bozo, feed.version) == (False, "atom10")
    assert feed.entries[0].id == f"tag:veille.example,2026:mention/{'a' * 32}"
    assert feed.entries[0].summary == "L'eau monte rue du Lavoir"


def test_markup_in_a_text_is_text() -> None:
    text = '<script>alert(1)</script> ]]> & "x" \x00 \ud800 \ufffe'
    feed = ET.fromstring(written(Format.ATOM, text))
    said = feed.findtext(f"{ATOM}entry/{ATOM}content", "")
    assert said == '<script>alert(1)</script> ]]> & "x" \ufffd \ufffd \ufffd'
