"""`veille queue show`: one incident or queue item with its timeline, in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from veille.cli.acting import SHAPES
from veille.cli.root import chosen, config_option, json_option
from veille.cli.store import with_store
from veille.config import Loaded
from veille.domain.clock import utc_now
from veille.domain.errors import InputError
from veille.domain.ids import parse_short_id, short_id
from veille.store.protocol import Store

if TYPE_CHECKING:
    from veille.domain.incident import Event, Incident, QueueItem
    from veille.domain.record import StoredMention
    from veille.store.engine import Db
    from veille.web.words import Words

    Found = tuple[Incident | QueueItem, list[Event], list[StoredMention]]

QUOTED = 5
"""Newest messages of an incident that are shown."""


@click.command("show")
@click.argument("target")
@json_option
@config_option
@click.pass_context
def show(ctx: click.Context, target: str, as_json: bool, config_path: Path | None) -> None:
    """Show TARGET: where it stands, its messages (masked), what happened and who did it."""
    letter, number = parse_short_id(target)

    async def read(store: Store, loaded: Loaded) -> tuple[Found, Words]:
        from veille.app import parts
        from veille.web.words import Words
        from veille.wording.catalogue import catalogue
        from veille.wording.receivers import receiver_names

        found = await store.read(lambda db: _load(db, letter, number))
        say = catalogue(loaded.config.veille.language)
        names = receiver_names(say, parts.receivers(loaded))
        return found, Words(
            say=say,
            timezone=loaded.timezone,
            now=utc_now(),
            receivers=names,
            sources=parts.source_names(loaded),
        )

    (subject, events, texts), words = with_store(chosen(ctx, config_path), read)
    if as_json:
        shown = {
            "id": short_id(letter, number),
            "state": subject.state,
            "severity": subject.severity,
            "assignee": subject.assignee,
            "subject": subject,
            "mentions": [mention.key for mention in texts],
            "timeline": events,
        }
        click.echo(msgspec.json.encode(shown))
        return
    _print(subject, events, texts, words)


def _load(db: Db, letter: str, number: int) -> Found:
    from veille.store import incidents, mentions, queue, timeline

    name = short_id(letter, number)
    item = queue.get(db, number) if letter == "Q" else None
    subject = incidents.get(db, number) if letter == "I" else item
    if subject is None:
        raise InputError(f"{name} does not exist: veille queue list shows what does")
    keys = incidents.evidence(db, number, QUOTED) if item is None else [item.mention]
    stored = mentions.stored(db, keys)
    return subject, timeline.whole(db, name), [stored[key] for key in keys if key in stored]


def _print(
    subject: Incident | QueueItem, events: list[Event], texts: list[StoredMention], words: Words
) -> None:
    severity = f"{SHAPES[subject.severity]} {words.severity(subject.severity)}"
    who = subject.assignee or words.say("web.nobody")
    click.echo(f"{severity} · {words.state(subject.state)} · {who}")
    for mention in texts:
        click.echo(f"  > {words.excerpt(mention)}")
    for event in events:
        line = words.line(event)
        click.echo(f"{words.moment(line.at)}  {line.text}")
