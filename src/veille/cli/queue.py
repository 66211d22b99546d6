"""`veille queue`: the queue from a terminal, while the daemon runs."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click
import msgspec

from veille.cli import queue_deeds, queue_drafts, unanswered
from veille.cli.acting import SHAPES, actor_option, perform, say_done
from veille.cli.queue_show import show
from veille.cli.root import chosen, config_option, json_option
from veille.cli.store import with_store
from veille.config import Loaded
from veille.domain.clock import utc_now
from veille.domain.deed import Done
from veille.domain.ids import short_id
from veille.domain.incident import Incident, IncidentState, QueueItem, QueueState
from veille.store.engine import Db
from veille.store.protocol import Store

if TYPE_CHECKING:
    from veille.pipeline.actions import Actions

LIMIT = 500
ENDS = ("answered", "closed", "reported", "out_of_scope")


@click.group("queue")
def command() -> None:
    """List, acknowledge, assign, resolve and note incidents (I12) and queue items (Q345)."""


for _command in (show, unanswered.command, *queue_deeds.COMMANDS, *queue_drafts.COMMANDS):
    command.add_command(_command)


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="also what is resolved, closed or snoozed")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=LIMIT,
    show_default=True,
    help="how many incidents and how many queue items at most",
)
@json_option
@config_option
@click.pass_context
def list_(
    ctx: click.Context, everything: bool, limit: int, as_json: bool, config_path: Path | None
) -> None:
    """List open incidents, then queue items, gravest first."""

    from veille.wording.format import visible

    async def read(store: Store, loaded: Loaded) -> tuple[list[dict[str, object]], int]:
        zone = loaded.timezone
        return await store.read(lambda db: _rows(db, zone, everything=everything, limit=limit))

    rows, left_out = with_store(chosen(ctx, config_path), read)
    if left_out:
        click.echo(f"{left_out} more: see them with --limit {limit + left_out}", err=True)
    if as_json:
        click.echo(msgspec.json.encode(rows))
        return
    for row in rows:
        who = row["assignee"] or "-"
        click.echo(
            f"{row['id']!s:<6} {SHAPES[str(row['severity'])]} {row['state']!s:<12} {who!s:<12} "
            f"{row['since']}  {visible(str(row['title']))}"
        )


def _rows(
    db: Db, zone: ZoneInfo, *, everything: bool, limit: int
) -> tuple[list[dict[str, object]], int]:
    """Return the rows, and how many were left out."""
    from veille.store import incidents, queue

    open_states = [s for s in IncidentState if everything or s is not IncidentState.RESOLVED]
    item_states = [s for s in QueueState if everything or s.is_open]
    found = incidents.list_(db, states=open_states, limit=limit)
    awake_at = None if everything else utc_now()
    items = queue.list_(db, states=item_states, limit=limit, awake_at=awake_at)
    left = queue.count(db, states=item_states, awake_at=awake_at)
    count = incidents.count(db, states=open_states) + left
    rows = [_incident(i, zone) for i in found] + [_item(q, zone) for q in items]
    rows.sort(key=lambda row: list(SHAPES).index(str(row["severity"])))
    return rows, count - len(rows)


def _incident(incident: Incident, zone: ZoneInfo) -> dict[str, object]:
    return {
        "id": short_id("I", incident.id),
        "state": incident.state,
        "severity": incident.severity,
        "assignee": incident.assignee,
        "since": _clock(incident.opened_at, zone),
        "title": incident.title,
    }


def _item(item: QueueItem, zone: ZoneInfo) -> dict[str, object]:
    return {
        "id": short_id("Q", item.id),
        "state": item.state,
        "severity": item.severity,
        "assignee": item.assignee,
        "since": _clock(item.created_at, zone),
        "title": item.rule or "",
    }


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat(timespec="minutes")


@command.command("ack")
@click.argument("target")
@actor_option
@config_option
@click.pass_context
def ack(ctx: click.Context, target: str, actor: str, config_path: Path | None) -> None:
    """Take TARGET: reminders stop, and everybody sees who has it."""
    _act(ctx, config_path, target, lambda a: a.acknowledge(target, actor=actor))


@command.command("assign")
@click.argument("target")
@click.argument("person")
@actor_option
@config_option
@click.pass_context
def assign(
    ctx: click.Context, target: str, person: str, actor: str, config_path: Path | None
) -> None:
    """Give TARGET to PERSON."""
    _act(ctx, config_path, target, lambda a: a.assign(target, to=person, actor=actor))


@command.command("resolve")
@click.argument("target")
@click.option(
    "--state",
    type=click.Choice(ENDS),
    help="for a queue item: how it ended (default closed)",
)
@queue_deeds.reason_option
@actor_option
@config_option
@click.pass_context
def resolve(
    ctx: click.Context,
    target: str,
    state: str | None,
    reason: str,
    actor: str,
    config_path: Path | None,
) -> None:
    """Resolve an incident, or close a queue item."""
    ended = QueueState(state) if state else None
    _act(
        ctx,
        config_path,
        target,
        lambda a: a.resolve(target, actor=actor, state=ended, reason=reason),
    )


@command.command("note")
@click.argument("target")
@click.argument("text")
@actor_option
@config_option
@click.pass_context
def note(ctx: click.Context, target: str, text: str, actor: str, config_path: Path | None) -> None:
    """Write a line into TARGET's timeline (- reads it from standard input); @name calls people."""
    words = sys.stdin.read() if text == "-" else text
    called = perform(ctx, config_path, lambda a, _: a.note(target, text=words, actor=actor))
    click.echo(f"{target.upper()}: noted{', for ' * bool(called)}{', '.join(called)}")


def _act(
    ctx: click.Context,
    config_path: Path | None,
    target: str,
    act: Callable[[Actions], Awaitable[Done]],
) -> None:
    say_done(target.upper(), perform(ctx, config_path, lambda actions, _: act(actions)))
