"""What `/metrics` shows: events as counted, and how the store and its disk stand."""

from __future__ import annotations

import asyncio
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from veille import __version__
from veille.domain.clock import monotonic_s
from veille.domain.errors import StoreError
from veille.store.engine import Db
from veille.store.figures import Figures, Marks, News, Waiting, figures, marks, news
from veille.store.protocol import Store
from veille.telemetry.metrics import Metrics

FRESH_S = 5.0
"""The store is read this rarely, however often it is asked: scrapes come every 15 to 60 s."""
READ_S = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The closed sets of labels, from config.toml: kind by source, channel by receiver."""

    sources: Mapping[str, str]
    receivers: Mapping[str, str]


class Exposition:
    """Prometheus text, made at most every `FRESH_S`; `open` first, so that only news count."""

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        *,
        names: Names,
        database: Path,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._names = names
        self._database = database
        self._now = now
        self._marks = Marks(mention=0, event=0)
        self._lock = asyncio.Lock()
        self._text = b""
        self._made_s = float("-inf")

    async def open(self) -> None:
        """What happened before now is history, not news."""
        self._marks = await self._store.read(marks)

    async def render(self) -> bytes:
        """Return the text format 0.0.4, at most `FRESH_S` old.

        When the store does not answer within `READ_S`: without its figures, `veille_store_up 0`.
        """
        async with self._lock:
            if monotonic_s() - self._made_s >= FRESH_S:
                self._text = await self._make()
                self._made_s = monotonic_s()
            return self._text

    async def _make(self) -> bytes:
        families = [_gauge("veille_store_up", "1 while the store can be read.", 1)]
        try:
            async with asyncio.timeout(READ_S):
                found, happened = await self._store.read(self._look)
                disk = await asyncio.to_thread(lambda: list(_disk(self._database)))
        except (TimeoutError, StoreError, OSError) as error:
            log.warning("metrics_incomplete", error=type(error).__name__)
            families = [_gauge("veille_store_up", "1 while the store can be read.", 0)]
        else:
            self._observe(happened)
            families += [*disk, *_families(found, self._names, self._now())]
        return generate_latest(_Listed([*self._metrics.registry.collect(), *families]))

    def _look(self, db: Db) -> tuple[Figures, News]:
        return figures(db), news(db, self._marks)

    def _observe(self, happened: News) -> None:
        self._marks = happened.marks
        for lag_s in happened.lags_s:
            self._metrics.ingest_lag.observe(lag_s)
        for ack_s in happened.acks_s:
            self._metrics.time_to_ack.observe(ack_s)


class _Listed(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _families(found: Figures, names: Names, now: datetime) -> Iterator[Metric]:
    build = GaugeMetricFamily(
        "veille_build_info", "What runs.", labels=["version", "python", "sqlite"]
    )
    build.add_metric([__version__, platform.python_version(), found.sqlite_version], 1)
    yield build
    yield from _sources(found, names)
    yield from _queues(found, names, now)
    for name, text, counts in (
        ("veille_alerts", "Alerts that are not resolved.", found.alerts),
        ("veille_incidents", "Incidents that are not resolved.", found.incidents),
    ):
        family = GaugeMetricFamily(name, text, labels=["state", "severity"])
        for (state, severity), count in sorted(counts.items()):
            family.add_metric([state, severity], count)
        yield family


def _sources(found: Figures, names: Names) -> Iterator[Metric]:
    for name, text in (
        ("ingested", "Mentions stored, edits included."),
        ("unmatched", "Mentions that match no watch."),
        ("rejected", "Items that could not be read."),
    ):
        counter = CounterMetricFamily(f"veille_mentions_{name}", text, labels=["source"])
        for source in names.sources:
            health = found.sources.get(source)
            field = "accepted" if name == "ingested" else name
            counter.add_metric([source], getattr(health, field) if health else 0)
        yield counter
    success = GaugeMetricFamily(
        "veille_collector_last_success_timestamp_seconds",
        "The last good read, 0 before the first.",
        labels=["source", "kind"],
    )
    up = GaugeMetricFamily(
        "veille_collector_up", "0 when the last read failed.", labels=["source", "kind"]
    )
    for source, kind in names.sources.items():
        health = found.sources.get(source)
        read_at = health.read_at if health else None
        success.add_metric([source, kind], read_at.timestamp() if read_at else 0)
        up.add_metric([source, kind], 0 if health and health.error is not None else 1)
    yield from (success, up)


def _queues(found: Figures, names: Names, now: datetime) -> Iterator[Metric]:
    depth = GaugeMetricFamily("veille_stage_queue_depth", "What waits.", labels=["stage"])
    age = GaugeMetricFamily(
        "veille_stage_oldest_age_seconds", "How long the oldest waits.", labels=["stage"]
    )
    for stage, waiting in found.stages.items():
        depth.add_metric([stage], waiting.count)
        age.add_metric([stage], _age_s(waiting, now))
    parked = GaugeMetricFamily("veille_parked_items", "Put aside: for people.", labels=["stage"])
    for stage, count in found.parked.items():
        parked.add_metric([stage], count)
    labels = ["receiver", "channel"]
    rows = GaugeMetricFamily("veille_outbox_depth", "Notifications to send.", labels=labels)
    oldest = GaugeMetricFamily(
        "veille_outbox_oldest_age_seconds", "How long the oldest waits to be sent.", labels=labels
    )
    up = GaugeMetricFamily(
        "veille_receiver_up", "0 while what waits was tried and failed.", labels=labels
    )
    for receiver, channel in names.receivers.items():
        waiting = found.outbox.get(receiver, Waiting(count=0, oldest_at=None))
        rows.add_metric([receiver, channel], waiting.count)
        oldest.add_metric([receiver, channel], _age_s(waiting, now))
        up.add_metric([receiver, channel], 0 if waiting.is_failing else 1)
    yield from (depth, age, parked, rows, oldest, up)


def _age_s(waiting: Waiting, now: datetime) -> float:
    # a clock set back must not show a negative age
    return max(0.0, (now - waiting.oldest_at).total_seconds()) if waiting.oldest_at else 0.0


def _disk(database: Path) -> Iterator[Metric]:
    usage = shutil.disk_usage(database.parent)
    yield _gauge("veille_disk_free_bytes", "Free where the store lies.", usage.free)
    yield _gauge("veille_disk_size_bytes", "The disk where the store lies.", usage.total)
    yield _gauge("veille_db_bytes", "The database file.", database.stat().st_size)
    log_file = database.with_name(f"{database.name}-wal")
    wal = log_file.stat().st_size if log_file.exists() else 0
    yield _gauge("veille_sqlite_wal_bytes", "The write-ahead log beside it.", wal)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
