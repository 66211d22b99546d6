"""What `/metrics` shows is documented, bounded and holds nothing of people."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from veille.app import exposition as module
from veille.app.exposition import Exposition, Names
from veille.domain.alert import Flag, Severity
from veille.domain.incident import Event, Incident, IncidentState
from veille.domain.mention import MentionKind
from veille.domain.notification import Facts, NotificationKind, OutboxRow
from veille.domain.record import Identity, MaskedMention
from veille.store import incidents, mentions, outbox, queue, sources, timeline
from veille.store.engine import Db, SqliteStore
from veille.telemetry.metrics import SENT, Metrics, begin
from veille.telemetry.metrics import metrics as current

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
RULES = Path(__file__).parents[2] / "monitoring" / "veille.rules.yml"
NAMES = Names(sources={"presse": "rss", "formulaire": "webhook"}, receivers={"astreinte": "slack"})
TEXT, AUTHOR, URL = "Zébulon appelle au secours", "zebulon", "https://presse.example/zebulon"


@pytest.fixture
async def exposition(
    store: SqliteStore,
    metrics: Metrics,
    tmp_path: Path,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> Exposition:
    monkeypatch.setattr(module, "FRESH_S", 0.0)
    database = tmp_path / "data" / "veille.db"
    made = Exposition(store, metrics, names=NAMES, database=database, now=lambda: now)
    await made.open()
    return made


def _mention(key: str, now: datetime, *, late: timedelta = timedelta(0)) -> MaskedMention:
    return MaskedMention(
        key=key,
        source="presse",
        watches=("mairie",),
        kind=MentionKind.POST,
        text=TEXT,
        created_at=now - late,
        received_at=now,
        content_hash=key,
        identity=Identity(native_id=AUTHOR, url=URL, author_id=AUTHOR, author_name=AUTHOR),
        author=AUTHOR,
    )


def _add(*found: MaskedMention, now: datetime) -> Callable[[Db], object]:
    return lambda db: mentions.add(db, mentions=found, tombstones=(), now=now)


def _incident(now: datetime) -> Incident:
    return Incident(
        id=1,
        key="k",
        labels={},
        state=IncidentState.OPEN,
        severity=Severity.CRITICAL,
        title=TEXT,
        opened_at=now,
        updated_at=now,
    )


def _row(now: datetime) -> OutboxRow:
    facts = Facts(
        incident=1,
        title=TEXT,
        severity=Severity.CRITICAL,
        state=IncidentState.OPEN,
        at=now,
        opened_at=now,
        rule="urgent",
        value=1,
        threshold=1,
        author_count=1,
    )
    return OutboxRow(
        key="I1-opened-1",
        receiver="astreinte",
        incident=1,
        kind=NotificationKind.OPENED,
        facts=facts,
        due_at=now,
    )


async def _samples(exposition: Exposition) -> dict[tuple[str, ...], float]:
    """Return every value by name and its label values, by label."""
    text = (await exposition.render()).decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_what_is_exported_is_documented_and_the_reverse(exposition: Exposition) -> None:
    families = list(text_string_to_metric_families((await exposition.render()).decode()))
    exported = {
        f"{f.name}_total" if f.type == "counter" else f.name
        for f in families
        if f.name.startswith("veille_")
    }
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(veille_[a-z_]+)` \|", page, re.MULTILINE)) == exported


async def test_alert_rules_ask_only_for_what_is_exported(exposition: Exposition) -> None:
    text = (await exposition.render()).decode()
    exported = {s.name for f in text_string_to_metric_families(text) for s in f.samples}
    exported |= {f.name for f in text_string_to_metric_families(text)}
    asked = set(re.findall(r"\bveille_[a-z_]+", RULES.read_text(encoding="utf-8")))
    assert asked <= exported


async def test_no_text_author_or_address_is_shown(
    exposition: Exposition, store: SqliteStore, now: datetime
) -> None:
    await store.write(_add(_mention("a", now), now=now))
    await store.write(lambda db: incidents.save(db, _incident(now), expected_version=None))
    await store.write(lambda db: outbox.add(db, [_row(now)]))
    await store.write(
        lambda db: sources.note_error(db, "presse", at=now, error=URL, next_try_at=now)
    )
    await store.write(  # a source that was taken out of the configuration
        lambda db: sources.note_error(db, AUTHOR, at=now, error=TEXT, next_try_at=now)
    )
    shown = (await exposition.render()).decode()
    assert 'veille_outbox_depth{channel="slack",receiver="astreinte"} 1.0' in shown
    assert "bulon" not in shown
    assert "presse.example" not in shown
    labels = {
        name
        for family in text_string_to_metric_families(shown)
        for sample in family.samples
        for name in sample.labels
    }
    assert labels <= {
        *("source", "kind", "stage", "receiver", "channel", "outcome", "state", "severity", "le"),
        *("version", "python", "sqlite"),
    }


async def test_what_waits_shows_its_depth_and_age(
    exposition: Exposition, store: SqliteStore, now: datetime
) -> None:
    early = now - timedelta(seconds=90)
    await store.write(_add(_mention("a", early), _mention("b", now), now=now))
    await store.write(lambda db: outbox.add(db, [_row(early)]))

    def try_once(db: Db) -> None:
        row = outbox.claim(db, "astreinte", now=now, lease=timedelta(minutes=1))
        assert row is not None
        outbox.retry(db, row, due_at=now + timedelta(minutes=9), error="503", now=now)

    await store.write(try_once)
    shown = await _samples(exposition)
    assert shown["veille_stage_queue_depth", "analyze"] == 2
    assert shown["veille_stage_oldest_age_seconds", "analyze"] == 90
    assert shown["veille_stage_oldest_age_seconds", "deliver"] == 90  # a retry does not hide it
    assert shown["veille_outbox_oldest_age_seconds", "slack", "astreinte"] == 90
    assert shown["veille_receiver_up", "slack", "astreinte"] == 0


async def test_sources_count_what_they_brought_even_before_they_brought_anything(
    exposition: Exposition, store: SqliteStore, now: datetime
) -> None:
    before = await _samples(exposition)
    assert before["veille_mentions_ingested_total", "presse"] == 0
    assert before["veille_collector_last_success_timestamp_seconds", "rss", "presse"] == 0
    await store.write(
        lambda db: sources.note_read(
            db, "presse", at=now, accepted=3, unmatched=4, rejected=5, unknown_fields=0
        )
    )
    after = await _samples(exposition)
    assert after["veille_mentions_ingested_total", "presse"] == 3
    assert after["veille_mentions_unmatched_total", "presse"] == 4
    assert after["veille_mentions_rejected_total", "presse"] == 5
    assert (
        after["veille_collector_last_success_timestamp_seconds", "rss", "presse"] == now.timestamp()
    )


async def test_lag_and_time_to_ack_count_only_what_is_new(
    store: SqliteStore, exposition: Exposition, metrics: Metrics, tmp_path: Path, now: datetime
) -> None:
    await store.write(_add(_mention("old", now), now=now))
    await exposition.open()
    late = _mention("new", now, late=timedelta(seconds=40))
    ahead = _mention("ahead", now, late=timedelta(seconds=-40))
    await store.write(_add(late, ahead, now=now))
    await store.write(lambda db: incidents.save(db, _incident(now), expected_version=None))
    await store.write(
        lambda db: queue.flag(db, [Flag(key="new", rule="r", severity=Severity.INFO, at=now)])
    )
    taken = [
        Event(target="I1", at=now + timedelta(seconds=70), kind="incident.acknowledged"),
        Event(target="Q1", at=now + timedelta(seconds=20), kind="queue.taken"),
        Event(target="I99", at=now, kind="incident.acknowledged"),
    ]
    await store.write(lambda db: timeline.add(db, taken))
    for _ in range(2):
        shown = await _samples(exposition)
    assert shown["veille_ingest_lag_seconds_count",] == 2
    assert shown["veille_ingest_lag_seconds_sum",] == 40  # a clock ahead counts as no lag
    assert shown["veille_triage_time_to_ack_seconds_count",] == 2
    assert shown["veille_triage_time_to_ack_seconds_sum",] == 90


async def test_a_blocked_store_still_shows_the_rest(
    exposition: Exposition, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_S", 0.05)
    block = threading.Event()
    held = [asyncio.ensure_future(store.read(lambda db: block.wait(10))) for _ in range(2)]
    await asyncio.sleep(0)
    shown = await _samples(exposition)
    assert shown["veille_store_up",] == 0
    assert ("veille_loop_lag_seconds",) in shown
    block.set()
    await asyncio.gather(*held)
    assert (await _samples(exposition))["veille_store_up",] == 1


async def test_scraping_often_reads_the_store_once(
    exposition: Exposition, store: SqliteStore, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH_S", 60.0)
    first = await asyncio.gather(*(exposition.render() for _ in range(20)))
    await store.write(_add(_mention("a", now), now=now))
    assert {*first, await exposition.render()} == {first[0]}


async def test_a_new_daemon_counts_from_zero(metrics: Metrics) -> None:
    metrics.notified("astreinte", SENT)
    labels = {"channel": "slack", "receiver": "astreinte", "outcome": "sent"}
    name = "veille_notifications_total"
    assert metrics.registry.get_sample_value(name, labels) == 1
    again = begin({"astreinte": "slack"})
    assert current() is again
    assert again.registry.get_sample_value(name, labels) == 0
