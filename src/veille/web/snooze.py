"""Until when an item may be put off: the few moments people mean, in the town's own time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from veille.domain.errors import InputError
from veille.web.words import Words

_EVENING, _MORNING = time(17), time(9)
"""The end and the beginning of an ordinary office day, as `[clock]` has it by default."""
_SOON = timedelta(hours=1)


def choices(now: datetime, zone: ZoneInfo) -> dict[str, datetime]:
    """Return what may be chosen by name, soonest first: an hour, this evening, tomorrow, Monday.

    One that is past, nearer than an hour, or said twice (tomorrow is Monday) is left out.
    """
    today = now.astimezone(zone).date()
    named = {
        "hour": now + _SOON,
        "evening": _at(datetime.combine(today, _EVENING, zone)),
        "tomorrow": _at(datetime.combine(today + timedelta(days=1), _MORNING, zone)),
        "monday": _at(
            datetime.combine(today + timedelta(days=7 - today.weekday()), _MORNING, zone)
        ),
    }
    found: dict[str, datetime] = {}
    for name, at in sorted(named.items(), key=lambda each: each[1]):
        if (name == "hour" or at > now + _SOON) and at not in found.values():
            found[name] = at
    return found


def named(now: datetime, zone: ZoneInfo, words: Words) -> list[tuple[str, str]]:
    """Return the choices as a form shows them: name and label."""
    return [
        (name, words.say(f"views.act.until.{name}", time=words.moment(at)))
        for name, at in choices(now, zone).items()
    ]


def until_of(name: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment of that name; InputError for one that is not offered now."""
    found = choices(now, zone).get(name)
    if found is None:
        raise InputError("snooze until one of the moments shown: load the page again")
    return found


def moment_of(written: str, zone: ZoneInfo) -> datetime:
    """Return the moment of the town's clock that a date field says; InputError for nonsense."""
    try:
        local = datetime.fromisoformat(written)
        if local.tzinfo is None:
            return _at(local.replace(tzinfo=zone))
    except (ValueError, OverflowError) as error:
        raise InputError("snooze until a date and an hour: load the page again") from error
    raise InputError("snooze until an hour of the town, without a zone of its own")


def _at(local: datetime) -> datetime:
    return local.astimezone(UTC)
