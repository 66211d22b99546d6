"""What the store knows beside mentions when rules look: who was answered, which sources fail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from veille.domain.circumstances import Circumstances
from veille.domain.incident import QueueState
from veille.store.codec import json_list, moment
from veille.store.engine import Db

# what was reported is still followed, but a person decided what becomes of it
_HANDLED = json_list(
    state for state in QueueState if not state.is_open or state is QueueState.REPORTED
)


def circumstances(
    db: Db,
    asks: Iterable[str],
    *,
    heard_until: datetime | None = None,
    sources: frozenset[str] | None = None,
) -> Circumstances:
    """Return what holds now; of `asks`, which mentions nobody has to answer any more.

    `sources` are those of the configuration: one that was removed does not fail for ever.
    """
    outages: dict[str, list[tuple[datetime, datetime]]] = {}
    for row in db.rows("SELECT source, began_at, ended_at FROM outages ORDER BY began_at"):
        span = (moment(row["began_at"]), moment(row["ended_at"]))
        outages.setdefault(row["source"], []).append(span)
    return Circumstances(
        answered=_handled(db, list(asks)),
        failing={
            source: since
            for source, since in _failing(db).items()
            if sources is None or source in sources
        },
        outages={source: tuple(spans) for source, spans in outages.items()},
        sources=sources,
        heard_until=heard_until,
    )


def _failing(db: Db) -> dict[str, datetime]:
    """Return since when each source cannot be read: since its last good read, if it had one."""
    rows = db.rows(
        """SELECT source, coalesce(read_at, failing_since) AS since FROM sources
        WHERE error IS NOT NULL AND substr(source, 1, 1) <> '*' ORDER BY source"""
    )
    return {row["source"]: moment(row["since"]) for row in rows if row["since"] is not None}


def _handled(db: Db, keys: Sequence[str]) -> frozenset[str]:
    if not keys:
        return frozenset()
    rows = db.rows(
        """SELECT mention FROM queue WHERE mention IN (SELECT value FROM json_each(?))
        AND state IN (SELECT value FROM json_each(?))""",
        (json_list(keys), _HANDLED),
    )
    return frozenset(row["mention"] for row in rows)


def handled_since(db: Db, keys: Sequence[str]) -> dict[str, datetime | None]:
    """Return since when each of these mentions needs nobody any more, None where it still does."""
    rows = db.rows(
        """SELECT q.mention, min(t.at) AS at FROM queue q JOIN timeline t ON t.target = 'Q' || q.id
        WHERE q.mention IN (SELECT value FROM json_each(?1)) AND t.kind = 'queue.changed'
        AND q.state IN (SELECT value FROM json_each(?2))
        AND json_extract(t.data, '$.state') IN (SELECT value FROM json_each(?2))
        GROUP BY q.mention""",
        (json_list(keys), _HANDLED),
    )
    return dict.fromkeys(keys) | {row["mention"]: moment(row["at"]) for row in rows}
