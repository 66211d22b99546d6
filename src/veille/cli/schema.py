"""`veille schema`: what an editor needs to complete and check config.toml."""

from __future__ import annotations

import click


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of config.toml; it reads no configuration and holds no secret."""
    import msgspec

    from veille.app.schema import schema

    click.echo(msgspec.json.format(msgspec.json.encode(schema()), indent=2))
