"""Pseudonyms: stable, keyed, separate, silent about their keys."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.errors import ConfigError
from veille.privacy.pseudonym import Pseudonyms

KEY, OTHER = b"k" * 32, b"o" * 32


def test_the_same_author_has_the_same_pseudonym_in_one_source_only() -> None:
    names = Pseudonyms(KEY, KEY)
    assert names.author("bluesky", "did:plc:a") == names.author("bluesky", "did:plc:a")
    assert names.author("bluesky", "did:plc:a") != names.author("mastodon", "did:plc:a")


def test_another_key_gives_other_names() -> None:
    names, others = Pseudonyms(KEY, KEY), Pseudonyms(OTHER, OTHER)
    assert names.mention_key("s", "1") != others.mention_key("s", "1")
    assert names.author("s", "1") != others.author("s", "1")


def test_a_mention_and_an_author_of_the_same_id_are_not_linked() -> None:
    names = Pseudonyms(KEY, KEY)
    assert names.mention_key("s", "1") != names.author("s", "1")


def test_without_a_key_authors_are_dropped_and_mentions_still_named() -> None:
    names = Pseudonyms(KEY, None)
    assert names.author("s", "1") is None
    assert names.mention_key("s", "1") == Pseudonyms(KEY, KEY).mention_key("s", "1")


@given(st.text(), st.text(), st.text(), st.text())
def test_different_things_never_share_a_key(a: str, b: str, c: str, d: str) -> None:
    names = Pseudonyms(KEY, KEY)
    key = names.mention_key(a, b)
    assert re.fullmatch(r"[0-9a-f]{32}", key)
    assert (key == names.mention_key(c, d)) == ((a, b) == (c, d))
    assert names.mention_key(a + b, "") != names.mention_key(a, b) or not b


def test_a_lone_surrogate_in_an_id_is_hashed_too() -> None:
    names = Pseudonyms(KEY, None)
    assert names.mention_key("s", "\ud800") != names.mention_key("s", "")


@pytest.mark.parametrize("keys", [(b"short", KEY), (KEY, b"x" * 15), (b"", None)])
def test_a_short_key_is_refused_with_the_remedy(keys: tuple[bytes, bytes | None]) -> None:
    with pytest.raises(ConfigError, match="secrets file"):
        Pseudonyms(*keys)


def test_keys_never_show() -> None:
    shown = repr(Pseudonyms(b"secret-secret-secret", b"author-author-author"))
    assert shown == "Pseudonyms(authors=hashed)"
    assert repr(Pseudonyms(KEY, None)) == "Pseudonyms(authors=dropped)"
