"""`/incidents/{id}`: why it fired, what was said, who did what, and what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from veille.alerts.announcing import title
from veille.domain.alert import Alert, AlertState, Severity
from veille.domain.coordination import Coordination
from veille.domain.evidence import Example
from veille.domain.ids import short_id
from veille.domain.incident import Event, Incident, IncidentState, Reach, Verdict
from veille.domain.record import StoredMention
from veille.domain.text import fold
from veille.domain.text import words as words_in
from veille.rules.coordination import MIN_ACCOUNTS, coordination
from veille.store import (
    arrivals,
    echoes,
    examples,
    incidents,
    looks,
    mentions,
    observations,
    pulse,
    timeline,
    users,
    verdicts,
)
from veille.store.echoes import Group
from veille.store.engine import Db
from veille.web import called, presence, undo
from veille.web.cards import Card, Found, card, find
from veille.web.reasons import reason, spans_of
from veille.web.silence_page import lengths
from veille.web.site import done_of, render_watched, site_of, visitor_of, words_of
from veille.web.sparkline import spark
from veille.web.story import Told, story
from veille.web.words import Words, number_of
from veille.wording.catalogue import Catalogue
from veille.wording.coordination import coordination_words
from veille.wording.format import number as numeral
from veille.wording.format import visible

_MESSAGES, _TELLING = 20, 12
"""Messages quoted in full: the newest that say something else, and before them those of which it is
known what the rules saw in them."""
_GRAVEST, _NEWEST = 3, 3
"""Messages that are seen at once, and those of the newest that are; the rest is a press away: of 71
messages the page was 19,500 px high on a phone."""
_LINES, _MOST_NEW = 12, 30
"""Lines of the story that are seen at once: the newest, and all since one's last visit up to so
many."""
_HEARD = 60
"""Messages that are lines of the story."""
_WEIGHED = 150
"""Weighed for signs of coordination here; a notification weighs more (pipeline/dispatch.py)."""
_MERGERS = 50
"""Incidents to merge with that are offered: of hundreds the list alone weighed 46 kB."""
_OTHERS = 5
_OWN = 10
_UP_TO = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What the page and the API tell of an incident, of one snapshot."""

    found: Found
    heard: list[Group]
    stored: Mapping[str, StoredMention]
    own: list[StoredMention]
    times: list[datetime]
    reach: Reach | None
    others: list[tuple[Incident, int]]
    coordination: Coordination | None
    examples: Mapping[str, tuple[Example, ...]]
    events: list[Event]
    people: list[str]
    verdict: Verdict | None
    since: datetime | None
    offer: undo.Offer | None
    open_ones: list[Incident]
    marks: Mapping[str, str]


def load(db: Db, number: int, request: web.Request, now: datetime) -> Loaded | None:
    """Return what is told of an incident to who asks, None for one that does not exist."""
    incident = incidents.get(db, number)
    if incident is None:
        return None
    name, groups = short_id("I", number), echoes.groups(db, number)
    found = find(db, incident, limit=_MESSAGES)
    until = incident.resolved_at or now
    own = echoes.own_words(db, since=incident.opened_at, until=until, limit=_OWN)
    marked = examples.of(db, found.alerts)
    telling = spans_of(marked)
    heard = [group.key for group in groups[-_HEARD:]]
    stored = mentions.stored(db, [*heard, *telling, *own])
    return Loaded(
        found=found,
        heard=groups,
        stored=stored,
        own=[stored[key] for key in own if key in stored],
        times=arrivals.of_incident(db, number, limit=echoes.LATEST),
        reach=found.reach,
        others=echoes.others(db, number, [group.cluster for group in groups], limit=_OTHERS),
        coordination=_coordination(db, number),
        examples=marked,
        events=timeline.whole(db, name),
        people=[user.name for user in users.list_(db) if user.disabled_at is None],
        verdict=verdicts.of(db, number),
        since=looks.since(db, visitor_of(request).name, name, now=now),
        offer=undo.offered(request, db, back=f"/incidents/{number}"),
        open_ones=[other for other in _at_work(db) if other.id != number][:_MERGERS],
        marks=pulse.marks(db, (name, "gone")),
    )


def _at_work(db: Db) -> list[Incident]:
    """Return incidents at work, the gravest and newest first; one more than is offered."""
    states = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)
    return incidents.list_(db, states=states, limit=_MERGERS + 1)


def _coordination(db: Db, number: int) -> Coordination | None:
    keys = incidents.evidence(db, number, _WEIGHED)
    if len(keys) < MIN_ACCOUNTS:
        return None
    return coordination(observations.newest(db, keys, up_to=_UP_TO))


async def show(
    request: web.Request,
    *,
    problem: str | None = None,
    status: int = 200,
    kept: Mapping[str, str] | None = None,
) -> web.Response:
    """Return the incident's page, with what stood in the way of an action.

    `kept` are the texts of a form that was refused.
    """
    number, words = number_of(request.match_info["id"], "I"), words_of(request)
    if number is None:
        raise web.HTTPNotFound
    store = site_of(request).store
    loaded = await store.read(lambda db: load(db, number, request, words.now))
    if loaded is None:
        raise web.HTTPNotFound
    await _look(request, short_id("I", number))
    shown, incident = card(loaded.found, words), loaded.found.incident
    lines, older = main_courante(loaded, words)
    spans = spans_of(loaded.examples)
    quoted = _quoted(loaded, spans)
    return render_watched(
        request,
        "incident.html",
        marks=loaded.marks,
        status=status,
        card=shown,
        base=f"/incidents/{number}",
        problem=problem,
        kept=kept or {},
        done=done_of(request, shown.id) or undo.said(request),
        undoing=loaded.offer,
        present=presence.said(request, shown.id),
        reasons=[reason(alert, words) for alert in loaded.found.alerts],
        spans=spans,
        anchors={f"m-{group.key}" for group in quoted},
        quotes=[(loaded.stored[group.key], group) for group in quoted],
        first=_first(quoted, loaded.stored),
        more=len(loaded.heard) - len(quoted),
        lines=lines,
        folded=_folded(lines),
        older=older,
        since=loaded.since,
        told=_told(loaded.events, words),
        facts=_facts(loaded, shown, words),
        spark=spark(loaded.times, words, until=incident.resolved_at or words.now),
        emergency=_emergency(loaded.found.mentions, words),
        organised=coordination_words(words.say, loaded.coordination),
        others=[_other(each, count, words) for each, count in loaded.others],
        alerts=[(each.fingerprint, _alert(each, words)) for each in loaded.found.alerts],
        mergers=[(short_id("I", each.id), visible(each.title)) for each in loaded.open_ones],
        people=loaded.people,
        verdict=loaded.verdict,
        verdicts=list(Verdict),
        muted=words.muted(incident.muted),
        lengths=lengths(words),
        merged=short_id("I", incident.merged_into) if incident.merged_into else "",
    )


def main_courante(loaded: Loaded, words: Words) -> tuple[list[Told], int]:
    """Return the main courante, and how many lines came before it."""
    return story(
        loaded.events,
        loaded.heard[-_HEARD:],
        loaded.stored,
        loaded.own,
        words,
        names={alert.rule: title(alert) for alert in loaded.found.alerts},
        since=loaded.since,
    )


async def _look(request: web.Request, target: str) -> None:
    """The visitor has it before them; a page that reads itself again is no look."""
    if request.method != "GET" or "Veille-Live" in request.headers:
        return
    name, now = visitor_of(request).name, words_of(request).now
    await site_of(request).store.write(lambda db: looks.note(db, name, target, now=now))
    await called.arrived(request, target)


def _facts(loaded: Loaded, shown: Card, words: Words) -> list[tuple[str, str]]:
    """Return what is known of an incident as (name, value), what is unknown left out."""
    incident, say = loaded.found.incident, words.say
    values = {
        "opened": words.at(incident.opened_at),
        "taken": _taken(incident, words),
        "places": ", ".join(shown.places),
        "reach": _reach(loaded.reach, words),
        "messages": _messages(loaded, say),
    }
    return [(say(f"live.fact.{name}"), value) for name, value in values.items() if value]


def _taken(incident: Incident, words: Words) -> str:
    """Return how long nobody had it."""
    if incident.acknowledged_at is not None:
        since = wait_words(incident.opened_at, incident.acknowledged_at, words)
        return words.say("live.fact.taken_within", wait=since)
    if incident.state is IncidentState.OPEN:
        return words.say("live.fact.free_for", wait=words.wait(incident.opened_at))
    return ""


def wait_words(start: datetime, end: datetime, words: Words) -> str:
    """Return the time between two moments as `2 h 10`."""
    return Words(say=words.say, timezone=words.timezone, now=end).wait(start)


def _messages(loaded: Loaded, say: Catalogue) -> str:
    return say.count("web.count.messages", loaded.reach.messages) if loaded.reach else ""


def _reach(reach: Reach | None, words: Words) -> str:
    if reach is None or not reach.authors:
        return ""
    people = words.say.count("web.count.people", reach.authors)
    if not reach.followers:
        return people
    followers = numeral(words.say, reach.followers)
    return words.say("live.fact.followed", people=people, followers=followers)


def emergency(found: Sequence[StoredMention], words: Words) -> list[tuple[str, list[str]]]:
    """Return what the emergency cards of all messages say, each thing once.

    A place is said once however it is written, as exactly as it was anywhere; the town's name alone
    is none.
    """
    said: dict[str, dict[str, None]] = {}
    for mention in found:
        for name, value in words.card(mention):
            said.setdefault(name, {})[value] = None
    place = words.say("card.label.places")
    if place in said:
        said[place] = dict.fromkeys(_apart(said[place], words.institution))
    return [(name, list(values)) for name, values in said.items() if values]


def _emergency(
    found: Sequence[StoredMention], words: Words
) -> tuple[list[tuple[str, list[str]]], str]:
    """Return what the cards say, and the keys of the mentions that have one."""
    return emergency(found, words), " ".join(each.key for each in found if words.card(each))


def _apart(places: Iterable[str], town: str) -> Iterable[str]:
    known = {*words_in(fold(town)), "st", "saint"}
    kept: dict[frozenset[str], str] = {}
    for written in places:
        parts = frozenset(words_in(fold(written))) - known
        if not any(parts <= other for other in kept):
            kept = {other: text for other, text in kept.items() if not other < parts}
            kept[parts] = written
    return (text for parts, text in kept.items() if parts)


def _other(incident: Incident, count: int, words: Words) -> tuple[int, Severity, str]:
    said = words.say.count("live.incident.shared", count)
    name = short_id("I", incident.id)
    state = words.state(incident.state)
    return incident.id, incident.severity, f"{name} · {visible(incident.title)} · {state} · {said}"


def _quoted(loaded: Loaded, telling: Collection[str]) -> list[Group]:
    """Return what is quoted in full, newest last: the newest, and `telling` ones before them."""
    known = [group for group in loaded.heard if group.key in loaded.stored]
    before = [group for group in known[:-_MESSAGES] if group.key in telling]
    return [*before[-_TELLING:], *known[-_MESSAGES:]]


def _first(quoted: Sequence[Group], stored: Mapping[str, StoredMention]) -> set[str]:
    """Return the keys of those that are read first: the most urgent, and the newest."""

    def urgency(group: Group) -> float:
        found = stored[group.key].analysis
        return found.urgency.score if found else 0.0

    newest, before = quoted[-_NEWEST:], quoted[:-_NEWEST]
    gravest = sorted(before, key=urgency, reverse=True)[:_GRAVEST]
    return {group.key for group in (*gravest, *newest)}


def _folded(lines: Sequence[Told]) -> int:
    """Return how many lines stand behind a press: all before the newest, and none for a few."""
    new = sum(line.is_new for line in lines)
    before = len(lines) - max(_LINES, min(new, _MOST_NEW))
    return before if before > _LINES // 4 else 0


def _alert(alert: Alert, words: Words) -> str:
    key = "firing" if alert.state is AlertState.FIRING else "over"
    state = words.say(f"live.incident.split_{key}")
    return words.say("live.incident.split_alert", name=visible(title(alert)), state=state)


def _told(events: Iterable[Event], words: Words) -> list[str]:
    """Return who was told when for the first time, and what did not go; the timeline has all.

    `20:41 · Slack #astreinte, courriel`: those of one minute are one line.
    """
    first: dict[tuple[str, object], Event] = {}
    for event in events:
        if event.kind.startswith("notification."):
            first.setdefault((event.kind, event.data.get("receiver")), event)
    lines: dict[str, list[str]] = {}
    for (kind, receiver), event in first.items():
        is_sent = kind == "notification.sent"
        said = words.receiver(str(receiver)) if is_sent else words.line(event).text
        lines.setdefault(words.moment(event.at), []).append(said)
    return [f"{at} · {', '.join(said)}" for at, said in lines.items()]


async def page(request: web.Request) -> web.Response:
    """The incident's page."""
    return await show(request)
