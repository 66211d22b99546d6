"""`veille add` writes one table more, and touches nothing else."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from veille.app import edit
from veille.app.edit import Addition
from veille.config import Loaded, load
from veille.domain.errors import ConfigError, SourceError

CONFIG = """# notre veille, ne pas toucher
[veille]
name = "Saint-Aubin"   # la ville

[[watch]]
id = "mairie"

[[source]]
id = "presse"
kind = "rss"
url = "https://presse.example/flux.xml"   # le quotidien

[[receiver]]
id = "astreinte"
kind = "slack"
token = "SLACK_TOKEN"
channel = "C0123456789"

[route]
receivers = ["astreinte"]

[[source]]
id = "dossier"
kind = "file"
path = "mentions.jsonl"
# fin"""


@pytest.fixture
def town(tmp_path: Path) -> Loaded:
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "config.toml").chmod(0o640)
    (tmp_path / "secrets.toml").touch(mode=0o600)
    (tmp_path / "secrets.toml").write_text('SLACK_TOKEN = "xoxb-1"')
    return load(tmp_path / "config.toml")


def _mail(town: Loaded, **more: object) -> Addition:
    table = {
        "id": "courriel",
        "kind": "email",
        "host": "smtp.mairie.example",
        "sender": 'a"b@mairie.example'.replace('"', ""),
        "to": ["c@mairie.example"],
    }
    return edit.addition(town, "receiver", table | more)


def test_comments_order_and_rights_stay(town: Loaded) -> None:
    added = _mail(town, user="x", password="COURRIEL_PASSWORD")
    assert added.missing == ("COURRIEL_PASSWORD",)
    assert added.is_unrouted("courriel")
    edit.save(added, {"COURRIEL_PASSWORD": 'p"\\w'})
    text = town.path.read_text()
    assert text.startswith(CONFIG + "\n")
    assert stat.S_IMODE(town.path.stat().st_mode) == 0o640
    assert stat.S_IMODE((town.path.parent / "secrets.toml").stat().st_mode) == 0o600
    again = load(town.path)
    assert again.secrets("COURRIEL_PASSWORD") == 'p"\\w'
    assert again.secrets("SLACK_TOKEN") == "xoxb-1"
    assert [r.id for r in again.config.receiver] == ["astreinte", "courriel"]
    assert {p.name for p in town.path.parent.iterdir()} == {"config.toml", "secrets.toml"}
    assert "+[[receiver]]" in added.diff
    assert "\n-" not in added.diff.split("+++", 1)[1].replace("\n-# fin", "")
    assert 'p"' not in added.diff


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"id": "presse", "kind": "rss", "url": "https://b.example/"}, '"presse" exists'),
        (
            {"id": "b", "kind": "rss", "url": "https://presse.example/flux.xml"},
            "the same already",
        ),
        ({"id": "b", "kind": "rss", "url": "ftp://x"}, r"source\[2\].*http"),
        ({"id": "B!", "kind": "rss", "url": "https://b.example/"}, r"config.toml: source\[2\]"),
        ({"id": "b", "kind": "rss", "url": "https://b.example/", "poll": "often"}, "often"),
    ],
)
def test_what_is_double_or_wrong_is_refused(
    town: Loaded, table: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        edit.addition(town, "source", table)
    assert town.path.read_text() == CONFIG


def test_a_configuration_that_changed_meanwhile_is_not_overwritten(town: Loaded) -> None:
    added = _mail(town)
    town.path.write_text(CONFIG + "\n# une ligne de plus\n")
    with pytest.raises(ConfigError, match="meanwhile"):
        edit.save(added, {})
    assert town.path.read_text().endswith("de plus\n")


@pytest.mark.parametrize("kind", sorted(edit.kinds("source")))
def test_every_kind_says_what_it_needs(kind: str) -> None:
    needed = edit.required(edit.kind_of("source", kind))
    assert "id" not in needed
    assert needed


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("url", "https://a.example/?b=1", "https://a.example/?b=1"),
        ("poll", "1m", "1m"),
        ("allow_private", "true", True),
        ("limit_bytes", "2048", 2048),
        ("allow_hosts", "a.example, b.example", ["a.example", "b.example"]),
        ("watches", '["mairie"]', ["mairie"]),
        ("watches", "mairie", ["mairie"]),
    ],
)
def test_what_is_typed_becomes_the_type_of_the_setting(key: str, text: str, value: object) -> None:
    assert edit.typed(edit.kind_of("source", "rss"), key, text) == value


def test_mistyped_kinds_and_keys_are_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match='did you mean "rss"'):
        edit.kind_of("source", "rs")
    with pytest.raises(ConfigError, match='did you mean "poll"'):
        edit.typed(edit.kind_of("source", "rss"), "pol", "1m")
    with pytest.raises(ConfigError, match="TOML value"):
        edit.typed(edit.kind_of("source", "rss"), "allow_private", "oui")


async def test_a_source_that_does_not_answer_is_not_verified(town: Loaded) -> None:
    table = {"id": "b", "kind": "rss", "url": "http://127.0.0.1:9/flux.xml"}
    added = edit.addition(town, "source", table)
    with pytest.raises(SourceError, match="allow_private"):
        await edit.verify(added, "b", {})


def test_lists_compare_as_toml_has_them(town: Loaded) -> None:
    edit.save(_mail(town), {})
    with pytest.raises(ConfigError, match="the same already"):
        edit.addition(
            load(town.path),
            "receiver",
            msgspec.to_builtins(load(town.path).config.receiver[1]) | {"id": "autre"},
        )
