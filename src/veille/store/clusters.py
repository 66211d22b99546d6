"""Which mentions say the same: what the analyze stage holds in memory, kept as it stands there."""

from __future__ import annotations

from collections.abc import Iterator

from veille.domain.record import ClusterMember
from veille.store import observations
from veille.store.codec import micros, moment
from veille.store.engine import Db

# the version that was observed may have been edited since: its text is in mention_versions then
_MEMBERS = """SELECT o.key, c.at, c.cluster, c.wording,
        CASE WHEN o.own THEN NULL ELSE o.author END AS author,
        CASE WHEN o.version = m.version THEN m.text ELSE v.text END AS text
    FROM cluster_members c
    JOIN observations o ON o.seq = c.seq
    JOIN mentions m ON m.id = c.mention
    LEFT JOIN mention_versions v ON v.mention = c.mention AND v.version = o.version
    ORDER BY c.seq"""
_LEFT = """SELECT DISTINCT o.key FROM observations o
    LEFT JOIN cluster_members c ON c.mention = o.mention
    WHERE o.seq > ? AND c.mention IS NULL"""


def members(db: Db) -> Iterator[tuple[ClusterMember, str]]:
    """Yield each member with its text, in the order of arrival; to be used up before `db` goes."""
    for row in db.each(_MEMBERS):
        member = ClusterMember(
            key=row["key"],
            author=row["author"],
            at=moment(row["at"]),
            cluster=row["cluster"],
            wording=row["wording"],
        )
        yield member, row["text"] or ""


def left(db: Db, after: int) -> tuple[list[str], int]:
    """Return the keys observed after this `seq` that belong nowhere, and the last `seq`.

    Deleted ones are among them. Forgetting one that was never known does no harm.
    """
    last = observations.last_seq(db)  # first: what comes meanwhile is listed now and once more
    return [row["key"] for row in db.rows(_LEFT, (after,))], last


def put(db: Db, member: ClusterMember) -> None:
    """The mention, observed just now in this change, stands there and no longer elsewhere."""
    db.execute(
        """INSERT OR REPLACE INTO cluster_members
        SELECT o.mention, max(o.seq), ?, ?, ?
        FROM observations o JOIN mentions m ON m.id = o.mention WHERE m.key = ?""",
        (micros(member.at), member.cluster, member.wording, member.key),
    )


def forget_before(db: Db, key: str) -> None:
    """Nothing is kept that came in before the member of this key."""
    db.execute(
        """DELETE FROM cluster_members WHERE seq < (
            SELECT c.seq FROM cluster_members c JOIN mentions m ON m.id = c.mention
            WHERE m.key = ?)""",
        (key,),
    )
