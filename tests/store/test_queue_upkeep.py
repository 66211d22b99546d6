"""What the queue keeps beside items: upgraded, read by index, gone with age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from veille.domain.access import Role
from veille.domain.alert import Flag, Severity
from veille.domain.incident import Event, QueueState
from veille.store import calls, deeds, drafts, mentions, queue, retention, timeline, users
from veille.store.deeds import Before, Part
from veille.store.engine import Db, SqliteStore, connect
from veille.store.migrations import MIGRATIONS

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def test_a_queue_of_the_last_release_keeps_what_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "veille.db"
    monkeypatch.setattr("veille.store.engine.MIGRATIONS", MIGRATIONS[:4])
    db = connect(path, is_durable=False)
    at = 1_768_698_000_000_000
    for number, state in enumerate(("new", "answered", "reported"), 1):
        db.execute(
            """INSERT INTO queue (mention, state, severity, rule, assignee, created_at, updated_at)
            VALUES (?, ?, 'info', 'r', 'Camille', ?, ?)""",
            (f"m{number}", state, at, at + number),
        )
    db.close()
    monkeypatch.undo()
    db = connect(path, is_durable=False)
    new, answered, reported = (queue.get(db, number) for number in (1, 2, 3))
    assert new is not None
    assert answered is not None
    assert reported is not None
    assert (new.answered_at, new.state_at) == (None, new.updated_at)
    assert (answered.answered_at, answered.answered_by) == (answered.updated_at, "Camille")
    assert reported.reported_at == reported.updated_at
    db.close()


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT * FROM queue WHERE snoozed_until <= 5 ORDER BY snoozed_until, id LIMIT 9",
         "queue_snoozed"),
        ("SELECT * FROM calls c JOIN timeline t ON t.seq = c.note WHERE c.user = 'x' "
         "AND c.seen_at IS NULL ORDER BY c.at DESC, c.note DESC LIMIT 9", "calls_open"),
        ("SELECT max(id) FROM deeds WHERE actor = 'x'", "deeds_by_actor"),
        ("SELECT * FROM drafts WHERE item = 1 ORDER BY id", "drafts_by_item"),
        ("DELETE FROM deed_parts WHERE target IN (SELECT value FROM json_each('[]'))",
         "deed_parts_by_target"),
        ("SELECT rule FROM item_verdicts WHERE rule = 'x' AND at >= 5", "item_verdicts_by_rule"),
    ],
)  # fmt: skip
def test_every_read_of_the_queue_goes_by_an_index(db: Db, sql: str, index: str) -> None:
    plan = " ".join(row["detail"] for row in db.rows(f"EXPLAIN QUERY PLAN {sql}"))
    assert index in plan
    assert "SCAN queue" not in plan
    assert "TEMP B-TREE" not in plan


async def test_what_could_be_undone_goes_after_a_day_and_the_rest_with_its_item(
    store: SqliteStore, mention
) -> None:
    def fill(db: Db) -> None:
        users.add(db, name="Sacha", password_hash="x", role=Role.TRIAGE, now=NOW)
        mentions.add(db, mentions=[mention("m")], tombstones=[], now=NOW)
        queue.flag(db, [Flag(key="m", rule="r", severity=Severity.INFO, at=NOW)])
        item = queue.get(db, 1)
        assert item is not None
        deed = deeds.begin(db, at=NOW, actor="Sacha", verb="take")
        deeds.add_part(db, deed, Part(target="Q1", version=2, before=Before(item=item)))
        drafts.add(db, item=1, text="x", author="Sacha", image=None, now=NOW)
        note = timeline.append(
            db, Event(target="Q1", at=NOW, kind="note", actor="Camille", text="@Sacha")
        )
        calls.add(db, note=note, names=["Sacha"], target="Q1", actor="Camille", at=NOW)
        db.execute("UPDATE queue SET state = ?", (QueueState.REPORTED,))

    await store.write(fill)
    ages = retention.Ages(flagged=timedelta(days=180), incident=timedelta(days=365))

    async def left(days: int) -> list[int]:
        now = NOW + timedelta(days=days)
        await store.write(lambda db: retention.purge(db, ages, now=now, limit=99))
        await store.write(lambda db: retention.purge(db, ages, now=now, limit=99))
        tables = ("queue", "deeds", "deed_parts", "drafts", "calls")
        sql = "SELECT count(*) FROM {}"
        return await store.read(lambda db: [db.value(sql.format(name)) for name in tables])

    assert await left(0) == [1, 1, 1, 1, 1]
    assert await left(2) == [1, 0, 0, 1, 1]
    assert await left(181) == [1, 0, 0, 1, 1]  # it is open: somebody follows it
    await store.write(lambda db: db.execute("UPDATE queue SET state = 'closed'"))
    assert await left(181) == [0, 0, 0, 0, 0]
