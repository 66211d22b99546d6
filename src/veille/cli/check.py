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
    from veille.app.check import findings

    loaded = config.load(chosen(ctx, config_path))
    found = findings(loaded)
    if as_json:
        click.echo(msgspec.json.encode({"config": str(loaded.path), "findings": found}))
    else:
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
