"""The life of an alert: pending, firing, resolved, decided from readings and the clock alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from veille.domain.alert import Alert, AlertState, Flag, Reading, Transition
from veille.domain.ids import fingerprint

EVIDENCE_LIMIT = 1000
"""Newest keys an alert keeps: no less than one reading holds, or it would flag them again."""

RULE_REMOVED = "rule_removed"
RULE_CHANGED = "rule_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one look at the rules changed, in a fixed order.

    `changed` holds alerts to store; a fingerprint may stand twice (closed, then open again): the
    later one counts. A resolved one leaves the live alerts.
    """

    changed: tuple[Alert, ...] = ()
    transitions: tuple[Transition, ...] = ()
    flags: tuple[Flag, ...] = ()


def step(
    alerts: Mapping[str, Alert],
    readings: Sequence[Reading],
    versions: Mapping[str, str],
    now: datetime,
) -> Step:
    """Return what changes when `readings` are taken at `now` with rules of these `versions`.

    `alerts` holds the pending and firing ones by fingerprint. Alerts of rules that are gone or
    changed close first, with the reason; then the readings are taken in their order; then the
    alerts without an active reading, in the order of their fingerprints.
    """
    live = {mark: a for mark, a in alerts.items() if a.state is not AlertState.RESOLVED}
    changed: list[Alert] = []
    transitions: list[Transition] = []
    flags: list[Flag] = []

    def note(before: Alert | None, after: Alert | None, transition: Transition | None) -> None:
        if after is not None and after != before:
            changed.append(after)
        if transition is not None:
            transitions.append(transition)

    for mark in sorted(live):
        if reason := _outdated(live[mark], versions):
            note(live[mark], *_close(live.pop(mark), now, reason))
    quiet = dict(sorted(live.items()))
    for reading in readings:
        if not reading.is_active and reading.clear_below is None:
            continue
        mark = fingerprint(reading.rule, reading.group)
        before = live.get(mark)
        if not _holds(before, reading):
            continue
        quiet.pop(mark, None)
        after, transition = advance(before, reading, now)
        note(before, after, transition)
        flags.extend(_flags(before, after, reading, now))
    for alert in quiet.values():
        note(alert, *advance(alert, None, now))
    return Step(changed=tuple(changed), transitions=tuple(transitions), flags=tuple(flags))


def wakes_at(alerts: Iterable[Alert]) -> datetime | None:
    """Return when time alone changes one of these first, while what is read of them stays."""
    found = (_turns_at(alert) for alert in alerts)
    return min((at for at in found if at is not None), default=None)


def _turns_at(alert: Alert) -> datetime | None:
    if alert.state is AlertState.PENDING:
        return alert.started_at + alert.hold
    return None if alert.cleared_at is None else alert.cleared_at + alert.keep_firing


def advance(
    alert: Alert | None, reading: Reading | None, now: datetime
) -> tuple[Alert | None, Transition | None]:
    """Return the alert as it stands at `now`, and the change of state to tell, if any.

    No reading, or an inactive one, means that the condition does not hold; for an alert that fires
    it holds on down to the reading's `clear_below`. A pending alert whose
    condition clears is resolved without a transition, since nobody heard of it.
    """
    if alert is not None and alert.state is AlertState.RESOLVED:
        alert = None if reading is not None and reading.is_active else alert
    if reading is None or not _holds(alert, reading):
        return (alert, None) if alert is None else _cool(alert, now)
    if alert is None:
        return _begin(reading, now)
    if alert.state is AlertState.PENDING and now - alert.started_at >= reading.hold:
        fired = _measured(alert, reading, state=AlertState.FIRING, fired_at=now)
        return fired, Transition(at=now, alert=fired)
    return _measured(alert, reading, state=alert.state, fired_at=alert.fired_at), None


def _holds(alert: Alert | None, reading: Reading) -> bool:
    if reading.is_active or reading.clear_below is None:
        return reading.is_active
    is_firing = alert is not None and alert.state is AlertState.FIRING
    return is_firing and reading.value >= reading.clear_below


def _begin(reading: Reading, now: datetime) -> tuple[Alert, Transition]:
    is_held = bool(reading.hold)
    alert = Alert(
        fingerprint=fingerprint(reading.rule, reading.group),
        rule=reading.rule,
        rule_version=reading.rule_version,
        severity=reading.severity,
        group=reading.group,
        labels=reading.labels,
        state=AlertState.PENDING if is_held else AlertState.FIRING,
        started_at=now,
        fired_at=None if is_held else now,
        value=reading.value,
        threshold=reading.threshold,
        author_count=reading.author_count,
        mention_count=reading.mention_count,
        evidence=reading.evidence[-EVIDENCE_LIMIT:],
        window=reading.window,
        hold=reading.hold,
        keep_firing=reading.keep_firing,
        group_wait=reading.group_wait,
        annotations=reading.annotations,
        baseline=reading.baseline,
        conditions=reading.conditions,
        shadow=reading.shadow,
    )
    return alert, Transition(at=now, alert=alert)


def _measured(
    alert: Alert, reading: Reading, *, state: AlertState, fired_at: datetime | None
) -> Alert:
    """Return the alert with the reading's numbers; what it saw once stays its evidence."""
    if _is_same(alert, reading) and (alert.state, alert.fired_at) == (state, fired_at):
        return alert  # nearly all of those that fire: a copy of each costs more than the rules do
    return replace(
        alert,
        state=state,
        fired_at=fired_at,
        cleared_at=None,
        value=reading.value,
        author_count=reading.author_count,
        mention_count=reading.mention_count,
        evidence=_joined(alert.evidence, reading.evidence),
        annotations=reading.annotations,
    )


def _is_same(alert: Alert, reading: Reading) -> bool:
    """Whether the reading has nothing that the alert has not."""
    return (
        alert.cleared_at is None
        and alert.value == reading.value
        and alert.author_count == reading.author_count
        and alert.mention_count == reading.mention_count
        and alert.annotations == reading.annotations
        and alert.evidence[-len(reading.evidence) :] == reading.evidence
    )


def _joined(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """Return both, the newest; what is read now stays, or it would be fresh at the next look."""
    known, wanted = set(old), set(new)
    fresh = tuple(key for key in new if key not in known)
    spare = len(old) + len(fresh) - EVIDENCE_LIMIT
    dropped = set(islice((key for key in old if key not in wanted), max(0, spare)))
    return tuple(key for key in old if key not in dropped) + fresh if fresh else old


def _cool(alert: Alert, now: datetime) -> tuple[Alert, Transition | None]:
    if alert.state is AlertState.RESOLVED:
        return alert, None
    cleared_at = alert.cleared_at or now
    if alert.state is AlertState.PENDING or now - cleared_at >= alert.keep_firing:
        return _close(replace(alert, cleared_at=cleared_at), now, None)
    return replace(alert, cleared_at=cleared_at), None


def _close(alert: Alert, now: datetime, reason: str | None) -> tuple[Alert, Transition | None]:
    closed = replace(alert, state=AlertState.RESOLVED, resolved_at=now)
    if alert.state is AlertState.PENDING:
        return closed, None
    return closed, Transition(at=now, alert=closed, reason=reason)


def _outdated(alert: Alert, versions: Mapping[str, str]) -> str | None:
    if alert.rule not in versions:
        return RULE_REMOVED
    return None if versions[alert.rule] == alert.rule_version else RULE_CHANGED


def _flags(
    before: Alert | None, after: Alert | None, reading: Reading, now: datetime
) -> Iterable[Flag]:
    """Return the evidence nobody was given yet: at once where one mention fires, else on firing."""
    is_firing = after is not None and after.state is AlertState.FIRING
    is_enough = reading.threshold == 1 and reading.baseline is None
    if not reading.flag or reading.shadow or not (is_firing or is_enough):
        return
    was_told = before is not None and (before.state is AlertState.FIRING or is_enough)
    known = set(before.evidence) if before is not None and was_told else set()
    for key in reading.evidence:
        if key not in known:
            yield Flag(key=key, rule=reading.rule, severity=reading.severity, at=now)
