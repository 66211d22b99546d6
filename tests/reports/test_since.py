"""Since when there are figures: after an upgrade, in the first weeks, and in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from veille.reports.compose import compose
from veille.store import weekly
from veille.store.engine import connect
from veille.store.migrations import MIGRATIONS
from veille.wording.catalogue import catalogue

if TYPE_CHECKING:
    from conftest import Press
    from veille.store.engine import Db

PARIS = ZoneInfo("Europe/Paris")
WEDNESDAY = datetime(2026, 11, 18, 14, tzinfo=PARIS)


def test_a_store_of_an_older_veille_counts_from_its_upgrade_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("veille.store.engine.MIGRATIONS", MIGRATIONS[:1])
    old = connect(path, is_durable=False)
    old.execute(
        """INSERT INTO mentions (key, source, watches, kind, text, created_at, received_at,
        content_hash, media, metrics, own, masked) VALUES
        ('k', 's', '[]', 'post', '', 0, 0, '', '[]', 'null', 0, '[]')"""
    )
    old.execute(
        """INSERT INTO observations (mention, version, key, source, watches, kind, created_at,
        received_at, own) VALUES (1, 1, 'k', 's', '[]', 'post', 0, 1000, 0)"""
    )
    old.close()
    monkeypatch.undo()
    before = datetime.now(UTC).replace(microsecond=0)
    new = connect(path, is_durable=False)
    since = weekly.note_listening(new, datetime.now(UTC) + timedelta(days=2))
    assert before <= since <= datetime.now(UTC)
    new.close()


def test_a_new_store_counts_from_its_first_start_on(db: Db) -> None:
    assert weekly.since(db) is None
    assert weekly.note_listening(db, WEDNESDAY) == WEDNESDAY
    assert weekly.note_listening(db, WEDNESDAY + timedelta(days=1)) == WEDNESDAY
    assert weekly.since(db) == WEDNESDAY


@pytest.mark.parametrize(
    ("days", "is_said"), [(-20, False), (-10, False), (-9, True), (0, True), (30, True)]
)
def test_a_summary_says_where_counting_began_within_its_two_weeks(
    press: Press, days: int, is_said: bool
) -> None:
    weekly.note_listening(press.db, WEDNESDAY + timedelta(days=days))
    found = press.summary("2026-W47")
    assert found.counted_since == WEDNESDAY + timedelta(days=days)
    notes = " ".join(compose(found, catalogue("fr")).notes)
    assert ("Décompte depuis le" in notes) is is_said
    assert ("18\u00a0nov." in notes) is (days == 0)
