"""What is asked for each mention that arrives costs the same among a million as among ten."""

from __future__ import annotations

import pytest

from veille.store import happenings, ledger, obligations
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
