"""Sealed originals open with their key, for their mention, unaltered; and not otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.errors import ConfigError, InputError
from veille.privacy.seal import seal, sealing_key, unseal

KEY = sealing_key(b"a secret of more than sixteen bytes")
NONCE = bytes(range(12))
MENTION = "0123456789abcdef" * 2


@given(st.text())
def test_what_is_sealed_opens_again(text: str) -> None:
    sealed = seal(text, KEY, NONCE, MENTION)
    assert unseal(sealed, KEY, MENTION) == text
    assert len(sealed) == len(text.encode()) + 29


def test_the_text_cannot_be_read_in_the_sealed_bytes() -> None:
    assert b"0612345678" not in seal("0612345678", KEY, NONCE, MENTION)


def test_another_secret_does_not_open_it_and_the_error_says_what_to_do() -> None:
    other = sealing_key(b"another secret of sixteen bytes")
    with pytest.raises(ConfigError, match=r"another key.*secrets file") as caught:
        unseal(seal("06 12 34 56 78", KEY, NONCE, MENTION), other, MENTION)
    assert "06 12" not in str(caught.value)


def test_a_sealed_text_moved_to_another_mention_does_not_open() -> None:
    with pytest.raises(ConfigError):
        unseal(seal("texte", KEY, NONCE, MENTION), KEY, "f" * 32)


@given(st.integers(1, 33), st.integers(1, 255))
def test_any_altered_byte_is_noticed(place: int, change: int) -> None:
    sealed = bytearray(seal("texte", KEY, NONCE, MENTION))
    sealed[place] ^= change
    with pytest.raises(ConfigError):
        unseal(bytes(sealed), KEY, MENTION)


@pytest.mark.parametrize("damaged", [b"", b"\x01", b"\x02" + bytes(60), b"\x01" + bytes(27)])
def test_what_is_no_sealed_text_is_named_as_damaged(damaged: bytes) -> None:
    with pytest.raises(InputError, match="damaged"):
        unseal(damaged, KEY, MENTION)


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="16"):
        sealing_key(b"short")
    with pytest.raises(ConfigError, match="32"):
        seal("x", b"not derived", NONCE, MENTION)
    with pytest.raises(InputError, match="12"):
        seal("x", KEY, b"", MENTION)


def test_the_sealing_key_is_not_the_secret() -> None:
    secret = b"s" * 32
    assert sealing_key(secret) != secret
    assert sealing_key(secret) == sealing_key(secret)
