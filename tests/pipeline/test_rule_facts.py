"""What rules may ask reaches them from the store, goes with its text, and shadows tell nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from veille.domain.incident import QueueState
from veille.domain.mention import Author, Batch, Media, Mention, Metrics
from veille.store import alerts, incidents, observations, queue

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Town
    from veille.domain.alert import Transition
    from veille.domain.record import Observation
    from veille.store.engine import Db, SqliteStore


SHADOW = b"""rules:
  - {id: urgent, kind: mention, where: {urgency.label: urgent}, window: 10m, severity: critical,
     flag: true, shadow: WHETHER}
"""


async def observed(store: SqliteStore) -> list[Observation]:
    return await store.read(lambda db: observations.after(db, 0, limit=10))


async def test_a_rule_sees_what_came_with_a_text_until_the_text_is_deleted(
    town: Town, store: SqliteStore
) -> None:
    opened = town.now - timedelta(days=2, hours=5)
    mention = Mention(
        source=town.source.id,
        id="m1",
        text="mon numéro : 06 12 34 56 78",
        created_at=town.now,
        author=Author(id="x", followers=7, created_at=opened),
        reply_to="m0",
        thread="m0",
        media=(Media(type="image", alt="un pont"), Media(type="video")),
        metrics=Metrics(shares=3),
    )
    await town.collect.accept(town.source, Batch(mentions=(mention,)), now=town.now)
    await town.work()
    (seen,) = await observed(store)
    assert (seen.author_age, seen.media, seen.masked) == (2, ("image", "video"), ("phone",))
    assert seen.metrics == Metrics(shares=3)
    assert seen.reply_to is not None
    assert seen.reply_to == seen.thread
    gone = Mention(source=town.source.id, id="m1", text="", created_at=town.now, deleted=True)
    await town.collect.accept(town.source, Batch(mentions=(gone,)), now=town.now)
    await town.work()
    for left in await observed(store):
        assert (left.author_age, left.media, left.masked, left.metrics) == (None, (), (), None)
        assert (left.reply_to, left.thread) == (None, None)


@pytest.mark.parametrize("is_shadow", [True, False])
async def test_an_alert_of_a_shadow_rule_is_stored_and_nobody_is_told(
    store: SqliteStore, stages: Callable[..., Town], is_shadow: bool
) -> None:
    rules = SHADOW.replace(b"WHETHER", b"true" if is_shadow else b"false")
    town = stages(store, rules=rules)
    await town.evaluate.open(town.now)
    await town.say("au secours")
    await town.work()
    (alert,) = await store.read(alerts.live)
    assert alert.shadow == is_shadow
    items = await store.read(lambda db: queue.list_(db, states=tuple(QueueState), limit=9))
    told = await store.read(incidents.unresolved)
    assert (bool(told), bool(items)) == (not is_shadow, not is_shadow)
    await town.work(later=timedelta(minutes=11))
    kinds = [t.alert.state for t in await store.read(_transitions)]
    assert kinds == ["firing", "resolved"]


def _transitions(db: Db) -> list[Transition]:
    return alerts.transitions_after(db, 0, limit=10)
