"""The schema of released versions: nothing here ever changes again."""

from __future__ import annotations

# unicode61 leaves ligatures as they are: « cœur » must be found by "coeur"
_FOLD = "replace(replace(replace(replace({0}.text,'œ','oe'),'Œ','OE'),'æ','ae'),'Æ','AE')"
_INDEX_NEW = (
    "INSERT INTO mention_index(rowid, text) "  # noqa: S608 constants
    f"VALUES (new.id, {_FOLD.format('new')});"
)
_UNINDEX_OLD = (
    "INSERT INTO mention_index(mention_index, rowid, text) "  # noqa: S608 constants
    f"VALUES ('delete', old.id, {_FOLD.format('old')});"
)

_MENTIONS = (
    # state: new (to be analyzed), analyzed, parked, deleted. `text` is masked.
    """CREATE TABLE mentions (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL,
        watches TEXT NOT NULL,
        kind TEXT NOT NULL,
        text TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        edited_at INTEGER,
        content_hash TEXT NOT NULL,
        author TEXT,
        followers INTEGER,
        role TEXT,
        lang TEXT,
        reply_to TEXT,
        thread TEXT,
        media TEXT NOT NULL,
        metrics TEXT NOT NULL,
        own INTEGER NOT NULL,
        masked TEXT NOT NULL,
        sealed BLOB,
        version INTEGER NOT NULL DEFAULT 1,
        state TEXT NOT NULL DEFAULT 'new'
            CHECK (state IN ('new', 'analyzed', 'parked', 'deleted')),
        attempts INTEGER NOT NULL DEFAULT 0,
        due_at INTEGER NOT NULL DEFAULT 0,
        lease_until INTEGER NOT NULL DEFAULT 0,
        error TEXT
    ) STRICT""",
    "CREATE INDEX mentions_by_state ON mentions(state, received_at)",
    "CREATE INDEX mentions_sealed ON mentions(received_at) WHERE sealed IS NOT NULL",
    """CREATE TABLE mention_versions (
        mention INTEGER NOT NULL REFERENCES mentions(id) ON DELETE CASCADE,
        version INTEGER NOT NULL,
        text TEXT NOT NULL,
        content_hash TEXT NOT NULL,
        edited_at INTEGER,
        received_at INTEGER NOT NULL,
        PRIMARY KEY (mention, version)
    ) STRICT""",
    # what names the author, apart, so that it can be erased alone
    """CREATE TABLE identities (
        mention INTEGER PRIMARY KEY REFERENCES mentions(id) ON DELETE CASCADE,
        native_id TEXT NOT NULL,
        url TEXT,
        author_id TEXT,
        author_name TEXT
    ) STRICT""",
    # outlives its mention: a source may send again what was deleted
    """CREATE TABLE tombstones (
        key TEXT PRIMARY KEY,
        source TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE analyses (
        mention INTEGER NOT NULL REFERENCES mentions(id) ON DELETE CASCADE,
        version INTEGER NOT NULL,
        at INTEGER NOT NULL,
        analysis TEXT NOT NULL,
        PRIMARY KEY (mention, version)
    ) STRICT""",
    # what rules saw, in order; it repeats what an edit may change, but neither text nor analysis
    """CREATE TABLE observations (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        mention INTEGER NOT NULL REFERENCES mentions(id) ON DELETE CASCADE,
        version INTEGER NOT NULL,
        key TEXT NOT NULL,
        source TEXT NOT NULL,
        watches TEXT NOT NULL,
        kind TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        author TEXT,
        followers INTEGER,
        role TEXT,
        own INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX observations_by_mention ON observations(mention, seq)",
    "CREATE INDEX observations_by_time ON observations(received_at, mention)",
    f"CREATE VIEW mention_words AS SELECT id, {_FOLD.format('mentions')} AS text FROM mentions",  # noqa: S608
    """CREATE VIRTUAL TABLE mention_index USING fts5(
        text, content='mention_words', content_rowid='id',
        tokenize="unicode61 remove_diacritics 2")""",
    # without it the words of a deleted text stay in the index until a merge (SQLite 3.42, 2023)
    """INSERT INTO mention_index(mention_index, rank)
        SELECT 'secure-delete', 1 WHERE sqlite_version() >= '3.42'""",
    f"CREATE TRIGGER mentions_inserted AFTER INSERT ON mentions BEGIN {_INDEX_NEW} END",
    f"CREATE TRIGGER mentions_removed AFTER DELETE ON mentions BEGIN {_UNINDEX_OLD} END",
    "CREATE TRIGGER mentions_changed AFTER UPDATE OF text ON mentions "
    f"BEGIN {_UNINDEX_OLD} {_INDEX_NEW} END",
)

_ALERTS = (
    "CREATE TABLE watermarks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT",
    """CREATE TABLE alerts (
        fingerprint TEXT PRIMARY KEY,
        state TEXT NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
        alert TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX alerts_live ON alerts(fingerprint) WHERE state <> 'resolved'",
    """CREATE TABLE transitions (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        reason TEXT,
        alert TEXT NOT NULL
    ) STRICT""",
    # how many mentions counted for an alert, by full hour of arrival: what is usual
    """CREATE TABLE matches (
        fingerprint TEXT NOT NULL,
        hour INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (fingerprint, hour)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE incidents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
        severity TEXT NOT NULL,
        notify_at INTEGER,
        version INTEGER NOT NULL,
        incident TEXT NOT NULL
    ) STRICT""",
    "CREATE UNIQUE INDEX incidents_unresolved ON incidents(key) WHERE state <> 'resolved'",
    "CREATE INDEX incidents_due ON incidents(notify_at) WHERE notify_at IS NOT NULL",
    "CREATE INDEX incidents_by_state ON incidents(state)",
    """CREATE TABLE evidence (
        seq INTEGER PRIMARY KEY,
        incident INTEGER NOT NULL REFERENCES incidents(id) ON DELETE CASCADE,
        mention TEXT NOT NULL,
        UNIQUE (incident, mention)
    ) STRICT""",
    "CREATE INDEX evidence_by_mention ON evidence(mention)",
    """CREATE TABLE queue (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        mention TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
        rule TEXT,
        assignee TEXT,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        version INTEGER NOT NULL DEFAULT 1
    ) STRICT""",
    "CREATE INDEX queue_by_state ON queue(state)",
    """CREATE TABLE timeline (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        target TEXT NOT NULL,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        actor TEXT NOT NULL,
        text TEXT NOT NULL,
        data TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX timeline_by_target ON timeline(target, seq)",
    # a row waits, then stays as the notification log
    """CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL,
        receiver TEXT NOT NULL,
        incident INTEGER NOT NULL,
        kind TEXT NOT NULL,
        facts TEXT NOT NULL,
        due_at INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'parked')),
        attempts INTEGER NOT NULL DEFAULT 0,
        lease_until INTEGER NOT NULL DEFAULT 0,
        tried_at INTEGER,
        error TEXT,
        ref TEXT,
        UNIQUE (key, receiver)
    ) STRICT""",
    "CREATE INDEX outbox_waiting ON outbox(receiver, incident, id) WHERE state = 'waiting'",
    "CREATE INDEX outbox_by_incident ON outbox(incident, receiver, id)",
)

_PEOPLE = (
    """CREATE TABLE sources (
        source TEXT PRIMARY KEY,
        cursor TEXT,
        cursor_at INTEGER,
        read_at INTEGER,
        accepted_at INTEGER,
        accepted INTEGER NOT NULL DEFAULT 0,
        unmatched INTEGER NOT NULL DEFAULT 0,
        rejected INTEGER NOT NULL DEFAULT 0,
        unknown_fields INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        error_at INTEGER,
        next_try_at INTEGER
    ) STRICT""",
    """CREATE TABLE receipts (
        source TEXT NOT NULL,
        webhook_id TEXT NOT NULL,
        body_hash TEXT NOT NULL,
        answer TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (source, webhook_id)
    ) STRICT""",
    "CREATE INDEX receipts_by_time ON receipts(at)",
    """CREATE TABLE users (
        folded TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('reader', 'triage', 'editor', 'dpo', 'admin')),
        must_change INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        disabled_at INTEGER
    ) STRICT""",
    """CREATE TABLE sessions (
        token_hash TEXT PRIMARY KEY,
        user TEXT NOT NULL REFERENCES users(folded) ON DELETE CASCADE,
        csrf TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX sessions_by_user ON sessions(user)",
    # a hash of name and address: people type passwords where a name is asked
    """CREATE TABLE login_failures (
        who TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX login_failures_by_who ON login_failures(who, at)",
    "CREATE INDEX login_failures_by_time ON login_failures(at)",
    """CREATE TABLE audit (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        target TEXT NOT NULL,
        before TEXT,
        after TEXT,
        hash TEXT NOT NULL
    ) STRICT""",
    """CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
        BEGIN SELECT raise(ABORT, 'the audit log only grows'); END""",
    """CREATE TRIGGER audit_never_shrinks BEFORE DELETE ON audit
        BEGIN SELECT raise(ABORT, 'the audit log only grows'); END""",
)

# 0002: an author's mentions are found by the keyed hash, to be erased or exported
_AUTHORS = ("CREATE INDEX mentions_by_author ON mentions(author, source) WHERE author IS NOT NULL",)
# what a source sent last is asked for again after an interruption
_SOURCES = ("CREATE INDEX mentions_by_source ON mentions(source) WHERE state <> 'deleted'",)
# counts by rule version: an edited rule starts from the stored observations, not from its old self
_BASELINES = (
    "DROP TABLE matches",
    """CREATE TABLE listening (
        version TEXT PRIMARY KEY,
        since INTEGER NOT NULL,
        retired_at INTEGER
    ) STRICT, WITHOUT ROWID""",
    # when veille stood still: not to be taken for calm
    """CREATE TABLE silences (
        began_at INTEGER PRIMARY KEY,
        ended_at INTEGER NOT NULL
    ) STRICT""",
    # `hour` counts full hours since 1970 in UTC
    """CREATE TABLE baselines (
        version TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        hour INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (version, fingerprint, hour)
    ) STRICT, WITHOUT ROWID""",
)
_ERASURE = (
    # what was deleted and must still be taken back from the queue, the outbox and outside; a queue
    """CREATE TABLE redactions (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        mention TEXT NOT NULL,
        cause TEXT NOT NULL
    ) STRICT""",
    # which incident's messages to which receiver may show a mention: written before they are sent
    """CREATE TABLE shown (
        mention TEXT NOT NULL,
        incident INTEGER NOT NULL,
        receiver TEXT NOT NULL,
        PRIMARY KEY (mention, incident, receiver)
    ) STRICT, WITHOUT ROWID""",
    """INSERT OR IGNORE INTO shown SELECT e.value, o.incident, o.receiver
        FROM outbox o, json_each(o.facts, '$.evidence') e WHERE o.attempts > 0""",
    # keyed hashes of authors who objected: what they write is not stored
    """CREATE TABLE oppositions (
        mark TEXT PRIMARY KEY,
        at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX redactions_by_mention ON redactions(mention)",
    "CREATE INDEX tombstones_by_time ON tombstones(at)",
    "ALTER TABLE sources ADD COLUMN opposed INTEGER NOT NULL DEFAULT 0",
    # what retention deleted on a day (UTC), until the day is over and in the audit log
    """CREATE TABLE swept (
        day TEXT NOT NULL,
        what TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (day, what)
    ) STRICT, WITHOUT ROWID""",
)

# how long a notification waits, whatever its retries; what is put aside is counted at each scrape
_OPERATIONS = (
    "ALTER TABLE outbox ADD COLUMN planned_at INTEGER NOT NULL DEFAULT 0",
    "UPDATE outbox SET planned_at = due_at",
    "CREATE INDEX outbox_parked ON outbox(id) WHERE state = 'parked'",
)

# what the weekly summary counts, by quarter of an hour; it outlives mentions, alerts and log rows
_REPORTS = (
    """CREATE TABLE tallies (
        at INTEGER NOT NULL,
        what TEXT NOT NULL,
        name TEXT NOT NULL,
        label TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (at, what, name, label)
    ) STRICT, WITHOUT ROWID""",
    # as what a mention was counted, so that an edit is counted once
    """CREATE TABLE counted (
        mention INTEGER PRIMARY KEY REFERENCES mentions(id) ON DELETE CASCADE,
        at INTEGER NOT NULL,
        entries TEXT NOT NULL
    ) STRICT""",
    # of what an older version stored nothing was counted: the summary counts from here on
    """INSERT OR IGNORE INTO watermarks
        SELECT 'reports.since', CAST(strftime('%s', 'now') AS INTEGER) * 1000000
        WHERE EXISTS (SELECT 1 FROM observations)""",
)

# a one-time password that nobody used expires
_PASSWORDS = (
    "ALTER TABLE users ADD COLUMN password_at INTEGER NOT NULL DEFAULT 0",
    "UPDATE users SET password_at = created_at",
)

# 0003: what people corrected of an analysis, and which mentions say the same thing
_CORRECTIONS: tuple[str, ...] = (
    # one row a head that somebody judged; the newest of a text's version counts, '' takes it back
    """CREATE TABLE corrections (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        mention INTEGER NOT NULL REFERENCES mentions(id) ON DELETE CASCADE,
        version INTEGER NOT NULL,
        head TEXT NOT NULL
            CHECK (head IN ('sentiment', 'urgency', 'hostility', 'target', 'intent', 'topic')),
        value TEXT NOT NULL,
        previous TEXT NOT NULL,
        model TEXT NOT NULL,
        actor TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX corrections_by_mention ON corrections(mention, version, head, seq)",
)
_CLUSTERS: tuple[str, ...] = (
    # as the analyze stage holds them in memory, by the observation with which they came in
    """CREATE TABLE cluster_members (
        mention INTEGER PRIMARY KEY REFERENCES mentions(id) ON DELETE CASCADE,
        seq INTEGER NOT NULL UNIQUE,
        at INTEGER NOT NULL,
        cluster TEXT NOT NULL,
        wording TEXT NOT NULL
    ) STRICT""",
    # until now each mention counted, from here on what says the same counts once: no comparison
    "DELETE FROM baselines",
    "DELETE FROM listening",
    """INSERT OR REPLACE INTO watermarks
        SELECT 'clusters.after', seq FROM observations ORDER BY seq DESC LIMIT 1""",
)

RELEASED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("0001_first_schema", (*_MENTIONS, *_ALERTS, *_PEOPLE)),
    (
        "0002_streams_spikes_erasure",
        (*_AUTHORS, *_SOURCES, *_PASSWORDS, *_BASELINES, *_ERASURE, *_OPERATIONS, *_REPORTS),
    ),
    ("0003_understanding", (*_CORRECTIONS, *_CLUSTERS)),
)
"""Name and statements, in order."""
