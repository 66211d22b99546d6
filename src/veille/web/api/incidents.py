"""Incidents: read, taken, entrusted, ended, judged, merged and split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar

import msgspec

from veille.domain.incident import IncidentState, Verdict
from veille.store import alerts, incidents, verdicts
from veille.store.engine import Db
from veille.web.api import shapes
from veille.web.api.mentions import texts
from veille.web.api.operation import NUMBER, Answer, Body, Call, Nothing, Page, Paged
from veille.web.api.problems import Kind, Refused
from veille.web.api.shapes import Did, EventShape, IncidentShape, MentionShape, WholeIncident
from veille.web.api.texts import END, text
from veille.web.api.timelines import lines
from veille.web.deeds import active

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
IncidentId = Annotated[str, msgspec.Meta(pattern=f"^I{NUMBER}{END}")]


class Wanted(Paged, frozen=True, kw_only=True):
    """Which incidents: in these states, all unless said; the newest first."""

    state: tuple[IncidentState, ...] = ()


class Assign(Body, frozen=True, kw_only=True):
    """To whom."""

    to: Name


class Judge(Body, frozen=True, kw_only=True):
    """What a person says of it."""

    verdict: Verdict


class Merge(Body, frozen=True, kw_only=True):
    """Into which incident."""

    into: IncidentId


class Split(Body, frozen=True, kw_only=True):
    """What the new incident has: alerts by fingerprint, mentions by key; one of either at least."""

    alerts: Annotated[tuple[str, ...], msgspec.Meta(max_length=200)] = ()
    mentions: Annotated[tuple[str, ...], msgspec.Meta(max_length=500)] = ()
    also: ClassVar[Mapping[str, Any]] = {
        "anyOf": [
            {"required": [name], "properties": {name: {"minItems": 1}}}
            for name in ("alerts", "mentions")
        ]
    }

    def __post_init__(self) -> None:
        if not self.alerts and not self.mentions:
            raise ValueError("Expected `array` of length >= 1")


class Note(Body, frozen=True, kw_only=True):
    """A note; `@name` calls a colleague."""

    text: Annotated[str, text(4000)]
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ({"text": "Le CODIS est prévenu."},)


class SplitOff(Did, frozen=True, kw_only=True):
    """The new incident, and how to take it back."""

    incident: str


class Called(shapes.Shape, frozen=True, kw_only=True):
    """The colleagues a note calls."""

    called: list[str]


async def list_(call: Call[Wanted, None]) -> Answer[Page[IncidentShape]]:
    """Incidents, the newest first."""
    wanted, after = call.query, call.after()
    states = wanted.state or list(IncidentState)
    before = None if after is None else int(after[0])
    found = await call.site.store.read(
        partial(incidents.page, states=states, limit=wanted.limit + 1, before=before)
    )
    shown = found[: wanted.limit]
    more = call.next([shown[-1].id]) if len(found) > len(shown) else None
    return Answer(value=Page(items=[shapes.incident(each) for each in shown], next=more))


async def get(call: Call[Nothing, None]) -> Answer[WholeIncident]:
    """One incident with its alerts and verdict."""
    number = call.number("incident")

    def load(db: Db) -> WholeIncident | None:
        found = incidents.get(db, number)
        if found is None:
            return None
        return WholeIncident(
            incident=shapes.incident(found),
            alerts=[shapes.alert(each) for each in alerts.get(db, found.alerts).values()],
            verdict=verdicts.of(db, number),
        )

    whole = await call.site.store.read(load)
    if whole is None:
        raise Refused(Kind.MISSING)
    return Answer(value=whole, version=whole.incident.version)


async def mentions(call: Call[Paged, None]) -> Answer[Page[MentionShape]]:
    """What was written that led to the incident, the latest to join it first."""
    number, limit, after = call.number("incident"), call.query.limit, call.after()

    def load(db: Db) -> tuple[list[MentionShape], int | None]:
        before = None if after is None else int(after[0])
        found = incidents.evidence_page(db, number, limit=limit + 1, before=before)
        shown = found[:limit]
        last = shown[-1][0] if len(found) > limit else None
        return texts(db, [key for _, key in shown]), last

    shown, last = await call.site.store.read(load)
    return Answer(value=Page(items=shown, next=None if last is None else call.next([last])))


async def timeline(call: Call[Paged, None]) -> Answer[Page[EventShape]]:
    """What happened to the incident, the oldest first."""
    return await lines(call, call.parts["incident"])


async def take(call: Call[Nothing, None]) -> Answer[Did]:
    """The incident is taken by who asks."""
    done = await call.site.actions.acknowledge(
        call.parts["incident"], actor=call.actor, version=call.version
    )
    return Answer(value=shapes.did(done))


async def assign(call: Call[Nothing, Assign]) -> Answer[Did]:
    """The incident is entrusted to somebody."""
    to = await active(call.site, call.body.to)
    done = await call.site.actions.assign(
        call.parts["incident"], to=to, actor=call.actor, version=call.version
    )
    return Answer(value=shapes.did(done))


async def resolve(call: Call[Nothing, None]) -> Answer[Did]:
    """The incident is over."""
    done = await call.site.actions.resolve(
        call.parts["incident"], actor=call.actor, version=call.version
    )
    return Answer(value=shapes.did(done))


async def reopen(call: Call[Nothing, None]) -> Answer[Did]:
    """The incident is open again, and nobody's."""
    done = await call.site.actions.reopen(
        call.parts["incident"], actor=call.actor, version=call.version
    )
    return Answer(value=shapes.did(done))


async def judge(call: Call[Nothing, Judge]) -> Answer[Did]:
    """The verdict stands for the incident and its rules; a false alarm ends it."""
    done = await call.site.actions.judge(
        call.parts["incident"], verdict=call.body.verdict, actor=call.actor, version=call.version
    )
    return Answer(value=shapes.did(done))


async def merge(call: Call[Nothing, Merge]) -> Answer[Did]:
    """Another incident has all of this one, which is closed."""
    done = await call.site.actions.merge(
        call.parts["incident"], into=call.body.into, actor=call.actor, version=call.version
    )
    return Answer(value=shapes.did(done))


async def split(call: Call[Nothing, Split]) -> Answer[SplitOff]:
    """A new incident has these alerts and mentions."""
    name, done = await call.site.actions.split(
        call.parts["incident"],
        alerts=call.body.alerts,
        mentions=call.body.mentions,
        actor=call.actor,
        version=call.version,
    )
    return Answer(
        value=SplitOff(incident=name, undo=done.id, until=done.until),
        location=f"/api/v1/incidents/{name}",
    )


async def note(call: Call[Nothing, Note]) -> Answer[Called]:
    """The note stands in the incident's timeline."""
    called = await call.site.actions.note(
        call.parts["incident"], text=call.body.text, actor=call.actor
    )
    return Answer(value=Called(called=list(called)))
