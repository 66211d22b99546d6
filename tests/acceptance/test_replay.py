"""The same file gives the same bytes, whole, again, or killed in the middle and resumed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from servers.half import kill_after
from servers.town import VEILLE

SCENARIO = Path(__file__).parents[2] / "examples" / "nuit-de-crue.jsonl"
KEYS = "at type rule severity group alert incident evidence value threshold".split()
TYPES = {
    "alert.pending", "alert.firing", "alert.resolved",
    "incident.opened", "incident.updated", "incident.resolved",
}  # fmt: skip


def _replay(*args: str) -> bytes:
    return subprocess.run(
        [str(VEILLE), "replay", str(SCENARIO), "--json", *args], capture_output=True, check=True
    ).stdout


@pytest.mark.timeout(400)  # two and a half nights
def test_a_replay_gives_the_same_bytes_killed_or_not(tmp_path: Path) -> None:
    whole = _replay()
    database = tmp_path / "half.db"
    command = [str(VEILLE), "replay", str(SCENARIO), "--json", "--db", str(database)]
    kill_after(200, command, database)  # of 403 lines
    assert _replay("--db", str(database)) == whole
    assert _replay("--db", str(database)) == whole  # a run that is over prints its log again
    lines = [json.loads(line) for line in whole.splitlines()]
    assert {tuple(line) for line in lines} == {tuple(KEYS)}
    assert {line["type"] for line in lines} <= TYPES
    told = map(json.loads, SCENARIO.read_text(encoding="utf-8").splitlines())
    ids = {f"{m['source']}:{m['id']}" for m in told}
    assert {key for line in lines for key in line["evidence"]} <= ids
    critical = [line for line in lines if line["severity"] == "critical"]
    assert min(line["at"] for line in critical) >= "2026-01-17T22:00:00Z", "the day was calm"
    flood = [x for x in lines if x["rule"] == "flood_distress" and x["type"] == "alert.firing"]
    assert flood
    assert flood[0]["at"] <= "2026-01-18T01:15:00Z", "the first call came at 01:05 UTC"


def test_another_file_does_not_go_on_in_the_same_store(tmp_path: Path) -> None:
    one = {"source": "a", "id": "1", "text": "bonjour", "created_at": "2026-01-18T02:00:00Z"}
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for number, file in enumerate(files):
        file.write_text(json.dumps(one | {"id": str(number)}) + "\n", encoding="utf-8")
    command = [str(VEILLE), "replay", "--db", str(tmp_path / "x.db")]
    assert subprocess.run([*command, str(files[0])], check=False).returncode == 0
    done = subprocess.run([*command, str(files[1])], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "another file" in done.stderr


def test_the_demo_reaches_both_stand_ins() -> None:
    done = subprocess.run(
        [str(VEILLE), "demo", "--exit"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("http://127.0.0.1:")
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["mentions"] > 350
    assert result["alerts"] > 0
    assert result["slack"] > 0
    assert result["mail"] > 0
