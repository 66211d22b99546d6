"""`veille backup`: copies of the store, made while it is in use, and put back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from veille.cli.progress import progress
from veille.cli.root import chosen, config_option, json_option
from veille.domain.clock import utc_now

if TYPE_CHECKING:
    from veille.store.backup import Contents, ProgressReport

KEEP = 7
file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))


@click.group("backup", invoke_without_command=True)
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="write it into this folder (default: backups in data_dir)",
)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=KEEP,
    show_default=True,
    help="how many backups stay in the folder; older ones are removed",
)
@json_option
@config_option
@click.pass_context
def command(
    ctx: click.Context, folder: Path | None, keep: int, as_json: bool, config_path: Path | None
) -> None:
    """Copy the store while the daemon runs, verify the copy, and remove the oldest ones.

    The configuration and the secrets are not in it: keep them elsewhere. Whoever has a backup has
    everything that is stored: keep it as safe as the store.
    """
    if ctx.invoked_subcommand is not None:
        return
    from veille import config
    from veille.app.backup import make

    loaded = config.load(chosen(ctx, config_path))
    with _bar("backup") as report:
        made = make(loaded, folder=folder, keep=keep, now=utc_now(), report=report)
    if as_json:
        click.echo(msgspec.json.encode(made))
        return
    click.echo(f"{made.file}: {_say(made.contents)}, verified")
    if made.removed:
        click.echo(f"removed: {', '.join(made.removed)}")
    click.echo(f"not in it: {loaded.path.name} and the secrets; without PSEUDONYM_KEY it is blind")


@command.command("verify")
@file_argument
@json_option
def verify(file: Path, as_json: bool) -> None:
    """Read all of a backup: status 1 when it is damaged, not veille's, or of a newer veille."""
    from veille.app.backup import verify as check

    contents = check(file)
    if as_json:
        click.echo(msgspec.json.encode({"file": str(file), "contents": contents}))
    else:
        click.echo(f"{file}: {_say(contents)}, in order")


@command.command("restore")
@file_argument
@click.option("--force", is_flag=True, help="replace the store there is; it is kept aside")
@json_option
@config_option
@click.pass_context
def restore(
    ctx: click.Context, file: Path, force: bool, as_json: bool, config_path: Path | None
) -> None:
    """Put a backup in the place of the store, while no daemon runs.

    Erasures since the backup are done again, everybody is logged out, and messages that waited
    when it was made are sent (again).
    """
    from veille import config
    from veille.app.backup import restore as put_back

    loaded = config.load(chosen(ctx, config_path))
    with _bar("restore") as report:
        done = asyncio.run(put_back(loaded, file, is_forced=force, now=utc_now(), report=report))
    if as_json:
        click.echo(msgspec.json.encode(done))
        return
    click.echo(f"{done.file}: {_say(done.contents)}, restored")
    if done.erased:
        click.echo(f"erased again: {done.erased:,} mentions")
    if done.aside is not None:
        click.echo(f"before: {done.aside}; remove it once all is well: it holds personal data")
    click.echo("accounts and passwords are as they were then: look at `veille user list`")


def _say(contents: Contents) -> str:
    newest = contents.newest_at
    until = f", the last of {newest.isoformat(timespec='minutes')}" if newest else ""
    return f"{contents.bytes / 1e6:.1f} MB, {contents.mentions:,} mentions{until}"


@contextmanager
def _bar(name: str) -> Iterator[ProgressReport]:
    """Show megabytes on a terminal."""
    with progress(name, unit="MB") as report:
        yield lambda done, total: report(min(done, total) // 10**6, total / 10**6)
