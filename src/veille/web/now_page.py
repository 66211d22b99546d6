"""`/`: what is happening now, what waits for an answer, and which sources are silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from veille.domain.history import HOUR, hour_number, hour_start
from veille.domain.incident import IncidentState
from veille.domain.queue_filter import QueueFilter
from veille.domain.record import StoredMention
from veille.store import arrivals, incidents, ledger, mentions, outbox, pulse, ranking, sources
from veille.store.arrivals import Day
from veille.store.engine import Db
from veille.store.ranking import Ranked
from veille.store.sources import SourceHealth
from veille.web.cards import MESSAGES, Card, Found, card, find
from veille.web.installable import may_keep
from veille.web.menu import MANY
from veille.web.rows import row
from veille.web.site import render_watched, site_of, words_of
from veille.web.sparkline import Spark, bars, spark
from veille.web.words import Words
from veille.wording.format import number, visible

_UNDER_WAY = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)
_CARDS, _LINES, _CLOSED, _ITEMS = 8, 50, 5, 5
"""Cards are read in full, lines below them by title: a night of flood opens some dozens."""
_TIMES = 200
"""Messages of a card that are drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    under_way: list[Found]
    times: Mapping[int, list[datetime]]
    others: list[Found]
    closed: list[Found]
    items: list[Ranked]
    mentions: Mapping[str, StoredMention]
    waiting: int
    overdue: int
    unanswered: int
    oldest: datetime | None
    sources: list[SourceHealth]
    troubles: dict[str, tuple[int, str]]
    parked: int
    more_incidents: int
    day: Day
    marks: Mapping[str, str]


def _load(db: Db, now: datetime) -> _Loaded:
    open_ones = incidents.list_(db, states=_UNDER_WAY, limit=_CARDS + _LINES)
    items = ranking.ranked(db, QueueFilter(), now=now, limit=_ITEMS)
    shown = open_ones[:_CARDS]
    return _Loaded(
        under_way=[find(db, incident, limit=MESSAGES) for incident in shown],
        times={one.id: arrivals.of_incident(db, one.id, limit=_TIMES) for one in shown},
        others=[find(db, incident, limit=0) for incident in open_ones[_CARDS:]],
        closed=[find(db, incident, limit=0) for incident in incidents.resolved(db, limit=_CLOSED)],
        items=items,
        mentions=mentions.stored(db, [each.item.mention for each in items]),
        waiting=ranking.count(db, QueueFilter(), now=now, limit=MANY),
        overdue=ranking.count(db, QueueFilter(is_overdue=True), now=now, limit=MANY),
        unanswered=ledger.count(db),
        oldest=next((entry.asked_at for entry in ledger.unanswered(db, limit=1)), None),
        sources=sources.health(db),
        troubles=outbox.troubles(db),
        parked=mentions.parked_count(db),
        more_incidents=incidents.count(db, states=_UNDER_WAY) - len(open_ones),
        day=arrivals.day(db, now=now),
        marks=pulse.marks(db, ("incidents", "queue", "sources", "gone")),
    )


async def page(request: web.Request) -> web.Response:
    """Incidents by gravity, then the queue, then quiet facts."""
    site, words = site_of(request), words_of(request)
    loaded = await site.store.read(lambda db: _load(db, words.now))
    reasons = await site.health.why_not_ready()
    on_duty = " · ".join(await site.on_call()) if site.on_call is not None else ""
    unwell = [words.say("web.home.unwell", cause=visible(reason)) for reason in reasons]
    answer = render_watched(
        request,
        "now.html",
        marks=loaded.marks,
        base="/",
        cards=[
            (card(found, words), _spark(found, loaded.times, words))
            for found in sorted(loaded.under_way, key=_order)
        ],
        others=[card(found, words) for found in sorted(loaded.others, key=_order)],
        rows=[_row(each, loaded.mentions, words) for each in loaded.items],
        waiting=loaded.waiting,
        overdue=loaded.overdue,
        unanswered=_unanswered(loaded, words),
        facts=[*unwell, *_troubles(loaded, words), *source_facts(loaded.sources, words)],
        is_well=not unwell and not any(source.failures for source in loaded.sources),
        closed=[card(found, words) for found in loaded.closed],
        day=_day(loaded.day, words),
        day_spark=_hours(loaded.day, words),
        on_duty=words.say("oncall.now", lines=on_duty) if on_duty else "",
        alarm=_alarm,
    )
    may_keep(request, answer)
    return answer


def _order(found: Found) -> tuple[int, bool, float]:
    incident = found.incident
    is_taken = incident.state is not IncidentState.OPEN
    return (-incident.severity.rank, is_taken, -incident.opened_at.timestamp())


def _spark(found: Found, times: Mapping[int, list[datetime]], words: Words) -> Spark | None:
    return spark(times[found.incident.id], words, until=words.now)


def _row(ranked: Ranked, stored: Mapping[str, StoredMention], words: Words) -> object:
    mention = stored.get(ranked.item.mention)
    return row(ranked, mention, words, path=f"/queue/{ranked.item.id}")


def _alarm(shown: Card, words: Words) -> str:
    """Return what is said aloud when it appears: only of a critical incident."""
    if shown.incident.severity.value != "critical":
        return ""
    return words.say("live.now.alarm", id=shown.id, title=shown.title)


def _day(day: Day, words: Words) -> str:
    """Return how the last 24 h were, with the 24 h before beside them."""
    say = words.say
    said = say.count(
        "live.day.messages",
        day.count,
        count=number(say, day.count),
        before=number(say, day.before),
        negative=number(say, day.negative),
    )
    opened = [
        say.count(f"live.day.{severity.value}", count)
        for severity, count in sorted(day.opened.items(), key=lambda one: -one[0].rank)
    ]
    return f"{said} {say('live.day.opened', incidents=', '.join(opened))}" if opened else said


def _hours(day: Day, words: Words) -> Spark | None:
    if not day.count:
        return None
    hours = [hour_start(hour_number(words.now) - back) for back in reversed(range(24))]
    return bars([day.hours.get(hour, 0) for hour in hours], words, start=hours[0], step=HOUR)


def _unanswered(loaded: _Loaded, words: Words) -> str:
    if loaded.oldest is None:
        return ""
    count, age = number(words.say, loaded.unanswered), words.wait(loaded.oldest)
    return words.say.count("live.now.unanswered", loaded.unanswered, count=count, age=age)


def _troubles(loaded: _Loaded, words: Words) -> list[str]:
    """Say which receivers take nothing, what could not be analyzed, and what is not shown."""
    found = [words.trouble(name, count, cause) for name, (count, cause) in loaded.troubles.items()]
    if loaded.parked:
        found.append(words.say.count("web.home.parked", loaded.parked))
    if loaded.more_incidents:
        found.append(words.say.count("web.home.more_incidents", loaded.more_incidents))
    return found


def source_facts(health: list[SourceHealth], words: Words) -> list[str]:
    """Say which sources fail, and that the others answer where all do."""
    failing = [_fact(source, words) for source in health if source.failures]
    read = [source for source in health if not sources.is_inner(source.source)]
    if not read:
        return [*failing, words.say("web.home.sources_none")]
    if not any(source.failures for source in read):
        failing.append(words.say("web.home.sources_fine"))
    return failing


def _fact(source: SourceHealth, words: Words) -> str:
    cause = visible(source.error or "?")
    if source.source == sources.RULES:
        return words.say("web.home.rules_refused", cause=cause)
    name = words.source(source.source)
    if source.read_at is None:
        return words.say("web.home.source_unread", source=name, cause=cause)
    since = words.wait(source.read_at)
    return words.say("web.home.source_failing", source=name, age=since, cause=cause)
