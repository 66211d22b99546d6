"""The rules as people read them while they run: the folder's files, and their tests on demand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from veille.domain.errors import RuleError
from veille.domain.ids import content_hash
from veille.pipeline.passages import Surroundings
from veille.pipeline.rule_tests import Analyze, gather, partner, run
from veille.rules.model import RuleSet

WORK_S = 60.0
"""The slowest shipped file takes 7 s of one core (rising); more: the machine has other troubles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What the tests of one rule file found, and when; `is_stale`: a file changed since."""

    at: datetime
    passed: int
    failed: int
    findings: tuple[str, ...]
    mark: str
    is_stale: bool = False


class RuleBook:
    """Reads the folder when asked. What tests found is kept while the daemon runs, not longer.

    Tests run on demand, one file at a time, in a thread: at each start or reload they would take
    ten seconds of a core from the mentions that wait.
    """

    def __init__(
        self,
        folder: Path,
        running: Callable[[], RuleSet],
        *,
        analyze: Analyze | None,
        around: Surroundings,
        topics: Sequence[str],
        now: Callable[[], datetime],
    ) -> None:
        self._folder = folder
        self._running = running
        self._analyze = analyze
        self._around = around
        self._topics = tuple(topics)
        self._now = now
        self._found: dict[str, Tested] = {}
        self._turn = threading.Lock()  # held by the thread: it works on when the asker has left

    def running(self) -> RuleSet:
        """Return the rules in force, which a refused folder does not change."""
        return self._running()

    async def files(self) -> dict[str, bytes]:
        """Return the rule and test files as they are now, by name; RuleError if unreadable."""
        found = await asyncio.to_thread(self._read)
        return {Path(name).name: data for name, data in found.items()}

    async def tested(self, file: str) -> Tested | None:
        """Return what the tests of this rule file last found, None before they ran here."""
        known = self._found.get(file)
        if known is None:
            return None
        return replace(known, is_stale=_mark(file, await self.files()) != known.mark)

    async def test(self, file: str) -> bool:
        """Return true once its tests have run, false at once while those of any file run.

        RuleError for a file that is not there, TimeoutError after WORK_S.
        """
        async with asyncio.timeout(WORK_S):
            return await asyncio.to_thread(self._test, file)

    def _read(self) -> dict[str, bytes]:
        try:
            return gather([self._folder])
        except OSError as error:
            raise RuleError(f"{self._folder}: cannot be read: {error.strerror}") from error

    def _test(self, file: str) -> bool:
        if not self._turn.acquire(blocking=False):
            return False
        try:
            files = {Path(name).name: data for name, data in self._read().items()}
            pair = {name: files[name] for name in (file, partner(file)) if name in files}
            if file not in pair:
                raise RuleError(f"{file}: no such rule file")
            report = run(pair, self._analyze, around=self._around, topics={file: self._topics})
            self._found[file] = Tested(
                at=self._now(),
                passed=report.passed,
                failed=report.failed,
                findings=tuple(map(str, report.findings)),
                mark=_mark(file, files),
            )
            return True
        finally:
            self._turn.release()


def _mark(file: str, files: Mapping[str, bytes]) -> str:
    found = (files.get(name, b"").hex() for name in (file, partner(file)))
    return content_hash(*found)
