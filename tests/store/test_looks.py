"""Looks: what "since your last visit" means."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from veille.store import looks, retention
from veille.store.engine import Db, connect
from veille.store.retention import Ages

NOW = datetime(2026, 1, 18, 1, 16, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Db]:
    opened = connect(tmp_path / "veille.db", is_durable=False)
    yield opened
    opened.close()


def since(db: Db, at: datetime, user: str = "Camille") -> datetime | None:
    found = looks.since(db, user, "I1", now=at)
    looks.note(db, user, "I1", now=at)
    return found


def test_the_first_visit_comes_after_none(db: Db) -> None:
    assert since(db, NOW) is None
    assert since(db, NOW + MINUTE) is None  # a reload is the same visit


def test_a_visit_comes_after_the_end_of_the_one_before(db: Db) -> None:
    assert since(db, NOW) is None
    assert since(db, NOW + 10 * MINUTE) is None
    assert since(db, NOW + 60 * MINUTE) == NOW + 10 * MINUTE
    assert since(db, NOW + 61 * MINUTE) == NOW + 10 * MINUTE  # the line stays over a reload
    assert since(db, NOW + 120 * MINUTE) == NOW + 61 * MINUTE


def test_each_person_has_their_own_visits(db: Db) -> None:
    since(db, NOW)
    assert since(db, NOW + 60 * MINUTE, user="Sacha") is None
    assert since(db, NOW + 60 * MINUTE) == NOW


def test_looks_at_what_is_gone_are_forgotten(db: Db) -> None:
    since(db, NOW)
    ages = Ages(flagged=timedelta(days=180), incident=timedelta(days=365))
    assert retention.purge(db, ages, now=NOW, limit=100) == {"looks": 1}
    assert since(db, NOW + 60 * MINUTE) is None
