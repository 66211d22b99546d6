"""Statuses and stream events of the Mastodon API: what becomes a mention, and what never does."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.mastodon import MastodonServer
from veille.collectors.mastodon_parse import (
    Item,
    Origin,
    read_event,
    read_notification,
    read_status,
)
from veille.domain.errors import MentionError
from veille.domain.mention import Media, Mention, MentionKind, Metrics
from veille.net.events import EventParser

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
ORIGIN = Origin(source="mastodon", host="mastodon.example")
RECORDED = Path(__file__).parents[3] / "shared" / "payloads" / "mastodon"
SERVER = MastodonServer()


def read(text: str = "La mairie ferme", **changes: Any) -> Mention | None:
    return read_status(json.dumps(SERVER.status(text, **changes)).encode(), ORIGIN).mention


def only(text: str = "La mairie ferme", **changes: Any) -> Mention:
    found = read(text, **changes)
    assert found is not None
    return found


def event(name: str, data: object) -> Item:
    raw = data if isinstance(data, str) else json.dumps(data)
    return read_event(name, raw.encode(), ORIGIN, now=NOW)


def test_a_status_is_a_mention_with_plain_text() -> None:
    mention = only(
        "Le <a href='x'>#<span>pont</span></a> d&#39;en bas<br>est ferm&eacute;",
        id="114",
        created_at="2026-11-21T23:00:00.000+01:00",
        in_reply_to_id="113",
        favourites_count=3,
    )
    assert (mention.source, mention.id) == ("mastodon", "114")
    assert mention.text == "Le #pont d'en bas\nest fermé"
    assert mention.created_at == datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
    assert (mention.kind, mention.reply_to, mention.lang) == (MentionKind.REPLY, "113", "fr")
    assert mention.metrics == Metrics(likes=3, shares=0, replies=0)
    assert mention.edited_at is None


def test_an_author_has_one_name_everywhere() -> None:
    here, there = only(acct="jeanne"), only(acct="paul@ailleurs.example")
    assert here.author is not None
    assert there.author is not None
    assert here.author.id == "jeanne@mastodon.example"
    assert there.author.id == "paul@ailleurs.example"
    assert (here.author.followers, here.author.name) == (12, "jeanne")


def test_a_content_warning_is_part_of_the_text() -> None:
    assert only("voir la photo", spoiler_text="Saint-Aubin").text == "Saint-Aubin\nvoir la photo"


def test_pictures_come_with_their_descriptions() -> None:
    attachments = [
        {"type": "image", "url": "https://m.example/1.png", "description": "La place"},
        {"type": "gifv", "url": "javascript:alert(1)", "description": None},
    ]
    assert only(media_attachments=attachments).media == (
        Media(type="image", url="https://m.example/1.png", alt="La place"),
        Media(type="gifv"),
    )


@pytest.mark.parametrize(
    ("visibility", "is_kept"),
    [("public", True), ("unlisted", True), ("private", False), ("direct", False), ("x", False)],
)
def test_only_what_everybody_may_read_is_kept(visibility: str, *, is_kept: bool) -> None:
    status = SERVER.status("Bonjour", visibility=visibility)
    note = {"id": "5", "type": "mention", "status": status}
    for item in (
        event("update", status),
        event("notification", note),
        event("status.update", status),
        event("update", SERVER.status("", reblog=status)),
    ):
        assert (item.mention is not None) is is_kept


def test_a_boost_is_the_status_it_boosts_at_its_own_place() -> None:
    inner = SERVER.status("Le texte", id="100", acct="paul")
    item = read_status(json.dumps(SERVER.status("", id="200", reblog=inner)).encode(), ORIGIN)
    assert item.place == "200"
    assert item.mention is not None
    assert (item.mention.id, item.mention.text) == ("100", "Le texte")


def test_an_edit_has_its_date_and_no_place() -> None:
    item = event("status.update", SERVER.status("x", edited_at="2026-11-22T03:00:00.000Z"))
    assert item.place is None
    assert item.mention is not None
    assert item.mention.edited_at == datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize("data", ["114", '"114"', " 114\n"])
def test_a_deletion_is_a_tombstone(data: str) -> None:
    mention = event("delete", data).mention
    assert mention is not None
    assert (mention.id, mention.deleted, mention.text) == ("114", True, "")


def test_only_notifications_that_mention_us_are_taken() -> None:
    status = SERVER.status("Bonjour la mairie", id="7")
    for kind, is_taken in [("mention", True), ("favourite", False), ("follow", False)]:
        raw = json.dumps({"id": "3", "type": kind, "status": status}).encode()
        item = read_notification(raw, ORIGIN)
        assert (item.place, item.mention is not None) == ("3", is_taken)
    assert read_notification(b'{"id": "4", "type": "mention"}', ORIGIN).mention is None


@pytest.mark.parametrize(
    ("name", "is_known"), [("conversation", True), ("filters_changed", True), ("futur", False)]
)
def test_other_events_give_nothing_and_unknown_ones_are_told(name: str, *, is_known: bool) -> None:
    assert event(name, "{}") == Item(is_known=is_known)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": 5},
        {"id": ""},
        {"id": "a\x00b"},
        {"created_at": "2026-11-22T03:00:00"},
        {"created_at": "0001-01-01T00:00:00Z"},
        {"account": {"acct": ""}},
        {"content": ["secret"]},
        {"in_reply_to_id": "x" * 2000},
    ],
)
def test_a_status_that_cannot_be_is_refused_without_its_text(changes: dict[str, Any]) -> None:
    with pytest.raises(MentionError) as caught:
        read("secret", **changes)
    assert "secret" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(["update", "status.update", "delete", "notification", "x", ""])
FIELDS = st.sampled_from(list(SERVER.status("x")))


@given(NAMES, st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_event_raises_anything_else(name: str, data: bytes) -> None:
    with contextlib.suppress(MentionError):
        read_event(name, data, ORIGIN, now=NOW)


@given(st.dictionaries(FIELDS, JSON, max_size=3))
def test_no_status_raises_anything_else(changes: dict[str, Any]) -> None:
    with contextlib.suppress(MentionError):
        read("Bonjour", **changes)


def _statuses(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict) and {"visibility", "content", "account"} <= value.keys():
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from _statuses(inner)


@pytest.mark.skipif(not RECORDED.is_dir(), reason=f"RECORDED STATUSES ABSENT: {RECORDED}")
def test_every_recorded_status_is_read() -> None:
    count = 0
    for path in sorted(RECORDED.glob("*/*.json")):
        body = json.loads(path.read_bytes() or b"[]")
        for status in _statuses(body if isinstance(body, dict | list) else []):
            mention = read_status(json.dumps(status).encode(), ORIGIN).mention
            shown = status["reblog"] or status if "reblog" in status else status
            assert (mention is None) == (shown["visibility"] in {"private", "direct"})
            assert mention is None or mention.id == shown["id"]
            count += 1
    assert count > 300


@pytest.mark.skipif(not RECORDED.is_dir(), reason=f"RECORDED STREAMS ABSENT: {RECORDED}")
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_every_recorded_stream_is_read(size: int) -> None:
    index = (RECORDED / "index.jsonl").read_text(encoding="utf-8").splitlines()
    names = [
        one["file"]
        for one in map(json.loads, index)
        if one.get("http", {}).get("headers", {}).get("Content-Type") == "text/event-stream"
    ]
    assert names
    items: list[Item] = []
    for name in names:
        body, parser = (RECORDED / name).read_bytes(), EventParser(limit_bytes=1_000_000)
        for at in range(0, len(body), size):
            for one in parser.feed(body[at : at + size]):
                items.append(read_event(one.name, one.data, ORIGIN, now=NOW))
    assert all(item.is_known for item in items)
    assert any(item.mention is not None and not item.mention.deleted for item in items)
