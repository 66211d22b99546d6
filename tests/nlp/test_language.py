"""Languages: French unless there is a reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veille.nlp.language import LANGUAGES, UNDETERMINED, Languages, load_languages


@pytest.fixture(scope="module")
def languages() -> Languages:
    return load_languages()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Les travaux de la rue Victor-Hugo n'avancent pas du tout", "fr"),
        ("The river is rising very fast near the school, please help", "en"),
        ("¿Dónde está la oficina de turismo de la ciudad?", "es"),
        ("Der Zug nach Straßburg fällt heute leider wieder aus", "de"),
        ("Il comune non risponde mai alle nostre domande", "it"),
        ("ok", "fr"),
        ("mdr 😂", "fr"),
        ("svp", "fr"),
        ("متى تفتح البلدية أبوابها للجمهور؟", "ar"),
        ("", UNDETERMINED),
        ("😡😡 12345 !!!", UNDETERMINED),
    ],
)
def test_the_language_is_recognised(languages: Languages, text: str, expected: str) -> None:
    assert languages.detect(text) == expected


@settings(deadline=None, max_examples=50)
@given(text=st.text(alphabet=st.characters(exclude_categories=()), max_size=200))
def test_the_answer_is_always_one_of_the_set(text: str, languages: Languages) -> None:
    assert languages.detect(text) in {*LANGUAGES, UNDETERMINED}
    assert languages.detect(text) == languages.detect(text)
