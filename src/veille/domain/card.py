"""The emergency card: what an urgent text says of hazard, place, people, need and time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar


class Hazard(StrEnum):
    """What endangers, in the order in which one is chosen when a text names several."""

    SELF_HARM = "self_harm"
    GAS = "gas"
    MISSING_PERSON = "missing_person"
    COLLAPSE = "collapse"
    FIRE = "fire"
    FLOOD = "flood"
    VIOLENCE = "violence"
    ACCIDENT = "accident"
    HEALTH = "health"
    WATER_POWER = "water_power"
    OTHER = "other"


class Need(StrEnum):
    """What is asked for or plainly missing, in the order of choice."""

    RESCUE = "rescue"
    MEDICAL = "medical"
    POLICE = "police"
    EVACUATION = "evacuation"
    SUPPLIES = "supplies"
    INFORMATION = "information"


class Vulnerable(StrEnum):
    """Who needs more help than others."""

    CHILDREN = "children"
    ELDERLY = "elderly"
    DISABLED = "disabled"
    PREGNANT = "pregnant"


class Verification(StrEnum):
    """The machine never says more: people verify."""

    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A number of people; approximate when the text says so or names more without a number."""

    number: int
    is_approximate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Words of the text, verbatim; code points, `end` excluded."""

    text: str
    start: int
    end: int


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot(Generic[T]):
    """What the text says, and the words that say it."""

    value: T
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """`people`: those concerned. `time`: when, None where the words give no moment."""

    hazard: Slot[Hazard] | None
    places: tuple[Span, ...]
    people: Slot[Count] | None
    vulnerable: tuple[Slot[Vulnerable], ...]
    need: Slot[Need] | None
    time: Slot[datetime | None] | None
    has_media: bool
    verification: Verification = Verification.UNVERIFIED

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing but that nobody verified it."""
        slots = (self.hazard, self.people, self.need, self.time)
        return not (any(slots) or self.places or self.vulnerable or self.has_media)
