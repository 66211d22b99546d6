"""A bar on standard error for what takes over two seconds, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from veille.domain.clock import monotonic_s

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE_S = 2.0
"""interface.md, Command line: anything longer shows rate and time left."""
Report = Callable[[int, float | None], None]
"""Takes how much is done so far, and of how much, None when nobody knows."""


@contextmanager
def progress(label: str, *, unit: str, is_wanted: bool = True) -> Iterator[Report]:
    """Give a function that is told how much is done; rate and time left are shown."""
    if not (is_wanted and sys.stderr.isatty()):
        yield lambda *_: None
        return
    begun_s = monotonic_s()
    bar: Progress | None = None

    def report(done: int, total: float | None) -> None:
        nonlocal bar
        if bar is None:
            if monotonic_s() - begun_s < PATIENCE_S:
                return
            bar = _bar(label)
            bar.start()
        rate = done / max(monotonic_s() - begun_s, 0.001)
        shown = f"{rate:,.0f} {unit}/s"
        bar.update(bar.task_ids[0], completed=done, total=total, rate=shown)

    try:
        yield report
    finally:
        if bar is not None:
            bar.stop()


def _bar(label: str) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    found = Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # rich would send what is printed to standard error, too
        redirect_stderr=False,
    )
    found.add_task(label, total=None, rate="")
    return found
