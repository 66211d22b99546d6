"""Verdicts as readings: what one rule says of one group, in numbers and in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from veille.domain.alert import Reading
from veille.rules.annotations import EXPECTED, spoken, written
from veille.rules.judges import Verdict
from veille.rules.model import Rule

EVIDENCE_LIMIT = 1000
"""Newest keys in a reading: no less than the mentions one evaluation step takes in, so that each
of them reaches the lifecycle, which flags it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a verdict is about: how many authors and mentions, and their keys, oldest first."""

    authors: int
    mentions: int
    evidence: Sequence[str]


NOTHING = Seen(authors=0, mentions=0, evidence=())


def read(
    rule: Rule,
    group: Mapping[str, str],
    verdict: Verdict,
    seen: Seen,
    *,
    words: Mapping[str, str] = MappingProxyType({}),
) -> Reading:
    """Return the reading of a group, with the sentences of its rule.

    `words` are what its kind alone has for them.
    """
    return Reading(
        rule=rule.id,
        rule_version=rule.version,
        severity=rule.severity,
        group=group,
        labels={**rule.labels, **group},
        is_active=verdict.is_active,
        value=verdict.value,
        threshold=verdict.threshold,
        author_count=seen.authors,
        mention_count=seen.mentions,
        evidence=tuple(seen.evidence[-EVIDENCE_LIMIT:]),
        window=verdict.window or rule.window,
        hold=rule.hold,
        keep_firing=rule.keep_firing,
        group_wait=rule.group_wait,
        flag=rule.flag,
        baseline=verdict.baseline,
        conditions=verdict.conditions,
        clear_below=rule.clear_below,
        shadow=rule.shadow,
        annotations=_annotate(rule, group, verdict, {**words, "authors": str(seen.authors)}),
    )


def tells(reading: Reading) -> bool:
    """Whether the reading can begin an alert, or hold one that fires; others say nothing new."""
    least = reading.clear_below
    return reading.is_active or (least is not None and reading.value >= least)


def says(reading: Reading, verdict: Verdict) -> bool:
    """Whether the reading still says what the verdict says, of the same mentions."""
    return (
        reading.conditions == verdict.conditions
        and reading.threshold == verdict.threshold
        and reading.baseline == verdict.baseline
        and reading.window == (verdict.window or reading.window)
    )


def _annotate(
    rule: Rule, group: Mapping[str, str], verdict: Verdict, words: Mapping[str, str]
) -> Mapping[str, str]:
    baseline = verdict.baseline
    said = {k: rule.sources.get(v, v) if k == "source" else v for k, v in group.items()}
    known = {
        "count": str(verdict.value),
        "threshold": written(verdict.threshold),
        "window": spoken(verdict.window or rule.window),
        "group": ", ".join(text for text in said.values() if text),
        EXPECTED: written(None if baseline is None else baseline.expected),
        **words,
        **said,
    }
    texts = {name: template.render(known) for name, template in rule.annotations.items()}
    documents = {"owner": rule.owner, "runbook": rule.runbook}
    return texts | {name: text for name, text in documents.items() if text is not None}
