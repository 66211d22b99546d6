"""What people do to drafts of an answer: each form is one action on one of them."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from veille.domain.deed import Done
from veille.domain.errors import ConflictError, InputError
from veille.store import drafts
from veille.web import undo
from veille.web.marks import mark
from veille.web.orders import Act, Order
from veille.web.site import form_of, see, site_of, visitor_of

_DIGITS = 18


async def write(order: Order) -> str:
    """The draft has this text; without a number it is a new one."""
    text, image = order.fields.get("text", ""), _image(order)
    drafts = order.site.actions.drafts
    if not order.field("draft"):
        await drafts.write(order.target, text=text, actor=order.actor, image=image)
        return "draft"
    number, version = _draft(order)
    await drafts.edit(number, text=text, version=version, actor=order.actor, image=image)
    return "draft"


async def propose(order: Order) -> Done:
    """The draft waits for somebody to approve it."""
    number, version = _draft(order)
    return await order.site.actions.drafts.propose(number, version=version, actor=order.actor)


async def approve(order: Order) -> Done:
    """The draft is approved by who asks."""
    number, version = _draft(order)
    return await order.site.actions.drafts.approve(number, version=version, actor=order.actor)


async def drop(order: Order) -> Done:
    """The draft is put aside."""
    number, version = _draft(order)
    return await order.site.actions.drafts.drop(number, version=version, actor=order.actor)


async def publish(order: Order) -> Done:
    """It is noted that who asks published it, and the item is answered."""
    number, version = _draft(order)
    return await order.site.actions.drafts.publish(
        number,
        version=version,
        actor=order.actor,
        place=order.field("place"),
        link=order.field("link"),
    )


async def keep_template(request: web.Request) -> web.Response:
    """The text of the form is a template that all may begin with; one of that name stays."""
    form = await form_of(request)
    try:
        await site_of(request).actions.drafts.keep_template(
            form.get("name", ""), text=form.get("text", ""), actor=visitor_of(request).name
        )
    except (ConflictError, InputError):
        return _back(form, "template_refused")
    return _back(form, "template_kept")


async def remove_template(request: web.Request) -> web.Response:
    """The shared template of this name is gone, if the templates are those the form showed."""
    form, site = await form_of(request), site_of(request)
    known = await site.store.read(drafts.templates)
    if form.get("version", "") != str(mark(known)):
        return _back(form, "templates_changed")
    name = form.get("name", "")
    version = next((each.version for each in known if each.name == name), None)
    try:
        await site.actions.drafts.remove_template(
            name, actor=visitor_of(request).name, version=version
        )
    except ConflictError:
        return _back(form, "templates_changed")
    except InputError:
        return _back(form, "template_refused")
    return _back(form, "template_gone")


def _back(form: Mapping[str, str], done: str) -> web.Response:
    return see(undo.after(undo.safe_back(form.get("back", ""), "/queue"), Done(), done=done))


def _draft(order: Order) -> tuple[int, int]:
    """Return number and version of the draft that the form stood under."""
    written = order.field("draft")
    is_number = written.isascii() and written.isdigit() and len(written) <= _DIGITS
    if not is_number or order.version is None:
        raise InputError(f"{order.target}: no such draft: load the page again")
    return int(written), order.version


def _image(order: Order) -> str | None:
    """Return what is said of the image, "" where it is still owed; None without one."""
    return order.field("alt") if order.field("image") or order.field("alt") else None


EDITS = frozenset({"approve"})
"""What asks for more than acting."""
ACTS: Mapping[str, Act] = {
    "draft": write,
    "propose": propose,
    "approve": approve,
    "drop": drop,
    "publish": publish,
}
