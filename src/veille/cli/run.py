"""`veille run`: the daemon."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from veille.cli.root import chosen, config_option


@click.command("run")
@config_option
@click.pass_context
def command(ctx: click.Context, config_path: Path | None) -> None:
    """Listen, understand, alert and serve the queue until SIGTERM or Ctrl-C."""
    from veille import config
    from veille.app.daemon import serve
    from veille.telemetry import configure_logs

    configure_logs()
    loaded = config.load(chosen(ctx, config_path))
    configure_logs(level=loaded.config.veille.log_level)
    asyncio.run(serve(loaded))
