"""Mastodon over a local server: streams, and what they missed, read from the timelines."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.listener import Listener, open_store
from servers.mastodon import TOKEN, MastodonServer
from veille.collectors.base import MastodonSource
from veille.collectors.mastodon import MastodonCollector
from veille.collectors.mastodon_rest import RECENT, RESERVE, Places, before, streaming_base
from veille.collectors.settings import SourceSettings
from veille.domain.errors import SourceError
from veille.domain.mention import Batch
from veille.net.client import Client
from veille.store.mentions import newest_ids
from veille.telemetry.metrics import metrics

Make = Callable[..., MastodonCollector]


@pytest.fixture
async def server() -> AsyncIterator[MastodonServer]:
    async with MastodonServer() as made:
        yield made


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(allow_private=True) as opened:
        yield opened


@pytest.fixture
def settings(server: MastodonServer) -> MastodonSource:
    return MastodonSource(
        id="mastodon",
        url=server.url,
        streams=["hashtag:saintaubin", "public:local"],
        token="MASTODON_TOKEN",
        allow_private=True,
    )


@pytest.fixture
def make(settings: MastodonSource, client: Client) -> Make:
    def collector(*streams: str, token: str | None = TOKEN, **more: Any) -> MastodonCollector:
        chosen = msgspec.structs.replace(settings, streams=list(streams or settings.streams))
        return MastodonCollector(chosen, client, token=token, **more)

    return collector


@pytest.fixture
async def listener(tmp_path: Path, settings: MastodonSource, make: Make) -> AsyncIterator[Listener]:
    async with open_store(tmp_path) as store:

        async def kept() -> list[str]:
            return await store.read(lambda db: newest_ids(db, settings.id, RECENT))

        made = Listener(store, settings, partial(make, kept=kept))
        yield made
        await made.close()


async def first(flow: AsyncGenerator[Batch, None], *, count: int = 1) -> list[Batch]:
    async with aclosing(flow):
        return [await anext(flow) for _ in range(count)]


async def until(flow: AsyncGenerator[Batch, None], id_: str) -> None:
    """Read until this mention came."""
    async for batch in flow:
        if any(mention.id == id_ for mention in batch.mentions):
            return


async def nonempty(flow: AsyncGenerator[Batch, None]) -> Batch:
    """Return the next batch that holds something."""
    while not (batch := await anext(flow)).mentions:
        pass
    return batch


async def listening(server: MastodonServer, listener: Listener) -> None:
    """Step until both streams are open and the past of both is read."""
    server.post("Un repère")
    await listener.steps(3)  # connected, one timeline, the other
    assert server.connections == 2


async def test_posts_edits_and_deletions_arrive(server: MastodonServer, listener: Listener) -> None:
    await listening(server, listener)
    crue, pont = server.post("La crue monte"), server.post("Le pont est fermé")
    await listener.hear(listener.holds(crue, pont))
    server.edit(crue, "La crue monte vite")
    server.delete(pont)
    await listener.hear(listener.reads(pont, ""))
    assert await listener.texts(crue) == ["La crue monte vite"]


async def test_three_drops_lose_and_repeat_nothing(
    server: MastodonServer, listener: Listener
) -> None:
    await listening(server, listener)
    ids: list[str] = []
    for number in range(3):
        ids.append(server.post(f"Avant la coupure {number}"))
        await listener.hear(listener.holds(*ids))
        server.drop_all()
        ids.extend(server.post(f"Pendant la coupure {number}.{n}") for n in range(50))
        await listener.hear(listener.holds(*ids))
    assert await listener.count() == 1 + 3 * 51


async def test_what_was_edited_or_deleted_while_nobody_listened_is_noticed(
    server: MastodonServer, listener: Listener
) -> None:
    await listening(server, listener)
    ids = [server.post(f"Message {number}") for number in range(4)]
    await listener.hear(listener.holds(*ids))
    await listener.close()
    server.edit(ids[0], "Corrigé")
    server.delete(ids[1])
    server.delete(ids[3])
    asked = server.hide(ids[2])
    new = server.post("Après")
    await listener.hear(listener.holds(new))
    await listener.steps(10)
    assert await listener.texts(*ids, new) == ["Corrigé", "", "Message 2", "", "Après"]
    assert asked in server.requests


async def test_what_was_edited_or_deleted_is_noticed_with_notifications_alone(
    server: MastodonServer, listener: Listener, settings: MastodonSource, make: Make
) -> None:
    async def kept() -> list[str]:
        return await listener.store.read(lambda db: newest_ids(db, settings.id, RECENT))

    here = Listener(listener.store, settings, partial(make, "user:notification", kept=kept))
    ids = [server.mention_us(f"Bonjour {number}") for number in range(3)]
    await here.hear(here.holds(*ids))
    await here.close()
    notes = {note["status"]["id"]: note for note in server.notifications}
    server.notifications = []  # read, or dismissed: no page holds them any more
    notes[ids[1]]["status"] |= {"content": "<p>Corrigé</p>", "edited_at": "2099-01-01T00:00:00Z"}
    server.statuses = [note["status"] for id_, note in notes.items() if id_ != ids[0]]
    await here.hear(here.reads(ids[0], ""))
    await here.hear(here.reads(ids[1], "Corrigé"))
    assert await here.texts(ids[2]) == ["Bonjour 2"]
    await here.close()


async def test_a_server_that_does_not_answer_for_one_post_is_listened_to_all_the_same(
    server: MastodonServer, make: Make
) -> None:
    async def kept() -> list[str]:
        return ["1", "2"]

    server.fail_next("/api/v1/statuses/", 503)
    async with aclosing(make("public", kept=kept).flow(None)) as flow:
        while not (batch := await anext(flow)).rejected:
            pass
        assert "503" in batch.rejected[0].reason
        await until(flow, server.post("Après"))
    asked = [request for request in server.requests if "/statuses/" in request]
    assert asked == ["/api/v1/statuses/1"]  # and not at once again


async def test_an_erased_post_is_in_no_cursor(server: MastodonServer, listener: Listener) -> None:
    await listening(server, listener)
    ids = [server.post(f"Message {number}") for number in range(RECENT + 10)]
    ids += [str(one["id"]) for one in server.statuses]
    await listener.hear(listener.holds(*ids))
    cursor = await listener.cursor()
    assert cursor is not None
    assert "hashtag:saintaubin" in cursor
    assert [id_ for id_ in ids if id_ in cursor] == []


async def test_a_server_that_was_stopped_is_found_again(
    server: MastodonServer, listener: Listener
) -> None:
    await listening(server, listener)
    await server.stop()
    missed = server.post("Pendant l'arrêt")
    await listener.steps(3)
    await server.start()
    await listener.hear(listener.holds(missed))


async def test_what_comes_while_the_past_is_read_is_kept(
    server: MastodonServer, make: Make
) -> None:
    for number in range(3):
        server.post(f"Ancien {number}")
    flow = make("public").flow(json.dumps({"public": server.statuses[0]["id"]}))
    async with aclosing(flow):
        assert await anext(flow) == Batch()
        gone, kept = server.post("Éphémère"), server.post("Durable")
        server.delete(gone)
        past = await nonempty(flow)
        assert [mention.text for mention in past.mentions] == ["Ancien 1", "Ancien 2", "Durable"]
        batch = await nonempty(flow)
    assert [(m.id, m.deleted) for m in batch.mentions] == [
        (gone, False),
        (kept, False),
        (gone, True),
    ]


async def test_a_killed_reader_reads_again_what_was_not_committed(
    server: MastodonServer, listener: Listener, make: Make
) -> None:
    await listening(server, listener)
    cursor = await listener.cursor()
    await listener.close()
    lost = server.post("Lu, jamais rangé")
    async with aclosing(make().flow(cursor)) as flow:
        await until(flow, lost)
    await listener.restart()
    await listener.hear(listener.holds(lost))
    assert await listener.count() == 2


async def test_the_first_start_reads_one_page_of_each_timeline(
    server: MastodonServer, make: Make
) -> None:
    ids = [server.post(f"Message {number}") for number in range(45)]
    batches = await first(make("hashtag:école", "user").flow(None), count=3)
    for batch in batches[1:]:
        assert [mention.id for mention in batch.mentions] == ids[5:]
    pages = [request for request in server.requests if "/timelines/" in request]
    assert pages == ["/api/v1/timelines/tag/%C3%A9cole?limit=40", "/api/v1/timelines/home?limit=40"]


async def test_mentions_of_our_account_come_from_notifications(
    server: MastodonServer, make: Make
) -> None:
    old = server.mention_us("Bonjour la mairie")
    server.mention_us("J'aime", kind="favourite")
    server.mention_us("Message privé", visibility="direct")
    async with aclosing(make("user:notification").flow(None)) as flow:
        await anext(flow)
        past = await anext(flow)
        new = server.mention_us("Toujours pas de réponse")
        await until(flow, new)
    assert [mention.id for mention in past.mentions] == [old]
    assert past.cursor == '{"user:notification":"0"}'


def test_a_cursor_stands_before_the_newest_and_never_goes_back() -> None:
    places = Places('{"public":"5","ailleurs":"7"}', ["public", "user"])
    assert (places.start("public"), places.start("user")) == ("5", None)
    assert places.newest("user") is None
    for number in range(6, 5 + RECENT):
        places.advance("public", str(number))
    assert places.cursor() == '{"public":"5"}'  # reading again gives the newest forty again
    places.advance("public", str(5 + RECENT))
    places.advance("public", str(6 + RECENT))
    places.advance("public", "20")
    assert (places.cursor(), places.newest("public")) == ('{"public":"6"}', "20")
    for number in [1, *range(100, 99 + RECENT)]:  # a post of a server far away comes late
        places.advance("public", str(number))
    assert places.cursor() == '{"public":"45"}'
    places.advance("user", "9")
    assert Places(places.cursor(), ["user"]).start("user") == "8"
    for broken in ("pas du JSON", '{"public":["5"]}'):
        assert Places(broken, ["public"]).cursor() == "{}"


@given(st.integers(0, 2**70).map(str) | st.text("0123456789ABCDEFabcdef", min_size=3, max_size=30))
def test_a_place_is_before_its_id_and_not_far(id_: str) -> None:
    place = before(id_)
    if id_.isdigit():
        assert 0 <= int(id_) - int(place) <= (1 << 16 if int(id_) > 1 << 32 else 1)
        assert int(place) < int(id_) or int(id_) == 0
    else:
        assert place <= id_
        assert (place[:-2], len(place)) == (id_[:-2], len(id_))


async def test_noise_on_a_stream_is_counted_and_stops_nothing(
    server: MastodonServer, listener: Listener
) -> None:
    await listening(server, listener)
    server.tell_raw(b":thump\n")
    server.tell("update", "pas du JSON")
    server.tell("futur", "{}")
    id_ = server.post("Après le bruit")
    await listener.hear(listener.holds(id_))
    health = await listener.health()
    assert health is not None
    assert (health.rejected, health.unknown_fields, health.failures) == (2, 2, 0)  # two streams


async def test_few_requests_left_are_left_to_others(server: MastodonServer, make: Make) -> None:
    for number in range(60):
        server.post(f"Message {number}")
    server.remaining = RESERVE + 1
    server.reset_at = datetime.now(UTC) + timedelta(seconds=0.5)
    flow = make("public").flow(json.dumps({"public": server.statuses[0]["id"]}))
    async with aclosing(flow):
        assert len((await nonempty(flow)).mentions) == 40
        assert await anext(flow) == Batch()
        while not (batch := await anext(flow)).mentions:
            assert datetime.now(UTC) < server.reset_at + timedelta(seconds=5)
        assert datetime.now(UTC) >= server.reset_at
    assert len(batch.mentions) == 19
    quota = "veille_collector_quota_remaining"
    assert metrics().registry.get_sample_value(quota, {"source": "mastodon"}) == server.remaining


@pytest.mark.parametrize("path", ["/api/v1/streaming/", "/api/v1/timelines/"])
async def test_too_many_requests_wait_as_long_as_they_are_told(
    server: MastodonServer, make: Make, path: str
) -> None:
    reset_at = datetime.now(UTC) + timedelta(seconds=90)
    server.fail_next(path, 429, {"X-RateLimit-Reset": reset_at.isoformat()})
    server.fail_next(path, 429, {"X-RateLimit-Reset": reset_at.isoformat(), "Retry-After": "7"})
    server.fail_next(path, 503)
    waits: list[float | None] = []
    for _ in range(3):
        with pytest.raises(SourceError) as caught:
            await first(make("public").flow(None), count=2)
        assert caught.value.may_retry
        waits.append(caught.value.retry_after_s)
    assert waits[0] is not None
    assert 60 < waits[0] <= 90
    assert waits[1:] == [7, None]


async def test_a_wrong_token_is_not_tried_again_and_never_told(make: Make) -> None:
    for token in (None, "jeton-perime"):
        with pytest.raises(SourceError, match="read:statuses") as caught:
            await first(make(token=token).flow(None))
        assert not caught.value.may_retry
        assert "jeton" not in str(caught.value)


async def test_a_server_that_needs_no_token_is_read_without(
    server: MastodonServer, make: Make
) -> None:
    server.token = None
    id_ = server.post("Sans jeton")
    _, past = await first(make("public", token=None).flow(None), count=2)
    assert [mention.id for mention in past.mentions] == [id_]


async def test_another_streaming_host_must_be_listed(server: MastodonServer, make: Make) -> None:
    server.streaming = "wss://flux.mastodon.example"
    with pytest.raises(SourceError, match=r'allow_hosts = \["flux.mastodon.example"\]') as caught:
        await first(make().flow(None))
    assert not caught.value.may_retry
    assert not any("/streaming/" in request for request in server.requests)


@pytest.mark.parametrize("status", [404, 500])
async def test_a_server_that_does_not_say_streams_where_it_is(
    server: MastodonServer, make: Make, status: int
) -> None:
    server.fail_next("/api/v2/instance", status)
    await first(make("public").flow(None))
    assert "/api/v1/streaming/public" in server.requests


@pytest.mark.parametrize(
    ("url", "said", "base"),
    [
        ("https://a.example", "wss://s.example/", "https://s.example"),
        ("https://a.example", "ws://a.example:4000", "https://a.example:4000"),
        ("http://a.example", "ws://a.example:4000", "http://a.example:4000"),
        ("https://a.example", "", None),
        ("https://a.example", "x", None),
    ],
)
def test_streams_are_never_less_safe_than_the_server(url: str, said: str, base: str | None) -> None:
    new = json.dumps({"configuration": {"urls": {"streaming": said}}}).encode()
    old = json.dumps({"urls": {"streaming_api": said}}).encode()
    assert streaming_base(new, url=url) == streaming_base(old, url=url) == base
    assert streaming_base(b"<html>", url=url) is None


async def test_a_page_that_is_no_list_is_an_error(server: MastodonServer, make: Make) -> None:
    server.fail_next("/api/v1/timelines/", 200)
    with pytest.raises(SourceError, match="no list"):
        await first(make("public").flow(None), count=2)


@pytest.mark.parametrize(
    "streams",
    [[], ["hashtag:#pont"], ["hashtag:"], ["hashtag:a/b"], ["direct"], ["public:remote "]],
)
def test_streams_that_do_not_exist_are_refused(streams: list[str]) -> None:
    given = {"kind": "mastodon", "id": "x", "url": "https://m.example", "streams": streams}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(given, SourceSettings)
