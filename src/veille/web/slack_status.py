"""What `/veille` answers: who is needed, who is on call, what is muted, which sources fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

from veille.domain.ids import short_id
from veille.domain.incident import Incident, IncidentState
from veille.domain.silence import Silence
from veille.store import incidents, outbox, silences, sources
from veille.store.engine import Db
from veille.store.sources import SourceHealth
from veille.web.now_page import source_facts
from veille.web.site import site_of, words_of
from veille.web.words import Words
from veille.wording.format import excerpt, visible

_UNDER_WAY = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)
_SHOWN = 10
"""Incidents in one answer: what a phone shows without scrolling for long."""
_TITLE_MAX = 100
_ANSWER_MAX = 3_000  # a slash command's text is cut by Slack at 4,000 characters
_STATUS, _HELP = frozenset({"", "statut", "status"}), frozenset({"aide", "help"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    under_way: list[Incident]
    count: int
    silences: Sequence[Silence]
    sources: list[SourceHealth]
    troubles: dict[str, tuple[int, str]] = field(default_factory=dict)


async def answer(request: web.Request, text: str) -> str:
    """Return what the command asks for; for a word that is none, which ones there are."""
    site, words = site_of(request), words_of(request)
    asked = text.strip().lower()
    if asked in _STATUS:
        now = site.shown_now()
        loaded = await site.store.read(lambda db: _load(db, now))
        on_call = await site.on_call() if site.on_call is not None else ()
        return _status(loaded, on_call, words)
    said = site.say("web.slack.help", url=site.settings.origin)
    if asked in _HELP:
        return said
    return f"{site.say('web.slack.no_command')}\n{said}"


def plain(text: str) -> str:
    """Return the text so that nothing in it pings, links or formats."""
    text = text if len(text) <= _ANSWER_MAX else f"{text[: _ANSWER_MAX - 1]}…"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _load(db: Db, now: datetime) -> _Loaded:
    return _Loaded(
        under_way=incidents.list_(db, states=_UNDER_WAY, limit=_SHOWN),
        count=incidents.count(db, states=_UNDER_WAY),
        silences=[silence for silence in silences.lasting(db, now) if silence.is_active(now)],
        sources=sources.health(db),
        troubles=outbox.troubles(db),
    )


def _status(loaded: _Loaded, on_call: Sequence[str], words: Words) -> str:
    say = words.say
    lines = [_incident(incident, words) for incident in loaded.under_way]
    if loaded.count > len(lines):
        lines.append(say.count("web.home.more_incidents", loaded.count - len(lines)))
    lines = lines or [say("web.home.calm")]
    muted = [_silence(silence, words) for silence in loaded.silences]
    down = [words.trouble(name, count, cause) for name, (count, cause) in loaded.troubles.items()]
    parts = [
        (say("web.home.incidents"), lines),
        (say("web.slack.on_call"), on_call or [say("web.slack.no_schedule")]),
        (say("web.slack.muted"), muted or [say("web.slack.nothing_muted")]),
        (say("web.home.sources"), [*source_facts(loaded.sources, words), *down]),
    ]
    return "\n".join(
        f"{title}\n" + "\n".join(f"• {line}" for line in said) for title, said in parts
    )


def _incident(incident: Incident, words: Words) -> str:
    severity = f"{words.shape(incident.severity)} {words.severity(incident.severity)}"
    title = excerpt(visible(incident.title), _TITLE_MAX)
    age, name = words.age(incident.opened_at), short_id("I", incident.id)
    return f"{severity} · {name} · {title} · {age} · {words.owner(incident)}"


def _silence(silence: Silence, words: Words) -> str:
    match = ", ".join(f"{name}={'|'.join(values)}" for name, values in silence.match.items())
    return words.say(
        "web.slack.silence",
        id=short_id("S", silence.id),
        match=visible(match),
        until=words.until(silence.ends_at),
        author=silence.author,
        reason=visible(silence.reason),
    )
