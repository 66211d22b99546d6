"""`veille queue …`: what is done to one or many queue items, and to incidents as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click
import msgspec

from veille.cli.acting import actor_option, moment_of, perform, say_done
from veille.cli.root import config_option, json_option
from veille.domain.clock import utc_now
from veille.domain.deed import Deed, Done, Outcome, Verb
from veille.domain.errors import InputError
from veille.domain.incident import QueueState, Verdict

if TYPE_CHECKING:
    from veille.pipeline.actions import Actions

STATES = [state.value for state in QueueState]
reason_option = click.option(
    "--reason", default="", help="why; asked of a question or request closed without an answer"
)
waiting_option = click.option("--for-whom", default="", help="whom or what it waits for")


@click.command("move")
@click.argument("target")
@click.argument("state", type=click.Choice(STATES))
@reason_option
@waiting_option
@click.option("--stays-open", is_flag=True, help="note that it is answered or reported, no more")
@actor_option
@config_option
@click.pass_context
def move(
    ctx: click.Context,
    target: str,
    state: str,
    reason: str,
    for_whom: str,
    stays_open: bool,
    actor: str,
    config_path: Path | None,
) -> None:
    """Put queue item TARGET in STATE."""
    deed = Deed(
        verb=Verb.MOVE,
        state=QueueState(state),
        reason=reason,
        waiting_for=for_whom,
        stays_open=stays_open,
    )
    _do(ctx, config_path, target, deed, actor)


@click.command("release")
@click.argument("target")
@actor_option
@config_option
@click.pass_context
def release(ctx: click.Context, target: str, actor: str, config_path: Path | None) -> None:
    """Hand queue item TARGET back: it is new, and nobody's."""
    _do(ctx, config_path, target, Deed(verb=Verb.RELEASE), actor)


@click.command("reopen")
@click.argument("target")
@actor_option
@config_option
@click.pass_context
def reopen(ctx: click.Context, target: str, actor: str, config_path: Path | None) -> None:
    """Open TARGET again: an incident that is resolved, a queue item that is done with."""
    _do(ctx, config_path, target, Deed(verb=Verb.REOPEN), actor)


@click.command("snooze")
@click.argument("target")
@click.option("--for", "lasting", metavar="DURATION", help="how long: 30m, 4h, 2d")
@click.option("--until", metavar="TIME", help="until when: 2026-11-23T08:00, by the town's clock")
@click.option("--end", is_flag=True, help="end the snooze now")
@actor_option
@config_option
@click.pass_context
def snooze(
    ctx: click.Context,
    target: str,
    lasting: str | None,
    until: str | None,
    end: bool,
    actor: str,
    config_path: Path | None,
) -> None:
    """Put queue item TARGET off; it comes back by itself, or when it gets graver."""
    if end and (lasting or until):
        raise InputError("--end ends the snooze now: no --for or --until with it")

    async def run(actions: Actions, zone: ZoneInfo) -> Done:
        at = None if end else moment_of(until, lasting, utc_now(), zone)
        deed = Deed(verb=Verb.UNSNOOZE if end else Verb.SNOOZE, until=at)
        return await actions.do(target, deed, actor=actor)

    say_done(target.upper(), perform(ctx, config_path, run))


@click.command("judge")
@click.argument("target")
@click.argument("verdict", type=click.Choice([verdict.value for verdict in Verdict]))
@actor_option
@config_option
@click.pass_context
def judge(
    ctx: click.Context, target: str, verdict: str, actor: str, config_path: Path | None
) -> None:
    """Say of TARGET whether its rule was right; a false alarm ends it."""

    async def run(actions: Actions, _: ZoneInfo) -> Done:
        return await actions.judge(target, verdict=Verdict(verdict), actor=actor)

    say_done(target.upper(), perform(ctx, config_path, run))


@click.command("merge")
@click.argument("target")
@click.argument("into")
@actor_option
@config_option
@click.pass_context
def merge(ctx: click.Context, target: str, into: str, actor: str, config_path: Path | None) -> None:
    """Put incident TARGET into incident INTO: alerts, evidence, and what comes later of both."""

    async def run(actions: Actions, _: ZoneInfo) -> Done:
        return await actions.merge(target, into=into, actor=actor)

    say_done(f"{target.upper()} into {into.upper()}", perform(ctx, config_path, run))


@click.command("split")
@click.argument("target")
@click.option("--alert", "alerts", multiple=True, metavar="FINGERPRINT", help="repeat it")
@click.option("--mention", "mentions", multiple=True, metavar="KEY", help="repeat it")
@actor_option
@config_option
@click.pass_context
def split(
    ctx: click.Context,
    target: str,
    alerts: tuple[str, ...],
    mentions: tuple[str, ...],
    actor: str,
    config_path: Path | None,
) -> None:
    """Make an incident of its own of these alerts and mentions of incident TARGET."""

    async def run(actions: Actions, _: ZoneInfo) -> tuple[str, Done]:
        return await actions.split(target, alerts=alerts, mentions=mentions, actor=actor)

    name, done = perform(ctx, config_path, run)
    say_done(name, done)


@click.command("undo")
@click.argument("number", type=click.IntRange(min=1), required=False)
@actor_option
@config_option
@click.pass_context
def undo(ctx: click.Context, number: int | None, actor: str, config_path: Path | None) -> None:
    """Undo action NUMBER (without it: your last one), within ten seconds."""

    async def run(actions: Actions, _: ZoneInfo) -> tuple[str, ...]:
        wanted = number or await actions.last_deed(actor)
        if wanted is None:
            raise InputError(f"{actor} did nothing that could be undone")
        return await actions.undo(wanted, actor=actor)

    click.echo(f"{' '.join(perform(ctx, config_path, run))}: as before")


@click.command("bulk")
@click.argument("verb", type=click.Choice([verb.value for verb in Verb]))
@click.argument("targets", nargs=-1, required=True)
@click.option("--to", default="", metavar="PERSON", help="of assign")
@click.option("--state", type=click.Choice(STATES), help="of move")
@reason_option
@waiting_option
@click.option("--for", "lasting", metavar="DURATION", help="of snooze: 30m, 4h, 2d")
@click.option("--until", metavar="TIME", help="of snooze: 2026-11-23T08:00")
@click.option("--dry-run", is_flag=True, help="only say what would change, what not and why")
@actor_option
@json_option
@config_option
@click.pass_context
def bulk(
    ctx: click.Context,
    verb: str,
    targets: tuple[str, ...],
    to: str,
    state: str | None,
    reason: str,
    for_whom: str,
    lasting: str | None,
    until: str | None,
    dry_run: bool,
    actor: str,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Do VERB to queue items TARGETS at once; those that cannot are named, and stay."""

    async def run(actions: Actions, zone: ZoneInfo) -> Outcome:
        is_snooze = verb == Verb.SNOOZE
        deed = Deed(
            verb=Verb(verb),
            to=to,
            state=QueueState(state) if state else None,
            reason=reason,
            waiting_for=for_whom,
            until=moment_of(until, lasting, utc_now(), zone) if is_snooze else None,
        )
        seen = await actions.look(targets)
        if dry_run:
            return await actions.preview_bulk(seen, deed, actor=actor)
        return await actions.bulk(seen, deed, actor=actor)

    outcome = perform(ctx, config_path, run)
    if as_json:
        click.echo(msgspec.json.encode(_said(outcome)))
    else:
        _print(outcome, is_dry=dry_run)
    if outcome.refused:
        ctx.exit(1)


def _said(outcome: Outcome) -> dict[str, object]:
    return {"changes": outcome.changes, "refused": outcome.refused, "undo": outcome.done.id}


def _print(outcome: Outcome, *, is_dry: bool) -> None:
    for one in outcome.changes:
        who = one.to_assignee or "nobody"
        click.echo(f"{one.target}: {one.state} -> {one.to_state}, {who}")
    for refused in outcome.refused:
        click.echo(f"{refused.target}: stays as it is: {refused.words}", err=True)
    if outcome.changes and not is_dry:
        say_done(f"{len(outcome.changes)} changed", outcome.done)


def _do(ctx: click.Context, config_path: Path | None, target: str, deed: Deed, actor: str) -> None:
    async def run(actions: Actions, _: ZoneInfo) -> Done:
        return await actions.do(target, deed, actor=actor)

    say_done(target.upper(), perform(ctx, config_path, run))


COMMANDS = (move, release, reopen, snooze, judge, merge, split, undo, bulk)
