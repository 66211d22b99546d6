"""The outbox, and the state of sources."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veille.domain.errors import ConflictError
from veille.domain.notification import OutboxRow
from veille.domain.record import Receipt
from veille.store import outbox, sources
from veille.store.engine import Db, connect
from veille.store.outbox import Delivery

LEASE = timedelta(minutes=1)

MakeRow = Callable[..., OutboxRow]


@pytest.fixture
def claim(db: Db, now: datetime) -> Callable[..., OutboxRow | None]:
    def claim(receiver: str = "astreinte", *, after: int = 0) -> OutboxRow | None:
        return outbox.claim(db, receiver, now=now + timedelta(seconds=after), lease=LEASE)

    return claim


Claim = Callable[..., OutboxRow | None]


def key(found: OutboxRow | None) -> str | None:
    return None if found is None else found.key


def test_a_row_waits_once_for_each_receiver(
    db: Db, claim: Claim, row: MakeRow, now: datetime
) -> None:
    rows = [row("k"), row("k", receiver="courriel")]
    assert outbox.add(db, rows) == 2
    assert outbox.add(db, rows) == 0
    assert outbox.depth(db) == {"astreinte": 1, "courriel": 1}
    claimed = claim()
    assert claimed is not None
    assert (claimed.facts, claimed.due_at, claimed.attempts) == (row("k").facts, now, 0)
    outbox.sent(db, claimed, ref={"ts": "1"}, now=now)
    assert outbox.add(db, rows) == 0
    assert outbox.depth(db) == {"courriel": 1}


def test_a_claimed_row_is_free_again_after_its_lease(
    db: Db, claim: Claim, row: MakeRow, now: datetime
) -> None:
    outbox.add(db, [row("k")])
    assert key(claim()) == "k"
    assert claim(after=59) is None
    assert outbox.next_due(db, "astreinte") == now + LEASE
    again = claim(after=60)
    assert again is not None
    assert again.attempts == 1  # it may have been said already
    assert outbox.release(db) == 1
    assert key(claim(after=60)) == "k"


def test_an_incident_is_told_in_order_and_holds_back_no_other(
    db: Db, claim: Claim, row: MakeRow, now: datetime
) -> None:
    outbox.add(db, [row("1a"), row("1b"), row("2a", number=2)])
    first = claim()
    assert first is not None
    assert first.key == "1a"
    assert key(claim()) == "2a"
    assert claim() is None  # 1b waits for 1a
    outbox.retry(db, first, due_at=now + timedelta(minutes=10), error="503", now=now)
    other = claim(after=300)  # its lease has ended
    assert other is not None
    assert other.key == "2a"
    outbox.sent(db, other, ref={}, now=now)
    assert claim(after=300) is None
    again = claim(after=600)
    assert again is not None
    assert (again.key, again.attempts) == ("1a", 1)
    outbox.sent(db, again, ref={}, now=now)
    assert key(claim(after=600)) == "1b"


def test_a_parked_row_holds_nothing_back(db: Db, claim: Claim, row: MakeRow, now: datetime) -> None:
    outbox.add(db, [row("1a"), row("1b")])
    first = claim()
    assert first is not None
    outbox.park(db, first, error="invalid_auth", now=now)
    assert key(claim()) == "1b"
    assert [(e.key, e.state, e.error) for e in outbox.log(db, 1)] == [
        ("1a", Delivery.PARKED, "invalid_auth"),
        ("1b", Delivery.WAITING, None),
    ]


def test_a_late_answer_does_not_undo_a_sent_row(
    db: Db, claim: Claim, row: MakeRow, now: datetime
) -> None:
    outbox.add(db, [row("k")])
    first = claim()
    assert first is not None
    outbox.sent(db, first, ref={"ts": "1"}, now=now)
    outbox.retry(db, first, due_at=now, error="timeout", now=now)
    outbox.park(db, first, error="timeout", now=now)
    assert [entry.state for entry in outbox.log(db, 1)] == [Delivery.SENT]


def test_the_ref_is_what_the_channel_last_said_for_the_incident_and_receiver(
    db: Db, claim: Claim, row: MakeRow, now: datetime
) -> None:
    outbox.add(db, [row("1a"), row("1b"), row("1c"), row("1a", receiver="courriel")])
    for number in range(3):
        claimed = claim()
        assert claimed is not None
        ref = {"ts": str(number)} if number else {}
        outbox.sent(db, claimed, ref=ref, now=now + timedelta(seconds=number))
    assert outbox.ref(db, "astreinte", 1) == {"ts": "2"}
    assert outbox.ref(db, "astreinte", 2) is None
    assert outbox.ref(db, "courriel", 1) is None


def test_the_next_due_time_looks_at_rows_that_may_go(db: Db, row: MakeRow, now: datetime) -> None:
    assert outbox.next_due(db, "astreinte") is None
    outbox.add(db, [row("1a", due=60), row("1b", due=1), row("2a", number=2, due=90)])
    assert outbox.next_due(db, "astreinte") == now + timedelta(seconds=60)


@settings(max_examples=40, deadline=None)
@given(
    incidents=st.lists(st.integers(1, 3), max_size=8),
    failures=st.lists(st.booleans(), max_size=30),
)
def test_whatever_fails_each_incident_is_told_wholly_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, incidents: list[int], failures: list[bool]
) -> None:
    db = connect(tmp_path_factory.mktemp("outbox") / "veille.db", is_durable=False)
    make: MakeRow = ROW["make"]
    outbox.add(db, [make(str(n), number=number) for n, number in enumerate(incidents)])
    told: list[tuple[int, int]] = []
    at, outcomes = make("x").due_at, iter(failures)
    while (due := outbox.next_due(db, "astreinte")) is not None:
        at = max(at, due)
        claimed = outbox.claim(db, "astreinte", now=at, lease=LEASE)
        assert claimed is not None
        if next(outcomes, False):
            outbox.retry(db, claimed, due_at=at + timedelta(seconds=7), error="503", now=at)
        else:
            outbox.sent(db, claimed, ref={}, now=at)
            told.append((claimed.incident, int(claimed.key)))
    db.close()
    for number in set(incidents):
        expected = [n for n, found in enumerate(incidents) if found == number]
        assert [n for found, n in told if found == number] == expected


ROW: dict[str, MakeRow] = {}


@pytest.fixture(autouse=True)
def _row_maker(row: MakeRow) -> None:
    ROW["make"] = row  # hypothesis wants no function-scoped fixture; this one is the same each time


def test_a_cursor_is_kept_by_source(db: Db, now: datetime) -> None:
    assert sources.cursor(db, "presse") is None
    sources.set_cursor(db, "presse", "c1", now)
    sources.set_cursor(db, "presse", "c2", now)
    sources.set_cursor(db, "bluesky", "other", now)
    assert sources.cursor(db, "presse") == "c2"


def a_receipt(now: datetime, **changes: str) -> Receipt:
    values = {"source": "formulaire", "webhook_id": "w1", "body_hash": "h", "answer": "{}"}
    return Receipt(**(values | changes), at=now)


def test_a_receipt_answers_the_same_request_again(db: Db, now: datetime) -> None:
    assert sources.receipt(db, "formulaire", "w1") is None
    sources.add_receipt(db, a_receipt(now))
    sources.add_receipt(db, a_receipt(now))
    assert sources.receipt(db, "formulaire", "w1") == a_receipt(now)
    assert sources.receipt(db, "other", "w1") is None
    with pytest.raises(ConflictError, match="another body"):
        sources.add_receipt(db, a_receipt(now, body_hash="other"))


def test_health_counts_reads_and_forgets_an_error_after_a_good_one(db: Db, now: datetime) -> None:
    def read(minute: int, accepted: int) -> None:
        at = now + timedelta(minutes=minute)
        sources.note_read(
            db, "presse", at=at, accepted=accepted, unmatched=2, rejected=1, unknown_fields=0
        )

    read(0, 3)
    read(1, 0)
    sources.note_error(db, "presse", at=now, error="503", next_try_at=now + LEASE)
    sources.note_error(db, "presse", at=now, error="401", next_try_at=None)
    [bad] = sources.health(db)
    assert (bad.failures, bad.error, bad.error_at, bad.next_try_at) == (2, "401", now, None)
    assert (bad.accepted, bad.unmatched, bad.rejected) == (3, 4, 2)
    assert (bad.read_at, bad.accepted_at) == (now + timedelta(minutes=1), now)
    read(2, 1)
    [good] = sources.health(db)
    assert (good.failures, good.error, good.error_at) == (0, None, None)
    assert good.accepted_at == now + timedelta(minutes=2)


def test_a_source_that_never_worked_is_in_the_list(db: Db, now: datetime) -> None:
    sources.note_error(db, "presse", at=now, error="404", next_try_at=None)
    [found] = sources.health(db)
    assert (found.read_at, found.accepted, found.error) == (None, 0, "404")
