"""What is asked for each mention that arrives costs the same among a million as among ten."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from veille.domain.incident import IncidentState
from veille.store import happenings, incidents, ledger, obligations, silences, timeline
from veille.store.engine import Db

_BROAD = ("mentions_by_state", "mentions_by_source")


def statements() -> list[tuple[str, str]]:
    return [
        (f"{module.__name__}.{name}", value)
        for module in (happenings, obligations)
        for name, value in vars(module).items()
        if isinstance(value, str) and " FROM mentions" in value and "SELECT" in value
    ]


@pytest.mark.parametrize(("name", "sql"), statements())
def test_the_clocks_of_a_mention_read_few_others(db: Db, name: str, sql: str) -> None:
    numbered = max((int(sql[at + 1]) for at in range(len(sql) - 1) if sql[at] == "?"
                    and sql[at + 1].isdigit()), default=sql.count("?"))  # fmt: skip
    steps = [row["detail"] for row in db.rows(f"EXPLAIN QUERY PLAN {sql}", [""] * numbered)]
    assert not [s for s in steps if s.startswith("SCAN") and "mentions" in s], name
    assert not [s for s in steps for index in _BROAD if index in s], name


def test_what_the_menu_counts_on_every_page_is_read_from_one_index(db: Db) -> None:
    steps = [row["detail"] for row in db.rows(f"EXPLAIN QUERY PLAN {ledger._COUNT}", (1,))]
    assert any("USING COVERING INDEX obligations_open" in step for step in steps)


PAGES: tuple[Callable[[Db], object], ...] = (
    partial(incidents.page, states=list(IncidentState), limit=9, before=5),
    partial(incidents.evidence_page, incident_id=1, limit=9, before=5),
    partial(timeline.page, target="I1", limit=9, after=5),
    partial(silences.list_, limit=9, before=5),
)


@pytest.mark.parametrize("read", PAGES)
def test_a_page_of_the_api_is_read_from_where_the_one_before_ended(
    db: Db, read: Callable[[Db], object]
) -> None:
    asked: list[str] = []
    db.connection.set_trace_callback(asked.append)
    read(db)
    db.connection.set_trace_callback(None)
    (sql,) = asked
    steps = [row["detail"] for row in db.rows(f"EXPLAIN QUERY PLAN {sql}", [""] * sql.count("?"))]
    assert any(step.startswith("SEARCH") for step in steps)
    # the values that a filter lists are few
    assert not [
        s for s in steps if "TEMP B-TREE" in s or (s.startswith("SCAN") and "json" not in s)
    ]
