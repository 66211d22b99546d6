"""Texts reach the models bounded and masked; entities keep their places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.nlp.prepare import TEXT_LIMIT, for_encoder, for_entities, legible

ANY = st.text(alphabet=st.characters(exclude_categories=()), max_size=200)


def test_links_and_handles_are_masked_as_in_training() -> None:
    text = "Vu @mairie.fr et @jean_d https://exemple.fr/a?b=c www.exemple.fr\r\n fin"
    assert for_encoder(text) == "Vu @user et @user http http fin"


def test_a_mail_address_is_not_a_handle() -> None:
    assert for_encoder("ecrire a info@exemple.fr") == "ecrire a info@exemple.fr"


@pytest.mark.parametrize("text", ["a", "é!", "١ ع", "漢", "😡", "❤️", "🇫🇷", "12 h"])
def test_a_letter_or_an_emoji_is_legible(text: str) -> None:
    assert legible(text)


@pytest.mark.parametrize(
    "text", ["", "12", "…?!", "\u200b\u200d\ufe0f", "\u3164\u2800", "٣٤٥", "°"]
)
def test_digits_signs_and_blanks_are_not_legible(text: str) -> None:
    assert not legible(text)


@given(text=ANY)
def test_the_encoder_gets_encodable_text(text: str) -> None:
    assert len(for_encoder(text).encode("utf-8")) <= 4 * TEXT_LIMIT + 1000


@given(text=ANY)
def test_entity_text_keeps_every_offset(text: str) -> None:
    clean = for_entities(text)
    assert len(clean) == len(text)
    assert all(new in (old, " ", ",") for old, new in zip(text, clean, strict=True))
