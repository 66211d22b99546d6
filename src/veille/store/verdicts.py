"""What people said of incidents and queue items, by rule: how often a rule was right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from veille.domain.incident import Verdict
from veille.domain.share import wilson
from veille.store.codec import clean, json_list, micros
from veille.store.engine import Db


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How the incidents and queue items of one rule were judged; the unjudged are in none."""

    true_alert: int = 0
    false_alarm: int = 0
    wrong_label: int = 0

    @property
    def precision(self) -> float | None:
        """Judged alerts that were worth it, in [0, 1]; a wrong label is still an alert."""
        return self._right / self.count if self.count else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the precision (Wilson), None of none."""
        return wilson(self._right, self.count)

    @property
    def count(self) -> int:
        """How many were judged."""
        return self._right + self.false_alarm

    @property
    def _right(self) -> int:
        return self.true_alert + self.wrong_label


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


def add_item(db: Db, item: int, rule: str, *, verdict: Verdict, actor: str, at: datetime) -> bool:
    """The verdict on a queue item stands for the rule that put it there; false when it stood."""
    if of_item(db, item) is verdict:
        return False
    db.execute(
        """INSERT INTO item_verdicts VALUES (?, ?, ?, ?, ?) ON CONFLICT (item) DO UPDATE SET
        rule = excluded.rule, verdict = excluded.verdict, actor = excluded.actor,
        at = excluded.at""",
        (item, rule, verdict, clean(actor), micros(at)),
    )
    return True


def of_item(db: Db, item: int) -> Verdict | None:
    """Return what was last said of this queue item, None when nobody said anything."""
    found = db.value("SELECT verdict FROM item_verdicts WHERE item = ?", (item,))
    return None if found is None else Verdict(found)


def put_back(db: Db, incident: int, verdict: Verdict | None) -> None:
    """What stood of this incident stands again; None: nobody had said anything."""
    if verdict is None:
        db.execute("DELETE FROM verdicts WHERE incident = ?", (incident,))
    db.execute("UPDATE verdicts SET verdict = ? WHERE incident = ?", (verdict, incident))


def put_back_item(db: Db, item: int, verdict: Verdict | None) -> None:
    """What stood of this queue item stands again; None: nobody had said anything."""
    if verdict is None:
        db.execute("DELETE FROM item_verdicts WHERE item = ?", (item,))
    db.execute("UPDATE item_verdicts SET verdict = ? WHERE item = ?", (verdict, item))


def of(db: Db, incident: int) -> Verdict | None:
    """Return what was last said of this incident, None when nobody said anything."""
    found = db.value(
        "SELECT verdict FROM verdicts WHERE incident = ? ORDER BY at DESC LIMIT 1", (incident,)
    )
    return None if found is None else Verdict(found)


def is_of(db: Db, incident: int, *, actor: str, at: datetime) -> bool:
    """Whether what stands of this incident was said by this user then."""
    found = db.row(
        "SELECT actor, at FROM verdicts WHERE incident = ? ORDER BY at DESC LIMIT 1", (incident,)
    )
    return found is not None and (found["actor"], found["at"]) == (clean(actor), micros(at))


def by_rule(db: Db, *, since: datetime) -> dict[str, Judged]:
    """Return how the incidents and queue items of each rule were judged since then.

    Unjudged rules are absent.
    """
    counts: dict[str, Counter[str]] = {}
    said = db.rows(
        """SELECT rule, verdict FROM verdicts WHERE at >= ?1 AND rule <> ''
        UNION ALL SELECT rule, verdict FROM item_verdicts WHERE at >= ?1 AND rule <> ''
        ORDER BY rule""",
        (micros(since),),
    )
    for row in said:
        counts.setdefault(row["rule"], Counter())[row["verdict"]] += 1
    return {rule: Judged(**each) for rule, each in counts.items()}
