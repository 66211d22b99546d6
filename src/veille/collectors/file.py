"""Reads a file of mention interchange from where it stopped, over rotation and truncation."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from veille.collectors.base import FileSource
from veille.collectors.interchange import MAX_LINE_BYTES, parse_lines
from veille.domain.errors import SourceError
from veille.domain.mention import Batch

MAX_LINES = 500
_HEAD_BYTES = 256


class FileCursor(Struct, frozen=True, kw_only=True):
    """Where reading goes on: `offset` in bytes of the file `inode` whose start hashes to `head`.

    `line` lines were read before it. `is_inside`: it stands inside a line that is too long.
    """

    inode: int = 0
    offset: int = 0
    line: int = 0
    head: str = ""
    head_bytes: int = 0
    is_inside: bool = False


class FileCollector:
    """A PullCollector of one file; with `follow` an unfinished last line waits for its end."""

    def __init__(self, settings: FileSource) -> None:
        self._settings = settings

    async def read(self, cursor: str | None) -> Batch:
        """Return up to 500 further lines; the same cursor when there are none."""
        return await asyncio.to_thread(self._read, cursor)

    def _read(self, cursor: str | None) -> Batch:
        path = Path(self._settings.path)
        try:
            at = msgspec.json.decode(cursor or "{}", type=FileCursor)
        except msgspec.DecodeError:
            at = FileCursor()
        try:
            rotated = _rotated(path, at)
            if rotated is not None:
                batch = self._read_one(rotated, at, cursor, is_final=True)
                if batch.cursor != cursor:
                    return batch
            return self._read_one(path, at, cursor, is_final=not self._settings.follow)
        except OSError as error:
            what = f"source {self._settings.id}: file: {error.strerror or type(error).__name__}"
            raise SourceError(f"{what}: check path and rights") from error

    def _read_one(self, path: Path, at: FileCursor, cursor: str | None, *, is_final: bool) -> Batch:
        with _open(path, self._settings.id) as file:
            at = _resumed(file, at)
            file.seek(at.offset)
            part = _split(file.read(MAX_LINE_BYTES + 1), is_inside=at.is_inside, is_final=is_final)
            head = _head(file, _HEAD_BYTES)
        if not part.size:
            return Batch(cursor=cursor)
        # The tail of a line that was too long: its number is counted, its bytes say nothing.
        lines = [b"", *part.lines[1:]] if at.is_inside and part.lines else part.lines
        first = at.line if at.is_inside else at.line + 1
        batch = parse_lines(lines, first=first, unnamed=self._settings.id)
        after = FileCursor(
            inode=at.inode,
            offset=at.offset + part.size,
            line=first - 1 + len(lines) if lines else at.line,
            head=_digest(head),
            head_bytes=len(head),
            is_inside=part.is_inside,
        )
        return replace(batch, cursor=msgspec.json.encode(after).decode(), has_more=True)


@dataclass(frozen=True, slots=True)
class _Part:
    """Whole lines of a block, and how many bytes and line ends they took."""

    lines: list[bytes]
    size: int
    is_inside: bool = False


def _split(block: bytes, *, is_inside: bool, is_final: bool) -> _Part:
    """Return at most 500 whole lines; with `is_final` the end of the file ends a line too."""
    is_end = len(block) <= MAX_LINE_BYTES
    lines = block.split(b"\n", MAX_LINES)
    rest = lines.pop()
    if len(lines) == MAX_LINES:
        return _Part(lines, len(block) - len(rest))
    if is_end and is_final and rest:
        return _Part([*lines, rest], len(block))
    if not lines and not is_end:
        # Longer than any mention: its first part goes to be rejected, the rest is passed over.
        return _Part([] if is_inside else [rest], len(block), is_inside=True)
    return _Part(lines, len(block) - len(rest))


def _resumed(file: BinaryIO, at: FileCursor) -> FileCursor:
    """Return the cursor if this is the file it speaks of, else one at the start of this file."""
    found = os.fstat(file.fileno())
    is_same = found.st_ino == at.inode and found.st_size >= at.offset
    if is_same and _digest(_head(file, at.head_bytes)) == at.head:
        return at
    return FileCursor(inode=found.st_ino)


def _rotated(path: Path, at: FileCursor) -> Path | None:
    """Return where the file of the cursor was renamed to: its end is still to be read."""
    if not at.inode or (path.exists() and path.stat().st_ino == at.inode):
        return None
    for candidate in path.parent.iterdir():
        if candidate.name.startswith(path.name) and candidate.stat().st_ino == at.inode:
            return candidate
    return None


def _open(path: Path, source: str) -> BinaryIO:
    if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would block the thread for ever
        raise SourceError(f"source {source}: path is no ordinary file: check it", may_retry=False)
    return path.open("rb")


def _head(file: BinaryIO, size: int) -> bytes:
    file.seek(0)
    return file.read(size)


def _digest(head: bytes) -> str:
    return hashlib.sha256(head).hexdigest()[:16]
