"""The stream of a page: what it tells, to whom, and when it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from veille.pipeline import redact
from veille.store import mentions, pulse, sources
from veille.web import live

# Fixtures come from conftest.py; importmode=importlib keeps it from being imported by name.
Browser = Any
Town = Any


class Events:
    """What a page hears, event by event."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def next(self) -> dict[str, str]:
        """Return the next event, {} once the stream has ended."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(10):
            while line := (await self.answer.content.readline()).decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if line == "\n" and "event" in fields:
                    return fields
                fields[name or "comment"] = value
        return {}

    async def find(self, *names: str) -> dict[str, str]:
        """Return the next event of one of these names, {} if the stream ends before."""
        while (event := await self.next()) and event["event"] not in names:
            pass
        return event


@asynccontextmanager
async def listening(
    browser: Browser, since: str, headers: dict[str, str] | None = None
) -> AsyncIterator[Events]:
    async with browser.session.get(
        f"{browser.url}/live", params={"since": since}, headers=headers
    ) as answer:
        assert answer.status == 200
        events = Events(answer)
        assert (await events.next())["event"] == "beat"
        yield events


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "TICK_S", 0.05)


async def since(town: Town, *topics: str) -> str:
    marks = await town.store.read(lambda db: pulse.marks(db, topics))
    return " ".join(f"{topic}.{mark}" for topic, mark in marks.items())


def hub_of(town: Town) -> live.Hub:
    hub: live.Hub = town.app[live.HUB]
    return hub


async def test_a_page_hears_which_of_its_topics_changed(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    async with listening(camille, await since(town, "incidents", "sources", "I1")) as events:
        await sacha.submit(await sacha.get("/"), "/incidents/1/take")
        told = await events.find("change")
        assert told["data"] == "incidents I1"
        assert told["id"] == await since(town, "incidents", "sources", "I1")
        await town.store.write(
            lambda db: sources.note_error(
                db, "presse", at=town.clock(), error="500", next_try_at=None
            )
        )
        assert (await events.find("change"))["data"] == "sources"


async def test_what_changed_between_the_page_and_its_stream_is_told(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    before = await since(town, "incidents")
    await sacha.submit(await sacha.get("/"), "/incidents/1/take")
    async with listening(camille, before) as events:
        assert (await events.find("change"))["data"] == "incidents"


async def test_a_stream_that_was_cut_goes_on_from_its_last_event(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    before = await since(town, "incidents")
    await sacha.submit(await sacha.get("/"), "/incidents/1/take")
    after = await since(town, "incidents")
    async with listening(camille, before, {"Last-Event-ID": after}) as events:
        hub_of(town).publish("incidents", {"kind": "done"})
        assert (await events.next())["event"] == "told"  # no change before it


async def test_every_topic_s_mark_moves_with_what_it_names(town: Town, camille: Browser) -> None:
    topics = ("incidents", "queue", "sources", "gone", "I1", "Q1")
    before = await town.store.read(lambda db: pulse.marks(db, topics))
    assert await town.store.read(lambda db: pulse.marks(db, topics)) == before
    page = await camille.get("/queue/1")
    await camille.submit(page, "/queue/1/take")
    after = await town.store.read(lambda db: pulse.marks(db, topics))
    assert {t for t in topics if after[t] != before[t]} == {"queue", "Q1"}


async def test_who_quotes_a_mention_hears_that_it_is_gone_and_of_others_nothing(
    town: Town, camille: Browser
) -> None:
    def erase(key: str) -> Any:
        return town.store.write(
            lambda db: mentions.delete(db, [key], cause=mentions.ERASED, now=town.clock())
        )

    asked = {"mentions": f"{town.keys[1]}.{town.keys[0]}.{'f' * 32}"}
    async with listening(camille, await since(town, "I1", "gone")) as events:
        await erase(town.keys[0])
        assert (await events.find("change"))["data"] == "gone"
        await town.store.write(lambda db: redact.follow_up(db, town.clock()))  # its row is taken
        await erase(town.keys[2])
        assert (await events.find("change"))["data"] == "gone"
    answer = await camille.get("/live/gone?mentions=" + asked["mentions"])
    assert json.loads(answer.text) == [town.keys[0], "f" * 32]
    for wrong in ("", "x", town.keys[0] + ".", ".".join(["f" * 32] * 101)):
        assert (await camille.ask("GET", "/live/gone", params={"mentions": wrong})).status == 400


async def test_only_who_watches_hears_what_is_published(town: Town, camille: Browser) -> None:
    hub = hub_of(town)
    async with (
        listening(camille, await since(town, "Q1")) as one,
        listening(camille, await since(town, "Q2")) as other,
    ):
        hub.publish("Q1", {"kind": "presence"})
        hub.publish("Q2", {"kind": "else"})
        said = [json.loads((await each.find("told"))["data"]) for each in (one, other)]
    assert said == [
        {"topic": "Q1", "data": {"kind": "presence"}},
        {"topic": "Q2", "data": {"kind": "else"}},
    ]


async def test_a_stream_holds_ids_only(town: Town, camille: Browser, sacha: Browser) -> None:
    async with listening(camille, await since(town, "I1")) as events:
        page = await sacha.get("/incidents/1")
        await sacha.submit(page, "/incidents/1/note", text="appeler le CODIS")
        told = await events.find("change")
    assert set(told) == {"id", "event", "data"}
    assert "CODIS" not in str(told)


async def test_logging_out_ends_the_session_s_streams_and_no_other(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    seen = await since(town, "incidents")
    async with listening(camille, seen) as mine, listening(sacha, seen) as theirs:
        await camille.submit(await camille.get("/account"), "/logout")
        assert (await mine.find("over"))["event"] == "over"
        assert await mine.next() == {}
        await sacha.submit(await sacha.get("/"), "/incidents/1/take")
        assert (await theirs.find("change", "over"))["event"] == "change"


async def test_a_stream_does_not_keep_its_session_alive(
    town: Town, camille: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BEAT_S", 0.2)
    async with listening(camille, await since(town, "incidents")) as events:
        town.clock.advance(minutes=29)
        await camille.get("/", headers={"Veille-Live": "1"})  # a page that reads itself again
        town.clock.advance(minutes=2)
        assert (await events.find("over"))["event"] == "over"
    assert (await camille.get("/", follow=False)).status == 303


async def test_the_oldest_stream_of_a_session_makes_room(town: Town, camille: Browser) -> None:
    seen = await since(town, "incidents")
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(listening(camille, seen)) for _ in range(live.MOST + 1)
        ]
        assert (await opened[0].find("rest"))["event"] == "rest"
        assert await opened[0].next() == {}
        hub_of(town).publish("incidents", {"kind": "done"})
        for each in opened[1:]:
            assert (await each.find("told", "rest"))["event"] == "told"


async def test_a_stopping_daemon_waits_for_no_stream(town: Town, camille: Browser) -> None:
    async with listening(camille, await since(town, "incidents")) as events:
        await town.app.shutdown()
        assert (await events.find("stop"))["event"] == "stop"
        assert await events.next() == {}


async def test_streams_are_for_who_may_read_and_for_known_topics(
    town: Town, camille: Browser
) -> None:
    for wrong in ("", "x", "incidents", "incidents.0123456789ab nothing.0123456789ab", "I0.1"):
        assert (await camille.ask("GET", "/live", params={"since": wrong})).status == 400
    many = " ".join(f"I{n}.0123456789ab" for n in range(1, 14))
    assert (await camille.ask("GET", "/live", params={"since": many})).status == 400
    head = await camille.ask("HEAD", "/live", params={"since": await since(town, "queue")})
    assert (head.status, head.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    assert head.headers["Cache-Control"] == "no-store"
    camille.session.cookie_jar.clear()
    assert (await camille.get("/live", follow=False)).status == 303


async def test_no_mark_is_found_by_reading_a_whole_table(town: Town) -> None:
    def plans(db: Any) -> list[str]:
        return [
            row["detail"]
            for name, sql in pulse.SQL.items()
            for row in db.rows(f"EXPLAIN QUERY PLAN {sql}", (1,) if len(name) == 1 else ())
        ]

    found = await town.store.read(plans)
    assert [plan for plan in found if plan.startswith("SCAN") and "sources" not in plan] == []
