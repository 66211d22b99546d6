"""`veille search`: mentions by their words and what is known of them, from a terminal."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from veille.cli.root import chosen, config_option, json_option
from veille.cli.store import with_store
from veille.config import Loaded
from veille.domain.record import StoredMention
from veille.store.protocol import Store

LIMIT, MOST = 25, 1_000
_EXCERPT = 160


@click.command("search")
@click.argument("query")
@click.option(
    "--limit", type=click.IntRange(1, MOST), default=LIMIT, show_default=True, help="how many"
)
@json_option
@config_option
@click.pass_context
def command(
    ctx: click.Context, query: str, limit: int, as_json: bool, config_path: Path | None
) -> None:
    """Show mentions that match QUERY, newest first: words, "phrases", AND OR NOT, ton:négatif."""
    from veille.app import parts
    from veille.store import mentions, search
    from veille.wording.export import line_of
    from veille.wording.format import excerpt, visible

    async def find(store: Store, loaded: Loaded) -> tuple[list[StoredMention], list[str], bool]:
        wanted = parts.searched(loaded, query)
        page = await store.read(lambda db: search.page(db, wanted, limit=limit))
        kept = await store.read(lambda db: mentions.stored(db, page.keys))
        found = [kept[key] for key in page.keys if key in kept]
        names, zone = parts.source_names(loaded), loaded.timezone
        heads = [
            f"{m.received_at.astimezone(zone):%Y-%m-%d %H:%M}  "
            f"{names.get(m.source) or visible(m.source):<12}"
            for m in found
        ]
        return found, heads, page.next is not None

    found, heads, has_more = with_store(chosen(ctx, config_path), find)
    if as_json:
        click.echo(msgspec.json.encode([msgspec.Raw(line_of(m).encode()) for m in found]))
    else:
        for mention, head in zip(found, heads, strict=True):
            click.echo(f"{head} {visible(excerpt(mention.text, _EXCERPT))}")
    if has_more and limit < MOST:
        click.echo(f"more: see them with --limit {min(MOST, limit * 4)}", err=True)
    elif has_more:
        click.echo("more: write them to a file with veille export", err=True)
