"""`veille doctor` names what is wrong and its remedy, and changes nothing."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from veille.app import doctor, machine
from veille.app.lock import alone, is_held
from veille.app.machine import Check, State
from veille.config import Loaded, load
from veille.domain.analysis import Passage
from veille.domain.errors import ConfigError
from veille.nlp import reference
from veille.nlp.load import load_analyst
from veille.nlp.settings import ModelSettings
from veille.store.engine import SqliteStore, library
from veille.wording.catalogue import catalogue

SAY = catalogue("fr")
CONFIG = """
[veille]
name = "Saint-Aubin"
[[watch]]
id = "mairie"
[[source]]
id = "dossier"
kind = "file"
path = "mentions.jsonl"
[[source]]
id = "formulaire"
kind = "webhook"
secret = "HOOK"
[[receiver]]
id = "courriel"
kind = "email"
host = "127.0.0.1"
port = 9
tls = "none"
sender = "a@mairie.example"
to = ["b@mairie.example"]
allow_private = true
[web]
public_url = "http://veille.mairie.example"
[rules]
directory = "rules"
"""
# the shipped ones take seconds, and `make rules` tests them
RULE = "rules: [{id: appel, kind: mention, where: {urgency.label: urgent}, severity: warning}]"
RULE_TEST = """tests:
  - name: un appel
    mentions: [{at: 0m, id: a, text: "à l'aide", analysis: {urgency: {score: 0.9}}}]
    expect: [{at: 1m, firing: [{rule: appel}]}]
  - name: le calme
    mentions: [{at: 0m, id: a, text: "le marché", analysis: {urgency: {score: 0.1}}}]
    expect: [{at: 1m, firing: []}]
"""


@pytest.fixture
def town(tmp_path: Path) -> Loaded:
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "secrets.toml").touch(mode=0o600)
    (tmp_path / "secrets.toml").write_text('HOOK = "whsec_c2hvcnQ="\n')
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "appel.yml").write_text(RULE)
    (tmp_path / "rules" / "appel_test.yml").write_text(RULE_TEST)
    return load(tmp_path / "config.toml")


def _by_area(found: list[Check]) -> dict[str, list[Check]]:
    areas: dict[str, list[Check]] = {}
    for check in found:
        areas.setdefault(check.area, []).append(check)
    return areas


@pytest.mark.timeout(60)  # loads the model, beside other work
async def test_everything_wrong_is_told_with_a_remedy(town: Loaded) -> None:
    before = {path: path.stat().st_mtime_ns for path in town.path.parent.rglob("*")}
    found = _by_area([check async for check in doctor.examine(town.path)])
    assert {path: path.stat().st_mtime_ns for path in town.path.parent.rglob("*")} == before
    problems = {a for a, checks in found.items() if any(c.state is State.PROBLEM for c in checks)}
    assert problems == {"config", "web", "source", "receiver"}
    for checks in found.values():
        for check in checks:
            assert check.remedy or check.state is State.FINE, check
    assert [c.state for c in found["source"]] == [State.PROBLEM, State.PROBLEM]
    assert "mentions.jsonl" not in "".join(c.text for c in found["model"])
    assert found["model"][0].state is State.FINE
    assert found["rules"][0].state is State.FINE
    assert found["daemon"][0].state is State.CAUTION
    assert found["secrets"][0].state is State.CAUTION


async def test_a_broken_configuration_is_a_finding_among_others(town: Loaded) -> None:
    town.path.write_text(CONFIG.replace("[[watch]]", "[[wach]]"))
    found = _by_area([check async for check in doctor.examine(town.path)])
    assert "python" in found
    assert 'did you mean "watch"' in found["config"][0].text


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("mode", "content", "said"),
    [
        (0o644, 'HOOK = "whsec_c2hvcnQ="\n', "others may read the secrets"),
        (0o600, "HOOK = whsec_c2hvcnQ=", "this is not TOML"),
    ],
)
async def test_refused_secrets_are_a_problem_and_the_rest_is_looked_at(
    town: Loaded, mode: int, content: str, said: str
) -> None:
    secrets = town.path.parent / "secrets.toml"
    secrets.write_text(content)
    secrets.chmod(mode)
    with pytest.raises(ConfigError, match=said):
        load(town.path)
    found = _by_area([check async for check in doctor.examine(town.path)])
    (told,) = found["secrets"]
    assert (told.state, said in told.text) == (State.PROBLEM, True)
    assert "whsec_c2hvcnQ" not in told.text
    assert set(found) >= {"python", "data", "store", "clock", "model", "rules", "web"}
    assert len(found["source"]) == 2
    assert len(found["receiver"]) == 1
    config = [c.text for c in found.get("config", []) if c.state is State.FINE or said in c.text]
    assert config == [], "what is wrong with the secrets is said once, and nothing is in order"
    assert not any("is missing" in c.text for checks in found.values() for c in checks)


async def test_the_store_is_looked_through_without_a_write(town: Loaded) -> None:
    folder = town.path.parent / "data"
    async with SqliteStore(folder / "veille.db"):
        pass
    before = {path: path.read_bytes() for path in folder.iterdir()}
    checks = _by_area(list(machine.places(town, SAY)))
    assert [c.state for c in checks["store"]] == [State.FINE]
    after = {path: path.read_bytes() for path in before}
    assert after == before


async def test_a_damaged_store_is_a_problem(town: Loaded) -> None:
    path = town.path.parent / "data" / "veille.db"
    async with SqliteStore(path):
        pass
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 6] = os.urandom(4096 * 5)
    path.write_bytes(content)
    checks = _by_area(list(machine.places(town, SAY)))
    assert [c.state for c in checks["store"]] == [State.PROBLEM]
    assert checks["store"][0].remedy


def test_a_data_folder_others_may_read_is_a_problem(town: Loaded) -> None:
    folder = town.path.parent / "data"
    folder.mkdir(mode=0o755)
    checks = _by_area(list(machine.places(town, SAY)))
    assert checks["data"][0].state is State.PROBLEM
    assert "chmod 700" in checks["data"][0].remedy


def test_a_clock_before_the_configuration_is_a_problem(town: Loaded) -> None:
    now = datetime.now(UTC)
    assert machine.clock(town, SAY, now + timedelta(seconds=5)).state is State.FINE
    assert machine.clock(town, SAY, now - timedelta(days=400)).state is State.PROBLEM


@pytest.mark.parametrize(
    ("header", "state"),
    [
        ("Sun, 22 Nov 2026 04:00:10 GMT", State.FINE),
        ("Sun, 22 Nov 2026 04:06:00 GMT", State.PROBLEM),
        ("yesterday", None),
        ("", None),
    ],
)
def test_the_clock_is_compared_with_the_last_source(header: str, state: State | None) -> None:
    skew = doctor._skew(header, datetime(2026, 11, 22, 4, 0, tzinfo=UTC))
    assert (None if skew is None else doctor._skewed(skew, SAY).state) == state


def test_a_lock_is_seen_and_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "veille.lock"
    assert not is_held(path)
    assert not path.exists()
    with alone(path):
        assert is_held(path)
    assert not is_held(path)


@pytest.mark.timeout(60)
def test_a_model_that_confuses_texts_is_noticed() -> None:
    analyst = load_analyst(ModelSettings())
    try:
        assert reference.differences(analyst) == []

        class Shuffled:
            def analyze(self, passages: list[Passage]) -> object:
                return analyst.analyze(passages[::-1])

        assert reference.differences(Shuffled()) != []  # type: ignore[arg-type]  # of its shape
    finally:
        analyst.close()


def test_this_sqlite_is_a_safe_one() -> None:
    found = library()
    assert found.has_fts5
    assert found.is_safe


@pytest.mark.parametrize(
    ("listen", "host"),
    [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.1:8", "10.0.0.1:8")],
)
def test_a_daemon_on_all_addresses_is_asked_on_this_machine(listen: str, host: str) -> None:
    assert doctor._reachable(listen) == host
