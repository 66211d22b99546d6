"""How many requests a minute: a bucket for each token and session, in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

from veille.web import tokens
from veille.web.api.problems import Kind, Refused
from veille.web.site import Visitor, site_of

_MINUTE_S = 60.0
_MOST = 10_000
"""Buckets kept: tokens and sessions of a town are some hundreds."""


@dataclass(slots=True)
class Pace:
    """`rate` requests a minute for each, and as many at once."""

    rate: int
    left: dict[str, tuple[float, datetime]] = field(default_factory=dict)

    def spend(self, who: str, now: datetime) -> float | None:
        """Count one request; return the seconds to wait where it is one too many."""
        tokens, at = self.left.pop(who, (float(self.rate), now))
        grown = max(0.0, (now - at).total_seconds()) * self.rate / _MINUTE_S
        tokens = min(float(self.rate), tokens + grown)
        is_spent = tokens < 1
        self.left[who] = (tokens if is_spent else tokens - 1, now)
        if len(self.left) > _MOST:
            del self.left[next(iter(self.left))]  # the one that has rested longest
        return (1 - tokens) * _MINUTE_S / self.rate if is_spent else None


PACE = web.AppKey("pace", Pace)


def spent(request: web.Request, visitor: Visitor) -> Refused | None:
    """Count this request of a token or a session; return the refusal of one too many."""
    who = visitor.session or tokens.presented(request) or ""  # however its header is written
    wait = request.app[PACE].spend(who, site_of(request).now())
    return None if wait is None else Refused(Kind.TOO_MANY, retry_after_s=math.ceil(wait))
