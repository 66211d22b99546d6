"""`veille queue draft` and `veille queue template`: answers that a person publishes."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

import click
import msgspec

from veille.cli.acting import actor_option, perform, say_done
from veille.cli.root import chosen, config_option, json_option
from veille.cli.store import with_store
from veille.config import Loaded
from veille.domain.deed import Done
from veille.domain.draft import Draft, Template
from veille.domain.errors import InputError
from veille.domain.ids import parse_short_id
from veille.store.protocol import Store

if TYPE_CHECKING:
    from veille.pipeline.actions import Actions

T = TypeVar("T")


@click.command("draft")
@click.argument("target")
@click.option("--text", help="write a new draft (- reads it from standard input)")
@click.option("--edit", type=int, metavar="N", help="give draft N this --text instead")
@click.option("--image", help="what is said of an image that goes with it, for who cannot see it")
@click.option("--propose", type=int, metavar="N", help="draft N waits for a second pair of eyes")
@click.option("--approve", type=int, metavar="N", help="draft N, written by somebody else, is good")
@click.option("--drop", type=int, metavar="N", help="put draft N aside")
@click.option("--publish", type=int, metavar="N", help="note that you published draft N")
@click.option("--place", default="", help="with --publish: where")
@click.option("--link", default="", help="with --publish: the address of what was published")
@actor_option
@json_option
@config_option
@click.pass_context
def draft(
    ctx: click.Context,
    target: str,
    text: str | None,
    edit: int | None,
    image: str | None,
    propose: int | None,
    approve: int | None,
    drop: int | None,
    publish: int | None,
    place: str,
    link: str,
    actor: str,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Show the drafts of queue item TARGET, or do one thing to one of them."""
    letter, item = parse_short_id(target)
    steps = {"propose": propose, "approve": approve, "drop": drop, "publish": publish}
    chosen_steps = [(verb, number) for verb, number in steps.items() if number is not None]
    if letter != "Q" or len(chosen_steps) + (text is not None) > 1:
        raise InputError("say one thing to do, to a draft of one queue item (Q345)")
    if text is not None:
        said = sys.stdin.read() if text == "-" else text
        made = perform(ctx, config_path, _written(target, said, edit, image, actor))
        click.echo(f"draft {made.id} of {target.upper()}: kept ({len(made.text)} characters)")
        return
    for verb, number in chosen_steps:
        more = {"place": place, "link": link} if verb == "publish" else {}
        done = perform(ctx, config_path, _stepped(target, verb, number, more, actor))
        say_done(f"draft {number}", done)
        return
    _show(ctx, config_path, item, as_json=as_json)


Do = Callable[["Actions", ZoneInfo], Awaitable[T]]


def _written(target: str, text: str, edit: int | None, image: str | None, actor: str) -> Do[Draft]:
    async def run(actions: Actions, _: ZoneInfo) -> Draft:
        if edit is None:
            return await actions.drafts.write(target, text=text, image=image, actor=actor)
        version = await actions.drafts.version(edit, target)
        return await actions.drafts.edit(edit, text=text, image=image, version=version, actor=actor)

    return run


def _stepped(target: str, verb: str, number: int, more: dict[str, str], actor: str) -> Do[Done]:
    async def run(actions: Actions, _: ZoneInfo) -> Done:
        drafts = actions.drafts
        version = await drafts.version(number, target)
        if verb == "publish":
            return await drafts.publish(number, version=version, actor=actor, **more)
        step = {"propose": drafts.propose, "approve": drafts.approve, "drop": drafts.drop}[verb]
        return await step(number, version=version, actor=actor)

    return run


def _show(ctx: click.Context, config_path: Path | None, item: int, *, as_json: bool) -> None:
    from veille.store import drafts
    from veille.wording.format import visible

    async def read(store: Store, _: Loaded) -> list[Draft]:
        return await store.read(lambda db: drafts.of_item(db, item))

    found = with_store(chosen(ctx, config_path), read)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for one in found:
        approved = f", approved by {one.approved_by}" if one.approved_by else ""
        click.echo(f"{one.id:<5} {one.state:<10} {one.author}{approved}: {visible(one.text)}")


@click.command("template")
@click.argument("name", required=False)
@click.option("--text", help="the shared template NAME has this text (- reads standard input)")
@click.option("--remove", is_flag=True, help="remove the shared template NAME")
@actor_option
@json_option
@config_option
@click.pass_context
def template(
    ctx: click.Context,
    name: str | None,
    text: str | None,
    remove: bool,
    actor: str,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """List the templates of answers, or keep or remove a shared one."""
    if (remove or text is not None) and (name is None or (remove and text is not None)):
        raise InputError("say which template: veille queue template NAME --text … or --remove")
    if name is not None and remove:
        perform(ctx, config_path, lambda a, _: a.drafts.remove_template(name, actor=actor))
        click.echo(f"{name}: removed")
        return
    if name is not None and text is not None:
        said = sys.stdin.read() if text == "-" else text
        kept = perform(ctx, config_path, _kept(name, said, actor))
        click.echo(f"{kept.name}: kept ({len(kept.text)} characters)")
        return
    _list(ctx, config_path, name, as_json=as_json)


def _kept(name: str, text: str, actor: str) -> Do[Template]:
    async def run(actions: Actions, _: ZoneInfo) -> Template:
        version = await actions.drafts.template_version(name)
        return await actions.drafts.keep_template(name, text=text, actor=actor, version=version)

    return run


def _list(ctx: click.Context, config_path: Path | None, name: str | None, *, as_json: bool) -> None:
    from veille.store import drafts
    from veille.wording.catalogue import catalogue
    from veille.wording.templates import shipped

    async def read(store: Store, loaded: Loaded) -> list[Template]:
        say = catalogue(loaded.config.veille.language)
        return [*await store.read(drafts.templates), *shipped(say)]

    found = with_store(chosen(ctx, config_path), read)
    rows = [one for one in found if name in {None, one.name}]
    if as_json:
        click.echo(msgspec.json.encode(rows))
        return
    for one in rows:
        click.echo(f"{one.name} ({one.author or 'veille'}): {one.text}")


COMMANDS = (draft, template)
