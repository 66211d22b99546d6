"""A rule in sentences: what it looks for, how often it was right, what its tests found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from veille.domain.alert import Alert
from veille.domain.ids import short_id
from veille.domain.incident import Incident
from veille.rules.model import Rule
from veille.store.verdicts import Judged
from veille.web.house import Tested
from veille.web.words import Words
from veille.wording.format import duration, number, percent, visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An alert of a rule as it fired; `incident` and `path` lead to who dealt with it."""

    at: datetime
    group: str
    said: str
    is_shadow: bool
    incident: str
    path: str


def found(alert: Alert, incident: Incident | None, words: Words) -> Found:
    """Return an alert as a line of the rule's page."""
    group = ", ".join(
        f"{name}={words.source(value) if name == 'source' else value}"
        for name, value in sorted(alert.group.items())
    )
    return Found(
        at=alert.fired_at or alert.started_at,
        group=visible(group),
        said=words.counted(alert),
        is_shadow=alert.shadow,
        incident="" if incident is None else short_id("I", incident.id),
        path="" if incident is None else f"/incidents/{incident.id}",
    )


def facts(rule: Rule, words: Words) -> list[tuple[str, str]]:
    """Return what a rule asks as (name, value), what it does not ask left out."""
    say = words.say
    people = say.count("web.count.people", rule.min_authors)
    values = {
        "kind": say(f"pages.rules.kind.{rule.kind.value}"),
        "window": _length(rule.window, words),
        "group": ", ".join(rule.group_by),
        "least": number(say, rule.threshold) if rule.threshold > 1 else "",
        "people": people if rule.min_authors > 1 else "",
        "hold": _length(rule.hold, words),
        "keep": _length(rule.keep_firing, words),
        "flag": say("pages.rules.flags") if rule.flag else "",
        "labels": ", ".join(f"{name}={value}" for name, value in rule.labels.items()),
        "owner": visible(rule.owner or ""),
        "version": rule.version,
    }
    return [(say(f"pages.rules.fact.{key}"), value) for key, value in values.items() if value]


def purposes(rule: Rule) -> list[tuple[str, str]]:
    """Return what its alerts say, names in braces where something is filled in."""
    return [
        (name, visible("".join(text + (f"{{{value}}}" if value else "") for text, value in parts)))
        for name, parts in ((name, said.parts) for name, said in rule.annotations.items())
    ]


def precision(judged: Judged, words: Words) -> str:
    """Return `8 sur 10 utiles (80 %, entre 49 % et 94 %)`; "" where nobody judged."""
    if judged.precision is None or judged.interval is None:
        return ""
    low, high = judged.interval
    return words.say(
        "pages.rules.precision",
        right=number(words.say, judged.count - judged.false_alarm),
        count=number(words.say, judged.count),
        share=percent(words.say, judged.precision),
        low=percent(words.say, low),
        high=percent(words.say, high),
    )


def tested_words(tested: Tested, words: Words) -> list[str]:
    """Return how the tests of a file went, the summary first."""
    say, total = words.say, tested.passed + tested.failed
    key = "pages.rules.tests.fine" if not tested.findings else "pages.rules.tests.failed"
    said = [say.count(key, total, passed=tested.passed, time=words.when(tested.at))]
    if tested.is_stale:
        said.append(say("pages.rules.tests.stale"))
    return said


def found_by_tests(tested: Tested) -> list[str]:
    """Return what they found, as `veille rules test` says it: in English, twenty at most."""
    return [visible(finding) for finding in tested.findings[:20]]


def _length(length: timedelta, words: Words) -> str:
    return duration(words.say, length) if length else ""
