"""Entities keep the offsets of the text as it was written."""

from __future__ import annotations

import pytest

from veille.nlp.entities import EntityFinder, trimmed
from veille.nlp.load import load_entity_model


@pytest.fixture(scope="module")
def finder() -> EntityFinder:
    return EntityFinder(load_entity_model())


@pytest.mark.parametrize(
    ("text", "name", "label"),
    [
        ("😡😡 Le train pour Marseille est annulé", "Marseille", "LOC"),
        ("Il pleut à Toulouse #météo", "Toulouse", "LOC"),
        ("Emmanuel Macron est venu hier", "Emmanuel Macron", "PER"),
        ("👨‍👩‍👧 rendez-vous à Bordeaux, place Pey-Berland", "Bordeaux", "LOC"),
    ],
)
def test_an_entity_is_found_at_its_own_place(
    finder: EntityFinder, text: str, name: str, label: str
) -> None:
    (found,) = finder.find([text])
    match = next(entity for entity in found if entity.text == name)
    assert text[match.start : match.end] == name
    assert match.label == label


def test_hashtags_and_emoji_stay_out_of_entities(finder: EntityFinder) -> None:
    (found,) = finder.find(["train Paris-Lyon 😡 #SNCF @user https://exemple.fr/Paris"])
    for entity in found:
        assert not set(entity.text) & set("😡#@")
        assert "exemple" not in entity.text


@pytest.mark.parametrize("text", ["", "   ", "😡", "#", "\ud800"])
def test_a_text_without_words_has_no_entities(finder: EntityFinder, text: str) -> None:
    assert finder.find([text]) == [()]


def test_edges_are_trimmed() -> None:
    assert trimmed("« Lyon », ", 0, 10) == (2, 6)
    assert trimmed(" ... ", 0, 5) == (5, 5)


def test_the_vocabulary_does_not_grow_with_the_words_read() -> None:
    model = load_entity_model()
    finder = EntityFinder(model)
    finder.find(["Bonjour à tous"])
    before = len(model.vocab.strings)
    finder.find([f"mot{number}inconnu" for number in range(200)])
    assert len(model.vocab.strings) == before
