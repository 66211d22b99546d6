"""Places are named as people write them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from veille.domain.analysis import (
    Analysis,
    Entity,
    Place,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.mention import MentionKind
from veille.domain.places import places
from veille.domain.record import StoredMention

NOW = datetime(2026, 1, 18, tzinfo=UTC)


def mention(text: str, *names: str) -> StoredMention:
    entities = tuple(
        Entity(label="LOC", text=n, start=text.index(n), end=text.index(n) + len(n)) for n in names
    )
    return StoredMention(
        key="k", source="s", watches=(), kind=MentionKind.POST, text=text,
        created_at=NOW, received_at=NOW,
        analysis=Analysis(
            lang="fr",
            sentiment=Sentiment(label=SentimentLabel.NEUTRAL, score=0.0, probabilities={}),
            crisis=0.0,
            urgency=Urgency(label=UrgencyLabel.NORMAL, score=0.0),
            entities=entities,
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name", "shown"),
    [
        ("coincée rue du Lavoir, vite", "Lavoir", "rue du Lavoir"),
        ("au quai des Tanneurs !", "Tanneurs", "quai des Tanneurs"),
        ("place de la Halle", "Halle", "place de la Halle"),
        ("l'Impasse d'Orléans est bloquée", "Orléans", "Impasse d'Orléans"),
        ("on est à Varmont", "Varmont", "Varmont"),
        ("je vais à l'école Jean-Zay", "Jean-Zay", "école Jean-Zay"),
    ],
)
def test_a_street_keeps_its_kind(text: str, name: str, shown: str) -> None:
    assert places([mention(text, name)], limit=3) == (shown,)


def test_the_most_named_comes_first_and_the_institution_is_known() -> None:
    said = [
        mention("rue du Lavoir à Saint-Aubin", "Lavoir", "Saint-Aubin"),
        mention("RUE DU LAVOIR #saintaubin", "LAVOIR", "#saintaubin"),
        mention("quai des Tanneurs à saint aubin", "Tanneurs", "saint aubin"),
    ]
    assert places(said, limit=3, known=["Saint-Aubin"]) == ("rue du Lavoir", "quai des Tanneurs")
    assert places(said, limit=1, known=["Saint-Aubin"]) == ("rue du Lavoir",)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Appelez les pompiers, vite", "Appelez"),
        ("Deux ados au pont. Répondez-moi au plus tôt", "Répondez"),
        ("« Regardez ce que vous avez fait »", "Regardez"),
        ("ILS NOUS LAISSENT MOURIR", "LAISSENT"),
        ("la route est SOUS L'EAU, faites demi-tour", "EAU"),
        ("À RT massivement", "RT"),
        ("le standard ne répond pas", "standard"),
        ("au 06 pour plus de détails", "06"),
    ],
)
def test_a_word_that_only_looks_like_a_name_is_no_place(text: str, name: str) -> None:
    assert places([mention(text, name)], limit=3) == ()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Prés-Bas, 22 rue des Iris", "Prés-Bas"),
        ("La D17 est SOUS L'EAU", "D17"),
        ("tout va bien à VARMONT ce soir", "VARMONT"),
        ("barrage de la roche : rien à signaler", "barrage de la roche"),
    ],
)
def test_a_name_stands_however_it_is_written(text: str, name: str) -> None:
    assert places([mention(text, name)], limit=3) == (name,)


def test_a_known_commune_may_begin_a_sentence() -> None:
    said = mention("Rodez est sous la neige", "Rodez")
    assert said.analysis is not None
    known = Place(name="Rodez", insee="12202", score=1.0, start=0, end=5)
    seen = replace(said, analysis=replace(said.analysis, places=(known,)))
    assert places([seen], limit=3) == ("Rodez",)
