"""How those who asked were answered: survival with censoring, as worked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from veille.domain.obligation import Clock
from veille.domain.promise import Duty
from veille.reports.answers import Wait, quantile, response
from veille.reports.compose import compose
from veille.reports.render import to_markdown
from veille.reports.week import Week
from veille.store.codec import micros, to_json
from veille.store.engine import Db
from veille.wording.catalogue import catalogue

if TYPE_CHECKING:
    from reports.conftest import Press


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def waits(*answered: float, waiting: Sequence[float] = ()) -> list[Wait]:
    over = [Wait(lasting=minutes(count), is_over=True) for count in answered]
    return over + [Wait(lasting=minutes(count), is_over=False) for count in waiting]


def test_ten_first_responses_of_the_scenario_have_the_median_26() -> None:
    found = response(waits(4, 7, 12, 15, 22, 30, 41, 55, 90, 240))
    assert (found.median, found.mean) == (26.0, 51.6)
    # the estimate lies at a tenth from 90 to 240
    assert found.p90 == 165.0


def test_who_still_waits_counts_for_as_long_as_they_waited() -> None:
    # 6 at risk: 5/6 after 10; 20 censored; 4 at risk: 5/8 after 30; 3 at risk: 5/12 after 40
    found = waits(10, 30, 40, waiting=[20, 50, 60])
    assert quantile(found, 0.5) == minutes(40)
    # a mean of those answered would say 26 min 40 s
    assert response(found).mean == 26.7


def test_the_median_with_two_who_still_wait_as_worked_by_hand() -> None:
    # 5 at risk: 4/5 after 5; one ends at 10; 3 at risk: 8/15 after 15; 2 at risk: 4/15 after 20
    assert quantile(waits(5, 15, 20, waiting=[10, 30]), 0.5) == minutes(20)


def test_a_median_that_is_unknown_is_not_made_up() -> None:
    assert quantile(waits(10, waiting=[500, 600, 700]), 0.5) is None
    assert response([]) == response(waits(waiting=[5, 9]))


def test_an_answer_counts_before_who_stops_waiting_at_the_same_time() -> None:
    assert quantile(waits(10, waiting=[10]), 0.5) == minutes(10)


@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=40),
    st.sampled_from([0.5, 0.9]),
)
def test_without_anybody_waiting_it_is_a_quantile_of_the_answers(
    answered: list[int], share: float
) -> None:
    found = quantile(waits(*answered), share)
    assert found is not None
    assert sum(minutes(one) <= found for one in answered) >= share * len(answered) - 1e-6
    assert sum(minutes(one) >= found for one in answered) >= (1 - share) * len(answered) - 1e-6


def _put(db: Db, week: Week, rows: Sequence[tuple[int, int | None]]) -> None:
    """Each row: the minute after Monday 10:00 of asking, and how many until the answer, if any."""
    for number, (minute, answered) in enumerate(rows):
        at = week.starts_at + timedelta(hours=10, minutes=minute)
        clock = Clock(duty=Duty.FIRST, since=at, bound=minutes(30))
        replied = None if answered is None else micros(at + minutes(answered))
        used = None if answered is None else answered * 60_000_000
        db.execute(
            """INSERT INTO obligations (mention, source, intent, is_asked, asked_at, state, clocks,
            replied_at, answered_us) VALUES (?, 'presse', 'question', 1, ?, ?, ?, ?, ?)""",
            (
                f"{week.name}-{number}",
                micros(at),
                "open" if answered is None else "met",
                to_json([clock]),
                replied,
                used,
            ),
        )


def test_a_week_says_rate_response_and_what_is_open(db: Db, press: Press) -> None:
    week = Week.named("2026-W47", ZoneInfo("Europe/Paris"))
    _put(db, week, [(0, 4), (1, 12), (2, 41), (3, None), (4, 8 * 24 * 60)])
    found = press.summary().answers
    assert (found.asked.now, found.asked.previous) == (5, 0)
    # the last was answered in the week after: by the end of this one it was not
    assert (found.rate.now.value, found.unanswered, found.open) == (60.0, 2, 1)
    assert found.first.median == 41.0
    assert found.first.p90 is None
    written = to_markdown(compose(press.summary(), catalogue("fr")))
    plain = written.replace("\u00a0", " ").replace("\u202f", " ")
    assert "| Avec une réponse | 60 % (3/5) | n/d |" in plain
    assert "| Première réponse : médiane | 41 min | n/d |" in plain
