"""The chain of the audit log: verified once a day, piece by piece; a break is an alert."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from veille.alerts.operational import AUDIT_BROKEN
from veille.domain.alert import AlertState
from veille.pipeline import chain as stage
from veille.pipeline.chain import Chain
from veille.store import alerts, audit, audit_trail
from veille.store.engine import Db, SqliteStore
from veille.wording.catalogue import catalogue

NOW = datetime(2026, 1, 18, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(
        tmp_path / "veille.db", group_commit=timedelta(0), is_durable=False
    ) as opened:
        yield opened


def write(count: int) -> object:
    def change(db: Db) -> None:
        for number in range(count):
            audit.add(db, at=NOW, actor="Camille", action="login", target=f"{number}")

    return change


async def look(chain: Chain, now: datetime) -> int:
    """Return how many steps a look took."""
    count = 1
    while await chain.step(now):
        count += 1
    return count


async def test_a_look_goes_on_where_a_killed_one_stopped(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "PIECE", 4)
    await store.write(write(10))  # type: ignore[arg-type]
    assert await Chain(store, say=catalogue("fr")).step(NOW)
    assert (await store.read(audit_trail.checked)).proof.seq == 4
    after = Chain(store, say=catalogue("fr"))
    assert await look(after, NOW) == 2
    found = await store.read(audit_trail.checked)
    assert (found.done_at, found.count, found.broken) == (NOW, 10, None)


async def test_it_rests_for_a_day_and_then_looks_again(store: SqliteStore) -> None:
    await store.write(write(3))  # type: ignore[arg-type]
    chain = Chain(store, say=catalogue("fr"))
    assert await look(chain, NOW) == 1
    await look(chain, NOW + 23 * HOUR)
    assert (await store.read(audit_trail.checked)).done_at == NOW
    await look(chain, NOW + 24 * HOUR)
    assert (await store.read(audit_trail.checked)).done_at == NOW + 24 * HOUR
    # the clock was set back: what was seen then says nothing of now
    await look(chain, NOW)
    assert (await store.read(audit_trail.checked)).done_at == NOW


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE audit SET target = 'x' WHERE seq = 5",
        "DELETE FROM audit WHERE seq = 5",
        "UPDATE audit SET hash = '0' WHERE seq = 5",
    ],
)
async def test_a_row_changed_or_removed_is_an_alert_that_ends_when_it_is_mended(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    monkeypatch.setattr(stage, "PIECE", 4)
    await store.write(write(10))  # type: ignore[arg-type]
    whole = await store.read(lambda db: db.rows("SELECT * FROM audit"))

    def forge(db: Db) -> None:
        db.execute("DROP TRIGGER audit_never_changes")
        db.execute("DROP TRIGGER audit_never_shrinks")
        db.execute(harm)

    await store.write(forge)
    chain = Chain(store, say=catalogue("fr"))
    await look(chain, NOW)
    assert (await store.read(audit_trail.checked)).broken == 5
    (alert,) = await store.read(alerts.live)
    assert (alert.rule, alert.state) == (AUDIT_BROKEN, AlertState.FIRING)
    assert "ligne 5" in alert.annotations["summary"]
    await look(chain, NOW + 24 * HOUR)
    told = await store.read(lambda db: alerts.transitions_after(db, 0, limit=9))
    assert len(told) == 1  # said once, however often it is seen

    def mend(db: Db) -> None:
        db.execute("DELETE FROM audit")
        db.many("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [tuple(r) for r in whole])

    await store.write(mend)
    await look(chain, NOW + 48 * HOUR)
    assert await store.read(alerts.live) == []
    assert (await store.read(audit_trail.checked)).broken is None


async def test_the_last_row_removed_is_noticed(store: SqliteStore) -> None:
    await store.write(write(3))  # type: ignore[arg-type]

    def cut(db: Db) -> None:
        db.execute("DROP TRIGGER audit_never_shrinks")
        db.execute("DELETE FROM audit WHERE seq = 3")

    await store.write(cut)
    await look(Chain(store, say=catalogue("fr")), NOW)
    assert (await store.read(audit_trail.checked)).broken == 3
