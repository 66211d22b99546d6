"""Both languages say the same things, with the same blanks to fill."""

from __future__ import annotations

import string

from veille.wording.catalogue import catalogue


def _blanks(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_french_and_english_have_the_same_messages() -> None:
    french, english = catalogue("fr").messages, catalogue("en").messages
    assert french.keys() == english.keys()
    assert {k: _blanks(v) for k, v in french.items()} == {k: _blanks(v) for k, v in english.items()}
