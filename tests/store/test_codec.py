"""Values survive their columns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.store.codec import bounded, clean, micros, moment


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_survives_to_the_microsecond(at: datetime) -> None:
    assert moment(micros(at)) == at
    assert moment(micros(at)).tzinfo is UTC


@given(st.integers(-(10**15), 10**15), st.integers(-23, 23))
def test_a_time_is_an_instant_whatever_its_offset(us: int, hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    assert micros(moment(us).astimezone(zone)) == us


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(TypeError):
        micros(datetime(2026, 1, 1))  # noqa: DTZ001 what is tested


@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_stored_after_cleaning(text: str) -> None:
    clean(text).encode()


@given(st.integers())
def test_any_count_fits_a_column(count: int) -> None:
    kept = bounded(count)
    assert kept is not None
    assert 0 <= kept < 2**63
