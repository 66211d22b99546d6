"""A mention as the model gets it: its text, and what is known around it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from veille.domain.analysis import Passage
from veille.domain.watch import Watch
from veille.rules.engine import PARIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The territory of each watch, and the zone in which people mean « à 14 h »."""

    territories: Mapping[str, frozenset[str]] = field(default_factory=dict)
    zone: ZoneInfo = PARIS

    @classmethod
    def of(cls, watches: Iterable[Watch], *, zone: ZoneInfo) -> Surroundings:
        """Return what these watches are about."""
        return cls(territories={w.id: frozenset(w.territory) for w in watches}, zone=zone)

    def passage(
        self, text: str, *, at: datetime, watches: Iterable[str], has_media: bool
    ) -> Passage:
        """Return the text with the territory of all its watches; one that is no more has none."""
        found = [self.territories.get(watch, frozenset[str]()) for watch in watches]
        return Passage(
            text=text,
            at=at.astimezone(self.zone),
            territory=frozenset[str]().union(*found),
            has_media=has_media,
        )
