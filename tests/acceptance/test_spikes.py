"""Scenario S3 of the product through `veille replay`, whole and killed."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from servers.half import kill_after
from servers.town import VEILLE

CONFIG = """
[veille]
name = "Ville de Saint-Aubin"
[[watch]]
id = "mairie"
query = ""
[rules]
directory = "rules"
"""
RULE = """rules:
  - {id: pic, kind: spike, baseline: previous, window: 1h, min_count: 10, severity: warning}
  - {id: saison, kind: spike, window: 1h, min_count: 12, severity: info}
"""
NOW = datetime.fromisoformat("2026-11-16T12:00:00+00:00")
S3 = [4, 6, 5, 5, 4, 6, 5, 5, 4, 6, 5, 5]


@pytest.fixture
def town(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "pic.yml").write_text(RULE)
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


def replayed(town: Path, before: list[int], *more: str) -> bytes:
    """So many mentions in each hour before, then 18 at once an hour later."""
    times = []
    for number, count in enumerate(before):
        start = NOW - timedelta(hours=len(before) - number)
        times += [start + timedelta(hours=1) * part / count for part in range(1, count + 1)]
    times += [NOW + timedelta(hours=1)] * 18
    lines = [
        {"source": "forum", "id": f"m{n}", "text": f"remarque numéro {n} sur la place du marché",
         "created_at": at.isoformat(), "received_at": at.isoformat(), "author": {"id": f"a{n}"}}
        for n, at in enumerate(times)
    ]  # fmt: skip
    file = town / "s3.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    command = [str(VEILLE), "replay", str(file), "--json", "--config", str(town / "config.toml")]
    if "--kill" in more:
        database = town / "half.db"
        command += ["--db", str(database)]
        kill_after(len(lines) // 2, command, database)
    return subprocess.run(command, capture_output=True, check=True).stdout


def test_s3_eighteen_against_7_1213_is_one_alert_killed_or_not(town: Path) -> None:
    whole = replayed(town, S3)
    lines = [json.loads(line) for line in whole.splitlines()]
    told = [x for x in lines if x["rule"] == "pic" and x["type"].startswith("alert.")]
    assert [x["type"] for x in told] == ["alert.firing", "alert.resolved"]
    assert (told[0]["value"], told[0]["threshold"]) == (18, 7.1213)
    assert told[0]["at"] == "2026-11-16T13:00:00Z"
    cold = [x for x in lines if x["rule"] == "saison" and x["type"] == "alert.firing"]
    assert [x["threshold"] for x in cold] == [12], "whole numbers stay whole"
    assert replayed(town, S3, "--kill") == whole
