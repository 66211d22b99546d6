"""Draft answers and shared templates: a person publishes, never veille."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar

import msgspec

from veille.alerts.drafting import LINK_LENGTH, PLACE_LENGTH, TEXT_LENGTH
from veille.domain.draft import NAME_LENGTH, Draft, Template
from veille.domain.errors import ConflictError
from veille.domain.ids import short_id
from veille.store import drafts
from veille.web.api import shapes
from veille.web.api.operation import Answer, Body, Call, Listed, Nothing
from veille.web.api.problems import Kind, Refused
from veille.web.api.shapes import Did, Shape
from veille.web.api.texts import LINK, line, text
from veille.web.marks import mark
from veille.wording.templates import shipped

Text = Annotated[str, text(TEXT_LENGTH)]


class Written(Body, frozen=True, kw_only=True):
    """The answer; `image` says what an image beside it shows, null without one."""

    text: Text
    image: Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"text": "Nos équipes arrivent."},)


class Published(Body, frozen=True, kw_only=True):
    """Where it was published, as far as that is known."""

    place: Annotated[str, msgspec.Meta(max_length=PLACE_LENGTH)] = ""
    link: Annotated[str, msgspec.Meta(max_length=LINK_LENGTH, pattern=LINK)] = ""


class Begun(Shape, frozen=True, kw_only=True):
    """The number of a draft, its item, and its version."""

    draft: int
    item: str
    version: int


class Named(Body, frozen=True, kw_only=True):
    """A template: its name and text, in which `{name}` is filled in."""

    name: Annotated[str, line(NAME_LENGTH)]
    text: Text
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"name": "Voirie", "text": "Bonjour, nous regardons {lieu}."},
    )


class Said(Body, frozen=True, kw_only=True):
    """What the template says now."""

    text: Text


class Kept(Shape, frozen=True, kw_only=True):
    """The name of a template, and its version."""

    name: str
    version: int


async def list_(call: Call[Nothing, None]) -> Answer[Listed[Draft]]:
    """The drafts of an item, the oldest first, dropped ones too."""
    number = call.number("item")
    found = await call.site.store.read(lambda db: drafts.of_item(db, number))
    return Answer(value=Listed(items=found))


async def write(call: Call[Nothing, Written]) -> Answer[Begun]:
    """The item has another draft."""
    draft = await call.site.actions.drafts.write(
        call.parts["item"], text=call.body.text, image=call.body.image, actor=call.actor
    )
    return Answer(value=_begun(draft), location=f"/api/v1/drafts/{draft.id}")


async def get(call: Call[Nothing, None]) -> Answer[Draft]:
    """One draft."""
    number = int(call.parts["draft"])
    draft = await call.site.store.read(lambda db: drafts.get(db, number))
    if draft is None:
        raise Refused(Kind.MISSING)
    return Answer(value=draft, version=draft.version)


async def edit(call: Call[Nothing, Written]) -> Answer[Begun]:
    """The draft has this text; whatever approval it had is gone."""
    draft = await call.site.actions.drafts.edit(
        int(call.parts["draft"]),
        text=call.body.text,
        image=call.body.image,
        version=_version(call),
        actor=call.actor,
    )
    return Answer(value=_begun(draft))


async def propose(call: Call[Nothing, None]) -> Answer[Did]:
    """The draft waits for somebody to approve it."""
    done = await call.site.actions.drafts.propose(
        int(call.parts["draft"]), version=_version(call), actor=call.actor
    )
    return Answer(value=shapes.did(done))


async def approve(call: Call[Nothing, None]) -> Answer[Did]:
    """The draft is approved, by somebody else than its author."""
    done = await call.site.actions.drafts.approve(
        int(call.parts["draft"]), version=_version(call), actor=call.actor
    )
    return Answer(value=shapes.did(done))


async def drop(call: Call[Nothing, None]) -> Answer[Did]:
    """The draft is put aside."""
    done = await call.site.actions.drafts.drop(
        int(call.parts["draft"]), version=_version(call), actor=call.actor
    )
    return Answer(value=shapes.did(done))


async def publish(call: Call[Nothing, Published]) -> Answer[Did]:
    """It is noted that who asks published the draft, and its item is answered."""
    done = await call.site.actions.drafts.publish(
        int(call.parts["draft"]),
        version=_version(call),
        place=call.body.place,
        link=call.body.link,
        actor=call.actor,
    )
    return Answer(value=shapes.did(done))


async def templates(call: Call[Nothing, None]) -> Answer[Listed[Template]]:
    """Texts to begin an answer with: those that ship (without `id`), then those people share."""
    found = await call.site.store.read(drafts.templates)
    return Answer(value=Listed(items=[*shipped(call.site.say), *found]))


async def template(call: Call[Nothing, None]) -> Answer[Template]:
    """One shared template."""
    found = await call.site.store.read(partial(drafts.template, name=call.parts["template"]))
    if found is None:
        raise Refused(Kind.MISSING)
    return Answer(value=found, version=mark(found))


async def edit_template(call: Call[Nothing, Said]) -> Answer[Kept]:
    """The shared template has this text."""
    kept = await call.site.actions.drafts.keep_template(
        call.parts["template"],
        text=call.body.text,
        actor=call.actor,
        version=await _seen(call),
    )
    return Answer(value=Kept(name=kept.name, version=kept.version))


async def keep_template(call: Call[Nothing, Named]) -> Answer[Kept]:
    """There is another shared template."""
    kept = await call.site.actions.drafts.keep_template(
        call.body.name, text=call.body.text, actor=call.actor
    )
    return Answer(value=Kept(name=kept.name, version=kept.version))


async def remove_template(call: Call[Nothing, None]) -> Answer[None]:
    """No shared template has this name."""
    await call.site.actions.drafts.remove_template(
        call.parts["template"], version=await _seen(call), actor=call.actor
    )
    return Answer(value=None)


async def _seen(call: Call[Nothing, Said] | Call[Nothing, None]) -> int:
    """Return the version of the template that was seen; ConflictError when it is another now."""
    name = call.parts["template"]
    found = await call.site.store.read(partial(drafts.template, name=name))
    if found is None or mark(found) != call.version:
        raise ConflictError(f'template "{name}" was changed by somebody else: load it again')
    return found.version


def _version(call: Call[Nothing, None] | Call[Nothing, Written] | Call[Nothing, Published]) -> int:
    if call.version is None:
        raise Refused(Kind.UNCONDITIONAL)
    return call.version


def _begun(draft: Draft) -> Begun:
    return Begun(draft=draft.id, item=short_id("Q", draft.item), version=draft.version)
