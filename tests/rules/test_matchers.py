"""What `where:` matches, by field."""

from __future__ import annotations

import pytest

from veille.domain.mention import MentionKind
from veille.rules.parse import parse_rules
from veille.rules.view import View


def where(text: str):
    rule = f"rules: [{{id: r, kind: mention, severity: info, where: {text}}}]"
    return parse_rules({"r.yml": rule.encode()}).rules[0].where


@pytest.fixture
def matches(observed, found):
    def check(condition: str, *, urgency=0.0, sentiment=0.0, entities=(), **fields) -> bool:
        observation = observed(1, found=found(urgency, sentiment, entities), **fields)
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


def test_entities_match_label_and_folded_name(matches):
    seen = [("LOC", "Rue de la Plage"), ("PER", "Zoé")]
    assert matches('{entities: ["LOC:rue de la plage"]}', entities=seen)
    assert matches('{entities: "PER: zoe"}', entities=seen)
    assert matches('{entities: "LOC:*"}', entities=seen)
    assert not matches('{entities: ["ORG:*", "LOC:Zoé"]}', entities=seen)
    assert matches('{entities: "LOC:plage"}', entities=seen)
