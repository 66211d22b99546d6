"""A feed is polled politely: conditionally, where it moved to, not sooner than it asks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from veille.collectors.base import FeedSource
from veille.collectors.feed import FeedCollector
from veille.domain.errors import SourceError
from veille.net.client import Client

if TYPE_CHECKING:
    from tests.collectors.conftest import Publisher

NOW = datetime(2026, 1, 18, 2, tzinfo=UTC)


def collector(publisher: Publisher, client: Client, **settings: int) -> FeedCollector:
    source = FeedSource(id="presse", url=publisher.url, **settings)
    return FeedCollector(source, client, now=lambda: NOW)


async def test_new_items_come_once_and_an_unchanged_feed_is_not_sent_again(
    publisher: Publisher, client: Client
) -> None:
    publisher.publish("un", "deux")
    reader = collector(publisher, client)
    first = await reader.read(None)
    assert {m.id for m in first.mentions} == {"un", "deux"}
    again = await reader.read(first.cursor)
    assert (again.mentions, again.cursor) == ((), first.cursor)
    asked = publisher.requests[-1][1]
    assert asked["if-none-match"] == publisher.etag
    assert asked["if-modified-since"] == publisher.modified
    publisher.publish("trois", "un", "deux")
    assert [m.id for m in (await reader.read(first.cursor)).mentions] == ["trois"]


async def test_a_crash_before_the_commit_gives_the_same_items_again(
    publisher: Publisher, client: Client
) -> None:
    publisher.publish("un")
    reader = collector(publisher, client)
    assert await reader.read(None) == await reader.read(None)


async def test_a_permanent_move_is_remembered(publisher: Publisher, client: Client) -> None:
    publisher.publish("un")
    publisher.moves["/flux"] = (301, "/neuf")
    reader = collector(publisher, client)
    first = await reader.read(None)
    await reader.read(first.cursor)
    assert [path for path, _ in publisher.requests] == ["/flux", "/neuf", "/neuf"]


async def test_a_temporary_move_is_not(publisher: Publisher, client: Client) -> None:
    publisher.publish("un")
    publisher.moves["/flux"] = (302, "/neuf")
    reader = collector(publisher, client)
    first = await reader.read(None)
    await reader.read(first.cursor)
    assert [path for path, _ in publisher.requests] == ["/flux", "/neuf"] * 2


async def test_when_the_new_address_dies_the_written_one_is_asked(
    publisher: Publisher, client: Client
) -> None:
    publisher.publish("un")
    publisher.moves["/flux"] = (308, "/neuf")
    reader = collector(publisher, client)
    first = await reader.read(None)
    publisher.moves = {"/neuf": (404, "")}
    publisher.publish("un", "deux")
    second = await reader.read(first.cursor)
    assert [m.id for m in second.mentions] == ["deux"]
    await reader.read(second.cursor)
    assert publisher.requests[-1][0] == "/flux"


async def test_another_url_in_the_configuration_forgets_the_move_and_keeps_what_was_seen(
    publisher: Publisher, client: Client
) -> None:
    publisher.publish("un")
    publisher.moves["/flux"] = (301, "/neuf")
    first = await collector(publisher, client).read(None)
    source = FeedSource(id="presse", url=publisher.url.replace("/flux", "/autre"))
    batch = await FeedCollector(source, client, now=lambda: NOW).read(first.cursor)
    assert publisher.requests[-1][0] == "/autre"
    assert "if-none-match" not in publisher.requests[-1][1]
    assert batch.mentions == ()


@pytest.mark.parametrize(
    ("status", "header", "wait_s"),
    [
        (429, "120", 120.0),
        (503, "Sun, 18 Jan 2026 02:01:00 GMT", 60.0),
        (500, "", None),
        (204, "", None),
    ],
)
async def test_a_busy_feed_says_when_to_come_back(
    publisher: Publisher, client: Client, status: int, header: str, wait_s: float | None
) -> None:
    publisher.fail_next(status, {"Retry-After": header} if header else {})
    with pytest.raises(SourceError, match=f"source presse: HTTP {status}") as caught:
        await collector(publisher, client).read(None)
    assert (caught.value.may_retry, caught.value.retry_after_s) == (True, wait_s)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_refused_or_gone_feed_waits_for_a_person(
    publisher: Publisher, client: Client, status: int
) -> None:
    publisher.fail_next(status)
    with pytest.raises(SourceError) as caught:
        await collector(publisher, client).read(None)
    assert not caught.value.may_retry


async def test_a_login_page_is_no_feed(publisher: Publisher, client: Client) -> None:
    publisher.body = b"<!doctype html><html><form action=/login></form></html>"
    with pytest.raises(SourceError, match="login"):
        await collector(publisher, client).read(None)


async def test_a_feed_over_its_limit_is_refused_with_the_setting_to_raise(
    publisher: Publisher, client: Client
) -> None:
    publisher.publish(*map(str, range(500)))
    with pytest.raises(SourceError, match="raise limit_bytes"):
        await collector(publisher, client, limit_bytes=1024).read(None)
    assert len((await collector(publisher, client).read(None)).mentions) == 500


async def test_a_private_feed_needs_the_flag(publisher: Publisher) -> None:
    async with Client() as guarded:
        with pytest.raises(SourceError, match="allow_private = true"):
            await collector(publisher, guarded).read(None)
    assert publisher.requests == []


async def test_an_etag_of_unreadable_bytes_is_dropped_not_fatal(client: Client) -> None:
    asked: list[bytes] = []
    body = b"<rss version='2.0'><channel><item><title>un</title></item></channel></rss>"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        head = b'HTTP/1.1 200 OK\r\nETag: "\xe9"\r\nConnection: close\r\n\r\n'
        writer.write(head + body)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        source = FeedSource(id="presse", url=f"http://127.0.0.1:{port}/flux")
        reader = FeedCollector(source, client, now=lambda: NOW)
        first = await reader.read(None)
        assert len(first.mentions) == 1
        assert (await reader.read(first.cursor)).mentions == ()
    assert b"if-none-match" not in asked[-1].lower()
