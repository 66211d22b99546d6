"""What happens in a rule test beside mentions: somebody answers, a source fails and comes back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from veille.domain.circumstances import Circumstances
from veille.rules.fields import Reader
from veille.rules.testseries import MAX_BEFORE, offset

EVENT_KEYS = ("answered", "health")
_AFTER = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The queue item of a mention needs nobody any more from `at` on."""

    at: datetime
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A source can be read or not from `at` on."""

    at: datetime
    source: str
    is_failing: bool


Event = Answered | Health


def parse_events(reader: Reader, base: datetime) -> tuple[Event, ...]:
    """Return what stands under `answered` and `health` of a test, by time; offsets from `base`."""
    found: list[Event] = []
    for node in reader.items("answered"):
        inner = Reader(node, reader.findings, ("at", "id"))
        found.append(Answered(at=_at(inner, base), key=_name(inner, "id")))
    for node in reader.items("health"):
        inner = Reader(node, reader.findings, ("at", "source", "failing"))
        if not inner.has("failing"):
            inner.wrong("failing", "missing: write true from when on it cannot be read, or false")
        found.append(
            Health(
                at=_at(inner, base),
                source=_name(inner, "source"),
                is_failing=inner.truth("failing", default=True),
            )
        )
    return tuple(sorted(found, key=lambda event: event.at))


def circumstances(events: Iterable[Event], now: datetime) -> Circumstances:
    """Return what the store would say at `now` after these events, which are in order."""
    answered: set[str] = set()
    failing: dict[str, datetime] = {}
    outages: dict[str, tuple[tuple[datetime, datetime], ...]] = {}
    for event in events:
        if event.at > now:
            break
        match event:
            case Answered(key=key):
                answered.add(key)
            case Health(source=source, is_failing=True):
                failing.setdefault(source, event.at)
            case Health(source=source):
                if (since := failing.pop(source, None)) is not None:
                    outages[source] = (*outages.get(source, ()), (since, event.at))
    return Circumstances(answered=frozenset(answered), failing=failing, outages=outages)


def _at(reader: Reader, base: datetime) -> datetime:
    if not reader.has("at"):
        reader.wrong("at", "missing: write an offset such as 10m")
    return base + offset(reader, "at", timedelta(0), before=MAX_BEFORE, after=_AFTER)


def _name(reader: Reader, name: str) -> str:
    text = reader.text(name)
    if not text:
        reader.wrong(name, f"missing: write the {name}")
    return text
