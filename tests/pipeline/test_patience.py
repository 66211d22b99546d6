"""Waiting: longer at each failure, and nothing that passes silences a source for hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from veille.domain.errors import SourceError
from veille.pipeline.patience import STOPPED, Patience

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
REFUSED = SourceError("HTTP 403", may_retry=False)


@pytest.fixture
def patience() -> Patience:
    return Patience(base_s=1.0, cap_s=120.0, jitter=lambda: 1.0)


def test_a_refusal_that_may_be_a_mistake_is_soon_asked_again(patience: Patience) -> None:
    waits = [patience.fail(REFUSED, NOW) for _ in range(40)]
    assert waits[:3] == [timedelta(minutes=minutes) for minutes in (2, 10, 50)]
    assert waits[4:] == [STOPPED] * 36
    patience.succeed()
    assert patience.fail(REFUSED, NOW) == timedelta(minutes=2)


def test_a_refusal_says_nothing_about_a_line_that_breaks(patience: Patience) -> None:
    broken = SourceError("the line is cut")
    waits = [patience.fail(error, NOW) for error in (broken, REFUSED, broken, REFUSED)]
    assert waits == [timedelta(seconds=s) for s in (1, 120, 2, 600)]


@pytest.mark.parametrize(
    ("asked_s", "waits"), [(90.0, timedelta(seconds=90)), (86_400.0, timedelta(hours=1))]
)
def test_a_source_may_ask_for_an_hour_and_not_for_a_day(
    patience: Patience, asked_s: float, waits: timedelta
) -> None:
    assert patience.fail(SourceError("HTTP 429", retry_after_s=asked_s), NOW) == waits
    assert patience.is_waiting(NOW + waits - timedelta(seconds=1))
    assert not patience.is_waiting(NOW + waits)
