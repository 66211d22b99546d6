"""A source that flows: committed before it is acknowledged, broken without harm."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from veille.domain.errors import SourceError
from veille.domain.mention import Batch, Mention
from veille.pipeline.stream import SEEN_EVERY, Stream
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
    batch = Batch(mentions=(), gone_authors=("camille", "nobody"), is_ordered=True)
    accepted = await town.collect.accept(town.source, batch, now=town.now)
    assert accepted.deleted == 2
    assert await count(store) == {"deleted": 2, "new": 1}
    assert await store.read(lambda db: mentions.search(db, "deux", 10)) == []


async def test_a_text_that_came_with_the_end_of_its_account_is_not_stored(
    town: Town, store: SqliteStore
) -> None:
    batch = Batch(
        mentions=(town.mention("un", author="camille"),),
        gone_authors=("camille",),
        is_ordered=True,
    )
    await town.collect.accept(town.source, batch, now=town.now)
    assert await count(store) == {}
