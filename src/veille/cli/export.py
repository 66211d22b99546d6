"""`veille export`: the hits of a search, or the queue, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from veille.cli.acting import actor_option
from veille.cli.root import chosen, config_option
from veille.cli.store import with_store
from veille.config import Loaded
from veille.domain.clock import utc_now
from veille.store.protocol import Store

if TYPE_CHECKING:
    from veille.wording.export import Format, Sheet


@click.command("export")
@click.argument("query", default="")
@click.option("--queue", "is_queue", is_flag=True, help="what is open in the queue, no search")
@click.option(
    "--format", "written", type=click.Choice(("csv", "jsonl", "atom")), default="csv",
    show_default=True,
)  # fmt: skip
@click.option(
    "--output", type=click.File("w", encoding="utf-8"), default="-", help="a file (- prints it)"
)
@actor_option
@config_option
@click.pass_context
def command(
    ctx: click.Context,
    query: str,
    is_queue: bool,
    written: str,
    output: TextIO,
    actor: str,
    config_path: Path | None,
) -> None:
    """Write the mentions that match QUERY ("": all), newest first; the audit log notes who did."""
    from veille.store import search
    from veille.wording.export import Format

    if is_queue and query:
        raise click.UsageError("--queue takes no query: filter the queue on its page")
    what = "queue" if is_queue else "search"

    async def write(store: Store, loaded: Loaded) -> int:
        from veille.web import exports

        keys, sheet = await _found(store, loaded, what, query)
        kept, kind = keys[: search.COUNTED], Format(written)
        await _note(store, sheet, what, kind, len(kept), actor)
        async for piece in exports.parts(store, kept, kind, sheet):
            output.write(piece)
        return len(keys)

    count = with_store(chosen(ctx, config_path), write)
    if count > search.COUNTED:
        click.echo(f"only the first {search.COUNTED:,}: narrow the search by du: and au:", err=True)


async def _found(store: Store, loaded: Loaded, what: str, query: str) -> tuple[list[str], Sheet]:
    from veille.app.parts import access_key, searched
    from veille.domain.queue_filter import QueueFilter
    from veille.web import exports
    from veille.wording.catalogue import catalogue

    now, config = utc_now(), loaded.config
    if what == "queue":
        keys, asked = await exports.items(store, QueueFilter(), now=now), QueueFilter().query()
    else:
        wanted = searched(loaded, query)
        keys, asked = await exports.hits(store, wanted), wanted.text
    sheet = exports.sheet_of(
        what, asked, institution=config.veille.name, origin=config.web.origin,
        secret=access_key(loaded), at=now, say=catalogue(config.veille.language),
    )  # fmt: skip
    return keys, sheet


async def _note(
    store: Store, sheet: Sheet, what: str, kind: Format, count: int, actor: str
) -> None:
    from veille.web import exports

    await store.write(
        lambda db: exports.note(db, sheet, what=what, kind=kind, count=count, actor=actor)
    )
