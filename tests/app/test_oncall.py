"""What is wrong with on call is found before the night: names, holes, policies without anybody."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from veille.app.oncall import findings
from veille.config import Loaded, parse
from veille.domain.errors import ConfigError
from veille.domain.secrets import Secrets

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HEAD = """
[veille]
name = "Ville de Saint-Aubin"
[[watch]]
id = "m"
[[receiver]]
id = "tel"
kind = "webhook"
url = "https://tel.example/x"
secret = "TEL"
[route]
receivers = ["tel"]
escalation = "crise"
"""
PERSON = '[[person]]\nid = "claire"\nreceivers = ["tel"]\n'
SCHEDULE = """[[schedule]]
id = "astreinte"
[[schedule.layers]]
people = ["claire"]
start = 2026-01-01
"""
POLICY = '[[escalation]]\nid = "crise"\n[[escalation.steps]]\nschedules = ["astreinte"]\n'


def found(text: str) -> list[str]:
    config = parse(text, name="config.toml")
    loaded = Loaded(config=config, path=Path("config.toml"), secrets=Secrets({}, where="s"))
    return list(findings(loaded, now=NOW))


def test_what_is_whole_has_no_finding() -> None:
    assert found(HEAD + PERSON + SCHEDULE + POLICY) == []


def test_a_person_without_receivers_makes_a_policy_that_notifies_nobody() -> None:
    silent = '[[person]]\nid = "claire"\n'
    said = found(HEAD + silent + SCHEDULE + POLICY)
    assert len(said) == 2
    assert 'nothing reaches "claire"' in said[0]
    assert "notifies nobody" in said[1]


def test_holes_are_found_unless_they_are_meant() -> None:
    office = SCHEDULE + 'days = ["mon", "tue", "wed", "thu", "fri"]\n'
    said = found(HEAD + PERSON + office + POLICY)
    assert "nobody is on call" in said[0]
    assert "from 2026-11-22 13:00 to 2026-11-23 00:00" in said[0]
    meant = office.replace('id = "astreinte"\n', 'id = "astreinte"\ngaps = true\n')
    assert found(HEAD + PERSON + meant + POLICY) == []


def test_a_policy_that_no_route_names_is_found() -> None:
    said = found(HEAD.replace('escalation = "crise"\n', "") + PERSON + SCHEDULE + POLICY)
    assert "no route names it" in said[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + PERSON + SCHEDULE, "route.escalation"),
        (HEAD + PERSON + SCHEDULE.replace("claire", "clare") + POLICY, 'did you mean "claire"'),
        (HEAD + PERSON + SCHEDULE + POLICY.replace("astreinte", "nuit"), "steps[0].schedules"),
        (HEAD + PERSON + PERSON + SCHEDULE + POLICY, "used twice"),
        (HEAD + PERSON.replace('"tel"', '"sms"') + SCHEDULE + POLICY, "person[0].receivers"),
        (HEAD + PERSON + SCHEDULE + POLICY + "repeat = 9\n", "escalation"),
    ],
)
def test_names_that_nobody_defined_are_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml") as refused:
        found(text)
    assert said in str(refused.value)
