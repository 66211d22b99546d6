"""Bluesky over a local Jetstream server: through drops, restarts and kills, each post once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from servers.jetstream import JetstreamServer
from servers.listener import Listener, open_store
from veille.collectors.base import BlueskySource
from veille.collectors.bluesky import REWIND_US, BlueskyCollector
from veille.collectors.settings import SourceSettings
from veille.domain.errors import SourceError
from veille.domain.mention import Batch
from veille.net.client import Client

MARIE, PAUL = "did:plc:marie", "did:plc:paul"


@pytest.fixture
async def jetstream() -> AsyncIterator[JetstreamServer]:
    async with JetstreamServer() as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(allow_private=True) as opened:
        yield opened


@pytest.fixture
def settings(jetstream: JetstreamServer) -> BlueskySource:
    return BlueskySource(id="bluesky", urls=[jetstream.url], allow_private=True)


@pytest.fixture
async def listener(
    tmp_path: Path, settings: BlueskySource, client: Client
) -> AsyncIterator[Listener]:
    async with open_store(tmp_path) as store:
        made = Listener(store, settings, lambda: BlueskyCollector(settings, client))
        yield made
        await made.close()


async def test_posts_edits_and_deletions_arrive(
    jetstream: JetstreamServer, listener: Listener
) -> None:
    await listener.connect()
    crue = await jetstream.post(MARIE, "1", "La crue monte", langs=["fr"])
    pont = await jetstream.post(PAUL, "2", "Le pont est fermé")
    await listener.hear(listener.holds(crue, pont))
    assert [mention.lang for mention in await listener.stored(crue, pont)] == ["fr", None]
    await jetstream.edit(MARIE, "1", "La crue monte vite")
    await jetstream.delete(PAUL, "2")
    await listener.hear(listener.reads(pont, ""))
    assert await listener.texts(crue) == ["La crue monte vite"]


async def test_three_drops_lose_and_repeat_nothing(
    jetstream: JetstreamServer, listener: Listener
) -> None:
    await listener.connect()
    ids: list[str] = []
    for number in range(3):
        ids.append(await jetstream.post(MARIE, f"a{number}", f"Avant la coupure {number}"))
        await listener.hear(listener.holds(*ids))
        await jetstream.drop_all()
        ids.append(await jetstream.post(PAUL, f"b{number}", f"Pendant la coupure {number}"))
        await jetstream.edit(MARIE, f"a{number}", f"Corrigé {number}")
        await listener.hear(listener.holds(*ids))
    await jetstream.delete(PAUL, "b0")
    await listener.hear(listener.reads(ids[1], ""))
    assert await listener.count() == 6
    texts = ["Corrigé 0", "", "Corrigé 1", "Pendant la coupure 1", "Corrigé 2"]
    assert await listener.texts(*ids) == [*texts, "Pendant la coupure 2"]
    mentions = await listener.stored(*ids[::2])
    assert [mention.version for mention in mentions] == [2, 2, 2]
    cursors = [int(query["cursor"][0]) for query in jetstream.queries[1:]]
    assert cursors == sorted(cursors)


async def test_a_server_that_was_stopped_is_found_again(
    jetstream: JetstreamServer, listener: Listener
) -> None:
    await listener.connect()
    await jetstream.stop()
    gap = await jetstream.post(MARIE, "1", "Pendant l'arrêt")
    await listener.steps(3)
    health = await listener.health()
    assert health is not None
    assert health.failures > 0
    await jetstream.start()
    await listener.hear(listener.holds(gap))


async def test_what_came_before_the_first_post_was_ever_seen_is_not_lost(
    jetstream: JetstreamServer, listener: Listener
) -> None:
    await listener.connect()
    await jetstream.drop_all()
    first = await jetstream.post(MARIE, "1", "Le tout premier")
    await listener.hear(listener.holds(first))


async def test_an_account_that_is_deleted_leaves_no_text(
    jetstream: JetstreamServer, listener: Listener
) -> None:
    await listener.connect()
    ids = [await jetstream.post(MARIE, str(n), f"Message {n}") for n in range(3)]
    kept = await jetstream.post(PAUL, "9", "Un autre auteur")
    await listener.hear(listener.holds(*ids, kept))
    await jetstream.end_account(MARIE)
    await listener.hear(listener.reads(ids[0], ""))
    assert await listener.texts(*ids, kept) == ["", "", "", "Un autre auteur"]


async def test_a_killed_reader_reads_again_what_was_not_committed(
    jetstream: JetstreamServer, listener: Listener, settings: BlueskySource, client: Client
) -> None:
    await listener.connect()
    cursor = await listener.cursor()
    await listener.close()
    id_ = await jetstream.post(MARIE, "1", "Lu, jamais rangé")
    async with aclosing(BlueskyCollector(settings, client).flow(cursor)) as flow:
        async for batch in flow:
            if batch.mentions:
                assert [mention.id for mention in batch.mentions] == [id_]
                break
    await listener.restart()
    await listener.hear(listener.holds(id_))
    assert await listener.count() == 1


async def test_what_cannot_be_read_is_counted_and_stops_nothing(
    jetstream: JetstreamServer, listener: Listener
) -> None:
    await listener.connect()
    await jetstream.say_raw(b"pas du JSON")
    await jetstream.say({"did": MARIE, "kind": "inconnu"})
    id_ = await jetstream.post(MARIE, "1", "Après le bruit")
    await listener.hear(listener.holds(id_))
    health = await listener.health()
    assert health is not None
    assert (health.rejected, health.unknown_fields, health.failures) == (1, 1, 0)


async def test_posts_that_match_nothing_are_counted_and_not_stored(
    jetstream: JetstreamServer, tmp_path: Path, settings: BlueskySource, client: Client
) -> None:
    async with open_store(tmp_path) as store:
        listener = Listener(
            store, settings, lambda: BlueskyCollector(settings, client), query="Saint-Aubin"
        )
        await listener.connect()
        other = await jetstream.post(PAUL, "0", "Il pleut à Brest")
        await jetstream.delete(PAUL, "0")
        ours = await jetstream.post(MARIE, "1", "Il pleut à Saint-Aubin")
        await listener.hear(listener.holds(ours))
        await listener.close()
        health = await listener.health()
        assert health is not None
        assert health.unmatched == 1
        assert await listener.stored(other) == []


async def first(flow: AsyncGenerator[Batch, None]) -> Batch:
    async with aclosing(flow):
        return await anext(flow)


async def all_of(flow: AsyncGenerator[Batch, None]) -> list[Batch]:
    return [batch async for batch in flow]


async def test_the_server_is_asked_for_the_settings_a_little_before_the_cursor(
    jetstream: JetstreamServer, client: Client
) -> None:
    settings = BlueskySource(
        id="elus",
        urls=[jetstream.url + "?requireHello=false"],
        collections=["app.bsky.feed.post", "app.bsky.feed.*"],
        dids=[MARIE, PAUL],
        allow_private=True,
    )
    collector = BlueskyCollector(settings, client)
    await first(collector.flow("1782000000000000"))
    (query,) = jetstream.queries
    assert query["wantedCollections"] == ["app.bsky.feed.post", "app.bsky.feed.*"]
    assert query["wantedDids"] == [MARIE, PAUL]
    assert query["cursor"] == [str(1782000000000000 - REWIND_US)]
    assert query["requireHello"] == ["false"]
    assert "compress" not in query


@pytest.mark.parametrize("cursor", ["", "{}", "-5", "١٢", "1e9"])
async def test_a_cursor_that_is_none_starts_from_now(
    jetstream: JetstreamServer, settings: BlueskySource, client: Client, cursor: str
) -> None:
    await first(BlueskyCollector(settings, client).flow(cursor))
    assert "cursor" not in jetstream.queries[0]


async def test_the_first_connection_notes_when_it_began(
    settings: BlueskySource, client: Client
) -> None:
    now = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
    batch = await first(BlueskyCollector(settings, client, now=lambda: now).flow(None))
    assert batch.cursor == str(int(now.timestamp()) * 1_000_000)


async def test_the_next_address_is_tried_after_a_failure(
    jetstream: JetstreamServer, client: Client
) -> None:
    spare = JetstreamServer()
    async with spare:
        settings = BlueskySource(id="bluesky", urls=[jetstream.url, spare.url], allow_private=True)
        collector = BlueskyCollector(settings, client)
        jetstream.fail_next(503, {"Retry-After": "7"})
        with pytest.raises(SourceError, match="HTTP 503") as caught:
            await first(collector.flow(None))
        assert caught.value.retry_after_s == 7
        await first(collector.flow(None))
        assert (len(jetstream.queries), len(spare.queries)) == (1, 1)


async def test_a_refusal_is_final_only_without_another_address(
    jetstream: JetstreamServer, settings: BlueskySource, client: Client
) -> None:
    jetstream.fail_next(400)
    with pytest.raises(SourceError, match="check urls") as caught:
        await first(BlueskyCollector(settings, client).flow(None))
    assert not caught.value.may_retry


async def test_a_server_that_says_nothing_of_anybody_is_left(
    settings: BlueskySource, client: Client
) -> None:
    silent = BlueskyCollector(msgspec.structs.replace(settings, silence="1s"), client)
    with pytest.raises(SourceError, match="nothing for 1s"):
        await all_of(silent.flow(None))


async def test_a_few_accounts_may_be_silent(settings: BlueskySource, client: Client) -> None:
    few = msgspec.structs.replace(settings, silence="1s", dids=[MARIE])
    async with aclosing(BlueskyCollector(few, client).flow(None)) as flow:
        batches = [await anext(flow) for _ in range(4)]
    assert batches[1:] == [Batch(is_ordered=True)] * 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"urls": ["https://jetstream.example"]},
        {"urls": []},
        {"urls": ["wss://a"], "silence": "0s"},
        {"urls": ["wss://a"], "collections": []},
        {"urls": ["wss://a"], "dids": ["mairie.bsky.social"]},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"kind": "bluesky", "id": "x"} | wrong, SourceSettings)
