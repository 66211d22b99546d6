"""SQLite: one writer thread, a few readers, and the only import of a SQLite library."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from time import sleep
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from veille.domain.clock import monotonic_s
from veille.domain.errors import InputError, StoreError
from veille.store.alongside import joined
from veille.store.migrations import MIGRATIONS, NAME
from veille.store.writer import Lane, Writer

if TYPE_CHECKING:
    import sqlite3 as sqlite

    from sqlite_utils import Database
else:
    try:
        import pysqlite3 as sqlite  # as sqlite-utils chooses: two libraries drop each other's locks
    except ImportError:
        import sqlite3 as sqlite

T = TypeVar("T")
Row = sqlite.Row
Cursor = sqlite.Cursor
Value = str | int | float | bytes | None

CLOSE_LIMIT_S = 30.0
"""Closing waits this long for accepted writes; systemd's TimeoutStopSec is 45 s."""
BUSY_LIMIT_S = 5.0
"""A connection waits this long for another program's lock."""
FOLD_LIMIT_S = 0.2
"""Folding the log waits this long for readers."""
_PRAGMAS = (
    "foreign_keys = ON",
    "cell_size_check = ON",
    "secure_delete = ON",
    "journal_size_limit = 67108864",
)
_TRUSTWORTHY = (3, 51, 3)
"""SQLite from here on has no WAL-reset bug and lets triggers use FTS5 under trusted_schema=OFF."""
_REMEDIES = {
    "SQLITE_BUSY": "another program holds the database: stop it or try again",
    "SQLITE_LOCKED": "another program holds the database: stop it or try again",
    "SQLITE_CORRUPT": "the file is damaged: stop veille and restore a backup",
    "SQLITE_NOTADB": "the file is no database: check data_dir in config.toml",
    "SQLITE_FULL": "the disk is full: free some space",
    "SQLITE_IOERR": "the disk fails: look at the system log",
    "SQLITE_READONLY": "veille may not write there: check the owner of the file and its folder",
    "SQLITE_CANTOPEN": "veille may not write there: check the owner of the file and its folder",
    "SQLITE_PERM": "veille may not write there: check the owner of the file and its folder",
}


class Db:
    """One connection, used by one thread at a time. Every SQLite error becomes a StoreError."""

    def __init__(self, connection: sqlite.Connection, path: Path) -> None:
        self.connection = connection
        self._path = path

    def execute(self, sql: str, params: Sequence[Value] = ()) -> Cursor:
        """Run one statement and return its cursor; `rowcount` says how many rows it changed."""
        with _named(self._path):
            return self.connection.execute(sql, params)

    def many(self, sql: str, rows: Iterable[Sequence[Value]]) -> int:
        """Run one statement for each row and return how many rows it changed in all."""
        with _named(self._path):
            return self.connection.executemany(sql, rows).rowcount

    def rows(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """Return all rows of a query."""
        with _named(self._path):
            return self.connection.execute(sql, params).fetchall()

    def each(self, sql: str, params: Sequence[Value] = ()) -> Iterator[Row]:
        """Yield the rows of a query as they are read: not all of them are in memory at once."""
        with _named(self._path):
            yield from self.connection.execute(sql, params)

    def row(self, sql: str, params: Sequence[Value] = ()) -> Row | None:
        """Return the first row of a query, None when there is none."""
        with _named(self._path):
            found: Row | None = self.connection.execute(sql, params).fetchone()
            return found

    def value(self, sql: str, params: Sequence[Value] = ()) -> Any:  # a column has no static type
        """Return the first column of the first row, None when there is no row."""
        found = self.row(sql, params)
        return None if found is None else found[0]

    def rollback(self) -> None:
        """No transaction is open; nothing of it is kept."""
        with _named(self._path):
            self.connection.rollback()

    def close(self) -> None:
        """The connection is closed; what was not committed is lost."""
        self.connection.close()


def connect(path: Path, *, is_durable: bool = True, is_reader: bool = False) -> Db:
    """Open a connection with veille's pragmas; a writer creates the file (0600) and migrates it.

    With `is_durable` each commit is on the disk before it returns (synchronous=FULL); without, a
    power cut may damage the file: for replays and tests. Raises StoreError.
    """
    if not is_reader:
        _create(path)
    with _named(path):
        connection = sqlite.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=256
        )
    db = Db(connection, path)
    try:
        connection.row_factory = Row
        db.execute(f"PRAGMA busy_timeout = {BUSY_LIMIT_S * 1000:.0f}")
        _use_wal(db)
        for pragma in _PRAGMAS:
            db.execute(f"PRAGMA {pragma}")
        db.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'OFF'}")
        if sqlite.sqlite_version_info >= _TRUSTWORTHY:
            db.execute("PRAGMA trusted_schema = OFF")
        if is_reader:
            db.execute("PRAGMA query_only = ON")
        else:
            _migrate(db, path)
    except BaseException:
        db.close()
        raise
    return db


def connect_copy(path: Path) -> Db:
    """Open a database file that nobody writes, to read it; nothing is made beside it."""
    with _named(path):
        connection = sqlite.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    connection.row_factory = Row
    db = Db(connection, path)
    db.execute("PRAGMA cell_size_check = ON")
    return db


def connect_look(path: Path) -> Db:
    """Open a database that others may write, only to look: not even its log is folded."""
    with _named(path):
        connection = sqlite.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    connection.row_factory = Row
    return Db(connection, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """The SQLite library of this process; `is_safe`: without the WAL-reset bug."""

    version: str
    is_safe: bool
    has_fts5: bool


def library() -> Library:
    """Return which SQLite this is."""
    with closing(sqlite.connect(":memory:")) as connection:
        options = {row[0] for row in connection.execute("PRAGMA compile_options")}
    return Library(
        version=sqlite.sqlite_version,
        is_safe=sqlite.sqlite_version_info >= _TRUSTWORTHY,
        has_fts5="ENABLE_FTS5" in options,
    )


def require_known(db: Db, path: Path) -> None:
    """The database is veille's and this version can read it; StoreError otherwise."""
    applied = _applied(db)
    if not applied:
        raise StoreError(f"{path}: not a database of veille: choose another file")
    _refuse_newer(applied, path)


def is_busy(error: StoreError) -> bool:
    """Whether another connection stood in the way: waiting may help."""
    return _code(error.__cause__).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


class SqliteStore:
    """The database file, open between `async with`; created and migrated when it is entered.

    `group_commit` is the least time between two commits: what arrives meanwhile is committed
    together, with one fsync; a change that comes later is committed at once. Used from one loop.
    """

    def __init__(
        self,
        path: Path,
        *,
        group_commit: timedelta = timedelta(milliseconds=30),
        readers: int = 2,
        is_durable: bool = True,
    ) -> None:
        self._path = path
        self._is_durable = is_durable
        self._writer = Writer(partial(connect, path, is_durable=is_durable), window=group_commit)
        self._reader_count = readers
        self._readers: SimpleQueue[Db] = SimpleQueue()
        self._pool = ThreadPoolExecutor(readers, "store-reader")
        self._watch_pool = ThreadPoolExecutor(1, "store-watch")  # one thread: one connection
        self._watch: Db | None = None
        self._is_open = False

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._open)
        self._is_open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_open = False
        async with asyncio.timeout(CLOSE_LIMIT_S):
            await asyncio.to_thread(self._close)

    async def write(self, change: Callable[[Db], T], *, lane: Lane = Lane.STAGES) -> T:
        """Run `change` in the writer thread and return its result once it is committed.

        What `change` raises undoes that change only, and is raised here. StoreError when the
        commit fails (nothing is kept), the store is closed, or a thousand changes wait already.
        A caller cancelled before its change began has changed nothing; after, it may have. What
        `alongside.noting` holds is committed with it.
        """
        self._require_open()
        return await asyncio.wrap_future(self._writer.submit(joined(change), lane=lane))

    async def read(self, query: Callable[[Db], T]) -> T:
        """Return what `query` reads from one snapshot; it sees every write that has returned."""
        return await self._in(self._pool, partial(self._read, query))

    async def data_version(self) -> int:
        """Return a number that changes when any process commits a change, and only then."""
        return int(await self._in(self._watch_pool, partial(self._pragma, "data_version")))

    async def checkpoint(self) -> bool:
        """Whether the write-ahead log is now folded into the file, and empty; not while in use."""
        busy = await self._in(self._watch_pool, partial(self._pragma, "wal_checkpoint(TRUNCATE)"))
        return not busy

    @property
    def waiting_count(self) -> int:
        """How many changes wait for the writer."""
        return self._writer.waiting_count

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        self._require_open()
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    def _require_open(self) -> None:
        if not self._is_open:
            raise StoreError(f"{self._path}: the store is not open; use it inside `async with`")

    def _read(self, query: Callable[[Db], T]) -> T:
        db = self._readers.get()
        try:
            db.execute("BEGIN")
            try:
                return query(db)
            finally:
                db.rollback()
        finally:
            self._readers.put(db)

    def _pragma(self, name: str) -> Any:  # a pragma has no static type
        if self._watch is None:
            raise StoreError(f"{self._path}: the store is closed")
        return self._watch.value(f"PRAGMA {name}")

    def _open(self) -> None:
        self._writer.open()
        reader = partial(connect, self._path, is_durable=self._is_durable, is_reader=True)
        try:
            for _ in range(self._reader_count):
                self._readers.put(reader())
            self._watch = reader()
            # a checkpoint that waits for a long reader holds all writers up meanwhile
            self._watch.execute(f"PRAGMA busy_timeout = {FOLD_LIMIT_S * 1000:.0f}")
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        self._pool.shutdown()
        self._watch_pool.shutdown()
        while not self._readers.empty():
            self._readers.get().close()
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        self._writer.close()  # last, so that its connection folds the log and removes it


def _create(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_EXCL: closing a descriptor of an open database would drop this process's locks on it
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; {_REMEDIES['SQLITE_CANTOPEN']}") from error


def _use_wal(db: Db) -> None:
    """Wait our turn: SQLite refuses at once, whatever busy_timeout says, while two switch."""
    deadline = monotonic_s() + BUSY_LIMIT_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except StoreError as error:
            if not is_busy(error) or monotonic_s() > deadline:
                raise
            sleep(0.01)
        else:
            return


def _migrate(db: Db, path: Path) -> None:
    """Apply what is missing in one transaction, so that two processes may start at once."""
    applied, known = _applied(db), {name for name, _ in MIGRATIONS}
    _refuse_newer(applied, path)
    if applied == known:
        return
    from sqlite_utils import Database, Migrations  # it loads numpy: 0.3 s no other start should pay

    migrations = Migrations(NAME)
    for name, statements in MIGRATIONS:
        migrations(name=name)(_running(statements))
    db.execute("BEGIN IMMEDIATE")
    try:
        with _named(path):
            migrations.apply(Database(db.connection, recursive_triggers=False))
        db.execute("COMMIT")
    finally:
        db.rollback()


def _refuse_newer(applied: set[str], path: Path) -> None:
    if strange := applied - {name for name, _ in MIGRATIONS}:
        raise StoreError(
            f"{path}: written by a newer veille (schema {max(strange)}): "
            "install that version again, or restore a backup made before it"
        )


def _applied(db: Db) -> set[str]:
    if db.row("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'") is None:
        return set()
    rows = db.rows("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (NAME,))
    return {row["name"] for row in rows}


def _running(statements: Sequence[str]) -> Callable[[Database], None]:
    def run(tables: Database) -> None:
        for statement in statements:
            tables.conn.execute(statement)

    return run


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeEncodeError:
        # its own message and cause would carry the text
        raise InputError(
            "half a character (a lone surrogate) cannot be stored: remove it"
        ) from None
    except sqlite.Error as error:
        name = _code(error)
        remedy = next((text for code, text in _REMEDIES.items() if name.startswith(code)), None)
        message = f"{path}: {error}" if remedy is None else f"{path}: {error}; {remedy}"
        raise StoreError(message) from error


def _code(error: BaseException | None) -> str:
    return getattr(error, "sqlite_errorname", None) or ""
