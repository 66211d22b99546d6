"""Silences, and why an alert or an incident is not told at the moment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from veille.domain.alert import Severity
from veille.domain.durations import format_duration
from veille.domain.errors import InputError

Match = Mapping[str, tuple[str, ...]]
"""Labels and the values that match, any of them: `{"severity": ("info", "warning")}`."""

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=30)
"""A silence that nobody remembers hides the next crisis: longer ones are written again."""
LABELS, VALUES, VALUE_LENGTH, REASON_LENGTH = 10, 20, 200, 500
_NAME = re.compile(r"[a-z][a-z0-9_.]{0,63}", re.ASCII)
_ID = re.compile(r"S?([1-9][0-9]{0,17})", re.IGNORECASE | re.ASCII)


class MuteKind(StrEnum):
    """What keeps an alert or an incident from being told."""

    SILENCE = "silence"
    INHIBITION = "inhibition"
    CALENDAR = "calendar"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Why something is not told, and until when as far as that is known.

    `by` names it: `S3` a silence, `I12` the incident that inhibits, the id of a calendar, how many
    notifications the budget allows (`12/8h`).
    """

    kind: MuteKind
    by: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Somebody mutes what matches, from `starts_at` to before `ends_at`.

    `id` is 0 until the store numbers it. `ended_by` is who ended it early, None otherwise.
    """

    id: int
    match: Match
    author: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    ended_by: str | None = None

    def is_active(self, at: datetime) -> bool:
        """Whether it mutes at that instant."""
        return self.starts_at <= at < self.ends_at


def matches(match: Match, labels: Mapping[str, str]) -> bool:
    """Whether each label has one of its values; a label that is missing has the value ""."""
    return all(labels.get(name, "") in values for name, values in match.items())


def mute_of(data: Mapping[str, object]) -> Mute | None:
    """Return the mute that an event `incident.muted` tells of; None of any other event."""
    kind, by, until = (data.get(name) for name in ("mute", "by", "until"))
    if kind not in set(MuteKind):
        return None
    ends_at = datetime.fromisoformat(until) if isinstance(until, str) else None
    return Mute(kind=MuteKind(str(kind)), by=str(by or ""), until=ends_at)


def parse_match(pairs: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return what `name=value` texts match: a name given twice matches either value.

    InputError says which one is wrong; `check_match` looks at what they say.
    """
    found: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise InputError(f'"{pair}" is no label: write name=value, as topic=danger')
        found[name.strip()] = (*found.get(name.strip(), ()), value.strip())
    return found


def check_match(match: Match) -> None:
    """Raise InputError unless the match can be meant: a label at least, known severities."""
    if not 0 < len(match) <= LABELS:
        raise InputError(f"a silence has 1 to {LABELS} labels: write watch=… or topic=…")
    for name, values in match.items():
        if not _NAME.fullmatch(name):
            raise InputError(f'label "{name}": use a to z, 0 to 9, _ and .')
        if not 0 < len(values) <= VALUES or any(not 0 < len(v) <= VALUE_LENGTH for v in values):
            raise InputError(
                f"label {name}: write 1 to {VALUES} values of 1 to {VALUE_LENGTH} characters"
            )
    unknown = sorted(set(match.get("severity", ())) - set(Severity))
    if unknown:
        raise InputError(f'severity "{unknown[0]}" does not exist: write {", ".join(Severity)}')


def check_terms(reason: str, lasting: timedelta) -> str:
    """Return the reason on one line; InputError without one, or for a time out of range."""
    said = " ".join(reason.split())
    if not 0 < len(said) <= REASON_LENGTH:
        raise InputError(f"a silence needs a reason of 1 to {REASON_LENGTH} characters")
    if not SHORTEST <= lasting <= LONGEST:
        longest = format_duration(LONGEST)
        raise InputError(f"a silence lasts {format_duration(SHORTEST)} to {longest}")
    return said


def parse_silence_id(text: str) -> int:
    """Return 3 for `S3`, `s3` and `3`; InputError otherwise."""
    found = _ID.fullmatch(text)
    if found is None:
        raise InputError(f'"{text}" is no silence: write S3; veille silence list shows them')
    return int(found[1])
