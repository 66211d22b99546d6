"""Obligations in the store: never a full scan, gone with their text, swept with age."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from veille.alerts.clock_settings import usual
from veille.domain.alert import Flag, Severity
from veille.domain.analysis import Analysis, Intent, IntentLabel
from veille.domain.record import MaskedMention
from veille.store import duties, ledger, mentions, obligations, people, queue, retention, work
from veille.store.engine import Db
from veille.store.migrations import MIGRATIONS

Maker = Callable[..., MaskedMention]
PROMISES = usual(ZoneInfo("Europe/Paris"))
GREAT = re.compile(
    r"SCAN (?:m|o|q|t|a|mentions|analyses|observations|obligations|queue|timeline)\b"
)


def ask(db: Db, made: MaskedMention, read: Analysis, now: datetime) -> str:
    question = replace(read, intent=Intent(label=IntentLabel.QUESTION, score=0.9))
    mentions.add(db, mentions=[made], tombstones=[], now=now)
    claimed = work.claim(db, limit=9, now=now + timedelta(days=1), lease=timedelta(0))
    work.save(db, [(one, question) for one in claimed], now=now)
    return made.key


def test_nothing_is_read_by_scanning_a_table(
    db: Db, mention: Maker, analysis: Callable[..., Analysis], now: datetime
) -> None:
    keys = [
        ask(db, mention(key, thread="t", author="ana", reply_to=before), analysis(), now)
        for key, before in (("a", None), ("b", "a"))
    ]
    queue.flag(db, [Flag(key="a", rule="r", severity=Severity.INFO, at=now)])
    said: list[str] = []
    db.connection.set_trace_callback(said.append)
    obligations.refresh(db, keys, PROMISES, now=now)
    duties.observed(db, 0, 9)
    duties.handled(db, 0, 9)
    duties.to_warn(db, now, limit=9)
    duties.owed(db, keys, now)
    ledger.unanswered(db, limit=9)
    ledger.decided(db, since=now, limit=9)
    ledger.waits(db, now, now, until=now)
    ledger.of_mention(db, "b")
    db.connection.set_trace_callback(None)
    asked = [sql for sql in said if re.match(r"\s*(SELECT|WITH|UPDATE)", sql)]
    assert len(asked) > 15
    for sql in asked:
        plan = [row["detail"] for row in db.rows(f"EXPLAIN QUERY PLAN {sql}")]
        scans = [step for step in plan if GREAT.match(step) and "USING" not in step]
        assert scans == [], sql
        assert not any("mentions_by_state" in step for step in plan), sql


def test_an_erasure_ends_what_is_owed_in_its_own_transaction(
    db: Db, mention: Maker, analysis: Callable[..., Analysis], now: datetime
) -> None:
    key = ask(db, mention("a", thread="t"), analysis(), now)
    obligations.refresh(db, [key], PROMISES, now=now)
    assert people.parts(db, [key])["obligations"] == 1
    mentions.delete(db, [key], cause=mentions.ERASED, now=now)
    (gone,) = ledger.decided(db, since=now, limit=9)
    assert (gone.outcome, gone.decided_at, gone.due_at) == ("erased", now, None)
    assert db.value("SELECT thread FROM obligations") is None
    assert ledger.count(db) == 0


@pytest.mark.parametrize(("days", "left"), [(179, 1), (181, 0)])
def test_what_was_decided_is_swept_with_its_class_and_what_is_owed_is_not(
    db: Db, mention: Maker, analysis: Callable[..., Analysis], now: datetime, days: int, left: int
) -> None:
    open_, gone = (ask(db, mention(key), analysis(), now) for key in "ab")
    obligations.refresh(db, [open_, gone], PROMISES, now=now)
    mentions.delete(db, [gone], cause=mentions.DELETED, now=now)
    ages = retention.Ages(flagged=timedelta(days=180), incident=timedelta(days=365))
    retention.purge(db, ages, now=now + timedelta(days=days), limit=99)
    assert len(ledger.decided(db, since=now, limit=9)) == left
    assert ledger.count(db) == 1


def test_a_store_with_a_queue_is_upgraded_with_what_its_order_is_made_of(
    db: Db, mention: Maker, analysis: Callable[..., Analysis], now: datetime
) -> None:
    """The statement of the migration that fills the columns, on items without them."""
    key = ask(db, mention("a", followers=5_000), analysis(), now)
    queue.flag(db, [Flag(key=key, rule="r", severity=Severity.INFO, at=now)])
    empty = "UPDATE queue SET source = NULL, intent = NULL, urgency = NULL, audience = NULL"
    db.execute(empty)
    statements = dict(MIGRATIONS)["0005_queue"]
    (fill,) = (sql for sql in statements if re.match(r"UPDATE queue.*WHERE\s+true", sql, re.DOTALL))
    db.execute(fill)
    row = db.row("SELECT source, intent, urgency, audience FROM queue")
    assert row is not None
    assert tuple(row) == ("presse", "question", 0.5, 5_000)
