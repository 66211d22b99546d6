"""`veille try`: what would come, before and after masking, and what is understood of it."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from veille.cli.root import chosen, config_option, json_option
from veille.domain.clock import utc_now
from veille.domain.errors import ConfigError, SourceError
from veille.wording.receivers import with_id

if TYPE_CHECKING:
    from veille.app.trial import Shown, Trial
    from veille.config import Loaded
    from veille.domain.alert import Reading
    from veille.web.words import Words

WIDTH = 80
LABEL = 10
TEXT_CHARS = 600


@click.command("try")
@click.argument("target", metavar="SOURCE|URL|FILE")
@click.option("--limit", type=click.IntRange(1, 100), default=5, show_default=True)
@click.option(
    "--seconds",
    type=click.FloatRange(1, 600),
    default=10.0,
    show_default=True,
    help="how long a stream is listened to",
)
@click.option("--allow-private", is_flag=True, help="the address may be on a private network")
@json_option
@config_option
@click.pass_context
def command(
    ctx: click.Context,
    target: str,
    limit: int,
    seconds: float,
    allow_private: bool,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Show a few items as they would be masked and understood, storing nothing.

    SOURCE is the id of a source in the configuration, URL the address of a feed, FILE mention
    interchange or plain text, one a line. What is printed holds the text in clear.
    """
    from veille.app.sample import Options, find_target
    from veille.app.trial import attempt
    from veille.collectors.base import WebhookSource

    loaded = _load(chosen(ctx, config_path))
    options = Options(limit=limit, seconds=seconds, allow_private=allow_private)
    source = find_target(target, loaded, options)
    words = _words(loaded)
    if isinstance(source, WebhookSource):
        _explain_push(source, loaded, words, as_json=as_json)
        return
    try:
        trial = asyncio.run(attempt(source, loaded, options))
    except SourceError as error:
        if "allow_private" not in str(error):
            raise
        raise ConfigError(f"{error}; for this once: veille try --allow-private") from error
    if as_json:
        click.echo(msgspec.json.encode(_json(trial)))
        return
    for line in _lines(trial, words):
        click.echo(line)


def _load(path: Path | None) -> Loaded:
    from veille.app.sample import without_config
    from veille.config import SEARCHED, load

    if path is None and not any(candidate.is_file() for candidate in SEARCHED):
        return without_config()
    return load(path)


def _words(loaded: Loaded) -> Words:
    from veille.app.parts import source_names
    from veille.web.words import Words
    from veille.wording.catalogue import catalogue

    return Words(
        say=catalogue(loaded.config.veille.language),
        timezone=loaded.timezone,
        now=utc_now(),
        institution=loaded.config.veille.name,
        sources=source_names(loaded),
    )


def _explain_push(source: Any, loaded: Loaded, words: Words, *, as_json: bool) -> None:
    from veille.app.trial import push_example

    line = push_example(source, loaded, words.say("start.try.sample"), now=words.now)
    if as_json:
        click.echo(msgspec.json.encode({"source": source.id, "push": line}))
    else:
        click.echo(words.say("start.try.push", source=with_id(source.id, words.sources)))
        click.echo(f"\n{line}")


def _lines(trial: Trial, words: Words) -> Iterator[str]:
    source = with_id(trial.source, words.sources)
    yield words.say("start.try.head", source=source, shown=len(trial.shown), seen=trial.seen)
    for number, shown in enumerate(trial.shown, start=1):
        yield ""
        yield f"{number}. {words.moment(shown.original.created_at)}"
        for key, value in _facts(shown, words):
            yield from _folded(words.say(f"start.try.{key}"), value)
    if trial.rejected:
        yield ""
    for rejection in trial.rejected:
        yield words.say("start.try.rejected", line=rejection.line, reason=rejection.reason)
    yield ""
    yield words.say("start.try.nothing")


def _facts(shown: Shown, words: Words) -> Iterator[tuple[str, str]]:
    from veille.app.trial import stored
    from veille.wording.format import visible

    mention, say = stored(shown), words.say
    yield "before", visible(shown.original.text)
    yield (
        "after",
        "".join(
            click.style(f"[{piece.text}]", reverse=True) if piece.is_mask else piece.text
            for piece in words.pieces(mention)
        ),
    )
    yield "masked", words.masked(mention) or say("start.try.unmasked")
    if shown.original.author is not None:
        author = shown.masked.author
        key = "start.try.pseudonym" if author else "start.try.dropped"
        yield "author", say(key, author=(author or "")[:12])
    yield "tone", words.tone(mention)
    yield "urgency", words.urgency(mention)
    named = (
        say(f"start.try.entity.{entity.label}", text=visible(entity.text))
        for entity in shown.analysis.entities
        if f"start.try.entity.{entity.label}" in say.messages
    )
    yield "entities", ", ".join(dict.fromkeys(named)) or "-"
    yield "watch", "\n".join(_watches(shown, words)) or say("start.try.unmatched")
    if shown.matched:
        yield "rules", "\n".join(_rules(shown, words)) or say("start.try.no_rule")


def _watches(shown: Shown, words: Words) -> Iterator[str]:
    from veille.wording.format import visible

    for matched in shown.matched:
        listed = ", ".join(f"« {visible(word)} »" for word in matched.words)
        key = "start.try.by_words" if listed else "start.try.by_all"
        yield words.say(key, watch=matched.watch, words=listed)


def _rules(shown: Shown, words: Words) -> Iterator[str]:
    for reading in shown.readings:
        key = "alerts" if reading.is_active else "counts"
        flag = words.say("start.try.flagged") if reading.is_active and reading.flag else ""
        severity = f"{words.shape(reading.severity)} {words.severity(reading.severity)}"
        reason = _reason(reading)
        yield words.say(
            f"start.try.{key}",
            rule=reading.rule,
            severity=severity,
            value=reading.value,
            threshold=reading.threshold,
            flag=flag,
            reason=words.say("start.try.reason", reason=reason) if reason else "",
        )


def _reason(reading: Reading) -> str | None:
    """Return why a spike rule cannot fire, if it cannot."""
    return None if reading.baseline is None else reading.baseline.reason


def _folded(label: str, text: str) -> Iterator[str]:
    """Yield a label and a text that may be long, at most 80 columns wide."""
    cut = text if len(text) <= TEXT_CHARS else f"{text[:TEXT_CHARS]}…"
    indent = " " * (LABEL + 5)
    lines = [
        part
        for line in cut.splitlines() or [""]
        for part in textwrap.wrap(line, WIDTH - len(indent)) or [""]
    ]
    yield f"   {label:<{LABEL}}: {lines[0]}"
    yield from (f"{indent}{line}" for line in lines[1:])


def _json(trial: Trial) -> dict[str, Any]:  # Any: the shape of the JSON printed
    return {
        "source": trial.source,
        "seen": trial.seen,
        "items": [_item(shown) for shown in trial.shown],
        "rejected": [{"line": r.line, "reason": r.reason} for r in trial.rejected],
    }


def _item(shown: Shown) -> dict[str, Any]:  # Any: the shape of the JSON printed
    from veille.cli.findings import analysis_json

    return {
        "source": shown.original.source,
        "created_at": shown.original.created_at.isoformat(),
        "before": shown.original.text,
        "after": shown.masked.text,
        "masked": list(shown.masked.masked),
        "author": shown.masked.author,
        **analysis_json(shown.analysis),
        "watches": [{"id": m.watch, "words": list(m.words)} for m in shown.matched],
        "rules": [
            {
                "id": reading.rule,
                "severity": reading.severity,
                "alerts": reading.is_active,
                "flags": reading.is_active and reading.flag,
                "value": reading.value,
                "threshold": reading.threshold,
                "reason": _reason(reading),
            }
            for reading in shown.readings
        ],
    }
