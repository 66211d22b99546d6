"""What programs are told: one JSON object a notification, for MQTT and webhooks alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import UNSET, Struct, UnsetType, json

from veille.domain.ids import short_id
from veille.domain.notification import Document, Notification
from veille.domain.text import printable

EVENTS_TYPE = "application/cloudevents+json; charset=utf-8"
JSON_TYPE = "application/json; charset=utf-8"
DOCUMENT = "fr.veille.document.published.v1"


class _Quote(Struct, frozen=True, kw_only=True):
    text: str
    source: str
    at: datetime


class Told(Struct, frozen=True, kw_only=True):
    """An incident as programs are told of it: no author, no name of a colleague.

    `value` is what the rule counted within `window_s` seconds (null: no window) against a
    `threshold`: different messages, or each; `messages` are all of them, by `authors` people (both
    0: unknown). `usual` is the mean before, `certainty` the model's, in [0, 1]. `quotes` and
    `places` come from texts: they stand there only where the receiver may have texts.
    """

    incident: str
    title: str
    severity: str
    state: str
    rule: str
    value: int
    threshold: int | float
    messages: int
    authors: int
    window_s: int | None
    opened_at: datetime
    at: datetime
    link: str
    labels: Mapping[str, str]
    usual: float | None
    certainty: float | None
    institution: str
    places: list[str] | UnsetType = UNSET
    quotes: list[_Quote] | UnsetType = UNSET


class _Published(Struct, frozen=True, kw_only=True):
    subject: str
    text: str | UnsetType = UNSET


class _Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A CloudEvent in structured JSON mode (CloudEvents 1.0.2, JSON format)."""

    specversion: str
    id: str
    source: str
    type: str
    time: datetime
    datacontenttype: str
    data: Told | _Published
    subject: str | None = None


class _Posted(Struct, frozen=True, kw_only=True):
    """The body the Standard Webhooks specification recommends."""

    type: str
    timestamp: datetime
    data: Told | _Published


def event(notification: Notification, *, source: str, quotes: bool) -> bytes:
    """Return the CloudEvent of a notification: its `id` tells repeats apart."""
    data = _told(notification, quotes=quotes)
    return json.encode(
        _Event(
            specversion="1.0",
            id=id_of(notification),
            source=source,
            type=type_of(notification),
            subject=f"incidents/{data.incident}",
            time=data.at,
            datacontenttype="application/json",
            data=data,
        )
    )


def document_event(document: Document, *, source: str, at: datetime, quotes: bool) -> bytes:
    """Return the CloudEvent of a document; its text only where `quotes` may stand."""
    return json.encode(
        _Event(
            specversion="1.0",
            id=document.key,
            source=source,
            type=DOCUMENT,
            time=at,
            datacontenttype="application/json",
            data=_published(document, quotes=quotes),
        )
    )


def body(notification: Notification, *, quotes: bool) -> bytes:
    """Return the body of a webhook about an incident."""
    data = _told(notification, quotes=quotes)
    return json.encode(_Posted(type=type_of(notification), timestamp=data.at, data=data))


def document_body(document: Document, *, at: datetime, quotes: bool) -> bytes:
    """Return the body of a webhook that carries a document."""
    data = _published(document, quotes=quotes)
    return json.encode(_Posted(type=DOCUMENT, timestamp=at, data=data))


def type_of(notification: Notification) -> str:
    """Return `fr.veille.incident.opened.v1` and so on, by the notification's kind."""
    return f"fr.veille.incident.{notification.kind}.v1"


def id_of(notification: Notification) -> str:
    """Return `I12-opened-1.1768698300`: the same for every try of one notification.

    The outbox key with the second the incident opened: who keeps the ids it has seen would take
    the I12 of a new installation for a repeat of the old one's.
    """
    return f"{notification.key}.{int(notification.facts.opened_at.timestamp())}"


def _told(notification: Notification, *, quotes: bool) -> Told:
    facts = notification.facts
    shown = [
        _Quote(text=printable(quote.text), source=printable(quote.source), at=quote.at)
        for quote in notification.quotes
    ]
    return Told(
        incident=short_id("I", facts.incident),
        title=printable(facts.title),
        severity=facts.severity,
        state=facts.state,
        rule=facts.rule,
        value=facts.value,
        threshold=facts.threshold,
        messages=facts.mention_count,
        authors=facts.author_count,
        window_s=None if facts.window is None else int(facts.window.total_seconds()),
        opened_at=facts.opened_at,
        at=facts.at,
        link=notification.link,
        labels={printable(key): printable(value) for key, value in facts.labels.items()},
        usual=facts.usual,
        certainty=facts.certainty,
        institution=notification.institution,
        places=[printable(place) for place in notification.places] if quotes else UNSET,
        quotes=shown if quotes else UNSET,
    )


def _published(document: Document, *, quotes: bool) -> _Published:
    text = printable(document.text) if quotes else UNSET
    return _Published(subject=printable(document.subject), text=text)
