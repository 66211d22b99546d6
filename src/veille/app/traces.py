"""After an erasure: let nothing of it lie in the files, and look for it byte by byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from veille.app.lock import is_held
from veille.app.scan import scan
from veille.domain.clock import monotonic_s
from veille.domain.errors import StoreError
from veille.store import people
from veille.store.engine import SqliteStore, connect

NEEDLE_BYTES = 5
"""Shorter ones occur by chance: four given bytes once in 4 GB, three once in 16 MB."""
PIECE_BYTES = 48
"""A text is looked for by its beginning and its end: it may lie across two pages."""
NEEDLES = 400
"""Looked for at most, names first: each takes a second a gigabyte."""
REWRITE_BYTES = 100_000_000
"""Rewritten beside a running daemon at most: its writer waits 5 s for another program."""
FOLD_S = 30.0
"""How long to wait for other programs' readers before the write-ahead log can be emptied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for, in clear and as JSON writes it; `too_short` and `left_out` were not."""

    needles: tuple[bytes, ...]
    too_short: int
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a scan saw: how many needles no text of others explains, and the files they are in."""

    files: tuple[str, ...]
    bytes_read: int
    others: int
    remains: int
    remains_in: tuple[str, ...]


def search_for(names: Iterable[str], texts: Iterable[str]) -> Search:
    """Return what to look for."""
    wanted = [spelled.encode() for name in names for spelled in (name, name.removeprefix("@"))]
    for text in texts:
        coded = text.encode()
        wanted += [coded[:PIECE_BYTES], coded[-PIECE_BYTES:]]
    spelled = list(dict.fromkeys(spelling for one in wanted for spelling in _spellings(one)))
    long = [one for one in spelled if len(one) >= NEEDLE_BYTES]
    return Search(
        needles=tuple(long[:NEEDLES]),
        too_short=len(spelled) - len(long),
        left_out=max(0, len(long) - NEEDLES),
    )


async def clear(store: SqliteStore, database: Path, search: Search, extra: Sequence[Path]) -> Found:
    """Return what is left of it in the files, once the write-ahead log is folded in.

    Where deleting left something, the whole database is written anew and looked through again,
    unless that would keep a running daemon from writing for too long. Raises StoreError when other
    programs' readers do not let go within 30 s.
    """
    found = await _look(store, database, search, extra)
    if database.name in found.remains_in and may_rewrite(database):
        await asyncio.to_thread(_rewrite, database)
        found = await _look(store, database, search, extra)
    return found


def may_rewrite(database: Path) -> bool:
    """Whether nobody else writes, or not for long enough to fail."""
    is_small = database.stat().st_size <= REWRITE_BYTES
    return is_small or not is_held(database.with_name("veille.lock"))


def scanned(database: Path, extra: Sequence[Path]) -> list[Path]:
    """Return the files that are looked through: beside the database, and those named."""
    own = [file for file in database.parent.iterdir() if file.is_file() and not _is_copy(file)]
    more = [f for path in extra for f in (path.rglob("*") if path.is_dir() else [path])]
    return sorted({*own, *(file for file in more if file.is_file())})


def copies(database: Path) -> list[str]:
    """Return the backups and former stores that lie beside the database: they are not changed."""
    folder = database.parent
    kept = [*folder.glob("backups/*.db"), *(f for f in folder.iterdir() if _is_copy(f))]
    return sorted(file.relative_to(folder).as_posix() for file in kept)


def _is_copy(file: Path) -> bool:
    return ".before-" in file.name


async def _look(store: SqliteStore, database: Path, search: Search, extra: Sequence[Path]) -> Found:
    deadline_s = monotonic_s() + FOLD_S
    while not await store.checkpoint():
        if monotonic_s() > deadline_s:
            raise StoreError(
                f"{database}: other programs read it without a pause, so that erased bytes still "
                "lie in the write-ahead log: stop them and run the command again"
            )
        await asyncio.sleep(0.1)
    files = scanned(database, extra)
    seen, size = await asyncio.to_thread(scan, files, search.needles)
    of_others = {
        needle
        for needle in set().union(*seen.values())
        if await store.read(partial(people.says, piece=needle.decode(errors="ignore")))
    }
    # a text of others explains the database only: no log has any reason to hold it
    left = {
        file: needles - of_others if file.name.startswith(database.name) else needles
        for file, needles in seen.items()
    }
    return Found(
        files=tuple(file.name for file in files),
        bytes_read=size,
        others=len(of_others),
        remains=len(set().union(*left.values())),
        remains_in=tuple(sorted(file.name for file, needles in left.items() if needles)),
    )


def _rewrite(database: Path) -> None:
    with closing(connect(database)) as db:
        db.execute("VACUUM")


def _spellings(needle: bytes) -> tuple[bytes, ...]:
    text = needle.decode(errors="ignore")
    return (text.encode(), json.dumps(text)[1:-1].encode())
