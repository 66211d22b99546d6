"""`veille silence`, as people type it, on a store of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from veille.cli.root import root

CONFIG = '[veille]\nname = "Saint-Aubin"\n[[watch]]\nid = "mairie"\n'
REASON = ("--reason", "exercice", "--as", "Camille")


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def run(installation: Path, *words: str) -> Result:
    return CliRunner().invoke(root, ["silence", *words, "--config", str(installation)])


def test_a_silence_is_added_listed_and_ended(installation: Path) -> None:
    match = ("--match", "topic=danger", "--match", "severity=info", "--match", "severity=warning")
    dry = run(installation, "add", *match, "--for", "4h", "--dry-run")
    assert dry.exit_code == 0
    assert json.loads(run(installation, "list", "--json").output) == []
    made = run(installation, "add", *match, "--for", "4h", *REASON, "--json")
    found = json.loads(made.output)
    assert found["match"] == {"topic": ["danger"], "severity": ["info", "warning"]}
    assert (found["hidden"], found["silence"]["id"]) == ([], "S1")
    (row,) = json.loads(run(installation, "list", "--json").output)
    assert (row["author"], row["reason"], row["state"]) == ("Camille", "exercice", "active")
    assert run(installation, "expire", "s1", "--as", "Sacha").output == "S1: over\n"
    assert run(installation, "expire", "S1").exit_code == 1
    assert run(installation, "list").output == ""
    assert "S1" in run(installation, "list", "--all").output


def test_a_label_that_no_alert_has_is_pointed_out(installation: Path) -> None:
    given = ("add", "--match", "topik=danger", "--for", "4h", "--dry-run")
    assert '"topik" does not exist; did you mean "topic"?' in run(installation, *given).stderr
    assert run(installation, "add", "--match", "topic=x", "--for", "4h", "--dry-run").stderr == ""


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("watch=marie", 'watch: "marie" does not exist; did you mean "mairie"?'),
        ("rule=data_lek", 'rule: "data_lek" does not exist; did you mean "data_leak"?'),
    ],
)
def test_a_rule_or_watch_that_does_not_exist_is_pointed_out(
    installation: Path, label: str, said: str
) -> None:
    assert said in run(installation, "add", "--match", label, "--for", "4h", "--dry-run").stderr


@pytest.mark.parametrize("label", ["watch=mairie", "rule=flood_distress", "rule=veille.rules"])
def test_one_that_exists_is_not(installation: Path, label: str) -> None:
    given = ("add", "--match", label, "--for", "4h", "--dry-run")
    assert run(installation, *given).stderr == ""


def test_a_reason_stays_on_one_line(installation: Path) -> None:
    forged = "exercice\nS2    active  until tomorrow"
    run(installation, "add", "--match", "topic=x", "--for", "4h", "--reason", forged)
    assert len(run(installation, "list").output.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "--for", "1h"), "I12"),
        (("add", "I1", "--match", "a=b", "--for", "1h"), "not both"),
        (("add", "I1", "--for", "1h", *REASON), "only an incident that exists"),
        (("add", "--match", "a=b", *REASON), "--for 4h"),
        (("add", "--match", "a=b", "--for", "1h"), "reason"),
        (("add", "--match", "a=b", "--for", "40d", *REASON), "1m to 30d"),
        (("add", "--match", "a=b", "--until", "hier", *REASON), "no time"),
        (("add", "--match", "a=b", "--until", "2020-01-01T08:00", *REASON), "1m to 30d"),
        (("add", "--match", "severity=grave", "--for", "1h", *REASON), "info, warning, critical"),
        (("expire", "Q3"), "veille silence list"),
        (("expire", "S9"), "does not exist"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_remedy(
    installation: Path, words: tuple[str, ...], said: str
) -> None:
    done = run(installation, *words)
    assert done.exit_code == 2
    assert said in done.output
