"""What a mention is once protected: nothing of its author in clear outside `identity`."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from itertools import count

import pytest

from veille.domain.errors import MentionError
from veille.domain.mention import Author, Media, Mention, MentionKind, Metrics
from veille.domain.record import MaskedMention
from veille.privacy.protect import Protector
from veille.privacy.pseudonym import Pseudonyms
from veille.privacy.seal import sealing_key, unseal

AT = datetime(2026, 1, 18, 1, 14, tzinfo=UTC)
KEY = sealing_key(b"s" * 32)
MENTION = Mention(
    source="mastodon",
    id="https://social.example/@odile/1",
    text="L'eau monte, appelez Odile au 06 12 34 56 78",
    created_at=AT,
    author=Author(id="did:plc:odile", name="Odile M.", followers=12, role="citizen"),
    url="https://social.example/@odile/1",
    reply_to="parent-0",
    thread="thread-0",
    media=(Media(type="image", url="https://media.example/odile.jpg", alt="plaque AB-123-CD"),),
    metrics=Metrics(likes=3),
)


def protector(*, author_key: bytes | None = b"a" * 32, sealing: bytes | None = KEY) -> Protector:
    numbers = count(1)
    return Protector(
        Pseudonyms(b"m" * 32, author_key),
        sealing_key=sealing,
        keep=frozenset({"01 23 45 67 89"}),
        nonce=lambda: next(numbers).to_bytes(12, "big"),
    )


def protect(mention: Mention, by: Protector | None = None) -> MaskedMention:
    return (by or protector()).protect(mention, watches=("mairie",), received_at=AT)


def changed(**fields: object) -> Mention:
    return dataclasses.replace(MENTION, **fields)  # type: ignore[arg-type]  # any field, by name


def test_nothing_in_clear_is_left_outside_the_identity() -> None:
    masked = protect(MENTION)
    nobody = protect(changed(author=None, id="", url=None)).identity
    rest = repr(dataclasses.replace(masked, identity=nobody))
    for secret in ("06 12", "did:plc", "@odile", "odile.jpg", "AB-123", "parent-0", "thread-0"):
        assert secret not in rest
    assert masked.text == "L'eau monte, appelez Odile au [téléphone masqué]"
    assert masked.media == (Media(type="image", url=None, alt="plaque [plaque masquée]"),)
    assert masked.masked == ("phone",)
    assert masked.watches == ("mairie",)
    assert masked.followers == 12


def test_the_identity_holds_what_a_moderator_needs() -> None:
    identity = protect(MENTION).identity
    assert identity.native_id == MENTION.id
    assert identity.url == MENTION.url
    assert identity.author_id == "did:plc:odile"
    assert identity.author_name == "Odile M."


def test_without_an_author_key_nothing_of_the_author_is_kept() -> None:
    masked = protect(MENTION, protector(author_key=None))
    assert masked.author is None
    assert masked.identity.author_id is None
    assert masked.identity.author_name is None


def test_a_reply_points_to_its_parents_key() -> None:
    parent = protect(changed(id="parent-0"))
    assert protect(MENTION).reply_to == parent.key


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//x.example", "at://did/x"]
)
def test_only_web_addresses_become_links(url: str) -> None:
    assert protect(changed(url=url)).identity.url is None


def test_text_is_composed_and_without_control_characters() -> None:
    masked = protect(changed(text="e\u0301tat\x00 civil\x1b[2J\r\n\ud800"))
    assert masked.text == "état\ufffd civil\ufffd[2J\n\ufffd"


def test_the_original_is_sealed_for_its_mention() -> None:
    masked = protect(MENTION)
    assert masked.sealed is not None
    assert unseal(masked.sealed, KEY, masked.key) == MENTION.text


def test_two_originals_never_share_a_nonce() -> None:
    by = protector()
    assert protect(MENTION, by).sealed != protect(MENTION, by).sealed


def test_nothing_is_sealed_where_nothing_was_masked_or_no_key_exists() -> None:
    assert protect(changed(text="L'eau monte")).sealed is None
    assert protect(MENTION, protector(sealing=None)).sealed is None


def test_counts_times_and_watches_are_no_edit() -> None:
    first = protect(MENTION).content_hash
    later = changed(metrics=Metrics(likes=99), edited_at=AT, own=True)
    assert protect(later).content_hash == first


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "autre"},
        {"kind": MentionKind.REPLY},
        {"media": ()},
        {"media": (Media(type="image", alt="autre"),)},
    ],
)
def test_another_text_kind_or_picture_is_an_edit(fields: dict[str, object]) -> None:
    assert protect(changed(**fields)).content_hash != protect(MENTION).content_hash


def test_the_institutions_own_number_is_left() -> None:
    assert protect(changed(text="mairie : 01.23.45.67.89")).masked == ()


def test_a_deletion_names_the_same_mention_and_cannot_be_stored_as_text() -> None:
    by = protector()
    tombstone = by.tombstone(MENTION.source, MENTION.id, AT)
    assert tombstone.key == protect(MENTION, by).key
    assert (tombstone.source, tombstone.at) == ("mastodon", AT)
    with pytest.raises(MentionError, match="tombstone"):
        protect(changed(deleted=True), by)
