"""`veille silence`: mute what matches, with a reason and an end, while the daemon runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click
import msgspec

from veille.cli.acting import SHAPES, actor_option
from veille.cli.root import chosen, config_option, json_option
from veille.cli.store import with_store
from veille.config import Loaded
from veille.domain.clock import utc_now
from veille.domain.durations import parse_duration
from veille.domain.errors import InputError, VeilleError
from veille.domain.ids import short_id
from veille.domain.silence import Match, Silence, parse_match, parse_silence_id
from veille.store.protocol import Store

if TYPE_CHECKING:
    from veille.pipeline.actions import Actions
    from veille.store.silences import Hidden


@click.group("silence")
def command() -> None:
    """Mute incidents (I12) or labels for a while, list what is muted (S3), end it early."""


@command.command("add")
@click.argument("target", required=False)
@click.option("--match", "labels", multiple=True, metavar="NAME=VALUE", help="label; repeat it")
@click.option("--for", "lasting", metavar="DURATION", help="how long: 30m, 4h, 2d")
@click.option("--until", metavar="TIME", help="until when: 2026-11-23T08:00, by the town's clock")
@click.option("--reason", default="", help="why; required, it stands in the audit log")
@click.option("--dry-run", is_flag=True, help="only show what it hides")
@actor_option
@json_option
@config_option
@click.pass_context
def add(
    ctx: click.Context,
    target: str | None,
    labels: tuple[str, ...],
    lasting: str | None,
    until: str | None,
    reason: str,
    dry_run: bool,
    actor: str,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Silence TARGET (I12) or what --match says, and show what that hides."""
    wanted = _wanted(target, labels)

    async def run(
        store: Store, loaded: Loaded
    ) -> tuple[Match, list[Hidden], Silence | None, ZoneInfo]:
        now = utc_now()
        length = _length(lasting, until, now, loaded.timezone)
        actions = _actions(store, loaded, now)
        match, hidden = await actions.preview(wanted)
        _warn(match, loaded)
        if dry_run:
            return match, hidden, None, loaded.timezone
        made = await actions.silence(wanted, lasting=length, reason=reason, actor=actor)
        return match, hidden, made, loaded.timezone

    match, hidden, made, zone = with_store(chosen(ctx, config_path), run)
    if as_json:
        found = {
            "match": match,
            "hidden": [_hidden(each) for each in hidden],
            "silence": None if made is None else _row(made, utc_now(), zone),
        }
        click.echo(msgspec.json.encode(found))
        return
    click.echo(f"matches {_written(match)}")
    _show_hidden(hidden)
    if made is not None:
        click.echo(f"{short_id('S', made.id)}: silent until {_clock(made.ends_at, zone)}")


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="also those that are over")
@json_option
@config_option
@click.pass_context
def list_(ctx: click.Context, everything: bool, as_json: bool, config_path: Path | None) -> None:
    """List silences, the first to end first; with --all the newest first."""
    from veille.store import silences

    now = utc_now()

    async def read(store: Store, loaded: Loaded) -> tuple[list[Silence], ZoneInfo]:
        found = await store.read(
            silences.list_ if everything else lambda db: silences.lasting(db, now)
        )
        return found, loaded.timezone

    found, zone = with_store(chosen(ctx, config_path), read)
    rows = [_row(silence, now, zone) for silence in found]
    if as_json:
        click.echo(msgspec.json.encode(rows))
        return
    for silence, row in zip(found, rows, strict=True):
        click.echo(
            f"{row['id']!s:<5} {row['state']!s:<7} until {row['ends_at']}  {silence.author}: "
            f"{silence.reason}  [{_written(silence.match)}]"
        )


@command.command("expire")
@click.argument("silence")
@actor_option
@config_option
@click.pass_context
def expire(ctx: click.Context, silence: str, actor: str, config_path: Path | None) -> None:
    """End SILENCE (S3) now: what still fires is told."""
    number = parse_silence_id(silence)

    async def run(store: Store, loaded: Loaded) -> None:
        await _actions(store, loaded, utc_now()).expire(number, actor=actor)

    with_store(chosen(ctx, config_path), run)
    click.echo(f"{short_id('S', number)}: over")


def _wanted(target: str | None, labels: tuple[str, ...]) -> str | Match:
    if (target is None) == (not labels):
        raise InputError("say what to silence: an incident (I12), or labels with --match, not both")
    return parse_match(labels) if target is None else target


def _length(lasting: str | None, until: str | None, now: datetime, zone: ZoneInfo) -> timedelta:
    if (lasting is None) == (until is None):
        raise InputError("say how long: --for 4h, or --until 2026-11-23T08:00")
    if lasting is not None:
        return parse_duration(lasting)
    try:
        at = datetime.fromisoformat(until or "")
    except ValueError as error:
        raise InputError(f'--until "{until}" is no time: write 2026-11-23T08:00') from error
    return (at if at.tzinfo else at.replace(tzinfo=zone)) - now


def _actions(store: Store, loaded: Loaded, now: datetime) -> Actions:
    from veille.pipeline.actions import Actions

    return Actions(store, route=loaded.route, now=lambda: now, zone=loaded.timezone)


def _warn(match: Match, loaded: Loaded) -> None:
    """Say on the error stream what no alert has: such a silence mutes nothing."""
    from veille.alerts.operational import AUDIT_BROKEN, RULES_REFUSED
    from veille.app import parts
    from veille.app.check import label_names
    from veille.config import unknown_name

    try:
        rules = parts.rules(loaded).rules
    except VeilleError:  # veille check says what is wrong with the rules
        return
    known = {
        "--match": {*label_names(rules), "incident"},
        "rule": {RULES_REFUSED, AUDIT_BROKEN, *(rule.id for rule in rules)},
        "watch": {watch.id for watch in loaded.config.watch},
    }
    for field, names in {**match, "--match": tuple(match)}.items():
        for name in sorted(set(names) - known.get(field, set(names))):
            click.echo(f"warning: {unknown_name(field, name, known[field])}", err=True)


def _show_hidden(hidden: list[Hidden]) -> None:
    if not hidden:
        click.echo("it hides nothing of the last 24 hours, and nothing now")
        return
    from veille.wording.format import visible

    count = sum(each.notifications for each in hidden if each.is_whole)
    click.echo(f"in the last 24 hours it would have hidden {count} notifications, of:")
    for each in hidden:
        part = "" if each.is_whole else f" ({each.alerts} of its {each.of} alerts)"
        when = "now" if each.is_now else "over"
        incident = each.incident
        name = short_id("I", incident.id)
        what = visible(incident.title)
        click.echo(f"  {name:<6} {SHAPES[incident.severity]} {when:<4} {what}{part}")


def _hidden(each: Hidden) -> dict[str, object]:
    incident = each.incident
    return {
        "id": short_id("I", incident.id),
        "severity": incident.severity,
        "title": incident.title,
        "state": incident.state,
        "alerts": each.alerts,
        "of": each.of,
        "notifications": each.notifications,
        "now": each.is_now,
    }


def _row(silence: Silence, now: datetime, zone: ZoneInfo) -> dict[str, object]:
    return {
        "id": short_id("S", silence.id),
        "state": "active" if silence.is_active(now) else "over",
        "match": silence.match,
        "author": silence.author,
        "reason": silence.reason,
        "starts_at": _clock(silence.starts_at, zone),
        "ends_at": _clock(silence.ends_at, zone),
        "ended_by": silence.ended_by,
    }


def _written(match: Match) -> str:
    return ", ".join(f"{name}={'|'.join(values)}" for name, values in match.items())


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat(timespec="minutes")
