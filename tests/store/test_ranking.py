"""The queue's order: the sum in SQL is the sum in Python, page by page, whatever changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veille.domain.alert import Flag, Severity
from veille.domain.analysis import Analysis, Intent, IntentLabel, Place, Topic
from veille.domain.errors import InputError
from veille.domain.incident import QueueState
from veille.domain.priority import Ground, Pace
from veille.domain.queue_filter import NOBODY, QueueFilter, parse_filter
from veille.domain.record import MaskedMention
from veille.store import corrections, mentions, queue, ranking, work
from veille.store.codec import micros
from veille.store.engine import Db, connect

Maker = Callable[..., MaskedMention]
READ_BY_INDEX = ("SCAN queue", "SCAN obligations", "SCAN mentions")


def _flagged(
    db: Db,
    made: MaskedMention,
    analysis: Analysis,
    now: datetime,
    *,
    severity: Severity = Severity.INFO,
) -> int:
    mentions.add(db, mentions=[made], tombstones=[], now=now)
    claimed = work.claim(db, limit=9, now=now + timedelta(days=1), lease=timedelta(0))
    work.save(db, [(one, analysis) for one in claimed], now=now)
    queue.flag(db, [Flag(key=made.key, rule="r", severity=severity, at=now)])
    return int(db.value("SELECT id FROM queue WHERE mention = ?", (made.key,)))


def _due(db: Db, item: int, warn_at: datetime, due_at: datetime) -> None:
    db.execute(
        "UPDATE queue SET warn_at = ?, due_at = ? WHERE id = ?",
        (micros(warn_at), micros(due_at), item),
    )


def _ids(found: list[ranking.Ranked]) -> list[int]:
    return [one.item.id for one in found]


def test_each_term_is_shown_with_its_points_and_its_fact(
    db: Db, mention: Maker, analysis: Callable[..., Analysis], now: datetime
) -> None:
    read = analysis()
    item = _flagged(db, mention(followers=12_000), read, now, severity=Severity.WARNING)
    _due(db, item, now - timedelta(minutes=1), now + timedelta(minutes=9))
    (found,) = ranking.ranked(db, QueueFilter(), now=now, limit=9)
    terms = {term.ground: (term.points, term.fact) for term in found.priority.terms}
    assert terms == {
        Ground.SEVERITY: (40, Severity.WARNING),
        Ground.URGENCY: (15, 0.5),
        Ground.CLOCK: (12, Pace.SOON),
        Ground.AUDIENCE: (6, 12_000),
    }
    assert found.priority.points == 73
    assert found.pace is Pace.SOON


_ITEMS = st.lists(
    st.tuples(
        st.sampled_from(list(Severity)),
        st.floats(0, 1).map(lambda score: round(score, 4)),
        st.sampled_from([0, 99, 100, 5_000, 10_000, 2_000_000]),
        st.sampled_from([None, -5, 0, 5, 50]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=12,
)


@given(rows=_ITEMS, size=st.integers(1, 5))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_sql_orders_by_the_same_sum_as_the_terms_and_pages_leave_nothing_out(
    tmp_path_factory: pytest.TempPathFactory,
    now: datetime,
    rows: list[tuple[Severity, float, int, int | None, int]],
    size: int,
) -> None:
    db = connect(tmp_path_factory.mktemp("rank") / "veille.db", is_durable=False)
    for number, (severity, urgency, audience, due, minute) in enumerate(rows, 1):
        at = micros(now + timedelta(minutes=minute))
        late = None if due is None else micros(now + timedelta(minutes=due))
        warn = None if late is None else late - 10 * 60 * 1_000_000
        db.execute(
            """INSERT INTO queue (mention, state, severity, created_at, updated_at)
            VALUES (?, 'new', ?, ?, ?)""",
            (str(number), severity, at, at),
        )
        db.execute(
            "UPDATE queue SET urgency = ?, audience = ?, due_at = ?, warn_at = ? WHERE id = ?",
            (urgency, audience, late, warn, number),
        )
    seen: list[ranking.Ranked] = []
    page = ranking.ranked(db, QueueFilter(), now=now, limit=size)
    while page:
        seen += page
        after = ranking.parse_place(str(page[-1].place))
        page = ranking.ranked(
            db, QueueFilter(), now=now + timedelta(hours=9), limit=size, after=after
        )
    expected = sorted(seen, key=lambda r: (-r.priority.points, r.item.created_at, r.item.id))
    assert _ids(seen) == _ids(expected)
    assert len(seen) == len(rows)
    assert all(one.place.points == one.priority.points for one in seen)
    db.close()


def test_what_an_item_is_about_follows_correction_edit_and_deletion_at_once(
    db: Db, mention: Maker, analysis: Callable[..., Analysis], now: datetime
) -> None:
    place = Place(name="Saint-Aubin", insee="99001", score=0.9, start=0, end=11)
    read = replace(
        analysis(),
        intent=Intent(label=IntentLabel.COMPLAINT, score=0.8),
        topics=(Topic(id="roads", score=0.7),),
        places=(place,),
        analyzers={"intent": "1", "topics": "1", "urgency": "1"},
    )
    item = _flagged(db, mention("a"), read, now)
    about = QueueFilter(
        intent=frozenset({IntentLabel.COMPLAINT}),
        topic=frozenset({"roads"}),
        places=frozenset({"99001"}),
        source=frozenset({"presse"}),
    )
    assert _ids(ranking.ranked(db, about, now=now, limit=9)) == [item]
    labels = {"intent": "question", "urgency": "urgent", "topic": "flood"}
    corrections.add(db, "a", labels, actor="marie", at=now)
    asked = QueueFilter(intent=frozenset({IntentLabel.QUESTION}), topic=frozenset({"flood"}))
    (found,) = ranking.ranked(db, asked, now=now, limit=9)
    assert found.priority.terms[1].points == 30
    assert ranking.ranked(db, about, now=now, limit=9) == []
    corrections.add(db, "a", {"intent": "", "topic": ""}, actor="marie", at=now)
    assert ranking.count(db, about, now=now) == 1
    seq = db.value("SELECT max(seq) FROM corrections")
    corrections.add(db, "a", {"intent": "request"}, actor="marie", at=now)
    assert ranking.count(db, about, now=now) == 0
    db.execute("DELETE FROM corrections WHERE seq > ?", (seq,))  # as undoing does it
    assert ranking.count(db, about, now=now) == 1
    mentions.delete(db, ["a"], cause=mentions.DELETED, now=now)
    assert ranking.count(db, about, now=now) == 0


def test_filters_say_who_has_it_what_is_late_and_what_sleeps(
    db: Db, mention: Maker, analysis: Callable[..., Analysis], now: datetime
) -> None:
    late, hers, sleeps = (_flagged(db, mention(key), analysis(), now) for key in "abc")
    _due(db, late, now - timedelta(hours=2), now - timedelta(hours=1))
    db.execute("UPDATE queue SET assignee = 'marie', state = 'taken' WHERE id = ?", (hers,))
    later = micros(now + timedelta(hours=1))
    db.execute("UPDATE queue SET snoozed_until = ? WHERE id = ?", (later, sleeps))

    def ids(**wanted: object) -> list[int]:
        where = QueueFilter(**wanted)  # type: ignore[arg-type]  # a test names the fields
        return _ids(ranking.ranked(db, where, now=now, limit=9))

    assert ids() == [late, hers]
    assert ids(assignee="marie") == [hers]
    assert ids(assignee=NOBODY) == [late]
    assert ids(is_overdue=True) == [late]
    assert ids(is_snoozed=True) == [sleeps]
    assert ids(is_snoozed=None, states=frozenset({QueueState.NEW})) == [late, sleeps]
    assert sorted(ranking.of_items(db, [late, 99], now=now)) == [late]


def test_what_is_done_with_comes_newest_change_first_and_is_not_due(
    db: Db, mention: Maker, analysis: Callable[..., Analysis], now: datetime
) -> None:
    first, second = (_flagged(db, mention(key), analysis(), now) for key in "ab")
    for minute, number in enumerate((second, first)):
        _due(db, number, now, now)
        changed = micros(now + timedelta(minutes=minute))
        db.execute(
            "UPDATE queue SET state = 'closed', updated_at = ? WHERE id = ?", (changed, number)
        )
    done = QueueFilter(states=frozenset({QueueState.CLOSED}))
    page = ranking.ranked(db, done, now=now, limit=1)
    more = ranking.ranked(db, done, now=now, limit=9, after=page[0].place)
    assert _ids(page + more) == [first, second]
    assert page[0].due_at is None


@given(
    where=st.builds(
        QueueFilter,
        states=st.frozensets(st.sampled_from(list(QueueState)), min_size=1),
        assignee=st.none() | st.text(min_size=1, max_size=9),
        severity=st.frozensets(st.sampled_from(list(Severity))),
        topic=st.frozensets(st.text(min_size=1, max_size=9), max_size=3),
        is_snoozed=st.none() | st.booleans(),
        is_overdue=st.none() | st.booleans(),
    )
)
def test_a_filter_survives_an_address(where: QueueFilter) -> None:
    from urllib.parse import parse_qs

    assert parse_filter(parse_qs(where.query())) == where


@pytest.mark.parametrize("query", [{"state": ["neuf"]}, {"snoozed": ["1"]}, {"topic": ["x" * 201]}])
def test_a_filter_that_does_not_exist_is_refused_by_name(query: dict[str, list[str]]) -> None:
    with pytest.raises(InputError, match=next(iter(query))):
        parse_filter(query)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.2.3",
        "a.1.1.1",
        "1..1.1.1",
        "9" * 40 + ".1.1.1",
        "١.1.1.1",
        "1.1.1." + "9" * 20,
        "1." + "9" * 20 + ".1.1",
    ],
)
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        ranking.parse_place(text)


@pytest.mark.parametrize("states", [frozenset({QueueState.NEW}), frozenset({QueueState.CLOSED})])
def test_the_queue_is_read_by_its_indexes(
    db: Db, now: datetime, states: frozenset[QueueState]
) -> None:
    said: list[str] = []
    db.connection.set_trace_callback(said.append)
    ranking.ranked(db, QueueFilter(states=states), now=now, limit=9)
    db.connection.set_trace_callback(None)
    (query,) = (sql for sql in said if "FROM queue" in sql)
    plan = " / ".join(row["detail"] for row in db.rows(f"EXPLAIN QUERY PLAN {query}"))
    assert "queue_by_" in plan
    assert "SCAN queue USING INDEX" in plan or "SCAN queue" not in plan
