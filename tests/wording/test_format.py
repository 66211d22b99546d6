"""How numbers, dates, lengths and quotes read in French and in English."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.errors import ConfigError
from veille.wording import format as fmt
from veille.wording.catalogue import catalogue

FR, EN = catalogue("fr"), catalogue("en")
NIGHT = datetime(2026, 1, 18, 1, 14, tzinfo=UTC)
THIN, HARD, MINUS = "\u202f", "\u00a0", "\u2212"


def test_both_languages_have_the_same_format_keys() -> None:
    keys = [{k for k in c.messages if k.startswith("format.")} for c in (FR, EN)]
    assert keys[0] == keys[1]
    assert len(keys[0]) > 30


@pytest.mark.parametrize(
    ("value", "decimals", "french", "english"),
    [
        (18, 0, "18", "18"),
        (1234.5, 1, f"1{THIN}234,5", "1,234.5"),
        (1_234_567, 0, f"1{THIN}234{THIN}567", "1,234,567"),
        (-20, 0, f"{MINUS}20", f"{MINUS}20"),
        (-0.2, 0, "0", "0"),
        (0.25, 2, "0,25", "0.25"),
    ],
)
def test_numbers(value: float, decimals: int, french: str, english: str) -> None:
    assert fmt.number(FR, value, decimals=decimals) == french
    assert fmt.number(EN, value, decimals=decimals) == english


def test_percentages() -> None:
    assert fmt.percent(FR, 0.42) == f"42{THIN}%"
    assert fmt.percent(FR, 0.125, decimals=1) == f"12,5{THIN}%"
    assert fmt.percent(EN, 0.42) == "42%"


def test_moments_are_told_in_the_institutions_time_zone() -> None:
    assert fmt.moment(FR, NIGHT, "Europe/Paris") == f"dim. 18{HARD}janv. 02:14"
    assert fmt.moment(FR, NIGHT, "Indian/Reunion") == f"dim. 18{HARD}janv. 05:14"
    assert fmt.moment(EN, NIGHT, "America/Martinique") == f"Sat 17{HARD}Jan, 21:14"
    summer = datetime(2026, 8, 1, 12, tzinfo=UTC)
    assert fmt.moment(FR, summer, "Europe/Paris") == f"sam. 1er{HARD}août 14:00"


@pytest.mark.parametrize("zone", ["Europe/Pariss", "", "../etc/passwd", "/etc/localtime"])
def test_an_unknown_time_zone_is_named(zone: str) -> None:
    with pytest.raises(ConfigError, match="is not known"):
        fmt.clock(FR, NIGHT, zone)


@pytest.mark.parametrize(
    ("length", "french"),
    [
        (timedelta(seconds=40), f"40{HARD}s"),
        (timedelta(minutes=9, seconds=59), f"9{HARD}min"),
        (timedelta(hours=1), f"1{HARD}h"),
        (timedelta(hours=2, minutes=10), f"2{HARD}h{HARD}10"),
        (timedelta(hours=5, minutes=4), f"5{HARD}h{HARD}04"),
        (timedelta(hours=47, minutes=59), f"47{HARD}h{HARD}59"),
        (timedelta(days=3, hours=5), f"3{HARD}j"),
        (timedelta(seconds=-5), f"0{HARD}s"),
    ],
)
def test_durations(length: timedelta, french: str) -> None:
    assert fmt.duration(FR, length) == french


def test_age() -> None:
    assert fmt.age(FR, NIGHT, NIGHT + timedelta(minutes=3)) == f"il y a 3{HARD}min"
    assert fmt.age(FR, NIGHT, NIGHT + timedelta(seconds=20)) == "à l'instant"
    assert fmt.age(FR, NIGHT, NIGHT - timedelta(hours=2)) == f"dans 2{HARD}h"
    assert fmt.age(EN, NIGHT, NIGHT + timedelta(days=4)) == f"4{HARD}d ago"


def test_what_acts_unseen_is_shown() -> None:
    assert fmt.visible("a\u202eb") == "a⟨U+202E⟩b"
    assert fmt.visible("a\u200bb\x07\x7f") == "a⟨U+200B⟩b⟨U+0007⟩⟨U+007F⟩"
    assert fmt.visible("pa\u200dy") == "pa⟨U+200D⟩y"
    assert fmt.visible("\u3164") == "⟨U+3164⟩"
    assert fmt.visible("a\u2028b\u2029c\u034f") == "a⟨U+2028⟩b⟨U+2029⟩c⟨U+034F⟩"
    assert fmt.visible("l'eau\tmonte\nvite, é « ici »") == "l'eau\tmonte\nvite, é « ici »"
    assert fmt.visible("👩\u200d🚒 ❤\ufe0f") == "👩\u200d🚒 ❤\ufe0f"


@given(st.text())
def test_no_control_or_direction_mark_survives(text: str) -> None:
    shown = fmt.visible(text)
    assert all(
        c in "\n\t\u200c\u200d" or unicodedata.category(c) not in {"Cc", "Cf", "Cs"} for c in shown
    )


def test_excerpts_end_at_a_word() -> None:
    assert fmt.excerpt("une dame est coincée", 60) == "une dame est coincée"
    assert fmt.excerpt("une dame est coincée dans sa voiture", 22) == "une dame est coincée…"
    assert fmt.excerpt("une dame,\n\nest coincée", 12) == "une dame…"
    assert fmt.excerpt("a" * 100, 10) == "a" * 9 + "…"
    assert fmt.excerpt("abc", 1) == "…"
    assert fmt.excerpt("abc", 0) == ""


def test_an_excerpt_does_not_split_what_is_read_as_one() -> None:
    assert fmt.excerpt("xe\u0301y" * 3, 3) == "x…"
    assert fmt.excerpt("x👩\u200d🚒" * 9, 4) == "x…"


@given(st.text(), st.integers(0, 50))
def test_an_excerpt_is_never_longer_than_asked(text: str, limit: int) -> None:
    assert len(fmt.excerpt(text, limit)) <= limit
