"""The schema, as migrations: each is applied once, in the transaction that notes it."""

from __future__ import annotations

from veille.store.released import RELEASED
from veille.store.released_alerting import ALERTING

NAME = "veille"

# 0005: the queue, where the community manager on call works
# K: what the order of the queue is made of, beside each item; kept by triggers, so that whoever
# changes its mention, analysis or labels changes it in the same transaction
_REFRESH = """UPDATE queue SET (source, intent, sentiment, urgency, topics, places, audience) = (
    SELECT source, intent, sentiment, urgency, topics, places, audience
    FROM queue_facts WHERE key = queue.mention) WHERE """
_CLOCKS: tuple[str, ...] = (
    "ALTER TABLE queue ADD COLUMN source TEXT",
    "ALTER TABLE queue ADD COLUMN intent TEXT",
    "ALTER TABLE queue ADD COLUMN sentiment TEXT",
    "ALTER TABLE queue ADD COLUMN urgency REAL",
    "ALTER TABLE queue ADD COLUMN topics TEXT",
    "ALTER TABLE queue ADD COLUMN places TEXT",
    "ALTER TABLE queue ADD COLUMN audience INTEGER",
    # of the nearest clock that runs; store/obligations.py
    "ALTER TABLE queue ADD COLUMN due_at INTEGER",
    "ALTER TABLE queue ADD COLUMN warn_at INTEGER",
    "CREATE INDEX queue_by_change ON queue(updated_at)",
    # the last word of a person on a head, NULL where it is the machine's
    """CREATE VIEW said AS SELECT mention, version, head, nullif(value, '') AS value
        FROM corrections c WHERE seq = (SELECT max(x.seq) FROM corrections x
            WHERE x.mention = c.mention AND x.version = c.version AND x.head = c.head)""",
    """CREATE VIEW queue_facts AS SELECT m.key, m.source,
        coalesce((SELECT value FROM said WHERE mention = m.id AND version = m.version
            AND head = 'intent'), json_extract(a.analysis, '$.intent.label')) AS intent,
        coalesce((SELECT value FROM said WHERE mention = m.id AND version = m.version
            AND head = 'sentiment'), json_extract(a.analysis, '$.sentiment.label')) AS sentiment,
        coalesce((SELECT CASE value WHEN 'urgent' THEN 1.0 WHEN 'normal' THEN 0.0 END
            FROM said WHERE mention = m.id AND version = m.version AND head = 'urgency'),
            json_extract(a.analysis, '$.urgency.score'), 0.0) AS urgency,
        coalesce((SELECT json_array(value) FROM said WHERE mention = m.id
            AND version = m.version AND head = 'topic' AND value IS NOT NULL),
            (SELECT json_group_array(json_extract(value, '$.id'))
            FROM json_each(a.analysis, '$.topics')), '[]') AS topics,
        (SELECT json_group_array(value) FROM (
            SELECT json_extract(value, '$.insee') AS value FROM json_each(a.analysis, '$.places')
            WHERE json_extract(value, '$.insee') IS NOT NULL
            UNION SELECT json_extract(value, '$.name') FROM json_each(a.analysis, '$.places')
            UNION SELECT json_extract(value, '$.text') FROM json_each(a.analysis, '$.entities')
            WHERE json_extract(value, '$.label') = 'LOC')) AS places,
        coalesce(m.followers, 0) AS audience
        FROM mentions m LEFT JOIN analyses a ON a.mention = m.id AND a.version = m.version""",
    f"{_REFRESH} true",
    f"""CREATE TRIGGER queue_added AFTER INSERT ON queue BEGIN
        {_REFRESH} id = new.id; END""",
    f"""CREATE TRIGGER queue_analyzed AFTER INSERT ON analyses BEGIN
        {_REFRESH} mention = (SELECT key FROM mentions WHERE id = new.mention); END""",  # noqa: S608 constants
    f"""CREATE TRIGGER queue_forgotten AFTER DELETE ON analyses BEGIN
        {_REFRESH} mention = (SELECT key FROM mentions WHERE id = old.mention); END""",  # noqa: S608 constants
    f"""CREATE TRIGGER queue_corrected AFTER INSERT ON corrections BEGIN
        {_REFRESH} mention = (SELECT key FROM mentions WHERE id = new.mention); END""",  # noqa: S608 constants
    # what is done with, or waits for somebody else, is not due
    """CREATE TRIGGER queue_rests AFTER UPDATE OF state ON queue
        WHEN new.state NOT IN ('new', 'taken') BEGIN
        UPDATE queue SET due_at = NULL, warn_at = NULL WHERE id = new.id; END""",
    # K: what is owed to who asked; what each column says: store/obligations.py
    """CREATE TABLE obligations (
        mention TEXT PRIMARY KEY,
        source TEXT NOT NULL,
        intent TEXT NOT NULL,
        is_asked INTEGER NOT NULL,
        asked_at INTEGER NOT NULL,
        thread TEXT,
        same_as TEXT,
        item INTEGER,
        state TEXT NOT NULL CHECK (state IN ('open', 'met', 'ended')),
        clocks TEXT NOT NULL,
        due_at INTEGER,
        warn_at INTEGER,
        replied_at INTEGER,
        answered_us INTEGER,
        replies TEXT NOT NULL DEFAULT '[]',
        outcome TEXT,
        actor TEXT,
        decided_at INTEGER,
        told_at INTEGER
    ) STRICT, WITHOUT ROWID""",
    # a text that is gone is owed nothing, from the moment it goes
    """CREATE TRIGGER obligations_end AFTER INSERT ON redactions BEGIN
        UPDATE obligations SET thread = NULL, due_at = NULL, warn_at = NULL,
            outcome = CASE state WHEN 'open' THEN new.cause ELSE outcome END,
            decided_at = CASE state WHEN 'open' THEN
                (SELECT at FROM tombstones WHERE key = new.mention) ELSE decided_at END,
            state = CASE state WHEN 'open' THEN 'ended' ELSE state END
        WHERE mention = new.mention; END""",
    # the last two cover what the menu counts on every page
    """CREATE INDEX obligations_open ON obligations(asked_at, mention, is_asked, state)
        WHERE state = 'open'""",
    "CREATE INDEX obligations_due ON obligations(warn_at) WHERE warn_at IS NOT NULL",
    """CREATE INDEX obligations_decided ON obligations(decided_at, mention)
        WHERE decided_at IS NOT NULL""",
    "CREATE INDEX obligations_asked ON obligations(asked_at)",
    "CREATE INDEX obligations_thread ON obligations(thread) WHERE thread IS NOT NULL",
    "CREATE INDEX obligations_same ON obligations(same_as) WHERE same_as IS NOT NULL",
    "CREATE INDEX obligations_item ON obligations(item) WHERE item IS NOT NULL",
)
_QUEUE: tuple[str, ...] = (
    *(
        f"ALTER TABLE queue ADD COLUMN {column}"
        for column in (
            "state_at INTEGER NOT NULL DEFAULT 0",
            "snoozed_until INTEGER",
            "snoozed_by TEXT",
            "waiting_for TEXT",
            "reason TEXT",
            "answered_at INTEGER",
            "answered_by TEXT",
            "reported_at INTEGER",
        )
    ),
    "UPDATE queue SET state_at = updated_at",
    "UPDATE queue SET answered_at = updated_at, answered_by = assignee WHERE state = 'answered'",
    "UPDATE queue SET reported_at = updated_at WHERE state = 'reported'",
    # a correction that is undone was never said
    f"""CREATE TRIGGER queue_uncorrected AFTER DELETE ON corrections BEGIN
        {_REFRESH} mention = (SELECT key FROM mentions WHERE id = old.mention); END""",  # noqa: S608 constants
    "CREATE INDEX queue_snoozed ON queue(snoozed_until) WHERE snoozed_until IS NOT NULL",
    # what can be undone for some seconds: what each target was before, without any text
    """CREATE TABLE deeds (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        verb TEXT NOT NULL,
        undone_at INTEGER
    ) STRICT""",
    "CREATE INDEX deeds_by_actor ON deeds(actor, id)",
    """CREATE TABLE deed_parts (
        deed INTEGER NOT NULL REFERENCES deeds(id) ON DELETE CASCADE,
        target TEXT NOT NULL,
        version INTEGER NOT NULL,
        before TEXT NOT NULL,
        PRIMARY KEY (deed, target)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX deed_parts_by_target ON deed_parts(target)",
    # notes that name a colleague, until that colleague looked
    """CREATE TABLE calls (
        note INTEGER NOT NULL,
        user TEXT NOT NULL REFERENCES users(folded) ON DELETE CASCADE,
        target TEXT NOT NULL,
        actor TEXT NOT NULL,
        at INTEGER NOT NULL,
        seen_at INTEGER,
        PRIMARY KEY (note, user)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX calls_open ON calls(user, at) WHERE seen_at IS NULL",
    "CREATE INDEX calls_by_target ON calls(target)",
    """CREATE TABLE drafts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        item INTEGER NOT NULL REFERENCES queue(id) ON DELETE CASCADE,
        text TEXT NOT NULL,
        author TEXT NOT NULL,
        image TEXT,
        state TEXT NOT NULL
            CHECK (state IN ('draft', 'proposed', 'approved', 'published', 'dropped')),
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        approved_by TEXT,
        published_by TEXT,
        published_at INTEGER,
        published_on TEXT,
        link TEXT,
        version INTEGER NOT NULL DEFAULT 1
    ) STRICT""",
    "CREATE INDEX drafts_by_item ON drafts(item, id)",
    """CREATE TABLE templates (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        text TEXT NOT NULL,
        author TEXT NOT NULL,
        updated_at INTEGER NOT NULL,
        version INTEGER NOT NULL DEFAULT 1
    ) STRICT""",
    # what people said of a queue item and the rule that put it there; the last word stands
    """CREATE TABLE item_verdicts (
        item INTEGER PRIMARY KEY REFERENCES queue(id) ON DELETE CASCADE,
        rule TEXT NOT NULL,
        verdict TEXT NOT NULL CHECK (verdict IN ('true_alert', 'false_alarm', 'wrong_label')),
        actor TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX item_verdicts_by_rule ON item_verdicts(rule, at)",
    "CREATE INDEX verdicts_by_rule ON verdicts(rule, at)",
    # mentions that a person split off an incident: its alerts do not bring them back
    """CREATE TABLE split_off (
        incident INTEGER NOT NULL REFERENCES incidents(id) ON DELETE CASCADE,
        mention TEXT NOT NULL,
        PRIMARY KEY (incident, mention)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX split_off_by_mention ON split_off(mention)",
)
_PAGES: tuple[str, ...] = (
    # V: filters of the queue that people keep under a name; owner '' is everybody
    """CREATE TABLE views (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner TEXT NOT NULL,
        name TEXT NOT NULL,
        query TEXT NOT NULL,
        made_at INTEGER NOT NULL,
        UNIQUE (owner, name)
    ) STRICT""",
    # V: what a mention answers and what answers it; "of a thread" in the order it was written
    "CREATE INDEX mentions_by_reply ON mentions(reply_to, created_at) WHERE reply_to IS NOT NULL",
    "CREATE INDEX mentions_by_thread ON mentions(thread, created_at) WHERE thread IS NOT NULL",
    # L: when somebody last had an incident before them, and until when the visit before lasted
    """CREATE TABLE looks (
        user TEXT NOT NULL,
        target TEXT NOT NULL,
        at INTEGER NOT NULL,
        before INTEGER,
        PRIMARY KEY (user, target)
    ) STRICT, WITHOUT ROWID""",
    # L: an incident's newest messages; what the institution itself says
    "CREATE INDEX evidence_by_incident ON evidence(incident, seq)",
    "CREATE INDEX mentions_own ON mentions(created_at) WHERE own",
    # L: messages of a cluster, wherever they stand
    "CREATE INDEX cluster_members_by_cluster ON cluster_members(cluster)",
    # P: the audit trail by each thing it is filtered by, in its own order
    "CREATE INDEX audit_by_actor ON audit(actor, seq)",
    "CREATE INDEX audit_by_action ON audit(action, seq)",
    "CREATE INDEX audit_by_target ON audit(target, seq)",
    "CREATE INDEX audit_by_time ON audit(at, seq)",
    # P: how far the chain was verified, and what the last whole look found; one row
    """CREATE TABLE audit_checks (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        seq INTEGER NOT NULL,
        hash TEXT NOT NULL,
        done_at INTEGER,
        count INTEGER NOT NULL DEFAULT 0,
        broken INTEGER
    ) STRICT""",
    # P: when the alerts of each rule fired
    """CREATE INDEX transitions_fired ON transitions(json_extract(alert, '$.rule'), at,
        json_extract(alert, '$.shadow')) WHERE json_extract(alert, '$.state') = 'firing'""",
)
_ACCESS: tuple[str, ...] = (
    "ALTER TABLE users ADD COLUMN language TEXT",
    # device: browser and system, coarse. proof: what was shown to open it
    "ALTER TABLE sessions ADD COLUMN device TEXT NOT NULL DEFAULT ''",
    """ALTER TABLE sessions ADD COLUMN proof TEXT NOT NULL DEFAULT 'password'
        CHECK (proof IN ('password', 'code', 'provider'))""",
    "ALTER TABLE sessions ADD COLUMN id_token TEXT",
    # the secret is sealed; a code counts once: `last_step` is that of the last one taken
    """CREATE TABLE second_factors (
        user TEXT PRIMARY KEY REFERENCES users(folded) ON DELETE CASCADE,
        sealed BLOB NOT NULL,
        proposed_at INTEGER NOT NULL,
        confirmed_at INTEGER,
        last_step INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    """CREATE TABLE recovery_codes (
        user TEXT NOT NULL REFERENCES users(folded) ON DELETE CASCADE,
        mac TEXT NOT NULL,
        PRIMARY KEY (user, mac)
    ) STRICT""",
    # browsers a user has logged in with: strangers' guesses do not slow these
    """CREATE TABLE devices (
        token_hash TEXT PRIMARY KEY,
        user TEXT NOT NULL REFERENCES users(folded) ON DELETE CASCADE,
        seen_at INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX devices_by_user ON devices(user, seen_at)",
    # who an identity provider says it is: issuer and subject, never an e-mail address
    """CREATE TABLE logins_elsewhere (
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        user TEXT NOT NULL REFERENCES users(folded) ON DELETE CASCADE,
        linked_at INTEGER NOT NULL,
        PRIMARY KEY (issuer, subject)
    ) STRICT""",
    "CREATE INDEX logins_elsewhere_by_user ON logins_elsewhere(user)",
    """CREATE TABLE invitations (
        token_hash TEXT PRIMARY KEY,
        user TEXT NOT NULL UNIQUE REFERENCES users(folded) ON DELETE CASCADE,
        expires_at INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE api_tokens (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        token_hash TEXT NOT NULL UNIQUE,
        user TEXT NOT NULL REFERENCES users(folded) ON DELETE CASCADE,
        name TEXT NOT NULL,
        scopes TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        used_at INTEGER,
        revoked_at INTEGER
    ) STRICT""",
    "CREATE INDEX api_tokens_by_user ON api_tokens(user, id)",
)
_SEARCH: tuple[str, ...] = (
    # S: what a search filters by (source, tone, topic, place, day…), each value once
    """CREATE TABLE search_terms (
        id INTEGER PRIMARY KEY,
        field TEXT NOT NULL,
        value TEXT NOT NULL,
        folded TEXT NOT NULL,
        UNIQUE (field, value)
    ) STRICT""",
    "CREATE INDEX search_terms_by_fold ON search_terms(field, folded)",
    # the mentions of each value, in the order they came
    """CREATE TABLE search_postings (
        term INTEGER NOT NULL,
        mention INTEGER NOT NULL,
        PRIMARY KEY (term, mention)
    ) STRICT, WITHOUT ROWID""",
    # narrow, to be counted by the ten thousand; `item` is the mention's queue item
    """CREATE TABLE search_facts (
        mention INTEGER PRIMARY KEY REFERENCES mentions(id) ON DELETE CASCADE,
        at INTEGER NOT NULL,
        terms TEXT NOT NULL,
        item INTEGER
    ) STRICT""",
    "CREATE INDEX search_items ON search_facts(mention) WHERE item IS NOT NULL",
    # a place nobody names any more may have been a person's: it goes with its last mention
    """CREATE TRIGGER search_facts_removed AFTER DELETE ON search_facts BEGIN
        DELETE FROM search_postings WHERE mention = old.mention
            AND term IN (SELECT value FROM json_each(old.terms));
        DELETE FROM search_terms WHERE id IN (SELECT value FROM json_each(old.terms))
            AND NOT EXISTS (SELECT 1 FROM search_postings p WHERE p.term = search_terms.id);
        END""",
    """CREATE TRIGGER queue_found AFTER INSERT ON queue BEGIN
        UPDATE search_facts SET item = new.id
            WHERE mention = (SELECT id FROM mentions WHERE key = new.mention); END""",
    """CREATE TRIGGER queue_lost AFTER DELETE ON queue BEGIN
        UPDATE search_facts SET item = NULL
            WHERE mention = (SELECT id FROM mentions WHERE key = old.mention); END""",
    # what was stored before is taken in by the sweep, the newest first
    """INSERT OR REPLACE INTO watermarks
        SELECT 'search.before', max(id) + 1 FROM mentions HAVING max(id) IS NOT NULL""",
)
_API: tuple[str, ...] = (
    # A: requests with an Idempotency-Key, for a day; key: SHA-256 of user and key, answer: sealed
    """CREATE TABLE api_requests (
        key TEXT PRIMARY KEY,
        hash TEXT NOT NULL,
        process TEXT NOT NULL,
        answer BLOB,
        at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX api_requests_by_age ON api_requests(at)",
)
_PUSH: tuple[str, ...] = (
    # W: browsers that a user had notified. The address is a secret: sealed; `mark` is its SHA-256
    """CREATE TABLE push_devices (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        user TEXT NOT NULL REFERENCES users(folded) ON DELETE CASCADE,
        mark TEXT NOT NULL UNIQUE,
        sealed BLOB NOT NULL,
        name TEXT NOT NULL,
        known TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        took_at INTEGER,
        took TEXT NOT NULL DEFAULT '',
        trouble TEXT NOT NULL DEFAULT ''
    ) STRICT""",
    "CREATE INDEX push_devices_by_user ON push_devices(user, id)",
)

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    *RELEASED,
    ("0004_alerting", ALERTING),
    ("0005_queue", (*_CLOCKS, *_QUEUE, *_PAGES, *_ACCESS, *_SEARCH, *_API, *_PUSH)),
)
"""Name and statements, in order. Never change one that was released: append another."""
