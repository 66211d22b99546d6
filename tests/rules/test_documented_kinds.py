"""The examples of docs/rules.md are rules that do what is written beside them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from veille.pipeline import rule_tests
from veille.rules.model import RuleKind
from veille.rules.parse import parse_rules

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
KINDS = PAGE.split("\n## Kinds\n", 1)[1].split("\n## ", 1)[0]
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", KINDS, re.MULTILINE | re.DOTALL)

CASES = {
    "mostly_negative": """
  - name: seize colères sur vingt
    series:
      - {every: 2m, from: 0s, to: 32m, authors: 16, text: "la cantine déborde encore",
         analysis: {topics: [school], sentiment: {label: negative}}}
      - {every: 8m, from: 0s, to: 32m, authors: 4, text: "merci à la cantine",
         analysis: {topics: [school]}}
    expect:
      - {at: 16m, firing: []}
      - {at: 32m, firing: [{rule: mostly_negative, group: {watch: mairie}}]}
      - {at: 5h, firing: []}
  - name: la moitié ne suffit pas, rien n'est sûr
    series:
      - {every: 2m, from: 0s, to: 20m, authors: 10, text: "la cantine déborde",
         analysis: {topics: [school], sentiment: {label: negative}}}
      - {every: 2m, from: 0s, to: 20m, authors: 10, text: "merci à la cantine",
         analysis: {topics: [school]}}
    expect:
      - {at: 20m, firing: []}
""",
    "going_viral": """
  - name: de plus en plus vite
    series:
      - {every: 10m, from: 0s, to: 1h, counts: [1, 1, 2, 5, 11, 24], authors: 30,
         text: "regardez cette vidéo du marché"}
    expect:
      - {at: 40m, firing: []}
      - {at: 1h, firing: [{rule: going_viral, group: {watch: mairie}}]}
  - name: beaucoup, mais toujours autant
    series:
      - {every: 10m, from: 0s, to: 1h, counts: [8], authors: 30, text: "un mot sur le marché"}
    expect:
      - {at: 1h, firing: []}
""",
    "large_audience": """
  - name: deux grands comptes, et l'alerte dure tant qu'il en reste un
    mentions:
      - {at: 0m, id: a, author: {id: x, followers: 40000}, text: "quelle honte",
         analysis: {sentiment: {label: negative}}}
      - {at: 90m, id: b, author: {id: y, followers: 30000}, text: "honteux",
         analysis: {sentiment: {label: negative}}}
    expect:
      - {at: 80m, firing: []}
      - {at: 90m, firing: [{rule: large_audience, group: {watch: mairie}}]}
      - {at: 3h, firing: [{rule: large_audience, group: {watch: mairie}}]}
      - {at: 4h, firing: []}
  - name: un seul compte, même très suivi, ne suffit pas
    mentions:
      - {at: 0m, id: a, author: {id: x, followers: 9000000}, text: "quelle honte",
         analysis: {sentiment: {label: negative}}}
    expect:
      - {at: 1m, firing: []}
""",
    "slow_anger": """
  - name: trois semaines calmes, puis un peu plus à chaque heure
    series:
      - {every: 1h, from: -20d, to: 0s, counts: [1, 0, 2, 1], authors: 9, text: "trop cher",
         analysis: {sentiment: {label: negative}}}
      - {every: 1h, from: 0s, to: 8h, counts: [3, 4, 4, 5], authors: 12, text: "c'est trop",
         analysis: {sentiment: {label: negative}}}
    expect:
      - {at: 0s, firing: []}
      - {at: 1h, firing: []}
      - {at: 8h, firing: [{rule: slow_anger, group: {watch: mairie}}]}
  - name: le premier jour, il n'y a rien à quoi comparer
    series:
      - {every: 1h, from: 0s, to: 8h, counts: [3, 4, 4, 5], authors: 12, text: "c'est trop",
         analysis: {sentiment: {label: negative}}}
    expect:
      - {at: 8h, firing: []}
""",
}
CLAIM = "{cluster: {id: pont, size: 3, wordings: 3, authors: 3, is_claim: true}}"
CASES["heard_everywhere"] = f"""
  - name: trois sources disent la même chose
    mentions:
      - {{at: 0m, source: presse, author: {{id: a}}, text: "pont fermé", analysis: {CLAIM}}}
      - {{at: 1m, source: presse, author: {{id: b}}, text: "le pont ferme", analysis: {CLAIM}}}
      - {{at: 2m, source: mastodon, author: {{id: c}}, text: "plus de pont", analysis: {CLAIM}}}
      - {{at: 3m, source: forum, author: {{id: d}}, text: "pont barré", analysis: {CLAIM}}}
    expect:
      - {{at: 2m, firing: []}}
      - {{at: 3m, firing: [{{rule: heard_everywhere, group: {{watch: mairie}}}}]}}
      - {{at: 7h, firing: []}}
"""
CASES |= {
    "new_hashtag": """
  - name: après huit jours d'écoute, cinq personnes disent un mot nouveau
    series:
      - {every: 1d, from: -9d, to: 0s, text: "au #marché", authors: 9}
      - {every: 1m, from: 0s, to: 5m, text: "la #Digue cède", authors: 5}
    expect:
      - {at: 4m, firing: []}
      - {at: 5m, firing: [{rule: new_hashtag, group: {watch: mairie, term: "#digue"}}]}
  - name: le premier jour tout est nouveau, rien n'est dit
    series:
      - {every: 1m, from: 0s, to: 5m, text: "la #Digue cède", authors: 5}
    expect:
      - {at: 5m, firing: []}
""",
    "source_silent": """
  - name: toutes les deux minutes, puis plus rien ; l'hebdomadaire n'est pas attendu
    series:
      - {every: 2m, from: -2h, to: 0s, source: fil, text: "brève"}
      - {every: 7d, from: -63d, to: 0s, source: hebdo, text: "édition"}
    expect:
      - {at: 2m, firing: []}
      - {at: 4m, firing: [{rule: source_silent, group: {source: fil}}]}
""",
    "own_account_silent": """
  - name: deux comptes quittés, un compte actif
    mentions:
      - {at: 0s, id: a, source: facebook, own: true, created_at: "2026-01-15T12:00:00+01:00",
         text: "bonjour", analysis: {}}
      - {at: 0s, id: b, source: x, own: true, created_at: "2025-07-12T12:00:00+02:00",
         text: "bonjour", analysis: {}}
      - {at: 0s, id: c, source: snapchat, own: true, created_at: "2024-12-14T12:00:00+01:00",
         text: "bonjour", analysis: {}}
    series:
      - {every: 1m, from: 0s, to: 14m, source: x, authors: 14, text: "quelqu'un ?"}
    expect:
      - {at: 15m, firing: [{rule: own_account_silent, group: {source: x}},
                           {rule: own_account_silent, group: {source: snapchat}}]}
""",
    "question_unanswered": """
  - name: posée le dimanche, due le lundi à 13 h
    mentions:
      - {at: 0m, id: q, author: {id: x}, text: "quand ?", analysis: {intent: {label: question}}}
      - {at: 1m, id: r, author: {id: y}, text: "où ?", analysis: {intent: {label: question}}}
      - {at: 33h, id: own, own: true, reply_to: r, text: "ici", analysis: {}}
    expect:
      - {at: 34h, firing: []}
      - {at: 35h, firing: [{rule: question_unanswered, group: {watch: mairie}}]}
""",
    "press_then_anger": """
  - name: la presse, puis la colère ; la colère d'avant ne compte pas
    mentions:
      - {at: 2m, id: p, kind: article, text: "le budget", analysis: {}}
    series:
      - {every: 1m, from: -4m, to: 0s, authors: 4, text: "nul",
         analysis: {sentiment: {label: negative}}}
      - {every: 1m, from: 2m, to: 7m, authors: 5, text: "nul",
         analysis: {sentiment: {label: negative}}}
    expect:
      - {at: 6m, firing: []}
      - {at: 7m, firing: [{rule: press_then_anger, group: {watch: mairie}}]}
""",
    "anger_without_emergency": """
  - name: la colère seule, jusqu'à ce qu'un appel à l'aide l'explique
    mentions:
      - {at: 7m, id: u, author: {id: u}, text: "au secours", analysis: {urgency: {label: urgent}}}
    series:
      - {every: 1m, from: 0s, to: 5m, authors: 5, text: "nul",
         analysis: {sentiment: {label: negative}}}
    expect:
      - {at: 5m, firing: [{rule: anger}, {rule: anger_without_emergency}]}
      - {at: 7m, firing: [{rule: anger}, {rule: emergency}]}
""",
}


def test_every_kind_has_an_example_that_is_a_rule():
    rules = [rule for text in EXAMPLES for rule in parse_rules({"r.yml": file(text)}).rules]
    assert {rule.kind for rule in rules} == set(RuleKind)


def file(example: str) -> bytes:
    return example.encode() if example.startswith("rules:") else f"rules:\n{example}".encode()


@pytest.mark.parametrize("name", CASES)
def test_an_example_fires_and_stays_silent_as_it_should(name: str):
    (example,) = [text for text in EXAMPLES if f"id: {name}" in text]
    report = rule_tests.run({"r.yml": file(example), "r_test.yml": f"tests:{CASES[name]}".encode()})
    assert report.is_ok, "\n".join(map(str, report.findings))
