"""Silences: what is muted, what a new one would hide, and ending one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

import msgspec

from veille.domain.alert import Severity
from veille.domain.ids import short_id
from veille.domain.silence import (
    LABELS,
    LONGEST,
    REASON_LENGTH,
    SHORTEST,
    VALUE_LENGTH,
    VALUES,
    Match,
    Silence,
)
from veille.store import silences
from veille.store.silences import Hidden
from veille.web.api.incidents import IncidentId
from veille.web.api.operation import Answer, Body, Call, Nothing, Page, Paged
from veille.web.api.problems import Kind, Refused
from veille.web.api.shapes import Shape, shaped
from veille.web.api.texts import END, text
from veille.web.marks import mark

_Value = Annotated[str, msgspec.Meta(min_length=1, max_length=VALUE_LENGTH)]
_Values = Annotated[list[_Value], msgspec.Meta(min_length=1, max_length=VALUES)]
_Label = Annotated[str, msgspec.Meta(pattern=rf"^[a-z][a-z0-9_.]{{0,63}}{END}")]
_SEVERITIES = {
    "properties": {
        "severity": {
            "type": "array",
            "items": {"enum": [one.value for one in Severity]},
            "minItems": 1,
            "maxItems": VALUES,
        }
    }
}
Labels = Annotated[
    dict[_Label, _Values],
    msgspec.Meta(min_length=1, max_length=LABELS, extra_json_schema=_SEVERITIES),
]


class Muted(Body, frozen=True, kw_only=True):
    """What is muted: an incident (`I12`), or what has one of the values of each of these labels."""

    what: IncidentId | Labels
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"what": {"topic": ["roads"]}},)

    def __post_init__(self) -> None:
        named = {} if isinstance(self.what, str) else self.what
        if not set(Severity) >= set(named.get("severity", ())):
            raise ValueError("Invalid enum value")


class Wanted(Muted, frozen=True, kw_only=True):
    """What is muted, for how many seconds (a minute to 30 days), and why."""

    seconds: Annotated[
        int, msgspec.Meta(ge=int(SHORTEST.total_seconds()), le=int(LONGEST.total_seconds()))
    ]
    reason: Annotated[str, text(REASON_LENGTH)]
    examples: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"what": {"topic": ["roads"]}, "seconds": 3600, "reason": "travaux annoncés"},
    )


class SilenceShape(Shape, frozen=True, kw_only=True):
    """A silence: what it mutes, by whom, why, and until when."""

    id: str
    match: Match
    author: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    ended_by: str | None


class HiddenShape(Shape, frozen=True, kw_only=True):
    """An incident that would be hidden: `alerts` of its `of`, and how often it was told in 24 h."""

    incident: str
    title: str
    alerts: int
    of: int
    notifications: int
    is_now: bool
    is_whole: bool


class Preview(Shape, frozen=True, kw_only=True):
    """The labels a silence would have, and what of the last 24 h and of now it hides."""

    match: Match
    hidden: list[HiddenShape]


async def list_(call: Call[Paged, None]) -> Answer[Page[SilenceShape]]:
    """Silences, over or not, the newest first."""
    limit, after = call.query.limit, call.after()
    before = None if after is None else int(after[0])
    found = await call.site.store.read(
        lambda db: silences.list_(db, limit=limit + 1, before=before)
    )
    shown = found[:limit]
    more = call.next([shown[-1].id]) if len(found) > limit else None
    return Answer(value=Page(items=[_shape(each) for each in shown], next=more))


async def get(call: Call[Nothing, None]) -> Answer[SilenceShape]:
    """One silence."""
    found = await _known(call)
    return Answer(value=_shape(found), version=mark(found))


async def preview(call: Call[Nothing, Muted]) -> Answer[Preview]:
    """What a silence would hide; nothing is muted."""
    match, hidden = await call.site.actions.preview(_target(call.body))
    return Answer(value=Preview(match=match, hidden=[_hidden(each) for each in hidden]))


async def add(call: Call[Nothing, Wanted]) -> Answer[SilenceShape]:
    """Nothing more is said of what matches, for so long."""
    made = await call.site.actions.silence(
        _target(call.body),
        lasting=timedelta(seconds=call.body.seconds),
        reason=call.body.reason,
        actor=call.actor,
    )
    if not isinstance(made, Silence):
        raise TypeError("a silence is what silencing returns")
    shape = _shape(made)
    return Answer(value=shape, location=f"/api/v1/silences/{shape.id}")


async def expire(call: Call[Nothing, None]) -> Answer[SilenceShape]:
    """The silence is over: what still fires is told."""
    await call.site.actions.expire(call.number("silence"), actor=call.actor)
    return Answer(value=_shape(await _known(call)))


async def _known(call: Call[Nothing, None]) -> Silence:
    number = call.number("silence")
    found = await call.site.store.read(lambda db: silences.get(db, number))
    if found is None:
        raise Refused(Kind.MISSING)
    return found


def _target(said: Muted) -> str | Match:
    if isinstance(said.what, str):
        return said.what
    return {name: tuple(values) for name, values in said.what.items()}


def _hidden(found: Hidden) -> HiddenShape:
    whose = found.incident
    return shaped(HiddenShape, found, incident=short_id("I", whose.id), title=whose.title)


def _shape(found: Silence) -> SilenceShape:
    return shaped(SilenceShape, found, id=short_id("S", found.id))
