"""The drafts of an answer as a mention's page shows them: a person publishes, never veille."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from veille.alerts.drafting import may_publish, same_person
from veille.domain.draft import Draft, DraftState, Length, Template, length, needs_second
from veille.domain.incident import QueueItem
from veille.domain.record import StoredMention
from veille.store import drafts
from veille.store.engine import Db
from veille.web.site import site_of, visitor_of, words_of
from veille.web.text import safe_link
from veille.web.words import Words
from veille.wording.format import visible
from veille.wording.templates import filled, shipped

_OVER = frozenset({DraftState.PUBLISHED, DraftState.DROPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The drafts of an item, oldest first, and the templates people share."""

    drafts: Sequence[Draft]
    templates: Sequence[Template]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One draft in words, and what who looks may do with it."""

    draft: Draft
    text: str
    state: str
    by: str
    length: str
    approved: str
    published: str
    link: str | None
    is_open: bool
    is_too_long: bool
    owes_alt: bool
    may_approve: bool
    may_publish: bool
    waits_for_second: bool


def load(db: Db, item: QueueItem) -> Loaded:
    """Return what people have drafted for this item, and what they may begin with."""
    return Loaded(drafts=drafts.of_item(db, item.id), templates=drafts.templates(db))


def cards(request: web.Request, loaded: Loaded, item: QueueItem, source: str) -> list[Card]:
    """Return the drafts, those still worked on first; what was dropped is left out."""
    shown = [each for each in loaded.drafts if each.state is not DraftState.DROPPED]
    shown.sort(key=lambda each: (each.state in _OVER, each.id))
    return [_card(request, each, item, source) for each in shown]


def shared(loaded: Loaded) -> list[str]:
    """Return the names of the templates that people made: those may be removed."""
    return [each.name for each in loaded.templates]


def begun(
    request: web.Request, loaded: Loaded, mention: StoredMention | None
) -> tuple[list[str], str, str]:
    """Return the names of all templates, the one asked for, and its text, filled in."""
    site, asked = site_of(request), request.query.get("template", "")
    known = {each.name: each for each in (*shipped(site.say), *loaded.templates)}
    if mention is None or asked not in known:
        return list(known), "", ""
    text = filled(
        known[asked].text,
        mention,
        say=site.say,
        topics=site.topics,
        institution=site.institution,
    )
    return list(known), asked, text


def _card(request: web.Request, draft: Draft, item: QueueItem, source: str) -> Card:
    visitor, words = visitor_of(request), words_of(request)
    is_open = draft.state not in _OVER
    found = length(draft.text, source)
    is_second = needs_second(item.severity) and draft.state is not DraftState.APPROVED
    is_others = not same_person(draft.author, visitor.name)
    return Card(
        draft=draft,
        text=visible(draft.text),
        state=words.say(f"queue.draft.{draft.state.value}"),
        by=words.say("views.draft.by", name=draft.author, when=words.when(draft.updated_at)),
        length=_length(found, words),
        approved=_said("approved", draft.approved_by, None, words),
        published=_said("published", draft.published_by, draft.published_at, words),
        link=safe_link(draft.link),
        is_open=is_open,
        is_too_long=_is_too_long(found),
        owes_alt=is_open and draft.image == "",
        may_approve=draft.state is DraftState.PROPOSED and is_others and visitor.may("edit"),
        may_publish=may_publish(draft, item.severity),
        waits_for_second=is_open and is_second,
    )


def _said(what: str, name: str | None, at: datetime | None, words: Words) -> str:
    if name is None:
        return ""
    return words.say(f"views.draft.{what}", name=name, when=words.when(at) if at else "")


def _is_too_long(found: Length) -> bool:
    return found.left is not None and found.left < 0


def _length(found: Length, words: Words) -> str:
    key = "too_long" if _is_too_long(found) else "count" if found.limit is None else "count_of"
    return words.say(f"views.draft.{key}", count=found.count, limit=found.limit)
