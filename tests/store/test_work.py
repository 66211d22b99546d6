"""The analyze stage's work, and the observations it leaves."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.analysis import Analysis
from veille.domain.errors import InputError
from veille.domain.record import MaskedMention, Observation, Tombstone
from veille.store import mentions, observations, work
from veille.store.engine import Db
from veille.store.work import Backlog, Work

LEASE = timedelta(minutes=1)

Make = Callable[..., MaskedMention]
Analyze = Callable[..., Analysis]


@pytest.fixture
def put(db: Db, now: datetime) -> Callable[..., None]:
    def put(*found: MaskedMention) -> None:
        mentions.add(db, mentions=found, tombstones=[], now=now)

    return put


@pytest.fixture
def claim(db: Db, now: datetime) -> Callable[..., list[Work]]:
    def claim(limit: int = 9, *, after: timedelta = timedelta(0)) -> list[Work]:
        return work.claim(db, limit=limit, now=now + after, lease=LEASE)

    return claim


Put = Callable[..., None]
Claim = Callable[..., list[Work]]


def keys(found: list[Work]) -> list[str]:
    return [item.key for item in found]


def test_work_is_claimed_oldest_first_and_once(put: Put, claim: Claim, mention: Make) -> None:
    put(mention("c", minute=3), mention("a", minute=1), mention("b", minute=2))
    assert keys(claim(2)) == ["a", "b"]
    assert keys(claim(2)) == ["c"]
    assert claim() == []


def test_an_expired_lease_is_claimed_again(put: Put, claim: Claim, mention: Make) -> None:
    put(mention())
    assert keys(claim()) == ["a"]
    assert claim(after=LEASE - timedelta(microseconds=1)) == []
    assert keys(claim(after=LEASE)) == ["a"]


def test_leases_of_a_killed_process_end_at_start(
    db: Db, put: Put, claim: Claim, mention: Make
) -> None:
    put(mention())
    claim()
    assert work.release(db) == 1
    assert keys(claim()) == ["a"]


def test_an_analysis_is_saved_and_observed_once(
    db: Db, put: Put, claim: Claim, mention: Make, analysis: Analyze, now: datetime
) -> None:
    put(mention())
    results = [(item, analysis()) for item in claim()]
    assert work.save(db, results, now=now) == 1
    assert work.save(db, results, now=now) == 0
    assert mentions.stored(db, ["a"])["a"].analysis == analysis()
    [seen] = observations.after(db, 0, limit=9)
    assert (seen.key, seen.text, seen.author, seen.analysis) == (
        "a",
        "texte de a",
        "author-a",
        analysis(),
    )
    assert claim(after=timedelta(days=1)) == []
    assert mentions.counts(db) == {"analyzed": 1}


def test_results_for_an_edited_or_deleted_version_are_ignored(
    db: Db, put: Put, claim: Claim, mention: Make, analysis: Analyze, now: datetime
) -> None:
    put(mention("edited"), mention("deleted"))
    results = [(item, analysis()) for item in claim()]
    put(mention("edited", text="autre"))
    gone = Tombstone(key="deleted", source="presse", at=now)
    mentions.add(db, mentions=[], tombstones=[gone], now=now)
    assert work.save(db, results, now=now) == 0
    assert db.value("SELECT count(*) FROM analyses") == 0
    assert [(item.key, item.version) for item in claim()] == [("edited", 2)]


def test_the_original_stays_only_where_the_mention_is_urgent(
    db: Db, put: Put, claim: Claim, mention: Make, analysis: Analyze, now: datetime
) -> None:
    put(mention("calm", sealed=b"c"), mention("urgent", sealed=b"u"))
    work.save(db, [(i, analysis(urgent=i.key == "urgent")) for i in claim()], now=now)
    assert mentions.original(db, "calm") is None
    assert mentions.original(db, "urgent") == b"u"


def test_a_score_that_is_no_number_is_refused_when_saved(
    db: Db, put: Put, claim: Claim, mention: Make, analysis: Analyze, now: datetime
) -> None:
    put(mention())
    with pytest.raises(InputError, match="no number"):
        work.save(db, [(i, analysis(score=float("nan"))) for i in claim()], now=now)
    assert observations.last_seq(db) == 0


def test_a_failing_mention_waits_longer_each_time_then_is_parked(
    db: Db, put: Put, claim: Claim, mention: Make, now: datetime
) -> None:
    put(mention("bad"), mention("good", minute=1))
    claim(1)
    at = now
    for attempt in range(1, 5):
        work.fail(db, ["bad"], error=f"error {attempt}", now=at)
        wait = work.delay(attempt)
        assert keys(work.claim(db, limit=1, now=at, lease=timedelta(0))) == ["good"]
        at += wait
        assert keys(work.claim(db, limit=1, now=at, lease=timedelta(0))) == ["bad"]
    work.fail(db, ["bad"], error="the last \ud800 error", now=at)
    [parked] = work.parked(db)
    assert (parked.key, parked.attempts, parked.error) == ("bad", 5, "the last \ufffd error")
    assert work.backlog(db).count == 1
    assert work.unpark(db, ["bad", "good"]) == 1
    assert keys(work.claim(db, limit=1, now=at, lease=LEASE)) == ["bad"]


@given(st.integers(1, 10**6))
def test_the_delay_grows_up_to_its_limit(attempts: int) -> None:
    assert timedelta(0) < work.delay(attempts) <= work.delay(attempts + 1) <= work.LONGEST_DELAY


def test_the_backlog_says_how_much_waits_since_when(
    db: Db, put: Put, claim: Claim, mention: Make, analysis: Analyze, now: datetime
) -> None:
    assert work.backlog(db) == Backlog(count=0, oldest_at=None)
    put(mention("a", minute=5), mention("b", minute=2))
    assert work.backlog(db) == Backlog(count=2, oldest_at=now + timedelta(minutes=2))
    work.save(db, [(item, analysis()) for item in claim()], now=now)
    assert work.backlog(db) == Backlog(count=0, oldest_at=None)


def test_observations_are_read_in_order_up_to_a_time(
    db: Db, put: Put, claim: Claim, mention: Make, analysis: Analyze, now: datetime
) -> None:
    for key, minute in (("a", 0), ("late", 9), ("b", 1)):
        put(mention(key, minute=minute))
        work.save(db, [(item, analysis()) for item in claim()], now=now)
    assert [o.key for o in observations.after(db, 0, limit=2)] == ["a", "late"]
    assert [o.key for o in observations.after(db, 2, limit=9)] == ["b"]
    five = now + timedelta(minutes=5)
    assert [o.key for o in observations.after(db, 0, limit=9, until=five)] == ["a"]
    assert observations.last_seq(db) == 3


def test_a_version_edited_since_is_observed_with_its_own_text_and_watches(
    db: Db, put: Put, claim: Claim, mention: Make, analysis: Analyze, now: datetime
) -> None:
    put(mention(text="avant"))
    work.save(db, [(item, analysis()) for item in claim()], now=now)
    put(mention(text="après", watches=("police",), minute=3))
    work.save(db, [(item, analysis(urgent=True)) for item in claim()], now=now)
    first, second = observations.after(db, 0, limit=9)
    assert (first.text, first.watches, first.received_at) == ("avant", ("mairie",), now)
    assert (second.text, second.watches) == ("après", ("police",))
    assert second.received_at == now + timedelta(minutes=3)
    assert (first.analysis, second.analysis) == (analysis(), analysis(urgent=True))


def window(seen: list[Observation], since: datetime) -> dict[str, str]:
    """Return what a window holds: the newest version of each mention that is not deleted."""
    held: dict[str, Observation] = {}
    for o in seen:
        held.pop(o.key, None)
        if o.analysis is not None:
            held[o.key] = o
    return {key: o.text for key, o in held.items() if o.received_at >= since}


def test_a_rebuilt_window_equals_a_continuous_one(
    db: Db, put: Put, claim: Claim, mention: Make, analysis: Analyze, now: datetime
) -> None:
    def analyzed(*found: MaskedMention) -> None:
        put(*found)
        work.save(db, [(item, analysis()) for item in claim()], now=now)

    analyzed(mention("old"), mention("kept", minute=10), mention("edited", minute=10))
    analyzed(mention("edited", text="edited, of an old date", minute=-5))
    analyzed(mention("deleted", minute=11), mention("later", minute=12))
    mark = observations.last_seq(db)
    gone = Tombstone(key="deleted", source="presse", at=now)
    mentions.add(db, mentions=[], tombstones=[gone], now=now)  # its time lies before the window
    analyzed(mention("later", text="edited after the mark", minute=13))
    since = now + timedelta(minutes=5)
    for up_to in range(mark, observations.last_seq(db) + 1):
        everything = [o for o in observations.after(db, 0, limit=99) if o.seq <= up_to]
        rebuilt = list(observations.recent(db, since=since, up_to=up_to))
        assert window(rebuilt, since) == window(everything, since)
        assert "edited" not in window(rebuilt, since)
        assert "old" not in {o.key for o in rebuilt}
    last = list(observations.recent(db, since=since, up_to=observations.last_seq(db)))
    assert window(last, since) == {"kept": "texte de kept", "later": "edited after the mark"}


def test_reading_back_never_holds_all_texts(
    db: Db, put: Put, claim: Claim, mention: Make, analysis: Analyze, now: datetime
) -> None:
    long = "x" * 50_000
    put(*(mention(f"m{number}", text=f"{number} {long}") for number in range(100)))
    work.save(db, [(item, analysis()) for item in claim(100)], now=now)
    tracemalloc.start()
    try:
        found = sum(len(o.text) > 50_000 for o in observations.recent(db, since=now, up_to=100))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == 100
    assert peak < 10 * len(long), "of a hundred texts"
