"""Verdicts and corrections: what people say of alerts and of what the model read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from veille.alerts import handling, items
from veille.alerts.items import Doing
from veille.domain.correction import TAKEN_BACK
from veille.domain.deed import Deed, Verb
from veille.domain.ids import short_id
from veille.domain.incident import Event, Incident, IncidentState, QueueItem, QueueState, Verdict
from veille.pipeline.work import Work, incident_of, item_facts, item_of
from veille.store import alerts, corrections, queue, timeline, verdicts
from veille.store.deeds import Before


def judge_incident(work: Work, before: Incident, verdict: Verdict) -> None:
    """The verdict stands for the incident's rules; a false alarm is resolved with it."""
    stood = verdicts.of(work.db, before.id)
    rules = [alert.rule for alert in alerts.get(work.db, before.alerts).values()]
    if verdicts.add(work.db, before.id, rules, verdict=verdict, actor=work.actor, at=work.now):
        was = replace(work.incident_before(before), was_judged=True, verdict=stood)
        work.remember(handling.name_of(before), before.touched, was)
        done = handling.judge(before, verdict=verdict, actor=work.actor, now=work.now)
        work.save_incident(before, done)
    said = incident_of(work.db, before.id)
    if verdict is Verdict.FALSE_ALARM and said.state is not IncidentState.RESOLVED:
        work.save_incident(said, handling.resolve(said, actor=work.actor, now=work.now))


def judge_item(
    work: Work,
    before: QueueItem,
    verdict: Verdict,
    *,
    labels: Mapping[str, str],
    reading: str | None,
) -> None:
    """The verdict stands for the rule that put it there, and these labels for its mention.

    A false alarm is closed with it; a question or request stays open all the same: somebody still
    waits for an answer.
    """
    _judge_item(work, before, verdict, corrected=corrections.last(work.db) if labels else None)
    if labels:
        correct(work, item_of(work.db, before.id), labels, reading=reading)


def _judge_item(work: Work, before: QueueItem, verdict: Verdict, *, corrected: int | None) -> None:
    name, stood = short_id("Q", before.id), verdicts.of_item(work.db, before.id)
    if not verdicts.add_item(
        work.db, before.id, before.rule or "", verdict=verdict, actor=work.actor, at=work.now
    ):
        return
    was = Before(item=before, was_judged=True, verdict=stood, corrected=corrected)
    work.remember(name, before.version, was)
    kept = queue.save(work.db, before, expected_version=before.version)
    work.remember(name, kept.version, Before(item=before))
    data = {"verdict": str(verdict), "rule": before.rule}
    event = Event(target=name, at=work.now, kind="queue.judged", actor=work.actor, data=data)
    timeline.add(work.db, [event])
    after = {**item_facts(kept), "verdict": str(verdict)}
    work.audit("queue.judged", name, item_facts(before), after)
    is_asked = bool(queue.asking(work.db, [before.mention]))
    if verdict is Verdict.FALSE_ALARM and kept.state.is_open and not is_asked:
        by = Doing(actor=work.actor, now=work.now, zone=work.zone)
        work.save_item(kept, items.do(kept, Deed(verb=Verb.MOVE, state=QueueState.CLOSED), by))


def correct(
    work: Work, before: QueueItem, labels: Mapping[str, str], *, reading: str | None
) -> bool:
    """The mention has these labels, by head; return whether that changed anything.

    The audit log and the timeline name the heads, not the labels: those go with their mention.
    """
    last = corrections.last(work.db)
    changed = corrections.add(
        work.db, before.mention, labels, actor=work.actor, at=work.now, reading=reading
    )
    if not changed:
        return False
    current = item_of(work.db, before.id)
    kept = queue.save(work.db, current, expected_version=current.version)
    name = short_id("Q", before.id)
    work.remember(name, kept.version, Before(item=before, corrected=last))
    withdrawn = sorted(head for head, c in changed.items() if c.value == TAKEN_BACK)
    said = sorted(changed.keys() - set(withdrawn))
    for kind, heads in (("queue.corrected", said), ("queue.uncorrected", withdrawn)):
        if heads:
            data = {"heads": heads}
            event = Event(target=name, at=work.now, kind=kind, actor=work.actor, data=data)
            timeline.add(work.db, [event])
            work.audit(kind, name, None, {"heads": " ".join(heads)})
    return True
