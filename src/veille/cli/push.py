"""`veille push`: the key of notifications on phones, and who has them on."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from veille.cli.root import chosen, config_option, json_option
from veille.cli.store import in_store


@click.group("push")
def command() -> None:
    """Notifications on phones and computers, by web push."""


@command.command("keys")
@config_option
@click.pass_context
def keys(ctx: click.Context, config_path: Path | None) -> None:
    """Make the key and write it to the secrets file; one that is there already stays.

    Devices are tied to the key they were enabled with.
    """
    from veille.app.edit import add_secrets
    from veille.config import load
    from veille.net.webpush import new_key, public_key

    loaded = load(chosen(ctx, config_path))
    name = loaded.config.push.key
    if name in loaded.secrets:
        click.echo(f"{name} is there: {public_key(loaded.secrets(name))} (public)")
        return
    key = new_key()
    file = loaded.path.parent / loaded.config.veille.secrets
    add_secrets(file, {name: key})
    click.echo(f"{file}: {name} added; restart veille. Public key: {public_key(key)}")


@command.command("devices")
@json_option
@config_option
@click.pass_context
def devices(ctx: click.Context, as_json: bool, config_path: Path | None) -> None:
    """List the devices that are notified: whose, since when, and whether the last one arrived."""
    from veille.config import load
    from veille.store import push

    zone = load(path := chosen(ctx, config_path)).timezone
    found = in_store(path, push.list_)
    said = [
        {
            "user": one.user,
            "device": one.name,
            "created_at": one.created_at,
            "took_at": one.took_at,
            "trouble": one.trouble,
        }
        for one in found
    ]
    if as_json:
        click.echo(msgspec.json.encode(said))
        return
    if not said:
        click.echo("no device: each person turns notifications on under Account")
    for one in found:
        took_at = one.took_at and one.took_at.astimezone(zone)
        last = f"last took one {took_at:%Y-%m-%d %H:%M}" if took_at else "took none yet"
        click.echo(f"{one.user}: {one.name or 'unknown browser'}, {one.trouble or last}")
