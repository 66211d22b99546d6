"""A source that flows: committed before it is acknowledged, broken without harm."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from veille.domain.errors import SourceError
from veille.domain.mention import Batch, GoneAuthor, Mention
from veille.pipeline.stream import HELD, SEEN_EVERY, Stream
from veille.store import mentions, sources, work

if TYPE_CHECKING:
    from conftest import Town
    from veille.store.engine import Db, SqliteStore


class River:
    """Plays batches and errors; knows what was acknowledged and from where it was asked."""

    def __init__(self, *script: Batch | Exception) -> None:
        self.script = list(script)
        self.asked_from: list[str | None] = []
        self.acknowledged: list[Batch] = []
        self.closed = 0

    async def flow(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        self.asked_from.append(cursor)
        try:
            while self.script:
                following = self.script.pop(0)
                if isinstance(following, Exception):
                    raise following
                yield following
                self.acknowledged.append(following)
        finally:
            self.closed += 1


def stream(town: Town, river: River) -> Stream:
    return Stream(town.store, town.collect, origin=town.source, collector=river, jitter=lambda: 1.0)


async def count(store: SqliteStore) -> dict[str, int]:
    return await store.read(mentions.counts)


async def test_a_batch_is_acknowledged_only_after_its_commit(
    town: Town, store: SqliteStore
) -> None:
    river = River(Batch(mentions=(town.mention("un"),), cursor="1"), Batch(cursor="2"))
    flowing = stream(town, river)
    assert await flowing.step(town.now)
    assert await count(store) == {"new": 1}
    assert river.acknowledged == []
    await flowing.step(town.now)
    assert [batch.cursor for batch in river.acknowledged] == ["1"]
    assert await store.read(lambda db: sources.cursor(db, "presse")) == "2"


async def test_what_was_yielded_and_not_committed_is_never_acknowledged(
    town: Town, store: SqliteStore
) -> None:
    river = River(Batch(mentions=(town.mention("un"),)), Batch(mentions=(town.mention("deux"),)))
    flowing = stream(town, river)
    await flowing.step(town.now)
    await flowing.close()
    assert river.acknowledged == []
    assert river.closed == 1


async def test_a_broken_connection_is_shown_and_taken_up_at_its_cursor(
    town: Town, store: SqliteStore
) -> None:
    river = River(
        Batch(cursor="1"), SourceError("the line is cut"), Batch(mentions=(town.mention("un"),))
    )
    flowing = stream(town, river)
    await flowing.step(town.now)
    await flowing.step(town.now)
    (health,) = await store.read(sources.health)
    assert (health.error, health.failures) == ("the line is cut", 1)
    assert not await flowing.step(town.now), "it waits"
    assert await flowing.step(town.now + timedelta(seconds=2))
    assert river.asked_from == [None, "1"]
    (health,) = await store.read(sources.health)
    assert health.error is None


@pytest.mark.parametrize("error", [None, ValueError("a bug with a text in it")])
async def test_a_stream_that_ends_or_has_a_bug_ends_nobody(
    town: Town, store: SqliteStore, error: Exception | None
) -> None:
    flowing = stream(town, River(*([error] if error else [])))
    assert not await flowing.step(town.now)
    (health,) = await store.read(sources.health)
    assert health.error == ("ValueError in the collector" if error else "the stream ended")


async def test_a_quiet_stream_is_noted_once_a_minute_only(town: Town, store: SqliteStore) -> None:
    flowing = stream(town, River(Batch(), Batch(), Batch()))
    for pause in (0.0, 0.1, 1.0):
        await flowing.step(town.now + SEEN_EVERY * pause)
        (health,) = await store.read(sources.health)
        assert health.read_at == town.now + SEEN_EVERY * (pause // 1)


async def test_a_full_backlog_takes_nothing_from_the_source(
    town: Town, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("veille.pipeline.collect.HIGH_MARK", 1)
    await town.say("un")
    river = River(Batch(mentions=(town.mention("deux"),)))
    flowing = stream(town, river)
    assert not await flowing.step(town.now)
    assert river.asked_from == []
    await town.work()
    assert not await flowing.step(town.now), "it paused"
    assert await flowing.step(town.now + timedelta(seconds=5))
    assert (await store.read(work.backlog)).count == 1


def _tombstones(db: Db) -> int:
    return int(db.value("SELECT count(*) FROM tombstones"))


def _gone(mention: Mention) -> Mention:
    return Mention(
        source=mention.source, id=mention.id, text="", created_at=mention.created_at, deleted=True
    )


async def test_a_firehose_leaves_no_tombstone_of_what_was_never_stored(
    town: Town, store: SqliteStore
) -> None:
    kept, passing = town.mention("reste"), town.mention("passe")
    await town.collect.accept(town.source, Batch(mentions=(kept,)), now=town.now)
    batch = Batch(mentions=(passing, _gone(passing), _gone(kept)), is_ordered=True)
    accepted = await town.collect.accept(town.source, batch, now=town.now)
    assert (accepted.stored, accepted.deleted) == (0, 1)
    assert await count(store) == {"deleted": 1}
    assert await store.read(_tombstones) == 1


async def test_an_account_that_is_gone_takes_its_texts_with_it(
    town: Town, store: SqliteStore
) -> None:
    await town.say("un", "deux", author="camille")
    await town.say("trois", author="dominique")
    gone = tuple(GoneAuthor(id=name, at=town.now) for name in ("camille", "nobody"))
    batch = Batch(mentions=(), gone_authors=gone, is_ordered=True)
    accepted = await town.collect.accept(town.source, batch, now=town.now)
    assert accepted.deleted == 2
    assert await count(store) == {"deleted": 2, "new": 1}
    assert await store.read(lambda db: mentions.search(db, "deux", 10)) == []


async def test_an_account_that_came_back_keeps_what_it_wrote_since(
    town: Town, store: SqliteStore
) -> None:
    await town.say("avant", author="camille")
    gone = (GoneAuthor(id="camille", at=town.now),)
    town.now += timedelta(seconds=3)
    batch = Batch(
        mentions=(town.mention("de retour", author="camille"),), gone_authors=gone, is_ordered=True
    )
    await town.collect.accept(town.source, batch, now=town.now)
    assert await count(store) == {"deleted": 1, "new": 1}
    replayed = Batch(gone_authors=gone, is_ordered=True)  # a reconnection rewinds the stream
    accepted = await town.collect.accept(town.source, replayed, now=town.now)
    assert accepted.deleted == 0
    assert await count(store) == {"deleted": 1, "new": 1}


async def test_an_account_with_more_texts_than_one_piece_loses_them_all(
    town: Town, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("veille.pipeline.collect.GONE_PIECE", 2)
    await town.say("un", "deux", "trois", "quatre", "cinq", author="camille")
    batch = Batch(gone_authors=(GoneAuthor(id="camille", at=town.now),), is_ordered=True)
    accepted = await town.collect.accept(town.source, batch, now=town.now)
    assert accepted.deleted == 5
    assert await count(store) == {"deleted": 5}


class Flapping:
    """Takes every connection, says what it is told to, and ends it."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.connections = 0

    async def flow(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        del cursor
        self.connections += 1
        yield Batch()
        yield self.batch


@pytest.mark.parametrize("is_page", [False, True], ids=["nothing", "what is known already"])
async def test_a_server_that_takes_connections_and_ends_them_is_left_alone_for_longer(
    town: Town, store: SqliteStore, is_page: bool
) -> None:
    page = Batch(mentions=(town.mention("connu"),), cursor="1")
    await town.collect.accept(town.source, page, now=town.now)
    river = Flapping(page if is_page else Batch())
    flowing = Stream(
        town.store, town.collect, origin=town.source, collector=river, jitter=lambda: 1.0
    )
    for second in range(1, 40):
        for _ in range(3):  # connected, what it says, the end
            await flowing.step(town.now + timedelta(seconds=second))
    assert river.connections == 6  # after 0, 1, 3, 7, 15 and 31 s


async def test_a_connection_that_ends_at_once_is_no_good_read(
    town: Town, store: SqliteStore
) -> None:
    flowing = Stream(
        town.store,
        town.collect,
        origin=town.source,
        collector=Flapping(Batch()),
        jitter=lambda: 1.0,
    )
    for second in range(10):
        for _ in range(3):
            await flowing.step(town.now + timedelta(seconds=second))
    (health,) = await store.read(sources.health)
    assert (health.failures, health.read_at) == (4, town.now)
    assert health.error == "the stream ended"


@pytest.mark.parametrize("is_quiet", [False, True])
async def test_what_brings_something_or_holds_a_minute_is_well_again(
    town: Town, store: SqliteStore, is_quiet: bool
) -> None:
    cut = SourceError("the line is cut")
    news = Batch() if is_quiet else Batch(mentions=(town.mention("neuf"),))
    river = River(cut, cut, Batch(), news, cut, Batch())
    flowing = stream(town, river)
    for second in (0, 1, 3):
        await flowing.step(town.now + timedelta(seconds=second))
    (health,) = await store.read(sources.health)
    assert health.failures == 2
    well_at = town.now + (timedelta(seconds=3) + HELD if is_quiet else timedelta(seconds=4))
    await flowing.step(well_at)
    (health,) = await store.read(sources.health)
    assert (health.failures, health.read_at) == (0, well_at)
    await flowing.step(well_at)  # cut: the first failure again, a second of patience
    await flowing.step(well_at + timedelta(seconds=1))
    assert river.asked_from == [None] * 4
