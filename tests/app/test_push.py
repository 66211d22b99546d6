"""From an outbox row to the screen of whoever is meant; the push service decrypts for real."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from servers.push import Handset, PushService
from veille.app import channels, desks, parts, push
from veille.config import Loaded, parse
from veille.domain.access import Role
from veille.domain.alert import Severity
from veille.domain.clock import utc_now
from veille.domain.errors import ConfigError, DeliveryError
from veille.domain.incident import IncidentState
from veille.domain.notification import (
    Facts,
    NotificationKind,
    OutboxRow,
    Relay,
)
from veille.domain.secrets import Secrets
from veille.net import webpush
from veille.notifiers.base import Notifier
from veille.pipeline.deliver import Deliver, Sender
from veille.pipeline.runner import Runner
from veille.privacy import seal
from veille.rules.parse import parse_rules
from veille.store import outbox, users
from veille.store import push as kept
from veille.store.engine import SqliteStore

NIGHT = datetime(2026, 1, 18, 1, 14, tzinfo=UTC)  # 02:14 in Saint-Aubin
RULES = parse_rules(
    {
        "flood.yml": b"""rules:
  - {id: flood_distress, kind: count, where: {urgency.score: ">= 0.7"}, window: 15m, min_count: 3,
     severity: critical, labels: {topic: danger, hazard: flood}}
  - {id: danger, kind: count, where: {urgency.score: ">= 0.7"}, window: 15m, min_count: 3,
     severity: critical, labels: {topic: danger}}
  - {id: roads, kind: count, where: {any: [{topics: [roads]}, {text: {words: [trou]}}]},
     window: 15m, min_count: 3, severity: info}
  - {id: plain, kind: count, where: {urgency.score: ">= 0.7"}, window: 15m, min_count: 3,
     severity: info, annotations: {summary: "dit @lulu"}}
"""
    }
)
KEY = webpush.new_key()
CONFIG = """
[veille]
name = "Saint-Aubin"
[[watch]]
id = "mairie"
[push]
contact = "mailto:dsi@mairie.example"
allow_hosts = ["127.0.0.1"]
allow_private = true
[[receiver]]
id = "telephones"
kind = "push"
{receiver}
[[receiver]]
id = "courriel"
kind = "email"
host = "smtp.mairie.example"
sender = "veille@mairie.example"
to = ["a@mairie.example"]
[[person]]
id = "camille"
name = "Camille Roux"
receivers = ["telephones"]
[[person]]
id = "noe"
receivers = ["telephones"]
[[person]]
id = "ines"
[[schedule]]
id = "astreinte"
[[schedule.layers]]
people = ["ines"]
start = 2026-01-05
"""


def loaded(tmp_path: Path, receiver: str = "", **secrets: str) -> Loaded:
    values = {"PSEUDONYM_KEY": "seize caracteres ou plus", "PUSH_KEY": KEY, **secrets}
    return Loaded(
        config=parse(CONFIG.replace("{receiver}", receiver), name="config.toml"),
        path=tmp_path / "config.toml",
        secrets=Secrets(values, where="secrets.toml"),
    )


def facts(**changes: Any) -> Facts:
    whole = Facts(
        incident=12,
        title="Inondation : « au secours » dit @lulu",
        severity=Severity.CRITICAL,
        state=IncidentState.OPEN,
        at=NIGHT,
        opened_at=NIGHT - timedelta(minutes=9),
        rule="flood_distress",
        value=12,
        threshold=3,
        author_count=11,
        assignee=None,
    )
    return replace(whole, **changes)


@dataclass
class House:
    """A store with people, their phones, and the stage that tells them."""

    store: SqliteStore
    service: PushService
    loaded: Loaded
    stack: AsyncExitStack
    now: datetime = NIGHT
    handsets: dict[str, Handset] = field(default_factory=dict)
    _number: int = 0

    async def phone(self, user: str, name: str | None = None, **changes: Any) -> int:
        """Return the id of a device of this user, subscribed at the service."""
        called = name or user
        handset = self.service.subscribe(called)
        self.handsets[called] = handset
        text = json.dumps({**handset.fields, **changes})
        mark = f"mark-{called}"
        key = parts.push_key(self.loaded)
        sealed = seal.seal(text, key, os.urandom(12), mark)
        number = await self.store.write(
            lambda db: kept.add(
                db, user=user, mark=mark, sealed=sealed, name="Firefox", known="", now=NIGHT
            )
        )
        assert number is not None
        return number

    async def notifier(self) -> Notifier:
        link_desk = desks.open_desks(self.loaded, Runner(now=utc_now)).links
        shared = push.shared(
            self.loaded,
            self.store,
            now=lambda: self.now,
            links=link_desk,
            ruleset=lambda: RULES,
        )
        found = await channels.notifiers(self.loaded, self.stack, devices=shared)
        return found["telephones"]

    async def stage(self) -> Deliver:
        return Deliver(
            self.store,
            receiver="telephones",
            notifier=await self.notifier(),
            sender=Sender(
                institution="Saint-Aubin",
                public_url="https://veille.example",
                documents=push.nothing_written,
            ),
            jitter=lambda: 1.0,
        )

    async def plan(self, kind: NotificationKind = NotificationKind.OPENED, **changes: Any) -> None:
        self._number += 1
        told = facts(**{"at": self.now, **changes})
        row = OutboxRow(
            key=f"I12-{kind}-{self._number}",
            receiver="telephones",
            incident=12,
            kind=kind,
            facts=told,
            due_at=self.now,
        )
        await self.store.write(lambda db: outbox.add(db, [row]))

    async def deliver(self, stage: Deliver) -> None:
        while await stage.step(self.now):
            pass

    def heard(self) -> dict[str, int]:
        return {name: len(one.taken) for name, one in self.handsets.items()}

    async def waiting(self) -> int:
        found = await self.store.read(lambda db: outbox.log(db, 12))
        return sum(entry.state == "waiting" for entry in found)


Make = Callable[..., Any]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            SqliteStore(tmp_path / "veille.db", group_commit=timedelta(0), is_durable=False)
        )
        service = await stack.enter_async_context(PushService())
        for name in ("camille", "noe", "ines"):
            await store.write(
                lambda db, name=name: users.add(
                    db, name=name, password_hash="h", role=Role.TRIAGE, now=NIGHT
                )
            )

        def build(receiver: str = "", **secrets: str) -> House:
            return House(store, service, loaded(tmp_path, receiver, **secrets), stack)

        yield build


async def test_a_phone_reads_how_grave_what_and_which_and_nothing_of_a_mention(make: Make) -> None:
    house = make()
    await house.phone("camille")
    await house.plan()
    await house.deliver(await house.stage())
    (said,) = house.handsets["camille"].taken
    assert said["title"] == "▲ Critique · Inondation"
    assert said["body"] == "I12 · depuis 02:05 · personne ne l'a pris en charge"
    assert (said["tag"], said["path"], said["rings"], said["stays"]) == (
        "I12", "/incidents/12", True, True,
    )  # fmt: skip
    assert said["take"].startswith("/l/")
    sealed = house.handsets["camille"].bodies[0]
    assert b"Inondation" not in sealed
    whole = json.dumps(said, ensure_ascii=False)
    assert "lulu" not in whole
    assert "secours" not in whole


@pytest.mark.parametrize(
    ("rule", "theme"),
    [("flood_distress", "Inondation"), ("danger", "Danger"), ("roads", "Voirie"),
     ("plain", "Incident"), ("deleted_since", "Incident")],
)  # fmt: skip
async def test_the_theme_is_the_rules_topic_and_never_its_words(
    make: Make, rule: str, theme: str
) -> None:
    house = make()
    await house.phone("camille")
    await house.plan(rule=rule, severity=Severity.INFO)
    await house.deliver(await house.stage())
    title = house.handsets["camille"].taken[0]["title"]
    assert title == f"● Info · {theme}"


async def test_the_push_service_is_told_only_what_it_needs(make: Make) -> None:
    house = make('ttl = "30m"')
    await house.phone("camille")
    await house.plan()
    await house.deliver(await house.stage())
    (headers,) = house.handsets["camille"].headers
    assert headers["TTL"] == "1800"
    assert headers["Urgency"] == "high"
    assert headers["Content-Encoding"] == "aes128gcm"
    assert len(headers["Topic"]) == 32
    assert "I12" not in headers["Topic"]
    assert headers["User-Agent"].startswith("veille/")
    assert house.handsets["camille"].claims[0]["sub"] == "mailto:dsi@mairie.example"


async def test_news_of_one_incident_replace_each_other_and_only_new_trouble_rings(
    make: Make,
) -> None:
    house = make()
    await house.phone("camille")
    stage = await house.stage()
    for kind, state in (
        (NotificationKind.OPENED, IncidentState.OPEN),
        (NotificationKind.ACKNOWLEDGED, IncidentState.ACKNOWLEDGED),
        (NotificationKind.REFRESHED, IncidentState.ACKNOWLEDGED),
        (NotificationKind.RESOLVED, IncidentState.RESOLVED),
    ):
        await house.plan(kind, state=state, actor="noe", assignee="noe")
        await house.deliver(stage)
    handset = house.handsets["camille"]
    assert [one["rings"] for one in handset.taken] == [True, False, False]
    assert {one["tag"] for one in handset.taken} == {"I12"}
    assert len({headers["Topic"] for headers in handset.headers}) == 1
    assert [one["take"] != "" for one in handset.taken] == [True, False, False]
    assert "noe" not in json.dumps(handset.taken), "no colleague is named on a lock screen"
    assert await house.waiting() == 0


@pytest.mark.parametrize(
    ("receiver", "relay", "heard"),
    [
        ("", (), {"camille", "noe"}),
        ('to = ["ines"]', (), {"ines"}),
        ('schedules = ["astreinte"]', (), {"ines"}),
        ('to = ["NOE"]\nschedules = ["astreinte"]', (), {"noe", "ines"}),
        ("", ("Camille Roux",), {"camille"}),
        ('to = ["ines"]', ("noe",), {"noe"}),
        ('to = ["ines"]', ("ines",), {"ines"}),
    ],
)
async def test_those_are_told_whom_the_receiver_means_or_the_relay_calls(
    make: Make, receiver: str, relay: tuple[str, ...], heard: set[str]
) -> None:
    house = make(receiver)
    for name in ("camille", "noe", "ines"):
        await house.phone(name)
    called = Relay(step=1, steps=1, round=1, waited=timedelta(0), names=relay) if relay else None
    await house.plan(NotificationKind.OPENED, relay=called)
    await house.deliver(await house.stage())
    assert {name for name, count in house.heard().items() if count} == heard


async def test_a_device_that_is_gone_is_forgotten_and_the_others_hear(make: Make) -> None:
    house = make()
    await house.phone("camille")
    await house.phone("camille", "camille-old")
    house.service.fail_next("camille-old", 410)
    await house.plan()
    await house.deliver(await house.stage())
    assert house.heard() == {"camille": 1, "camille-old": 0}
    left = await house.store.read(lambda db: kept.of(db, "camille"))
    assert [one.mark for one in left] == ["mark-camille"]
    assert await house.waiting() == 0


async def test_when_no_device_is_left_the_alert_waits_and_says_why(make: Make) -> None:
    house = make()
    await house.phone("camille")
    house.service.fail_next("camille", 404)
    await house.plan()
    await house.deliver(await house.stage())
    (entry,) = await house.store.read(lambda db: outbox.log(db, 12))
    assert entry.state == "waiting"
    assert "Aucun appareil" in (entry.error or "")


async def test_a_device_takes_it_once_while_another_is_tried_again(make: Make) -> None:
    house = make()
    await house.phone("camille")
    await house.phone("noe")
    house.service.fail_next("noe", 503)
    await house.plan()
    stage = await house.stage()
    await house.deliver(stage)
    assert house.heard() == {"camille": 1, "noe": 0}
    assert await house.waiting() == 1
    house.now += timedelta(seconds=30)
    await house.deliver(stage)
    assert house.heard() == {"camille": 1, "noe": 1}
    assert await house.waiting() == 0


async def test_a_service_that_stays_down_holds_nobody_else_up_for_long(make: Make) -> None:
    house = make()
    await house.phone("camille")
    number = await house.phone("noe")
    for _ in range(9):
        house.service.fail_next("noe", 500)
    await house.plan()
    stage = await house.stage()
    for _ in range(5):
        await house.deliver(stage)
        house.now += timedelta(seconds=61)
    assert await house.waiting() == 0
    assert house.heard() == {"camille": 1, "noe": 0}
    found = await house.store.read(lambda db: kept.get(db, number))
    assert found is not None
    assert "127.0.0.1" in found.trouble
    assert "/wp/" not in found.trouble, "its address is a secret"


async def test_retry_after_is_honoured(make: Make) -> None:
    house = make()
    await house.phone("camille")
    house.service.fail_next("camille", 429, **{"Retry-After": "120"})
    await house.plan()
    stage = await house.stage()
    await house.deliver(stage)
    house.now += timedelta(seconds=100)
    await house.deliver(stage)
    assert house.heard() == {"camille": 0}
    house.now += timedelta(seconds=30)
    await house.deliver(stage)
    assert house.heard() == {"camille": 1}


@pytest.mark.parametrize(
    ("status", "may_retry", "is_content"),
    [(400, False, False), (401, False, False), (403, False, False), (413, True, True),
     (429, True, False), (500, True, False), (503, True, False), (301, False, False)],
)  # fmt: skip
async def test_each_refusal_is_told_apart(
    make: Make, status: int, may_retry: bool, is_content: bool
) -> None:
    house = make()
    await house.phone("camille")
    house.service.fail_next("camille", status, Location="https://elsewhere.example/")
    await house.plan()
    stage = await house.stage()
    row = await house.store.write(
        lambda db: outbox.claim(db, "telephones", now=NIGHT, lease=timedelta(minutes=1))
    )
    assert row is not None
    with pytest.raises(DeliveryError) as caught:
        await stage._send(row)
    assert (caught.value.may_retry, caught.value.is_content) == (may_retry, is_content)
    assert "/wp/" not in str(caught.value)


async def test_a_service_that_is_not_listed_any_more_is_not_called(make: Make) -> None:
    house = make()
    await house.phone("camille", endpoint="https://push.elsewhere.example/x")
    await house.plan()
    await house.deliver(await house.stage())
    (entry,) = await house.store.read(lambda db: outbox.log(db, 12))
    assert "allow_hosts" in (entry.error or "")


async def test_a_disabled_user_hears_nothing_and_other_keys_open_no_address(make: Make) -> None:
    house = make()
    await house.phone("camille")
    await house.phone("noe")
    await house.store.write(lambda db: users.disable(db, "noe", now=NIGHT))
    notifier = await house.notifier()
    devices = notifier._push.devices  # type: ignore[attr-defined]
    assert [one.user for one in await devices.meant("telephones", None)] == ["camille"]
    other = make(PSEUDONYM_KEY="une autre clef, aussi longue")
    devices = (await other.notifier())._push.devices
    assert await devices.meant("telephones", None) == []


async def test_a_trial_reaches_the_one_device_and_a_revoked_one_is_let_go(make: Make) -> None:
    house = make()
    number = await house.phone("camille")
    await house.phone("noe")
    for key in (f"push.trial.{number}.1768698840", "push.trial.999.1768698840"):
        row = OutboxRow(
            key=key,
            receiver="telephones",
            incident=0,
            kind=NotificationKind.TRIAL,
            facts=None,
            due_at=NIGHT,
        )
        await house.store.write(lambda db, row=row: outbox.add(db, [row]))
    await house.deliver(await house.stage())
    assert house.heard() == {"camille": 1, "noe": 0}
    assert house.handsets["camille"].taken[0]["title"] == "Essai de veille"
    assert await house.store.read(outbox.depth) in ({}, {"telephones": 0})


async def test_a_commune_is_named_where_the_texts_settle_it(make: Make) -> None:
    from veille.domain.notification import Notification
    from veille.notifiers.message import Voice
    from veille.notifiers.push_words import shown
    from veille.wording.catalogue import catalogue

    house = make()
    note = Notification(
        key="k",
        kind=NotificationKind.OPENED,
        facts=facts(state=IncidentState.RESOLVED),
        institution="Saint-Aubin",
        link="https://veille.example/incidents/12",
        places=("rue du Lavoir", "chez Madame Roux"),
        communes=("Lons\u202e\x00",),
    )
    voice = Voice(words=catalogue("en"), zone=house.loaded.timezone)
    said = shown(note, theme="", take="/l/x", voice=voice)
    assert said.title.endswith("· Incident")
    assert "Lons" in said.body
    assert "\x00" not in said.body
    assert "Lavoir" not in said.body
    assert "Roux" not in said.body
    assert said.take == ""


async def test_verify_says_what_is_wrong_with_the_key_and_sends_nothing(make: Make) -> None:
    house = make()
    await house.phone("camille")
    assert "clé" in await (await house.notifier()).verify()  # type: ignore[attr-defined]
    bad = make(PUSH_KEY="rien")
    with pytest.raises(DeliveryError, match="veille push keys"):
        await (await bad.notifier()).verify()
    assert house.heard() == {"camille": 0}


def test_the_account_page_is_given_the_public_key_and_no_secret(tmp_path: Path) -> None:
    found = push.desk(loaded(tmp_path))
    assert found is not None
    assert found.public_key == webpush.public_key(KEY)
    assert KEY not in repr(found)
    assert "sealing_key" not in repr(found)
    without = loaded(tmp_path)
    without = replace(without, secrets=Secrets({}, where="secrets.toml"))
    assert push.desk(without) is None


@pytest.mark.parametrize(
    ("receiver", "named"),
    [
        ('schedules = ["nuit"]', "nuit"),
        ('ttl = "30s"', "ttl"),
        ('ttl = "8d"', "ttl"),
        ('timeout = "1h"', "timeout"),
        ("quotes = true", "quotes"),
        ('fallback = "personne"', "personne"),
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path: Path, receiver: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        loaded(tmp_path, receiver)


def test_check_says_when_no_device_could_be_notified(tmp_path: Path) -> None:
    assert list(push.findings(loaded(tmp_path))) == []
    text = CONFIG.replace("{receiver}", "").replace('receivers = ["telephones"]', "")
    config = parse(text + '[web]\npublic_url = "http://veille.mairie.example"\n', name="c.toml")
    found = list(push.findings(replace(loaded(tmp_path), config=config)))
    assert len(found) == 2
    assert "https" in found[0]
    assert "tells nobody" in found[1]


def test_a_link_in_a_push_is_one_persons(tmp_path: Path) -> None:
    found = desks.open_desks(loaded(tmp_path, 'to = ["Zoe"]'), Runner(now=utc_now)).links
    assert found is not None
    assert found.owners["telephones/camille"] == "camille"
    assert found.owners["telephones/zoe"] == "Zoe"


def test_the_sealed_address_is_json_of_the_subscription() -> None:
    given = webpush.Subscription(endpoint="e", p256dh="p", auth="a")
    assert json.loads(msgspec.json.encode(given)) == {"endpoint": "e", "p256dh": "p", "auth": "a"}
