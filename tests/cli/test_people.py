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


def test_accounts_are_changed_from_a_terminal_and_the_last_administrator_stays(
    config: Path,
) -> None:
    veille(config, "user", "add", "Sacha", "--role", "admin")
    veille(config, "user", "add", "Camille")
    assert veille(config, "user", "role", "Camille", "editor").output == "Camille: editor\n"
    for refused in (("disable", "sacha"), ("role", "Sacha", "reader")):
        answer = veille(config, "user", *refused)
        assert answer.exit_code == 2
        assert '"Sacha" is the last administrator' in answer.stderr
    assert veille(config, "user", "role", "Camille", "emperor").exit_code == 2
    assert veille(config, "user", "disable", "Camille").exit_code == 0
    listed = json.loads(veille(config, "user", "list", "--json").output)
    assert listed[0] == {
        "name": "Camille", "role": "editor", "disabled": True, "second_factor": False,
        "linked": False, "one_time_password": True, "sessions": 0, "tokens": 0, "devices": 0,
    }  # fmt: skip
    assert veille(config, "user", "enable", "Camille").output == "Camille: active\n"
    assert "Camille                  editor   active" in veille(config, "user", "list").output
    assert veille(config, "user", "reset-factor", "Camille").output == "Camille: there was none\n"
    assert veille(config, "user", "unlink", "Camille").output == "Camille: was not linked\n"
    ended = veille(config, "user", "revoke", "Camille").output
    assert ended == "Camille: sessions ended: 0, tokens revoked: 0\n"
    none = veille(config, "user", "invite", "Camille")
    assert none.exit_code == 2
    assert "oidc.issuer: no identity provider is set" in none.stderr


def test_an_invitation_is_a_link_to_the_address_people_type(config: Path) -> None:
    with config.open("a") as file:
        file.write(
            '[web]\npublic_url = "https://veille.example/"\n[oidc]\n'
            'issuer = "https://auth.example"\nclient_id = "x"\nclient_secret = "OIDC"\n'
        )
    veille(config, "user", "add", "Camille")
    link = json.loads(veille(config, "user", "invite", "Camille", "--json").output)["link"]
    assert link.startswith("https://veille.example/invitations/")
    assert len(link.rpartition("/")[2]) == 43


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
