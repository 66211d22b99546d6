"""`veille explain`: the answer in numbers and in sentences, from a store and a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import msgspec

from veille.alerts.announcing import title
from veille.app import parts
from veille.config import Loaded
from veille.domain.alert import Condition
from veille.domain.errors import InputError
from veille.domain.evidence import Example
from veille.domain.ids import parse_short_id
from veille.domain.record import StoredMention
from veille.pipeline.asking import IncidentWhy, Why, name_of, why
from veille.pipeline.whynot import Setting, why_not
from veille.rules.engine import PARIS
from veille.rules.model import RuleSet
from veille.store import mentions, observations
from veille.store.engine import Db
from veille.wording import reasons
from veille.wording.catalogue import catalogue
from veille.wording.format import excerpt, visible
from veille.wording.receivers import receiver_names
from veille.wording.whynot import Voice, mute, sentences

Json = dict[str, object]
_EXCERPT = 160


def setting(loaded: Loaded | None, ruleset: RuleSet, now: datetime) -> Setting:
    """Return what answers rest on; without a configuration nothing was ever swept."""
    territories = parts.surroundings(loaded).territories
    if loaded is None:
        return Setting(ruleset=ruleset, now=now, zone=PARIS, territories=territories)
    return Setting(
        ruleset=ruleset,
        now=now,
        zone=loaded.timezone,
        region=loaded.region,
        territories=territories,
        kept=loaded.config.privacy.retention.durations()["neutral"],
        sources=frozenset(source.id for source in loaded.config.source),
    )


def voice(loaded: Loaded | None, now: datetime, ruleset: RuleSet | None = None) -> Voice:
    """Return the language and the clock in which answers are told; French without configuration.

    Rules of `ruleset` are called as people call them, others by their id.
    """
    language = "fr" if loaded is None else loaded.config.veille.language
    zone = PARIS if loaded is None else loaded.timezone
    say = catalogue(language)
    return Voice(
        say=say,
        zone=zone.key,
        now=now,
        topics={topic.id: topic.name for topic in parts.topics(loaded)},
        rules={rule.id: name_of(rule) for rule in ruleset.rules} if ruleset else {},
        receivers=receiver_names(say, [] if loaded is None else parts.receivers(loaded)),
        sources={} if loaded is None else parts.source_names(loaded),
    )


def explain_mention(
    db: Db,
    mention: str,
    rule: str,
    *,
    loaded: Loaded | None,
    now: datetime,
    is_replay: bool = False,
) -> Json:
    """Return what became of a mention under a rule, `sentences` last.

    `failed` is the first condition that did not hold, null when none did. `is_replay`: the store is
    that of a replay, of which nothing is swept.
    """
    asked = setting(loaded, parts.rules(loaded), now)
    if is_replay:  # listening ended with the file
        asked = replace(asked, kept=None, sources=None, now=observations.last_at(db) or now)
    found = why_not(db, mention, rule, asked)
    said = sentences(found, voice(loaded, now, asked.ruleset))
    failed = msgspec.to_builtins(found.failed)
    return {**msgspec.to_builtins(found), "failed": failed, "sentences": said}


def explain_incident(db: Db, target: str, *, loaded: Loaded | None, now: datetime) -> Json:
    """Return why each alert of `I12` fired, who was told, and what mutes it."""
    letter, number = parse_short_id(target)
    if letter != "I":
        raise InputError(f"{target}: explain takes an incident, or --mention and --rule")
    found, spoken = why(db, number), voice(loaded, now)
    keys = [one.key for each in found.alerts for one in each.examples]
    texts = mentions.stored(db, keys)
    return {
        "incident": f"I{number}",
        "alerts": [_alert(each, spoken, texts) for each in found.alerts],
        "told": msgspec.to_builtins(found.told),
        "mute": msgspec.to_builtins(found.mute),
        "sentences": _ending(found, spoken),
    }


def _alert(each: Why, spoken: Voice, texts: dict[str, StoredMention]) -> Json:
    alert = each.alert
    return {
        "rule": alert.rule,
        "rule_version": alert.rule_version,
        "alert": alert.fingerprint,
        "state": alert.state,
        "group": dict(alert.group),
        "started_at": alert.started_at.isoformat(),
        "fired_at": alert.fired_at.isoformat() if alert.fired_at else None,
        "verdict": each.verdict,
        "conditions": [_condition(one) for one in each.conditions],
        "baseline": msgspec.to_builtins(alert.baseline),
        "examples": msgspec.to_builtins(each.examples),
        "against": msgspec.to_builtins(alert.against),
        "sentences": why_sentences(each, spoken, texts),
    }


def _condition(one: Condition) -> Json:
    return {**msgspec.to_builtins(one), "holds": one.holds}


def why_sentences(each: Why, spoken: Voice, texts: dict[str, StoredMention]) -> list[str]:
    """Return why an alert fired: what was asked, what is usual, examples, and what speaks against.

    Texts are masked and shortened, the places that matched between brackets.
    """
    say, alert = spoken.say, each.alert
    repeated = 0 < alert.value < alert.mention_count
    fragments = reasons.held(
        say,
        each.conditions,
        window=alert.window,
        baseline=alert.baseline,
        is_repeated=repeated,
    )
    notes = alert.annotations
    told = [
        say("why.sentence", rule=visible(title(alert)), parts=", ".join(fragments)),
        reasons.counts(say, alert.baseline),
        *(f"« {_marked(one, texts[one.key])} »" for one in each.examples if one.key in texts),
        *(reasons.doubt(say, doubt) for doubt in alert.against),
        say("why.nothing_against") if alert.conditions and not alert.against else "",
        say("why.owner", owner=notes["owner"]) if "owner" in notes else "",
        say("why.runbook", runbook=notes["runbook"]) if "runbook" in notes else "",
        say("why.shadow") if alert.shadow else "",
        say("why.rule", rule=alert.rule, version=alert.rule_version),
    ]
    return [sentence for sentence in told if sentence]


def _marked(one: Example, mention: StoredMention) -> str:
    """Return the text around the first place that matched, places in brackets."""
    text, marks = mention.text, sorted({(span.start, span.end) for span in one.spans})
    pieces, at = [], 0
    for start, end in _apart(marks):
        pieces += [text[at:start], "[", text[start:end], "]"]
        at = end
    return visible(excerpt("".join([*pieces, text[at:]]), _EXCERPT))


def _apart(marks: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, end in marks:
        if not found or start >= found[-1][1]:
            found.append((start, end))
    return found


def _ending(found: IncidentWhy, spoken: Voice) -> list[str]:
    say = spoken.say
    if found.told:
        return [say("why.outcome.told", receivers=spoken.told(found.told))]
    quiet = [] if found.mute is None else [mute(found.mute, spoken)]
    return [say("why.outcome.nobody"), *quiet]
