"""Waiting: bounded, and obedient to Retry-After."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.net.retry import MAX_RETRY_AFTER_S, backoff_s, retry_after_s

NOW = datetime(2026, 1, 18, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("9" * 30, MAX_RETRY_AFTER_S),
        ("Sun, 18 Jan 2026 02:00:30 GMT", 30.0),
        ("Sun, 18 Jan 2026 01:00:00 GMT", 0.0),
        ("Sun, 18 Jan 2099 01:00:00 GMT", MAX_RETRY_AFTER_S),
        ("Sun, 99 Jan 2026 02:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(
    value: str | None, expected: float | None
) -> None:
    assert retry_after_s(value, NOW) == expected


@given(st.text(max_size=40))
def test_no_header_value_breaks_the_reader(value: str) -> None:
    wait = retry_after_s(value, NOW)
    assert wait is None or 0 <= wait <= MAX_RETRY_AFTER_S


def test_backoff_doubles_up_to_its_cap() -> None:
    waits = [backoff_s(n, base=1, cap=10, jitter=lambda: 1.0) for n in (1, 2, 3, 4, 5, 10_000)]
    assert waits == [1, 2, 4, 8, 10, 10]


@given(st.integers(-5, 10_000), st.floats(0, 1, exclude_max=True))
def test_backoff_stays_between_zero_and_its_cap(attempt: int, drawn: float) -> None:
    assert 0 <= backoff_s(attempt, base=0.5, cap=60, jitter=lambda: drawn) <= 60
