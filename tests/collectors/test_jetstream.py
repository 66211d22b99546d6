"""Jetstream frames: what becomes a mention, what is refused, and that nothing ever raises."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.collectors.jetstream import POST, parse_frames
from veille.domain.mention import Batch, GoneAuthor, Media, Mention, MentionKind

DID = "did:plc:marie22"
AT_US = 1_782_000_000_000_000
AT = datetime(2026, 6, 21, 0, 0, tzinfo=UTC)
RECORDED = Path(__file__).parents[3] / "shared" / "payloads" / "bluesky" / "jetstream"


def frame(**changes: object) -> dict[str, object]:
    return {"did": DID, "time_us": AT_US, "kind": "commit"} | changes


def commit(operation: str = "create", **record: object) -> dict[str, object]:
    body: dict[str, object] = {
        "rev": "3r",
        "operation": operation,
        "collection": POST,
        "rkey": "3kabc",
    }
    if operation != "delete":
        body |= {"record": {"$type": POST, "text": "La passerelle de Saint-Aubin"} | record}
    return frame(commit=body)


def parse(*frames: object) -> Batch:
    return parse_frames([json.dumps(one).encode() for one in frames], source="bluesky")


def only(*frames: object) -> Mention:
    batch = parse(*frames)
    assert batch.rejected == ()
    (mention,) = batch.mentions
    return mention


def test_a_post_is_a_mention_with_its_address_author_and_language() -> None:
    mention = only(commit(createdAt="2026-06-20T23:59:58.500Z", langs=["fr-FR", "en"]))
    assert mention.source == "bluesky"
    assert mention.id == f"at://{DID}/{POST}/3kabc"
    assert mention.text == "La passerelle de Saint-Aubin"
    assert mention.created_at == datetime(2026, 6, 20, 23, 59, 58, 500_000, tzinfo=UTC)
    assert mention.author is not None
    assert mention.author.id == DID
    assert mention.url == f"https://bsky.app/profile/{DID}/post/3kabc"
    assert (mention.lang, mention.kind, mention.edited_at) == ("fr-FR", MentionKind.POST, None)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "hier",
        "2026-06-20T23:59:58",  # no offset
        "2031-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1969-12-31T23:59:59Z",
    ],
)
def test_a_date_that_cannot_be_is_the_time_of_the_server(written: str) -> None:
    assert only(commit(createdAt=written)).created_at == AT


def test_an_imported_post_keeps_its_old_date() -> None:
    created_at = only(commit(createdAt="2014-05-01T10:00:00+02:00")).created_at
    assert created_at == datetime(2014, 5, 1, 8, 0, tzinfo=UTC)


def test_a_reply_knows_its_parent_and_its_thread() -> None:
    reply = {"parent": {"uri": "at://a/b/c", "cid": "x"}, "root": {"uri": "at://a/b/r"}}
    mention = only(commit(reply=reply))
    assert mention.kind is MentionKind.REPLY
    assert (mention.reply_to, mention.thread) == ("at://a/b/c", "at://a/b/r")


def test_an_edit_is_dated_by_the_server() -> None:
    assert only(commit("update", createdAt="2026-06-20T10:00:00Z")).edited_at == AT


def test_a_deletion_is_a_tombstone_for_the_address() -> None:
    mention = only(commit("delete"))
    assert mention.deleted
    assert (mention.id, mention.text) == (f"at://{DID}/{POST}/3kabc", "")


def test_pictures_films_and_links_come_with_their_descriptions() -> None:
    images = {"$type": "app.bsky.embed.images", "images": [{"alt": "La crue"}, {"image": {}}]}
    quoted = {"$type": "app.bsky.embed.recordWithMedia", "record": {"x": 1}, "media": images}
    film = {"$type": "app.bsky.embed.video", "video": {"ref": "x"}, "alt": "Le pont"}
    link = {"external": {"uri": "https://presse.example/a", "title": "Titre", "description": "x"}}
    pictures = (Media(type="image", alt="La crue"), Media(type="image"))
    assert only(commit(embed=images)).media == pictures
    assert only(commit(embed=quoted)).media == pictures
    assert only(commit(embed=film)).media == (Media(type="video", alt="Le pont"),)
    external = Media(type="external", url="https://presse.example/a", alt="Titre")
    assert only(commit(embed=link)).media == (external,)


@pytest.mark.parametrize("embed", ["x", {"images": "x"}, {"external": {}}, [1], None])
def test_an_attachment_of_another_shape_does_not_hide_the_text(embed: object) -> None:
    mention = only(commit(embed=embed))
    assert (mention.text, mention.media) == ("La passerelle de Saint-Aubin", ())


@pytest.mark.parametrize("status", ["deleted", "takendown", "suspended", "deactivated", None])
def test_an_account_that_is_gone_takes_its_posts_along(status: str | None) -> None:
    account = {"active": False, "did": DID, "seq": 1, "status": status}
    gone = GoneAuthor(id=DID, at=AT)
    assert parse(frame(kind="account", account=account)).gone_authors == (gone,)


@pytest.mark.parametrize(
    "account", [{"active": True}, {"active": False, "status": "desynchronized"}]
)
def test_an_account_that_stands_loses_nothing(account: dict[str, object]) -> None:
    batch = parse(frame(kind="account", account=account))
    assert (batch.gone_authors, batch.unknown_field_count) == ((), 0)


def account(*, active: bool, later_us: int = 0) -> dict[str, object]:
    return frame(kind="account", account={"active": active}, time_us=AT_US + later_us)


def test_what_came_before_the_end_of_its_account_goes_and_what_came_after_stays() -> None:
    after = commit("update", text="De retour", createdAt="2026-06-01T00:00:00Z")
    batch = parse(commit(), commit("delete"), account(active=False, later_us=5), after)
    assert [(m.text, m.deleted) for m in batch.mentions] == [("", True), ("De retour", False)]
    assert batch.gone_authors == (GoneAuthor(id=DID, at=AT + timedelta(microseconds=5)),)


def test_an_account_that_is_back_within_a_batch_loses_nothing() -> None:
    batch = parse(commit(), account(active=False), account(active=True), commit("update"))
    assert (len(batch.mentions), batch.gone_authors) == (2, ())
    again = parse(commit(), account(active=True), account(active=False))
    assert (again.mentions, len(again.gone_authors)) == ((), 1)


def test_another_account_is_not_harmed_by_the_end_of_one() -> None:
    other = commit() | {"did": "did:plc:paul"}
    assert len(parse(other, account(active=False)).mentions) == 1


def test_new_names_are_passed_over_and_new_kinds_counted() -> None:
    batch = parse(
        frame(kind="identity", identity={"did": DID}),
        frame(kind="sync", sync={}),
        frame(commit={"operation": "move", "collection": POST, "rkey": "3k"}),
    )
    assert (batch.mentions, batch.unknown_field_count) == ((), 2)
    assert batch.cursor == str(AT_US)


def test_a_malformed_frame_stops_no_other_and_quotes_nothing() -> None:
    good, secret = commit(), "texte-secret"
    frames = [
        json.dumps(good).encode(),
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps(commit(text=[secret])).encode(),
        json.dumps(good | {"did": f"did:plc:{secret}\n"}).encode(),
        json.dumps(good | {"time_us": 10**18}).encode(),
        json.dumps(frame(commit={"operation": "create", "collection": POST, "rkey": "x"})).encode(),
        json.dumps(good).encode(),
    ]
    batch = parse_frames(frames, source="bluesky")
    assert len(batch.mentions) == 2
    assert [rejection.line for rejection in batch.rejected] == [2, 3, 4, 5, 6, 7]
    assert not any(secret in rejection.reason for rejection in batch.rejected)


def test_the_cursor_is_the_time_of_the_last_frame() -> None:
    assert parse(commit(), frame(time_us=AT_US + 7, kind="identity")).cursor == str(AT_US + 7)
    assert parse_frames([], source="bluesky").cursor is None
    assert parse_frames([b"{}"], source="bluesky").cursor is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(["text", "createdAt", "langs", "reply", "embed", "$type"])


@given(st.dictionaries(FIELDS, JSON), st.sampled_from(["create", "update", "delete", "move"]))
def test_no_record_raises(record: dict[str, object], operation: str) -> None:
    batch = parse(commit(operation, **record), commit())
    assert batch.mentions[-1].text == "La passerelle de Saint-Aubin"


@given(st.lists(st.binary() | JSON.map(lambda value: json.dumps(value).encode()), max_size=5))
def test_no_bytes_raise(frames: list[bytes]) -> None:
    assert len(parse_frames(frames, source="bluesky").rejected) <= len(frames)


@pytest.mark.skipif(not RECORDED.is_dir(), reason=f"RECORDED FRAMES ABSENT: {RECORDED}")
def test_every_recorded_frame_is_read() -> None:
    lines = [
        line for path in sorted(RECORDED.glob("*.jsonl")) for line in path.read_bytes().splitlines()
    ]
    batch = parse_frames(lines, source="bluesky")
    assert (batch.rejected, batch.unknown_field_count) == ((), 0)
    posts = [one for one in map(json.loads, lines) if "record" in one.get("commit", {})]
    wanted = [one["commit"]["record"].get("text", "") for one in posts]
    assert [m.text for m in batch.mentions if not m.deleted] == wanted


def test_half_a_character_costs_no_post() -> None:
    whole = json.dumps(commit(text="Saint-Aubin \\ud83d va mal")).replace("\\\\ud83d", "\\ud83d")
    batch = parse_frames([whole.encode()], source="bluesky")
    assert batch.rejected == ()
    assert [mention.text for mention in batch.mentions] == ["Saint-Aubin \ufffd va mal"]
