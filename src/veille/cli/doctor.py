"""`veille doctor`: machine, store, sources, receivers and model, each with its remedy."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from veille.cli.root import chosen, config_option, json_option
from veille.domain.errors import ConfigError

if TYPE_CHECKING:
    from veille.app.machine import Check

SIGNS = {"fine": "✓", "caution": "!", "problem": "✗"}
COLORS = {"fine": "green", "caution": "yellow", "problem": "red"}


@click.command("doctor")
@json_option
@config_option
@click.pass_context
def command(ctx: click.Context, as_json: bool, config_path: Path | None) -> None:
    """Look at everything veille needs, and name the remedy of what is wrong; status 1 then.

    Each source is read once and each receiver is greeted; nothing is stored or sent.
    """
    found = asyncio.run(_look(chosen(ctx, config_path), is_printed=not as_json))
    problems = sum(check.state == "problem" for check in found)
    if as_json:
        click.echo(msgspec.json.encode({"checks": found, "problems": problems}))
    if problems:
        sys.exit(1)


async def _look(path: Path | None, *, is_printed: bool) -> list[Check]:
    from veille.app.doctor import examine
    from veille.wording.catalogue import catalogue
    from veille.wording.format import visible

    found: list[Check] = []
    language = _language(path)
    async for check in examine(path):
        found.append(check)
        if not is_printed:
            continue
        sign, word = SIGNS[check.state], catalogue(language)(f"start.doctor.state.{check.state}")
        click.echo(f"{click.style(sign, fg=COLORS[check.state])} {word:<12} {visible(check.text)}")
        if check.remedy:
            click.echo(f"  {'':<12} → {visible(check.remedy)}")
    return found


def _language(path: Path | None) -> str:
    from veille.config import load

    try:
        return load(path, is_lenient=True).config.veille.language
    except ConfigError:  # it is told as a problem
        return "fr"
