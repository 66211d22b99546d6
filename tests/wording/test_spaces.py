"""No line of French begins with « ; », and no number is parted from its unit."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.plain import plain
from veille.wording.catalogue import catalogue
from veille.wording.format import excerpt, one_line
from veille.wording.spaces import no_breaks

FR, EN = catalogue("fr"), catalogue("en")


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("Messages ; le plus : {most}.", "Messages\u202f; le plus\u00a0: {most}."),
        ("Pourquoi ? Voir !", "Pourquoi\u202f? Voir\u202f!"),
        ("La règle « {rule} » : {parts}", "La règle «\u00a0{rule}\u00a0»\u00a0: {parts}"),
        ("la touche « ? » aide", "la touche «\u00a0?\u00a0» aide"),
        ("Lieux :", "Lieux\u00a0:"),
        ("(seuil : 3) ?", "(seuil\u00a0: 3)\u202f?"),
        ("{count} mentions, +{count} variante", "{count}\u00a0mentions, +{count}\u00a0variante"),
        ("{count} « info »", "{count}\u00a0«\u00a0info\u00a0»"),
        ("{{count}} nouveautés.", "{{count}}\u00a0nouveautés."),
        ("{hours} h, 40 %, 5 min", "{hours}\u00a0h, 40\u202f%, 5\u00a0min"),
        ("1 048 576 octets", "1\u202f048\u202f576\u00a0octets"),
        ("loi n° 2005-102", "loi n°\u00a02005-102"),
    ],
)
def test_spaces_before_signs_and_units_never_break(typed: str, printed: str) -> None:
    assert no_breaks(typed) == printed
    assert no_breaks(printed) == printed


@pytest.mark.parametrize(
    "typed",
    [
        "à 14:05", "https://a.example/?q=1;b", "ton:négatif -filtre:valeur", "crue -exercice",
        "<https://a.example|ici> :wave: fin", "{name} s'est connecté", "les :rappels: du jour",
        "min_points {raw} < {raw_threshold}", "a != b", "{at:%H:%M}", "le 18 ou le 112",
    ],
)  # fmt: skip
def test_what_is_no_punctuation_stays_as_it_is_typed(typed: str) -> None:
    assert no_breaks(typed) == typed


@given(st.text(st.sampled_from("ab 12{}%«»:;!?\u00a0\u202f'h")))
def test_only_spaces_change_and_twice_is_the_same_as_once(typed: str) -> None:
    printed = no_breaks(typed)
    assert plain(printed) == plain(typed)
    assert no_breaks(printed) == printed


def test_every_sentence_is_printed_so_but_what_people_go_on_writing_and_english() -> None:
    for key, text in FR.messages.items():
        is_typed = key.startswith(("queue.template.", "start.config."))
        parted = [sign for sign in (" ;", " !", " ?", " »", "« ", " : ") if sign in text]
        assert not parted or is_typed, key
    folder = resources.files("veille.wording") / "messages" / "en"
    for file in folder.iterdir():
        for name, text in tomllib.loads(file.read_text(encoding="utf-8")).items():
            stands(f"{file.name.removesuffix('.toml')}.{name}", text)


def stands(key: str, text: Any) -> None:
    if isinstance(text, str):
        assert EN.messages[key] == text
        return
    for name, each in text.items():
        stands(f"{key}.{name}", each)


def test_what_fills_a_sentence_stays_as_it_was_written() -> None:
    said = FR("web.event.note", actor="Camille", text="ah : oui ! 3 h ?")
    assert said == "Camille note\u00a0: ah : oui ! 3 h ?"


def test_a_line_of_a_message_keeps_the_spaces_that_never_break() -> None:
    assert one_line(" 12\u00a0messages\u202f;\n\u00a0 fin\u00a0") == "12\u00a0messages\u202f; fin"
    assert excerpt("un mot puis 40\u202f% de plus", 16) == "un mot puis…"
