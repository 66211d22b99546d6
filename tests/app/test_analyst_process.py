"""The analyst in a process of its own: it says the same, outlives signals, and may die."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from veille.app.analyst_process import AnalystProcess, _sendable
from veille.domain.analysis import Passage
from veille.domain.errors import AnalystLostError, InputError, ModelError, VeilleError
from veille.nlp.settings import ModelSettings

pytestmark = pytest.mark.timeout(60)  # two processes load the model, seconds each
FIRE = Passage(text="Au secours, l'école brûle, il y a des enfants dedans !")


@pytest.fixture(scope="module")
def analyst() -> Iterator[AnalystProcess]:
    found = AnalystProcess(ModelSettings(), ())
    found.wait()
    yield found
    process = found._life.process
    found.close()
    # by itself, as it does when who started it is killed: not by a signal of ours
    assert process.returncode == 0
    with pytest.raises(AnalystLostError):  # no other is started then
        found.analyze([FIRE])


def test_it_explains_a_text_while_it_reads_others(analyst: AnalystProcess) -> None:
    with ThreadPoolExecutor(2) as people:
        explained = people.submit(analyst.explain, FIRE)
        read = [analyst.analyze([FIRE, Passage(text=f"Merci {n}")]) for n in range(3)]
        assert "urgent" in {each.label for each in explained.result(60)}
    assert {found[0].urgency.label for found in read} == {"urgent"}
    assert {found[1].urgency.label for found in read} == {"normal"}


def test_a_stop_sent_to_the_whole_service_leaves_its_step_to_finish(
    analyst: AnalystProcess,
) -> None:
    before = analyst.pid
    assert os.getpgid(before) == before  # a terminal's ^C does not reach it, not even at the start
    for name in (signal.SIGTERM, signal.SIGINT):
        os.kill(before, name)
        assert len(analyst.analyze([FIRE])) == 1
    assert analyst.pid == before


def test_what_it_read_when_it_died_is_told_and_the_next_is_read(analyst: AnalystProcess) -> None:
    before = analyst.pid
    lost = threading.Event()

    def read() -> None:
        with pytest.raises(AnalystLostError, match="status -9"):
            analyst.analyze([Passage(text=f"{FIRE.text} {n}") for n in range(3_000)])
        lost.set()

    reader = threading.Thread(target=read)
    reader.start()
    while not analyst._life._asked:
        pass
    os.kill(before, signal.SIGKILL)
    reader.join(30)
    assert lost.is_set()
    assert analyst.analyze([FIRE])[0].urgency.label == "urgent"
    assert analyst.pid != before


def test_a_model_that_cannot_be_loaded_says_so_here() -> None:
    analyst = AnalystProcess(ModelSettings(directory="/nowhere"), ())
    with pytest.raises(ModelError, match=r"/nowhere.*no readable model\.toml"):
        analyst.wait()
    analyst.close()


class Upgrade:
    """Makes the other process answer with what this one does not know."""

    def __reduce__(self) -> object:
        return exec, (
            "import veille.app.analyst_process as new\n"
            "class New(Exception): __module__ = new.__name__\n"
            "new.New, new._sendable = New, lambda error: New()",
        )


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_who_waits_for_an_answer_that_cannot_be_read_is_told() -> None:
    analyst = AnalystProcess(ModelSettings(directory="/nowhere"), ())
    with pytest.raises(AnalystLostError):
        analyst._life.ask("load", Upgrade()).result(30)
    analyst.close()


def test_an_error_that_does_not_survive_the_way_is_named() -> None:
    class Odd(Exception):
        def __init__(self, *, number: int) -> None:
            super().__init__(f"a text, number {number}")

    said = _sendable(Odd(number=3))
    assert type(said) is VeilleError
    assert str(said) == "Odd in the process that holds the model"  # never a text
    kept = InputError("no number")
    assert _sendable(kept) is kept
