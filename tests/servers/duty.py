"""The daemon without its model, as a process that may be killed: timers, outbox, mail."""

from __future__ import annotations

import asyncio
import multiprocessing
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from veille.app import daemon
from veille.app.desks import open_desks
from veille.config import load
from veille.domain.clock import utc_now
from veille.pipeline.runner import Runner
from veille.wording.catalogue import catalogue

catalogue("fr")  # each process is forked from one that has read it: a tenth of the time


async def _serve(path: Path, ahead: timedelta, at_work: Event) -> None:
    def now() -> datetime:
        return utc_now() + ahead

    loaded = load(path)
    runner = Runner(now=now)
    async with AsyncExitStack() as stack:
        database = loaded.resolve(loaded.config.veille.data_dir) / "veille.db"
        store = await daemon._opened(database, stack, now())
        desks = open_desks(loaded, runner)
        delivers = await daemon._add_delivery(
            loaded, store, runner, stack, desks, now=now, ruleset=lambda: None
        )
        await daemon._add_on_call(loaded, store, runner, stack, then=delivers)
        at_work.set()
        await runner.run()


def serve(path: str, ahead: timedelta, at_work: Event) -> None:
    """Run until killed, the clock this far ahead."""
    asyncio.run(_serve(Path(path), ahead, at_work))


class Duty:
    """Starts such processes quickly, one at a time: each is forked from one that imported all."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["pytest", __name__])
        self._process: BaseProcess | None = None
        self._at_work = self._context.Event()

    def start(self, *, ahead: timedelta = timedelta(0)) -> None:
        """A new process works on the store, its clock this far ahead."""
        self._at_work.clear()
        arguments = (str(self._config), ahead, self._at_work)
        self._process = self._context.Process(target=serve, args=arguments, daemon=True)
        with pytest.MonkeyPatch.context() as patch:
            # the server of the forks, started here once, finds this module by it alone
            patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
            self._process.start()

    def wait(self) -> None:
        """All its stages are about to take their first step."""
        assert self._process is not None
        while not self._at_work.wait(0.05):
            assert self._process.is_alive(), "it ended before it began"

    def kill(self) -> None:
        """It is gone, whatever it was doing (SIGKILL)."""
        assert self._process is not None
        self._process.kill()
        self._process.join(10)
        assert self._process.exitcode == -9
