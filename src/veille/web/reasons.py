"""« Pourquoi cette alerte ? »: an alert's numbers and doubts, as the incident page says them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from veille.alerts.announcing import title
from veille.domain.alert import Alert
from veille.domain.evidence import Example
from veille.web.words import Words
from veille.wording import reasons
from veille.wording.format import visible
from veille.wording.whynot import Voice


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why one alert fired, what to do `first`; `documents` name who answers for it, and how.

    `conditions` and `points` are as measured when it began; `sentence` counts as of now.
    """

    sentence: str
    first: str
    measured: str
    conditions: Sequence[str]
    points: str
    against: Sequence[str]
    documents: Sequence[str]
    version: str


def reason(alert: Alert, words: Words) -> Reason:
    """Return why an alert fired; of one stored before conditions were, with its count alone."""
    say, notes = words.say, alert.annotations
    is_repeated = 0 < alert.value < alert.mention_count
    voice = Voice(say=say, zone=words.timezone.key, now=words.now)
    actions = [part.strip() for part in notes.get("actions", "").split(";")]
    first = visible(", ".join(filter(None, actions)))
    documents = [
        say(f"why.{name}", **{name: visible(notes[name])})
        for name in ("owner", "runbook")
        if notes.get(name)
    ]
    return Reason(
        sentence=_sentence(alert, words, is_repeated=is_repeated),
        first=say("why.first", actions=first) if first else "",
        measured=say("why.measured", time=voice.time(alert.started_at)),
        conditions=reasons.held(
            say,
            alert.conditions,
            window=alert.window,
            baseline=alert.baseline,
            is_repeated=is_repeated,
        ),
        points=reasons.counts(say, alert.baseline),
        against=[reasons.doubt(say, each) for each in alert.against],
        documents=documents,
        version=say("why.rule", rule=alert.rule, version=alert.rule_version),
    )


def _sentence(alert: Alert, words: Words, *, is_repeated: bool) -> str:
    if not alert.conditions:
        return words.why(alert)
    now = reasons.as_of_now(alert.conditions, value=alert.value, authors=alert.author_count)
    parts = reasons.summary(
        words.say,
        now,
        window=alert.window,
        baseline=alert.baseline,
        is_repeated=is_repeated,
    )
    return words.say("why.sentence", rule=visible(title(alert)), parts=parts)


def spans_of(
    examples: Mapping[str, Iterable[Example]],
) -> Mapping[str, tuple[tuple[int, int], ...]]:
    """Return the places that any rule matched, by mention key."""
    found: dict[str, tuple[tuple[int, int], ...]] = {}
    for each in (one for of_alert in examples.values() for one in of_alert):
        spans = tuple((span.start, span.end) for span in each.spans)
        found[each.key] = (*found.get(each.key, ()), *spans)
    return found
