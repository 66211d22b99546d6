"""`veille queue unanswered`: every question and request without an answer, and why."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from veille.cli.root import chosen, config_option, json_option
from veille.cli.store import with_store
from veille.config import Loaded
from veille.domain.clock import utc_now
from veille.domain.ids import short_id
from veille.store.engine import Db
from veille.store.protocol import Store

if TYPE_CHECKING:
    from veille.domain.ledger import Entry
    from veille.domain.promise import Promises

LIMIT = 500


@click.command("unanswered")
@click.option(
    "--decided",
    "days",
    type=click.IntRange(min=1, max=3660),
    help="list instead what was answered or decided in so many days",
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True, help="how many at most"
)
@json_option
@config_option
@click.pass_context
def command(
    ctx: click.Context, days: int | None, limit: int, as_json: bool, config_path: Path | None
) -> None:
    """List questions and requests without an answer, the oldest first, and why."""
    from datetime import timedelta

    from veille.app import parts
    from veille.store import ledger
    from veille.wording import clock
    from veille.wording.catalogue import catalogue

    now = utc_now()

    async def read(store: Store, loaded: Loaded) -> tuple[list[Entry], int, Loaded]:
        def look(db: Db) -> tuple[list[Entry], int]:
            if days is not None:
                return ledger.decided(db, since=now - timedelta(days=days), limit=limit), 0
            return ledger.unanswered(db, limit=limit), ledger.count(db)

        entries, count = await store.read(look)
        return entries, count - len(entries), loaded

    found, left_out, loaded = with_store(chosen(ctx, config_path), read)
    if left_out > 0:
        click.echo(f"{left_out} more: see them with --limit {limit + left_out}", err=True)
    promises = parts.promises(loaded)
    if as_json:
        click.echo(msgspec.json.encode([_row(entry, promises, now) for entry in found]))
        return
    say, zone = catalogue(loaded.config.veille.language), str(loaded.timezone)
    names = parts.source_names(loaded)
    if not found:
        click.echo(say("clock.page.none" if days is None else "clock.page.decided_none"))
    for entry in found:
        said = clock.entry(say, entry, promises, now=now, zone=zone)
        name = short_id("Q", entry.item) if entry.item is not None else "-"
        source = names.get(entry.source, entry.source)
        click.echo(f"{name:<6} {said.shape} {said.age:>10}  {said.due}  {source}")
        click.echo(f"       {said.why or said.decided}")


def _row(entry: Entry, promises: Promises, now: datetime) -> dict[str, object]:
    """Return one entry as exact JSON: `age_s` and each clock's `used_s` are business seconds."""
    hours = promises.of(entry.source, entry.intent).opening
    is_open = entry.outcome is None
    return {
        "id": None if entry.item is None else short_id("Q", entry.item),
        "mention": entry.mention,
        "source": entry.source,
        "intent": entry.intent,
        "asked_at": entry.asked_at,
        "age_s": int(entry.age(promises, now).total_seconds()),
        "due_at": entry.due_at,
        "pace": entry.pace(now),
        "reason": entry.why(promises, now) if is_open else None,
        "is_again": entry.is_again,
        "repeats": entry.repeats,
        "state": entry.item_state,
        "assignee": entry.assignee,
        "waiting_for": entry.waiting_for,
        "outcome": entry.outcome,
        "decided_at": entry.decided_at,
        "decided_by": entry.actor,
        "decision": entry.reason if not is_open else None,
        "clocks": [
            {
                "duty": clock.duty,
                "since": clock.since,
                "bound_s": None if clock.bound is None else int(clock.bound.total_seconds()),
                "used_s": int(clock.used(now, hours).total_seconds()),
                "due_at": clock.due_at(hours),
                "met_at": clock.met_at,
            }
            for clock in entry.clocks
        ],
    }
