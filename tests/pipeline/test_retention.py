"""What goes when, on a virtual clock; and the proof that it went."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from veille.domain.incident import QueueState
from veille.domain.mention import Batch
from veille.pipeline.redact import Redact
from veille.pipeline.sweep import Sweep
from veille.privacy.settings import PrivacySettings, Retention
from veille.store import audit, incidents, mentions, outbox

if TYPE_CHECKING:
    from conftest import Town
    from veille.store.engine import Db, SqliteStore

TABLES = (
    "mentions", "mention_versions", "identities", "analyses", "observations", "alerts",
    "transitions", "incidents", "evidence", "queue", "timeline", "outbox", "shown", "redactions",
)  # fmt: skip


def sizes(db: Db) -> dict[str, int]:
    return {name: db.value(f"SELECT count(*) FROM {name}") for name in TABLES}


async def a_night(town: Town, store: SqliteStore) -> None:
    """A call that opened an incident, was told and is over, and small talk."""
    call, talk = town.mention("au secours, l'eau monte"), town.mention("le marché est ouvert")
    await town.collect.accept(town.source, Batch(mentions=(call, talk)), now=town.now)
    await town.work()

    def tell(db: Db) -> None:
        while row := outbox.claim(db, "astreinte", now=town.now, lease=timedelta(minutes=2)):
            outbox.sent(db, row, ref={"ts": "1"}, now=town.now)
        while row := outbox.claim(db, "courriel", now=town.now, lease=timedelta(minutes=2)):
            outbox.sent(db, row, ref={"message_id": "1"}, now=town.now)

    await store.write(tell)
    await town.run(timedelta(minutes=11))
    await store.write(tell)
    assert await store.read(incidents.unresolved) == []
    await store.write(lambda db: db.execute("UPDATE queue SET state = ?", (QueueState.CLOSED,)))


async def swept(town: Town, store: SqliteStore, settings: PrivacySettings | None = None) -> None:
    sweep = Sweep(store, settings or PrivacySettings())
    redact = Redact(store)
    while await sweep.step(town.now) or await redact.step(town.now):
        await town.evaluate.step(town.now)
    await town.evaluate.step(town.now)


async def texts(store: SqliteStore) -> set[str]:
    found = await store.read(lambda db: db.rows("SELECT text FROM mentions WHERE text <> ''"))
    return {row["text"] for row in found}


async def test_each_class_goes_after_its_days_and_nothing_is_left_after_all(
    town: Town, store: SqliteStore
) -> None:
    await a_night(town, store)
    night = town.now
    kept = {"au secours, l'eau monte", "le marché est ouvert"}
    for days, expected in (
        (5, kept),
        (31, {"au secours, l'eau monte"}),
        (364, {"au secours, l'eau monte"}),
        (366, set()),
    ):
        town.now = night + timedelta(days=days)
        await swept(town, store)
        assert await texts(store) == expected
    town.now = night + timedelta(days=366 + 9)
    await swept(town, store)
    assert await store.read(sizes) == dict.fromkeys(TABLES, 0)
    assert await store.read(audit.verify) is None


async def test_windows_still_see_what_was_deleted_until_no_rule_looks_back(
    town: Town, store: SqliteStore
) -> None:
    await a_night(town, store)
    night = town.now
    town.now = night + timedelta(days=31)
    await swept(town, store)
    assert await store.read(mentions.counts) == {"analyzed": 1, "deleted": 1}
    town.now += timedelta(days=9)
    await swept(town, store)
    assert await store.read(mentions.counts) == {"analyzed": 1}


async def test_a_deletion_that_no_rule_has_taken_back_yet_stays_on_record(
    town: Town, store: SqliteStore
) -> None:
    await town.say("le marché est ouvert")
    await town.work()
    town.now += timedelta(days=31)
    sweep, redact = Sweep(store, PrivacySettings()), Redact(store)
    await sweep.step(town.now)
    await redact.step(town.now)
    town.now += timedelta(days=30)  # evaluate stands still meanwhile
    await sweep.step(town.now)
    assert await store.read(mentions.counts) == {"deleted": 1}


async def test_what_went_is_proven_each_day_in_the_audit_log(
    town: Town, store: SqliteStore
) -> None:
    await a_night(town, store)
    town.now += timedelta(days=31)
    await swept(town, store)
    day = town.now.date().isoformat()
    town.now += timedelta(days=1)
    await swept(town, store)
    await swept(town, store)
    found = await store.read(
        lambda db: db.rows("SELECT target, after FROM audit WHERE action = 'retention.swept'")
    )
    assert [(r["target"], json.loads(r["after"])["texts"]) for r in found] == [(day, 1)]


async def test_a_day_of_the_audit_log_is_one_of_the_town(town: Town, store: SqliteStore) -> None:
    sweep = Sweep(store, PrivacySettings(), zone=ZoneInfo("Pacific/Wallis"))  # UTC+12
    for hour in (0, 11, 13):  # the town's midnight is at noon in UTC
        await sweep.step(datetime(2026, 1, 18, hour, tzinfo=UTC))
    found = await store.read(lambda db: db.rows("SELECT target FROM audit"))
    assert [row["target"] for row in found] == ["2026-01-18"]
    (today,) = await store.read(lambda db: db.rows("SELECT DISTINCT day FROM swept"))
    assert today["day"] == "2026-01-19"


async def test_a_day_on_which_nothing_was_old_is_proven_too(town: Town, store: SqliteStore) -> None:
    await swept(town, store)
    town.now += timedelta(days=1)
    await swept(town, store)
    found = await store.read(
        lambda db: db.rows("SELECT after FROM audit WHERE action = 'retention.swept'")
    )
    assert [row["after"] for row in found] == ["{}"]


async def test_an_open_incident_keeps_its_history_however_old(
    town: Town, store: SqliteStore
) -> None:
    await town.say("au secours, l'eau monte")
    await town.work()
    before = await store.read(sizes)
    town.now += timedelta(days=800)
    sweep = Sweep(store, PrivacySettings())
    while await sweep.step(town.now):
        pass
    after = await store.read(sizes)
    for table in ("incidents", "timeline", "alerts", "queue", "outbox"):
        assert after[table] == before[table]


@pytest.mark.parametrize("flagged", ["10d", "400d"])
async def test_a_queue_item_goes_with_the_days_of_its_class(
    town: Town, store: SqliteStore, flagged: str
) -> None:
    await a_night(town, store)
    town.now += timedelta(days=11)
    await swept(town, store, PrivacySettings(retention=Retention(flagged=flagged)))
    assert (await store.read(sizes))["queue"] == (0 if flagged == "10d" else 1)


async def test_a_tombstone_outlives_every_source_that_lists_old_items(
    town: Town, store: SqliteStore
) -> None:
    mention = town.mention("le marché est ouvert")
    batch = Batch(mentions=(mention,))
    await town.collect.accept(town.source, batch, now=town.now)
    await town.work()
    town.now += timedelta(days=31)
    await swept(town, store)
    town.now += timedelta(days=398)
    await swept(town, store)
    again = await town.collect.accept(town.source, batch, now=town.now)
    assert (again.stored, again.seen) == (0, 1)
    town.now += timedelta(days=3)
    await swept(town, store)
    assert await store.read(lambda db: db.value("SELECT count(*) FROM tombstones")) == 0
