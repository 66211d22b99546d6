"""Who is on a page: said to the others, forgotten after 45 seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from veille.web.presence import GONE, MOST, Presence, Present

# fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
Town = Any
NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)


def test_who_is_there_is_told_to_the_others_writers_first() -> None:
    seen = Presence()
    assert seen.note("Q1", "Marie", is_writing=False, now=NOW)
    assert seen.note("Q1", "Paul", is_writing=True, now=NOW)
    assert seen.note("Q2", "Ana", is_writing=False, now=NOW)
    assert seen.of("Q1", now=NOW, but="Ana") == [
        Present(name="Paul", is_writing=True),
        Present(name="Marie", is_writing=False),
    ]
    assert seen.of("Q1", now=NOW, but="Paul") == [Present(name="Marie", is_writing=False)]


def test_a_heartbeat_is_news_only_when_it_says_something_new() -> None:
    seen = Presence()
    assert seen.note("Q1", "Marie", is_writing=False, now=NOW)
    assert not seen.note("Q1", "Marie", is_writing=False, now=NOW + timedelta(seconds=20))
    assert seen.note("Q1", "Marie", is_writing=True, now=NOW + timedelta(seconds=21))
    assert seen.leave("Q1", "Marie", now=NOW + timedelta(seconds=22))
    assert not seen.leave("Q1", "Marie", now=NOW + timedelta(seconds=22))


def test_who_is_silent_for_45_seconds_is_gone() -> None:
    seen = Presence()
    seen.note("Q1", "Marie", is_writing=True, now=NOW)
    assert seen.of("Q1", now=NOW + GONE - timedelta(seconds=1), but="")
    assert seen.of("Q1", now=NOW + GONE, but="") == []
    assert seen.note("Q1", "Marie", is_writing=True, now=NOW + GONE)


@given(st.lists(st.tuples(st.integers(1, 99), st.sampled_from("ABC")), max_size=200))
def test_nobody_fills_the_memory(beats: list[tuple[int, str]]) -> None:
    seen = Presence()
    for number, name in beats:
        seen.note(f"Q{number}", name, is_writing=False, now=NOW)
    held = [f"Q{n}" for n in range(100) if seen.of(f"Q{n}", now=NOW, but="")]
    assert len(held) <= 3 * MOST
    for number, name in beats[-1:]:
        assert Present(name=name, is_writing=False) in seen.of(f"Q{number}", now=NOW, but="")


async def beat(browser: Browser, target: str, page: Any, **fields: str) -> Any:
    token = page.field("csrf")
    return await browser.post(f"/presence/{target}", {"csrf": token, **fields})


async def test_colleagues_see_each_other_and_readers_see_them_too(
    town: Town, camille: Browser, sacha: Browser, dominique: Browser
) -> None:
    page = await camille.get("/queue/1")
    assert "Camille regarde" not in page.text
    assert "Camille regarde" in (await sacha.get("/queue/1")).text
    await beat(camille, "Q1", page, writing="1")
    assert "Camille écrit · Sacha regarde" in (await dominique.get("/queue/1")).text
    assert "Camille" not in (await beat(dominique, "I1", page=await dominique.get("/more"))).text
    await beat(camille, "Q1", page, left="1")
    said = await beat(dominique, "Q1", await dominique.get("/more"))
    assert said.text == "Sacha regarde"


async def test_a_page_that_reads_itself_again_is_nobody(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    await camille.get("/queue/1", headers={"Veille-Live": "1"})
    await camille.ask("HEAD", "/queue/1")
    assert "Camille regarde" not in (await sacha.get("/queue/1")).text


async def test_a_heartbeat_needs_its_token_and_a_page_that_can_be(
    town: Town, camille: Browser
) -> None:
    page = await camille.get("/queue/1")
    assert (await camille.post("/presence/Q1", {})).status == 403
    for target in ("X1", "Q0", "Qx", "1", "Q1.2"):
        assert (await beat(camille, target, page)).status == 404


async def test_a_heartbeat_keeps_no_session_alive(town: Town, camille: Browser) -> None:
    page = await camille.get("/queue/1")
    for _ in range(4):
        town.clock.advance(minutes=10)
        last = await camille.post(
            "/presence/Q1",
            {"csrf": page.field("csrf")},
            headers={"Sec-Fetch-Site": "same-origin", "Veille-Live": "1"},
            follow=False,
        )
    assert last.status == 303
    assert last.headers["Location"].startswith("/login")
