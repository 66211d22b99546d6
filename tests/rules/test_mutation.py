"""Mutants and variants: one thing changed, at its place, and still a file of rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from veille.domain.errors import RuleError
from veille.rules.mutation import mutants
from veille.rules.parse import parse_rules
from veille.rules.sweep import variants

SHIPPED = Path(__file__).parents[2] / "rules"
RULE = """rules:
  - id: calls
    kind: count
    where:
      urgency.score: ">= 0.8"
      lang: fr
      any: [{kind: reply}, {followers: "> 100"}]
      not: {sentiment.label: positive}
    window: 10m
    min_count: 1
    min_authors: 2
    for: 0s
    severity: critical
  - {id: other, kind: count, min_count: 4, severity: info}
"""


def changes(text: str = RULE) -> dict[str, tuple[int, int]]:
    return {m.change: (m.line, m.column) for m in mutants("r.yml", text.encode())}


def test_operators_thresholds_and_conditions_are_changed_at_their_place() -> None:
    found = changes()
    assert found["urgency.score: >= 0.8 -> < 0.8"] == (5, 22)
    assert found["urgency.score: >= 0.8 -> > 0.8"] == (5, 22)
    assert found["urgency.score: >= 0.8 -> >= 0.85"] == (5, 22)
    assert found["followers: > 100 -> > 110"] == (7, 40)
    assert found["lang: dropped"] == (6, 7)
    assert found["lang: negated"] == (6, 7)
    assert found["alternative 2 dropped"] == (7, 28)
    assert found["sentiment.label: negated"] == (8, 13)
    assert found["window: 10m -> 20m"] == (9, 13)
    assert found["window: 10m -> 5m"] == (9, 13)
    assert found["for: 0s -> 5m"] == (12, 10)
    assert found["min_authors: 2 -> 1"] == (11, 18)
    assert found["min_count: 4 -> 5"] == (14, 41)
    assert "min_count: 1 -> 0" not in found


def test_each_mutant_changes_one_rule_alone_and_can_be_loaded() -> None:
    before = parse_rules({"r.yml": RULE.encode()}).versions
    for mutant in mutants("r.yml", RULE.encode()):
        if mutant.change in {"kind: dropped", "followers: dropped", "sentiment.label: dropped"}:
            continue  # leaves an empty condition, which the parser refuses
        after = parse_rules({"r.yml": mutant.data}).versions
        assert {name for name in before if after[name] != before[name]} == {mutant.rule}


def test_nearly_all_mutants_of_shipped_rules_can_be_loaded() -> None:
    refused = total = 0
    for name in ("distress.yml", "volume.yml"):
        for mutant in mutants(name, (SHIPPED / name).read_bytes()):
            total += 1
            try:
                parse_rules({name: mutant.data})
            except RuleError:
                refused += 1
    assert total > 30
    assert refused < total / 10


@pytest.mark.parametrize("text", ["", "rules:", "rules: [3]", "- a", "rules: [{a: &x 1}]", "\x00"])
def test_a_file_that_is_no_rules_has_no_mutants(text: str) -> None:
    assert list(mutants("r.yml", text.encode())) == []
    assert list(variants("r.yml", text.encode())) == []


def test_thresholds_are_swept_in_order_and_the_current_one_is_marked() -> None:
    found = [v for v in variants("r.yml", RULE.encode()) if v.field == "urgency.score"]
    assert [v.value for v in found] == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert [v.value for v in found if v.is_current] == [0.8]
    counts = [v.value for v in variants("r.yml", RULE.encode()) if v.rule == "other"]
    assert counts == [1, 2, 3, 4, 5, 6, 8, 12]
    assert all(parse_rules({"r.yml": v.data}) for v in found)
