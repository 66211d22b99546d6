"""Figures as they are said: numbers, signs, shares, days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from veille.reports.figures import Ratio
from veille.wording import clock
from veille.wording import format as wording
from veille.wording.catalogue import Catalogue

_LINE_MAX = 200


class Speech:
    """One language and one time zone; `names` are of sources and receivers, by id."""

    def __init__(
        self, words: Catalogue, zone: ZoneInfo, names: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self.words = words
        self.zone = zone
        self.names = names or {}

    def value(self, ratio: Ratio, shown: Callable[[float], str]) -> str:
        """Return the ratio in words, `n/d` without one."""
        return self.none if ratio.value is None else shown(ratio.value)

    def fraction(self, ratio: Ratio) -> str:
        """Return `(−50/250)`: what was divided by what."""
        if ratio.value is None:
            return ""
        return f"({self.number(ratio.numerator)}/{self.number(ratio.denominator)})"

    @property
    def none(self) -> str:
        """What stands where there is no figure."""
        return self.say("none")

    def say(self, key: str, **values: object) -> str:
        """Return a sentence of the report."""
        return self.words(f"report.{key}", **values)

    def number(self, value: float) -> str:
        """Return the number, one decimal unless it is whole."""
        decimals = 0 if float(value).is_integer() else 1
        return wording.number(self.words, value, decimals=decimals)

    def signed(self, value: float) -> str:
        """Return the number with its sign."""
        return f"+{self.number(value)}" if value > 0 else self.number(value)

    def pct(self, value: float) -> str:
        """Return a signed percentage."""
        return self.words("format.percent", number=self.signed(value))

    def plain_pct(self, value: float) -> str:
        """Return a percentage."""
        return self.words("format.percent", number=self.number(value))

    def severity(self, severity: str) -> str:
        """Return shape and word of a severity, which stay on one line."""
        return self.words(f"notify.severity.{severity}").replace(" ", "\u00a0")

    def mentions(self, count: int) -> str:
        """Return `250 mentions`."""
        return self.words.count("report.mentions", count, shown=self.number(count))

    def wait(self, seconds: float | None) -> str:
        """Return a length in words, `n/d` without one."""
        return self.none if seconds is None else self.length(timedelta(seconds=seconds))

    def length(self, length: timedelta) -> str:
        """Return a length in words."""
        return wording.duration(self.words, length)

    def worked(self, minutes: float) -> str:
        """Return business minutes as hours and minutes, never as days."""
        return clock.worked(self.words, timedelta(minutes=minutes))

    def moment(self, at: datetime) -> str:
        """Return day and hour."""
        return wording.moment(self.words, at, self.zone.key)

    def date(self, day: date) -> str:
        """Return the day."""
        return wording.date(self.words, datetime.combine(day, time(12), tzinfo=UTC), "UTC")

    def called(self, what: str, id: str) -> str:
        """Return what people call a `source` or a `receiver`, the id where it has no name."""
        return self.line(self.names.get(what, {}).get(id, id))

    def line(self, text: str) -> str:
        """Return text from outside as one line on which nothing acts unseen."""
        return wording.excerpt(wording.visible(text[: 2 * _LINE_MAX]), _LINE_MAX)
