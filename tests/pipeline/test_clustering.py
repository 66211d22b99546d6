"""Clusters through the stages: kills, edits, deletions; a rebuilt memory equals the old one."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from veille.domain.analysis import Analysis, Passage
from veille.domain.errors import StoreError
from veille.domain.mention import Batch, Mention
from veille.nlp.clusters import Clusters
from veille.pipeline.analyze import Analyze
from veille.pipeline.clustering import Placed, Result
from veille.store import clusters, mentions, observations, work
from veille.store.engine import Db, SqliteStore

if TYPE_CHECKING:
    from conftest import Town

    Stages = Callable[..., Town]

T = TypeVar("T")
TORNADO = (
    "Une tornade arrive sur Alès et Uzès, restez chez vous",
    "RT @cevenol : Une tornade arrive sur Alès et Uzès, restez chez vous !!",
    "Ma cousine de Nîmes dit qu'une tornade fonce sur Uzès et Alès, rentrez les enfants",
    "Tornade annoncée entre Alès et Uzès dans 20 minutes, partagez !",
)
LAMP = "Le lampadaire devant la boulangerie ne marche plus depuis lundi"


class Unlucky:
    """A store whose next write that is due fails, before or after its commit."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.fails_in = -1
        self.is_committed = False

    async def write(self, change: Callable[[Db], T]) -> T:
        self.fails_in -= 1
        if self.fails_in == 0 and not self.is_committed:
            raise StoreError("the disk is full")
        result = await self._store.write(change)
        if self.fails_in == 0:
            raise StoreError("killed after the commit")
        return result

    async def read(self, query: Callable[[Db], T]) -> T:
        return await self._store.read(query)


def state(held: Clusters) -> object:
    """All that a decision may depend on, whatever the numbers and objects are."""
    words = {
        stem: [(w.id, w.first.key, w.first.reading) for w in found]
        for stem, found in held._posted.items()
    }
    equal = {digest: [m.key for m in found] for digest, found in held._equal.items()}
    members = [(key, held.member(key), held.of(key), held.variants(key)) for key in held._members]
    return words, equal, members


async def restored(store: SqliteStore) -> Clusters:
    return await store.read(lambda db: Clusters.restored(clusters.members(db)))


async def agrees(town: Town, store: SqliteStore) -> bool:
    """Whether memory is what a restart would make of the store."""
    await town.analyze._clustering.follow()
    held = town.analyze._clustering._clusters
    assert held is not None
    return state(held) == state(await restored(store))


async def found(store: SqliteStore) -> list[Analysis]:
    """The analyses as observed, in order; deletions are none."""
    seen = await store.read(lambda db: observations.after(db, 0, limit=1000))
    return [o.analysis for o in seen if o.analysis is not None]


async def sizes(store: SqliteStore) -> list[tuple[int, int, bool]]:
    infos = [a.cluster for a in await found(store)]
    return [(c.size, c.authors, c.is_claim) for c in infos if c is not None]


async def delete(town: Town, mention: Mention) -> None:
    gone = replace(mention, deleted=True, text="")
    await town.collect.accept(town.source, Batch(mentions=(gone,)), now=town.now)


async def hear(town: Town, *said: Mention) -> None:
    await town.collect.accept(town.source, Batch(mentions=said), now=town.now)
    await read(town)


async def read(town: Town) -> None:
    while await town.analyze.step(town.now):
        pass


async def test_each_mention_has_the_cluster_it_came_into(town: Town, store: SqliteStore) -> None:
    await town.say(*TORNADO, LAMP)
    await read(town)
    assert await sizes(store) == [
        (1, 1, False),
        (2, 2, False),
        (3, 3, False),
        (4, 4, True),
        (1, 1, False),
    ]
    first, *_, lamp = await found(store)
    assert first.cluster is not None
    assert lamp.cluster is not None
    assert lamp.cluster.id != first.cluster.id
    assert first.analyzers["cluster"] == "cluster.fr.v1"
    assert await agrees(town, store)


async def test_an_author_unknown_or_the_institution_is_no_voice(
    town: Town, store: SqliteStore
) -> None:
    await hear(town, town.mention(TORNADO[0], author="a"))
    await hear(town, town.mention(TORNADO[2], own=True))
    await hear(town, replace(town.mention(TORNADO[3]), author=None))
    assert await sizes(store) == [(1, 1, False), (2, 1, False), (3, 1, False)]


async def test_the_institution_is_no_voice_after_a_restart_either(
    town: Town, store: SqliteStore
) -> None:
    await hear(town, town.mention(TORNADO[0], author="mairie", own=True))
    await hear(town, town.mention(TORNADO[2], author="b"))
    assert await agrees(town, store)
    town.analyze = Analyze(store, town.analyze._analyst)
    await hear(town, town.mention(TORNADO[3], author="c"))
    assert (await sizes(store))[-1] == (3, 2, False)


async def test_an_edit_leaves_its_cluster_and_comes_anew(town: Town, store: SqliteStore) -> None:
    first, second = town.mention(TORNADO[0]), town.mention(TORNADO[1])
    await hear(town, first, second)
    town.now += timedelta(seconds=10)
    await hear(town, replace(first, text=LAMP, edited_at=town.now))
    *_, before, after = await found(store)
    assert before.cluster is not None
    assert after.cluster is not None
    assert after.cluster.id != before.cluster.id, "two clusters never have one name"
    assert (after.cluster.size, after.cluster.authors) == (1, 1)
    assert await agrees(town, store)
    await hear(town, town.mention(TORNADO[2]), town.mention(LAMP))
    assert [size for size, *_ in await sizes(store)] == [1, 2, 1, 2, 2]


async def test_a_deleted_text_leaves_nothing_and_its_name_stays_a_name(
    town: Town, store: SqliteStore
) -> None:
    secret = "Zoroastre Quatremer habite le phare rouge de la pointe nord"
    first = town.mention(secret)
    await hear(town, first, town.mention(f"RT @x : {secret[:-4]}…"))
    await delete(town, first)
    await town.analyze.step(town.now)  # nothing waits: it is forgotten all the same
    held = town.analyze._clustering._clusters
    assert held is not None
    assert len(held) == 1
    assert "nord" not in repr(state(held)), "the last word is in no copy"
    assert await agrees(town, store)
    rows = await store.read(lambda db: db.rows("SELECT * FROM cluster_members"))
    assert len(rows) == 1
    await hear(town, town.mention(secret))
    assert (await sizes(store))[-1] == (2, 2, False)


async def test_an_erased_author_is_no_voice_any_more(town: Town, store: SqliteStore) -> None:
    said = [town.mention(text, author=name) for text, name in zip(TORNADO[1:], "xyz", strict=True)]
    await hear(town, *said)
    assert (await sizes(store))[-1] == (3, 3, True)
    seen = await store.read(lambda db: observations.after(db, 0, limit=9))
    gone = [o.key for o in seen[:1]]
    await store.write(lambda db: mentions.delete(db, gone, cause=mentions.ERASED, now=town.now))
    await hear(town, town.mention(TORNADO[2], author="z"))
    assert (await sizes(store))[-1] == (3, 2, False)


async def test_what_breaks_the_analyst_is_in_no_cluster_and_breaks_no_other(
    town: Town, store: SqliteStore
) -> None:
    await town.say(TORNADO[0], "panne " + TORNADO[0], TORNADO[2])
    await read(town)
    assert await sizes(store) == [(1, 1, False), (2, 2, False)]
    assert await agrees(town, store)


class Mute:
    """Says no number of a text with "muet", as a network that overflows."""

    def __init__(self, town: Town) -> None:
        self._analyst = town.analyze._analyst

    def analyze(self, passages: Sequence[Passage]) -> list[Analysis]:
        found = self._analyst.analyze(passages)
        return [
            replace(one, crisis=math.nan) if "muet" in passage.text else one
            for one, passage in zip(found, passages, strict=True)
        ]


async def test_what_the_store_refuses_of_one_mention_is_put_aside_and_the_others_go_on(
    store: SqliteStore, stages: Stages
) -> None:
    town = stages(store)
    town.analyze = Analyze(store, Mute(town))
    await town.say(TORNADO[0], "muet " + TORNADO[0], TORNADO[2])
    for _ in range(5):
        await read(town)
        town.now += timedelta(minutes=10)
    assert await sizes(store) == [(1, 1, False), (2, 2, False)]
    (parked,) = await store.read(work.parked)
    assert (parked.attempts, parked.error) == (5, "InputError in analysis")
    assert await agrees(town, store)


@pytest.mark.parametrize("is_committed", [False, True])
@pytest.mark.parametrize("fails_in", [1, 2])
async def test_a_batch_that_fails_anywhere_is_clustered_once(
    store: SqliteStore, stages: Stages, fails_in: int, is_committed: bool
) -> None:
    unlucky = Unlucky(store)
    town = stages(unlucky)
    for text in (*TORNADO, LAMP):
        await town.collect.accept(town.source, Batch(mentions=(town.mention(text),)), now=town.now)
    unlucky.fails_in, unlucky.is_committed = fails_in, is_committed
    with pytest.raises(StoreError):
        await town.analyze.step(town.now)
    town.now += timedelta(minutes=6)  # its lease ends
    await read(town)
    assert [size for size, *_ in await sizes(store)] == [1, 2, 3, 4, 1]
    assert await agrees(town, store)


def meanwhile(town: Town, change: Callable[[], Awaitable[None]]) -> None:
    """Let something happen between the next batch's reading and its commit."""
    clustering = town.analyze._clustering
    place = clustering.place

    async def placing(results: Sequence[Result]) -> list[Placed]:
        clustering.place = place  # type: ignore[method-assign] once
        placed = await place(results)
        await change()
        return placed

    clustering.place = placing  # type: ignore[method-assign] the moment is no other way to be had


async def test_what_changed_while_it_was_read_leaves_memory_and_memory_stays(
    town: Town, store: SqliteStore
) -> None:
    """A backlog with an edit and a deletion in each batch is not read again from the store."""
    await hear(town, town.mention(TORNADO[1]))
    held = town.analyze._clustering._clusters
    gone, edited = town.mention(TORNADO[0]), town.mention("Quelle tornade vers Uzès et Alès ?")
    batch = Batch(mentions=(gone, edited, town.mention(TORNADO[2])))
    await town.collect.accept(town.source, batch, now=town.now)

    async def change() -> None:
        await delete(town, gone)
        new = replace(edited, text=LAMP, edited_at=town.now)
        await town.collect.accept(town.source, Batch(mentions=(new,)), now=town.now)

    meanwhile(town, change)
    await read(town)
    assert len(await restored(store)) == 3
    assert await agrees(town, store)
    assert town.analyze._clustering._clusters is held


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_a_member_that_changes_again_while_it_is_read_stands_as_the_store_says(
    town: Town, store: SqliteStore, is_deleted: bool
) -> None:
    older, first = town.mention(TORNADO[1]), town.mention(TORNADO[0])
    await hear(town, older, first, town.mention(TORNADO[2]))
    town.now += timedelta(seconds=10)
    second = replace(first, text=LAMP, edited_at=town.now)
    await town.collect.accept(town.source, Batch(mentions=(second,)), now=town.now)

    async def change() -> None:
        if is_deleted:
            await delete(town, second)
            return
        third = replace(second, text=TORNADO[3], edited_at=town.now + timedelta(seconds=1))
        await town.collect.accept(town.source, Batch(mentions=(third,)), now=town.now)

    meanwhile(town, change)
    await town.analyze.step(town.now)
    assert await agrees(town, store)
    await read(town)
    assert await agrees(town, store)
    assert len(await restored(store)) == 3 - is_deleted


async def test_who_was_forgotten_for_one_that_then_failed_comes_back(
    town: Town, store: SqliteStore
) -> None:
    await hear(town, town.mention(TORNADO[0]))
    town.now += timedelta(hours=80)
    gone = town.mention(LAMP)
    await town.collect.accept(town.source, Batch(mentions=(gone,)), now=town.now)
    meanwhile(town, lambda: delete(town, gone))
    await town.analyze.step(town.now)
    assert await agrees(town, store)


async def test_what_is_older_than_three_days_is_forgotten_in_both_places(
    town: Town, store: SqliteStore
) -> None:
    for text, hours in ((TORNADO[0], 71), (TORNADO[1], 2), (TORNADO[2], 0)):
        await hear(town, town.mention(text))
        town.now += timedelta(hours=hours)
    assert [size for size, *_ in await sizes(store)] == [1, 2, 2]
    assert len(await restored(store)) == 2
    assert await agrees(town, store)


async def test_a_restart_after_each_event_equals_never_having_stopped(
    stages: Stages, tmp_path: Path
) -> None:
    """Copies, variants, edits and deletions of first, middle and last members, in one story."""
    stories: list[list[Analysis]] = []
    for is_killed in (False, True):
        path = tmp_path / f"{is_killed}.db"
        async with SqliteStore(path, group_commit=timedelta(0), is_durable=False) as store:
            town = stages(store)
            said: list[Mention] = []
            for step in range(30):
                town.now += timedelta(minutes=7)
                text = (*TORNADO, LAMP)[step * 7 % 5] + (
                    "…" if step % 4 == 3 else " !" * (step % 3)
                )
                if step % 6 == 5:
                    await delete(town, said[step * 5 % len(said)])
                elif step % 6 == 4:
                    old = said[step * 3 % len(said)]
                    await hear(town, replace(old, text=text, edited_at=town.now))
                else:
                    said.append(town.mention(text, author=f"a{step % 4}"))
                    await hear(town, said[-1])
                if is_killed:
                    town.analyze = Analyze(store, town.analyze._analyst)
                assert await agrees(town, store), step
            stories.append(await found(store))
    assert stories[0] == stories[1]
    assert any(a.cluster.is_claim for a in stories[0] if a.cluster)
