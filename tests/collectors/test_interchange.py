"""Mention interchange v1: a bad line stops no other, and its reason says nothing of its content."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.collectors.interchange import MAX_LINE_BYTES, parse_line, parse_lines
from veille.domain.errors import MentionError
from veille.domain.mention import Author, Media, MentionKind, Metrics

REQUIRED = {"source": "s", "id": "1", "text": "Bonjour", "created_at": "2026-01-18T03:00:00+01:00"}


def line(**fields: object) -> bytes:
    return json.dumps({**REQUIRED, **fields}, ensure_ascii=False).encode()


def reason(**fields: object) -> str:
    with pytest.raises(MentionError) as caught:
        parse_line(line(**fields), number=7, source=None)
    return str(caught.value)


def test_every_field_is_read_and_times_are_utc() -> None:
    mention = parse_line(
        line(
            kind="comment",
            author={
                "id": "a",
                "name": "Zoé",
                "followers": 3,
                "role": "élue",
                "created_at": "2020-01-01T00:00:00Z",
            },
            url="https://x.example/1",
            lang="fr",
            reply_to="0",
            thread="t",
            media=[{"type": "image", "url": "https://x.example/i.png", "alt": "pont"}],
            metrics={"likes": 1, "shares": 2, "replies": 3, "views": 4},
            own=True,
            received_at="2026-01-18T03:00:01.5+01:00",
            edited_at="2026-01-18T04:00:00Z",
        ),
        number=1,
        source=None,
    )
    assert mention.created_at == datetime(2026, 1, 18, 2, tzinfo=UTC)
    assert mention.created_at.tzinfo is UTC
    assert mention.kind is MentionKind.COMMENT
    assert mention.author == Author(
        id="a", name="Zoé", followers=3, role="élue", created_at=datetime(2020, 1, 1, tzinfo=UTC)
    )
    assert mention.media == (Media(type="image", url="https://x.example/i.png", alt="pont"),)
    assert mention.metrics == Metrics(likes=1, shares=2, replies=3, views=4)
    assert (mention.source, mention.own, mention.reply_to) == ("s", True, "0")


def test_a_source_named_by_a_line_hides_nothing() -> None:
    named = parse_line(line(source="presse\u202e\u2028"), number=1, source=None)
    assert named.source == "presse⟨U+202E⟩⟨U+2028⟩"


@pytest.mark.parametrize(
    ("written", "kept"),
    [("fr", "fr"), ("pt_BR", "pt-BR"), ("en\u202e", None), ('fr" onload="x', None), ("", None)],
)
def test_a_language_is_a_language_tag_or_unknown(written: str, kept: str | None) -> None:
    assert parse_line(line(lang=written), number=1, source=None).lang == kept


def test_the_configured_source_replaces_what_the_line_says() -> None:
    assert parse_line(line(source="bluesky"), number=1, source="formulaire").source == "formulaire"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"id": 12}, "write it as a string"),
        ({"id": ""}, "$.id"),
        ({"id": "a\ud800"}, "id holds control characters"),
        ({"source": None}, "source is missing"),
        ({"text": None}, "text is missing"),
        ({"created_at": "2026-01-18T03:00:00"}, "timezone"),
        ({"created_at": 1768701600}, "$.created_at"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "between 1970 and 2199"),
        ({"kind": "secret"}, "kind is unknown"),
        ({"metrics": {"likes": -1}}, "$.metrics.likes"),
        ({"metrics": {"likes": 2**80}}, "$.metrics.likes"),
        ({"author": {"id": 5, "name": "secret"}}, "$.author.id"),
        ({"media": [{"url": "secret"}]}, "$.media[0]"),
        ({"media": [{"type": "x"}] * 101}, "$.media"),
    ],
)
def test_a_wrong_field_is_named_with_its_line_and_without_its_content(
    fields: dict[str, object], said: str
) -> None:
    try:
        message = reason(**fields)
    except UnicodeEncodeError:
        escaped = json.dumps({**REQUIRED, **fields}).encode()
        with pytest.raises(MentionError) as caught:
            parse_line(escaped, number=7, source=None)
        message = str(caught.value)
    assert message.startswith("line 7: ")
    assert said in message
    assert "secret" not in message


def test_bad_lines_stop_no_other() -> None:
    batch = parse_lines(
        [
            b"\xef\xbb\xbf" + line(id="1") + b"\r\n",
            b"",
            b"{",
            b"\xff\xfe",
            b"\x00\x00",
            b"[1]",
            b"null",
            b"[" * 100_000,
            b'{"id":' + b"9" * 6_000 + b"}",
            b'{"text":"' + b"x" * MAX_LINE_BYTES + b'"}',
            line(id="2"),
        ]
    )
    assert [m.id for m in batch.mentions] == ["1", "2"]
    assert [r.line for r in batch.rejected] == [3, 4, 5, 6, 7, 8, 9, 10]


def test_a_lone_surrogate_in_a_text_is_repaired_not_lost() -> None:
    raw = b'{"source":"s","id":"1","text":"eau \\ud83d monte","created_at":"2026-01-18T02:00:00Z"}'
    assert parse_line(raw, number=1, source=None).text == "eau \ufffd monte"


def test_nul_and_controls_in_a_text_are_replaced() -> None:
    raw = json.dumps({**REQUIRED, "text": "a\x00b\x1b[31m\r\nc"}).encode()
    assert parse_line(raw, number=1, source=None).text == "a\ufffdb\ufffd[31m\nc"


def test_long_texts_are_kept_whole_up_to_100_000_characters() -> None:
    batch = parse_lines([line(text="é" * 60_000), line(text="é" * 100_001)])
    assert [len(m.text) for m in batch.mentions] == [60_000, 100_000]
    assert batch.cut_count == 1


def test_a_tombstone_needs_no_text() -> None:
    raw = json.dumps({k: v for k, v in REQUIRED.items() if k != "text"} | {"deleted": True})
    mention = parse_line(raw.encode(), number=1, source=None)
    assert (mention.deleted, mention.text) == (True, "")


def test_html_serves_only_when_there_is_no_text() -> None:
    assert parse_line(line(text="", html="<p>d'eau"), number=1, source=None).text == "d'eau"
    assert parse_line(line(text="t", html="<p>h"), number=1, source=None).text == "t"


def test_unknown_fields_are_counted_at_every_depth() -> None:
    batch = parse_lines(
        [
            line(x=1, author={"id": "a", "y": 1}, media=[{"type": "i", "z": 1}], metrics={"w": 1}),
        ]
    )
    assert batch.unknown_field_count == 4


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:x", "https://" + "x" * 5000, "/a"])
def test_addresses_nobody_should_open_are_dropped(url: str) -> None:
    assert parse_line(line(url=url), number=1, source=None).url is None


@given(st.lists(st.binary(max_size=60) | st.text(max_size=60).map(str.encode)))
def test_any_bytes_are_mentions_or_rejections(lines: list[bytes]) -> None:
    batch = parse_lines([*lines, line(id="last")])
    assert batch.mentions[-1].id == "last"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "type", "likes", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "id",
                "text",
                "html",
                "created_at",
                "author",
                "media",
                "metrics",
                "own",
                "url",
                "deleted",
                "kind",
                "lang",
                "edited_at",
                "x",
            ]
        ),
        JSON,
        max_size=4,
    )
)
def test_any_fields_give_a_mention_or_a_mention_error(fields: dict[str, object]) -> None:
    raw = json.dumps({**REQUIRED, **fields}).encode()
    try:
        mention = parse_line(raw, number=1, source="s")
    except MentionError:
        return
    assert mention.created_at.tzinfo is UTC
    mention.text.encode()
