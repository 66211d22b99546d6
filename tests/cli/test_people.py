"""`veille user` and `veille queue list` from a terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from veille.cli.root import root
from veille.domain.alert import Flag, Severity
from veille.store import audit, queue
from veille.store.engine import Db, connect

NOW = datetime(2026, 1, 18, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text('[veille]\nname = "Saint-Aubin"\n[[watch]]\nid = "mairie"\n')
    return path


def veille(config: Path, *args: str) -> Result:
    return CliRunner().invoke(root, ["--config", str(config), *args])


def opened(config: Path) -> Db:
    return connect(config.parent / "data" / "veille.db", is_durable=False)


def test_what_is_done_to_accounts_is_in_the_audit_log(config: Path) -> None:
    first = json.loads(veille(config, "user", "add", "Camille", "--json").output)
    again = json.loads(veille(config, "user", "reset", "camille", "--json").output)
    assert again["password"] != first["password"]
    assert veille(config, "user", "disable", "Camille").exit_code == 0
    assert veille(config, "user", "reset", "personne").exit_code == 2
    db = opened(config)
    done = [row["action"] for row in db.rows("SELECT action FROM audit ORDER BY seq")]
    assert done == ["user.add", "user.reset", "user.disable"]
    assert audit.verify(db) is None
    db.close()


def test_a_long_queue_says_how_much_is_left_out(config: Path) -> None:
    db = opened(config)
    flags = [Flag(key=f"m{n}", rule="r", severity=Severity.INFO, at=NOW) for n in range(5)]
    queue.flag(db, flags)
    db.close()
    short = veille(config, "queue", "list", "--limit", "2", "--json")
    assert len(json.loads(short.stdout)) == 2
    assert short.stderr == "3 more: see them with --limit 5\n"
    assert veille(config, "queue", "list", "--limit", "5").stderr == ""
    assert veille(config, "queue", "list", "--limit", "0").exit_code == 2
