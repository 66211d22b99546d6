"""What is deleted by age, table by table; mentions themselves are store.mentions.expire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from veille.store import audit
from veille.store.codec import micros
from veille.store.engine import Db

ACTOR = "veille"
TOMBSTONES = timedelta(days=400)
"""A source that lists a deleted text again does so within a year; judgement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """How old each class may get.

    `windows` is how far back rules look (7 d, rules.parse.MAX_WINDOW). Webhook requests may be
    replayed for five minutes, failed logins count for an hour: two days and one are far above.
    """

    flagged: timedelta
    incident: timedelta
    windows: timedelta = timedelta(days=8)
    tombstones: timedelta = TOMBSTONES
    receipts: timedelta = timedelta(days=2)
    logins: timedelta = timedelta(days=1)
    ended: timedelta = timedelta(0)


# by table: whose age, and the statement; ?1 the time before which it goes, ?2 how many at most
_PURGES: tuple[tuple[str, str, str], ...] = (
    # an empty row stays until no rule can look back at it and evaluate has taken it back
    ("mentions", "windows", """DELETE FROM mentions WHERE id IN (
        SELECT m.id FROM mentions m WHERE m.state = 'deleted'
        AND NOT EXISTS (SELECT 1 FROM observations o WHERE o.mention = m.id AND (
            o.received_at >= ?1
            OR o.seq > coalesce((SELECT value FROM watermarks WHERE name = 'evaluate'), 0)))
        AND NOT EXISTS (SELECT 1 FROM redactions r WHERE r.mention = m.key)
        LIMIT ?2)"""),
    ("queue", "flagged", """DELETE FROM queue WHERE id IN (
        SELECT id FROM queue WHERE state IN ('answered', 'closed', 'out_of_scope')
        AND updated_at < ?1 LIMIT ?2)"""),
    # what can be undone for seconds is kept for a day, to say that it is too late
    ("deeds", "logins", """DELETE FROM deeds WHERE id IN (
        SELECT id FROM deeds WHERE at < ?1 LIMIT ?2)"""),
    ("calls", "ended", """DELETE FROM calls WHERE ?1 AND (note, user) IN (
        SELECT note, user FROM calls WHERE target NOT IN (SELECT 'I' || id FROM incidents)
        AND target NOT IN (SELECT 'Q' || id FROM queue) LIMIT ?2)"""),
    ("incidents", "incident", """DELETE FROM incidents WHERE id IN (
        SELECT id FROM incidents WHERE state = 'resolved'
        AND json_extract(incident, '$.resolved_at')
            < strftime('%Y-%m-%dT%H:%M:%S', ?1 / 1000000, 'unixepoch') LIMIT ?2)"""),
    ("outbox", "incident", """DELETE FROM outbox WHERE id IN (
        SELECT id FROM outbox WHERE state <> 'waiting' AND due_at < ?1
        AND incident NOT IN (SELECT id FROM incidents) LIMIT ?2)"""),
    ("alert_silences", "incident", """DELETE FROM alert_silences WHERE id IN (
        SELECT id FROM alert_silences WHERE ends_at < ?1 LIMIT ?2)"""),
    ("verdicts", "incident", """DELETE FROM verdicts WHERE (incident, rule) IN (
        SELECT incident, rule FROM verdicts WHERE at < ?1
        AND incident NOT IN (SELECT id FROM incidents) LIMIT ?2)"""),
    ("shown", "ended", """DELETE FROM shown WHERE ?1 AND (mention, incident, receiver) IN (
        SELECT mention, incident, receiver FROM shown
        WHERE incident NOT IN (SELECT id FROM incidents) LIMIT ?2)"""),
    ("alerts", "incident", """DELETE FROM alerts WHERE fingerprint IN (
        SELECT fingerprint FROM alerts WHERE state = 'resolved'
        AND json_extract(alert, '$.resolved_at')
            < strftime('%Y-%m-%dT%H:%M:%S', ?1 / 1000000, 'unixepoch')
        AND fingerprint NOT IN (
            SELECT a.value FROM incidents i, json_each(i.incident, '$.alerts') a)
        LIMIT ?2)"""),
    ("examples", "ended", """DELETE FROM examples WHERE ?1 AND (fingerprint, mention) IN (
        SELECT fingerprint, mention FROM examples
        WHERE fingerprint NOT IN (SELECT fingerprint FROM alerts) LIMIT ?2)"""),
    ("transitions", "incident", """DELETE FROM transitions WHERE seq IN (
        SELECT seq FROM transitions WHERE at < ?1
        AND seq <= coalesce((SELECT value FROM watermarks WHERE name = 'dispatch'), 0)
        LIMIT ?2)"""),
    # the history of what is still open stays whole
    ("timeline", "incident", """DELETE FROM timeline WHERE seq IN (
        SELECT seq FROM timeline WHERE at < ?1
        AND target NOT IN (SELECT 'I' || id FROM incidents)
        AND target NOT IN (SELECT 'Q' || id FROM queue) LIMIT ?2)"""),
    ("looks", "ended", """DELETE FROM looks WHERE ?1 AND (user, target) IN (
        SELECT user, target FROM looks WHERE target NOT IN (SELECT 'I' || id FROM incidents)
        AND target NOT IN (SELECT 'Q' || id FROM queue) LIMIT ?2)"""),
    # what is still owed stays, whatever its age: it ends with its text at the latest
    ("obligations", "flagged", """DELETE FROM obligations WHERE mention IN (
        SELECT mention FROM obligations WHERE asked_at < ?1 AND state <> 'open'
        AND coalesce(decided_at, asked_at) < ?1 LIMIT ?2)"""),
    ("tombstones", "tombstones", """DELETE FROM tombstones WHERE key IN (
        SELECT key FROM tombstones WHERE at < ?1 LIMIT ?2)"""),
    ("receipts", "receipts", """DELETE FROM receipts WHERE (source, webhook_id) IN (
        SELECT source, webhook_id FROM receipts WHERE at < ?1 LIMIT ?2)"""),
    ("login_failures", "logins", """DELETE FROM login_failures WHERE rowid IN (
        SELECT rowid FROM login_failures WHERE at < ?1 LIMIT ?2)"""),
    ("api_requests", "logins", """DELETE FROM api_requests WHERE key IN (
        SELECT key FROM api_requests WHERE at < ?1 LIMIT ?2)"""),
    ("sessions", "ended", """DELETE FROM sessions WHERE token_hash IN (
        SELECT token_hash FROM sessions WHERE expires_at < ?1 LIMIT ?2)"""),
    ("invitations", "ended", """DELETE FROM invitations WHERE token_hash IN (
        SELECT token_hash FROM invitations WHERE expires_at < ?1 LIMIT ?2)"""),
    ("api_tokens", "ended", """DELETE FROM api_tokens WHERE id IN (
        SELECT id FROM api_tokens WHERE min(expires_at, coalesce(revoked_at, expires_at)) < ?1
        LIMIT ?2)"""),
)  # fmt: skip


def purge(db: Db, ages: Ages, *, now: datetime, limit: int) -> dict[str, int]:
    """No more than `limit` rows of each table that are too old went; return how many, by table.

    A table of which none went is absent.
    """
    counts: dict[str, int] = {}
    for table, age, statement in _PURGES:
        before: timedelta = getattr(ages, age)
        gone = db.execute(statement, (micros(now - before), limit)).rowcount
        if gone:
            counts[table] = gone
    return counts


def note(db: Db, counts: Mapping[str, int], *, now: datetime, zone: tzinfo) -> None:
    """What went is counted for this day of `zone`; days that are over stand in the audit log."""
    today = now.astimezone(zone).date().isoformat()
    over = db.rows("SELECT DISTINCT day FROM swept WHERE day < ? ORDER BY day", (today,))
    for row in over:
        audit.add(
            db, at=now, actor=ACTOR, action="retention.swept", target=row["day"],
            after=of_day(db, row["day"]),
        )  # fmt: skip
    db.execute("DELETE FROM swept WHERE day < ?", (today,))
    # a day on which nothing was old is proven too
    for what, count in {"": 0, **counts}.items():
        db.execute(
            """INSERT INTO swept VALUES (?, ?, ?)
            ON CONFLICT (day, what) DO UPDATE SET count = count + excluded.count""",
            (today, what, count),
        )


def of_day(db: Db, day: str) -> dict[str, int]:
    """Return what went on this day and is not in the audit log yet, by table."""
    found = db.rows("SELECT what, count FROM swept WHERE day = ? AND what <> ''", (day,))
    return {row["what"]: row["count"] for row in found}
