"""`veille user`: the people who may log in."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from veille.cli.root import chosen, config_option, json_option
from veille.cli.store import in_store
from veille.domain.clock import utc_now

ROLES = ("reader", "triage", "editor", "dpo", "admin")


@click.group("user")
def command() -> None:
    """Add, list and disable the people who may log in."""


@command.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="triage", show_default=True)
@json_option
@config_option
@click.pass_context
def add(ctx: click.Context, name: str, role: str, as_json: bool, config_path: Path | None) -> None:
    """Add NAME and print a password that works once, within 7 days, to choose another with."""
    from veille.web.users import add_user

    password = in_store(
        chosen(ctx, config_path), lambda db: add_user(db, name, role=role, now=utc_now())
    )
    if as_json:
        click.echo(msgspec.json.encode({"name": name, "role": role, "password": password}))
    else:
        click.echo(f"{name} ({role}), one-time password: {password}")


@command.command("list")
@json_option
@config_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool, config_path: Path | None) -> None:
    """List who may log in."""
    from veille.store import users

    found = in_store(chosen(ctx, config_path), users.list_)
    rows = [{"name": u.name, "role": u.role, "disabled": u.disabled_at is not None} for u in found]
    if as_json:
        click.echo(msgspec.json.encode(rows))
        return
    for row in rows:
        state = "disabled" if row["disabled"] else "active"
        click.echo(f"{row['name']!s:<24} {row['role']!s:<8} {state}")


@command.command("reset")
@click.argument("name")
@json_option
@config_option
@click.pass_context
def reset(ctx: click.Context, name: str, as_json: bool, config_path: Path | None) -> None:
    """Print another password that works once for NAME, within 7 days: all sessions end."""
    from veille.web.users import reset_password

    password = in_store(chosen(ctx, config_path), lambda db: reset_password(db, name, utc_now()))
    if as_json:
        click.echo(msgspec.json.encode({"name": name, "password": password}))
    else:
        click.echo(f"{name}, one-time password: {password}")


@command.command("disable")
@click.argument("name")
@config_option
@click.pass_context
def disable(ctx: click.Context, name: str, config_path: Path | None) -> None:
    """Disable NAME at once: all sessions end."""
    from veille.web.users import disable as disable_user

    in_store(chosen(ctx, config_path), lambda db: disable_user(db, name, utc_now()))
    click.echo(f"{name}: disabled, sessions ended")
