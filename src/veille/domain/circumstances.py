"""What the store knows beside mentions when the rules look: who was answered, what is down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Evaluation is a function of mentions, of the clock and of these, all of them in the store.

    `answered` holds keys of mentions whose queue item needs nobody any more. `failing` says of each
    source that cannot be read since when. `outages` are past times, by source and in order, in
    which it could not. `sources` are those that are read at all; None: all that were heard.
    `heard_until` is when listening ends: a replay's file is over, and that
    nothing comes afterwards says nothing; None: it goes on.
    """

    answered: frozenset[str] = frozenset()
    failing: Mapping[str, datetime] = field(default_factory=dict)
    outages: Mapping[str, tuple[tuple[datetime, datetime], ...]] = field(default_factory=dict)
    sources: frozenset[str] | None = None
    heard_until: datetime | None = None

    def unread(self, source: str, now: datetime) -> tuple[tuple[datetime, datetime], ...]:
        """Return when a source could not be read, in order, what lasts until `now` included."""
        since = self.failing.get(source)
        past = self.outages.get(source, ())
        return past if since is None or since >= now else (*past, (since, now))


CALM = Circumstances()
"""Nothing is known beside the mentions."""
