"""What people said of incidents, by rule: how often a rule was right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from veille.domain.incident import Verdict
from veille.store.codec import clean, json_list, micros
from veille.store.engine import Db


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How the incidents of one rule were judged; those nobody judged are in none."""

    true_alert: int = 0
    false_alarm: int = 0
    wrong_label: int = 0

    @property
    def precision(self) -> float | None:
        """Judged alerts that were worth it, in [0, 1]; a wrong label is still an alert."""
        right = self.true_alert + self.wrong_label
        judged = right + self.false_alarm
        return right / judged if judged else None


def add(
    db: Db, incident: int, rules: Iterable[str], *, verdict: Verdict, actor: str, at: datetime
) -> bool:
    """The verdict stands for each rule in place of any before; false when it stood already."""
    if of(db, incident) is verdict:
        return False
    db.execute(
        """INSERT INTO verdicts SELECT ?1, value, ?3, ?4, ?5 FROM json_each(?2) WHERE true
        ON CONFLICT (incident, rule) DO UPDATE
        SET verdict = excluded.verdict, actor = excluded.actor, at = excluded.at""",
        (incident, json_list(dict.fromkeys(rules) or [""]), verdict, clean(actor), micros(at)),
    )
    return True


def of(db: Db, incident: int) -> Verdict | None:
    """Return what was last said of this incident, None when nobody said anything."""
    found = db.value(
        "SELECT verdict FROM verdicts WHERE incident = ? ORDER BY at DESC LIMIT 1", (incident,)
    )
    return None if found is None else Verdict(found)


def by_rule(db: Db, *, since: datetime) -> dict[str, Judged]:
    """Return how the incidents of each rule were judged since then; unjudged rules are absent."""
    found = db.rows(
        """SELECT rule, verdict, count(*) AS count FROM verdicts WHERE at >= ? AND rule <> ''
        GROUP BY rule, verdict ORDER BY rule""",
        (micros(since),),
    )
    counts: dict[str, dict[str, int]] = {}
    for row in found:
        counts.setdefault(row["rule"], {})[row["verdict"]] = row["count"]
    return {rule: Judged(**said) for rule, said in counts.items()}
