"""Feeds that others recorded: none breaks the parser, and those with entries give them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from veille.collectors.feed_parse import parse_feed
from veille.domain.errors import SourceError

FEEDS = Path(__file__).parents[2].parent / "shared" / "payloads" / "feeds"
_ENTRY = re.compile(rb"<(?:item|entry)[\s>]")
_EXPECTED = re.compile(rb"entries\[0\]")

# The rdf one declares entities, which is refused; the others have a root that no feed has.
NO_FEEDS = 12


def recorded() -> list[Path]:
    index = FEEDS / "index.jsonl"
    if not index.exists():
        pytest.skip(f"NOT RUN: the recorded feeds are absent: {FEEDS}")
    return [FEEDS / json.loads(line)["file"] for line in index.read_text().splitlines()]


def test_no_recorded_feed_raises_anything_but_a_source_error() -> None:
    refused = []
    for path in recorded():
        try:
            parse_feed(path.read_bytes())
        except SourceError:
            refused.append(path.name)
    assert len(refused) <= NO_FEEDS, refused


def test_recorded_feeds_with_entries_give_them() -> None:
    empty = []
    for path in recorded():
        body = path.read_bytes()
        plain = body.replace(b"\x00", b"")
        if _ENTRY.search(plain) and (path.suffix != ".xml" or _EXPECTED.search(plain)):
            feed = parse_feed(body)
            if not feed.items and not feed.rejected:
                empty.append(path.name)
    assert empty == []


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("gofeed-json/version_json_10.json", 1),
        ("gofeed-json/version_json_11.json", 1),
        ("feedparser/json/example.json", 2),
        ("reader/10.json", 0),
        ("reader/relative.rss", 1),
    ],
)
def test_known_feeds_give_the_known_count(name: str, count: int) -> None:
    if FEEDS / name not in recorded():
        pytest.skip(f"NOT RUN: {name} is absent")
    assert len(parse_feed((FEEDS / name).read_bytes()).items) == count
