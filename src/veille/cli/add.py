"""`veille add`: one more source or receiver, asked for, verified, then written."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from veille.cli.ask import Asker, read_secret
from veille.cli.root import chosen, config_option
from veille.domain.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from veille.app.edit import Addition, Section
    from veille.config import Loaded
    from veille.wording.catalogue import Catalogue

PROPOSED = {"rss": "presse", "slack": "astreinte", "email": "courriel"}


def _options(function: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.argument("kind"),
        click.option("--id", "id_", help="its name (default: after its kind)"),
        click.option(
            "--set", "given", multiple=True, metavar="KEY=VALUE", help="a setting; repeat"
        ),
        click.option(
            "--secret-file",
            "files",
            multiple=True,
            metavar="KEY=FILE",
            help="file that holds the secret of a setting (token=FILE); repeat",
        ),
        click.option(
            "--no-verify", is_flag=True, help="write it without asking whether it answers"
        ),
        click.option("--no-input", is_flag=True, help="ask nothing: options only"),
        config_option,
        click.pass_context,
    )[::-1]:
        function = option(function)
    return function


@click.group("add")
def command() -> None:
    """Add a source or a receiver to config.toml, whose comments and order stay."""


@command.command("source")
@_options
def source(ctx: click.Context, **given: object) -> None:
    """Add a source of KIND, once it answered; nothing of it is stored."""
    _add(ctx, "source", given)


@command.command("receiver")
@_options
def receiver(ctx: click.Context, **given: object) -> None:
    """Add a receiver of KIND, once it answered; nothing is sent to it."""
    _add(ctx, "receiver", given)


def _add(ctx: click.Context, section: Section, given: dict[str, object]) -> None:
    from veille.app import edit
    from veille.config import load
    from veille.domain.errors import VeilleError
    from veille.wording.catalogue import catalogue

    path = given.pop("config_path")
    loaded = load(chosen(ctx, path if isinstance(path, Path) else None))
    say = catalogue(loaded.config.veille.language)
    asker = Asker(is_silent=bool(given["no_input"]))
    kind = str(given["kind"])
    files = _pairs(given["files"], "--secret-file")
    table = _table(asker, section, given | {"files": files}, loaded)
    added = edit.addition(loaded, section, table)
    values = _secrets(asker, added, table, files)
    if not given["no_verify"]:
        try:
            answer = asyncio.run(edit.verify(added, str(table["id"]), values))
        except VeilleError as error:
            raise type(error)(f"{error}\n{say('start.add.refused')}") from error
        click.echo(say("start.add.answers", answer=answer))
    edit.save(added, values)
    _tell(added, say, kind=kind, names=list(values), id_=str(table["id"]))


def _table(
    asker: Asker, section: Section, given: dict[str, object], loaded: Loaded
) -> dict[str, object]:
    """Return the table as TOML holds it: the required settings asked for, the others as given."""
    from veille.app import edit
    from veille.config import unknown_name
    from veille.wording.catalogue import catalogue

    say = catalogue(loaded.config.veille.language)
    kind = str(given["kind"])
    struct = edit.kind_of(section, kind)
    told = _pairs(given["given"], "--set")
    values = {key: edit.typed(struct, key, text) for key, text in told.items()}
    files = given["files"] if isinstance(given["files"], dict) else {}
    possible = edit.secret_fields(struct)
    for key in files:
        if key not in possible:
            raise ConfigError(unknown_name("--secret-file", key, possible))
    proposed = _free(PROPOSED.get(kind, kind), [one.id for one in getattr(loaded.config, section)])
    id_ = asker.text(_str(given["id_"]), say("start.add.id"), flag="--id", default=proposed)
    table: dict[str, object] = {"id": id_, "kind": kind}
    needed = edit.required(struct)
    if "password" in files and "user" not in needed:
        needed.append("user")  # a password alone logs nobody in
    for key in needed:
        if key in values:
            table[key] = values[key]
        elif key in possible:
            table[key] = edit.secret_name(id_, key)
        else:
            question = say("start.add.setting", setting=key)
            text = asker.text(None, question, flag=f"--set {key}=…")
            table[key] = edit.typed(struct, key, text)
    for key in possible:
        if key not in values and (key in files or (key == "password" and "user" in values)):
            table[key] = edit.secret_name(id_, key)
    return table | values


def _secrets(
    asker: Asker, added: Addition, table: dict[str, object], files: dict[str, str]
) -> dict[str, str]:
    """Return the values of the secrets that are missing: read, made (`secret`), or asked for."""
    from veille.app import edit
    from veille.app.starter import webhook_secret
    from veille.net.webpush import new_key
    from veille.wording.catalogue import catalogue

    say = catalogue(added.before.config.veille.language)
    fields = {str(table[key]): key for key in edit.SECRET_FIELDS if key in table}
    for name, key in fields.items():
        if key in files and name not in added.missing:
            file = added.before.config.veille.secrets
            raise ConfigError(f"--secret-file {key}: {name} is in {file} already: change it there")
    found: dict[str, str] = {}
    for name in added.missing:
        if name == added.after.push.key and table["kind"] == "push":
            found[name] = new_key()
            continue
        if name not in fields:
            continue  # it was missing before: veille check tells
        key = fields[name]
        if key in files:
            found[name] = _read(Path(files[key]), key)
        elif key == "secret":
            found[name] = webhook_secret()
        else:
            question = say("start.add.secret", name=name, setting=key)
            flag = f"--secret-file {key}=FILE"
            found[name] = asker.text(None, question, flag=flag, is_hidden=True)
    return found


def _read(path: Path, key: str) -> str:
    from veille.net.signature import decode_secret

    flag = f"--secret-file {key}="
    secret = read_secret(path, flag=flag)
    if key == "secret":
        try:
            decode_secret(secret)
        except ConfigError as error:
            raise ConfigError(f"{flag}{path}: {error}") from error
    return secret


def _free(name: str, taken: list[str]) -> str:
    number = 1
    while (found := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return found


def _pairs(given: object, flag: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given if isinstance(given, tuple) else ():
        key, sign, value = str(text).partition("=")
        if not sign or not key:
            raise ConfigError(f"{flag} {text}: write {flag} key=value")
        pairs[key.strip()] = value
    return pairs


def _tell(added: Addition, say: Catalogue, *, kind: str, names: list[str], id_: str) -> None:
    click.echo(added.diff)
    secrets = added.before.config.veille.secrets
    for name in names:
        click.echo(say("start.add.kept", name=name, file=secrets))
    if added.section == "receiver" and added.is_unrouted(id_):
        click.echo(say("start.add.unrouted", id=id_))
    click.echo(say(f"start.add.done_{added.section}", id=id_, kind=kind))


def _str(value: object) -> str | None:
    return None if value is None else str(value)
