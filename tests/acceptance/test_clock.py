"""A citizen without an answer (scenario S7), from the source to the ledger, over a kill."""

from __future__ import annotations

import asyncio
import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from servers.town import VEILLE, World
from veille.domain.clock import utc_now
from veille.store import ledger

PARIS = ZoneInfo("Europe/Paris")
# written when, and due when half an hour of Monday to Friday, 09:00 to 17:00, is over
ASKED = {
    "a": ("2026-04-10 16:45", "2026-04-13 09:15", "à quelle heure ouvre la mairie le samedi ?"),
    "b": ("2026-04-03 16:45", "2026-04-07 09:15", "la piscine est-elle ouverte aux vacances ?"),
    "d": ("2026-03-28 11:00", "2026-03-30 09:30", "où peut-on s'inscrire à la cantine ?"),
    "k": ("2024-02-29 16:50", "2024-03-01 09:20", "la bibliothèque est-elle ouverte le lundi ?"),
    "l": ("2025-05-28 16:45", "2025-05-30 09:15", "à quelle heure commence le marché ?"),
    "m": ("2025-12-24 16:45", "2025-12-26 09:15", "où peut-on déposer les sapins ?"),
}
STRASBOURG = {  # Good Friday and 26 December are holidays there
    "2026-04-03 16:45": "2026-04-07 09:30",
    "2025-12-24 16:45": "2025-12-29 09:15",
}
POOL = "la piscine est-elle ouverte pendant les vacances ?"
THANKS = "Merci beaucoup pour votre réponse, bonne journée à la mairie de Saint-Aubin"


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


def _line(native: str, text: str, at: datetime, **more: object) -> dict[str, Any]:
    return {
        "source": "dossier",
        "id": native,
        "text": text,
        "created_at": at.isoformat(),
        "author": {"id": f"habitante-{native[0]}"},
        **more,
    }


async def _veille(world: World, *args: str) -> str:
    done = await asyncio.to_thread(
        subprocess.run,
        [str(VEILLE), "queue", *args],
        capture_output=True,
        text=True,
        cwd=world.daemon.folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def _ledger(world: World, count: int, *args: str) -> list[dict[str, Any]]:
    """Return the ledger once it holds so many open entries."""
    async with asyncio.timeout(60), world.daemon.store() as store:
        while await store.read(ledger.count) != count:
            await asyncio.sleep(0.1)
    found: list[dict[str, Any]] = json.loads(await _veille(world, "unanswered", "--json", *args))
    return found


def _due(entries: list[dict[str, Any]]) -> dict[datetime, datetime]:
    return {
        datetime.fromisoformat(entry["asked_at"]): datetime.fromisoformat(entry["due_at"])
        for entry in entries
    }


async def test_who_asks_is_owed_an_answer_in_hours_of_work_whatever_is_killed(world: World) -> None:
    expected = {_at(asked): _at(due) for asked, due, _ in ASKED.values()}
    await world.daemon.start()
    for name, (asked, _, text) in ASKED.items():
        world.append(_line(name, f"Bonjour Saint-Aubin, {text}", _at(asked)))
    entries = await _ledger(world, len(ASKED))
    assert _due(entries) == expected
    assert {entry["intent"] for entry in entries} == {"question"}
    assert {(entry["pace"], entry["reason"]) for entry in entries} == {("overdue", "not_queued")}
    assert all(entry["age_s"] > 30 * 60 for entry in entries)
    # what was late when it was first read is on the page; nobody is woken for it
    assert world.slack.received() == []
    await world.daemon.kill()

    # the same town in Strasbourg, where Good Friday is a holiday: what is open is counted anew
    config = world.daemon.folder / "config.toml"
    where = '"Saint-Aubin"\'\nterritory = ["67482"]'
    config.write_text(config.read_text().replace('"Saint-Aubin"\'', where))
    begun = utc_now()
    world.append(
        _line("e1", f"Saint-Aubin, {POOL}", begun - timedelta(minutes=20)),
        _line("r1", "Oui, tous les jours, à Saint-Aubin", begun, own=True, reply_to="e1"),
    )
    await world.daemon.start()
    answered: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while not answered:
            answered = json.loads(await _veille(world, "unanswered", "--json", "--decided", "30"))
    there = {_at(asked): _at(due) for asked, due in STRASBOURG.items()}
    assert _due(await _ledger(world, len(ASKED))) == expected | there

    # thanks restart nothing, the question after them is another person's
    world.append(
        _line("e2", THANKS, begun + timedelta(seconds=5), reply_to="r1"),
        _line("f1", f"Saint-Aubin, {POOL}", begun + timedelta(seconds=6)),
    )
    await _ledger(world, len(ASKED) + 1)
    after = json.loads(await _veille(world, "unanswered", "--json", "--decided", "30"))
    assert after == answered
    (entry,) = after
    assert (entry["outcome"], entry["decided_by"]) == ("answered", None)
    assert [clock["duty"] for clock in entry["clocks"]] == ["first_response", "resolution"]
    assert await world.daemon.stop() == 0
