"""`veille init`: a new installation in a folder, whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from veille.app.check import private_addresses
from veille.app.starter import Answers, texts
from veille.config import load, packaged
from veille.domain.errors import ConfigError
from veille.store.engine import SqliteStore
from veille.web.users import add_user

ENTRIES = ("rules", "data", ".gitignore", "secrets.toml", "config.toml")
"""In the order they are put in place: without config.toml nothing reads the others."""
_STAGING = ".veille-init"
_INODES = "inodes.json"


async def create(folder: Path, answers: Answers, *, now: datetime) -> str:
    """Return the administrator's one-time password; the folder then holds a whole installation.

    ConfigError, with nothing written, when one of the files exists or an answer cannot work. What
    an init killed half-way left is taken away by the next.
    """
    with _made(folder), _staging(folder) as staging:
        _refuse_existing(folder)
        _write(staging, answers)
        loaded = load(staging / "config.toml")
        for problem in private_addresses(loaded):
            raise ConfigError(f"{problem} (veille init: --allow-private)")
        store = SqliteStore(staging / "data" / "veille.db", group_commit=timedelta(0))
        async with store:
            password = await store.write(lambda db: add_user(db, answers.admin, "admin", now))
        _place(staging, folder)
    return password


def _refuse_existing(folder: Path) -> None:
    found = [str(folder / name) for name in ENTRIES if os.path.lexists(folder / name)]
    if found:
        raise ConfigError(
            f"{', '.join(found)}: already there, so nothing was written: "
            "name another folder with --dir"
        )


def _write(staging: Path, answers: Answers) -> None:
    for name, text in texts(answers).items():
        mode = 0o600 if name == "secrets.toml" else 0o644
        with open(staging / name, "x", encoding="utf-8", opener=_opener(mode)) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    rules = staging / "rules"
    rules.mkdir()
    for path in packaged("rules").glob("*.yml"):
        shutil.copyfile(path, rules / path.name)


def _opener(mode: int) -> Callable[[str, int], int]:
    return lambda path, flags: os.open(path, flags, mode)


def _place(staging: Path, folder: Path) -> None:
    """Put everything in place without replacing anything; on any failure nothing stays."""
    inodes = {name: (staging / name).stat().st_ino for name in ENTRIES}
    (staging / _INODES).write_text(json.dumps(inodes), encoding="utf-8")
    try:
        for name in ENTRIES:
            if (staging / name).is_dir():
                os.rename(staging / name, folder / name)  # refused where a filled folder stands
            else:
                os.link(staging / name, folder / name)  # unlike a rename, it never replaces
    except BaseException as error:
        _take_back(staging, folder)
        if isinstance(error, OSError):
            raise ConfigError(f"{error.filename2 or folder}: {error.strerror}") from error
        raise


def _take_back(staging: Path, folder: Path) -> None:
    """Remove what an init put into the folder without ending; only what it made itself."""
    try:
        inodes = json.loads((staging / _INODES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # killed before anything was put in place
    if _is(folder / "config.toml", inodes.get("config.toml")):
        return  # the last step was done: it is whole
    for name in ENTRIES:
        path = folder / name
        if not _is(path, inodes.get(name)):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _is(path: Path, inode: int | None) -> bool:
    return os.path.lexists(path) and path.lstat().st_ino == inode


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder exists; if it was made here and something fails, it does not stay."""
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--dir {folder}: {error.strerror}: name another folder") from error
    try:
        yield
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Give an empty folder (0700) beside the places to fill; it is gone afterwards."""
    staging = folder / _STAGING
    try:
        staging.mkdir(mode=0o700, exist_ok=True)
        # what is in it will be deleted: a link could lead anywhere
        descriptor = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}: name another folder with --dir") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConfigError(f"{staging}: another veille init is at work here: let it end") from error
    try:
        _take_back(staging, folder)
        for left in staging.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(descriptor)
