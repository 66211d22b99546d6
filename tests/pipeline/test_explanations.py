"""Explanations take one thread, one at a time, whoever asks and whoever leaves."""

from __future__ import annotations

import asyncio
import threading

import pytest

from veille.domain.analysis import Passage
from veille.domain.explanation import Explanation
from veille.pipeline.explanations import Explanations

SAID = (Explanation(head="urgency", label="urgent", spans=()),)


class Thinker:
    """A reader that thinks until it is let go."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.has_begun = threading.Event()
        self.texts: list[str] = []

    def explain(self, passage: Passage) -> tuple[Explanation, ...]:
        self.texts.append(passage.text)
        self.has_begun.set()
        if not self.may_end.wait(10):
            raise TimeoutError
        return SAID


async def until(event: threading.Event) -> None:
    async with asyncio.timeout(10):
        while not event.is_set():
            await asyncio.sleep(0.001)


async def test_a_second_asker_is_told_at_once_and_the_first_gets_the_answer() -> None:
    thinker = Thinker()
    explanations = Explanations(thinker)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(explanations.explain("Au secours"))
        await until(thinker.has_begun)
        assert await explanations.explain("Bonjour") is None
        thinker.may_end.set()
    assert first.result() == SAID
    assert thinker.texts == ["Au secours"]
    assert await explanations.explain("Bonjour") == SAID


async def test_an_asker_who_leaves_does_not_let_a_second_thread_in() -> None:
    thinker = Thinker()
    explanations = Explanations(thinker)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await explanations.explain("Au secours")
    assert await explanations.explain("Bonjour") is None
    thinker.may_end.set()


async def test_a_failure_ends_the_turn() -> None:
    class Broken:
        def explain(self, passage: Passage) -> tuple[Explanation, ...]:
            raise ValueError(passage.text)

    explanations = Explanations(Broken())
    for _ in range(2):
        with pytest.raises(ValueError, match="x"):
            await explanations.explain("x")
