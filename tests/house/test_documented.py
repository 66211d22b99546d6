"""What can be set or typed is documented, and what is documented exists."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from veille.cli.root import COMMANDS, root
from veille.config import Config

DOCS = Path(__file__).parents[2] / "docs"


def _structs(kind: object) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for inner in typing.get_args(kind):
        yield from _structs(inner)


def _settings() -> Iterator[str]:
    for section in msgspec.structs.fields(Config):
        for struct in _structs(section.type):
            for field in msgspec.structs.fields(struct):
                if list(_structs(field.type)) == [struct]:
                    yield f"{section.name}.{field.encode_name}"
                    continue
                inner = [f for s in _structs(field.type) for f in msgspec.structs.fields(s)]
                yield f"{section.name}.{field.encode_name}"
                yield from (f"{section.name}.{field.name}.{f.name}" for f in inner)


SETTINGS = sorted(set(_settings()))


@pytest.fixture(scope="module")
def configuration_page() -> str:
    return (DOCS / "configuration.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_is_documented(setting: str, configuration_page: str) -> None:
    assert f"| `{setting}` |" in configuration_page


def test_every_documented_setting_exists(configuration_page: str) -> None:
    documented = set(re.findall(r"^\| `([a-z_.]+)` \|", configuration_page, re.MULTILINE))
    assert documented - set(SETTINGS) == set()


def _commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(root)
    for name in COMMANDS:
        command = root.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group) and command.invoke_without_command:
            yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", inner) for sub, inner in command.commands.items())
        else:
            yield name, command


@pytest.mark.parametrize(("name", "command"), list(_commands()))
def test_every_command_and_option_is_documented(name: str, command: click.Command) -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    section = re.search(rf"^## veille {re.escape(name)}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    assert section, f"docs/commands.md has no section for veille {name}"
    for param in command.params:
        if isinstance(param, click.Option) and param.name not in {"config_path", "help"}:
            assert max(param.opts, key=len) in section[1]


def test_only_commands_that_exist_are_documented() -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^## veille (.+)$", page, re.MULTILINE))
    assert documented == {name for name, _ in _commands()}
