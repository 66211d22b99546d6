"""Questions on the terminal; each has a flag, and with --no-input only the flags are read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from veille.domain.errors import ConfigError, InputError

T = TypeVar("T")
Check = Callable[[str], object]
"""Raises InputError or ValueError, with the remedy, for an answer that cannot work."""
SECRET_BYTES = 4096
_YES, _NO = {"o", "oui", "y", "yes"}, {"", "n", "non", "no"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks, unless it `is_silent`."""

    is_silent: bool

    def text(
        self,
        given: str | None,
        question: str,
        *,
        flag: str,
        default: str | None = None,
        check: Check | None = None,
        is_hidden: bool = False,
    ) -> str:
        """Return what the flag gave, else an answer that passes the check, else the default.

        ConfigError names the flag when its value cannot work, or when nothing may be asked.
        """
        if given is not None or self.is_silent:
            answer = default if given is None else given
            if answer is None:
                raise ConfigError(f"{flag} is missing: with --no-input it must be given")
            if problem := _problem(answer, check):
                raise ConfigError(f"{flag}: {problem}")
            return answer
        while True:
            answer = _prompt(question, default=default, is_hidden=is_hidden)
            problem = _problem(answer, check)
            if not problem:
                return answer
            click.echo(f"  {problem}", err=True)

    def yes(self, given: bool | None, question: str) -> bool:
        """Return what the flag gave, else yes or no; no when nothing may be asked."""
        if given is not None or self.is_silent:
            return bool(given)
        while True:
            answer = _prompt(f"{question} [o/N]", default="", is_hidden=False).lower()
            if answer in _YES | _NO:
                return answer in _YES


def _problem(answer: str, check: Check | None) -> str:
    try:
        if check is not None:
            check(answer)
    except (InputError, ValueError) as error:
        return str(error)
    return ""


def _prompt(question: str, *, default: str | None, is_hidden: bool) -> str:
    def ask() -> str:
        return str(
            click.prompt(
                question,
                default=default,
                hide_input=is_hidden,
                show_default=bool(default),
                prompt_suffix=" : ",
                err=True,
            )
        )

    return _answered(ask).strip()


def _answered(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise ConfigError(
            "the answers ended before the questions: nothing was written; "
            "give them as options with --no-input (see --help)"
        ) from None


def read_secret(path: Path, *, flag: str) -> str:
    """Return the secret a file holds, without the line end; ConfigError when it cannot be read."""
    try:
        with path.open("rb") as file:
            text = file.read(SECRET_BYTES).decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{flag} {path}: is not UTF-8 text") from error
    except OSError as error:
        raise ConfigError(f"{flag} {path}: cannot be read: {error.strerror}") from error
    if not text:
        raise ConfigError(f"{flag} {path}: is empty")
    return text
