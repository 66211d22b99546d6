"""The analyst says the same of a text whatever surrounds it, and swallows anything."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veille.domain.analysis import Analysis, Passage
from veille.domain.card import Hazard
from veille.domain.text import seen
from veille.nlp.analyst import Analyst

HIDDEN = (
    "Au se\u200bcours, le f\u00adeu rue du La\u2060voir à Lons-le-Sau\u200cnier"
    " 👨\u200d👩, \ufeffvite"
)
TEXTS = (
    "Encore une panne de chauffage à l'école Jules-Ferry",
    "Merci à l'équipe de la médiathèque de Saint-Aubin !",
    "Bande d'incapables, démissionnez tous",
    "Au secours, l'eau monte rue du Lavoir à Lons-le-Saunier, on est trois sur le toit",
    "ok",
    "",
    "Le tram est en feu devant la gare de Dreux, des gens sont dedans",
    "mot " * 400,
)

HOSTILE = (
    "",
    " \n\t ",
    "\ud800 seul \udfff",
    "\x00\x01\x02\x1b[31m",
    "\u202e\u200b\ufeff",
    "a" * 60_000,
    "é" * 60_000,
    "😡" * 30_000,
    "mot " * 15_000,
    "#" * 60_000,
    "@" * 60_000,
    "http://" * 9_000,
    "{{7*7}}<script>alert(1)</script>",
    "\r\n" * 5_000 + "fin",
    "٣٤٥ 漢字 עברית",
    "Z̷̢̛" * 2_000,
)


AT = datetime(2026, 1, 18, 2, 10, tzinfo=ZoneInfo("Europe/Paris"))
PASSAGES = (
    *(Passage(text=text) for text in TEXTS),
    Passage(text="Incendie à Saint-Aubin depuis 20 min, venez vite", at=AT, has_media=True),
    Passage(text="Incendie à Saint-Aubin depuis 20 min, venez vite", territory=frozenset({"39"})),
)


@pytest.fixture(scope="module")
def alone(analyst: Analyst) -> dict[Passage, Analysis]:
    return {passage: analyst.analyze([passage])[0] for passage in PASSAGES}


@settings(deadline=None, max_examples=15)
@given(picks=st.lists(st.sampled_from(PASSAGES), max_size=8))
def test_a_text_has_the_same_analysis_in_any_company(
    picks: list[Passage], analyst: Analyst, alone: dict[Passage, Analysis]
) -> None:
    assert analyst.analyze(picks) == [alone[passage] for passage in picks]


def test_a_text_has_the_same_analysis_in_any_thread(
    analyst: Analyst, alone: dict[Passage, Analysis]
) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: analyst.analyze([one, *PASSAGES])[0], PASSAGES))
    assert found == [alone[passage] for passage in PASSAGES]


def test_the_texts_of_the_property_fill_every_field(alone: dict[Passage, Analysis]) -> None:
    found = alone.values()
    assert any(each.card for each in found)
    assert any(each.places for each in found)
    assert any(len(each.topics) > 1 for each in found)
    assert any(each.hostility.target for each in found)
    assert len({each.intent.label for each in found}) > 3


def test_an_analysis_survives_the_store_as_it_is(alone: dict[Passage, Analysis]) -> None:
    for found in alone.values():
        assert msgspec.json.decode(msgspec.json.encode(found), type=Analysis) == found


@settings(deadline=None, max_examples=25)
@given(text=st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
def test_any_string_gets_scores_in_range(text: str, analyst: Analyst) -> None:
    (found,) = analyst.analyze([Passage(text=text)])
    assert -1 <= found.sentiment.score <= 1
    assert 0 <= found.crisis <= 1
    assert 0 <= found.urgency.score <= 1
    assert 0 <= found.hostility.score <= 1
    assert 0 <= found.toxicity <= 1
    assert 0 <= found.intent.score <= 1
    for place in found.places:
        assert 0 <= place.start < place.end <= len(text)
    assert sum(found.sentiment.probabilities.values()) == pytest.approx(1)
    for entity in found.entities:
        assert text[entity.start : entity.end] == entity.text != ""


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_neither_fails_nor_stalls(text: str, analyst: Analyst) -> None:
    started = time.process_time()
    (found,) = analyst.analyze([Passage(text=text)])
    assert 0 <= found.urgency.score <= 1
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "text",
    ["", " \n ", "\u200b\u200d\ufe0f", "\u3164\u2800", "06 12 34 56 78", "?!...", "\ud800", "20 °"],
)
def test_a_text_without_letter_or_emoji_is_not_judged(
    text: str, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analyst._encoder, "_run", None)
    (found,) = analyst.analyze([Passage(text=text)])
    assert found.lang == "und"
    assert found.sentiment.label == "neutral"
    assert found.sentiment.score == 0
    assert found.sentiment.probabilities == {"negative": 0, "neutral": 1, "positive": 0}
    assert (found.crisis, found.urgency.score, found.urgency.label) == (0, 0, "normal")
    assert (found.hostility.label, found.toxicity, found.intent.label) == ("none", 0, "undecided")
    assert (found.topics, found.places, found.card) == ((), (), None)


def test_texts_that_are_not_judged_leave_the_others_their_place(
    analyst: Analyst, alone: dict[Passage, Analysis]
) -> None:
    first, second = PASSAGES[:2]
    blank = [Passage(text=text) for text in ("", "12", "\u200b")]
    found = analyst.analyze([blank[0], first, blank[1], second, blank[2]])
    assert [found[1], found[3]] == [alone[first], alone[second]]
    assert found[0] == found[4] == alone[Passage(text="")]


def test_no_text_gives_no_analysis(analyst: Analyst) -> None:
    assert analyst.analyze([]) == []


def test_every_analyzer_names_its_version(analyst: Analyst) -> None:
    (found,) = analyst.analyze([Passage(text="Bonjour")])
    heads = {"sentiment", "crisis", "urgency", "hostility", "toxicity", "intent"}
    others = {"topics", "entities", "places", "card", "language"}
    assert set(found.analyzers) == heads | others
    assert {found.analyzers[head] for head in heads} == {f"veille-e5-fr-{analyst.manifest.version}"}
    assert found.analyzers["places"].startswith("communes-")


def test_the_watch_settles_which_commune_is_meant(analyst: Analyst) -> None:
    text = "Fuite d'eau à Saint-Aubin"
    bare, watched = analyst.analyze(
        [Passage(text=text), Passage(text=text, territory=frozenset({"39476"}))]
    )
    assert [(place.name, place.insee) for place in bare.places] == [("Saint-Aubin", None)]
    assert [place.insee for place in watched.places] == ["39476"]


def test_an_urgent_text_has_a_card_of_what_it_says(analyst: Analyst) -> None:
    text = "Au secours, il y a le feu 3 rue des Merles, mon fils de 6 ans est dedans depuis 10 min"
    (found,) = analyst.analyze([Passage(text=text, at=AT, has_media=True)])
    card = found.card
    assert card is not None
    assert card.hazard is not None
    assert card.hazard.value is Hazard.FIRE
    assert [place.text for place in card.places] == ["3 rue des Merles"]
    assert card.time is not None
    assert card.time.value == AT - timedelta(minutes=10)
    assert card.has_media
    assert card.verification == "unverified"


def test_a_card_without_the_time_of_writing_gives_no_moment(analyst: Analyst) -> None:
    (found,) = analyst.analyze(
        [Passage(text="Au secours, il y a le feu chez nous depuis 10 min, les enfants sont dedans")]
    )
    assert found.card is not None
    assert found.card.time is not None
    assert found.card.time.value is None


def test_the_card_names_spots_and_no_first_words(analyst: Analyst) -> None:
    texts = (
        "Bagarre au couteau au Vallon des Ormes, un blessé au sol, venez vite",
        "Coupez le gaz vite, ça sent partout et on a la tête qui tourne, au secours",
    )
    spots, none = analyst.analyze([Passage(text=text, at=AT) for text in texts])
    assert spots.card is not None
    assert any("Ormes" in place.text for place in spots.card.places)
    assert none.card is not None
    assert none.card.places == ()


def test_a_calm_text_costs_no_card(analyst: Analyst, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("veille.nlp.analyst.card", never)
    monkeypatch.setattr("veille.nlp.analyst.addresses", never)
    (found,) = analyst.analyze([Passage(text="La piscine ouvre 3 rue des Merles à dix heures")])
    assert found.card is None


def test_hidden_controls_hide_no_call_and_offsets_are_those_of_the_text(analyst: Analyst) -> None:
    plain = seen(HIDDEN)
    assert plain == "Au secours, le feu rue du Lavoir à Lons-le-Saunier 👨\u200d👩, vite"
    (hidden, bare) = analyst.analyze([Passage(text=HIDDEN), Passage(text=plain)])
    assert hidden.urgency == bare.urgency
    assert hidden.topics == bare.topics
    assert [place.insee for place in hidden.places] == ["39300"]
    assert hidden.card is not None
    assert bare.card is not None
    assert hidden.card.hazard is not None
    assert [(s.text, HIDDEN[s.start : s.end]) for s in hidden.card.hazard.spans] == [
        ("f\u00adeu", "f\u00adeu")
    ]
    assert [seen(HIDDEN[s.start : s.end]) for s in hidden.card.places] == [
        s.text for s in bare.card.places
    ]
    assert [seen(entity.text) for entity in hidden.entities] == [e.text for e in bare.entities]


def test_padding_nobody_sees_pushes_no_call_out_of_reach(analyst: Analyst) -> None:
    call = "Au secours, le feu, venez vite"
    (padded, bare) = analyst.analyze([Passage(text="\u200b" * 9_000 + call), Passage(text=call)])
    assert padded.urgency == bare.urgency
