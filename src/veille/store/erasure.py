"""What a deletion must still reach: evidence, the queue, the outbox, and messages already sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec

from veille.domain.notification import Facts, NotificationKind
from veille.store.codec import json_list, to_json
from veille.store.engine import Db

TELLING = (
    NotificationKind.OPENED,
    NotificationKind.UPDATED,
    NotificationKind.REFRESHED,
    NotificationKind.REPEATED,
)
"""Notifications that tell of mentions; without any left they have nothing to tell."""

_FACTS = msgspec.json.Decoder(Facts)
_STRIPPED = """SELECT id, facts FROM outbox WHERE state = 'waiting' AND EXISTS (
    SELECT 1 FROM json_each(facts, '$.evidence') e
    WHERE e.value IN (SELECT value FROM json_each(?)))"""
# an attempted row may have arrived: it is finished, and its message edited
_NOTHING_LEFT = """DELETE FROM outbox WHERE state = 'waiting' AND attempts = 0
    AND id IN (SELECT value FROM json_each(?1)) AND kind IN (SELECT value FROM json_each(?2))
    AND json_extract(facts, '$.evidence[0]') IS NULL"""
_UNHEARD = """SELECT i.id FROM incidents i WHERE i.id IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM evidence e WHERE e.incident = i.id)
    AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.incident = i.id
        AND (o.state <> 'waiting' OR o.attempts > 0))"""
_SHOWN = """SELECT DISTINCT incident, receiver FROM shown
    WHERE mention IN (SELECT value FROM json_each(?)) ORDER BY incident, receiver"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """One deleted mention that waits to be taken back everywhere; `cause` as in store.mentions."""

    seq: int
    mention: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """Messages of one incident to one receiver, and the newest planned of them."""

    incident: int
    receiver: str
    kind: NotificationKind
    is_untried: bool
    facts: Facts


def pending(db: Db, *, limit: int) -> list[Redaction]:
    """Return up to `limit` deletions that were not followed up yet, oldest first."""
    found = db.rows("SELECT * FROM redactions ORDER BY seq LIMIT ?", (limit,))
    return [Redaction(seq=r["seq"], mention=r["mention"], cause=r["cause"]) for r in found]


def gone(db: Db, keys: Iterable[str]) -> list[str]:
    """Return which of these mentions are not kept (any more), in their order."""
    found = db.rows(
        """SELECT asked.value FROM json_each(?) asked WHERE NOT EXISTS (
            SELECT 1 FROM mentions m WHERE m.key = asked.value AND m.state <> 'deleted')""",
        (json_list(keys),),
    )
    return [row["value"] for row in found]


def done(db: Db, redactions: Sequence[Redaction]) -> None:
    """These deletions are followed up; commit it with what they led to."""
    db.many("DELETE FROM redactions WHERE seq = ?", [(r.seq,) for r in redactions])


def drop_evidence(db: Db, keys: Iterable[str]) -> list[int]:
    """These mentions are evidence of nothing any more; return the incidents that had them."""
    gone = json_list(keys)
    db.execute("DELETE FROM examples WHERE mention IN (SELECT value FROM json_each(?))", (gone,))
    found = db.rows(
        """SELECT DISTINCT incident FROM evidence
        WHERE mention IN (SELECT value FROM json_each(?)) ORDER BY incident""",
        (gone,),
    )
    db.execute("DELETE FROM evidence WHERE mention IN (SELECT value FROM json_each(?))", (gone,))
    return [row["incident"] for row in found]


def strip_outbox(db: Db, keys: Sequence[str]) -> int:
    """No waiting notification names these mentions; return how many had no other and are gone."""
    found = db.rows(_STRIPPED, (json_list(keys),))
    for row in found:
        facts = without(_FACTS.decode(row["facts"]), keys)
        db.execute("UPDATE outbox SET facts = ? WHERE id = ?", (to_json(facts), row["id"]))
    ids, kinds = to_json([row["id"] for row in found]), to_json(TELLING)
    return db.execute(_NOTHING_LEFT, (ids, kinds)).rowcount


def unheard(db: Db, incidents: Iterable[int]) -> list[int]:
    """Return those without evidence (any more) that no receiver can have heard of."""
    found = db.rows(_UNHEARD, (to_json(list(incidents)),))
    return [row["id"] for row in found]


def drop_unheard(db: Db, incident: int) -> int:
    """Nothing of this incident waits to be sent; return how many notifications did."""
    return db.execute(
        "DELETE FROM outbox WHERE incident = ? AND state = 'waiting' AND attempts = 0", (incident,)
    ).rowcount


def note_shown(db: Db, incident: int, receiver: str, keys: Iterable[str]) -> None:
    """A message that is about to be sent may show these mentions; commit it before it is sent."""
    db.many(
        "INSERT OR IGNORE INTO shown VALUES (?, ?, ?)",
        [(key, incident, receiver) for key in keys],
    )


def take_shown(db: Db, keys: Sequence[str]) -> list[Showing]:
    """Return whose messages may show these mentions, and forget it."""
    gone = json_list(keys)
    pairs = [(row["incident"], row["receiver"]) for row in db.rows(_SHOWN, (gone,))]
    db.execute("DELETE FROM shown WHERE mention IN (SELECT value FROM json_each(?))", (gone,))
    found = [_newest(db, incident, receiver) for incident, receiver in pairs]
    return [showing for showing in found if showing is not None]


def without(facts: Facts, keys: Iterable[str]) -> Facts:
    """Return the facts without these mentions."""
    gone = set(keys)
    kept = tuple(key for key in facts.evidence if key not in gone)
    return replace(facts, evidence=kept, news=tuple(key for key in facts.news if key not in gone))


def _newest(db: Db, incident: int, receiver: str) -> Showing | None:
    row = db.row(
        """SELECT kind, facts, state = 'waiting' AND attempts = 0 AS is_untried FROM outbox
        WHERE incident = ? AND receiver = ? ORDER BY id DESC LIMIT 1""",
        (incident, receiver),
    )
    if row is None:
        return None
    return Showing(
        incident=incident,
        receiver=receiver,
        kind=NotificationKind(row["kind"]),
        is_untried=bool(row["is_untried"]),
        facts=_FACTS.decode(row["facts"]),
    )
