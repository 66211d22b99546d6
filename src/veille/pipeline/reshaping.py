"""Merge and split: what belongs together is one incident, what does not is another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from veille.alerts import merging
from veille.domain.errors import InputError
from veille.domain.ids import short_id
from veille.domain.incident import Incident
from veille.domain.notification import NotificationKind
from veille.pipeline.work import Work, incident_facts
from veille.store import alerts, incidents, timeline
from veille.store.deeds import Before

EVIDENCE = 2**31
"""More than an incident ever has: all of it."""


def merge(work: Work, merged: Incident, into: Incident) -> None:
    """`into` has all of `merged`, and that one is closed; who heard of it is told where it went."""
    done = merging.merge(merged, into, actor=work.actor, now=work.now)
    befores = (work.incident_before(merged), work.incident_before(into))
    # the closed one first: two incidents at work never have one key
    closed = incidents.save(work.db, done.merged, expected_version=merged.version)
    both = incidents.save(work.db, done.into, expected_version=into.version)
    incidents.add_evidence(work.db, into.id, incidents.evidence(work.db, merged.id, EVIDENCE))
    _note(work, closed, befores[0], "incident.merged")
    _note(work, both, befores[1], "incident.joined")
    timeline.add(work.db, done.events)
    if merged.notified_at is not None:
        work.announce(closed, NotificationKind.MERGED)


def split(
    work: Work, incident: Incident, *, fingerprints: Sequence[str], mentions: Sequence[str]
) -> Incident:
    """Return the new incident: it has these alerts, and these mentions with those of its alerts.

    InputError when nothing was chosen, a mention is none of its evidence, or nothing would stay.
    """
    held = incidents.evidence(work.db, incident.id, EVIDENCE)
    if not fingerprints and not mentions:
        raise InputError(f"{short_id('I', incident.id)}: choose alerts or mentions to split off")
    if unknown := [key for key in mentions if key not in set(held)]:
        raise InputError(f"mention {unknown[0]} is no evidence of {short_id('I', incident.id)}")
    known = alerts.get(work.db, incident.alerts)
    done = merging.split(
        incident,
        off=fingerprints,
        alerts=known,
        number=incidents.next_id(work.db),
        actor=work.actor,
        now=work.now,
    )
    stays = {key for mark in done.rest.alerts if mark in known for key in known[mark].evidence}
    goes = {key for mark in fingerprints for key in known[mark].evidence} - stays
    chosen = [key for key in held if key in goes or key in set(mentions)]
    if len(chosen) == len(held) and not done.rest.alerts:
        raise InputError(f"{short_id('I', incident.id)} keeps at least one of its mentions")
    before = work.incident_before(incident)
    rest = incidents.save(work.db, done.rest, expected_version=incident.version)
    off = incidents.save(work.db, done.off, expected_version=None)
    incidents.split_off(work.db, incident.id, chosen, to=off.id)
    _note(work, rest, before, "incident.split")
    _note(work, off, Before(), "incident.splitoff")
    counted = {"mentions": len(chosen)}
    timeline.add(work.db, [replace(e, data={**e.data, **counted}) for e in done.events])
    return off


def _note(work: Work, incident: Incident, before: Before, kind: str) -> None:
    name = short_id("I", incident.id)
    work.remember(name, incident.touched, before)
    was = None if before.incident is None else incident_facts(before.incident)
    work.audit(kind, name, was, incident_facts(incident))
