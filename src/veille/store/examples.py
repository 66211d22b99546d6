"""Examples: a few mentions of each alert, with the places that its rule matched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from veille.domain.alert import Alert
from veille.domain.evidence import Example
from veille.store.codec import json_list, micros, to_json
from veille.store.engine import Db

_EXAMPLE = msgspec.json.Decoder(Example)
# where the text has changed since, the places are those of another one
_OF = """SELECT e.*, m.version = e.version AND m.state <> 'deleted' AS is_current
    FROM examples e JOIN mentions m ON m.key = e.mention
    WHERE e.fingerprint IN (SELECT value FROM json_each(?))
    ORDER BY e.fingerprint, m.received_at, m.id"""
_ADD = """INSERT OR REPLACE INTO examples (fingerprint, mention, started_at, version, example)
    SELECT ?1, ?2, ?3, o.version, ?4 FROM mentions m
    JOIN observations o ON o.mention = m.id
    WHERE m.key = ?2 AND m.state <> 'deleted' ORDER BY o.seq DESC LIMIT 1"""


def put(db: Db, alert: Alert, examples: Sequence[Example]) -> None:
    """These are the alert's examples, and no others; a deleted mention never is. Repeatable."""
    db.execute("DELETE FROM examples WHERE fingerprint = ?", (alert.fingerprint,))
    started_at = micros(alert.started_at)
    db.many(
        _ADD,
        [(alert.fingerprint, one.key, started_at, to_json(one)) for one in examples],
    )


def of(db: Db, alerts: Iterable[Alert]) -> Mapping[str, tuple[Example, ...]]:
    """Return the examples of each alert by fingerprint, oldest first.

    An example whose text was edited since has no places any more. An alert that began anew since
    has those of its new beginning, the one before none.
    """
    known = {alert.fingerprint: micros(alert.started_at) for alert in alerts}
    found: dict[str, tuple[Example, ...]] = {}
    for row in db.rows(_OF, (json_list(known),)):
        mark = row["fingerprint"]
        if row["started_at"] == known[mark]:
            example = _EXAMPLE.decode(row["example"])
            kept = example if row["is_current"] else replace(example, spans=())
            found[mark] = (*found.get(mark, ()), kept)
    return found


def spans(db: Db, key: str) -> list[tuple[int, int]]:
    """Return the places of a mention that any alert's rule matched; none once it was edited."""
    rows = db.rows(
        """SELECT e.example FROM examples e JOIN mentions m ON m.key = e.mention
        WHERE e.mention = ? AND m.version = e.version AND m.state <> 'deleted'""",
        (key,),
    )
    found = [_EXAMPLE.decode(row["example"]) for row in rows]
    return [(span.start, span.end) for example in found for span in example.spans]
