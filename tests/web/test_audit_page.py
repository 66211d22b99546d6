"""The audit trail as a page: filtered, page by page, exported, and whether its chain holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from servers.plain import plain
from veille.domain.access import Role
from veille.pipeline.chain import Chain
from veille.store import audit, users
from veille.store.audit_trail import Entry
from veille.store.engine import Db
from veille.web.audit_words import Trail
from veille.web.words import Words
from veille.wording.catalogue import catalogue

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
BEGAN = datetime(2026, 1, 16, 12, 0, tzinfo=UTC)
HOSTILE = "<img src=x onerror=owned=1>\u202e"


def rows(count: int) -> Callable[[Db], None]:
    """Return a change that writes so many rows, a minute apart."""

    def change(db: Db) -> None:
        for number in range(count):
            audit.add(
                db,
                at=BEGAN + timedelta(minutes=number),
                actor="Camille" if number % 2 else HOSTILE,
                action="queue.taken",
                target=f"Q{number}",
                before={"state": "new", "assignee": None},
                after={"state": "taken", "assignee": "Camille"},
            )

    return change


async def test_each_row_says_who_did_what_with_before_and_after(town: Town, sacha: Browser) -> None:
    await town.store.write(rows(2))
    page = (await sacha.get("/audit?action=queue.taken")).text
    assert "a pris en charge" in page
    assert '<a class="row" href="/queue/1">Q1</a>' in page
    assert '<span class="quiet">état</span> nouveau → pris en charge' in page
    assert '<span class="quiet">à qui</span> rien → Camille' in page
    assert "<img" not in page
    assert "\u202e<" not in page  # only in the value that the filter sends back


def said_of_the_night(db: Db) -> None:
    """Rows of every kind whose values nobody would read as they are stored."""
    told: list[tuple[str, str, audit.Snapshot | None, audit.Snapshot]] = [
        ("draft.proposed", "Q1", {"state": "draft"}, {"state": "proposed"}),
        ("note", "I1", None, {"text": f"1204:{'ab' * 16}", "called": 1}),
        ("queue.snoozed", "Q1", None, {"snoozed_until": "2026-01-18T08:00:00+01:00"}),
        ("silence.added", "S1", None, {"match.topic": "flood", "until": "2026-01-18T09:00:00Z"}),
        (
            "oncall.overridden",
            "override 3",
            None,
            {"person": "Noor", "starts_at": "9999-99-99T00:00"},
        ),
        ("token.add", "Camille", None, {"token": 4, "scopes": "act read", "days": 90}),
        ("original.open", "0a" * 16, None, {}),
        ("retention.swept", "2026-01-17", None, {"mentions": 1204}),
        (
            "export",
            "search",
            None,
            {"format": "jsonl", "count": 3, "filter": "cafe", "what": "search"},
        ),
        ("login", "search", None, {"proof": "code"}),
    ]
    for action, target, before, after in told:
        audit.add(
            db, at=BEGAN, actor="Sacha", action=action, target=target, before=before, after=after
        )


async def test_nobody_reads_a_stored_value(town: Town, sacha: Browser) -> None:
    await town.store.write(said_of_the_night)
    page = (await sacha.get("/audit?until=2026-01-16")).text
    for said in (
        "état</span> brouillon → à relire",
        "texte</span> 1 204 caractères, empreinte abababab",
        "personnes citées</span> 1",
        "reporté au</span> dim. 18 janv. 08:00",
        "Sujet principal</span> Inondation",
        "jusqu&#39;au</span> dim. 18 janv. 10:00",
        "<td>remplacement 3</td>",
        "personne</span> Noor Benali",
        "de</span> 9999-99-99T00:00",  # no moment: as it is stored
        "jeton</span> n° 4",
        "droits</span> agir sur la file et les incidents, lire",
        "<td>mention 0a0a0a0a…</td>",
        "<td>sam. 17 janv.</td>",
        "mentions</span> 1 204",
        "<td>recherche</td>",
        "format</span> JSONL",
        "<td>search</td>",  # a user of this name
        "preuve</span> mot de passe et second facteur",
    ):
        assert said in page, said
    assert "cafe" not in page


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Noumea", "Pacific/Tahiti"])
def test_the_day_of_a_sweep_is_told_as_the_town_noted_it(zone: str) -> None:
    words = Words(
        say=catalogue("fr"), timezone=ZoneInfo(zone), now=BEGAN, institution="Saint-Aubin"
    )
    told = {"2026-01-17": "sam. 17 janv.", "0000-99-01": "0000-99-01", "hier": "hier"}
    for target, said in told.items():
        entry = Entry(
            seq=1, at=BEGAN, actor="veille", action="retention.swept", target=target,
            before=None, after={}, hash="",
        )  # fmt: skip
        assert plain(Trail(words=words).target(entry)) == said


async def test_pages_follow_each_other_and_keep_the_filter(town: Town, sacha: Browser) -> None:
    await town.store.write(rows(120))
    first = (await sacha.get("/audit?actor=Camille&since=2026-01-16&until=2026-01-16")).text
    seen = [int(part.partition('"')[0]) for part in first.split('<tr data-row id="row-')[1:]]
    assert len(seen) == 50
    path = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert "actor=Camille" in path
    second = (await sacha.get(path)).text
    rest = [int(part.partition('"')[0]) for part in second.split('<tr data-row id="row-')[1:]]
    assert len(rest) == 10
    assert seen + rest == sorted({*seen, *rest}, reverse=True)
    assert 'rel="next"' not in second
    empty = (await sacha.get("/audit?actor=Camille&since=2026-01-17&until=2026-01-17")).text
    assert "Aucune action ne correspond." in empty


async def test_nonsense_is_refused(town: Town, sacha: Browser) -> None:
    for wrong in (
        "since=hier", "until=9999-12-31", "since=0001-01-01", "before=x", f"before={9 * 10**18}",
        f"target={'x' * 201}",
    ):  # fmt: skip
        assert (await sacha.get(f"/audit?{wrong}")).status == 400, wrong
    assert (await sacha.get("/audit?actor=%ff%00%ed%a0%80")).status == 200


async def test_only_who_audits_sees_it(town: Town, camille: Browser) -> None:
    for path in ("/audit", "/audit/export"):
        assert (await camille.get(path)).status == 403
    assert 'href="/audit"' not in (await camille.get("/more")).text
    await town.store.write(lambda db: users.set_role(db, "Camille", Role.DPO))
    assert (await camille.get("/audit")).status == 200


async def test_the_export_holds_the_filtered_rows_and_is_a_row_itself(
    town: Town, sacha: Browser
) -> None:
    await town.store.write(rows(2_100))
    head = await sacha.ask("HEAD", "/audit/export?action=queue.taken")
    assert head.status == 200
    answer = await sacha.get("/audit/export?action=queue.taken&actor=Camille")
    assert answer.headers["Content-Type"] == "application/jsonl; charset=utf-8"
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert len(found) == 1_050
    assert [one["seq"] for one in found] == sorted((one["seq"] for one in found), reverse=True)
    assert found[0]["after"] == {"state": "taken", "assignee": "Camille"}
    said = (await sacha.get("/audit?action=export")).text
    assert said.count("<tr data-row") == 1  # a HEAD takes nothing
    assert "a exporté" in said


async def test_the_chain_is_verified_and_a_break_is_told(town: Town, sacha: Browser) -> None:
    assert "pas encore vérifiée" in (await sacha.get("/audit")).text
    await town.store.write(rows(3))
    chain = Chain(town.store, say=catalogue("fr"))
    while await chain.step(town.clock.now):
        pass
    assert "La chaîne tient" in (await sacha.get("/audit")).text

    def forge(db: Db) -> None:
        db.execute("DROP TRIGGER audit_never_changes")
        db.execute("UPDATE audit SET actor = 'Sacha' WHERE target = 'Q1'")

    await town.store.write(forge)
    town.clock.advance(hours=25)
    while await chain.step(town.clock.now):
        pass
    await sacha.sign_in("Sacha")
    page = (await sacha.get("/audit")).text
    assert "La chaîne est rompue à la ligne" in page
    assert 'class="notice bad"' in page
