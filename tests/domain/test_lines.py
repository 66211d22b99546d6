"""What a name may show: one line, and nothing that makes two names look the same."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.text import UNSHOWN, is_line

HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text(alphabet=st.characters(categories=("L", "M", "N", "P", "S")), max_size=40))
def test_letters_signs_and_emoji_are_a_line(text: str) -> None:
    assert is_line(text) or "\U000e0100" <= max(text) <= "\U000e01ef"


def test_no_line_has_a_character_that_nobody_sees() -> None:
    every = (chr(code) for code in range(0x110000))
    hidden = [one for one in every if unicodedata.category(one) in HIDDEN]
    assert [one for one in hidden if is_line(one)] == []


@pytest.mark.parametrize("text", ["a\nb", "a\u00a0b", "\u3000", "a\ue000"])
def test_of_blanks_only_the_space_is_in_a_line(text: str) -> None:
    assert not is_line(text)
    assert re.search(f"[{UNSHOWN}]", text)
    assert is_line("rue du Lavoir 🌊")
