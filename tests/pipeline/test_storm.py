"""Product scenarios S3 and S4 to their end: what stands in a Slack channel after a storm."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import aiohttp
import msgspec
import pytest

from veille.alerts.settings import RouteSettings
from veille.demo.slack import SlackStandIn
from veille.domain.incident import IncidentState
from veille.domain.mention import Batch
from veille.notifiers.base import Tools
from veille.notifiers.message import Voice
from veille.notifiers.pace import Pace
from veille.notifiers.settings import SlackReceiver
from veille.notifiers.slack import SlackNotifier
from veille.pipeline.deliver import Deliver, Sender
from veille.pipeline.dispatch import Dispatch
from veille.rules.settings import RulesSettings
from veille.store import alerts, incidents
from veille.store.engine import SqliteStore
from veille.wording.catalogue import catalogue

if TYPE_CHECKING:
    from conftest import Town

COUNTS = (4, 6, 5, 5, 4, 6, 5, 5, 4, 6, 5, 5)
SPIKE = b"""
rules:
  - {id: v, kind: spike, baseline: previous, k: 3, window: 1h, min_points: 8, min_count: 10,
     severity: warning, annotations: {summary: "{count} messages, seuil {threshold}"}}
"""
STORM = b"""
rules:
  - {id: abuse, kind: count, where: {sentiment.label: negative}, window: 1h, min_count: 3,
     min_authors: 2, count_by: mentions, keep_firing_for: 2h, severity: warning,
     labels: {topic: staff}, annotations: {summary: "Attaques contre des \xc3\xa9lus"}}
"""


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn(paces=False) as opened:
        yield opened


@pytest.fixture
async def deliver(store: SqliteStore, slack: SlackStandIn) -> AsyncIterator[Deliver]:
    settings = SlackReceiver(
        id="astreinte", token="SLACK_TOKEN", channel="C0000000001", api_url=slack.url,
        allow_private=True,
    )  # fmt: skip
    ticks = itertools.count(0, 60)  # a minute passes between two looks at the clock

    async def check_host(*_: object, **__: object) -> None:
        return None

    async def pass_by(_: float) -> None:
        return None

    async with aiohttp.ClientSession() as session:
        tools = Tools(
            voice=Voice(words=catalogue("fr"), zone=ZoneInfo("Europe/Paris")),
            secret={"SLACK_TOKEN": slack.token}.__getitem__,
            session=lambda *, allow_private: session,
            check_host=check_host,
            pace=Pace(clock=lambda: float(next(ticks)), sleep=pass_by),
            now=lambda: datetime(2026, 1, 18, 1, tzinfo=UTC),
        )
        yield Deliver(
            store,
            receiver="astreinte",
            notifier=SlackNotifier(settings, tools=tools),
            sender=Sender(institution="Saint-Aubin", public_url="http://127.0.0.1"),
        )


def built(stages: Callable[..., Town], store: SqliteStore, rules: bytes, **route: object) -> Town:
    town = stages(store, rules=rules)
    settings = msgspec.convert({"receivers": ["astreinte"]} | route, RouteSettings)
    town.dispatch = Dispatch(store, route=settings, group_wait=RulesSettings().waits())
    return town


async def pass_on(town: Town, deliver: Deliver) -> None:
    await town.work()
    while await deliver.step(town.now):
        pass


async def hear(town: Town, deliver: Deliver, count: int, *, over: timedelta) -> None:
    start = town.now
    for part in range(1, count + 1):
        town.now = start + over * part / count
        mention = town.mention(f"remarque {town.number}", author=f"a{town.number % 9}")
        await town.collect.accept(town.source, Batch(mentions=(mention,)), now=town.now)
        await pass_on(town, deliver)


async def test_s3_a_spike_is_told_once_and_the_same_message_follows_it_for_an_hour(
    stages: Callable[..., Town], store: SqliteStore, slack: SlackStandIn, deliver: Deliver
) -> None:
    town = built(stages, store, SPIKE, group_interval="60m")
    await town.evaluate.open(town.now)
    hour = timedelta(hours=1)
    for count in COUNTS:
        await hear(town, deliver, count, over=hour)
    assert slack.received() == []
    town.now += hour
    burst = [town.mention(f"remarque {town.number}", author=f"a{n % 9}") for n in range(18)]
    await town.collect.accept(town.source, Batch(mentions=tuple(burst)), now=town.now)
    await pass_on(town, deliver)
    town.now += timedelta(seconds=40)
    await pass_on(town, deliver)
    (alert,) = await store.read(alerts.live)
    assert (round(alert.threshold, 2), alert.baseline.expected) == (7.12, 5.0)
    (first,) = slack.received()
    await hear(town, deliver, 6, over=timedelta(minutes=15))
    assert [message.ts for message in slack.received()] == [first.ts], "no second one in the hour"
    assert (await store.read(alerts.live))[0].value > alert.threshold
    assert len(await store.read(incidents.unresolved)) == 1


@pytest.mark.timeout(60)
async def test_s4_a_storm_of_48_hours_is_one_thread_of_twelve_posts_at_most(
    stages: Callable[..., Town], store: SqliteStore, slack: SlackStandIn, deliver: Deliver
) -> None:
    town = built(stages, store, STORM)
    await town.evaluate.open(town.now)
    for turn in range(80):  # 800 messages of 450 accounts
        texts = [f"vous êtes nul {turn % 60}" for _ in range(10)]
        batch = [
            town.mention(text, author=f"a{(turn * 10 + number) % 450}")
            for number, text in enumerate(texts)
        ]
        await town.collect.accept(town.source, Batch(mentions=tuple(batch)), now=town.now)
        await town.work()
        await town.work(later=timedelta(seconds=40))
        while await deliver.step(town.now):
            pass
        town.now += timedelta(minutes=36) - timedelta(seconds=40)
    for _ in range(40):
        await town.work(later=timedelta(minutes=5))
    while await deliver.step(town.now):
        pass
    found = await store.read(lambda db: incidents.list_(db, states=list(IncidentState), limit=9))
    assert [incident.state for incident in found] == [IncidentState.RESOLVED]
    posts = slack.received()
    assert 2 <= len(posts) <= 12
    assert {post.thread_ts for post in posts[1:]} == {posts[0].ts}, "updates are in the thread"
    assert posts[0].edits > 0
