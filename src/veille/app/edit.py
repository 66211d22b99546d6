"""`veille add`: one more source or receiver in config.toml, whose comments and order stay."""

from __future__ import annotations

import asyncio
import os
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import inspect

from veille.alerts.settings import nodes
from veille.app.channels import notifiers, signing_secret
from veille.app.check import secret_names
from veille.app.sample import Options, read
from veille.app.starter import toml_table, toml_value
from veille.collectors.base import WebhookSource
from veille.config import Config, Loaded, parse, unknown_name
from veille.domain.errors import ConfigError, DeliveryError
from veille.wording.mistakes import structs_of

VERIFY_S = 60.0
Section = Literal["source", "receiver"]
SECRET_FIELDS = ("token", "secret", "password")
"""Settings that name a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """A configuration with one table more: its new text, and the secrets it needs and lacks."""

    before: Loaded
    after: Config
    old: str
    text: str
    section: Section
    missing: tuple[str, ...] = ()

    def is_unrouted(self, receiver: str) -> bool:
        """Whether no route names this receiver, while some name others."""
        named = {name for route in nodes(self.after.route) for name in route.receivers}
        return bool(named) and receiver not in named

    @property
    def diff(self) -> str:
        """The change of config.toml as a unified diff."""
        name = self.before.path.name
        old, new = self.old.splitlines(), self.text.splitlines()
        return "\n".join(unified_diff(old, new, name, name, lineterm="", n=2))


def kinds(section: Section) -> dict[str, type[msgspec.Struct]]:
    """Return the settings type of each kind."""
    field = next(f for f in msgspec.structs.fields(Config) if f.name == section)
    return {str(struct.__struct_config__.tag): struct for struct in structs_of(field.type)}


def kind_of(section: Section, kind: str) -> type[msgspec.Struct]:
    """Return the settings type of a kind; ConfigError lists the known ones."""
    known = kinds(section)
    if kind not in known:
        raise ConfigError(unknown_name(f"{section} kind", kind, known))
    return known[kind]


def required(struct: type[msgspec.Struct]) -> list[str]:
    """Return the keys a table of this kind must have besides `id`, in order."""
    fields = msgspec.structs.fields(struct)
    return [f.encode_name for f in fields if f.required and f.encode_name != "id"]


def secret_fields(struct: type[msgspec.Struct]) -> list[str]:
    """Return the keys of this kind that name a secret."""
    known = [f.encode_name for f in msgspec.structs.fields(struct)]
    return [key for key in SECRET_FIELDS if key in known]


def secret_name(id_: str, key: str) -> str:
    """Return the name a secret gets: ASTREINTE_TOKEN."""
    return f"{id_}_{key}".replace("-", "_").upper()


def typed(struct: type[msgspec.Struct], key: str, text: str) -> object:
    """Return what was typed for a key as TOML would hold it; lists are split at spaces and commas.

    ConfigError names the nearest key for an unknown one.
    """
    known = {f.encode_name: f.type for f in inspect.type_info(struct).fields}  # type: ignore[attr-defined]  # a struct's info has fields
    if key not in known:
        raise ConfigError(unknown_name("--set", key, known))
    wanted = _wanted(known[key])
    if str in wanted:
        return text
    if list in wanted and not text.lstrip().startswith("["):
        return text.replace(",", " ").split()
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f'--set {key}={text}: write a TOML value: 5, true, ["a"]') from error


def _wanted(kind: inspect.Type) -> set[type]:
    if isinstance(kind, inspect.UnionType):
        return {one for inner in kind.types for one in _wanted(inner)}
    if isinstance(kind, inspect.Metadata):
        return _wanted(kind.type)
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return {list}
    if isinstance(kind, inspect.StrType | inspect.LiteralType | inspect.EnumType):
        return {str}
    return {object}


def addition(loaded: Loaded, section: Section, table: Mapping[str, object]) -> Addition:
    """Return the configuration with this table at its end.

    ConfigError when the id is taken, the same thing is there already, or a value cannot work.
    """
    _refuse_double(loaded, section, table)
    old = _text(loaded.path)
    gap = "" if old.endswith("\n\n") or not old else "\n" if old.endswith("\n") else "\n\n"
    text = f"{old}{gap}{toml_table(f'[[{section}]]', table)}"
    after = parse(text, name=loaded.path.name)
    whole = Loaded(config=after, path=loaded.path, secrets=loaded.secrets)
    needed = [name for _, name in secret_names(whole) if name not in loaded.secrets]
    return Addition(
        before=loaded,
        after=after,
        old=old,
        text=text,
        section=section,
        missing=tuple(dict.fromkeys(needed)),
    )


def _refuse_double(loaded: Loaded, section: Section, table: Mapping[str, object]) -> None:
    given = {k: v for k, v in table.items() if k not in {"id", "kind", *SECRET_FIELDS}}
    for other in getattr(loaded.config, section):
        where = f'{loaded.path.name}: {section} "{other.id}"'
        if other.id == table["id"]:
            raise ConfigError(f"{where} exists: choose another --id")
        known = msgspec.to_builtins(other)
        is_same = all(known.get(key) == value for key, value in given.items())
        if given and is_same and known["kind"] == table["kind"]:
            raise ConfigError(f"{where} is the same already: nothing to add")


async def verify(added: Addition, id_: str, values: Mapping[str, str]) -> str:
    """Return what answered, having stored and sent nothing.

    Raises SourceError or DeliveryError. A source that is pushed is not asked.
    """
    others = [receiver for receiver in added.after.receiver if receiver.id == id_]
    config = msgspec.structs.replace(added.after, receiver=others)
    secrets = added.before.secrets.also(values)
    loaded = Loaded(config=config, path=added.before.path, secrets=secrets)
    if added.section == "source":
        source = next(s for s in config.source if s.id == id_)
        if isinstance(source, WebhookSource):
            signing_secret(loaded, f"source {id_}", source.secret)
            return f"{loaded.config.web.origin}/hooks/{id_}"
        sample = await read(source, loaded, Options(limit=1))
        return f"{id_}: {len(sample.mentions)}"
    async with AsyncExitStack() as stack:
        notifier = (await notifiers(loaded, stack))[id_]
        try:
            async with asyncio.timeout(VERIFY_S):
                return await notifier.verify()
        except TimeoutError as error:
            raise DeliveryError(f"{id_}: no answer within {VERIFY_S:.0f} s") from error


def save(added: Addition, values: Mapping[str, str]) -> None:
    """The secrets, then config.toml, are written, each whole or not at all.

    ConfigError when somebody else changed config.toml meanwhile: nothing is lost.
    """
    path = added.before.path
    hidden = path.parent / added.before.config.veille.secrets
    if values:
        add_secrets(hidden, values)
    if _text(path) != added.old:
        raise ConfigError(f"{path}: somebody changed it meanwhile: nothing was added; try again")
    _replace(path, added.text, mode=path.stat().st_mode & 0o777)


def add_secrets(path: Path, values: Mapping[str, str]) -> None:
    """The secrets file (0600) holds these too, all of them or none."""
    old = _text(path) if path.exists() else ""
    gap = "" if not old or old.endswith("\n") else "\n"
    lines = "".join(f"{name} = {toml_value(value)}\n" for name, value in values.items())
    _replace(path, old + gap + lines, mode=0o600)


def _replace(path: Path, text: str, *, mode: int) -> None:
    """The file holds this text, with its owner and these rights, or what it held before."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            with suppress(FileNotFoundError, PermissionError):  # only root gives files away
                owner = path.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(draft)
        raise


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
