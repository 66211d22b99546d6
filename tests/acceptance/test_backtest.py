"""Scenario S11 of the product: a rule proved by its tests, its mutants and a labelled history."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from servers.town import VEILLE

RULE = """rules:
  - id: crue
    kind: count
    where: {urgency.score: "> 0.7", topics: [flood]}
    window: 15m
    min_count: 3
    min_authors: 2
    keep_firing_for: 30m
    severity: critical
"""
CASES = (
    """tests:
  - name: trois appels de deux voisins
    mentions:
      - {at: 0m, id: a, author: {id: x}, text: "l'eau entre", analysis: &}
      - {at: 5m, id: b, author: {id: y}, text: "la cave est pleine", analysis: &}
      - {at: 14m, id: c, author: {id: x}, text: "venez vite", analysis: &}
    expect:
      - {at: 5m, firing: []}
      - {at: 14m, firing: [{rule: crue, group: {watch: mairie}}]}
      - {at: 44m, firing: [{rule: crue}]}
      - {at: 45m, firing: []}
  - name: deux appels
    mentions:
      - {at: 0m, id: a, author: {id: x}, text: "l'eau entre", analysis: &}
      - {at: 5m, id: b, author: {id: y}, text: "la cave est pleine", analysis: &}
    expect:
      - {at: 6m, firing: []}
  - name: un seul auteur, ou un quart d'heure passé
    mentions:
      - {at: 0m, id: a, author: {id: x}, text: "l'eau entre", analysis: &}
      - {at: 1m, id: b, author: {id: x}, text: "la cave est pleine", analysis: &}
      - {at: 2m, id: c, author: {id: x}, text: "venez", analysis: &}
      - {at: 16m, id: d, author: {id: y}, text: "enfin", analysis: &}
    expect:
      - {at: 3m, firing: []}
      - {at: 16m, firing: []}
  - name: sans urgence ou sans eau
    mentions:
      - {at: 0m, id: a, author: {id: x}, text: "la Rive", analysis: ~}
      - {at: 1m, id: b, author: {id: y}, text: "le pont", analysis: ~}
      - {at: 2m, id: c, author: {id: z}, text: "le quai", analysis: ~}
      - {at: 3m, id: d, author: {id: x}, text: "le feu", analysis: ^}
      - {at: 4m, id: e, author: {id: y}, text: "la fumée", analysis: ^}
      - {at: 5m, id: f, author: {id: z}, text: "brûle", analysis: ^}
    expect:
      - {at: 6m, firing: []}
""".replace("&", "{urgency: {score: 0.72}, topics: [flood]}")
    .replace("~", "{urgency: {score: 0.7}, topics: [flood]}")
    .replace("^", "{urgency: {score: 0.9}, topics: [fire]}")
)
START = datetime(2026, 9, 7, 6, 0, tzinfo=UTC)


def history(
    found: int, missed: int, false: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Four weeks of a town: incidents of three calls or of two, false alarms, and daily talk."""
    draw = random.Random(11)
    slots = draw.sample(range(4 * 7 * 4), found + missed + false)  # six hours apart at least
    kinds = ["found"] * found + ["missed"] * missed + ["false"] * false
    lines: list[dict[str, Any]] = []
    labels = []
    for number, (slot, kind) in enumerate(zip(slots, kinds, strict=True)):
        at = START + slot * timedelta(hours=6) + timedelta(minutes=draw.randrange(60))
        for call in range(2 if kind == "missed" else 3):
            lines.append(line(at + timedelta(minutes=4 * call), f"{number}-{call}", 0.9))
        if kind != "false":
            end = at + timedelta(hours=1)
            labels.append({"id": f"i{number}", "start": at.isoformat(), "end": end.isoformat()})
    lines += [
        line(START + timedelta(minutes=draw.randrange(4 * 7 * 1440)), f"t{n}", 0.1)
        for n in range(100)
    ]
    draw.shuffle(labels)
    return sorted(lines, key=lambda x: str(x["created_at"])), labels


def line(at: datetime, name: str, urgency: float) -> dict[str, Any]:
    analysis = {"urgency": {"score": urgency}, "topics": ["flood"]}
    return {
        "source": "forum", "id": name, "author": {"id": f"a{name}"}, "created_at": at.isoformat(),
        "text": "l'eau monte dans la rue", "analysis": analysis,
    }  # fmt: skip


@pytest.fixture
def town(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "crue.yml").write_text(RULE)
    (tmp_path / "rules" / "crue_test.yml").write_text(CASES)
    lines, labels = history(15, 5, 3)
    for name, rows in (("history.jsonl", lines), ("labels.jsonl", labels)):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def veille(town: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [str(VEILLE), "rules", *words], cwd=town, capture_output=True, check=False
    )


def test_s11_four_cases_pass_and_turning_the_comparison_round_fails_with_file_and_line(
    town: Path,
) -> None:
    assert json.loads(veille(town, "test", "rules", "--json").stdout)["passed"] == 4
    (town / "rules" / "crue.yml").write_text(RULE.replace("> 0.7", "< 0.7"))
    broken = veille(town, "test", "rules")
    assert broken.returncode == 1
    assert b"rules/crue_test.yml:9: trois appels de deux voisins" in broken.stderr


def test_s11_every_mutant_is_named_by_file_line_and_column_and_killed(town: Path) -> None:
    done = veille(town, "test", "rules", "--mutants", "--json")
    found = json.loads(done.stdout)
    turned = [t for t in found["tried"] if t["change"] == "urgency.score: > 0.7 -> < 0.7"]
    assert [(t["where"], t["is_killed"]) for t in turned] == [("rules/crue.yml:4:28", True)]
    assert turned[0]["by"].startswith("rules/crue_test.yml:")
    assert found["ratio"] >= 0.9, [t for t in found["tried"] if not t["is_killed"]]
    assert done.returncode == 0


def test_s11_twenty_incidents_of_four_weeks_give_the_same_figures_twice(town: Path) -> None:
    words = ("backtest", "history.jsonl", "--labels", "labels.jsonl", "--rules", "rules/crue.yml")
    (town / "other.yml").write_text(RULE.replace("min_count: 3", "min_count: 2"))
    first = veille(town, *words, "--json", "--against", "other.yml", "--html", "page.html")
    assert first.returncode == 0, first.stderr.decode()
    found = json.loads(first.stdout)
    assert (found["tp"], found["fp"], found["fn"]) == (15, 3, 5)
    ratios = [round(found[name], 3) for name in ("precision", "recall", "f1")]
    assert ratios == [0.833, 0.75, 0.789]
    assert found["precision_interval"][0] < 0.833 < found["precision_interval"][1]
    assert found["delay_s"] == 480, "the third call, eight minutes after the first"
    assert (found["alerts"], found["shifts"]) == (18, 84)
    assert found["alerts_per_shift"] == round(18 / 84, 4)
    assert len(found["misses"]) == 5
    nearest = {
        (n["condition"], n["value"], n["threshold"]) for m in found["misses"] for n in m["nearest"]
    }
    assert nearest == {("count", 2, 3)}
    (count,) = [s for s in found["sweeps"] if s["field"] == "min_count"]
    by_value = {
        p["value"]: (p["score"]["tp"], p["score"]["fp"], p["score"]["fn"]) for p in count["points"]
    }
    assert by_value[3] == (15, 3, 5)
    assert by_value[2] == (20, 3, 0), "the proposed threshold finds all"
    change = found["changes"][0]
    assert [change[n] for n in ("rule", "tp", "fp", "fn", "alerts")] == ["", 5, 0, -5, 5]
    assert (change["delay_s"], len(change["gained"]), change["lost"]) == (-240, 5, [])
    page = (town / "page.html").read_text()
    assert page.count("<polyline") >= 3
    assert "<caption" in page
    again = veille(town, *words, "--json", "--against", "other.yml", "--html", "page.html")
    digests = {hashlib.sha256(run.stdout).hexdigest() for run in (first, again)}
    assert len(digests) == 1
    assert (town / "page.html").read_text() == page
