"""Backup and restore: the database with what belongs to it, never half made."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from veille.app.lock import alone
from veille.config import Loaded
from veille.domain.errors import ConfigError, StoreError
from veille.store import audit, backup
from veille.store.backup import Contents, ProgressReport
from veille.store.engine import Db, SqliteStore
from veille.store.upkeep import ASIDE, STAMP

LEDGER = "erasures.jsonl"
KEY = "mention.key"
UNFINISHED = "restore.unfinished"
"""Stands from the first change of a restore to its last: key and store may not fit meanwhile."""
_NAME = re.compile(r"veille-\d{8}T\d{6}Z\.db", re.ASCII)
_CHUNK = 4 * 1024 * 1024
_RUNNING = "a daemon runs on this data_dir: stop it first (systemctl stop veille)"
_BUSY = "another backup is being written here: wait for it"


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A new backup, and the names of old ones it replaced."""

    file: str
    contents: Contents
    removed: tuple[str, ...]


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What is in place now, and where what was there before is kept (None: there was nothing).

    `erased` counts mentions in the backup that were erased since, and now are again.
    """

    file: str
    contents: Contents
    aside: str | None
    erased: int


def make(
    loaded: Loaded, *, folder: Path | None, keep: int, now: datetime, report: ProgressReport
) -> Made:
    """Return the backup made of the store, verified, with at most `keep` in its folder.

    The daemon may go on. Whatever goes wrong (StoreError), no half of a backup is left, and none
    is removed.
    """
    database = _database(loaded)
    folder = folder or database.parent / "backups"
    final = folder / f"veille-{_stamp(now)}.db"
    with _told(folder, "no backup was made"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(folder / ".lock", busy=_BUSY):
            for left in folder.glob(".veille-*.part*"):  # by a backup that was killed
                left.unlink()
            _check_room(folder, backup.size(database))
            contents = _write(database, final, report)
            with _told(folder, f"{final.name} was made, and old ones stay"):
                removed = _rotate(final, keep)
    return Made(file=str(final), contents=contents, removed=removed)


def verify(file: Path) -> Contents:
    """Return what a backup holds, all of it read and found whole; StoreError otherwise."""
    return backup.verify(file)


async def restore(
    loaded: Loaded, file: Path, *, is_forced: bool, now: datetime, report: ProgressReport
) -> Restored:
    """The store is the backup's; what was there is kept beside it, and nobody is logged in.

    ConfigError while a daemon runs, or when there is a store and `is_forced` is false. StoreError
    when the backup is damaged; then nothing has changed.
    """
    from veille.app.privacy import reapply_erasures  # it knows the ledger's name from here

    database = _database(loaded)
    with _told(database, "nothing was restored"), alone(_lock(database), busy=_RUNNING):
        if database.exists() and not is_forced:
            raise ConfigError(f"{database}: exists; --force keeps it aside and restores")
        aside = database.with_name(f"{database.name}{ASIDE}{_stamp(now)}")
        draft = database.with_name(f".{database.name}.part")
        key = database.with_name(KEY)
        new_key = key.with_name(f".{KEY}.part")
        with _draft(draft, new_key):
            contents = _bring(file, draft, report)
            backup.fold(database)  # refused while in use: before anything is changed
            _bring_key(file.with_suffix(".key"), new_key)
            _bring_ledger(file.with_name(LEDGER), database.with_name(LEDGER))
            _mark(database, file)
            _change_key(new_key, key, now)
            had_old = backup.put_in_place(draft, database, aside)

        def settle(db: Db) -> None:
            backup.end_sessions(db)
            audit.add(db, at=now, actor="cli", action="store.restore", target=file.name)

        async with SqliteStore(database) as store:  # brings its schema up to date
            await store.write(settle)
            erased = await reapply_erasures(store, database.with_name(LEDGER), now=now)
        database.with_name(UNFINISHED).unlink()
        backup.sync(database.parent)
    return Restored(
        file=str(database),
        contents=contents,
        aside=str(aside) if had_old else None,
        erased=erased,
    )


def require_finished(database: Path) -> None:
    """Do nothing unless a restore of this store was killed half-way: then ConfigError."""
    mark = database.with_name(UNFINISHED)
    if mark.exists():
        name = mark.read_text(encoding="utf-8") or "FILE"
        raise ConfigError(
            f"{mark}: the restore of {name} was not finished, and store and {KEY} may not belong "
            f"together: repeat it (veille backup restore {name} --force)"
        )


def _mark(database: Path, file: Path) -> None:
    mark = database.with_name(UNFINISHED)
    mark.write_text(str(file.resolve()), encoding="utf-8", errors="replace")
    backup.sync(mark)
    backup.sync(mark.parent)


def _write(database: Path, final: Path, report: ProgressReport) -> Contents:
    drafts = [final.with_name(f".{final.name}.part"), final.with_name(f".{final.stem}.key.part")]
    with _draft(*drafts):
        _touch(drafts[0])
        backup.copy(database, drafts[0], report)
        contents = backup.verify(drafts[0])
        for name, draft, to in (
            (KEY, drafts[1], final.with_suffix(".key")),  # first: no backup is without its key
            (LEDGER, drafts[1], final.with_name(LEDGER)),
        ):
            if (one := database.with_name(name)).exists():
                _copy(one, draft)
                draft.replace(to)
        drafts[0].replace(final)
        backup.sync(final.parent)
    return contents


def _rotate(made: Path, keep: int) -> tuple[str, ...]:
    """Remove the oldest backups, never the one just made, whatever the clock says."""
    others = sorted(f for f in made.parent.iterdir() if _NAME.fullmatch(f.name) and f != made)
    old = others[: max(0, len(others) + 1 - keep)]
    for file in old:
        file.unlink()
    for key in made.parent.glob("veille-*.key"):
        if not key.with_suffix(".db").exists():
            key.unlink()
    return tuple(file.name for file in old)


def _bring(file: Path, draft: Path, report: ProgressReport) -> Contents:
    draft.unlink(missing_ok=True)  # left by a restore that was killed
    _copy(file, draft, report)
    return backup.verify(draft, original=file)


def _bring_key(beside: Path, draft: Path) -> None:
    draft.unlink(missing_ok=True)
    if beside.exists():
        _copy(beside, draft)


def _change_key(draft: Path, key: Path, now: datetime) -> None:
    """Keys of mentions are made with this key: another one would store everything twice."""
    if not draft.exists() or (key.exists() and key.read_bytes() == draft.read_bytes()):
        return
    if key.exists():
        key.rename(key.with_name(f"{key.name}{ASIDE}{_stamp(now)}"))
    draft.replace(key)


def _bring_ledger(beside: Path, ledger: Path) -> None:
    """On another machine the erasures since the backup are known from the newest one's ledger."""
    known = set(ledger.read_bytes().splitlines()) if ledger.exists() else set()
    found = beside.read_bytes().splitlines() if beside.exists() else []
    if missing := [line for line in found if line not in known]:
        descriptor = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(b"".join(line + b"\n" for line in missing))
        backup.sync(ledger)


def _quietly(done: int, total: int) -> None:
    del done, total  # small files are copied unseen


def _copy(file: Path, to: Path, report: ProgressReport = _quietly) -> None:
    """`to` holds the same bytes, only for us (0600), and is on the disk."""
    total, done = file.stat().st_size, 0
    _touch(to)
    with file.open("rb") as source, to.open("wb") as target:
        while chunk := source.read(_CHUNK):
            target.write(chunk)
            done += len(chunk)
            report(done, total)
    backup.sync(to)


def _touch(draft: Path) -> None:
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreError(
            f"{folder}: a backup takes {needed:,} bytes and {free:,} are free: "
            "free some space, or name another folder with --to"
        )


@contextmanager
def _draft(*drafts: Path) -> Iterator[None]:
    """What is half made is removed, whatever ended it."""
    try:
        yield
    finally:
        for draft in drafts:
            for file in draft.parent.glob(f"{draft.name}*"):  # and what SQLite put beside it
                file.unlink()


@contextmanager
def _told(where: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        name = error.filename or where
        raise StoreError(
            f"{name}: {error.strerror}; {what}: check the folder, its owner and the disk"
        ) from error


def _database(loaded: Loaded) -> Path:
    return loaded.resolve(loaded.config.veille.data_dir) / "veille.db"


def _lock(database: Path) -> Path:
    return database.with_name("veille.lock")


def _stamp(now: datetime) -> str:
    return now.astimezone(UTC).strftime(STAMP)
