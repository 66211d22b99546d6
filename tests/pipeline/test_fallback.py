"""A receiver that fails: its fallback is told within a minute, and it catches up on return."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from veille.alerts.settings import RouteSettings
from veille.demo.mail import MailStandIn
from veille.demo.slack import SlackStandIn
from veille.domain.alert import Severity
from veille.domain.errors import DeliveryError
from veille.domain.incident import IncidentState
from veille.domain.notification import Facts, NotificationKind, OutboxRow
from veille.net.client import Client
from veille.net.guard import check_host
from veille.notifiers.base import Tools
from veille.notifiers.message import Voice
from veille.notifiers.pace import Pace
from veille.notifiers.registry import build
from veille.notifiers.settings import EmailReceiver, SlackReceiver
from veille.pipeline.deliver import SHORT_S, Deliver, Fallback, Sender
from veille.pipeline.dispatch import Dispatch
from veille.rules.settings import RulesSettings
from veille.store import outbox, timeline
from veille.store.outbox import Delivery
from veille.wording.catalogue import catalogue

if TYPE_CHECKING:
    from conftest import Town
    from veille.store.engine import SqliteStore

CHANNEL = "C0000000001"
START = datetime(2026, 1, 18, 1, 0, tzinfo=UTC)


@dataclass
class Post:
    """Slack is told; mail is told instead. Stepped by hand, once a second."""

    slack: SlackStandIn
    mail: MailStandIn
    town: Town
    store: SqliteStore
    tools: Tools
    stages: list[Deliver] = field(default_factory=list)

    def start(self) -> None:
        """Begin as after a start: nothing is remembered but the store."""
        chat = SlackReceiver(
            id="astreinte", token="T", channel=CHANNEL, api_url=self.slack.url, allow_private=True
        )
        letters = EmailReceiver(
            id="courriel",
            host="127.0.0.1",
            port=self.mail.port,
            tls="none",
            sender="veille@mairie.example",
            to=("a@mairie.example",),
            allow_private=True,
        )
        instead = Fallback(receiver="courriel", via="email", channel="slack")
        sender = Sender(institution="Saint-Aubin", public_url="http://127.0.0.1:8080")
        self.stages = [
            Deliver(
                self.store,
                receiver=settings.id,
                notifier=build(settings, tools=self.tools),
                sender=sender,
                fallback=other,
                jitter=lambda: 1.0,
            )
            for settings, other in ((chat, instead), (letters, None))
        ]

    async def run(self, duration: timedelta) -> None:
        for _ in range(int(duration.total_seconds())):
            self.town.now += timedelta(seconds=1)
            for stage in self.stages:
                while await stage.step(self.town.now):
                    pass

    async def say(self, text: str = "au secours") -> None:
        await self.town.say(text)
        await self.town.work()

    async def diverted(self) -> list[object]:
        found = await self.store.read(timeline.log)
        return [event.data for event in found if event.kind == "notification.diverted"]

    def letters(self) -> list[str]:
        texts = [each.body("plain") for each in self.mail.received()]
        return [text.replace("\u00a0", " ").replace("\u202f", " ") for text in texts]


@pytest.fixture
async def post(town: Town, store: SqliteStore) -> AsyncIterator[Post]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(SlackStandIn(paces=False))
        mail = await stack.enter_async_context(MailStandIn())
        client = await stack.enter_async_context(Client(allow_private=True))

        def session(*, allow_private: bool) -> Any:
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
        town.dispatch = Dispatch(
            store,
            route=RouteSettings(receivers=("astreinte",)),
            group_wait=RulesSettings().waits(),
        )
        made = Post(slack, mail, town, store, tools)
        made.start()
        yield made


async def test_a_receiver_that_is_down_is_told_elsewhere_within_a_minute_and_the_mail_says_so(
    post: Post,
) -> None:
    await post.slack.go_down()
    await post.say()
    await post.run(timedelta(seconds=29))
    assert post.letters() == []
    await post.run(timedelta(seconds=31))
    (letter,) = post.letters()
    assert "Slack ne répond pas depuis 02:00 : ce message vous vient par courriel." in letter
    assert await post.diverted() == [{"receiver": "astreinte", "to": "courriel"}]


async def test_the_original_arrives_once_when_it_returns_and_no_mail_follows(post: Post) -> None:
    await post.slack.go_down()
    await post.say()
    await post.run(timedelta(minutes=2))
    await post.slack.come_back()
    await post.run(timedelta(minutes=2))
    assert list(post.slack.posts_by_key().values()) == [1]
    assert len(post.letters()) == 1
    assert await post.store.read(outbox.depth) == {}
    assert "ne répond pas" not in str(post.slack.received()[0].body)


async def test_what_is_planned_while_it_is_down_goes_elsewhere_at_once(post: Post) -> None:
    await post.slack.go_down()
    await post.say()
    await post.run(timedelta(minutes=1))
    await post.say("nul")
    await post.say("nul, encore")
    await post.say("nul, toujours")
    await post.run(timedelta(seconds=35))  # group_wait of a warning: 30 s, then a tick
    await post.town.work()
    await post.run(timedelta(seconds=2))
    assert len(post.letters()) == 2


@pytest.mark.parametrize("failure", ["invalid_auth", "limited", "content"])
async def test_what_will_not_pass_by_waiting_is_told_elsewhere_at_once(
    post: Post, failure: str
) -> None:
    if failure == "limited":
        post.slack.fail_next(429, times=9, retry_after=120)
    else:
        post.slack.refuse_next({"content": "invalid_blocks"}.get(failure, failure), times=9)
    await post.say()
    await post.run(timedelta(seconds=2))
    assert len(post.letters()) == 1


class Hanging:
    """A channel that answers nothing: each attempt ends when the stage gives it up."""

    def __init__(self, town: Town) -> None:
        self._town = town

    async def send(self, notification: object, *, ref: object) -> dict[str, str]:
        self._town.now += timedelta(seconds=SHORT_S)
        raise DeliveryError("no answer in time", is_unknown=True)

    async def publish(self, document: object) -> None:
        raise AssertionError("this test sends no document")


async def test_a_receiver_that_hangs_is_part_of_the_minute(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("veille.pipeline.deliver.monotonic_s", lambda: post.town.now.timestamp())
    post.stages[0] = Deliver(
        post.store,
        receiver="astreinte",
        notifier=Hanging(post.town),
        sender=Sender(institution="Saint-Aubin", public_url="http://127.0.0.1:8080"),
        fallback=Fallback(receiver="courriel", via="email", channel="slack"),
        jitter=lambda: 0.0,
    )
    await post.say()
    began = post.town.now
    while not await post.diverted() and post.town.now < began + timedelta(minutes=3):
        post.town.now += timedelta(seconds=1)
        await post.stages[0].step(post.town.now)
    (told,) = [e for e in await post.store.read(timeline.log) if "diverted" in e.kind]
    assert told.at - began < timedelta(minutes=1)


async def test_a_short_failure_tells_nobody_else(post: Post) -> None:
    post.slack.fail_next(503, times=3)
    await post.say()
    await post.run(timedelta(minutes=2))
    assert post.letters() == []
    assert len(post.slack.received()) == 1


async def test_restarts_do_not_begin_the_wait_anew(post: Post) -> None:
    await post.slack.go_down()
    await post.say()
    for _ in range(3):
        await post.run(timedelta(seconds=15))
        post.start()
    assert len(post.letters()) == 1
    await post.run(timedelta(seconds=60))
    assert len(post.letters()) == 1


async def test_a_fallback_that_was_told_anyway_is_not_told_twice(post: Post) -> None:
    post.town.dispatch = Dispatch(
        post.store,
        route=RouteSettings(receivers=("astreinte", "courriel")),
        group_wait=RulesSettings().waits(),
    )
    await post.slack.go_down()
    await post.say()
    await post.run(timedelta(minutes=2))
    assert len(post.letters()) == 1
    assert await post.diverted() == []


def rows(*kinds: NotificationKind) -> list[OutboxRow]:
    facts = Facts(
        incident=1,
        title="Crue",
        severity=Severity.CRITICAL,
        state=IncidentState.OPEN,
        at=START,
        opened_at=START,
        rule="flood",
        value=1,
        threshold=1,
        author_count=1,
    )
    return [
        OutboxRow(
            key=f"I1-{kind}-{n}", receiver="astreinte", incident=1, kind=kind, facts=facts,
            due_at=START,
        )
        for n, kind in enumerate(kinds, start=1)
    ]  # fmt: skip


K = NotificationKind


@pytest.mark.parametrize(
    ("waiting", "told"),
    [
        ((K.OPENED, *[K.UPDATED] * 5), (1, 6)),
        ((K.OPENED, K.UPDATED, K.REFRESHED, K.ACKNOWLEDGED, K.UPDATED, K.RESOLVED), (1, 4, 6)),
        ((K.OPENED, K.REPEATED, K.REFRESHED), (1, 2, 3)),
        ((K.OPENED, K.UPDATED, K.REDACTED), (1, 2, 3)),
        ((K.OPENED, K.ESCALATED, K.ESCALATED, K.ASSIGNED), (1, 2, 3, 4)),
    ],
)
async def test_of_a_backlog_what_later_news_tells_too_is_merged_in_order(
    store: SqliteStore, waiting: tuple[NotificationKind, ...], told: tuple[int, ...]
) -> None:
    def drain(db: Any) -> list[int]:
        outbox.add(db, rows(*waiting))
        found = []
        while row := outbox.claim(db, "astreinte", now=START, lease=timedelta(minutes=2)):
            found.append(int(row.key.rsplit("-", 1)[1]))
            outbox.sent(db, row, ref={"ts": "1"}, now=START)
        return found

    assert await store.write(drain) == list(told)
    states = [entry.state for entry in await store.read(lambda db: outbox.log(db, 1))]
    assert states.count(Delivery.MERGED) == len(waiting) - len(told)


async def test_a_failure_whose_message_was_dropped_is_over(post: Post) -> None:
    await post.slack.go_down()
    await post.store.write(lambda db: outbox.add(db, rows(K.OPENED)))
    await post.run(timedelta(seconds=45))
    failed = next(e for e in await post.store.read(lambda db: outbox.log(db, 1)))
    gone = replace(rows(K.OPENED)[0], id=failed.id)
    await post.store.write(lambda db: outbox.drop(db, gone, now=post.town.now))
    await post.slack.come_back()
    await post.run(timedelta(minutes=2))
    await post.store.write(lambda db: outbox.add(db, rows(K.REPEATED)))
    await post.run(timedelta(seconds=5))
    assert len(await post.diverted()) == 1
    assert len(post.slack.received()) == 1


async def test_a_failure_goes_on_in_what_its_message_is_merged_into(store: SqliteStore) -> None:
    def fail_then_merge(db: Any) -> datetime | None:
        outbox.add(db, rows(K.UPDATED))
        row = outbox.claim(db, "astreinte", now=START, lease=timedelta(minutes=2))
        outbox.retry(db, row, due_at=START, error="down", now=START)
        outbox.add(db, rows(K.UPDATED, K.RESOLVED))
        row = outbox.claim(db, "astreinte", now=START, lease=timedelta(minutes=2))
        assert row.kind is K.RESOLVED
        return outbox.failing_since(db, "astreinte")

    assert await store.write(fail_then_merge) == START


async def test_a_day_of_updates_reaches_a_receiver_that_returns_within_minutes(
    post: Post,
) -> None:
    await post.store.write(lambda db: outbox.add(db, rows(K.OPENED, *[K.UPDATED] * 287)))
    await post.run(timedelta(minutes=1))
    assert await post.store.read(outbox.depth) == {}
    assert len(post.slack.received()) == 2
