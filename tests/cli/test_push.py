"""`veille push`: the key is made once, and devices are listed without their addresses."""

from __future__ import annotations

import asyncio
import json
import stat
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from veille.cli.root import root
from veille.domain.access import Role
from veille.net.webpush import public_key
from veille.store import push, users
from veille.store.engine import SqliteStore

NOW = datetime(2026, 1, 18, 1, 14, tzinfo=UTC)
CONFIG = """
[veille]
name = "Saint-Aubin"
[[watch]]
id = "mairie"
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return str(path)


def test_the_key_is_made_once_and_only_its_public_part_is_printed(
    config: str, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text('OTHER = "stays"', encoding="utf-8")  # no line end: nothing is glued to it
    secrets.chmod(0o600)
    first = CliRunner().invoke(root, ["push", "keys", "--config", config])
    assert first.exit_code == 0, first.output
    kept = tomllib.loads(secrets.read_text(encoding="utf-8"))
    assert kept["OTHER"] == "stays"
    assert public_key(kept["PUSH_KEY"]) in first.output
    assert kept["PUSH_KEY"] not in first.output
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    second = CliRunner().invoke(root, ["push", "keys", "--config", config])
    assert second.exit_code == 0
    assert tomllib.loads(secrets.read_text(encoding="utf-8")) == kept
    assert public_key(kept["PUSH_KEY"]) in second.output


def test_a_new_secrets_file_is_its_owners_alone(config: str, tmp_path: Path) -> None:
    assert CliRunner().invoke(root, ["push", "keys", "--config", config]).exit_code == 0
    assert stat.S_IMODE((tmp_path / "secrets.toml").stat().st_mode) == 0o600


async def test_devices_are_listed_with_what_became_of_the_last_message(
    config: str, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    async with SqliteStore(tmp_path / "data" / "veille.db", group_commit=timedelta(0)) as store:
        await store.write(
            lambda db: users.add(db, name="Camille", password_hash="h", role=Role.TRIAGE, now=NOW)
        )
        for name in ("Firefox · Android", ""):
            await store.write(
                lambda db, name=name: push.add(
                    db, user="camille", mark=name, sealed=b"sealed", name=name, known="", now=NOW
                )
            )
        await store.write(lambda db: push.took(db, 1, key="k", now=NOW))
        await store.write(lambda db: push.failed(db, 2, why="le service refuse"))
    runner = CliRunner()
    shown = await asyncio.to_thread(runner.invoke, root, ["push", "devices", "--config", config])
    assert "Camille: Firefox · Android, last took one 2026-01-18 02:14\n" in shown.output
    assert "Camille: unknown browser, le service refuse" in shown.output
    assert "sealed" not in shown.output
    exact = await asyncio.to_thread(
        runner.invoke, root, ["push", "devices", "--json", "--config", config]
    )
    found = json.loads(exact.output)
    assert [one["device"] for one in found] == ["", "Firefox · Android"]
    assert found[0].keys() == {"user", "device", "created_at", "took_at", "trouble"}


def test_nobody_has_it_on(config: str) -> None:
    shown = CliRunner().invoke(root, ["push", "devices", "--config", config])
    assert "no device" in shown.output
