"""Theme and keys: kept in the browser, changed by a form, leading nowhere else."""

from __future__ import annotations

import html
from typing import Any

import pytest

from veille.store import arrivals

# Fixtures come from conftest.py; importmode=importlib keeps it from being imported by name.
Town = Any
Browser = Any


async def test_a_theme_stays_until_another_is_chosen(town: Town, camille: Browser) -> None:
    page = await camille.get("/more")
    assert "data-theme" not in page.text
    for theme, written in (("dark", 'data-theme="dark"'), ("light", 'data-theme="light"')):
        done = await camille.submit(page, "/preferences", theme=theme, back="/more")
        assert done.path == "/more"
        assert written in (await camille.get("/incidents/1")).text
    await camille.submit(page, "/preferences", theme="system", back="/more")
    assert "data-theme" not in (await camille.get("/")).text


async def test_keys_are_on_until_switched_off(town: Town, camille: Browser) -> None:
    page = await camille.get("/help/keys")
    assert "/static/keys." in page.text
    page = await camille.submit(page, "/preferences", keys="off", back="/help/keys")
    assert "/static/keys." not in page.text
    assert "Les raccourcis sont coupés" in page.text
    page = await camille.submit(page, "/preferences", keys="on", back="/help/keys")
    assert "/static/keys." in page.text


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nX: y", "", "more"]
)
async def test_a_preference_leads_to_no_other_site(town: Town, camille: Browser, back: str) -> None:
    csrf = (await camille.get("/more")).field("csrf")
    fields = {"csrf": csrf, "theme": "dark", "back": back}
    answer = await camille.post("/preferences", fields, follow=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/more")


async def test_nonsense_and_a_missing_token_change_nothing(town: Town, camille: Browser) -> None:
    csrf = (await camille.get("/more")).field("csrf")
    await camille.post("/preferences", {"csrf": csrf, "theme": "pink", "keys": "maybe"})
    assert (await camille.post("/preferences", {"theme": "dark"})).status == 403
    page = await camille.get("/more", headers={"Cookie": "veille-theme=pink"}, follow=False)
    assert page.status in {200, 303}
    page = await camille.get("/")
    assert "data-theme" not in page.text
    assert "/static/keys." in page.text


async def test_every_page_is_listed_for_who_may_see_it(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    mine, theirs = (await camille.get("/more")).text, (await sacha.get("/more")).text
    assert 'href="/silences"' in mine
    assert 'href="/users"' not in mine
    assert 'href="/users"' in theirs


async def test_the_page_without_net_is_kept_anew_when_it_looks_another_way(
    town: Town, camille: Browser
) -> None:
    before = (await camille.get("/sw.js")).text
    assert (await camille.get("/sw.js")).text == before
    await camille.submit(await camille.get("/more"), "/preferences", theme="dark", back="/more")
    assert (await camille.get("/sw.js")).text != before


@pytest.mark.parametrize("name", ["_TIMES", "_HOURS", "_OPENED"])
async def test_the_first_page_reads_by_index(town: Town, name: str) -> None:
    params = {"_TIMES": (1, 9), "_HOURS": (1, 2, 3), "_OPENED": (1, 9)}[name]
    plan = await town.store.read(
        lambda db: [
            row["detail"]
            for row in db.rows(f"EXPLAIN QUERY PLAN {getattr(arrivals, name)}", params)
        ]
    )
    # the newest 200 incidents by number, read until the limit
    bounded = {"SCAN incidents", "SCAN e", "SCAN (subquery-1)", "SCAN (subquery-2)"}
    assert {line for line in plan if line.startswith("SCAN")} <= bounded


async def test_the_theme_button_leads_back_to_the_search(town: Town, camille: Browser) -> None:
    page = await camille.get("/search?q=eau+ton%3An%C3%A9gatif&order=best")
    done = await camille.submit(
        page,
        "/preferences",
        theme="dark",
        back=html.unescape(page.field("back", action="/preferences")),
    )
    assert done.path == page.path
    assert 'data-theme="dark"' in done.text


async def test_the_theme_button_of_a_refused_form_leads_to_a_page(
    town: Town, camille: Browser
) -> None:
    page = await camille.get("/incidents/1")
    refused = await camille.submit(page, "/incidents/1/note", text="x" * 2001)
    assert refused.field("back", action="/preferences") == "/incidents/1"


async def test_an_address_that_leads_nowhere_still_has_the_menu(
    town: Town, camille: Browser
) -> None:
    page = await camille.get("/nothing-here")
    assert page.status == 404
    assert 'href="/queue"' in page.text
