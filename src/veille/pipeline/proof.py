"""Proof: what is kept with an alert when it begins, fires or gains its first mentions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from veille.alerts.lifecycle import Step
from veille.domain.alert import Alert, AlertState
from veille.domain.evidence import Doubt, Example
from veille.rules.evidence import EXAMPLES, WEIGHED, choose, doubts, example
from veille.rules.model import Rule
from veille.rules.view import Around, View
from veille.store import observations
from veille.store.engine import Db


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A step with what spoke against its alerts, and examples of those that changed."""

    step: Step
    examples: tuple[tuple[Alert, tuple[Example, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where a step was taken: the rules by id, the alerts before it, what was seen and when."""

    rules: Mapping[str, Rule]
    before: Mapping[str, Alert]
    seq: int
    now: datetime
    around: Around


def prove(db: Db, step: Step, scene: Scene) -> Proof:
    """Return the step with examples and doubts where an alert began, fired, or is still small.

    Nothing is read for alerts that only grow.
    """
    new = {
        t.alert.fingerprint for t in step.transitions if t.alert.state is not AlertState.RESOLVED
    }
    against: dict[str, tuple[Doubt, ...]] = {}
    examples: list[tuple[Alert, tuple[Example, ...]]] = []
    for alert in step.changed:
        rule = scene.rules.get(alert.rule)
        mark = alert.fingerprint
        if rule is None or alert.state is AlertState.RESOLVED or not alert.evidence:
            continue
        if mark not in new and not _is_small(alert, scene.before.get(mark)):
            continue
        seen = observations.newest(db, alert.evidence[-WEIGHED:], up_to=scene.seq)
        chosen = [
            View(one, one.analysis, scene.around)
            for one in choose(seen)
            if one.analysis is not None
        ]
        examples.append((alert, tuple(example(rule, view) for view in chosen)))
        since = scene.now - (alert.window or rule.window)
        heard = observations.sources_between(db, since, scene.now)
        against[mark] = doubts(rule, alert, seen, heard, around=scene.around)
    return Proof(step=_with(step, against), examples=tuple(examples))


def _is_small(alert: Alert, before: Alert | None) -> bool:
    """Whether it gained a mention and all it has are examples."""
    return (
        before is not None and len(alert.evidence) <= EXAMPLES and alert.evidence != before.evidence
    )


def _with(step: Step, against: Mapping[str, tuple[Doubt, ...]]) -> Step:
    def known(alert: Alert) -> Alert:
        if alert.state is AlertState.RESOLVED or alert.fingerprint not in against:
            return alert
        return replace(alert, against=against[alert.fingerprint])

    return replace(
        step,
        changed=tuple(known(alert) for alert in step.changed),
        transitions=tuple(replace(t, alert=known(t.alert)) for t in step.transitions),
    )
