"""`veille search` and `veille export`, as people type them, on a store of their own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from veille.app import parts
from veille.cli.root import root
from veille.config import load
from veille.domain.mention import MentionKind
from veille.domain.record import Identity, MaskedMention
from veille.store import mentions, queue
from veille.store.engine import connect

CONFIG = '[veille]\nname = "Saint-Aubin"\n[[watch]]\nid = "mairie"\n'
NOW = datetime(2026, 1, 18, 1, 16, tzinfo=UTC)
TEXTS = ("La crue monte rue du Lavoir", "=crue, disent-ils", "Le marché est ouvert")


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    db = connect(tmp_path / "data" / "veille.db", is_durable=False)
    made = [
        MaskedMention(
            key=f"{n:032x}", source="presse", watches=("mairie",), kind=MentionKind.POST, text=text,
            created_at=NOW, received_at=NOW, content_hash=str(n),
            identity=Identity(native_id=f"native{n}"), author="a" * 32,
        )
        for n, text in enumerate(TEXTS)
    ]  # fmt: skip
    mentions.add(db, mentions=made, tombstones=[], now=NOW)
    queue.add_by_hand(db, made[2].key, "Camille", NOW)
    db.close()
    path = tmp_path / "config.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def run(installation: Path, *words: str) -> Result:
    return CliRunner().invoke(root, [*words, "--config", str(installation)])


def audited(installation: Path) -> list[tuple[str, str]]:
    db = connect(installation.parent / "data" / "veille.db", is_reader=True)
    rows = db.rows("SELECT actor, after FROM audit WHERE action = 'export'")
    db.close()
    return [(row["actor"], row["after"]) for row in rows]


def test_hits_are_listed_by_the_clock_of_the_town(installation: Path) -> None:
    done = run(installation, "search", "crue lavoir")
    assert done.exit_code == 0
    assert done.output == "2026-01-18 02:16  presse       La crue monte rue du Lavoir\n"


def test_sources_are_called_by_their_name_and_in_json_by_their_id(installation: Path) -> None:
    source = '[[source]]\nid = "presse"\nkind = "file"\npath = "f"\nname = "La Presse"\n'
    installation.write_text(CONFIG + source, encoding="utf-8")
    said = run(installation, "search", "lavoir").output
    assert said == "2026-01-18 02:16  La Presse    La crue monte rue du Lavoir\n"
    (found,) = json.loads(run(installation, "search", "lavoir", "--json").output)
    assert found["source"] == "presse"
    (rule,) = [rule for rule in parts.rules(load(installation)).rules if rule.id == "source_silent"]
    assert rule.sources == {"presse": "La Presse"}  # what its alerts call it


def test_a_name_that_no_phone_can_show_is_refused(installation: Path) -> None:
    source = f'[[source]]\nid = "presse"\nkind = "file"\npath = "f"\nname = "{"é" * 70}"\n'
    installation.write_text(CONFIG + source, encoding="utf-8")
    assert run(installation, "search", "rien").exit_code == 0
    installation.write_text(CONFIG + source.replace("é" * 70, "é" * 71), encoding="utf-8")
    done = run(installation, "check")
    assert done.exit_code == 2
    assert "config.toml: source[0].name: " in done.stderr
    assert "write 70 or less characters" in done.stderr


def test_hits_as_json_have_the_names_of_the_interchange(installation: Path) -> None:
    found = json.loads(run(installation, "search", "crue", "--json").output)
    assert [line["text"] for line in found] == [TEXTS[1], TEXTS[0]]
    assert found[0]["author"] == {"id": "a" * 32}
    assert json.loads(run(installation, "search", "neige", "--json").output) == []


def test_what_the_limit_leaves_out_is_said(installation: Path) -> None:
    done = run(installation, "search", "crue", "--limit", "1")
    assert done.stdout.count("\n") == 1
    assert done.stderr == "more: see them with --limit 4\n"


def test_a_search_that_does_not_parse_is_wrong_usage(installation: Path) -> None:
    done = run(installation, "search", "ton:joyeux")
    assert done.exit_code == 2
    assert "column 1: ton: has no value 'joyeux': write négatif" in done.stderr


def test_an_export_is_written_and_noted_without_its_words(installation: Path) -> None:
    file = installation.parent / "out.csv"
    done = run(installation, "export", "crue", "--output", str(file), "--as", "Camille")
    assert (done.exit_code, done.output) == (0, "")
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 3
    assert '"\'=crue, disent-ils"' in lines[1]
    ((actor, after),) = audited(installation)
    assert (actor, json.loads(after)["count"]) == ("Camille", 2)
    assert "crue" not in after


def test_the_queue_is_exported_without_a_query(installation: Path) -> None:
    done = run(installation, "export", "--queue", "--format", "jsonl")
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == [TEXTS[2]]
    assert run(installation, "export", "crue", "--queue").exit_code == 2
