"""Durations as people write them: `90s`, `15m`, `2h`, `7d`."""

from __future__ import annotations

from datetime import timedelta

from veille.domain.errors import InputError

_DIGITS = 9
_LONGEST_S = 36_500 * 86_400
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> timedelta:
    """Return the duration written as a whole number and one of s, m, h, d; InputError otherwise."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS_S or not (number.isascii() and number.isdigit()) or len(number) > _DIGITS:
        raise InputError(f'"{text}" is not a duration: write a whole number and s, m, h or d (15m)')
    seconds = int(number) * _UNITS_S[unit]
    if seconds > _LONGEST_S:
        raise InputError(f'"{text}" is too long: 36500d (a century) at most')
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Return the shortest spelling that `parse_duration` reads back: `15m`, not `900s`."""
    seconds = int(duration.total_seconds())
    for unit in ("d", "h", "m"):
        if seconds and seconds % _UNITS_S[unit] == 0:
            return f"{seconds // _UNITS_S[unit]}{unit}"
    return f"{seconds}s"
