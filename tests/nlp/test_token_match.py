"""spaCy's French word pattern answers the same, compiled for French letters or whole."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.nlp.load import load_entity_model

pytestmark = pytest.mark.timeout(60)
WORDS = (
    "abat-jour faux-vampire saut-de-ski pet-en-l'air entr’abat FAUX-BOND œil-de-bœuf zig-zag "
    "rick-roll Saint-Denis-en-Val aujourd'hui faux-ª faux-Ж Ж-la-ж FAUX-ſ ſaut-de-ski aﬁ-la-b "
    "faux-中 faux-\ue001 ಠ_ಠ 4-2 - ' K-la-K"
).split()
PIECES = st.sampled_from(
    [*"aéŒÿ-'’Жж中ſK\ue001\u0301 9", "faux", "de", "la", "entr", "saint", "près"]
)


@pytest.fixture(scope="module")
def words() -> Any:  # Any: spaCy's tokenizer says nothing of its parts
    return load_entity_model().tokenizer.token_match.__self__


@pytest.fixture(scope="module")
def whole(words: Any) -> re.Pattern[str]:
    return re.compile(words._pattern)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_one_token_where_spacy_says_so(
    words: Any, whole: re.Pattern[str], word: str
) -> None:
    assert bool(words.match(word)) == bool(whole.match(word))


@given(pieces=st.lists(PIECES, max_size=6))
def test_so_is_any_string_of_such_pieces(
    words: Any, whole: re.Pattern[str], pieces: list[str]
) -> None:
    assert bool(words.match("".join(pieces))) == bool(whole.match("".join(pieces)))


def test_some_words_match_and_some_do_not(words: Any) -> None:
    assert [bool(words.match(word)) for word in ("faux-vampire", "faux-Ж", "vampire")] == [1, 1, 0]
