"""The analyst says the same of a text whatever surrounds it, and swallows anything."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veille.domain.analysis import Analysis
from veille.nlp.analyst import Analyst
from veille.nlp.load import model_folder
from veille.nlp.settings import ModelSettings

TEXTS = (
    "Encore une panne de chauffage à l'école Jules-Ferry",
    "Merci à l'équipe de la médiathèque de Saint-Aubin !",
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


@pytest.fixture(scope="module")
def alone(analyst: Analyst) -> dict[str, Analysis]:
    return {text: analyst.analyze([text])[0] for text in TEXTS}


@settings(deadline=None, max_examples=15)
@given(picks=st.lists(st.sampled_from(TEXTS), max_size=8))
def test_a_text_has_the_same_analysis_in_any_company(
    picks: list[str], analyst: Analyst, alone: dict[str, Analysis]
) -> None:
    assert analyst.analyze(picks) == [alone[text] for text in picks]


def test_a_text_has_the_same_analysis_in_any_thread(
    analyst: Analyst, alone: dict[str, Analysis]
) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: analyst.analyze([text, *TEXTS])[0], TEXTS))
    assert found == [alone[text] for text in TEXTS]


@settings(deadline=None, max_examples=25)
@given(text=st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
def test_any_string_gets_scores_in_range(text: str, analyst: Analyst) -> None:
    (found,) = analyst.analyze([text])
    assert -1 <= found.sentiment.score <= 1
    assert 0 <= found.crisis <= 1
    assert 0 <= found.urgency.score <= 1
    assert sum(found.sentiment.probabilities.values()) == pytest.approx(1)
    for entity in found.entities:
        assert text[entity.start : entity.end] == entity.text != ""


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_neither_fails_nor_stalls(text: str, analyst: Analyst) -> None:
    started = time.process_time()
    (found,) = analyst.analyze([text])
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
    (found,) = analyst.analyze([text])
    assert found.lang == "und"
    assert found.sentiment.label == "neutral"
    assert found.sentiment.score == 0
    assert found.sentiment.probabilities == {"negative": 0, "neutral": 1, "positive": 0}
    assert (found.crisis, found.urgency.score, found.urgency.label) == (0, 0, "normal")


def test_texts_that_are_not_judged_leave_the_others_their_place(
    analyst: Analyst, alone: dict[str, Analysis]
) -> None:
    found = analyst.analyze(["", TEXTS[0], "12", TEXTS[1], "\u200b"])
    assert [found[1], found[3]] == [alone[TEXTS[0]], alone[TEXTS[1]]]
    assert found[0] == found[4] == alone[""]


def test_no_text_gives_no_analysis(analyst: Analyst) -> None:
    assert analyst.analyze([]) == []


def test_every_analyzer_names_its_version(analyst: Analyst) -> None:
    (found,) = analyst.analyze(["Bonjour"])
    assert set(found.analyzers) == {"sentiment", "crisis", "urgency", "entities", "language"}
    assert found.analyzers["urgency"] == f"veille-e5-fr-{analyst.manifest.version}"


def test_int8_scores_stay_near_the_stored_fp32_scores(analyst: Analyst) -> None:
    path = model_folder(ModelSettings()) / "reference.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = analyst.analyze([row["text"] for row in rows])
    gaps = [
        max(
            abs(item.sentiment.score - row["sentiment"]) / 2,
            abs(item.crisis - row["crisis"]),
            abs(item.urgency.score - row["urgency"]),
        )
        for item, row in zip(found, rows, strict=True)
    ]
    assert len(rows) == 20
    # int8 moves some scores; a processor where it saturates moves nearly all of them.
    assert sum(gaps) / len(gaps) < 0.06
    assert max(gaps) < 0.4
