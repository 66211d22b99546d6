"""Why, and why not, as people read it: every condition, doubt and outcome, in both languages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from veille.domain.alert import Baseline, BaselineKind, Comparison, Condition
from veille.domain.evidence import Asked, Doubt, DoubtKind
from veille.domain.silence import Mute, MuteKind
from veille.domain.whynot import Commune, Outcome, Told, WhyNot
from veille.wording import reasons
from veille.wording.catalogue import catalogue
from veille.wording.whynot import Voice, asked, mute, sentences

FR, EN = catalogue("fr"), catalogue("en")
NOW = datetime(2026, 1, 18, 1, 20, tzinfo=UTC)
VOICE = Voice(say=FR, zone="Europe/Paris", now=NOW, topics={"flood": "Inondation"})
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
NAMES = (
    "count", "authors", "spike", "points", "distinct", "ratio", "ratio_before", "reach",
    "doubling_s", "cusum", "step_2", "another_rule", "unanswered", "age_days", "days",
    "learnt_days", "gaps", "silent_s", "down_s", "silence_surprise", "for_s",
)  # fmt: skip


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def counted(value: float, threshold: float, name: str = "count") -> Condition:
    return Condition(name=name, value=value, threshold=threshold)


def test_a_burst_reads_as_what_happened_and_from_when_on_it_alerts() -> None:
    asked_of = (counted(12, 3), counted(11, 2, "authors"))
    said = reasons.summary(FR, asked_of, window=QUARTER)
    assert plain(said) == "12 messages en 15 min (seuil : 3), 11 auteurs distincts (seuil : 2)"


def test_a_single_call_says_that_one_is_enough() -> None:
    said = reasons.summary(FR, (counted(1, 1), counted(1, 1, "authors")), window=QUARTER)
    assert plain(said) == "1 message en 15 min (un seul suffit)"


def test_a_spike_stands_beside_what_is_usual_and_its_floor_is_left_out() -> None:
    above = Condition(name="spike", value=18, threshold=7.1213, comparison=Comparison.ABOVE)
    usual = Baseline(kind=BaselineKind.PREVIOUS, points=12, expected=5.0, counts=(4, 6, 5))
    said = reasons.summary(FR, (counted(18, 10), above), window=HOUR, baseline=usual)
    assert plain(said) == "18 messages en 1 h, contre 5 d'habitude (seuil : plus de 7,12)"
    assert plain(reasons.counts(FR, usual)).endswith("du plus récent au plus ancien : 4, 6, 5.")


def test_a_rule_that_is_named_like_a_condition_is_told_as_a_rule() -> None:
    holds = counted(1, 1, "rule:spike")
    assert plain(reasons.summary(FR, (holds,))) == "la règle « spike » est remplie"
    lacks = Condition(name="rule:count", value=1, threshold=1, comparison=Comparison.BELOW)
    assert plain(reasons.failed(FR, lacks)).startswith("La règle « count » est remplie en ce mom")


def test_too_short_a_history_names_what_is_missing() -> None:
    said = reasons.failed(FR, counted(3, 8, "points"))
    assert "3 périodes connues, il en faut au moins 8 (min_points 3 < 8)" in plain(said)


def test_a_history_that_is_too_short_says_that_the_threshold_is_fixed() -> None:
    cold = Baseline(kind=BaselineKind.SEASONAL, points=1, is_cold=True)
    said = reasons.summary(FR, (counted(30, 25),), window=HOUR, baseline=cold)
    assert plain(said) == "30 messages en 1 h (peu d'historique : seuil fixe de 25)"


def test_what_says_the_same_is_told_as_different_messages() -> None:
    said = reasons.summary(FR, (counted(3, 3),), window=HOUR, is_repeated=True)
    assert plain(said) == "3 messages différents en 1 h (seuil : 3)"


def test_what_is_counted_goes_on_while_shares_and_sums_stay_as_they_were() -> None:
    plainly = reasons.as_of_now((counted(3, 3), counted(2, 2, "authors")), value=12, authors=11)
    assert [c.value for c in plainly] == [12, 11]
    share = reasons.as_of_now((counted(20, 10), counted(0.6, 0.5, "ratio")), value=12, authors=0)
    assert [c.value for c in share] == [20, 0.6]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("say", [FR, EN], ids=["fr", "en"])
@pytest.mark.parametrize("comparison", list(Comparison))
def test_every_condition_has_a_sentence_with_its_numbers(name, say, comparison) -> None:
    for value in (0, 1, 4321, 0.25):
        condition = Condition(name=name, value=value, threshold=1, comparison=comparison)
        texts = [
            *reasons.held(say, (condition,), window=HOUR),
            reasons.failed(say, condition, window=HOUR),
        ]
        for text in texts:
            assert text
            assert not re.search(r"[{}]|None|True|False", text)
        assert texts[1].endswith(".")
    unknown = Condition(name=name, value=None, threshold=2)
    assert reasons.failed(say, unknown).endswith(".")


@pytest.mark.parametrize("kind", list(DoubtKind))
@pytest.mark.parametrize("say", [FR, EN], ids=["fr", "en"])
def test_every_doubt_has_a_sentence_with_its_number(kind, say) -> None:
    for value in (1, 2):
        said = reasons.doubt(say, Doubt(kind=kind, value=value, total=3))
        assert said.endswith(".")
        assert "{" not in said


def test_doubts_are_counted_as_french_counts() -> None:
    def said(value: int) -> str:
        return plain(reasons.doubt(FR, Doubt(kind=DoubtKind.QUIET_SOURCES, value=value)))

    assert said(1).startswith("1 autre source a été lue")
    assert said(2).startswith("2 autres sources ont été lues")


def where(field: str, wanted: str, found: str | None) -> str:
    return plain(asked(Asked(field=field, wanted=wanted, found=found, holds=False), VOICE))


def test_a_condition_on_the_mention_says_what_it_has_and_what_is_asked() -> None:
    assert where("urgency.score", ">= 0.8", "0.31") == (
        "Probabilité d'urgence : 0,31 ; la règle demande au moins 0,8."
    )
    assert where("sentiment.label", "negative", "neutral") == (
        "Ton : neutre ; la règle demande négatif."
    )
    assert where("topics", "flood", "") == "Sujets : aucun ; la règle demande Inondation."
    assert where("lang", "!= fr", "fr") == "Langue : fr ; la règle demande autre chose que fr."
    assert where("own", "true", "false").endswith("non ; la règle demande oui.")
    assert where("followers", ">= 100", None) == (
        "Abonnés de l'auteur : inconnu ; la règle demande au moins 100."
    )
    assert where("text", "crue, l'eau", None) == (
        "Aucun des mots cherchés n'est dans le texte : crue, l'eau."
    )


def test_alternatives_and_exclusions_say_what_decided() -> None:
    one = Asked(field="lang", wanted="en", found="fr", holds=False)
    two = Asked(field="kind", wanted="reply", found="post", holds=False)
    either = Asked(field="any", wanted="", found=None, holds=False, parts=((one,), (two,)))
    said = plain(asked(either, VOICE))
    assert "Langue : fr" in said
    assert "la règle demande reply" in said
    met = Asked(field="sentiment.label", wanted="positive", found="positive", holds=True)
    never = Asked(field="not", wanted="", found=None, holds=False, parts=((one,), (met,)))
    assert plain(asked(never, VOICE)) == "La règle écarte ce message : Ton (positif)."


def answer(outcome: Outcome, **more) -> WhyNot:
    return WhyNot(outcome=outcome, mention="facebook:7", rule="crue", window=HOUR, **more)


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_outcome_has_a_sentence(outcome, language) -> None:
    voice = Voice(say=catalogue(language), zone="Europe/Paris", now=NOW)
    found = answer(
        outcome,
        at=NOW,
        conditions=(counted(2, 3),),
        asked=(Asked(field="text", wanted="crue", found=None, holds=False),),
        mute=Mute(kind=MuteKind.SILENCE, by="S3", until=NOW),
        delay=HOUR,
        limit=QUARTER,
        hold=HOUR,
        lasted=QUARTER,
        group_by=("role",),
    )
    said = sentences(found, voice)
    assert said
    assert all(text and not re.search(r"[{}]", text) for text in said)


def test_an_alert_that_was_told_says_to_whom_and_when() -> None:
    told = tuple(Told(receiver="courriel", at=NOW - timedelta(minutes=n)) for n in (5, 3))
    found = answer(Outcome.FIRED, at=NOW, conditions=(counted(3, 3),), incident=12, told=told)
    first, second, third = (plain(text) for text in sentences(found, VOICE))
    assert first == "Oui, la règle « crue » a alerté à 02:20 : 3 messages en 1 h (seuil : 3)."
    assert second == "C'est l'incident I12."
    assert third == "Prévenus : courriel (à 02:15)."


def test_a_mention_from_elsewhere_is_out_of_the_territory() -> None:
    place = Commune(name="Saint-Denis", insee="97411")
    failed = Asked(field="territory", wanted="true", found="false", holds=False)
    found = answer(Outcome.TERRITORY, asked=(failed,), communes=(place,))
    (said,) = sentences(found, VOICE)
    assert "hors du territoire : Saint-Denis (97411)" in plain(said)
    nowhere = answer(Outcome.TERRITORY, asked=(failed,))
    assert "aucune commune n'est reconnue" in sentences(nowhere, VOICE)[0]


@pytest.mark.parametrize("kind", list(MuteKind))
@pytest.mark.parametrize("until", [None, NOW])
def test_every_mute_has_a_sentence(kind, until) -> None:
    assert "S3" in mute(Mute(kind=kind, by="S3", until=until), VOICE)


def test_texts_from_outside_show_their_hidden_characters() -> None:
    assert "\u202e" not in sentences(answer(Outcome.ABSENT), VOICE)[0]
    hostile = WhyNot(outcome=Outcome.ABSENT, mention="\u202eevil{0}", rule="crue")
    said = sentences(hostile, VOICE)[0]
    assert "\u202e" not in said
    assert "{0}" in said


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("count", 0, "Aucun message en 1 h : il en faut au moins 3."),
        ("authors", 0, "Aucun auteur de ces messages n'est connu : il en faut au moins 3."),
        ("gaps", 1, "le rythme habituel : 1 intervalle connu, il en faut au moins 3."),
    ],
)
def test_nothing_and_one_are_said_as_french_says_them(name, value, says) -> None:
    condition = Condition(name=name, value=value, threshold=3)
    assert plain(reasons.failed(FR, condition, window=HOUR)).endswith(says)
