"""Follow the rules folder: a good change is taken within seconds, a broken one changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import structlog

from veille.domain.errors import RuleError
from veille.pipeline.evaluate import Evaluate
from veille.rules.model import RuleSet
from veille.rules.parse import parse_rules, rule_files
from veille.store import sources
from veille.store.protocol import Store
from veille.telemetry.metrics import metrics

log = structlog.get_logger()


class RuleWatch:
    """Compares the folder's bytes at every step."""

    name = "rules"

    def __init__(
        self, store: Store, evaluate: Evaluate, folder: Path, *, topics: Sequence[str] = ()
    ) -> None:
        self._store = store
        self._evaluate = evaluate
        self._folder = folder
        self._topics = topics
        self._seen: Mapping[str, bytes] | None = None
        self._taken: Mapping[str, bytes] | None = None

    async def step(self, now: datetime) -> bool:
        """Take the folder as it is now, or keep the last good rules and say why."""
        try:
            files = await asyncio.to_thread(rule_files, self._folder)
            if files == self._taken:
                return False
            if files != self._seen:
                self._seen = files  # a copy may be half done: taken when it stays so for one look
                return False
            self._taken = files
            ruleset = self._parsed(files)
        except RuleError as error:
            cause = str(error)
            log.warning("rules_refused", cause=cause)
            metrics().rules_ok.set(0)
            await self._store.write(  # beside the sources, so that a broken file is seen
                lambda db: sources.note_error(
                    db, sources.RULES, at=now, error=cause, next_try_at=now
                )
            )
            return False
        self._evaluate.take_rules(ruleset)
        await self._store.write(
            lambda db: sources.note_read(
                db, sources.RULES, at=now, accepted=0, unmatched=0, rejected=0, unknown_fields=0
            )
        )
        metrics().rules_ok.set(1)
        metrics().rules_loaded.set(len(ruleset.rules))
        log.info("rules_loaded", version=ruleset.version, count=len(ruleset.rules))
        return False

    def _parsed(self, files: Mapping[str, bytes]) -> RuleSet:
        ruleset = parse_rules(files, topics=self._topics)
        if not ruleset.rules:  # a checkout under way looks like this; nobody wants to hear nothing
            raise RuleError(f"{self._folder}: no enabled rule: the last good ones stay")
        return ruleset
