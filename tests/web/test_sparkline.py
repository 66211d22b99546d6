"""Sparklines: every message is drawn once, and the sentence says the peak."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from veille.web.sparkline import spark
from veille.web.words import Words
from veille.wording.catalogue import catalogue

NOW = datetime(2026, 1, 18, 1, 16, tzinfo=UTC)
WORDS = Words(say=catalogue("fr"), timezone=ZoneInfo("Europe/Paris"), now=NOW)
AGES = st.lists(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=90)), min_size=2)


@given(AGES)
def test_every_message_is_in_one_of_24_bars(ages: list[timedelta]) -> None:
    found = spark([NOW - age for age in ages], WORDS, until=NOW)
    assert found is not None
    assert found.path.count("M") == 24
    assert sum(int(count.replace("\u202f", "")) for _, count in found.rows) == len(ages)
    heights = [int(h) for h in re.findall(r"v-(\d+)h", found.path)]
    assert max(heights) == 32
    assert min(heights) >= 1


def test_the_sentence_says_step_beginning_and_peak() -> None:
    times = [NOW - timedelta(minutes=m) for m in (1, 2, 2, 2, 11)]
    found = spark(times, WORDS, until=NOW)
    assert found is not None
    assert found.sentence.replace("\u00a0", " ").replace("\u202f", " ") == (
        "Messages par 1 min depuis 01:53 ; le plus : 3, à 02:14."
    )
    assert found.rows[0] == ("02:05", "1")


def test_a_single_message_is_no_curve() -> None:
    assert spark([NOW], WORDS, until=NOW) is None
