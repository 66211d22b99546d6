"""Drafts: signs are counted as a reader sees them, templates are texts, notes name colleagues."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.draft import fill, graphemes, length
from veille.domain.naming import named


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("été", 3),
        ("e\u0301te\u0301", 3),  # the same, decomposed
        ("👨‍👩‍👧", 1),
        ("🇫🇷🇪🇺", 2),
        ("👍🏽!", 2),
        ("❤️", 1),
        ("🏴\U000e0067\U000e0062\U000e007f", 1),
        ("a\r\nb", 3),
        ("\u0301", 1),
        ("🇫🇷🇪", 2),
    ],
)
def test_what_a_reader_sees_as_one_sign_counts_once(text: str, count: int) -> None:
    assert graphemes(text) == count


@given(st.text(max_size=60))
def test_no_text_has_more_signs_than_code_points(text: str) -> None:
    assert graphemes(text) <= len(text)
    assert bool(text) == bool(graphemes(text))


def test_a_text_is_as_long_as_its_platform_counts_it() -> None:
    link = "https://saint-aubin.example/travaux/rue-du-lavoir-detail-complet"
    assert length(f"Voir {link}", "mastodon").count == len("Voir ") + 23
    assert length(f"Voir {link}", "bluesky").count == len(f"Voir {link}")
    assert (length("x" * 301, "bluesky").left, length("x" * 301, "rss").left) == (-1, None)
    assert length("x" * 500, "mastodon").left == 0


def test_a_template_is_filled_and_its_other_braces_stay() -> None:
    text = "{lieu} : {sujet} {0.__class__} {auteur} {lieu}"
    filled = fill(text, {"lieu": "rue du Lavoir {sujet}", "sujet": ""}, "[à préciser]")
    assert filled == (
        "rue du Lavoir {sujet} : [à préciser] {0.__class__} {auteur} rue du Lavoir {sujet}"
    )


NAMES = ("Marie", "Marie Curie", "Hélène", "Jo", "Élie d'Or")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@Marie Curie et @marie", ("Marie Curie", "Marie")),
        ("@MARIE   Curie", ("Marie",)),
        ("(@helene) @jo, @Jo.", ("Hélène", "Jo")),
        ("@Johanna @Jo_ x@Jo @@Jo", ("Jo",)),
        ("@élie d’or arrive", ("Élie d'Or",)),
        ("@ Marie", ()),
        ("@inconnu", ()),
        ("@", ()),
    ],
)
def test_a_note_names_the_longest_known_name(text: str, expected: tuple[str, ...]) -> None:
    assert named(text, NAMES) == expected


def test_of_names_spelled_alike_the_one_written_so_is_meant() -> None:
    assert named("@Zoé", ("Zoe", "Zoé")) == ("Zoé",)
    assert named("@Zoe", ("Zoé", "Zoe")) == ("Zoe",)


@given(st.text(max_size=80), st.lists(st.text(max_size=8), max_size=4))
def test_only_known_names_are_ever_named(text: str, names: list[str]) -> None:
    assert set(named(text, names)) <= set(names)
