"""The page Silences, and silencing from an incident's page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from veille.store import incidents, outbox, silences, timeline

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
FORM = {"match": "watch=mairie", "lasting": "4h", "reason": "exercice <b>de nuit</b>"}


async def test_a_new_silence_is_previewed_then_confirmed_and_listed(
    town: Town, camille: Browser
) -> None:
    page = await camille.get("/silences")
    assert "Rien n'est en silence." in page.text.replace("&#39;", "'")
    seen = await camille.submit(page, "/silences/preview", **FORM)
    assert "Ce qu&#39;il cache" in seen.text
    assert 'href="/incidents/1"' in seen.text
    assert await town.store.read(silences.list_) == []
    done = await camille.submit(seen, "/silences/add", **FORM)
    assert "Silence enregistré." in done.text
    assert "exercice &lt;b&gt;de nuit" in done.text
    (kept,) = await town.store.read(silences.list_)
    assert (kept.author, kept.match) == ("Camille", {"watch": ("mairie",)})
    assert kept.ends_at - kept.starts_at == timedelta(hours=4)


async def test_a_silence_is_ended_once(town: Town, camille: Browser) -> None:
    page = await camille.submit(await camille.get("/silences"), "/silences/preview", **FORM)
    page = await camille.submit(page, "/silences/add", **FORM)
    over = await camille.submit(page, "/silences/expire", silence="S1")
    assert "Silence terminé" in over.text
    again = await camille.submit(page, "/silences/expire", silence="S1")
    assert again.status == 409
    (kept,) = await town.store.read(silences.list_)
    assert kept.ended_by == "Camille"


@pytest.mark.parametrize(
    "changed",
    [
        {"match": ""}, {"match": "danger"}, {"match": "severity=grave"}, {"match": "a b=c"},
        {"lasting": "10y"}, {"lasting": ""}, {"reason": "  "}, {"reason": "x" * 501},
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["preview", "add"])
async def test_what_cannot_be_meant_is_refused_with_what_to_write(
    town: Town, camille: Browser, changed: dict[str, str], verb: str
) -> None:
    page = await camille.submit(await camille.get("/silences"), "/silences/preview", **FORM)
    answer = await camille.submit(page, f"/silences/{verb}", **(FORM | changed))
    assert answer.status == 400
    assert 'role="alert"' in answer.text
    assert await town.store.read(silences.list_) == []


async def test_who_only_reads_sees_silences_and_makes_none(town: Town, dominique: Browser) -> None:
    page = await dominique.get("/silences")
    assert page.status == 200
    assert "/silences/preview" not in page.text
    token = page.field("csrf", action="/logout")
    answer = await dominique.post("/silences/add", FORM | {"csrf": token})
    assert answer.status == 403
    assert await town.store.read(silences.list_) == []


@pytest.mark.parametrize(("lasting", "hours"), [("1h", 1), ("4h", 4)])
async def test_an_incident_is_silenced_from_its_page_and_says_so(
    town: Town, camille: Browser, lasting: str, hours: int
) -> None:
    page = await camille.get("/incidents/1")
    assert "Faire taire" in page.text
    done = await camille.submit(page, "/incidents/1/silence", lasting=lasting, reason="")
    assert "I1 est en silence" in done.text
    (kept,) = await town.store.read(silences.list_)
    assert kept.ends_at - kept.starts_at == timedelta(hours=hours)
    assert kept.reason == "demandé depuis l'incident I1"
    events = await town.store.read(lambda db: timeline.of(db, "I1"))
    assert events[-1].kind == "silence.added"
    assert "Camille fait taire (S1)" in done.text
    assert await town.store.read(outbox.depth) == {}
    found = await town.store.read(lambda db: incidents.get(db, 1))
    assert found is not None
    assert found.state.value == "open"


async def test_the_morning_is_the_next_eight_o_clock_of_the_town(
    town: Town, camille: Browser
) -> None:
    page = await camille.get("/incidents/1")
    await camille.submit(page, "/incidents/1/silence", lasting="morning")
    (kept,) = await town.store.read(silences.list_)
    assert kept.ends_at.astimezone(ZoneInfo("Europe/Paris")).hour == 8
    assert timedelta(0) < kept.ends_at - kept.starts_at <= timedelta(days=1)
