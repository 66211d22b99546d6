"""A deletion reaches the queue, the evidence, the outbox and the messages already sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from veille.demo.slack import SlackStandIn
from veille.domain.alert import Flag, Severity
from veille.domain.incident import IncidentState, QueueState
from veille.domain.mention import Batch, GoneAuthor, Mention
from veille.domain.notification import Notification, NotificationKind
from veille.net.client import Client
from veille.net.guard import check_host
from veille.notifiers.base import Tools
from veille.notifiers.message import Voice
from veille.notifiers.pace import Pace
from veille.notifiers.registry import build
from veille.notifiers.settings import EmailReceiver, SlackReceiver
from veille.pipeline.deliver import Deliver, Sender
from veille.pipeline.redact import Redact
from veille.pipeline.sweep import Sweep
from veille.privacy.settings import PrivacySettings
from veille.store import erasure, incidents, mentions, outbox, queue, timeline
from veille.wording.catalogue import catalogue

if TYPE_CHECKING:
    from conftest import Town
    from veille.store.engine import Db, SqliteStore

TEXT = "au secours, l'eau monte rue du Lavoir"
OTHER = "au secours, on est deux sur le toit"
GONE = "[message supprimé]"


@dataclass
class Desk:
    """A town whose alerts reach Slack, and the stage under test."""

    town: Town
    store: SqliteStore
    slack: SlackStandIn
    deliver: Deliver
    redact: Redact

    async def say(self, text: str) -> Mention:
        mention = self.town.mention(text)
        await self.accept(mention)
        return mention

    async def accept(self, *found: Mention, **more: Any) -> None:
        await self.town.collect.accept(
            self.town.source, Batch(mentions=found, **more), now=self.town.now
        )

    async def delete(self, *found: Mention) -> None:
        await self.accept(*(replace(mention, deleted=True, text="") for mention in found))

    async def send(self) -> None:
        while await self.deliver.step(self.town.now):
            pass

    async def follow_up(self) -> None:
        while await self.redact.step(self.town.now):
            pass
        await self.send()

    def shown(self) -> str:
        bodies = [message.body for message in self.slack.received()]
        return json.dumps(bodies, ensure_ascii=False)

    async def incident(self, number: int = 1) -> IncidentState:
        found = await self.store.read(lambda db: incidents.get(db, number))
        assert found is not None
        return found.state


@pytest.fixture
async def desk(town: Town, store: SqliteStore) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(SlackStandIn(paces=False))
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
        chat = SlackReceiver(
            id="astreinte", token="T", channel="C0000000001", api_url=slack.url, allow_private=True
        )
        deliver = Deliver(
            store,
            receiver="astreinte",
            notifier=build(chat, tools=tools),
            sender=Sender(institution="Saint-Aubin", public_url="http://127.0.0.1:8080"),
            jitter=lambda: 1.0,
        )
        yield Desk(town, store, slack, deliver, Redact(store))


def rows(db: Db) -> list[tuple[str, str, str]]:
    return [(e.receiver, e.kind, e.state) for e in outbox.log(db, 1)]


async def test_the_message_sent_is_edited_to_a_tombstone_and_nobody_is_pinged(desk: Desk) -> None:
    mention = await desk.say(TEXT)
    await desk.town.work()
    await desk.send()
    assert "rue du Lavoir" in desk.shown()
    posts = desk.slack.posts_by_key()
    await desk.delete(mention)
    await desk.follow_up()
    assert "l'eau monte" not in desk.shown()
    assert "rue du Lavoir" not in desk.shown()
    assert GONE in desk.shown()
    assert desk.slack.posts_by_key() == posts
    kinds = {e.kind for e in await desk.store.read(lambda db: timeline.of(db, "I1"))}
    assert "notification.sent" in kinds


async def test_the_tombstone_stays_when_the_incident_goes_on(desk: Desk) -> None:
    mention = await desk.say(TEXT)
    await desk.town.work()
    await desk.send()
    await desk.delete(mention)
    await desk.follow_up()
    await desk.town.run(timedelta(minutes=11))
    await desk.send()
    assert await desk.incident() is IncidentState.RESOLVED
    root = json.dumps(desk.slack.received()[0].body, ensure_ascii=False)
    assert "Résolu" in root
    assert GONE in root


async def test_what_others_wrote_stays_quoted(desk: Desk) -> None:
    first = await desk.say(TEXT)
    await desk.say(OTHER)
    await desk.town.work()
    await desk.send()
    await desk.delete(first)
    await desk.follow_up()
    assert "sur le toit" in desk.shown()
    assert "Lavoir" not in desk.shown()
    assert GONE not in desk.shown()


async def test_evidence_goes_and_the_queue_item_is_closed_with_its_reason(desk: Desk) -> None:
    mention = await desk.say(TEXT)
    await desk.town.work()
    await desk.send()
    await desk.delete(mention)
    await desk.follow_up()
    await desk.town.work(later=timedelta(seconds=10))
    assert await desk.store.read(lambda db: incidents.evidence(db, 1, 9)) == []
    (item,) = await desk.store.read(lambda db: queue.list_(db, states=[QueueState.CLOSED], limit=9))
    events = await desk.store.read(lambda db: timeline.of(db, f"Q{item.id}"))
    assert events[-1].kind == "queue.deleted"
    assert "web.event.queue.deleted" in catalogue("fr").messages


async def test_an_incident_nobody_heard_of_is_closed_with_what_waited_of_it(desk: Desk) -> None:
    mention = await desk.say(TEXT)
    await desk.town.work()
    await desk.delete(mention)
    await desk.follow_up()
    assert desk.slack.received() == []
    assert await desk.store.read(outbox.depth) == {}
    assert await desk.incident() is IncidentState.RESOLVED
    events = await desk.store.read(lambda db: timeline.of(db, "I1"))
    assert events[-1].kind == "incident.withdrawn"
    await desk.town.run(timedelta(minutes=20))
    assert await desk.store.read(outbox.depth) == {}


async def test_a_cry_that_comes_after_a_withdrawn_one_is_told(desk: Desk) -> None:
    await desk.delete(await _told_nobody(desk))
    await desk.follow_up()
    await desk.say(OTHER)
    await desk.town.work(later=timedelta(seconds=10))
    await desk.send()
    assert "sur le toit" in desk.shown()
    assert await desk.incident(2) is IncidentState.OPEN


async def _told_nobody(desk: Desk) -> Mention:
    mention = await desk.say(TEXT)
    await desk.town.work()
    return mention


async def test_a_pending_notification_with_other_evidence_is_sent_without_it(desk: Desk) -> None:
    first = await desk.say(TEXT)
    await desk.say(OTHER)
    await desk.town.work()
    await desk.delete(first)
    await desk.follow_up()
    assert "sur le toit" in desk.shown()
    assert "Lavoir" not in desk.shown()
    assert await desk.incident() is IncidentState.OPEN


async def test_a_message_that_left_while_its_quote_was_deleted_is_edited(desk: Desk) -> None:
    mention = await desk.say(TEXT)
    await desk.town.work()
    desk.slack.lose_answers()
    desk.deliver._notifier._settings = replace_timeout(desk.deliver)
    assert await desk.deliver.step(desk.town.now)  # posted, and never confirmed
    assert "Lavoir" in desk.shown()
    await desk.delete(mention)
    await desk.redact.step(desk.town.now)
    assert await desk.incident() is IncidentState.OPEN
    pending = await desk.store.read(rows)
    assert ("astreinte", "opened", "waiting") in pending
    assert ("astreinte", "redacted", "waiting") in pending
    desk.town.now += timedelta(minutes=2)
    await desk.send()
    last = desk.slack.received()[-1]
    assert "Lavoir" not in json.dumps(last.body, ensure_ascii=False)


def replace_timeout(deliver: Deliver) -> Any:
    settings: Any = deliver._notifier
    return msgspec.structs.replace(settings._settings, timeout="1s")


@pytest.mark.parametrize(
    ("severity", "first"),
    [("warning", NotificationKind.REDACTED), ("critical", NotificationKind.OPENED)],
)
async def test_a_redaction_goes_before_all_that_waits_but_a_cry_for_help(
    desk: Desk, severity: str, first: NotificationKind
) -> None:
    mention = await desk.say(TEXT)
    await desk.town.work()
    await desk.send()
    for number in range(2, 40):
        await _fill(desk, number, severity)
    await desk.delete(mention)
    await desk.redact.step(desk.town.now)
    row = await desk.store.write(
        lambda db: outbox.claim(db, "astreinte", now=desk.town.now, lease=timedelta(minutes=2))
    )
    assert row is not None
    assert row.kind is first


async def test_a_cry_that_always_fails_does_not_keep_a_redaction_waiting(desk: Desk) -> None:
    mention = await desk.say(TEXT)
    await desk.town.work()
    await desk.send()
    await _fill(desk, 2, "critical")
    await desk.delete(mention)
    await desk.redact.step(desk.town.now)
    desk.slack.refuse_next("internal_error")
    assert await desk.deliver.step(desk.town.now)
    desk.town.now += timedelta(minutes=1)  # the cry is due again, too
    assert await desk.deliver.step(desk.town.now)
    assert GONE in desk.shown()
    assert ("astreinte", "redacted", "sent") in await desk.store.read(rows)


async def _fill(desk: Desk, number: int, severity: str) -> None:
    """Another incident has waited for an hour."""

    def add(db: Db) -> None:
        old = db.row("SELECT facts FROM outbox WHERE incident = 1")
        assert old is not None
        db.execute(
            """INSERT INTO outbox (key, receiver, incident, kind, facts, due_at) VALUES
            (?, 'astreinte', ?, 'opened',
            json_set(?, '$.evidence', json('["z"]'), '$.severity', ?), 0)""",
            (f"I{number}-opened-1", number, old["facts"], severity),
        )

    await desk.store.write(add)


async def test_killed_between_deletion_and_follow_up_nothing_is_forgotten(desk: Desk) -> None:
    mention = await desk.say(TEXT)
    await desk.town.work()
    await desk.send()
    await desk.delete(mention)
    again = Redact(desk.store)  # nothing of the first one is left but the store
    desk.redact = again
    await desk.follow_up()
    await desk.follow_up()
    assert GONE in desk.shown()
    edits = [entry for entry in await desk.store.read(rows) if entry[1] == "redacted"]
    assert edits == [("astreinte", "redacted", "sent")]


async def test_a_gone_message_is_not_posted_again_to_take_a_quote_back(desk: Desk) -> None:
    mention = await desk.say(TEXT)
    await desk.town.work()
    await desk.send()
    await desk.delete(mention)
    desk.slack.refuse_next("message_not_found")
    await desk.follow_up()
    assert len(desk.slack.received()) == 1
    assert ("astreinte", "redacted", "sent") in await desk.store.read(rows)


async def test_a_receiver_that_was_told_nothing_gets_no_edit(desk: Desk) -> None:
    mention = await desk.say(TEXT)
    await desk.town.work()
    await desk.send()
    await desk.delete(mention)
    await desk.redact.step(desk.town.now)
    redacted = {r for r, kind, _ in await desk.store.read(rows) if kind == "redacted"}
    assert redacted == {"astreinte"}


async def test_an_author_gone_at_the_source_takes_all_of_theirs(desk: Desk) -> None:
    mention = await desk.say(TEXT)
    await desk.town.work()
    await desk.send()
    assert mention.author is not None
    gone = GoneAuthor(id=mention.author.id, at=desk.town.now)
    await desk.accept(gone_authors=(gone,))
    await desk.follow_up()
    assert "Lavoir" not in desk.shown()
    assert GONE in desk.shown()


async def test_retention_takes_quotes_back_too(desk: Desk) -> None:
    await desk.say(TEXT)
    await desk.town.work()
    await desk.send()
    desk.town.now += timedelta(days=366)
    sweep = Sweep(desk.store, PrivacySettings())
    while await sweep.step(desk.town.now):
        pass
    await desk.follow_up()
    assert "Lavoir" not in desk.shown()


async def test_a_rule_that_saw_it_just_before_makes_no_item_and_no_evidence(desk: Desk) -> None:
    mention = await desk.say(TEXT)
    await desk.town.analyze.step(desk.town.now)
    await desk.delete(mention)
    await desk.follow_up()
    keys = [
        row["key"] for row in await desk.store.read(lambda db: db.rows("SELECT key FROM mentions"))
    ]

    def race(db: Db) -> int:
        incidents.add_evidence(db, 7, keys)
        assert not incidents.has_new_evidence(db, keys)
        return queue.flag(
            db, [Flag(key=keys[0], rule="urgent", severity=Severity.CRITICAL, at=desk.town.now)]
        )

    assert await desk.store.write(race) == 0
    assert await desk.store.read(lambda db: incidents.evidence(db, 7, 9)) == []


async def test_every_copy_of_the_text_is_gone_from_the_tables(desk: Desk) -> None:
    mention = await desk.say(TEXT)
    await desk.accept(replace(mention, text=f"{TEXT} vite", edited_at=desk.town.now))
    await desk.town.work()
    await desk.send()
    await desk.delete(mention)
    await desk.follow_up()

    def everything(db: Db) -> str:
        names = [r["name"] for r in db.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return repr([tuple(row) for name in names for row in db.rows(f'SELECT * FROM "{name}"')])

    dump = await desk.store.read(everything)
    assert "Lavoir" not in dump
    assert "l'eau monte" not in dump
    assert await desk.store.read(lambda db: mentions.search(db, "lavoir", 9)) == []
    assert await desk.store.read(lambda db: erasure.pending(db, limit=9)) == []


async def test_a_mail_that_was_sent_is_not_followed_by_another(
    desk: Desk, store: SqliteStore
) -> None:
    tools = desk.deliver._notifier._tools  # type: ignore[attr-defined] any Slack notifier has them
    letters = EmailReceiver(
        id="courriel", host="127.0.0.1", port=9, tls="none", sender="v@mairie.example",
        to=("a@mairie.example",), allow_private=True,
    )  # fmt: skip
    mail = build(letters, tools=tools)
    await desk.say(TEXT)
    await desk.town.work()
    row = await store.write(
        lambda db: outbox.claim(db, "courriel", now=desk.town.now, lease=timedelta(minutes=2))
    )
    assert row is not None
    assert row.facts is not None
    notification = Notification(
        key="I1-redacted-1", kind=NotificationKind.REDACTED, facts=row.facts,
        institution="Saint-Aubin", link="",
    )  # fmt: skip
    ref = {"message_id": "<a@b>"}
    # nobody listens on port 9: a connection would fail
    assert await mail.send(notification, ref=ref) == ref
    assert await mail.send(notification, ref=None) == {}
