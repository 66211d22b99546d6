"""What commands that act share: who acts, until when, and how what was done is said."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

import click

from veille.cli.root import chosen
from veille.cli.store import with_store
from veille.config import Loaded
from veille.domain.clock import utc_now
from veille.domain.deed import UNDO_FOR, Done
from veille.domain.durations import parse_duration
from veille.domain.errors import InputError
from veille.store.protocol import Store

if TYPE_CHECKING:
    from veille.pipeline.actions import Actions

T = TypeVar("T")
SHAPES = {"critical": "▲", "warning": "◆", "info": "●"}

actor_option = click.option(
    "--as", "actor", default=getpass.getuser, show_default="your login", help="who does it"
)


def perform(
    ctx: click.Context, config_path: Path | None, do: Callable[[Actions, ZoneInfo], Awaitable[T]]
) -> T:
    """Return what an action returns, done on the store of the configuration."""
    from veille.pipeline.actions import Actions

    async def run(store: Store, loaded: Loaded) -> T:
        actions = Actions(store, route=loaded.route, now=utc_now, zone=loaded.timezone)
        return await do(actions, loaded.timezone)

    return with_store(chosen(ctx, config_path), run)


def say_done(what: str, done: Done) -> None:
    """Print that it is done, and how it is undone; or that it was so already."""
    if done.id is None:
        click.echo(f"{what}: so already")
        return
    click.echo(f"{what}: done ({UNDO_FOR.seconds} s to undo it: veille queue undo {done.id})")


def moment_of(until: str | None, lasting: str | None, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment that --until (by the town's clock) or --for says; one of them is given."""
    if (lasting is None) == (until is None):
        raise InputError("say how long: --for 4h, or --until 2026-11-23T08:00")
    if lasting is not None:
        return now + parse_duration(lasting)
    try:
        at = datetime.fromisoformat(until or "")
    except ValueError as error:
        raise InputError(f'--until "{until}" is no time: write 2026-11-23T08:00') from error
    return at if at.tzinfo else at.replace(tzinfo=zone)
