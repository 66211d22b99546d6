"""Rule files that would keep the parser busy: refused, or read, without a long think."""

from __future__ import annotations

import pytest

from veille.domain.errors import RuleError
from veille.rules.engine import Engine
from veille.rules.parse import parse_rules
from veille.rules.yaml_nodes import MAX_FINDINGS

FLAGGED = "{id: a, kind: mention, where: {kind: post}, severity: info}"


def findings(*rules: str) -> list[str]:
    with pytest.raises(RuleError) as caught:
        parse_rules({"r.yml": ("rules:\n" + "".join(f"  - {rule}\n" for rule in rules)).encode()})
    return str(caught.value).splitlines()


def composite(name: str, *asked: str, kind: str = "all") -> str:
    return f"{{id: {name}, kind: composite, {kind}: [{', '.join(asked)}], severity: info}}"


def test_a_chain_of_composites_is_read_however_long():
    # the 20 s limit of a test is the proof: with a walk from each rule it took minutes
    chain = [composite("r0", "a"), *(composite(f"r{n + 1}", f"r{n}") for n in range(2000))]
    text = "rules:\n" + "".join(f"  - {rule}\n" for rule in [FLAGGED, *reversed(chain)])
    ruleset = parse_rules({"r.yml": text.encode()})
    assert len(ruleset.rules) == 2002
    Engine(ruleset)


def test_each_circle_is_named_once_from_its_first_rule():
    two = [composite("b", "c"), composite("c", "b")]
    three = [composite("x", "y"), composite("y", "z", kind="any"), composite("z", "x", "a")]
    assert findings(FLAGGED, *two, *three) == [
        "r.yml:3:10: id: refers to itself: b > c > b: cut the circle",
        "r.yml:5:10: id: refers to itself: x > y > z > x: cut the circle",
    ]


def test_a_circle_of_a_thousand_is_told_in_a_line():
    circle = [composite(f"r{n}", f"r{(n + 1) % 1000}") for n in range(1000)]
    [finding] = [line for line in findings(*circle) if "refers to itself" in line]
    assert finding.endswith("r8 > r9 > … > r0: cut the circle")


@pytest.mark.parametrize(
    "rule",
    [
        "{" + ", ".join(f"min_coun{n}: 1" for n in range(10_000)) + "}",
        "{id: z, group_by: [" + ", ".join(f"watc{n}" for n in range(10_000)) + "]}",
        "{id: z, kind: composite, all: [" + ", ".join(f"rulexyz{n}" for n in range(10_000)) + "]}",
    ],
)
def test_of_a_flood_of_mistakes_the_first_hundred_are_told(rule: str):
    named = [
        f"{{id: ruleabc{n}, kind: mention, where: {{kind: post}}, severity: info}}"
        for n in range(999)
    ]
    *told, last = findings(*named, rule)
    assert len(told) == MAX_FINDINGS
    assert last == f"r.yml: {MAX_FINDINGS} findings: mend these first, there may be more"


@pytest.mark.parametrize(
    ("rule", "column", "remedy"),
    [
        ("{id: a, kind: count, min_count: 010, severity: info}", 37, "write 10"),
        ("{id: a, kind: spike, min_count: 9, surprise: 08.5, severity: info}", 50, "write 8.5"),
        (
            "{id: a, kind: mention, where: {followers: 010}, severity: info}",
            47,
            "write it without the first 0",
        ),
    ],
)
def test_a_number_that_yaml_may_read_as_octal_is_refused(rule: str, column: int, remedy: str):
    [finding] = findings(rule)
    assert finding.startswith(f"r.yml:2:{column}: ")
    assert "octal" in finding
    assert finding.endswith(remedy)


def test_a_zero_and_a_code_of_a_commune_are_no_octal():
    rules = ["{id: a, kind: mention, where: {urgency.score: '>= 0.5', places: [01004]}, for: 0s,"
             " severity: info}"]  # fmt: skip
    text = "rules:\n" + "".join(f"  - {rule}\n" for rule in rules)
    assert parse_rules({"r.yml": text.encode()}).rules


@pytest.mark.parametrize("field", ["owner", "runbook", "severity", "where", "labels"])
def test_a_field_without_a_value_is_told_as_nothing(field: str):
    text = f"rules:\n  - id: a\n    kind: mention\n    {field}:\n"
    with pytest.raises(RuleError) as caught:
        parse_rules({"r.yml": text.encode()})
    assert any("not nothing" in line for line in str(caught.value).splitlines())
