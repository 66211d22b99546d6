"""`veille user`: the people who may log in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from veille.cli.root import chosen, config_option, json_option
from veille.cli.store import in_store
from veille.domain.clock import utc_now

if TYPE_CHECKING:
    from veille.store.engine import Db

ROLES = ("reader", "triage", "editor", "dpo", "admin")


@click.group("user")
def command() -> None:
    """Add, change, list and disable the people who may log in."""


@command.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="triage", show_default=True)
@json_option
@config_option
@click.pass_context
def add(ctx: click.Context, name: str, role: str, as_json: bool, config_path: Path | None) -> None:
    """Add NAME and print a one-time password, good for 7 days to choose another with."""
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
    from veille.web.users import survey

    def load(db: Db) -> list[dict[str, object]]:
        return [
            {
                "name": row.user.name,
                "role": row.user.role,
                "disabled": row.user.disabled_at is not None,
                "second_factor": row.has_factor,
                "linked": row.is_linked,
                "one_time_password": row.user.must_change,
                "sessions": row.sessions,
                "tokens": row.tokens,
                "devices": row.devices,
            }
            for row in survey(db, utc_now())
        ]

    rows = in_store(chosen(ctx, config_path), load)
    if as_json:
        click.echo(msgspec.json.encode(rows))
        return
    for row in rows:
        state = ["disabled" if row["disabled"] else "active"]
        flags = ("second_factor", "linked", "one_time_password")
        state += [name.replace("_", " ") for name in flags if row[name]]
        state += [f"{name}: {row[name]}" for name in ("sessions", "tokens", "devices") if row[name]]
        click.echo(f"{row['name']!s:<24} {row['role']!s:<8} {', '.join(state)}")


@command.command("reset")
@click.argument("name")
@json_option
@config_option
@click.pass_context
def reset(ctx: click.Context, name: str, as_json: bool, config_path: Path | None) -> None:
    """Print another one-time password for NAME, good for 7 days: sessions and tokens end."""
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
    """Disable NAME at once: sessions and tokens end. The last administrator stays."""
    from veille.web.users import disable as disable_user

    in_store(chosen(ctx, config_path), lambda db: disable_user(db, name, utc_now()))
    click.echo(f"{name}: disabled, sessions and tokens ended")


@command.command("enable")
@click.argument("name")
@config_option
@click.pass_context
def enable(ctx: click.Context, name: str, config_path: Path | None) -> None:
    """Let NAME log in again; tokens stay revoked."""
    from veille.web.users import enable as enable_user

    in_store(chosen(ctx, config_path), lambda db: enable_user(db, name, utc_now()))
    click.echo(f"{name}: active")


@command.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@config_option
@click.pass_context
def role(ctx: click.Context, name: str, role: str, config_path: Path | None) -> None:
    """Give NAME another ROLE: sessions end. The last administrator stays one."""
    from veille.web.users import set_role

    in_store(chosen(ctx, config_path), lambda db: set_role(db, name, role, utc_now()))
    click.echo(f"{name}: {role}")


@command.command("revoke")
@click.argument("name")
@config_option
@click.pass_context
def revoke(ctx: click.Context, name: str, config_path: Path | None) -> None:
    """End the sessions of NAME and revoke the API tokens."""
    from veille.web.users import revoke as revoke_user

    ended, revoked = in_store(chosen(ctx, config_path), lambda db: revoke_user(db, name, utc_now()))
    click.echo(f"{name}: sessions ended: {ended}, tokens revoked: {revoked}")


@command.command("reset-factor")
@click.argument("name")
@config_option
@click.pass_context
def reset_factor(ctx: click.Context, name: str, config_path: Path | None) -> None:
    """Remove the second factor of NAME, when app and recovery codes are lost: sessions end."""
    from veille.web.users import reset_factor as reset

    had = in_store(chosen(ctx, config_path), lambda db: reset(db, name, utc_now()))
    click.echo(f"{name}: {'second factor removed, sessions ended' if had else 'there was none'}")


@command.command("invite")
@click.argument("name")
@json_option
@config_option
@click.pass_context
def invite(ctx: click.Context, name: str, as_json: bool, config_path: Path | None) -> None:
    """Print the link that ties NAME to an identity of the provider, once, within 3 days."""
    from veille.cli.store import with_store
    from veille.config import Loaded
    from veille.domain.errors import ConfigError
    from veille.store.protocol import Store
    from veille.web.users import invite as invite_user

    async def act(store: Store, loaded: Loaded) -> str:
        if not loaded.config.oidc.issuer:
            raise ConfigError("oidc.issuer: no identity provider is set: see docs/access.md")
        token = await store.write(lambda db: invite_user(db, name, utc_now()))
        return f"{loaded.config.web.public_url.rstrip('/')}/invitations/{token}"

    link = with_store(chosen(ctx, config_path), act)
    click.echo(msgspec.json.encode({"name": name, "link": link}) if as_json else link)


@command.command("unlink")
@click.argument("name")
@config_option
@click.pass_context
def unlink(ctx: click.Context, name: str, config_path: Path | None) -> None:
    """Untie NAME from the identity provider: sessions end, tokens are revoked."""
    from veille.web.users import unlink as unlink_user

    count = in_store(chosen(ctx, config_path), lambda db: unlink_user(db, name, utc_now()))
    click.echo(
        f"{name}: {'unlinked, sessions ended, tokens revoked' if count else 'was not linked'}"
    )
