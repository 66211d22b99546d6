"""Chain: the audit log's chain is verified once a day, a piece at a time; a break is an alert."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from veille.alerts.operational import AUDIT_BROKEN, cleared, raised
from veille.domain.alert import AlertState
from veille.domain.ids import fingerprint
from veille.store import alerts, audit, audit_trail
from veille.store.audit import Proof
from veille.store.engine import Db
from veille.store.protocol import Store
from veille.wording.catalogue import Catalogue

EVERY = timedelta(days=1)
"""From the end of one look to the next: a change is noticed within a day and the look."""
PIECE = 2_000
"""Rows at a time: 20 to 30 ms of one reader (10 to 15 µs a row, measured)."""
_MARK = fingerprint(AUDIT_BROKEN, {})

log = structlog.get_logger()


class Chain:
    """Looks at the next piece at each step; what it found stands in the store."""

    name = "audit"

    def __init__(self, store: Store, *, say: Catalogue) -> None:
        self._store = store
        self._say = say

    async def step(self, now: datetime) -> bool:
        """Verify the next rows when a look is due; true while more of it follows."""
        known = await self._store.read(audit_trail.checked)
        is_resting = known.done_at is not None and timedelta(0) <= now - known.done_at < EVERY
        if is_resting and not known.proof.seq:
            return False
        proof = await self._store.read(lambda db: audit.verify_on(db, known.proof, limit=PIECE))
        await self._store.write(lambda db: self._note(db, proof, now))
        if proof.broken is not None and proof.broken != known.broken:
            log.error("audit_broken", row=proof.broken)
        return not proof.is_whole

    def _note(self, db: Db, proof: Proof, now: datetime) -> None:
        audit_trail.note_proof(db, proof, now)
        if not proof.is_whole:
            return
        known = alerts.get(db, [_MARK]).get(_MARK)
        if proof.broken is None:
            if known is not None and known.state is AlertState.FIRING:
                alert, transition = cleared(known, now)
                alerts.save(db, [alert])
                alerts.add_transitions(db, [transition])
            return
        alert, begun = raised(
            known,
            AUDIT_BROKEN,
            count=1,
            annotations={
                "summary": self._say("pages.audit.alert.summary", row=proof.broken),
                "actions": self._say("pages.audit.alert.actions"),
            },
            now=now,
        )
        alerts.save(db, [alert])
        alerts.add_transitions(db, [begun] if begun else [])
