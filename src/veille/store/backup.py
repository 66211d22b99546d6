"""Copies of the database: made while it is in use, verified, and put in its place."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec

from veille.domain.errors import StoreError
from veille.store.codec import moment
from veille.store.engine import Db, connect, connect_copy, is_busy, require_known

ProgressReport = Callable[[int, int], None]
"""Told bytes written so far and expected in all, both rough."""

_STEP = 20_000
"""SQLite's virtual machine steps between two reports: some milliseconds."""


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy holds; `newest_at` is when its last mention arrived (UTC)."""

    bytes: int
    schema: str
    mentions: int
    incidents: int
    queue: int
    waiting: int
    audit: int
    newest_at: datetime | None


def size(path: Path) -> int:
    """Return about how many bytes a copy of this database takes; StoreError when there is none."""
    _require(path)
    with closing(connect(path, is_reader=True)) as db:
        return _size(db)


def copy(path: Path, to: Path, report: ProgressReport) -> None:
    """`to`, an empty file, holds what is committed in the database now, and is on the disk.

    One snapshot without free pages or write-ahead log; writers go on meanwhile. Raises StoreError.
    """
    _require(path)
    with closing(connect(path, is_reader=True)) as db:
        total = _size(db)

        def tell() -> int:
            report(to.stat().st_size, total)
            return 0

        db.execute("PRAGMA query_only = OFF")  # it refuses VACUUM INTO, which only reads here
        db.connection.set_progress_handler(tell, _STEP)
        Db(db.connection, to).execute("VACUUM INTO ?", (str(to),))  # its errors are the copy's
    sync(to)


def verify(path: Path, *, original: Path | None = None) -> Contents:
    """Return what a copy holds once SQLite found no fault in all of it; StoreError otherwise.

    The error names `original`, of which the file has the bytes, if it is given.
    """
    named = original or path
    _require(path)
    try:
        with closing(connect_copy(path)) as db:
            require_known(db, named)
            _require_whole(db, named)
            return _contents(db, path)
    except StoreError as error:
        if error.__cause__ is None:
            raise
        # SQLite's: the engine's remedies are for the store in use
        message = f"{named}: no whole backup of veille ({error.__cause__}): use another backup"
        raise StoreError(message) from error.__cause__


def fold(path: Path) -> None:
    """The log, if there is one, is folded into the file; StoreError while anybody has it open.

    A damaged database is let be.
    """
    if not path.exists():
        return
    try:
        with closing(connect(path, is_reader=True)) as db:
            db.execute("PRAGMA journal_mode = DELETE")
    except StoreError as error:
        if is_busy(error):
            raise


def put_in_place(copied: Path, path: Path, aside: Path) -> bool:
    """The file `copied` is the database; what was there is `aside`. Return whether there was one.

    Nobody may have the database open: StoreError then, and nothing has changed. Killed at any
    line, either the old or the new database is in place.
    """
    has_old = path.exists()
    if has_old:
        fold(path)
        os.link(path, aside)
    for suffix in ("-wal", "-shm"):
        # of a damaged or deleted database: SQLite would write an old log into the new file
        if (log := path.with_name(path.name + suffix)).exists():
            log.rename(aside.with_name(aside.name + suffix))
    os.replace(copied, path)
    sync(path.parent)
    return has_old


def end_sessions(db: Db) -> int:
    """Nobody is logged in: what was closed, revoked or used since must not live again."""
    for table in ("api_tokens", "invitations", "devices"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608 constants
    return db.execute("DELETE FROM sessions").rowcount


def sync(path: Path) -> None:
    """A file's bytes, or a folder's names, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require(path: Path) -> None:
    if not path.is_file():  # SQLite would make it
        raise StoreError(f"{path}: no such file: check data_dir in config.toml, or the name")


def _require_whole(db: Db, path: Path) -> None:
    faults = [row[0] for row in db.rows("PRAGMA integrity_check(3)")]
    if faults != ["ok"]:
        raise StoreError(f"{path}: damaged ({'; '.join(faults)}): use another backup")


def _size(db: Db) -> int:
    pages, free, each = (
        int(db.value(f"PRAGMA {name}")) for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * each


def _contents(db: Db, path: Path) -> Contents:
    def count(what: str) -> int:
        return int(db.value(f"SELECT count(*) FROM {what}"))  # noqa: S608 our own words

    newest = db.value("SELECT max(received_at) FROM mentions")
    return Contents(
        bytes=path.stat().st_size,
        schema=str(db.value("SELECT max(name) FROM _sqlite_migrations")),
        mentions=count("mentions"),
        incidents=count("incidents"),
        queue=count("queue"),
        waiting=count("outbox WHERE state = 'waiting'"),
        audit=count("audit"),
        newest_at=None if newest is None else moment(newest),
    )
