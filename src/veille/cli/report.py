"""`veille report`: what happened, for people who read it on Monday."""

from __future__ import annotations

from pathlib import Path

import click

from veille.cli.root import chosen, config_option
from veille.cli.store import with_store
from veille.config import Loaded
from veille.domain.clock import utc_now
from veille.domain.errors import InputError
from veille.store.protocol import Store

FORMATS = ("md", "html", "json", "csv")


@click.group("report")
def command() -> None:
    """Write the weekly summary."""


@command.command("weekly")
@click.option("--week", help="the ISO week, as 2026-W47 (default: the last one that is over)")
@click.option("--format", "form", type=click.Choice(FORMATS), default="md", show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="write this file, not the screen"
)
@click.option("--no-quotes", is_flag=True, help="figures only: no text of a mention")
@config_option
@click.pass_context
def weekly(
    ctx: click.Context,
    week: str | None,
    form: str,
    out: Path | None,
    no_quotes: bool,
    config_path: Path | None,
) -> None:
    """Write the summary of one week, with the week before beside each figure."""
    from veille.app.reports import report

    async def run(store: Store, loaded: Loaded) -> str:
        now = utc_now()
        return await report(loaded, store, week=week, format=form, now=now, quotes=not no_quotes)

    text = with_store(chosen(ctx, config_path), run)
    if out is None:
        click.echo(text if form == "md" else text.encode(), nl=False)  # files are always UTF-8
        return
    try:
        out.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written: {error.strerror}") from error
