"""Merging incidents, splitting one, opening one again: as forms of its page."""

from __future__ import annotations

from veille.domain.deed import Done
from veille.web.orders import Act, Order

MENTION, ALERT = "mention.", "alert."
"""Before the key of each message, and of each alert, that a form has ticked."""


async def merge(order: Order) -> Done:
    """The chosen incident has all of this one."""
    return await order.site.actions.merge(
        order.target, into=order.field("into"), actor=order.actor, version=order.version
    )


async def split(order: Order) -> Done:
    """A new incident has the ticked alerts with their messages, and the ticked messages."""
    mentions, alerts = (
        [name.removeprefix(prefix) for name in order.fields if name.startswith(prefix)]
        for prefix in (MENTION, ALERT)
    )
    _, done = await order.site.actions.split(
        order.target,
        alerts=alerts,
        mentions=mentions,
        actor=order.actor,
        version=order.version,
    )
    return done


async def reopen(order: Order) -> Done:
    """The incident is open again, and nobody's."""
    return await order.site.actions.reopen(order.target, actor=order.actor, version=order.version)


EDITS: dict[str, Act] = {"merge": merge, "split": split}
"""What changes other people's work, and asks for it (domain/access.py)."""
