"""A notification in words: the lines Slack and mail share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from veille.domain.alert import messages_of
from veille.domain.card import Card
from veille.domain.ids import short_id
from veille.domain.incident import IncidentState, Reach, Verdict
from veille.domain.notification import Diverted, Facts, Notification, NotificationKind, Quote
from veille.notifiers.relay import relay_words
from veille.wording import reasons
from veille.wording.card import card_words
from veille.wording.catalogue import Catalogue
from veille.wording.coordination import coordination_words
from veille.wording.format import (
    clock,
    duration,
    excerpt,
    measure,
    moment,
    number,
    one_line,
    until,
    visible,
)
from veille.wording.heard import Lately, heard

_QUOTES_MAX = 3  # docs: interface, Slack
_QUOTE_MAX = 280  # two or three lines of a phone
_PLACES_MAX = 5
_NAME_MAX = 80
_TITLE_MAX = 100
_LINE_MAX = 500
_LINK_MAX = 3000  # Slack: url of a button
_CERTAIN, _PROBABLE = 0.90, 0.70  # docs: interface, principle 3
_EVEN = 0.5  # a rule may fire below it: more likely not so than so
_MACHINE = "veille"  # the actor of what no person did
_CARD_ROWS = (("hazard", "places"), ("people", "need"), ("time", "media"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How an institution is spoken to: its language and its time zone."""

    words: Catalogue
    zone: ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One labelled line: "Lieux :" and what follows."""

    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is said, as single lines without markup, cut to length, control characters visible.

    `news` is what changed, for the thread and the top of later mails; `state` is who has it.
    `link` and `link_text` are empty when there is no web address to open; `take_link` and
    `take_text` where it is taken nowhere. `notice` says whose turn it is, that it comes by another
    way than usual, or perhaps twice. `mentions` are member ids of people that Slack calls.
    """

    institution: str
    headline: str
    subject: str
    counts: str
    state: str
    news: str
    footer: str
    button: str
    button_long: str
    link: str
    link_text: str
    language: str
    notice: str = ""
    take: str = ""
    take_link: str = ""
    take_text: str = ""
    mentions: tuple[str, ...] = ()
    quotes: tuple[Quote, ...] = ()
    lines: tuple[Line, ...] = ()


def compose(notification: Notification, *, voice: Voice, quotes: bool) -> Message:
    """Return the message of a notification; nothing of a mention in it when `quotes` is false."""
    facts, words = notification.facts, voice.words
    institution = _line(notification.institution, _TITLE_MAX)
    headline = _headline(facts, institution, words)
    now = _clock(facts.at, facts.at, voice)
    counts = _counts(facts, voice)
    link, take_link = _link(notification.link), _link(notification.take_link)
    return Message(
        institution=institution,
        headline=headline,
        subject=words(f"notify.subject.{notification.kind}", headline=headline, clock=now),
        counts=counts,
        state=" ".join([_state(facts, now, words), *_silence(facts, voice)]),
        news=_news(notification, counts, voice),
        footer=words("notify.footer", incident=f"I{facts.incident}", institution=institution),
        button=words("notify.button"),
        button_long=words("notify.button_long"),
        link=link,
        link_text=words("notify.link_text", link=link) if link else "",
        language=words.language,
        notice=_notice(notification, voice),
        mentions=() if facts.relay is None else facts.relay.slack,
        take=words("notify.act.take"),
        take_link=take_link,
        take_text=words("notify.take_text", link=take_link) if take_link else "",
        quotes=_quoted(notification, words) if quotes else (),
        lines=_lines(
            notification if quotes else replace(notification, places=(), card=None), voice
        ),
    )


def _quoted(notification: Notification, words: Catalogue) -> tuple[Quote, ...]:
    """Return what is quoted; where all of it was deleted since, that it was."""
    found, facts = _quotes(notification.quotes), notification.facts
    has_deleted = bool(facts.evidence) or notification.kind is NotificationKind.REDACTED
    if found or not has_deleted:
        return found
    return (Quote(text=words("notify.redacted"), source="", at=facts.at),)


def _headline(facts: Facts, institution: str, words: Catalogue) -> str:
    key = "headline_resolved" if facts.state is IncidentState.RESOLVED else "headline"
    if _is_false_alarm(facts):
        key = "headline_false_alarm"
    severity = words(f"notify.severity.{facts.severity}")
    title = _line(facts.title, _TITLE_MAX)
    return words(f"notify.{key}", severity=severity, title=title, institution=institution)


def _notice(notification: Notification, voice: Voice) -> str:
    facts, words = notification.facts, voice.words
    said = [] if facts.relay is None else [relay_words(facts.relay, words)]
    if facts.diverted is not None:
        said.append(_diverted(facts.diverted, facts.at, voice))
    if notification.may_repeat:
        said.append(words("notify.may_repeat"))
    return " ".join(said)


def _diverted(told: Diverted, at: datetime, voice: Voice) -> str:
    words = voice.words
    return words(
        "notify.diverted",
        channel=words(f"notify.channel.{told.channel}"),
        via=words(f"notify.via.{told.via}"),
        since=_clock(told.since, at, voice),
    )


def _counts(facts: Facts, voice: Voice) -> str:
    """Return how much was heard: what the rule counts, or more where more belongs to it."""
    words, reach = voice.words, facts.reach
    if reach is not None and reach.messages > max(_counted(facts), facts.mention_count):
        known = [_heard(facts, reach, voice), *_certainty(facts.certainty, words)]
        return " · ".join(known)
    parts = [_messages(facts, words)] if facts.evidence or facts.author_count else []
    if facts.author_count:  # 0: authors are not kept without a pseudonym key
        parts.append(_count("people", facts.author_count, words))
    if facts.window is not None:
        # the rule's window, not the time since opening: it is what value and usual are counted over
        parts.append(words("notify.within", window=duration(words, facts.window)))
    if facts.usual is not None:
        parts.append(words("notify.usual", usual=measure(words, facts.usual, decimals=1)))
    if facts.baseline is not None and facts.baseline.is_cold:
        parts.append(words("notify.cold"))
    # what is counted is of this window: « depuis » an earlier evening would be said of it
    is_older = facts.window is not None and facts.at - facts.opened_at > facts.window
    is_open = facts.state is not IncidentState.RESOLVED
    key = "notify.begun" if is_older and is_open else "notify.since"
    since = words(key, clock=_clock(facts.opened_at, facts.at, voice))
    said = [" ".join(parts)] if parts else []  # an alert about veille itself counts no messages
    return " · ".join([*said, since, *_certainty(facts.certainty, words)])


def _heard(facts: Facts, reach: Reach, voice: Voice) -> str:
    is_over, lately = facts.state is IncidentState.RESOLVED, None
    if facts.window is not None and facts.is_counting and not is_over:
        value, messages = _counted(facts), facts.mention_count
        lately = Lately(value=value, messages=messages, window=facts.window, usual=facts.usual)
    return heard(
        voice.words,
        reach,
        lately=lately,
        now=facts.at,
        zone=voice.zone.key,
        ended_at=facts.at if is_over else None,
    )


def _certainty(probability: float | None, words: Catalogue) -> list[str]:
    if probability is None:
        return []
    word = "uncertain" if probability >= _EVEN else "unlikely"
    if probability >= _CERTAIN:
        word = "certain"
    elif probability >= _PROBABLE:
        word = "probable"
    return [words(f"notify.certainty.{word}")]


def _state(facts: Facts, now: str, words: Catalogue) -> str:
    if facts.state is IncidentState.OPEN:
        key, name = "assigned" if facts.assignee else "nobody", facts.assignee
    else:
        is_resolved = facts.state is IncidentState.RESOLVED
        name = _person(facts.actor) if is_resolved else facts.assignee or _person(facts.actor)
        said = "false_alarm" if _is_false_alarm(facts) else str(facts.state)
        said = "merged" if facts.merged_into is not None else said
        key = said if name else f"{facts.state}_unnamed"
    return words(
        f"notify.state.{key}", name=_line(name or "", _NAME_MAX), clock=now, into=_into(facts)
    )


def _into(facts: Facts) -> str:
    return "" if facts.merged_into is None else short_id("I", facts.merged_into)


def _silence(facts: Facts, voice: Voice) -> list[str]:
    """Return until when nothing is told of it, where somebody asked for that."""
    if facts.muted_until is None or facts.state is IncidentState.RESOLVED:
        return []
    return [voice.words("notify.state.muted", until=_until(facts, voice))]


def _news(notification: Notification, counts: str, voice: Voice) -> str:
    facts, kind = notification.facts, notification.kind
    is_assigned = kind is NotificationKind.ASSIGNED
    name = facts.assignee if is_assigned else _person(facts.actor)
    is_named = kind in {
        NotificationKind.ACKNOWLEDGED,
        NotificationKind.ASSIGNED,
        NotificationKind.RESOLVED,
        NotificationKind.REOPENED,
        NotificationKind.MERGED,
    }
    suffix = "_unnamed" if is_named and not name else ""
    is_false = kind is NotificationKind.RESOLVED and _is_false_alarm(facts)
    said = "false_alarm" if is_false and name else f"{kind}{suffix}"
    return voice.words(
        f"notify.news.{said}",
        name=_line(name or "", _NAME_MAX),
        clock=_clock(facts.at, facts.at, voice),
        since=_clock(facts.opened_at, facts.at, voice),
        until=_until(facts, voice),
        into=_into(facts),
        counts=counts,
    )


def _lines(notification: Notification, voice: Voice) -> tuple[Line, ...]:
    words, facts = voice.words, notification.facts
    places = [_line(place, _NAME_MAX) for place in notification.places[:_PLACES_MAX]]
    actions = [_line(part, _LINE_MAX) for part in facts.annotations.get("actions", "").split(";")]
    texts = {
        "places": ", ".join(filter(None, places)),
        "why": _why(facts, words),
        "coordination": coordination_words(words, facts.coordination),
        "actions": excerpt(", ".join(filter(None, actions)), _LINE_MAX),
        "runbook": _line(facts.annotations.get("runbook", ""), _LINE_MAX),
    }
    lines = [
        Line(label=words(f"notify.label.{key}"), text=text) for key, text in texts.items() if text
    ]
    return (*_card(notification.card, voice), *lines)


def _card(card: Card | None, voice: Voice) -> list[Line]:
    """Return up to three lines: danger and place, people and need, time and media."""
    if card is None:
        return []
    said = card_words(voice.words, card, voice.zone.key)
    rows = [" · ".join(said[key] for key in row if key in said) for row in _CARD_ROWS]
    filled = [(row, text) for row, text in zip(_CARD_ROWS, rows, strict=True) if text]
    labels = [_card_label(row, said, voice.words) for row, _ in filled]
    labels[:1] = [voice.words("card.unverified")] if filled else []
    return [
        Line(label=label, text=_line(text, _LINE_MAX))
        for label, (_, text) in zip(labels, filled, strict=True)
    ]


def _card_label(row: tuple[str, ...], said: Mapping[str, str], words: Catalogue) -> str:
    """Return the label of a row: that of its first slot which says something."""
    first = next(key for key in row if key in said)
    return words("notify.label.card", label=words(f"card.label.{first}"))


def _why(facts: Facts, words: Catalogue) -> str:
    rule = _line(facts.annotations.get("summary") or facts.rule, _NAME_MAX)
    if facts.conditions:
        found = reasons.as_of_now(facts.conditions, value=facts.value, authors=facts.author_count)
        said = reasons.summary(
            words,
            found,
            window=facts.window,
            baseline=facts.baseline,
            is_repeated=facts.mention_count > facts.value,
        )
        return words("notify.why", rule=rule, parts=said)
    counted = [_messages(facts, words)]
    if facts.window is not None:
        counted.append(words("notify.within", window=duration(words, facts.window)))
    is_fixed = facts.baseline is not None and facts.baseline.expected is None
    threshold = measure(words, facts.threshold, decimals=2)
    key = "fixed_threshold" if is_fixed else "threshold"
    parts = [" ".join(counted), words(f"notify.{key}", threshold=threshold)]
    if facts.author_count:
        parts.append(_count("authors", facts.author_count, words))
    return words("notify.why", rule=rule, parts=", ".join(parts))


def _is_false_alarm(facts: Facts) -> bool:
    return facts.state is IncidentState.RESOLVED and facts.verdict is Verdict.FALSE_ALARM


def _quotes(quotes: tuple[Quote, ...]) -> tuple[Quote, ...]:
    shown = (replace(quote, text=_line(quote.text, _QUOTE_MAX)) for quote in quotes)
    return tuple(quote for quote in shown if quote.text)[:_QUOTES_MAX]


def _messages(facts: Facts, words: Catalogue) -> str:
    """Return `12 messages`; where several say the same `3 messages différents`."""
    value = _counted(facts)
    return _count("different" if facts.mention_count > value else "messages", value, words)


def _counted(facts: Facts) -> int:
    return messages_of(facts.value, facts.mention_count, facts.conditions)


def _count(key: str, value: int, words: Catalogue) -> str:
    return words.count(f"notify.{key}", value, shown=number(words, value))


def _person(actor: str | None) -> str | None:
    return None if actor == _MACHINE else actor


def _link(link: str) -> str:
    try:
        parts = urlsplit(link)
    except ValueError:
        return ""
    is_web = parts.scheme in {"http", "https"} and bool(parts.netloc)
    return link if is_web and len(link) <= _LINK_MAX and link.isprintable() else ""


def _until(facts: Facts, voice: Voice) -> str:
    return until(voice.words, facts.muted_until or facts.at, facts.at, voice.zone.key)


def _clock(at: datetime, today: datetime, voice: Voice) -> str:
    is_today = at.astimezone(voice.zone).date() == today.astimezone(voice.zone).date()
    return (clock if is_today else moment)(voice.words, at, voice.zone.key)


def _line(text: str, limit: int) -> str:
    # cut before the slow look at each character: a mention may hold a book
    head = one_line(text)[: 2 * limit]
    return excerpt(visible(head), limit)
