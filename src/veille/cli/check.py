"""`veille check`: configuration, secrets, rules and models, without sending or storing anything."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from veille.cli.root import chosen, config_option, json_option


@click.command("check")
@json_option
@config_option
@click.pass_context
def command(ctx: click.Context, as_json: bool, config_path: Path | None) -> None:
    """Validate configuration, secrets, rules and models; status 1 when something is wrong."""
    from veille import config
    from veille.app.check import findings, weighed

    loaded = config.load(chosen(ctx, config_path))
    found, noted = findings(loaded), list(weighed(loaded))
    if as_json:
        told = {"config": str(loaded.path), "findings": found, "notes": noted}
        click.echo(msgspec.json.encode(told))
    else:
        for note in noted:
            click.echo(f"note: {note}", err=True)
        for finding in found:
            click.echo(finding, err=True)
        if not found:
            counts = loaded.config
            click.echo(
                f"{loaded.path}: {_counted(len(counts.watch), 'watch', 'watches')}, "
                f"{_counted(len(counts.source), 'source', 'sources')}, "
                f"{_counted(len(counts.receiver), 'receiver', 'receivers')}, "
                "rules and models: in order"
            )
    if found:
        sys.exit(1)


def _counted(count: int, one: str, other: str) -> str:
    return f"{count} {one if count == 1 else other}"
