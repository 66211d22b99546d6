"""`/`: what is happening now, what waits in the queue, and which sources are silent."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from veille.domain.ids import short_id
from veille.domain.incident import IncidentState, QueueItem, QueueState
from veille.domain.record import StoredMention
from veille.store import incidents, mentions, outbox, queue, sources
from veille.store.engine import Db
from veille.store.sources import SourceHealth
from veille.web.cards import Found, card, find
from veille.web.site import render_watched, site_of, words_of
from veille.web.words import Words
from veille.wording.format import visible

_UNDER_WAY = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)
_TO_DO = tuple(state for state in QueueState if state.is_open)
_INCIDENTS, _CLOSED, _ITEMS, _MESSAGES = 50, 5, 100, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One queue item with its mention, None once erased."""

    item: QueueItem
    mention: StoredMention | None
    id: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    under_way: list[Found]
    closed: list[Found]
    items: list[QueueItem]
    mentions: dict[str, StoredMention]
    sources: list[SourceHealth]
    troubles: dict[str, tuple[int, str]]
    parked: int
    more_incidents: int
    more_items: int


def _load(db: Db) -> _Loaded:
    open_ones = incidents.list_(db, states=_UNDER_WAY, limit=_INCIDENTS)
    closed = incidents.list_(db, states=(IncidentState.RESOLVED,), limit=_CLOSED)
    items = queue.list_(db, states=_TO_DO, limit=_ITEMS)
    return _Loaded(
        under_way=[find(db, incident, limit=_MESSAGES) for incident in open_ones],
        closed=[find(db, incident, limit=0) for incident in closed],
        items=items,
        mentions=mentions.stored(db, [item.mention for item in items]),
        sources=sources.health(db),
        troubles=outbox.troubles(db),
        parked=mentions.counts(db).get("parked", 0),
        more_incidents=incidents.count(db, states=_UNDER_WAY) - len(open_ones),
        more_items=queue.count(db, states=_TO_DO) - len(items),
    )


async def page(request: web.Request) -> web.Response:
    """Incidents by gravity, then the queue, then quiet facts."""
    loaded, words = await site_of(request).store.read(_load), words_of(request)
    reasons = await site_of(request).health.why_not_ready()
    on_call = site_of(request).on_call
    on_duty = " · ".join(await on_call()) if on_call is not None else ""
    unwell = [words.say("web.home.unwell", cause=visible(reason)) for reason in reasons]
    cards = [card(found, words) for found in sorted(loaded.under_way, key=_order)]
    rows = [_row(item, loaded.mentions, words) for item in sorted(loaded.items, key=_item_order)]
    return render_watched(
        request,
        "now.html",
        marks=[each.mark for each in cards] + [f"{row.id}.{row.item.version}" for row in rows],
        cards=cards,
        rows=rows,
        facts=[*unwell, *_troubles(loaded, words), *source_facts(loaded.sources, words)],
        closed=[card(found, words) for found in loaded.closed],
        on_duty=words.say("oncall.now", lines=on_duty) if on_duty else "",
    )


def _order(found: Found) -> tuple[int, bool, float]:
    incident = found.incident
    is_taken = incident.state is not IncidentState.OPEN
    return (-incident.severity.rank, is_taken, -incident.opened_at.timestamp())


def _item_order(item: QueueItem) -> tuple[int, float]:
    return (-item.severity.rank, item.created_at.timestamp())


def _row(item: QueueItem, stored: dict[str, StoredMention], words: Words) -> Row:
    mention = stored.get(item.mention)
    return Row(item=item, mention=mention, id=short_id("Q", item.id), tone=words.tone(mention))


def _troubles(loaded: _Loaded, words: Words) -> list[str]:
    """Say which receivers take nothing, what could not be analyzed, and what is not shown."""
    found = [
        words.say.count("web.home.receiver", count, receiver=name, cause=visible(cause))
        for name, (count, cause) in loaded.troubles.items()
    ]
    if loaded.parked:
        found.append(words.say.count("web.home.parked", loaded.parked))
    if loaded.more_incidents:
        found.append(words.say.count("web.home.more_incidents", loaded.more_incidents))
    if loaded.more_items:
        found.append(words.say.count("web.home.more_items", loaded.more_items))
    return found


def source_facts(health: list[SourceHealth], words: Words) -> list[str]:
    """Say which sources fail, and that the others answer where all do."""
    failing = [_fact(source, words) for source in health if source.failures]
    read = [source for source in health if source.source != sources.RULES]
    if not read:
        return [*failing, words.say("web.home.sources_none")]
    if not any(source.failures for source in read):
        failing.append(words.say("web.home.sources_fine"))
    return failing


def _fact(source: SourceHealth, words: Words) -> str:
    cause = visible(source.error or "?")
    if source.source == sources.RULES:
        return words.say("web.home.rules_refused", cause=cause)
    if source.read_at is None:
        return words.say("web.home.source_unread", source=source.source, cause=cause)
    since = words.wait(source.read_at)
    return words.say("web.home.source_failing", source=source.source, age=since, cause=cause)
