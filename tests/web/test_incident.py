"""The incident page: what is new, what is the same, what else was said, and how it is reshaped."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from veille.domain.alert import Severity
from veille.domain.incident import IncidentState
from veille.store import echoes, incidents
from veille.store.codec import json_list
from veille.store.engine import Db

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any


def same(town: Town, first: int, *others: int) -> Any:
    """Return a change after which these mentions say the same."""

    def change(db: Db) -> None:
        for number in (first, *others):
            db.execute(
                """INSERT OR REPLACE INTO cluster_members
                SELECT o.mention, o.seq, o.received_at, ?1, ?1 FROM observations o
                JOIN mentions m ON m.id = o.mention WHERE m.key = ?2""",
                (town.keys[first], town.keys[number]),
            )

    return change


def between(page: str, first: str, last: str) -> str:
    return page[page.index(first) : page.index(last)]


async def test_the_story_tells_messages_and_events_in_their_order(
    town: Town, camille: Browser
) -> None:
    page = (await camille.get("/incidents/1")).text
    told = between(page, 'id="timeline"', 'id="messages"')
    said = re.findall(r"coincée|sur le toit|Incident ouvert|Notification envoyée", told)
    assert said == ["coincée", "sur le toit", "Incident ouvert", "Notification envoyée"]


async def test_what_says_the_same_is_folded(town: Town, camille: Browser) -> None:
    await town.store.write(same(town, 0, 1))
    page = (await camille.get("/incidents/1")).text
    assert "+1 variante" in page
    assert "Dit 2 fois depuis 02:06" in page
    assert between(page, 'id="messages"', 'id="act"').count("<blockquote>") == 1


async def test_a_line_stands_where_the_last_visit_ended(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    assert "depuis votre dernière visite" not in (await camille.get("/incidents/1")).text
    town.clock.advance(minutes=20)
    await sacha.submit(await sacha.get("/incidents/1"), "/incidents/1/note", text="CODIS joint")
    for _ in range(2):  # a reload changes nothing
        page = (await camille.get("/incidents/1")).text
        line = page.index("depuis votre dernière visite, à 02:16")
        told = page.index('<ol class="timeline')  # the section says its last line, too
        assert page.index("Incident ouvert") < line < page.index("CODIS joint", told)
    assert "depuis votre dernière visite" not in (await sacha.get("/incidents/1")).text


async def test_a_page_that_reads_itself_again_is_no_visit(town: Town, camille: Browser) -> None:
    await camille.get("/incidents/1")
    town.clock.advance(minutes=10)
    await camille.get("/incidents/1", headers={"Veille-Live": "1"})
    town.clock.advance(minutes=10)
    await camille.get("/incidents/1", headers={"Veille-Live": "1"})
    town.clock.advance(minutes=5)
    page = await camille.get("/incidents/1")
    assert "depuis votre dernière visite" not in page.text  # nothing new since
    kept = await town.store.read(lambda db: db.rows("SELECT before FROM looks"))
    assert [row["before"] is None for row in kept] == [False]


async def test_an_incident_in_which_the_same_was_said_is_linked(
    town: Town, camille: Browser
) -> None:
    await town.store.write(same(town, 0, 2))
    await town.store.write(lambda db: incidents.add_evidence(db, 2, [town.keys[2]]))
    page = (await camille.get("/incidents/1")).text
    related = between(page, 'id="others"', 'id="timeline"')
    assert "I2 · Volume inhabituel sur la propreté · ouvert · 1 message en commun" in related
    assert 'href="/incidents/2"' in related


async def test_the_pace_has_a_sentence_and_a_table(town: Town, camille: Browser) -> None:
    page = (await camille.get("/incidents/1")).text
    assert 'role="img" aria-label="Messages par 1 min depuis 01:53 ; le plus : 2, à 02:06."' in page
    assert "<td>02:06</td><td>2</td>" in page


async def test_how_much_an_incident_is_leaves_out_what_was_deleted(town: Town) -> None:
    before = await town.store.read(lambda db: echoes.reach(db, 1))
    assert before is not None
    gone = "UPDATE mentions SET state = 'deleted' WHERE key = ?"
    await town.store.write(lambda db: db.execute(gone, (town.keys[0],)))
    after = await town.store.read(lambda db: echoes.reach(db, 1))
    assert after is not None
    assert (before.messages - after.messages, before.first_at <= after.first_at) == (1, True)


async def test_an_incident_of_many_messages_says_how_many_or_what_its_rule_counts(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def more(db: Db) -> None:
        db.execute(
            """INSERT INTO mentions (key, source, watches, kind, text, created_at, received_at,
                content_hash, media, metrics, own, masked, state)
            SELECT 'more:' || value, source, watches, kind, '', created_at, received_at,
                value, media, metrics, own, masked, state
            FROM mentions, json_each(?) WHERE mentions.key = ?""",
            (json_list(map(str, range(1000))), town.keys[0]),
        )
        incidents.add_evidence(db, 1, [f"more:{number}" for number in range(1000)])

    before = await town.store.read(lambda db: echoes.reach(db, 1))
    await town.store.write(more)
    after = await town.store.read(lambda db: echoes.reach(db, 1))
    assert before is not None
    assert after is not None
    assert after.messages == before.messages + 1000
    monkeypatch.setattr(echoes, "COUNTED", 999)
    assert await town.store.read(lambda db: echoes.reach(db, 1)) is None


async def test_what_one_card_says_stands_once_among_all(town: Town, camille: Browser) -> None:
    page = (await camille.get("/incidents/1")).text
    together = between(page, 'id="emergency"', 'id="timeline"')
    assert together.count("inondation") == 1
    assert "Non vérifié" in together


async def test_incidents_are_merged_by_who_may_edit(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    page = await camille.get("/incidents/2")
    assert "/incidents/2/merge" not in page.text
    refused = await camille.post(
        "/incidents/2/merge", {"csrf": page.field("csrf"), "version": "0", "into": "I1"}
    )
    assert refused.status == 403
    done = await sacha.submit(await sacha.get("/incidents/2"), "/incidents/2/merge", into="I1")
    assert "Cet incident a été réuni avec I1." in done.text
    merged = await town.store.read(lambda db: incidents.get(db, 2))
    assert (merged.state, merged.merged_into) == (IncidentState.RESOLVED, 1)


async def test_the_fifty_gravest_can_be_merged_with_and_a_page_stays_light(
    town: Town, sacha: Browser
) -> None:
    def many(db: Db) -> None:
        first = incidents.get(db, 1)
        assert first is not None
        for number in range(3, 63):
            one = replace(first, id=number, key=f"key-{number}", severity=Severity.INFO, alerts=())
            incidents.save(db, one, expected_version=None)

    await town.store.write(many)
    offered = (await sacha.get("/incidents/2")).text.partition('id="into"')[2]
    found = re.findall(r'<option value="(I\d+)"', offered.partition("</select>")[0])
    assert len(found) == 50
    assert found[:2] == ["I1", "I62"]  # the gravest, then the newest


async def test_ticked_messages_become_another_incident(town: Town, sacha: Browser) -> None:
    page = await sacha.get("/incidents/1")
    done = await sacha.submit(page, "/incidents/1/split", **{f"mention.{town.keys[1]}": "1"})
    assert "Ce qui était coché forme un nouvel incident." in done.text
    kept = await town.store.read(lambda db: [incidents.evidence(db, n, 9) for n in (1, 3)])
    assert kept == [[town.keys[0]], [town.keys[1]]]
    nothing = await sacha.submit(done, "/incidents/1/note", text="x")
    assert nothing.status == 200


async def test_a_closed_incident_is_opened_again(town: Town, camille: Browser) -> None:
    page = await camille.submit(await camille.get("/incidents/1"), "/incidents/1/resolve")
    assert "/incidents/1/take" not in page.text
    again = await camille.submit(page, "/incidents/1/reopen")
    assert "I1 est rouvert : personne ne l&#39;a encore pris en charge." in again.text
    assert "/incidents/1/take" in again.text


async def test_a_taken_incident_says_within_which_time(town: Town, camille: Browser) -> None:
    assert "personne depuis 2 min" in (await camille.get("/incidents/1")).text
    town.clock.advance(minutes=1)
    page = await camille.submit(await camille.get("/incidents/1"), "/incidents/1/take")
    assert "en 3 min" in page.text


async def test_what_an_action_did_may_be_taken_back_on_the_page(
    town: Town, camille: Browser
) -> None:
    page = await camille.submit(await camille.get("/incidents/1"), "/incidents/1/take")
    action = re.search(r'action="(/undo/\d+)"', page.text)
    assert action is not None
    back = page.field("back", action=action[1])
    after = await camille.submit(page, action[1], back=back)
    assert after.path.startswith("/incidents/1")
    found = await town.store.read(lambda db: incidents.get(db, 1))
    assert found.state is IncidentState.OPEN


async def test_a_note_of_a_page_that_was_refused_is_not_lost(town: Town, camille: Browser) -> None:
    page = await camille.get("/incidents/1")
    long = await camille.submit(page, "/incidents/1/note", text="x" * 2001)
    assert long.status == 400
    assert "x" * 2001 in long.text


async def test_what_the_town_published_meanwhile_stands_in_the_story(
    town: Town, camille: Browser
) -> None:
    def say(db: Db) -> None:
        db.execute(
            "UPDATE mentions SET own = 1, created_at = created_at + 540000000 WHERE key = ?",
            (town.keys[2],),
        )

    await town.store.write(say)
    page = (await camille.get("/incidents/1")).text
    assert "Publication de la commune : « Le marché est fermé" in page


@pytest.mark.parametrize("sql", ["_GROUPS", "_REACH", "_OTHERS", "_OWN"])
async def test_nothing_of_the_page_reads_a_whole_table(town: Town, sql: str) -> None:
    wanted = getattr(echoes, sql)
    params = {"_GROUPS": (1, 9), "_REACH": (1, 9), "_OTHERS": ("[]", 1, 5), "_OWN": (1, 2, 3)}[sql]
    plan = await town.store.read(
        lambda db: [row["detail"] for row in db.rows(f"EXPLAIN QUERY PLAN {wanted}", params)]
    )
    own = {"SCAN k VIRTUAL TABLE INDEX 1:", "SCAN e", "SCAN (subquery-2)", "SCAN (subquery-1)"}
    assert [line for line in plan if line.startswith("SCAN") and line not in own] == []


async def test_a_change_after_the_page_was_read_moves_its_marks(
    town: Town, camille: Browser
) -> None:
    page = await camille.get("/incidents/1")
    seen = re.search(r'data-since="(I1\.[0-9a-f]{12}) gone\.[0-9a-f]{12}"', page.text)
    assert seen is not None

    def change(db: Db) -> None:
        found = incidents.get(db, 1)
        later = replace(found, updated_at=found.updated_at + timedelta(minutes=1))
        incidents.save(db, later, expected_version=found.version)

    await town.store.write(change)
    assert seen[1] not in (await camille.get("/incidents/1")).text
