"""When the alerts of each rule fired."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from veille.domain.alert import Alert
from veille.store.codec import json_list, micros, moment
from veille.store.engine import Db

_ALERT = msgspec.json.Decoder(Alert)
# the words of the index `transitions_fired`: SQLite takes it for these alone
_FIRED = "json_extract(t.alert, '$.rule') = r.value AND json_extract(t.alert, '$.state') = 'firing'"
BY_RULE = f"""SELECT r.value AS rule,
    (SELECT max(at) FROM transitions t WHERE {_FIRED}) AS last,
    (SELECT count(*) FROM transitions t WHERE {_FIRED} AND at >= ?2) AS count,
    (SELECT count(*) FROM transitions t WHERE {_FIRED} AND at >= ?2
        AND json_extract(t.alert, '$.shadow')) AS shadow
    FROM json_each(?1) r"""  # noqa: S608 constants
RECENT = f"""SELECT t.alert FROM json_each(?1) r JOIN transitions t ON {_FIRED}
    ORDER BY t.at DESC LIMIT ?2"""  # noqa: S608 constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """How often a rule fired, and when last; `shadow` of these told nobody."""

    count: int = 0
    shadow: int = 0
    last_at: datetime | None = None


def by_rule(db: Db, rules: Iterable[str], *, since: datetime) -> dict[str, Fired]:
    """Return how often each of these rules fired since then, and when last, be it before."""
    return {
        row["rule"]: Fired(count=row["count"], shadow=row["shadow"], last_at=moment(row["last"]))
        for row in db.rows(BY_RULE, (json_list(rules), micros(since)))
    }


def recent(db: Db, rule: str, *, limit: int) -> list[Alert]:
    """Return the alerts of a rule as they fired, newest first."""
    rows = db.rows(RECENT, (json_list([rule]), limit))
    return [_ALERT.decode(row["alert"]) for row in rows]
