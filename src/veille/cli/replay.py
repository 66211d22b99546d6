"""`veille replay`: what would have alerted, as a log of transitions."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from veille.cli.progress import progress
from veille.cli.root import chosen, config_option, json_option
from veille.domain.errors import InputError


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f'--until "{text}": write 2026-01-18T06:00:00+01:00') from None
    if at.tzinfo is None:
        raise InputError(f'--until "{text}": add the offset, as in {text}+01:00')
    return at.astimezone(UTC)


@click.command("replay")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@json_option
@click.option("--until", help="let the virtual clock run to this instant (RFC 3339)")
@click.option(
    "--db",
    type=click.Path(path_type=Path, dir_okay=False),
    help="keep the store here: a run that was killed goes on from it",
)
@config_option
@click.pass_context
def command(
    ctx: click.Context,
    file: Path,
    as_json: bool,
    until: str | None,
    db: Path | None,
    config_path: Path | None,
) -> None:
    """Play FILE (mention interchange, one object a line) on a virtual clock.

    Prints the log of alert and incident transitions at the end; the same file gives the same
    bytes. Lines that cannot be read are named on stderr, and the status is 1. Without --config it
    uses the shipped rules and a watch that matches everything.
    """
    from veille.app.replay import Options, replay

    options = Options(
        file=file, config=chosen(ctx, config_path), until=_instant(until), db=db, as_json=as_json
    )
    with progress("replay", unit="mentions") as report:
        lines, rejected = asyncio.run(replay(options, report))
    for reason in rejected:
        click.echo(reason, err=True)
    for line in lines:
        click.echo(line.encode() if as_json else line)  # the same bytes on any terminal
    if rejected:
        click.echo(f"{file.name}: {len(rejected)} lines could not be read", err=True)
        sys.exit(1)
