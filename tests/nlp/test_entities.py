"""Entities keep the offsets of the text as it was written."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from veille.nlp.entities import BATCH_TOKENS, EntityFinder, batches, trimmed

if TYPE_CHECKING:
    from spacy.language import Language


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


def test_the_vocabulary_does_not_grow_with_the_words_read(
    finder: EntityFinder, entity_model: Language
) -> None:
    finder.find(["Bonjour à tous"])
    before = len(entity_model.vocab.strings)
    finder.find([f"mot{number}inconnu" for number in range(200)])
    assert len(entity_model.vocab.strings) == before


NAMES = (
    "la mairie de Saint-Aubin Jean Dupont 12 rue Victor-Hugo ### , , 😡 Lyon EDF n'est pas été "
    "qu'il 漢字 A.B.C. ... aaaaaaa #Metz @user Élodie"
).split()


def written(count: int) -> list[str]:
    rng = random.Random(2)
    return [
        " ".join(rng.choices(NAMES, k=rng.choice([1, 2, 3, 5, 9, 20, 60]))) for _ in range(count)
    ]


def test_no_company_changes_the_entities_of_a_text(finder: EntityFinder) -> None:
    texts = ["", *written(400), "😡"]
    alone = [finder.find([text])[0] for text in texts]
    assert finder.find(texts) == alone
    assert finder.find(texts[::-1]) == alone[::-1]


def test_no_company_changes_one_bit_of_what_entities_are_found_by(entity_model: Language) -> None:
    network = entity_model.get_pipe("ner").model.get_ref("tok2vec")
    docs = [entity_model.make_doc(text) for text in written(400)]
    together = network.predict(docs)
    ends = np.cumsum([len(doc) for doc in docs])
    for doc, end in zip(docs, ends, strict=True):
        assert network.predict([doc]).tobytes() == together[end - len(doc) : end].tobytes()


def test_a_batch_is_bounded_whatever_the_texts(entity_model: Language) -> None:
    texts = ("", "! " * 1_500, "mot " * 900, "a", "🙂", "mot " * 2_000)
    docs = [entity_model.make_doc(text) for text in texts]
    found = list(batches(docs))
    assert [doc for batch in found for doc in batch] == [docs[2], docs[3], docs[4], docs[5]]
    assert all(len(batch) == 1 or sum(map(len, batch)) <= BATCH_TOKENS for batch in found)
