"""What is monitored: an institution, a service, an office-holder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """`query` is the boolean query as written; "" matches everything."""

    id: str
    query: str
    territory: tuple[str, ...] = ()
