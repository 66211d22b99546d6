"""`veille init` writes a whole installation, or nothing."""

from __future__ import annotations

import os
import stat
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veille.app import init
from veille.app.check import private_addresses
from veille.app.starter import Answers, Mail, Slack, suggested_query, texts, toml_value
from veille.config import load, parse
from veille.domain.errors import ConfigError, InputError
from veille.store import users
from veille.store.engine import SqliteStore

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
ANSWERS = Answers(
    name='Ville de "Saint-Aubin" \\ annexe\n[web]',
    query='"Saint-Aubin"',
    admin="Camille",
    feeds=("https://presse.example/flux.xml", "https://autre.example/rss"),
    slack=Slack(channel="C0123456789", token='xoxb-"1'),
    mail=Mail(
        host="smtp.mairie.example",
        sender="veille@mairie.example",
        to=("a@mairie.example", "b@mairie.example"),
        user="veille",
        password="mot de passe",
    ),
)


def _tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


async def test_the_folder_loads_and_holds_an_administrator(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "town"
    password = await init.create(folder, ANSWERS, now=NOW)
    assert len(password) >= 12
    loaded = load(folder / "config.toml")
    assert loaded.config.veille.name == ANSWERS.name
    assert [source.id for source in loaded.config.source] == ["presse", "presse-2"]
    assert loaded.secrets("SLACK_TOKEN") == 'xoxb-"1'
    assert loaded.secrets("SMTP_PASSWORD") == "mot de passe"
    assert len(loaded.secrets("PSEUDONYM_KEY")) == 64
    assert stat.S_IMODE((folder / "secrets.toml").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700
    assert {"secrets.toml", "data/"} <= set((folder / ".gitignore").read_text().split())
    assert (folder / "rules" / "distress_test.yml").is_file()
    assert not list(folder.glob(".veille*"))
    async with SqliteStore(folder / "data" / "veille.db") as store:
        found = await store.read(users.list_)
    assert [(user.name, user.role.value, user.must_change) for user in found] == [
        ("Camille", "admin", True)
    ]


def test_secrets_stand_in_no_other_file_and_differ_each_time() -> None:
    first, second = texts(ANSWERS), texts(ANSWERS)
    assert "xoxb" not in first["config.toml"]
    assert "mot de passe" not in first["config.toml"]
    keys = [tomllib.loads(one["secrets.toml"])["PSEUDONYM_KEY"] for one in (first, second)]
    assert keys[0] != keys[1]
    assert "xoxb" not in repr(ANSWERS)
    assert "mot de passe" not in repr(ANSWERS)


@pytest.mark.parametrize("name", ["config.toml", "rules"])
async def test_an_existing_file_is_named_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match=name):
        await init.create(tmp_path, ANSWERS, now=NOW)
    assert _tree(tmp_path) == {name}
    assert (tmp_path / name).read_text() == "mine"


async def test_an_answer_that_cannot_work_leaves_no_folder(tmp_path: Path) -> None:
    wrong = Answers(name="x", query="(", admin="a")
    with pytest.raises(InputError, match=r"watch\[0\].query"):
        await init.create(tmp_path / "town", wrong, now=NOW)
    assert _tree(tmp_path) == set()


async def test_a_private_feed_needs_to_be_allowed(tmp_path: Path) -> None:
    feed = ("http://127.0.0.1:9/flux.xml",)
    with pytest.raises(ConfigError, match=r"source\[0\].url.*--allow-private"):
        await init.create(tmp_path, Answers(name="x", query="", admin="a", feeds=feed), now=NOW)
    allowed = Answers(name="x", query="", admin="a", feeds=feed, allow_private=True)
    await init.create(tmp_path, allowed, now=NOW)
    assert not list(private_addresses(load(tmp_path / "config.toml")))


@pytest.mark.parametrize("steps", [0, 2, 4])
async def test_an_init_killed_between_two_steps_leaves_nothing_to_the_next(
    tmp_path: Path, steps: int
) -> None:
    child = os.fork()
    if child == 0:  # a real kill: no cleanup runs
        import asyncio

        done = 0
        real_link, real_rename = os.link, os.rename

        def counted(real: object) -> object:
            def act(*args: object, **options: object) -> None:
                nonlocal done
                if done == steps:
                    os._exit(9)
                done += 1
                real(*args, **options)  # type: ignore[operator]  # os.link or os.rename

            return act

        os.link, os.rename = counted(real_link), counted(real_rename)  # type: ignore[assignment]
        with asyncio.Runner() as runner:
            runner.run(init.create(tmp_path, ANSWERS, now=NOW))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not (tmp_path / "config.toml").exists()
    await init.create(tmp_path, ANSWERS, now=NOW)
    assert load(tmp_path / "config.toml").config.veille.name == ANSWERS.name
    assert not (tmp_path / ".veille-init").exists()


async def test_what_a_person_put_there_meanwhile_is_not_taken_for_ours(tmp_path: Path) -> None:
    await init.create(tmp_path / "a", ANSWERS, now=NOW)
    staging = tmp_path / "a" / ".veille-init"
    staging.mkdir()
    (staging / "inodes.json").write_text('{"rules": 1, "data": 1, "config.toml": 1}')
    with pytest.raises(ConfigError, match="already there"):
        await init.create(tmp_path / "a", ANSWERS, now=NOW)
    assert (tmp_path / "a" / "config.toml").is_file()
    assert (tmp_path / "a" / "data" / "veille.db").is_file()


async def test_a_staging_folder_that_leads_elsewhere_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").touch()
    (tmp_path / "town").mkdir()
    (tmp_path / "town" / ".veille-init").symlink_to(tmp_path / "mine")
    with pytest.raises(ConfigError):
        await init.create(tmp_path / "town", ANSWERS, now=NOW)
    assert (tmp_path / "mine" / "letter").is_file()


@given(st.text(max_size=60))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_name_is_read_back_as_typed_or_refused(name: str) -> None:
    try:
        written = toml_value(name)
    except ConfigError:
        assert any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 for c in name)
        return
    assert tomllib.loads(f"name = {written}")["name"] == name


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("Ville de Saint-Aubin", '"Saint-Aubin"'),
        ("Mairie de L'Isle", '"L\'Isle"'),
        ("Commune d’Arcy", '"Arcy"'),
        ("Villedieu", '"Villedieu"'),
        ('Ville "de" rien', '"Ville  de  rien"'),
        ("---", ""),
    ],
)
def test_the_query_is_the_place_in_the_name(name: str, query: str) -> None:
    assert suggested_query(name) == query


def test_what_was_not_answered_is_a_comment() -> None:
    text = texts(Answers(name="x", query="", admin="a"))["config.toml"]
    config = parse(text, name="config.toml")
    assert config.source == []
    assert config.receiver == []
    whole = "\n".join(
        line.removeprefix("# ") if "=" in line or "[[" in line else line
        for line in text.splitlines()
    )
    examples = parse(whole, name="config.toml")
    assert [source.id for source in examples.source] == ["presse", "formulaire"]
    assert [receiver.id for receiver in examples.receiver] == ["astreinte", "courriel"]
