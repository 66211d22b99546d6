"""Delivery with the real notifiers, against stand-ins that go down and come back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from veille.demo.mail import MailStandIn
from veille.demo.slack import SlackStandIn
from veille.net.client import Client
from veille.net.guard import check_host
from veille.notifiers.base import Tools
from veille.notifiers.message import Voice
from veille.notifiers.pace import Pace
from veille.notifiers.registry import build
from veille.notifiers.settings import EmailReceiver, SlackReceiver
from veille.pipeline.deliver import Deliver, Sender
from veille.store import outbox
from veille.wording.catalogue import catalogue

if TYPE_CHECKING:
    from conftest import Town
    from veille.store.engine import SqliteStore

CHANNEL = "C0000000001"


@dataclass
class Post:
    """Two receivers on one store, stepped by hand; Slack's pace follows the same clock."""

    slack: SlackStandIn
    mail: MailStandIn
    town: Town
    stages: list[Deliver] = field(default_factory=list)

    async def step(self) -> None:
        for stage in self.stages:
            while await stage.step(self.town.now):
                pass

    async def run(self, duration: timedelta, *, say: str | None = None) -> None:
        """Let ten-second steps pass, with one text in each if asked."""
        for _ in range(int(duration / timedelta(seconds=10))):
            if say is not None:
                await self.town.say(say)
            await self.town.work(later=timedelta(seconds=10))
            await self.step()


@pytest.fixture
async def post(town: Town, store: SqliteStore) -> AsyncIterator[Post]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(SlackStandIn(paces=False))
        mail = await stack.enter_async_context(MailStandIn())
        client = await stack.enter_async_context(Client(allow_private=True))

        def session(*, allow_private: bool) -> Any:
            assert allow_private
            return client.session()

        async def no_wait(_: float) -> None:
            return None

        tools = Tools(
            voice=Voice(words=catalogue("fr"), zone=ZoneInfo("Europe/Paris")),
            secret=lambda _: slack.token,
            session=session,
            check_host=check_host,
            pace=Pace(clock=lambda: town.now.timestamp(), sleep=no_wait),
        )
        chat = SlackReceiver(
            id="astreinte", token="T", channel=CHANNEL, api_url=slack.url, allow_private=True
        )
        letters = EmailReceiver(
            id="courriel",
            host="127.0.0.1",
            port=mail.port,
            tls="none",
            sender="veille@mairie.example",
            to=("a@mairie.example",),
            allow_private=True,
        )
        sender = Sender(institution="Saint-Aubin", public_url="http://127.0.0.1:8080")
        made = Post(slack, mail, town)
        for settings in (chat, letters):
            made.stages.append(
                Deliver(
                    store,
                    receiver=settings.id,
                    notifier=build(settings, tools=tools),
                    sender=sender,
                    jitter=lambda: 1.0,
                )
            )
        yield made


def _is_in_order(post: Post) -> bool:
    keys = [m.key for m in post.slack.received()]
    return keys == sorted(keys, key=lambda key: int(key.rsplit("-", 1)[1]))


async def test_both_down_for_two_minutes_under_load_all_arrives_in_order_and_once(
    post: Post, store: SqliteStore
) -> None:
    await post.slack.go_down()
    await post.mail.go_down()
    await post.run(timedelta(minutes=2), say="au secours")
    assert post.slack.received() == []
    await post.slack.come_back()
    await post.mail.come_back()
    await post.run(timedelta(minutes=5))
    assert await store.read(outbox.depth) == {}
    assert set(post.slack.posts_by_key().values()) == {1}
    assert _is_in_order(post)
    ids = [m.message_id for m in post.mail.received()]
    assert len(ids) == len(set(ids)) >= 1


async def test_one_receiver_down_for_an_hour_delays_nobody_else(
    post: Post, store: SqliteStore
) -> None:
    await post.slack.go_down()
    await post.run(timedelta(minutes=1), say="au secours")
    assert len(post.mail.received()) == 1
    for _ in range(59):
        post.town.now += timedelta(minutes=1)
        await post.step()
    assert list(await store.read(outbox.depth)) == ["astreinte"]
    await post.slack.come_back()
    await post.run(timedelta(minutes=2))
    assert await store.read(outbox.depth) == {}
    assert post.slack.received()


async def test_a_refused_token_is_kept_and_tried_rarely(post: Post, store: SqliteStore) -> None:
    post.slack.refuse_next("invalid_auth", times=1)
    await post.town.say("au secours")
    await post.town.work()
    await post.step()
    await post.run(timedelta(minutes=4))
    assert post.slack.received() == []
    await post.run(timedelta(minutes=2))
    assert len(post.slack.received()) == 1
    assert await store.read(outbox.depth) == {}


async def test_a_lost_answer_is_repeated_with_the_same_key(post: Post) -> None:
    post.slack.fail_next(500)
    await post.town.say("au secours")
    await post.town.work()
    await post.step()
    await post.run(timedelta(minutes=1))
    assert list(post.slack.posts_by_key().values()) == [1]


async def test_a_mention_deleted_before_sending_is_not_quoted(post: Post) -> None:
    from dataclasses import replace

    from veille.domain.mention import Batch

    secret = post.town.mention("au secours, mot-repère")
    other = post.town.mention("au secours aussi")
    source = post.town.source
    await post.town.collect.accept(source, Batch(mentions=(secret, other)), now=post.town.now)
    await post.town.work()
    gone = replace(secret, deleted=True, text="")
    await post.town.collect.accept(source, Batch(mentions=(gone,)), now=post.town.now)
    await post.step()
    (message,) = post.slack.received()
    assert "mot-repère" not in str(message.body)
    assert "au secours aussi" in str(message.body)
