"""`veille explain`: why an alert, and why none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from veille.cli.root import chosen, config_option, json_option
from veille.cli.store import with_store
from veille.domain.clock import utc_now

if TYPE_CHECKING:
    from veille.config import Loaded
    from veille.store.engine import Db

Look = Callable[["Db", "Loaded | None"], dict[str, object]]


@click.command("explain")
@click.argument("incident", required=False)
@click.option("--mention", help="its key, Q345, its id at the source, source:id or address")
@click.option("--rule", help="the rule that should have alerted, or did")
@click.option(
    "--db",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="a store of veille replay --db, read without the configuration's",
)
@json_option
@config_option
@click.pass_context
def command(
    ctx: click.Context,
    incident: str | None,
    mention: str | None,
    rule: str | None,
    db: Path | None,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Say why INCIDENT (I12) alerted; or what became of one mention under one rule.

    With --mention and --rule it names the first condition that failed with its value and its
    threshold, or what kept the alert from being told, or who was told. Nothing is changed.
    """
    from veille.app.explain import explain_incident, explain_mention

    now = utc_now()
    if (incident is None) == (mention is None) or (mention is None) != (rule is None):
        raise click.UsageError("write either an incident as I12, or both --mention and --rule")

    def look(found: Db, loaded: Loaded | None) -> dict[str, object]:
        if mention is None or rule is None:
            return explain_incident(found, incident or "", loaded=loaded, now=now)
        is_replay = db is not None
        return explain_mention(found, mention, rule, loaded=loaded, now=now, is_replay=is_replay)

    answer = _read(chosen(ctx, config_path), db, look)
    if as_json:
        click.echo(msgspec.json.encode(answer))
        return
    for sentence in _sentences(answer):
        click.echo(sentence)


def _read(config: Path | None, database: Path | None, look: Look) -> dict[str, object]:
    if database is None:
        return with_store(config, lambda store, loaded: store.read(lambda db: look(db, loaded)))
    from veille.config import load
    from veille.store.engine import SqliteStore

    loaded = None if config is None else load(config)

    async def run() -> dict[str, object]:
        async with SqliteStore(database, group_commit=timedelta(0)) as store:
            return await store.read(lambda db: look(db, loaded))

    return asyncio.run(run())


def _sentences(answer: dict[str, object]) -> list[str]:
    said: list[str] = []
    alerts = answer.get("alerts")
    for alert in alerts if isinstance(alerts, list) else ():
        said += [*alert["sentences"], ""]
    own = answer["sentences"]
    return said + (own if isinstance(own, list) else [])
