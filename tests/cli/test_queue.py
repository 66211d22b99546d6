"""`veille queue` as its user types it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from veille.cli.root import root
from veille.domain.access import Role
from veille.domain.alert import Flag, Severity
from veille.domain.incident import Incident, IncidentState
from veille.domain.mention import MentionKind
from veille.domain.record import Identity, MaskedMention
from veille.store import incidents, mentions, queue, users
from veille.store.engine import Db, SqliteStore

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def _fill(db: Db) -> None:
    users.add(db, name="Sacha", password_hash="x", role=Role.TRIAGE, now=NOW)
    for number in (1, 2):
        key = f"{number:032x}"
        mention = MaskedMention(
            key=key, source="presse", watches=("mairie",), kind=MentionKind.POST,
            text=f"\u202etexte {number}\x00", created_at=NOW, received_at=NOW, content_hash=key,
            identity=Identity(native_id=key),
        )  # fmt: skip
        mentions.add(db, mentions=[mention], tombstones=[], now=NOW)
        queue.flag(db, [Flag(key=key, rule="r", severity=Severity.INFO, at=NOW)])
        incidents.save(
            db,
            Incident(
                id=number, key=f"k{number}", labels={}, state=IncidentState.OPEN,
                severity=Severity.WARNING, title="Crue\u202e\u009b2J",
                opened_at=NOW, updated_at=NOW, alerts=(f"a{number}",),
            ),
            expected_version=None,
        )  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(
        '[veille]\nname = "Saint-Aubin"\n[[watch]]\nid = "mairie"\nquery = "Saint-Aubin"\n',
        encoding="utf-8",
    )

    async def fill() -> None:
        async with SqliteStore(
            tmp_path / "data" / "veille.db", group_commit=timedelta(0), is_durable=False
        ) as store:
            await store.write(_fill)

    asyncio.run(fill())
    return path


def veille(config: Path, *args: str, actor: str | None = None) -> Result:
    who = [] if actor is None else ["--as", actor]
    return CliRunner().invoke(root, ["queue", *args, *who, "--config", str(config)])


def test_what_is_done_says_how_it_is_undone(config: Path) -> None:
    done = veille(config, "move", "q1", "waiting", "--for-whom", "la voirie", actor="Camille")
    assert done.output == "Q1: done (10 s to undo it: veille queue undo 1)\n"
    shown = json.loads(veille(config, "show", "Q1", "--json").output)
    assert (shown["state"], shown["subject"]["waiting_for"]) == ("waiting", "la voirie")
    assert veille(config, "undo", actor="Camille").output == "Q1: as before\n"
    again = veille(config, "undo", actor="Camille")
    assert (again.exit_code, "undone before" in again.output) == (1, True)
    assert json.loads(veille(config, "show", "Q1", "--json").output)["state"] == "new"


def test_what_is_snoozed_is_hidden_until_asked_for(config: Path) -> None:
    assert veille(config, "snooze", "Q1", "--for", "4h").exit_code == 0
    shown = {row["id"] for row in json.loads(veille(config, "list", "--json").output)}
    assert shown == {"I1", "I2", "Q2"}
    everything = json.loads(veille(config, "list", "--all", "--json").output)
    assert "Q1" in {row["id"] for row in everything}
    assert veille(config, "snooze", "Q1", "--end").exit_code == 0
    listed = veille(config, "list").output
    assert "Q1" in listed
    assert "Crue⟨U+202E⟩⟨U+009B⟩2J\n" in listed  # a rule may quote what an author says of itself
    for wrong in (["--for", "4h", "--end"], [], ["--until", "demain"], ["--for", "91d"]):
        assert veille(config, "snooze", "Q1", *wrong).exit_code == 2


def test_bulk_names_what_stays_and_why(config: Path) -> None:
    assert veille(config, "ack", "Q2", actor="Sacha").exit_code == 0
    planned = veille(config, "bulk", "take", "Q1", "Q2", "--dry-run", "--json", actor="Camille")
    found = json.loads(planned.output)
    assert planned.exit_code == 1
    assert [one["target"] for one in found["changes"]] == ["Q1"]
    assert [(one["target"], one["why"]) for one in found["refused"]] == [("Q2", "not_allowed")]
    assert found["undo"] is None
    done = veille(config, "bulk", "take", "Q1", actor="Camille")
    assert (done.exit_code, "Q1: new -> taken, Camille" in done.output) == (0, True)


def test_incidents_are_merged_read_from_both_and_put_back(config: Path) -> None:
    assert veille(config, "merge", "I2", "I1", actor="Camille").exit_code == 0
    events = json.loads(veille(config, "show", "I1", "--json").output)["timeline"]
    assert {event["kind"] for event in events} == {"incident.joined", "incident.merged"}
    assert "Camille réunit I2 à cet incident" in veille(config, "show", "I1").output
    assert veille(config, "undo", actor="Camille").output == "I1 I2: as before\n"
    assert veille(config, "split", "I1", "--alert", "nothing").exit_code == 2


def test_an_answer_goes_from_draft_to_published(config: Path) -> None:
    made = veille(config, "draft", "Q1", "--text", "Bonjour", actor="Camille")
    assert made.output == "draft 1 of Q1: kept (7 characters)\n"
    assert veille(config, "draft", "Q2", "--publish", "1", actor="Camille").exit_code == 2
    done = veille(
        config, "draft", "Q1", "--publish", "1", "--link", "https://s.example/1", actor="Camille"
    )
    assert done.exit_code == 0, done.output
    found = json.loads(veille(config, "draft", "Q1", "--json").output)
    assert [(one["state"], one["link"]) for one in found] == [("published", "https://s.example/1")]
    assert json.loads(veille(config, "show", "Q1", "--json").output)["state"] == "answered"


def test_templates_of_the_team_stand_before_those_that_ship(config: Path) -> None:
    assert veille(config, "template", "Voirie", "--text", "Bonjour {lieu}").exit_code == 0
    assert veille(config, "template", "Voirie", "--text", "Bonsoir {lieu}").exit_code == 0
    found = json.loads(veille(config, "template", "--json").output)
    assert (found[0]["name"], found[0]["text"]) == ("Voirie", "Bonsoir {lieu}")
    assert all(one["id"] is None for one in found[1:])
    assert veille(config, "template", "Voirie", "--remove").exit_code == 0
    assert veille(config, "template", "Voirie", "--remove").exit_code == 2


def test_a_note_says_whom_it_calls(config: Path) -> None:
    assert veille(config, "note", "Q1", "@sacha, @personne ?").output == "Q1: noted, for Sacha\n"
    assert veille(config, "note", "Q1", "vu").output == "Q1: noted\n"


def test_the_text_of_a_mention_is_harmless_on_a_terminal(config: Path) -> None:
    shown = veille(config, "show", "Q1").output
    assert "texte 1" in shown
    assert not {"\u202e", "\x00"} & set(shown)


@pytest.mark.parametrize(
    "nonsense",
    [["show", "Q99"], ["move", "I1", "taken"], ["merge", "I1", "I1"], ["undo", "99"],
     ["judge", "Q1", "perhaps"], ["bulk", "take", "I1"], ["release", "x"]],
)  # fmt: skip
def test_nonsense_is_refused_with_a_sentence(config: Path, nonsense: list[str]) -> None:
    done = veille(config, *nonsense)
    assert done.exit_code == 2
    assert done.output
