"""What keeps the file healthy: looked through, its statistics fresh, old copies removed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from veille.domain.clock import monotonic_s
from veille.domain.errors import StoreError
from veille.store.engine import Db

STAMP = "%Y%m%dT%H%M%SZ"
ASIDE = ".before-"
"""What a restore replaced is named `<file>.before-<stamp>`."""
_STEP = 20_000
"""SQLite's virtual machine steps between two looks at the clock: some milliseconds."""


def quick_check(db: Db, *, limit_s: float) -> bool:
    """Whether the file was looked through within `limit_s`, and found whole.

    False when the time was too short; StoreError when it is damaged.
    """
    deadline, is_late = monotonic_s() + limit_s, False

    def may_stop() -> int:
        nonlocal is_late
        is_late = monotonic_s() > deadline
        return is_late

    db.connection.set_progress_handler(may_stop, _STEP)
    try:
        fault = str(db.value("PRAGMA quick_check(1)"))
    except StoreError:
        if is_late:
            return False
        raise
    finally:
        db.connection.set_progress_handler(None, 0)
    if fault != "ok":
        raise StoreError(f"the store is damaged ({fault}): stop veille and restore a backup")
    return True


def optimize(db: Db) -> None:
    """The planner knows how large tables have become, where that changed much."""
    db.execute("PRAGMA optimize")


def wal_bytes(database: Path) -> int:
    """Return the size of the write-ahead log, 0 when there is none."""
    try:
        return database.with_name(f"{database.name}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def drop_asides(folder: Path, *, before: datetime) -> int:
    """What restores replaced before then is removed; return how many files were.

    Nothing expires in such a file, and no erasure reaches it.
    """
    old = [f for f in folder.glob(f"*{ASIDE}*") if _is_before(f.name, before)]
    for file in old:
        file.unlink()
    return len(old)


def _is_before(name: str, before: datetime) -> bool:
    stamp = name.partition(ASIDE)[2].removesuffix("-wal").removesuffix("-shm")
    try:
        return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC) < before
    except ValueError:
        return False
