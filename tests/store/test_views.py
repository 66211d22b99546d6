"""Saved views of the queue: whose they are, and how many."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from veille.domain.errors import InputError
from veille.store import views
from veille.store.engine import Db, connect
from veille.store.views import EVERYBODY, MOST

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Db]:
    opened = connect(tmp_path / "veille.db", is_durable=False)
    yield opened
    opened.close()


def keep(db: Db, name: str, *, owner: str = "Camille", query: str = "source=presse") -> views.View:
    return views.add(db, owner=owner, name=name, query=query, now=NOW)


def test_everybody_sees_what_is_shared_and_only_their_own(db: Db) -> None:
    keep(db, "Presse")
    keep(db, "Écoles", owner="Sacha")
    keep(db, "Astreinte", owner=EVERYBODY)
    assert [(view.name, view.is_shared) for view in views.list_(db, "Camille")] == [
        ("Astreinte", True),
        ("Presse", False),
    ]


def test_the_same_name_again_replaces_the_filter(db: Db) -> None:
    first = keep(db, "Presse")
    again = keep(db, " Presse ", query="source=mastodon")
    assert (again.id, again.query) == (first.id, "source=mastodon")
    assert len(views.list_(db, "Camille")) == 1


def test_only_its_owner_removes_a_view(db: Db) -> None:
    view = keep(db, "Presse")
    assert not views.remove(db, view.id, owner="Sacha")
    assert not views.remove(db, view.id, owner=EVERYBODY)
    assert views.remove(db, view.id, owner="Camille")
    assert not views.remove(db, view.id, owner="Camille")


@pytest.mark.parametrize("name", ["", "   ", "x" * 41, "deux\nlignes", "vue\u202e"])
def test_a_name_is_short_and_visible(db: Db, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        keep(db, name)


def test_a_person_keeps_so_many_and_may_still_change_them(db: Db) -> None:
    for number in range(MOST):
        keep(db, f"Vue {number}")
    with pytest.raises(InputError, match="remove one"):
        keep(db, "Une de trop")
    assert keep(db, "Vue 3", query="").query == ""
    assert keep(db, "Une", owner="Sacha").name == "Une"
