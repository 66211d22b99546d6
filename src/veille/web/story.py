"""The main courante of an incident: what was heard, decided, told, done and published, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from veille.domain.incident import Event
from veille.domain.record import StoredMention
from veille.store.echoes import Group
from veille.web.words import Words
from veille.wording import format as wording
from veille.wording.format import visible

_LONGEST = 200
"""Lines shown: the newest; a page of more is neither read nor under 150 kB."""
_SENT, _FIRING = "notification.sent", "alert.firing"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One line: `kind` is event, note, message or own; `anchor` where the text stands on the page.

    `mention` is the key of the one it quotes. `clock` and `day` are of the wall. `is_new`: since
    the reader's last visit. `details` are the parts of a line that stands for several, `id` its
    name on the page.
    """

    at: datetime
    text: str
    kind: str
    anchor: str = ""
    mention: str = ""
    clock: str = ""
    day: str = ""
    is_new: bool = False
    details: Sequence[str] = ()
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """What veille did by itself, from `at` to `end`: those with one `key` may share a line."""

    key: str
    at: datetime
    event: Event
    end: datetime | None = None


def story(
    events: Iterable[Event],
    heard: Sequence[Group],
    stored: Mapping[str, StoredMention],
    own: Iterable[StoredMention],
    words: Words,
    *,
    names: Mapping[str, str],
    since: datetime | None,
) -> tuple[list[Told], int]:
    """Return the newest lines, newest last, and how many came before them; `names` are of rules.

    Messages that say the same are one line, when the first of them was written; so are an alert
    and its end, and alerts of one rule, or notifications, with nothing else between them. That an
    incident was updated, or opened by an alert, is left out: the lines of its alerts say why.
    """
    happened = list(events)
    is_fired = any(event.kind == _FIRING for event in happened)
    unsaid = {"incident.updated", "incident.opened" if is_fired else ""}
    lines: list[Told | _Span] = [
        _event(each, names, words) if isinstance(each, Event) else each
        for each in _spans(event for event in happened if event.kind not in unsaid)
    ]
    lines += [_message(group, stored[group.key], words) for group in heard if group.key in stored]
    lines += [_own(mention, words) for mention in own if mention.text]
    lines.sort(key=lambda line: line.at)
    told = list(_folded(lines, names, words, since))
    shown = told[-_LONGEST:]
    return [_dated(line, words, since) for line in shown], len(told) - len(shown)


def _spans(events: Iterable[Event]) -> Iterable[Event | _Span]:
    """Return an alert with its end as one, and without what it waited for; the rest as it is."""
    found: dict[int, Event | _Span] = {}
    begun: dict[object, int] = {}
    for place, event in enumerate(events):
        alert = event.data.get("alert")
        if event.kind == "alert.resolved" and isinstance(
            span := found.get(begun.get(alert, -1)), _Span
        ):
            found[begun.pop(alert)] = replace(span, end=event.at)
            continue
        if event.kind == _FIRING:
            found.pop(begun.pop(alert, -1), None)
        if event.kind in {_FIRING, "alert.pending"}:
            begun[alert] = place
        if event.kind == _FIRING:
            found[place] = _Span(key=str(event.data.get("rule")), at=event.at, event=event)
        elif event.kind == _SENT:
            found[place] = _Span(key=_SENT, at=event.at, event=event, end=event.at)
        else:
            found[place] = event
    return found.values()


def _folded(
    lines: Iterable[Told | _Span], names: Mapping[str, str], words: Words, since: datetime | None
) -> Iterable[Told]:
    """Yield the lines, spans of one key with no other line between them as one."""
    for _, block in groupby(lines, lambda line: (type(line), _is_new(line.at, since))):
        alike: dict[str, list[_Span]] = {}
        for line in block:
            if isinstance(line, Told):
                yield line
            else:
                alike.setdefault(line.key, []).append(line)
        for spans in alike.values():
            yield _told(spans, names, words)


def _told(spans: Sequence[_Span], names: Mapping[str, str], words: Words) -> Told:
    first = spans[0]
    id = f"{first.key}-{int(first.at.timestamp())}"  # stays open while the page reads itself
    tell = _notifications if first.key == _SENT else _alerts
    details = [_of_one(span, words) for span in spans] if len(spans) > 1 else []
    return Told(at=first.at, text=tell(spans, names, words), kind="event", details=details, id=id)


def _alerts(spans: Sequence[_Span], names: Mapping[str, str], words: Words) -> str:
    first, last, say = spans[0], spans[-1], words.say
    text = say("live.story.alert", name=_name(first.event, names))
    if len(spans) > 1:
        key = "lasting" if last.end is None else "ended"
        begun, end = _times(first.at, last.end, words)
        return say(f"live.story.{key}", text=text, count=len(spans), begun=begun, end=end)
    value, limit = first.event.data.get("value"), first.event.data.get("threshold")
    if isinstance(value, int | float) and isinstance(limit, int | float) and limit > 1:
        numbers = {"value": value, "limit": limit}
        written = {n: wording.measure(say, number, decimals=1) for n, number in numbers.items()}
        text = say("live.story.counted", text=text, **written)
    return (
        say("live.story.until", text=text, end=_times(first.at, first.end, words)[1])
        if first.end
        else text
    )


def _notifications(spans: Sequence[_Span], _: Mapping[str, str], words: Words) -> str:
    counts = Counter(words.receiver(str(span.event.data.get("receiver"))) for span in spans)
    if max(counts.values()) == 1:
        return words.say("web.event.notification.sent", receiver=", ".join(counts))
    to = ", ".join(f"{name} ({count})" for name, count in counts.items())
    begun, end = _times(spans[0].at, spans[-1].at, words)
    if begun == end:
        return words.say("web.event.notification.sent", receiver=to)
    return words.say("live.story.sent", to=to, begun=begun, end=end)


def _of_one(span: _Span, words: Words) -> str:
    """Return when it was, as a part of a line that stands for several."""
    if span.key == _SENT:
        return words.told(span.event)
    begun, end = _times(span.at, span.end, words)
    return words.say(f"live.story.{'from_to' if end else 'from'}", begun=begun, end=end)


def _times(begun: datetime, end: datetime | None, words: Words) -> tuple[str, str]:
    """Return both as hours; with their days where an hour alone would say another time."""
    is_long = (end or words.now) - begun >= _DAY
    write = wording.moment if is_long else wording.clock
    zone = words.timezone.key
    return write(words.say, begun, zone), write(words.say, end, zone) if end else ""


def _name(event: Event, names: Mapping[str, str]) -> str:
    rule = str(event.data.get("rule") or "?")
    return visible(names.get(rule, rule))


def _event(event: Event, names: Mapping[str, str], words: Words) -> Told:
    line = words.line(event)
    text = line.text
    if event.kind.startswith("alert."):
        text = words.say("live.story.rule", text=text, rule=_name(event, names))
    return Told(at=line.at, text=text, kind="note" if line.is_note else "event")


def _message(group: Group, mention: StoredMention, words: Words) -> Told:
    sources = ", ".join(map(words.source, group.sources))
    said = words.say("live.story.message", text=words.excerpt(mention), source=sources)
    if group.count > 1:
        said += " · " + words.say.count("live.story.variants", group.count - 1)
    key = mention.key
    return Told(at=group.first_at, text=said, kind="message", anchor=f"m-{key}", mention=key)


def _own(mention: StoredMention, words: Words) -> Told:
    source = words.source(mention.source)
    said = words.say("live.story.own", text=words.excerpt(mention), source=source)
    return Told(at=mention.created_at, text=said, kind="own", mention=mention.key)


def _is_new(at: datetime, since: datetime | None) -> bool:
    return since is not None and at > since


def _dated(line: Told, words: Words, since: datetime | None) -> Told:
    return replace(
        line,
        clock=wording.clock(words.say, line.at, words.timezone.key),
        day=wording.date(words.say, line.at, words.timezone.key),
        is_new=_is_new(line.at, since),
    )
