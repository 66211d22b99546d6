"""`veille rules test` knows the topics: a typo there would make a rule that never fires."""

from __future__ import annotations

from pathlib import Path

import pytest

from veille.app.check import rules_report

RULE = """rules:
  - id: water
    kind: mention
    where:
      {condition}
    window: 10m
    severity: info
"""
TEST = """tests:
  - name: une fuite
    mentions:
      - at: 0m
        text: fuite d'eau
        analysis: {{topics: [{topic}]}}
    expect:
      - {{at: 0m, firing: [{{rule: water}}]}}
"""
OWN = """topics:
  - id: bees
    name: Abeilles
    words: [ruche]
  - id: other
    name: Autre
"""


def write(folder: Path, condition: str, topic: str = "flood") -> Path:
    (folder / "w_test.yml").write_text(TEST.format(topic=topic), encoding="utf-8")
    path = folder / "w.yml"
    path.write_text(RULE.format(condition=condition), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("topics: flod", 'did you mean "flood"?'),
        ("topic: inondation", "inondation"),
        ("topics: 5", "5"),
        ("not: {topics: [fire, flod]}", 'did you mean "flood"?'),
    ],
)
def test_an_unknown_topic_is_refused_at_its_place(
    tmp_path: Path, condition: str, said: str
) -> None:
    report = rules_report([write(tmp_path, condition)], None)
    found = " ".join(map(str, report.findings))
    assert f"{tmp_path / 'w.yml'}:5:" in found
    assert said in found


def test_a_shipped_topic_is_known(tmp_path: Path) -> None:
    assert [str(f) for f in rules_report([write(tmp_path, "topics: flood")], None).findings] == []


def test_a_file_of_topics_beside_the_rules_comes_first(tmp_path: Path) -> None:
    (tmp_path / "topics.yml").write_text(OWN, encoding="utf-8")
    assert rules_report([write(tmp_path, "topics: bees", "bees")], None).is_ok
    assert "flood" in str(rules_report([write(tmp_path, "topics: flood")], None).findings[0])
