"""`[clock]`: what may be written, what it then promises, and what is refused by name."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from veille.alerts.clock_settings import ClockSettings, usual
from veille.config import parse
from veille.domain.alert import Severity
from veille.domain.calendar import Region
from veille.domain.errors import ConfigError
from veille.domain.promise import Duty, Promises

PARIS = ZoneInfo("Europe/Paris")
KINDS = {"presse": "rss", "page": "mastodon", "formulaire": "webhook"}
HEAD = """
[veille]
name = "Ville de Saint-Aubin"
[[watch]]
id = "mairie"
[[source]]
id = "formulaire"
kind = "webhook"
secret = "HOOK"
"""


def promises(text: str) -> Promises:
    settings: ClockSettings = parse(HEAD + text, name="config.toml").clock
    return settings.promises(zone=PARIS, region=Region.METROPOLE, kinds=KINDS)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def test_what_is_not_written_is_monday_to_friday_nine_to_five_and_half_an_hour() -> None:
    promise = usual(PARIS).of("page", "question")
    assert promise.bounds == {
        Duty.FIRST: minutes(30),
        Duty.NEXT: minutes(120),
        Duty.RESOLUTION: minutes(2400),
    }
    assert promise.opening.days == {0, 1, 2, 3, 4}
    assert promise.warns_after(minutes(30)) == minutes(22.5)


def test_a_change_is_for_its_sources_by_id_or_kind_and_its_intents() -> None:
    found = promises("""
[clock]
first_response = "4h"
[[clock.change]]
sources = ["mastodon"]
hours = ["08:00-20:00"]
first_response = "1h"
[[clock.change]]
sources = ["formulaire"]
intents = ["request"]
first_response = "none"
""")
    bounds = {
        (source, intent): found.of(source, intent).bounds.get(Duty.FIRST)
        for source, intent in (
            ("page", "question"), ("formulaire", "question"), ("formulaire", "request"),
        )
    }  # fmt: skip
    assert bounds == {
        ("page", "question"): minutes(60),
        ("formulaire", "question"): minutes(240),
        ("formulaire", "request"): None,
    }
    assert found.of("page", "question").opening != found.of("formulaire", "question").opening


def test_what_is_grave_is_due_by_source_and_intent_too() -> None:
    found = promises("""
[clock]
resolution_warning = "6h"
[[clock.change]]
sources = ["mastodon"]
resolution = "20h"
resolution_warning = "2h"
resolution_critical = "none"
[[clock.change]]
intents = ["complaint"]
resolution = "1h"
""")

    def due(source: str, intent: str, severity: Severity) -> tuple[timedelta | None, bool]:
        promise = found.of(source, intent, severity)
        return promise.bounds.get(Duty.RESOLUTION), Duty.RESOLUTION in promise.nonstop

    assert due("page", "question", Severity.INFO) == (minutes(20 * 60), False)
    assert due("page", "question", Severity.WARNING) == (minutes(2 * 60), False)
    assert due("page", "question", Severity.CRITICAL) == (minutes(20 * 60), False)
    assert due("formulaire", "question", Severity.WARNING) == (minutes(6 * 60), False)
    assert due("formulaire", "question", Severity.CRITICAL) == (minutes(30), True)
    # the sooner of both counts
    assert due("page", "complaint", Severity.WARNING) == (minutes(60), False)


def test_nobody_answers_on_a_feed() -> None:
    found = promises("")
    assert [found.can_answer(source) for source in KINDS] == [False, True, True]


def test_a_warning_may_be_so_long_before() -> None:
    promise = promises('[clock]\nwarn = "10m"').of("page", "question")
    assert [promise.warns_after(minutes(m)) for m in (30, 5)] == [minutes(20), minutes(0)]


def test_closing_days_may_be_a_span() -> None:
    found = promises('[clock]\nclosed = ["2026-12-24", "2026-08-10/2026-08-12"]')
    assert found.promise.opening.closed == {
        date(2026, 12, 24), date(2026, 8, 10), date(2026, 8, 11), date(2026, 8, 12),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('days = ["lun"]', "days"),
        ("days = []", "days"),
        ('hours = ["9-17"]', "hours"),
        ('hours = ["09:00-12:00", "11:00-17:00"]', "overlap"),
        ('hours = ["22:00-07:00", "06:00-12:00"]', "overlap"),
        ('first_response = "1d"', "write hours"),
        ('first_response = "0m"', "out of range"),
        ('resolution = "3000h"', "out of range"),
        ('closed = ["24/12/2026"]', "2026-12-24"),
        ('closed = ["2026-12-24/2026-12-20"]', "later"),
        ('closed = ["0001-01-01/9999-12-31"]', "a year at most"),
        ('warn = "0%"', "75%"),
        ('warn = "bientôt"', "75%"),
        ('unanswerable = ["presse"]', "clock.unanswerable"),
        ("frist_response = '1h'", "first_response"),
        ("[[clock.change]]\nfirst_response = '1h'", "sources or intents"),
        ('[[clock.change]]\nsources = ["x"]\nfirst_response = "1h"', r"clock.change\[0\].sources"),
        ('[[clock.change]]\nintents = ["demande"]', "intents"),
        ('[[clock.change]]\nintents = ["request"]\nresolution_critical = "1d"', "write hours"),
    ],
)
def test_what_cannot_be_is_refused_with_where_and_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        promises(text if text.startswith("[[") else f"[clock]\n{text}")


def test_a_span_over_midnight_may_end_where_another_begins() -> None:
    found = promises('[clock]\nhours = ["22:00-06:00", "06:00-14:00"]')
    assert len(found.promise.opening.spans) == 2
    assert datetime(2026, 1, 5, tzinfo=UTC).weekday() in found.promise.opening.days
