"""From config.toml to buttons, links and fallbacks; and what `veille check` says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from veille.app import check, desks
from veille.config import Loaded, parse
from veille.domain.clock import utc_now
from veille.domain.errors import ConfigError
from veille.domain.secrets import Secrets
from veille.pipeline.runner import Runner

BASE = """
[veille]
name = "Saint-Aubin"
[[watch]]
id = "mairie"
[[receiver]]
id = "astreinte"
kind = "slack"
token = "T"
channel = "C0123456789"
fallback = "camille"
[[receiver]]
id = "camille"
kind = "email"
host = "smtp.mairie.example"
sender = "veille@mairie.example"
to = ["camille@mairie.example"]
[[receiver]]
id = "boite"
kind = "email"
host = "smtp.mairie.example"
sender = "veille@mairie.example"
to = ["a@mairie.example", "b@mairie.example"]
[[person]]
id = "Camille"
slack = "U0123456789"
receivers = ["camille", "boite"]
"""
SIGNED = BASE + '[slack]\nsigning_secret = "SIGNING"\n'


def loaded(tmp_path: Path, text: str, **secrets: str) -> Loaded:
    values = {"T": "xoxb", "PSEUDONYM_KEY": "seize caracteres ou plus", **secrets}
    return Loaded(
        config=parse(text, name="config.toml"),
        path=tmp_path / "config.toml",
        secrets=Secrets(values, where="secrets.toml"),
    )


def test_buttons_need_the_signing_secret_named_and_given(tmp_path: Path) -> None:
    assert desks.has_buttons(loaded(tmp_path, SIGNED, SIGNING="s"))
    assert not desks.has_buttons(loaded(tmp_path, SIGNED))
    assert not desks.has_buttons(loaded(tmp_path, BASE, SIGNING="s"))


def test_members_are_users_and_mailboxes_have_one_owner_or_none(tmp_path: Path) -> None:
    opened = desks.open_desks(loaded(tmp_path, SIGNED, SIGNING="s"), Runner(now=utc_now))
    assert opened.slack is not None
    assert opened.slack.members == {"U0123456789": "Camille"}
    assert opened.links is not None
    assert opened.links.owners == {"camille": "Camille", "boite": None}
    assert "seize" not in repr(opened)
    assert opened.links.key.hex() not in repr(opened)


def test_a_mailbox_of_two_people_has_no_owner(tmp_path: Path) -> None:
    text = SIGNED + '[[person]]\nid = "Sacha"\nreceivers = ["camille"]\n'
    opened = desks.open_desks(loaded(tmp_path, text), Runner(now=utc_now))
    assert opened.links is not None
    assert opened.links.owners["camille"] is None


def test_no_lifetime_is_no_link(tmp_path: Path) -> None:
    text = BASE + '[web]\nlink_lifetime = "0s"\n'
    assert desks.open_desks(loaded(tmp_path, text), Runner(now=utc_now)).links is None


def test_links_survive_a_restart_without_a_pseudonym_key(tmp_path: Path) -> None:
    without = loaded(tmp_path, BASE)
    bare = Loaded(
        config=without.config, path=without.path, secrets=Secrets({"T": "x"}, where="secrets.toml")
    )
    keys = {desks.open_desks(bare, Runner(now=utc_now)).links.key for _ in range(2)}  # type: ignore[union-attr]
    assert len(keys) == 1


def test_a_fallback_knows_the_kinds_of_both(tmp_path: Path) -> None:
    found = desks.fallback(loaded(tmp_path, BASE), "astreinte")
    assert found is not None
    assert (found.receiver, found.channel, found.via) == ("camille", "slack", "email")
    assert desks.fallback(loaded(tmp_path, BASE), "boite") is None


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ('fallback = "astreinte"', "receiver[0].fallback: astreinte > camille > astreinte is a"),
        ('fallback = "camille"', "receiver[1].fallback: camille > camille is a circle"),
        (
            'fallback = "courier"',
            'receiver[1].fallback: "courier" does not exist; known',
        ),
    ],
)
def test_a_fallback_that_leads_nowhere_or_back_is_refused(extra: str, says: str) -> None:
    text = BASE.replace('to = ["camille@mairie.example"]', f'to = ["c@m.example"]\n{extra}')
    with pytest.raises(ConfigError) as refused:
        parse(text, name="config.toml")
    assert says in str(refused.value)


@pytest.mark.parametrize("lifetime", ["31d", "soon", ""])
def test_a_lifetime_that_cannot_be_meant_is_refused(lifetime: str) -> None:
    with pytest.raises(ConfigError, match="link_lifetime"):
        parse(f'{BASE}[web]\nlink_lifetime = "{lifetime}"\n', name="config.toml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SIGNED, 'slack.signing_secret: secrets.toml: secret "SIGNING" is missing'),
        (
            SIGNED.replace('slack = "U0123456789"\n', ""),
            "nobody in Slack is known to veille",
        ),
        (
            SIGNED + '[[person]]\nid = "Sacha"\nslack = "U0123456789"\n',
            "person.slack: U0123456789 is two people",
        ),
    ],
)
def test_check_says_why_buttons_would_not_work(tmp_path: Path, text: str, says: str) -> None:
    asked = loaded(tmp_path, text)
    found = [*check._missing_secrets(asked), *check._unsigned(asked)]
    assert any(says in finding for finding in found)
