"""Signs that many accounts act together: never who, and never that one of them is a machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordination:
    """What the mentions of an incident show of it.

    `texts` were said by several accounts within moments of each other, in `copies` messages;
    `shortest_s` and `median_s` are of the seconds between two accounts saying the same (0 without
    such texts). Of `accounts`, `new_accounts` were `days` old at most when they wrote; of
    `undated` ones the source tells no age.
    """

    texts: int
    copies: int
    shortest_s: float
    median_s: float
    accounts: int
    new_accounts: int
    undated: int
    days: int

    @property
    def new_ratio(self) -> float:
        """Share of the accounts known to be new, in [0, 1]; those without age count as old."""
        return self.new_accounts / self.accounts if self.accounts else 0.0
