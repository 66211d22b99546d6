"""Look for bytes in files, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from veille.domain.errors import StoreError

CHUNK = 1 << 20
LIMIT_S = 6 * 3600.0
"""400 needles take three to seven minutes a gigabyte (measured): enough for 50 GB."""

_CHILD = "from veille.app.scan import answer; answer()"


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is asked, on its standard input: no argument list shows it."""

    files: list[bytes]  # a name need not be UTF-8
    needles: list[bytes]


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The needles in each file that has any, both by number, and how many bytes were read."""

    found: dict[int, list[int]]
    size: int


_WANTED = msgspec.json.Decoder(_Wanted)
_ANSWER = msgspec.json.Decoder(_Answer)


def scan(files: Sequence[Path], needles: Sequence[bytes]) -> tuple[dict[Path, set[bytes]], int]:
    """Return the needles that occur in each file that has any, and how many bytes were read.

    The store may be open: closing its files here would drop the locks that SQLite holds on them
    (they belong to the process), and another program would throw away its log. So another process
    reads them. Raises StoreError when it fails or takes more than six hours.
    """
    wanted = _Wanted(files=[os.fsencode(file) for file in files], needles=list(needles))
    try:
        done = subprocess.run(  # noqa: S603 our own module; what is looked for is no argument
            [sys.executable, "-P", "-c", _CHILD],
            input=msgspec.json.encode(wanted),
            capture_output=True,
            timeout=LIMIT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise StoreError(
            f"the files could not be looked through ({_cause(error)}): mend that and run the "
            "command again"
        ) from error
    answer = _ANSWER.decode(done.stdout)
    found = {files[file]: {needles[n] for n in seen} for file, seen in answer.found.items()}
    return found, answer.size


def answer() -> None:
    """Answer on standard output what standard input asks: the other end of `scan`."""
    wanted = _WANTED.decode(sys.stdin.buffer.read())
    found: dict[int, list[int]] = {}
    size = 0
    for number, name in enumerate(wanted.files):
        try:
            seen, read = _read(Path(os.fsdecode(name)), wanted.needles)
        except FileNotFoundError:
            continue  # a log file was rotated away, or the database closed
        except OSError as error:
            sys.exit(f"{error.filename}: {error.strerror}")
        size += read
        if seen:
            found[number] = sorted(seen)
    sys.stdout.buffer.write(msgspec.json.encode(_Answer(found=found, size=size)))


def _read(file: Path, needles: Iterable[bytes]) -> tuple[set[int], int]:
    """Return the numbers of the needles that occur in it, and its size."""
    left = dict(enumerate(needles))
    overlap = max(map(len, left.values()), default=1) - 1
    seen: set[int] = set()
    size = 0
    with file.open("rb") as stream:
        before = b""
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            window = before + chunk
            seen.update(n for n, needle in left.items() if n not in seen and needle in window)
            before = window[-overlap:] if overlap else b""
    return seen, size


def _cause(error: Exception) -> str:
    said: bytes | None = getattr(error, "stderr", None)
    lines = (said or b"").decode(errors="replace").splitlines()
    return lines[-1] if lines else type(error).__name__
