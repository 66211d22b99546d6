"""Devices that are notified: one browser is one device, by index, gone with its user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from veille.domain.access import Role
from veille.store import push, users
from veille.store.engine import SqliteStore

NOW = datetime(2026, 1, 18, 1, 14, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(tmp_path / "veille.db", group_commit=timedelta(0)) as opened:
        for name in ("Camille", "Noé"):
            await opened.write(
                lambda db, name=name: users.add(
                    db, name=name, password_hash="h", role=Role.TRIAGE, now=NOW
                )
            )
        yield opened


async def add(store: SqliteStore, user: str, mark: str, *, known: str = "") -> int | None:
    return await store.write(
        lambda db: push.add(
            db, user=user, mark=mark, sealed=b"s", name="Firefox", known=known, now=NOW
        )
    )


async def test_those_that_failed_last_come_after_the_others(store: SqliteStore) -> None:
    first, second = await add(store, "Camille", "a"), await add(store, "noé", "b")
    assert first is not None
    await store.write(lambda db: push.failed(db, first, why="refused"))
    found = await store.read(lambda db: push.reached(db, ["CAMILLE", "Noé", "nobody"]))
    assert [one.id for one in found] == [second, first]
    await store.write(lambda db: push.took(db, first, key="k", now=NOW))
    found = await store.read(lambda db: push.reached(db, ["camille"]))
    assert [(one.took, one.trouble, one.took_at) for one in found] == [("k", "", NOW)]


async def test_a_browser_that_is_enabled_again_stays_one_device(store: SqliteStore) -> None:
    first = await add(store, "Camille", "a")
    assert await add(store, "Camille", "a") == first
    other = await add(store, "Noé", "a")
    assert [one.id for one in await store.read(lambda db: push.of(db, "Noé"))] == [other]
    assert await store.read(lambda db: push.of(db, "Camille")) == []


async def test_only_the_browser_that_signs_out_is_removed(store: SqliteStore) -> None:
    await add(store, "Camille", "a", known="here")
    await add(store, "Camille", "b", known="")
    await add(store, "Noé", "c", known="here")
    assert await store.write(lambda db: push.remove_browser(db, user="Camille", known="")) == 0
    assert await store.write(lambda db: push.remove_browser(db, user="camille", known="here")) == 1
    assert [one.mark for one in await store.read(push.list_)] == ["b", "c"]


async def test_a_device_goes_with_its_user_and_reads_use_the_index(store: SqliteStore) -> None:
    number = await add(store, "Camille", "a")
    assert number is not None
    plan = await store.read(
        lambda db: " ".join(
            row["detail"]
            for row in db.rows(
                "EXPLAIN QUERY PLAN SELECT * FROM push_devices WHERE user = 'camille' ORDER BY id"
            )
        )
    )
    assert "push_devices_by_user" in plan
    await store.write(lambda db: users.disable(db, "Camille", now=NOW))
    assert await store.read(lambda db: push.get(db, number)) is None
    await store.write(lambda db: db.execute("DELETE FROM users WHERE folded = 'camille'"))
    assert await store.read(push.list_) == []
