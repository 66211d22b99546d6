"""Follow the rules folder: a good change is taken within seconds, a broken one changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import structlog

from veille.alerts.operational import RULES_REFUSED, cleared, raised
from veille.domain.errors import RuleError
from veille.domain.ids import fingerprint
from veille.pipeline.evaluate import Evaluate
from veille.rules.lint import heavy
from veille.rules.model import RuleSet
from veille.rules.parse import RuleFile, joined, parse_files, rule_files
from veille.store import alerts, sources
from veille.store.engine import Db
from veille.store.protocol import Store
from veille.telemetry.metrics import metrics
from veille.wording.catalogue import Catalogue, catalogue

SHOWN = 3
"""Findings told in an alert; all of them are on the page of sources."""

log = structlog.get_logger()


class RuleWatch:
    """Compares the folder's bytes at every step. `say` is the language of its alert.

    `topics` and `names` (of sources, by id) are as `parse_rules` takes them.
    """

    name = "rules"

    def __init__(
        self,
        store: Store,
        evaluate: Evaluate,
        folder: Path,
        *,
        topics: Sequence[str] = (),
        names: Mapping[str, str] = MappingProxyType({}),
        say: Catalogue | None = None,
    ) -> None:
        self._store = store
        self._evaluate = evaluate
        self._folder = folder
        self._topics = topics
        self._names = names
        self._say = say or catalogue("fr")
        self._seen: Mapping[str, bytes] | None = None
        self._taken: Mapping[str, bytes] | None = None
        self._refused: str | None = None
        self._good: Mapping[str, RuleFile] = {}

    async def step(self, now: datetime) -> bool:
        """Take the folder as it is now, or keep the last good rules and say why; true if taken."""
        try:
            files = await asyncio.to_thread(rule_files, self._folder)
        except RuleError as error:
            self._seen = self._taken = None  # what is back again is looked at anew
            return await self._refuse(str(error), now)
        if files == self._taken:
            return False
        if files != self._seen:
            self._seen = files  # a copy may be half done: taken when it stays so for one look
            return False
        self._taken = files
        try:
            ruleset = await asyncio.to_thread(self._parsed, files)
        except RuleError as error:
            return await self._refuse(str(error), now)
        self._refused = None
        self._evaluate.take_rules(ruleset)
        await self._store.write(lambda db: _accept(db, now))
        metrics().rules_ok.set(1)
        metrics().rules_loaded.set(len(ruleset.rules))
        for why in heavy(ruleset):
            log.warning("rules_heavy", cause=why)
        log.info("rules_loaded", version=ruleset.version, count=len(ruleset.rules))
        return True

    def _parsed(self, files: Mapping[str, bytes]) -> RuleSet:
        parsed = parse_files(files, topics=self._topics, known=self._good)
        ruleset = joined(parsed, sources=self._names)
        if not ruleset.rules:  # a checkout under way looks like this; nobody wants to hear nothing
            raise RuleError(f"{self._folder}: no enabled rule: the last good ones stay")
        self._good = parsed
        return ruleset

    async def _refuse(self, cause: str, now: datetime) -> bool:
        if cause != self._refused:
            self._refused = cause
            log.warning("rules_refused", cause=cause)
            metrics().rules_ok.set(0)
            await self._store.write(lambda db: self._note(db, cause, now))
        return False

    def _note(self, db: Db, cause: str, now: datetime) -> None:
        """The folder stands as refused, beside the sources and as an alert, until it is good."""
        sources.note_error(db, sources.RULES, at=now, error=cause, next_try_at=now)
        found = cause.splitlines()
        known = alerts.get(db, [_MARK]).get(_MARK)
        alert, transition = raised(
            known,
            RULES_REFUSED,
            count=len(found),
            annotations={
                "summary": self._say("operations.rules.summary"),
                "description": "\n".join(found[:SHOWN]),
                "actions": self._say("operations.rules.actions"),
            },
            now=now,
        )
        alerts.save(db, [alert])
        alerts.add_transitions(db, [transition] if transition else [])


def _accept(db: Db, now: datetime) -> None:
    sources.note_read(
        db, sources.RULES, at=now, accepted=0, unmatched=0, rejected=0, unknown_fields=0
    )
    known = next((alert for alert in alerts.live(db) if alert.fingerprint == _MARK), None)
    if known is not None:
        alert, transition = cleared(known, now)
        alerts.save(db, [alert])
        alerts.add_transitions(db, [transition])


_MARK = fingerprint(RULES_REFUSED, {})
