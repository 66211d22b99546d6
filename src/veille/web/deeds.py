"""What a form asks to do with queue items, as a deed: one reading for one item and for many."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from veille.domain.deed import Deed, Verb
from veille.domain.errors import InputError
from veille.domain.incident import QueueState
from veille.store import users
from veille.web.site import Site
from veille.web.snooze import moment_of, until_of

STATES = (
    QueueState.WAITING,
    QueueState.ANSWERED,
    QueueState.REPORTED,
    QueueState.CLOSED,
    QueueState.OUT_OF_SCOPE,
)
"""What an item may be moved to; the other states have verbs of their own."""
VERBS = ("take", "assign", "snooze", *(state.value for state in STATES), "release", "unsnooze",
         "reopen")  # fmt: skip
"""What may be done to many items, in the order of the list; each is a key of `views.bulk.do`."""

Fields = Mapping[str, str]


async def active(site: Site, name: str) -> str:
    """Return the name as its account writes it; InputError unless that person may log in."""
    user = await site.store.read(lambda db: users.get(db, name))
    if user is None or user.disabled_at is not None:
        raise InputError("assign to a user that is not disabled")
    return user.name


def deed_of(verb: str, fields: Fields, *, now: datetime, zone: ZoneInfo) -> Deed:
    """Return what the form says; InputError for a verb or a moment that is not offered.

    Fields: `to`, `until` (a name of `snooze.choices`) or `at` (a date and hour), `reason`,
    `waiting_for`, `stays_open`.
    """
    if verb in set(STATES):
        return Deed(
            verb=Verb.MOVE,
            state=QueueState(verb),
            reason=fields.get("reason", ""),
            waiting_for=fields.get("waiting_for", ""),
            stays_open=bool(fields.get("stays_open")),
        )
    if verb == Verb.SNOOZE:
        written = fields.get("at", "")
        until = (
            moment_of(written, zone) if written else until_of(fields.get("until", ""), now, zone)
        )
        return Deed(verb=Verb.SNOOZE, until=until)
    if verb == Verb.ASSIGN:
        return Deed(verb=Verb.ASSIGN, to=fields.get("to", ""))
    if verb not in VERBS:
        raise InputError(f'"{verb[:24]}" is nothing that can be done to queue items')
    return Deed(verb=Verb(verb))
