"""Which texts are put aside: those that cannot be read, while the model reads a plain one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from servers import deadly
from veille.app.analyst_process import AnalystProcess
from veille.domain.analysis import Analysis, Passage
from veille.domain.errors import ModelError
from veille.pipeline.analyze import Analyst, Analyze
from veille.store import mentions

if TYPE_CHECKING:
    from conftest import Town
    from veille.store.engine import SqliteStore


class Numberless:
    """Gives no number as the score of any text."""

    def __init__(self, inner: Analyst) -> None:
        self._inner = inner

    def analyze(self, passages: Sequence[Passage]) -> list[Analysis]:
        return [replace(found, crisis=float("nan")) for found in self._inner.analyze(passages)]


class Broken:
    """Reads nothing."""

    def __init__(self, inner: Analyst) -> None:
        pass

    def analyze(self, passages: Sequence[Passage]) -> list[Analysis]:
        raise ValueError("the analyst broke")


@pytest.mark.parametrize("said", [["une rue"], ["une rue", "une école"]])
@pytest.mark.parametrize("breaks", [Broken, Numberless])
async def test_a_model_that_reads_nothing_is_broken_and_parks_nobody(
    town: Town, store: SqliteStore, breaks: Callable[[Analyst], Analyst], said: list[str]
) -> None:
    town.analyze = Analyze(store, breaks(town.analyze.analyst))
    await town.say(*said)
    with pytest.raises(ModelError, match="plain sentence"):
        await town.analyze.step(town.now)
    assert await store.read(mentions.counts) == {"new": len(said)}


async def test_texts_that_cannot_be_read_are_parked_even_when_no_other_waits(
    town: Town, store: SqliteStore
) -> None:
    await town.say("une panne", "encore une panne")
    for _ in range(5):
        await town.work(later=timedelta(minutes=10))
    assert await store.read(mentions.counts) == {"parked": 2}
    await town.say("tout va bien")
    await town.work()
    assert await store.read(mentions.counts) == {"parked": 2, "analyzed": 1}


@pytest.fixture
def mortal() -> Iterator[AnalystProcess]:
    with pytest.MonkeyPatch.context() as patch:
        found = deadly.process(patch, deadly="poison", broken="panne")
        yield found
        found.close()


@pytest.mark.timeout(60)  # seven processes start
async def test_a_batch_of_deadly_texts_never_holds_one_step_for_long(
    town: Town, store: SqliteStore, mortal: AnalystProcess
) -> None:
    town.analyze = Analyze(store, mortal)
    await town.say("un poison", "un autre poison", "une panne", "tout va bien")
    deaths = []
    while True:
        with capture_logs() as told:
            has_done = await town.analyze.step(town.now)
        if not has_done:
            break
        deaths.append([entry["event"] for entry in told].count("analyst_ended"))
    assert deaths == [2, 2, 0]  # once with the others and once alone; then the last is read
    assert await store.read(mentions.counts) == {"new": 3, "analyzed": 1}
    tried = await store.read(
        lambda db: db.rows("SELECT attempts, error FROM mentions WHERE state = 'new' ORDER BY id")
    )
    lost, raised = (1, "AnalystLostError in analysis"), (1, "ValueError in analysis")
    assert [(row["attempts"], row["error"]) for row in tried] == [lost, lost, raised]
    town.now += timedelta(minutes=1)
    await town.say("une autre nouvelle")  # which waits for none that failed before
    await town.analyze.step(town.now)
    assert await store.read(mentions.counts) == {"new": 3, "analyzed": 2}
