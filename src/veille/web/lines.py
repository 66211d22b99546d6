"""One event of the timeline as a sentence: the words are in the catalogue, the facts in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from veille.domain.incident import Event, QueueState
from veille.wording import format as wording
from veille.wording.catalogue import Catalogue

_WITH_TEXT = frozenset({"queue.changed"})
"""Kinds that have another sentence where a person wrote why, or whom it waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What is not in the event: `mute` in words, until when in words, what receivers are called."""

    mute: str
    until: Callable[[datetime], str]
    receiver: Callable[[str], str]


def said(event: Event, say: Catalogue, named: Named) -> str:
    """Return the event as a sentence; an unknown kind is shown as it is."""
    return say(_key(event, say), **_values(event, say, named))


def _key(event: Event, say: Catalogue) -> str:
    kinds = [event.kind]
    if event.kind in _WITH_TEXT and event.text:
        is_waiting = event.data.get("state") == QueueState.WAITING
        kinds.insert(0, "queue.waits" if is_waiting else "queue.reasoned")
    if event.kind.endswith(".published") and not event.data.get("place"):
        kinds.insert(0, f"{event.kind}_somewhere")
    if event.kind == "queue.returned" and not event.data.get("who"):
        kinds.insert(0, "queue.returned_free")
    if event.kind == "note" and event.data.get("named"):
        kinds.insert(0, "note_naming")
    keys = (f"{area}.event.{kind}" for kind in kinds for area in ("queue", "web"))
    return next((key for key in keys if key in say.messages), "web.event.other")


def _values(event: Event, say: Catalogue, named: Named) -> dict[str, str]:
    names = ("to", "step", "steps", "silence", "into", "from", "off", "who", "place")
    found = {name: _value(event, say, name) for name in names}
    return found | {
        "actor": event.actor,
        "text": wording.visible(event.text),
        "kind": event.kind,
        "to": _to(event, say, named),
        "receiver": _receiver(event, say, named, "receiver"),
        "state": _word(event, say, "state", "web.state"),
        "severity": _word(event, say, "severity", "web.severity").lower(),
        "verdict": _word(event, say, "verdict", "web.verdict").lower(),
        "heads": _heads(event, say),
        "people": _people(event, say, named),
        "named": wording.visible(", ".join(_list(event, "named"))),
        "until": _until(event, named.until),
        "mute": named.mute,
        "did": _word(event, say, "verb", "queue.verb"),
    }


def _value(event: Event, say: Catalogue, *names: str) -> str:
    values = (event.data.get(name) for name in names)
    return next((wording.visible(str(v)) for v in values if v), say("web.unknown"))


def _word(event: Event, say: Catalogue, name: str, area: str) -> str:
    key = f"{area}.{event.data.get(name)}"
    return say(key) if key in say.messages else say("web.unknown")


def _list(event: Event, name: str) -> list[str]:
    found = event.data.get(name)
    return found if isinstance(found, list) else []


def _receiver(event: Event, say: Catalogue, named: Named, name: str) -> str:
    found = event.data.get(name)
    return named.receiver(str(found)) if found else say("web.unknown")


def _to(event: Event, say: Catalogue, named: Named) -> str:
    if event.kind.startswith("notification."):
        return _receiver(event, say, named, "to")
    return _value(event, say, "to", "assignee")


def _people(event: Event, say: Catalogue, named: Named) -> str:
    """Return who was called: people, else receivers, else nobody."""
    receivers = (named.receiver(str(each)) for each in _list(event, "receivers"))
    called = _list(event, "people") or list(receivers)
    return wording.visible(", ".join(called)) if called else say("oncall.nobody")


def _heads(event: Event, say: Catalogue) -> str:
    known = [f"web.head.{head}" for head in _list(event, "heads")]
    return ", ".join(say(key).lower() for key in known if key in say.messages)


def _until(event: Event, until: Callable[[datetime], str]) -> str:
    at = event.data.get("until")
    return until(datetime.fromisoformat(at)) if isinstance(at, str) else ""
