"""The statements of the fourth migration, rules and alerting: released, never to be changed."""

from __future__ import annotations

_SILENCES: tuple[str, ...] = (
    # what people muted, over or not; the table `silences` holds when veille stood still
    """CREATE TABLE alert_silences (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        ends_at INTEGER NOT NULL,
        silence TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX alert_silences_by_end ON alert_silences(ends_at)",
    # what the digest of an outbox key is about
    """CREATE TABLE digests (
        key TEXT NOT NULL,
        receiver TEXT NOT NULL,
        incident INTEGER NOT NULL REFERENCES incidents(id) ON DELETE CASCADE,
        PRIMARY KEY (key, receiver, incident)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX digests_by_incident ON digests(incident)",
    # how many notifications a shift has brought
    "CREATE INDEX outbox_by_plan ON outbox(planned_at, kind)",
)
_ESCALATIONS: tuple[str, ...] = (
    # how far an incident was escalated; `due_at` NULL: it tells nobody any more
    """CREATE TABLE escalations (
        incident INTEGER PRIMARY KEY REFERENCES incidents(id) ON DELETE CASCADE,
        due_at INTEGER,
        escalation TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX escalations_running ON escalations(due_at) WHERE due_at IS NOT NULL",
    # a notification that was not sent, since somebody took its incident meanwhile
    "ALTER TABLE outbox ADD COLUMN dropped_at INTEGER",
    # a try is under way, was cut off by a kill, or had no answer: it may have arrived
    "ALTER TABLE outbox ADD COLUMN unsure INTEGER NOT NULL DEFAULT 0",
    """CREATE TABLE overrides (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        schedule TEXT NOT NULL,
        person TEXT NOT NULL,
        starts_at INTEGER NOT NULL,
        ends_at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        ended_at INTEGER,
        ended_by TEXT
    ) STRICT""",
    # the last good copy of an imported calendar; `address` is a hash: the address may be a secret
    """CREATE TABLE calendars (
        schedule TEXT NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('primary', 'override')),
        address TEXT NOT NULL,
        content BLOB,
        read_at INTEGER,
        tried_at INTEGER NOT NULL,
        error TEXT,
        PRIMARY KEY (schedule, role)
    ) STRICT, WITHOUT ROWID""",
)
_VERDICTS: tuple[str, ...] = (
    # what people said of an incident, for each rule that fired in it; the last one said stands
    """CREATE TABLE verdicts (
        incident INTEGER NOT NULL,
        rule TEXT NOT NULL,
        verdict TEXT NOT NULL CHECK (verdict IN ('true_alert', 'false_alarm', 'wrong_label')),
        actor TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (incident, rule)
    ) STRICT, WITHOUT ROWID""",
)
# what else rules may ask of a mention: of what was seen before, nothing is known
_ASKED: tuple[str, ...] = (
    "ALTER TABLE mentions ADD COLUMN author_age INTEGER",
    "ALTER TABLE observations ADD COLUMN author_age INTEGER",
    "ALTER TABLE observations ADD COLUMN reply_to TEXT",
    "ALTER TABLE observations ADD COLUMN thread TEXT",
    "ALTER TABLE observations ADD COLUMN media TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE observations ADD COLUMN masked TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE observations ADD COLUMN metrics TEXT NOT NULL DEFAULT 'null'",
)
# since when a notification fails, when another receiver was told instead, what replaced it
_FALLBACK: tuple[str, ...] = (
    "ALTER TABLE outbox ADD COLUMN failed_at INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE outbox ADD COLUMN diverted_at INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE outbox ADD COLUMN merged_into INTEGER",
)
_TERMS: tuple[str, ...] = (
    # what rules keep for longer than their windows: hashes of terms, gaps of groups; no text
    """CREATE TABLE memories (
        feed TEXT NOT NULL,
        mark TEXT NOT NULL,
        state TEXT NOT NULL,
        PRIMARY KEY (feed, mark)
    ) STRICT, WITHOUT ROWID""",
)
_OUTAGES: tuple[str, ...] = (
    # when a source could not be read: not to be taken for calm
    """CREATE TABLE outages (
        source TEXT NOT NULL,
        began_at INTEGER NOT NULL,
        ended_at INTEGER NOT NULL,
        PRIMARY KEY (source, began_at)
    ) STRICT, WITHOUT ROWID""",
    "ALTER TABLE sources ADD COLUMN failing_since INTEGER",
    "UPDATE sources SET failing_since = coalesce(read_at, error_at) WHERE error IS NOT NULL",
)
# up to five mentions of each alert with the places that matched: numbers, never the text
_EXAMPLES: tuple[str, ...] = (
    """CREATE TABLE examples (
        fingerprint TEXT NOT NULL,
        mention TEXT NOT NULL,
        started_at INTEGER NOT NULL,
        version INTEGER NOT NULL,
        example TEXT NOT NULL,
        PRIMARY KEY (fingerprint, mention)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX examples_by_mention ON examples(mention)",
)

ALERTING: tuple[str, ...] = (
    *_ASKED,
    *_SILENCES,
    *_ESCALATIONS,
    *_VERDICTS,
    *_FALLBACK,
    *_EXAMPLES,
    *_TERMS,
    *_OUTAGES,
)
"""In order."""
