"""What `where:` matches, by field."""

from __future__ import annotations

import pytest

from veille.domain.analysis import (
    Cluster,
    Hostility,
    HostilityLabel,
    Intent,
    IntentLabel,
    Place,
    Target,
    Topic,
)
from veille.domain.card import Card, Hazard, Need, Slot
from veille.domain.errors import RuleError
from veille.domain.mention import MentionKind
from veille.rules.parse import parse_rules
from veille.rules.phrases import MAX_PHRASE_LENGTH
from veille.rules.view import View


def where(text: str):
    rule = f"rules: [{{id: r, kind: mention, severity: info, exclude_own: false, where: {text}}}]"
    return parse_rules({"r.yml": rule.encode()}).rules[0].where


@pytest.fixture
def matches(observed, found):
    def check(
        condition: str, *, urgency=0.0, sentiment=0.0, entities=(), says=None, **fields
    ) -> bool:
        read = found(urgency, sentiment, entities, **(says or {}))
        observation = observed(1, found=read, **fields)
        return where(condition).matches(View(observation, observation.analysis))

    return check


@pytest.mark.parametrize(
    ("condition", "score", "is_match"),
    [
        ('{urgency.score: ">= 0.8"}', 0.8, True),
        ('{urgency.score: ">= 0.8"}', 0.79996, True),
        ('{urgency.score: ">= 0.8"}', 0.79994, False),
        ('{urgency.score: "> 0.8"}', 0.80004, False),
        ('{urgency.score: "<0.8"}', 0.7, True),
        ('{urgency.score: "<= 0.8"}', 0.81, False),
        ('{urgency.score: "!= 0.8"}', 0.8, False),
        ("{urgency.score: 0.8}", 0.8, True),
        ('{urgency.score: ["< 0.1", "> 0.9"]}', 0.95, True),
        ('{urgency.score: ["< 0.1", "> 0.9"]}', 0.5, False),
    ],
)
def test_scores_compare_on_four_decimals(matches, condition, score, is_match):
    assert matches(condition, urgency=score) is is_match


def test_an_unknown_number_matches_no_comparison(matches):
    for operator in ("=", "!=", ">", ">=", "<", "<="):
        assert not matches(f'{{followers: "{operator} 10"}}', followers=None)
    assert matches('{followers: "< 10"}', followers=0)


def test_words_compare_exactly_and_lists_mean_any(matches):
    assert matches("{source: [a, s]}")
    assert not matches("{source: [a, b]}")
    assert matches('{source: "!= a"}')
    assert matches("{kind: reply}", kind=MentionKind.REPLY)
    assert matches("{watch: école}", watches=("mairie", "école"))
    assert not matches('{watch: "!= école"}', watches=("mairie", "école"))
    assert not matches("{role: press}", role=None)
    assert matches('{role: "!= press"}', role=None)
    assert matches("{own: true}", own=True)
    assert not matches("{lang: no}")


def test_all_conditions_must_hold_any_is_or_and_not_negates(matches):
    both = "{source: s, own: false}"
    assert matches(both)
    assert not matches(both, own=True)
    either = '{any: [{source: x}, {urgency.score: "> 0.5"}]}'
    assert matches(either, urgency=0.6)
    assert not matches(either)
    assert matches("{not: {source: s, own: true}}")
    assert not matches("{not: [{source: s}, {own: true}]}")
    assert matches("{not: {not: {source: s}}}")


@pytest.mark.parametrize(
    ("word", "text", "is_match"),
    [
        ("coincé*", "Elle est COINCÉES là", True),
        ("coince", "on est coincés", False),
        ("l'eau monte", "L’EAU  monte !", True),
        ("l eau", "l'eau", True),
        ("crue", "#crue", True),
        ("#crue", "la crue", False),
        ("crue", "recrue", False),
        ("sur le toit", "sur\nle toit.", True),
        ("sur le toit", "sur le grand toit", False),
        ("cœur", "coeur", True),
        ("au-dessus", "au dessus", True),
        ("18", "le 18 ne répond pas", True),
        ("secours", "se\u034fco\u061cu\u180er\u206as", True),
    ],
)
def test_words_are_folded_like_texts(matches, word, text, is_match):
    assert matches(f'{{text: {{words: ["{word}"]}}}}', text=text) is is_match


def test_a_pattern_is_searched_in_the_text_as_stored(matches):
    assert matches("{text: {re: '(?i)école'}}", text="Une ÉCOLE")
    assert not matches("{text: {re: 'école'}}", text="Une ecole")
    assert matches("{text: {words: [toit], re: '!$'}}", text="le toit!")
    assert not matches("{text: {words: [toit], re: '!$'}}", text="le toit")


@pytest.mark.parametrize("text", ["\ud800 crue", "crue " * 20_000, "\x00crue"])
def test_hostile_text_is_searched_all_the_same(matches, text):
    assert matches("{text: {words: [cr*], re: 'crue'}}", text=text + " crue")


def test_one_endless_word_takes_no_more_than_a_word(matches, observed, found):
    text = "secours" + "x" * 10_000  # of 100,000 letters every beginning was 5 GB
    view = View(observed(1, text=text), found())
    assert sum(map(len, view.stems)) < 10_000
    assert matches('{text: {words: ["secours*"]}}', text=text)
    longest = "x" * (MAX_PHRASE_LENGTH - 1)
    assert matches(f'{{text: {{words: ["{longest}*"]}}}}', text="x" * 10_000)
    with pytest.raises(RuleError, match="over 100 characters"):
        where(f'{{text: {{words: ["{"ﷺ" * 20}*"]}}}}')  # each is 18 letters when folded


def test_entities_match_label_and_folded_name(matches):
    seen = [("LOC", "Rue de la Plage"), ("PER", "Zoé")]
    assert matches('{entities: ["LOC:rue de la plage"]}', entities=seen)
    assert matches('{entities: "PER: zoe"}', entities=seen)
    assert matches('{entities: "LOC:*"}', entities=seen)
    assert not matches('{entities: ["ORG:*", "LOC:Zoé"]}', entities=seen)
    assert matches('{entities: "LOC:plage"}', entities=seen)


THREAT = Hostility(label=HostilityLabel.THREAT, score=0.91, target=Target.STAFF)
CALM = Hostility(label=HostilityLabel.NONE, score=0.02)
RUMOR = Intent(label=IntentLabel.RUMOR, score=0.7)
TOPICS = (Topic(id="flood", score=0.9), Topic(id="roads", score=0.5))
ALES = Place(name="Alès", insee="30007", score=0.9, start=0, end=4)
BASTIA = Place(name="Bastia", insee="2B033", score=0.9, start=0, end=6)
UNSURE = Place(name="Saint-Denis", insee=None, score=0.5, start=0, end=11)
CLAIM = Cluster(id="k", size=12, wordings=9, authors=11, is_claim=True)
CARD = Card(
    hazard=Slot(value=Hazard.FLOOD, spans=()), places=(), people=None, vulnerable=(),
    need=Slot(value=Need.RESCUE, spans=()), time=None, has_media=False,
)  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "says", "is_match"),
    [
        ("{hostility.label: threat}", {"hostility": THREAT}, True),
        ("{hostility.label: [threat, uncivil]}", {"hostility": CALM}, False),
        ("{hostility.label: undecided}", {}, True),
        ("{hostility.target: [staff, office_holder]}", {"hostility": THREAT}, True),
        ("{hostility.target: staff}", {"hostility": CALM}, False),
        ('{hostility.score: ">= 0.91"}', {"hostility": THREAT}, True),
        ('{toxicity.score: "> 0.5"}', {"toxicity": 0.50004}, False),
        ('{toxicity.score: "> 0.5"}', {"toxicity": 0.51}, True),
        ("{intent.label: rumor}", {"intent": RUMOR}, True),
        ("{intent.label: '!= rumor'}", {"intent": RUMOR}, False),
        ('{intent.score: ">= 0.7"}', {"intent": RUMOR}, True),
        ("{topics: [roads, fire]}", {"topics": TOPICS}, True),
        ("{topic: roads}", {"topics": TOPICS}, False),
        ("{topic: flood}", {"topics": TOPICS}, True),
        ("{topic: flood}", {}, False),
        ("{places: 30*}", {"places": (UNSURE, ALES)}, True),
        ("{places: ['34*', '30007']}", {"places": (ALES,)}, True),
        ("{places: 300*}", {"places": (ALES,)}, True),
        ("{places: 2B*}", {"places": (BASTIA,)}, True),
        ("{places: 3000*}", {"places": (ALES,)}, True),
        ("{places: ['!= 30*', 30007]}", {"places": (ALES,)}, True),
        ("{places: ['!= 30*', 2B033]}", {"places": (ALES,)}, False),
        ("{places: 93*}", {"places": (UNSURE,)}, False),
        ("{places: '!= 30*'}", {"places": (ALES, BASTIA)}, False),
        ("{places: '!= 30*'}", {"places": (BASTIA,)}, True),
        ('{cluster.size: ">= 12"}', {"cluster": CLAIM}, True),
        ('{cluster.authors: ">= 12"}', {"cluster": CLAIM}, False),
        ('{cluster.size: "< 2"}', {}, False),
        ("{cluster.is_claim: true}", {"cluster": CLAIM}, True),
        ("{cluster.is_claim: false}", {}, True),
        ("{card.hazard: [fire, flood]}", {"card": CARD}, True),
        ("{card.hazard: flood}", {}, False),
        ("{card.need: rescue}", {"card": CARD}, True),
        ("{card.need: '!= rescue'}", {"card": CARD}, False),
    ],
)
def test_findings_are_asked_by_name(matches, condition, says, is_match):
    assert matches(condition, says=says) is is_match
