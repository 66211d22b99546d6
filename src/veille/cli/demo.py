"""`veille demo`: the bundled night of flooding."""

from __future__ import annotations

import asyncio
import sys

import click


@click.command("demo")
@click.option("--exit", "ends", is_flag=True, help="end with one JSON line instead of serving on")
def command(ends: bool) -> None:
    """Play the bundled scenario with local stand-ins for Slack and mail, and serve the queue.

    The queue's address and login are printed first. With --exit the last line is JSON, and the
    status is 1 if no alert reached both stand-ins.
    """
    from veille.demo.play import play

    sys.exit(asyncio.run(play(ends=ends)))
