"""The audit log as it is read: every filter by an index, each row once, the newest first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import combinations
from pathlib import Path

import pytest

from veille.domain.alert import Alert, AlertState, Severity, Transition
from veille.store import alerts, audit, audit_trail, firings, flow
from veille.store.audit_trail import TrailFilter
from veille.store.engine import Db, SqliteStore

NOW = datetime(2026, 1, 18, 3, 0, tzinfo=UTC)
ASKED = {
    "actor": "a1",
    "action": "act2",
    "target": "Q3",
    "since": NOW + timedelta(minutes=20),
    "until": NOW + timedelta(minutes=170),
}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(
        tmp_path / "veille.db", group_commit=timedelta(0), is_durable=False
    ) as opened:
        await opened.write(fill)
        yield opened


def fill(db: Db) -> None:
    for n in range(200):
        audit.add(
            db,
            # the clock was set back once
            at=NOW + timedelta(minutes=n - (30 if n > 120 else 0)),
            actor=f"a{n % 2}",
            action=f"act{n % 3}",
            target=f"Q{n % 5}",
        )


async def test_every_filter_finds_what_it_says_in_whatever_pages(store: SqliteStore) -> None:
    everything = await store.read(lambda db: audit_trail.page(db, TrailFilter(), limit=999))
    assert len(everything) == 200
    for size in range(1, 6):
        for names in combinations(ASKED, size):
            where = TrailFilter(**{name: ASKED[name] for name in names})  # type: ignore[arg-type]
            wanted = [
                one.seq
                for one in everything
                if (where.actor is None or one.actor == where.actor)
                and (where.action is None or one.action == where.action)
                and (where.target is None or one.target == where.target)
                and (where.since is None or one.at >= where.since)
                and (where.until is None or one.at < where.until)
            ]
            found: list[int] = []
            before: int | None = None
            while True:

                def read(
                    db: Db, where: TrailFilter = where, before: int | None = before
                ) -> list[audit_trail.Entry]:
                    return audit_trail.page(db, where, limit=7, before=before)

                page = await store.read(read)
                found += [one.seq for one in page]
                if len(page) < 7:
                    break
                before = page[-1].seq
            assert found == wanted, names


def _plan(db: Db, *, sql: str, values: Sequence[str | int]) -> list[str]:
    return [row["detail"] for row in db.rows(f"EXPLAIN QUERY PLAN {sql} LIMIT 9", values)]


async def test_no_page_sorts_or_reads_the_whole_log(store: SqliteStore) -> None:
    for size in range(1, 6):
        for names in combinations(ASKED, size):
            where = TrailFilter(**{name: ASKED[name] for name in names})  # type: ignore[arg-type]
            sql, values = audit_trail.statement(where, before=150)

            plan = await store.read(partial(_plan, sql=sql, values=values))
            assert not [line for line in plan if "TEMP B-TREE" in line], (names, plan)
            assert not [line for line in plan if line.startswith("SCAN")], (names, plan)
            first = next((n for n in ("target", "action", "actor") if n in names), None)
            if first is not None:
                assert f"audit_by_{first}" in plan[0], (names, plan)


async def test_names_are_each_one_look_into_their_index(store: SqliteStore) -> None:
    assert await store.read(lambda db: audit_trail.names(db, "actor")) == ["a0", "a1"]
    assert await store.read(lambda db: audit_trail.names(db, "action")) == ["act0", "act1", "act2"]
    with pytest.raises(KeyError):
        await store.read(lambda db: audit_trail.names(db, "hash"))


def alert(rule: str, *, state: AlertState = AlertState.FIRING, shadow: bool = False) -> Alert:
    return Alert(
        fingerprint=rule,
        rule=rule,
        rule_version="1",
        severity=Severity.INFO,
        group={},
        labels={},
        state=state,
        started_at=NOW,
        shadow=shadow,
    )


async def test_firings_are_counted_by_their_index(store: SqliteStore) -> None:
    def write(db: Db) -> None:
        ages = ((40, False), (3, False), (2, True))
        alerts.add_transitions(
            db,
            [
                *(
                    Transition(at=NOW - timedelta(days=days), alert=alert("a", shadow=shadow))
                    for days, shadow in ages
                ),
                Transition(at=NOW, alert=alert("a", state=AlertState.RESOLVED)),
                Transition(at=NOW - timedelta(days=90), alert=alert("b")),
            ],
        )

    await store.write(write)
    since = NOW - timedelta(days=30)
    found = await store.read(lambda db: firings.by_rule(db, ["a", "b", "c"], since=since))
    assert found["a"] == firings.Fired(count=2, shadow=1, last_at=NOW - timedelta(days=2))
    assert found["b"] == firings.Fired(last_at=NOW - timedelta(days=90))
    assert found["c"] == firings.Fired()
    recent = await store.read(lambda db: firings.recent(db, "a", limit=2))
    assert [one.shadow for one in recent] == [True, False]
    for sql, values in ((firings.BY_RULE, ('["a"]', 0)), (firings.RECENT, ('["a"]', 9))):
        plan = await store.read(
            lambda db, sql=sql, values=values: [  # type: ignore[misc]
                row["detail"] for row in db.rows(f"EXPLAIN QUERY PLAN {sql}", values)
            ]
        )
        assert any("transitions_fired" in line for line in plan), plan
        assert not any(line.startswith("SCAN t") for line in plan), plan


async def test_a_source_of_which_nothing_came_has_an_empty_flow(store: SqliteStore) -> None:
    found = await store.read(lambda db: flow.by_source(db, ["presse"], now=NOW))
    assert found == {"presse": flow.Flow()}
