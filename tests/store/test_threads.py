"""What stands around a mention: what it answers, what answers it, its thread."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from veille.domain.alert import Flag, Severity
from veille.domain.mention import MentionKind
from veille.domain.record import Identity, MaskedMention
from veille.store import mentions, queue, threads
from veille.store.engine import Db, connect
from veille.store.threads import NEAR

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Db]:
    opened = connect(tmp_path / "veille.db", is_durable=False)
    yield opened
    opened.close()


def key(number: int) -> str:
    return f"{number:032x}"


def say(db: Db, number: int, *, answers: int | None = None, thread: int | None = None) -> None:
    at = NOW + timedelta(minutes=number)
    mention = MaskedMention(
        key=key(number),
        source="mastodon",
        watches=("mairie",),
        kind=MentionKind.REPLY,
        text=f"Message {number}",
        created_at=at,
        received_at=at,
        content_hash=key(number),
        identity=Identity(native_id=str(number)),
        reply_to=None if answers is None else key(answers),
        thread=None if thread is None else key(thread),
    )
    mentions.add(db, mentions=[mention], tombstones=[], now=NOW)


def around(db: Db, number: int) -> set[int]:
    return {int(each, 16) for each in threads.around(db, key(number)).keys}


def test_a_mention_alone_has_nothing_around_it(db: Db) -> None:
    say(db, 1)
    assert threads.around(db, key(1)) == threads.Thread()
    assert threads.around(db, key(99)) == threads.Thread()


def test_what_it_answers_and_what_answers_it_stand_around_it(db: Db) -> None:
    say(db, 1)
    say(db, 2, answers=1)
    say(db, 3, answers=2)
    say(db, 4, answers=3)
    say(db, 9)
    assert around(db, 3) == {1, 2, 4}
    assert not threads.around(db, key(3)).is_cut


def test_the_others_of_its_thread_stand_around_it_with_the_first(db: Db) -> None:
    say(db, 1)
    for number in (2, 3, 4):
        say(db, number, thread=1)
    assert around(db, 3) == {1, 2, 4}
    assert around(db, 1) == {2, 3, 4}


def test_a_loop_of_answers_ends(db: Db) -> None:
    say(db, 1, answers=2)
    say(db, 2, answers=1)
    assert around(db, 1) == {2}


def test_what_is_not_stored_is_said_to_be_missing(db: Db) -> None:
    say(db, 2, answers=1)
    thread = threads.around(db, key(2))
    assert (thread.keys, thread.is_cut) == (frozenset(), True)


def test_what_was_deleted_is_not_around(db: Db) -> None:
    say(db, 1)
    say(db, 2, answers=1)
    mentions.delete(db, [key(1)], cause=mentions.DELETED, now=NOW)
    assert (around(db, 2), threads.around(db, key(2)).is_cut) == (set(), True)


def test_of_a_long_thread_the_nearest_are_read(db: Db) -> None:
    for number in range(1, 61):
        say(db, number, thread=1 if number > 1 else None)
    found = threads.around(db, key(30))
    assert {int(each, 16) for each in found.keys} == {1, *range(20, 30), *range(31, 41)}
    assert found.is_cut
    assert len(found.keys) <= 4 * NEAR


def test_queue_numbers_come_along(db: Db) -> None:
    say(db, 1)
    say(db, 2, answers=1)
    queue.flag(db, [Flag(key=key(1), rule="r", severity=Severity.INFO, at=NOW)])
    assert threads.around(db, key(2)).items == {key(1): 1}


@pytest.mark.parametrize("sql", [threads._ANSWERS, threads._BEFORE, threads._AFTER])
def test_no_mention_is_read_that_is_not_of_the_thread(db: Db, sql: str) -> None:
    params = (key(1), 5, 5)[: sql.count("?")]
    plan = [row["detail"] for row in db.rows(f"EXPLAIN QUERY PLAN {sql}", params)]
    assert all("USING INDEX mentions_by_" in line for line in plan), plan
