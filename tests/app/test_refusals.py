"""Every refusal names the file, the key and the remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from veille.app.check import findings, private_addresses
from veille.config import Loaded, load, parse
from veille.domain.errors import ConfigError

HEAD = '[veille]\nname = "x"\n[[watch]]\nid = "mairie"\n'
MAIL = (
    '[[receiver]]\nid = "m"\nkind = "email"\nhost = "h.example"\nsender = "a@h.example"\n'
    'to = ["b@h.example"]\n'
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD + MAIL + 'tls = "startls"', ["receiver[0].tls", 'did you mean "starttls"', "none"]),
        (HEAD + '[models]\nprofile = "quick"', ["models.profile", "known: default"]),
        (HEAD + '[[source]]\nid = "a"\nkind = "rs"', ["source[0].kind", 'did you mean "rss"']),
        (HEAD + '[[source]]\nid = "a"', ["source[0]", "known: ", "webhook"]),
        (HEAD + '[[source]]\nid = "a"\nkind = "rss"', ["source[0]", "`url`"]),
        (HEAD + '[[route.routes]]\nreceivrs = ["a"]', ["route.routes[0].receivrs", '"receivers"']),
        (HEAD + '[privacy.retention]\nneutrl = "1d"', ["privacy.retention.neutrl", '"neutral"']),
        (HEAD + "[wep]", ["wep: unknown key", 'did you mean "web"']),
        (HEAD + "[veille", ["this is not TOML"]),
    ],
)
def test_a_mistake_is_named_with_what_was_meant(text: str, told: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text, name="config.toml")
    assert str(error.value).startswith("config.toml: ")
    for part in told:
        assert part in str(error.value)


def _town(folder: Path, more: str) -> Loaded:
    (folder / "config.toml").write_text(HEAD + more)
    return load(folder / "config.toml")


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ('[[source]]\nid = "a"\nkind = "rss"\nurl = "http://10.0.0.1/x"', "source[0].url"),
        ('[[source]]\nid = "a"\nkind = "rss"\nurl = "http://[::1]:80/x"', "source[0].url"),
        (MAIL.replace('h.example"\nsender', '127.0.0.1"\nsender'), "receiver[0].host"),
    ],
)
def test_a_private_address_that_is_not_allowed_is_found(
    tmp_path: Path, table: str, key: str
) -> None:
    [told] = private_addresses(_town(tmp_path, table))
    assert told.startswith(f"config.toml: {key}: ")
    assert "allow_private = true" in told
    assert not list(private_addresses(_town(tmp_path, f"{table}\nallow_private = true")))


def test_public_addresses_and_names_are_no_finding(tmp_path: Path) -> None:
    table = '[[source]]\nid = "a"\nkind = "rss"\nurl = "https://presse.example/x"'
    assert not list(private_addresses(_town(tmp_path, table)))


@pytest.mark.timeout(60)  # loads the model, beside other work
def test_folders_that_cannot_be_used_are_found(tmp_path: Path) -> None:
    (tmp_path / "letter").touch()
    town = _town(tmp_path, '[rules]\ndirectory = "regles"')
    told = "\n".join(findings(town))
    assert f"{tmp_path}/regles: cannot read the rules" in told
    (tmp_path / "config.toml").write_text(
        '[veille]\nname = "x"\ndata_dir = "letter/data"\n[[watch]]\nid = "a"\n'
    )
    told = "\n".join(findings(load(tmp_path / "config.toml")))
    assert f"veille.data_dir: {tmp_path}/letter/data" in told
    assert not (tmp_path / "letter/data").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.timeout(60)
def test_a_data_folder_of_somebody_else_is_found(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    told = "\n".join(findings(_town(tmp_path, "")))
    assert "cannot be written to" in told
