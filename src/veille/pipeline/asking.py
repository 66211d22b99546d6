"""Asking: answers to « pourquoi » while the daemon runs, with the rules in force."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from veille.domain.alert import Alert, Condition
from veille.domain.evidence import Example
from veille.domain.silence import Mute
from veille.domain.whynot import Told, WhyNot
from veille.pipeline.whynot import Setting, alerts_of, of_incident, why_not
from veille.rules.evidence import conditions_of, verdict
from veille.rules.model import Rule
from veille.store import examples
from veille.store.engine import Db
from veille.store.protocol import Store

WORK_S = 30.0
"""Playing a busy week again takes some seconds; more means that the machine has other troubles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why one alert of an incident fired: numbers, places in texts, and whether they still say so.

    `conditions` are measured values against thresholds; `verdict` is what they give on their own.
    """

    alert: Alert
    conditions: tuple[Condition, ...]
    verdict: bool
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentWhy:
    """Why an incident is there, who was told of it, and what mutes it or did last."""

    incident: int
    alerts: tuple[Why, ...]
    told: tuple[Told, ...]
    mute: Mute | None


class Asking:
    """Answers questions about mentions; `setting` gives the rules and the time of now."""

    def __init__(self, store: Store, setting: Callable[[], Setting]) -> None:
        self._store = store
        self._setting = setting
        self._turn = asyncio.Lock()

    def rules(self) -> dict[str, str]:
        """Return the rules that run, in their order: what people call each, by its id."""
        return {rule.id: name_of(rule) for rule in self._setting().ruleset.rules}

    async def why_not(self, mention: str, rule: str) -> WhyNot:
        """Return what became of a mention under a rule; TimeoutError after WORK_S.

        InputError for a rule nobody knows, or a name that several mentions have.
        """
        setting = self._setting()
        # one at a time: the store has few readers, and pages need one
        async with asyncio.timeout(WORK_S), self._turn:
            return await self._store.read(lambda db: why_not(db, mention, rule, setting))


def name_of(rule: Rule) -> str:
    """Return what people call a rule: the summary of its alerts, without what they fill in."""
    summary = rule.annotations.get("summary")
    return summary.render(defaultdict(lambda: "…")) if summary else rule.id


def why(db: Db, number: int) -> IncidentWhy:
    """Return why an incident is there; InputError where it does not exist."""
    found = alerts_of(db, number)
    shown = examples.of(db, found)
    told, mute = of_incident(db, number)
    return IncidentWhy(
        incident=number,
        alerts=tuple(
            Why(
                alert=alert,
                conditions=conditions_of(alert),
                verdict=verdict(alert),
                examples=shown.get(alert.fingerprint, ()),
            )
            for alert in found
        ),
        told=told,
        mute=mute,
    )
