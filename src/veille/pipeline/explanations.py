"""Explain one text on demand, in a thread, one at a time: the stages keep their share."""

from __future__ import annotations

import asyncio
import threading
from typing import Protocol

from veille.domain.analysis import Passage
from veille.domain.explanation import Explanation

WORK_S = 60.0
"""A text of 256 tokens takes 7 s of one core: a machine that needs longer has other troubles."""


class Reader(Protocol):
    """Says which words carried each label."""

    def explain(self, passage: Passage) -> tuple[Explanation, ...]: ...


class Explanations:
    """At most one text is explained at any time, however many people ask."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._turn = threading.Lock()  # held by the thread: it works on when the asker has left

    async def explain(self, text: str) -> tuple[Explanation, ...] | None:
        """Return what carried the labels of a text, None at once while another is explained.

        TimeoutError when the model takes longer than `WORK_S`.
        """
        async with asyncio.timeout(WORK_S):
            return await asyncio.to_thread(self._explain, text)

    def _explain(self, text: str) -> tuple[Explanation, ...] | None:
        if not self._turn.acquire(blocking=False):
            return None
        try:
            return self._reader.explain(Passage(text=text))
        finally:
            self._turn.release()
