"""`veille privacy`: what is held on one person, its erasure, their objection; and retention now."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
import msgspec

from veille.cli.root import chosen, config_option, json_option
from veille.domain.clock import utc_now

if TYPE_CHECKING:
    from veille.app.privacy import Json, Person
    from veille.config import Loaded
    from veille.pipeline.erase import Subject
    from veille.store.engine import SqliteStore

T = TypeVar("T")

source_option = click.option("--source", help="only there; a handle may be two people's elsewhere")
actor_option = click.option(
    "--as", "actor", default=getpass.getuser, show_default="your login", help="who does it"
)
yes_option = click.option("--yes", is_flag=True, help="do not ask")
scan_option = click.option(
    "--scan",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="look for traces there too: a log file or a folder",
)


@click.group("privacy")
def command() -> None:
    """Answer one person's rights, and apply retention. HANDLE is an id or name as shown (@x)."""


@command.command("export")
@click.argument("handle")
@source_option
@actor_option
@json_option
@config_option
@click.pass_context
def export(
    ctx: click.Context,
    handle: str,
    source: str | None,
    actor: str,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Print everything held on HANDLE: texts, analyses, who received them, until when they stay."""

    from veille.config import load

    async def run(person: Person, subject: Subject) -> Json:
        return await person.export(subject, actor=actor, now=utc_now())

    found = _about(chosen(ctx, config_path), handle, source, run)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    click.echo(f"{handle}: {len(found['messages'])} messages, opposed: {found['opposed']}")
    for line in _held(found["messages"], load(chosen(ctx, config_path))):
        click.echo(line)


def _held(messages: Sequence[Json], loaded: Loaded) -> Iterator[str]:
    """Yield what is held as people read it: by the town's clock, sources by their names."""
    from veille.app.parts import source_names

    names = source_names(loaded)
    for one in messages:
        received_at, expires_at = (
            f"{datetime.fromisoformat(one[key]).astimezone(loaded.timezone):%Y-%m-%d %H:%M}"
            for key in ("received_at", "expires_at")
        )
        source = names.get(one["source"], one["source"])
        yield f"{received_at}  {source}  {one['class']}, until {expires_at}\n  {one['text']}"


@command.command("erase")
@click.argument("handle")
@source_option
@scan_option
@yes_option
@actor_option
@json_option
@config_option
@click.pass_context
def erase(
    ctx: click.Context,
    handle: str,
    source: str | None,
    scan: tuple[Path, ...],
    yes: bool,
    actor: str,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Erase everything HANDLE wrote, look for traces in the files, and print a certificate."""

    async def run(person: Person, subject: Subject) -> Json:
        await _confirm(person, subject, handle, is_sure=yes)
        return await person.erase(subject, actor=actor, now=utc_now(), scan=scan)

    done = _about(chosen(ctx, config_path), handle, source, run)
    _print_certificate(ctx, done, as_json=as_json)


@command.command("oppose")
@click.argument("handle")
@source_option
@click.option("--all-sources", is_flag=True, help="refuse this handle wherever it appears")
@scan_option
@yes_option
@actor_option
@json_option
@config_option
@click.pass_context
def oppose(
    ctx: click.Context,
    handle: str,
    source: str | None,
    all_sources: bool,
    scan: tuple[Path, ...],
    yes: bool,
    actor: str,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Erase everything HANDLE wrote, and refuse what they write from now on."""
    if all_sources and source is not None:
        raise click.UsageError("--source and --all-sources exclude each other")

    async def run(person: Person, subject: Subject) -> Json:
        await _confirm(person, subject, handle, is_sure=yes)
        now = utc_now()
        # first the refusal, so that nothing new comes in while the old goes
        added = await person.oppose(subject, actor=actor, now=now, is_everywhere=all_sources)
        return await person.erase(subject, actor=actor, now=now, scan=scan, opposed=added)

    _print_certificate(ctx, _about(chosen(ctx, config_path), handle, source, run), as_json=as_json)


@command.command("sweep")
@json_option
@config_option
@click.pass_context
def sweep(ctx: click.Context, as_json: bool, config_path: Path | None) -> None:
    """Delete now what is older than its class may get; the daemon does it every five minutes."""

    async def run(store: SqliteStore, loaded: Loaded) -> dict[str, int]:
        from veille.app import privacy

        return await privacy.sweep(store, loaded, now=utc_now())

    counts = _with_store(chosen(ctx, config_path), run)
    if as_json:
        click.echo(msgspec.json.encode(counts))
        return
    for table, count in sorted(counts.items()):
        click.echo(f"{table}: {count}")
    if not counts:
        click.echo("nothing was too old")


async def _confirm(person: Person, subject: Subject, handle: str, *, is_sure: bool) -> None:
    if not is_sure:
        places = ", ".join(source for source, _ in subject.authors) or "nowhere"
        count = await person.held(subject)
        click.confirm(f"{handle} ({places}): erase {count} messages?", abort=True, err=True)


def _about(
    path: Path | None,
    handle: str,
    source: str | None,
    act: Callable[[Person, Subject], Awaitable[T]],
) -> T:
    async def run(store: SqliteStore, loaded: Loaded) -> T:
        from veille.app.privacy import Person

        person = Person(store, loaded, handle, source=source)
        if not person.keeps_authors:
            click.echo(
                f"without the secret {loaded.config.privacy.key} authors are dropped: only what "
                "was stored with one can be tied to a person",
                err=True,
            )
        subject = await person.find()
        for doubt in person.doubts(subject):
            click.echo(doubt, err=True)
        return await act(person, subject)

    return _with_store(path, run)


def _with_store(path: Path | None, act: Callable[[SqliteStore, Loaded], Awaitable[T]]) -> T:
    from veille.config import load
    from veille.store.engine import SqliteStore

    loaded = load(path)

    async def run() -> T:
        database = loaded.resolve(loaded.config.veille.data_dir) / "veille.db"
        async with SqliteStore(database, group_commit=timedelta(0)) as store:
            return await act(store, loaded)

    return asyncio.run(run())


def _print_certificate(ctx: click.Context, done: Json, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(done))
    else:
        for table, count in done["erased"].items():
            click.echo(f"{table}: {count}")
        scan = done["scan"]
        click.echo(
            f"looked for {scan['looked_for']} pieces in {len(scan['files'])} files, "
            f"{scan['bytes']} bytes: {scan['remains']} remain, "
            f"{scan['in_texts_of_others']} stand in texts of others"
        )
        for target in done["notes"]:
            click.echo(f"named in a note of {target}: look whether it may stay")
        for copy in done["copies"]:
            click.echo(f"not changed, goes by rotation: {copy}")
        click.echo(f"certificate sha256 {done['sha256']}")
    if done["scan"]["remains"]:
        where = ", ".join(done["scan"]["remains_in"])
        click.echo(
            f"{where}: still holds some of it: remove it from log files by hand; for the database, "
            "stop the daemon and run the command again"
            + ("" if done["erased"] else "; if nobody was found above, name them otherwise"),
            err=True,
        )
        ctx.exit(1)
