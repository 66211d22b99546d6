"""`veille oncall`: who is on call now and next, where nobody is, and who takes over."""

from __future__ import annotations

import getpass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import msgspec

from veille.cli.root import chosen, config_option, json_option
from veille.cli.store import with_store
from veille.config import Loaded
from veille.domain.clock import utc_now
from veille.domain.errors import InputError
from veille.store.protocol import Store

actor_option = click.option(
    "--as", "actor", default=getpass.getuser, show_default="your login", help="who does it"
)


@click.group("oncall", invoke_without_command=True)
@click.option("--at", help="as of this time, as 2026-12-24T18:00 (default: now)")
@click.option(
    "--weeks",
    type=click.IntRange(min=1, max=52),
    default=4,
    show_default=True,
    help="how far gaps and overlaps are looked for",
)
@json_option
@config_option
@click.pass_context
def command(
    ctx: click.Context, at: str | None, weeks: int, as_json: bool, config_path: Path | None
) -> None:
    """Show who is on call now and next, and gaps and overlaps of the next weeks."""
    if ctx.invoked_subcommand is not None:
        return
    from veille.app.oncall import roster
    from veille.app.oncall_words import Voice
    from veille.app.oncall_words import as_json as described
    from veille.wording.catalogue import catalogue

    async def run(store: Store, loaded: Loaded) -> list[str | bytes]:
        known, ahead = roster(loaded), timedelta(weeks=weeks)
        now = utc_now() if at is None else _instant("--at", at, loaded.timezone)
        found = await store.read(lambda db: known.status(db, now, ahead=ahead))
        if as_json:
            return [msgspec.json.encode(described(found, known, at=now))]
        say = catalogue(loaded.config.veille.language)
        if not found:
            return [say("oncall.none", file=loaded.path)]
        voice = Voice(say=say, zone=loaded.timezone, roster=known, now=now)
        return list(voice.report(found, ahead=now + ahead))

    for line in with_store(chosen(ctx, config_path), run):
        click.echo(line)


@command.command("override")
@click.argument("person")
@click.option("--from", "since", help="when it begins, as 2026-12-24T18:00 (default: now)")
@click.option("--to", "until", required=True, help="when it ends, as 2026-12-26T08:00")
@click.option("--schedule", help="which schedule (default: the only one)")
@actor_option
@config_option
@click.pass_context
def override(
    ctx: click.Context,
    person: str,
    since: str | None,
    until: str,
    schedule: str | None,
    actor: str,
    config_path: Path | None,
) -> None:
    """Put PERSON on call from one time to another, over everything else."""
    from veille.app.oncall import roster
    from veille.app.oncall_words import Voice
    from veille.domain.oncall import Override, Shift
    from veille.pipeline.oncall import take_over
    from veille.wording.catalogue import catalogue

    async def run(store: Store, loaded: Loaded) -> str:
        now, known, zone = utc_now(), roster(loaded), loaded.timezone
        wanted = Override(
            id=0,
            schedule=schedule or _only(loaded),
            person=person,
            starts_at=now if since is None else _instant("--from", since, zone),
            ends_at=_instant("--to", until, zone),
            actor=actor,
            created_at=now,
        )
        added = await store.write(lambda db: take_over(db, wanted, known, now=now))
        say = catalogue(loaded.config.veille.language)
        voice = Voice(say=say, zone=zone, roster=known, now=now)
        shift = Shift(starts_at=added.starts_at, ends_at=added.ends_at, people=(added.person,))
        return voice.span("oncall.overridden", shift, id=added.id, schedule=added.schedule)

    click.echo(with_store(chosen(ctx, config_path), run))


@command.command("withdraw")
@click.argument("number", type=click.IntRange(min=1))
@actor_option
@config_option
@click.pass_context
def withdraw(ctx: click.Context, number: int, actor: str, config_path: Path | None) -> None:
    """End the override of this NUMBER."""
    from veille.pipeline.oncall import hand_back
    from veille.wording.catalogue import catalogue

    async def run(store: Store, loaded: Loaded) -> str:
        ended = await store.write(lambda db: hand_back(db, number, actor=actor, now=utc_now()))
        return catalogue(loaded.config.veille.language)("oncall.withdrawn", id=ended.id)

    click.echo(with_store(chosen(ctx, config_path), run))


def _instant(option: str, written: str, zone: ZoneInfo) -> datetime:
    """Return the aware time; without an offset it is by the institution's clocks."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError as error:
        raise InputError(f'{option} "{written}" is no time: write 2026-12-24T18:00') from error
    return found if found.tzinfo else found.replace(tzinfo=zone)


def _only(loaded: Loaded) -> str:
    names = [schedule.id for schedule in loaded.config.schedule]
    if len(names) != 1:
        known = ", ".join(names) or "none: add [[schedule]] to config.toml"
        raise InputError(f"which schedule? write --schedule (known: {known})")
    return names[0]
