"""What people type into `veille init`, `veille add` and `veille replay`, and should not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from veille.cli.root import root
from veille.config import load

HEAD = '[veille]\nname = "Saint-Aubin"\n[[watch]]\nid = "mairie"\n'
GOOD = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(HEAD)
    return path


def add(config: Path, kind: str, *args: str) -> Result:
    command = ["--config", str(config), "add", "source", kind, "--no-input", "--no-verify", *args]
    return CliRunner().invoke(root, command)


def secret(config: Path, text: str) -> Path:
    file = config.parent / "secret"
    file.write_text(text)
    return file


def test_an_optional_secret_is_taken_from_its_file(config: Path) -> None:
    file = secret(config, "jeton")
    where = ("--set", "url=https://mastodon.example", "--set", "streams=public")
    done = add(config, "mastodon", *where, "--secret-file", f"token={file}")
    assert done.exit_code == 0, done.stderr
    loaded = load(config)
    assert loaded.config.source[0].token == "MASTODON_TOKEN"
    assert loaded.secrets("MASTODON_TOKEN") == "jeton"


def test_a_password_needs_a_user_and_comes_from_its_file(config: Path) -> None:
    file = secret(config, "mot de passe")
    where = ("--set", "host=mqtt.example", "--set", "mqtt_topic=a/#", "--set", "tls=true")
    done = add(config, "mqtt", *where, "--secret-file", f"password={file}")
    assert (done.exit_code, "--set user=…" in done.stderr) == (2, True)
    assert config.read_text() == HEAD
    done = add(config, "mqtt", *where, "--set", "user=veille", "--secret-file", f"password={file}")
    assert done.exit_code == 0, done.stderr
    assert load(config).secrets("MQTT_PASSWORD") == "mot de passe"


def test_a_secret_this_kind_does_not_have_is_refused(config: Path) -> None:
    file = secret(config, "x")
    where = ("--set", "url=https://mastodon.example", "--set", "streams=public")
    done = add(config, "mastodon", *where, "--secret-file", f"tokn={file}")
    assert (done.exit_code, 'did you mean "token"?' in done.stderr) == (2, True)


def test_a_secret_that_is_there_already_is_not_silently_kept(config: Path) -> None:
    secrets = config.parent / "secrets.toml"
    secrets.touch(mode=0o600)
    secrets.write_text('MASTODON_TOKEN = "ancien"\n')
    where = ("--set", "url=https://mastodon.example", "--set", "streams=public")
    done = add(config, "mastodon", *where, "--secret-file", f"token={secret(config, 'neuf')}")
    assert (done.exit_code, "MASTODON_TOKEN is in secrets.toml already" in done.stderr) == (2, True)
    assert config.read_text() == HEAD


def test_a_webhook_secret_that_can_sign_nothing_is_not_written(config: Path) -> None:
    done = add(config, "webhook", "--secret-file", f"secret={secret(config, 'court')}")
    assert (done.exit_code, "whsec_" in done.stderr) == (2, True)
    assert f"--secret-file secret={config.parent}/secret: " in done.stderr
    assert "court" not in done.stderr
    assert config.read_text() == HEAD
    assert add(config, "webhook", "--secret-file", f"secret={secret(config, GOOD)}").exit_code == 0
    assert load(config).secrets("WEBHOOK_SECRET") == GOOD


def test_verifying_a_webhook_looks_at_the_secret_that_is_there(config: Path) -> None:
    secrets = config.parent / "secrets.toml"
    secrets.touch(mode=0o600)
    secrets.write_text('WEBHOOK_SECRET = "court"\n')
    command = ["--config", str(config), "add", "source", "webhook", "--no-input"]
    done = CliRunner().invoke(root, command)
    assert (done.exit_code, "secrets.toml: WEBHOOK_SECRET: " in done.stderr) == (2, True)
    assert config.read_text() == HEAD


MAIL = ("--mail-host=h.example", "--mail-sender=a@h.example")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--name=Ville\nde x",), "--name: "),
        (("--name=" + "é" * 5000,), "--name: "),
        (("--slack-channel=general", "--slack-token=xoxb-1"), "--slack-channel: "),
        (("--slack-channel=C0123456789", "--slack-token=hello"), "--slack-token-file: "),
        ((*MAIL, "--mail-to=y"), "--mail-to: 'y' is no mail address"),
        ((MAIL[0], "--mail-sender=x", "--mail-to=a@b.example"), "--mail-sender: 'x'"),
        (("--mail-host=a b", MAIL[1], "--mail-to=a@b.example"), "--mail-host: 'a b'"),
        ((*MAIL, "--mail-to=a@b.example", "--mail-tls=none", "--mail-user=x"), "--mail-user: tls"),
        (("--listen=127.0.0.1:80808",), '--listen "127.0.0.1:80808": does not fit: write '),
        (("--public-url=veille.example",), '--public-url "veille.example": does not fit: write '),
    ],
)
def test_an_answer_that_cannot_be_meant_is_refused_by_its_option(
    tmp_path: Path, args: tuple[str, ...], told: str
) -> None:
    town = tmp_path / "town"
    fine = ["init", "--no-input", f"--dir={town}", "--name=Ville de Saint-Aubin"]
    done = CliRunner().invoke(root, [*fine, *args])
    assert (done.exit_code, told in done.stderr) == (2, True), done.stderr
    assert not town.exists()


def test_a_channel_by_name_is_taken_with_a_warning(tmp_path: Path) -> None:
    fine = ["init", "--no-input", "--name=Ville", "--slack-token=xoxb-1"]
    done = CliRunner().invoke(root, [*fine, f"--dir={tmp_path}/a", "--slack-channel=#astreinte"])
    assert done.exit_code == 0, done.stderr
    assert "#astreinte" in done.stderr
    done = CliRunner().invoke(root, [*fine, f"--dir={tmp_path}/b", "--slack-channel=C0123456789"])
    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.timeout(60)  # loads the model, beside other work
def test_a_replay_that_could_not_read_a_line_says_so_and_ends_with_1(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text("rien\n{}\n")
    done = CliRunner().invoke(root, ["replay", str(file), "--json"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "bad.jsonl: line 1: " in done.stderr
    assert "2 lines could not be read" in done.stderr
    good = {"id": "1", "text": "bonjour", "created_at": "2026-01-18T05:00:00Z", "source": "a"}
    file.write_text(json.dumps(good) + "\n")
    done = CliRunner().invoke(root, ["replay", str(file), "--json"])
    assert done.exit_code == 0, done.stderr
