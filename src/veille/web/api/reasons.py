"""Why: what an incident rests on, which words carried a label, what stood against an alert."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web

from veille.domain.coordination import Coordination
from veille.domain.evidence import Example
from veille.domain.explanation import Explanation
from veille.domain.ids import short_id
from veille.domain.incident import Reach
from veille.domain.record import StoredMention
from veille.domain.whynot import WhyNot
from veille.store import mentions, queue
from veille.store.echoes import Group
from veille.store.engine import Db
from veille.web import incident_page, why
from veille.web.api.operation import PARTS, Answer, Call, Nothing
from veille.web.api.problems import Kind, Refused
from veille.web.api.shapes import Shape
from veille.web.api.texts import END
from veille.web.incident_page import Loaded
from veille.web.questions import reading
from veille.web.reasons import Reason, reason
from veille.web.site import words_of
from veille.web.story import Told

_RETRY_S = {"slow": 60.0, "late": 60.0, "busy": 10.0}
"""As throttle counts; a backlog of 500 is read in ten seconds and goes on; docs/models.md: 7 s."""


class Related(Shape, frozen=True, kw_only=True):
    """Another incident in which the same was said, in so many messages."""

    incident: str
    title: str
    shared: int


class Why(Shape, frozen=True, kw_only=True):
    """What an incident rests on, as its page says it.

    `reasons` are of its alerts, the strongest first, in sentences; `evidence` the places that
    matched, by alert. `usual` is the strongest alert's mean count a window before. `messages` are
    what was said, each thing once; `times` when messages were written; `own` what the institution
    published meanwhile. `cards` join what the emergency cards say, by name. `since`: the last visit
    of who asks.
    """

    reasons: list[Reason]
    evidence: Mapping[str, tuple[Example, ...]]
    usual: float | None
    reach: Reach | None
    places: list[str]
    cards: dict[str, list[str]]
    messages: list[Group]
    times: list[datetime]
    own: list[str]
    coordination: Coordination | None
    related: list[Related]
    since: datetime | None


class Story(Shape, frozen=True, kw_only=True):
    """The newest lines of the main courante, the newest last, and how many came before them."""

    lines: list[Told]
    older: int


class Explained(Shape, frozen=True, kw_only=True):
    """The words that carried each label of the text and analysis that `reading` marks."""

    reading: str | None
    labels: list[Explanation]


class Rule(Nothing, frozen=True, kw_only=True):
    """Under which rule."""

    rule: Annotated[str, msgspec.Meta(pattern=f"^{PARTS['rule'].pattern}{END}")]


class Became(Shape, frozen=True, kw_only=True):
    """What became of the mention, in numbers and in sentences."""

    answer: WhyNot
    said: list[str]


async def of_incident(call: Call[Nothing, None]) -> Answer[Why]:
    """Why the incident stands: its alerts in words, what was said, where, by how many."""
    loaded, words = await _loaded(call), words_of(call.request)
    return Answer(
        value=Why(
            reasons=[reason(each, words) for each in loaded.found.alerts],
            evidence=loaded.examples,
            usual=loaded.found.usual,
            reach=loaded.reach,
            places=list(words.places(loaded.found.mentions)),
            cards=dict(incident_page.emergency(loaded.found.mentions, words)),
            messages=loaded.heard,
            times=loaded.times,
            own=[each.key for each in loaded.own],
            coordination=loaded.coordination,
            related=[
                Related(incident=short_id("I", each.id), title=each.title, shared=count)
                for each, count in loaded.others
            ],
            since=loaded.since,
        )
    )


async def story(call: Call[Nothing, None]) -> Answer[Story]:
    """The main courante as the page folds it: what was heard, decided, told, done, published."""
    lines, older = incident_page.main_courante(await _loaded(call), words_of(call.request))
    return Answer(value=Story(lines=lines, older=older))


async def of_item(call: Call[Nothing, None]) -> Answer[Explained]:
    """Which words carried each label of the item's mention; it takes seconds."""
    mention = await _mention(call)
    try:
        found = await why.explained(call.request, mention)
    except web.HTTPNotFound as error:
        raise Refused(Kind.MISSING) from error
    if isinstance(found, str):
        raise _not_now(found)
    return Answer(value=Explained(reading=reading(mention) or None, labels=list(found)))


async def whynot(call: Call[Rule, None]) -> Answer[Became]:
    """That the item's mention alerted under a rule, or what stood against it; it takes seconds."""
    key = await call.site.store.read(lambda db: _key(db, call.number("item")))
    try:
        found = await why.became(call.request, key, call.query.rule)
    except web.HTTPNotFound as error:
        raise Refused(Kind.MISSING, fields={"/query/rule": "choice"}) from error
    if isinstance(found, str):
        raise _not_now(found)
    return Answer(value=Became(answer=found, said=why.told(call.request, found)))


async def _loaded(call: Call[Nothing, None]) -> Loaded:
    number = call.number("incident")
    loaded = await call.site.store.read(
        lambda db: incident_page.load(db, number, call.request, call.now)
    )
    if loaded is None:
        raise Refused(Kind.MISSING)
    return loaded


async def _mention(call: Call[Nothing, None]) -> StoredMention | None:
    number = call.number("item")

    def load(db: Db) -> StoredMention | None:
        key = _key(db, number)
        return mentions.stored(db, [key]).get(key)

    return await call.site.store.read(load)


def _key(db: Db, number: int) -> str:
    item = queue.get(db, number)
    if item is None:
        raise Refused(Kind.MISSING)
    return item.mention


def _not_now(problem: str) -> Refused:
    kind = Kind.TOO_MANY if problem == "slow" else Kind.BUSY
    return Refused(kind, retry_after_s=_RETRY_S[problem])
