"""The work folder: each stage's result, kept until what it was made from changes."""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from veille.domain.errors import ConfigError

Report = Callable[[int, float | None], None]
"""Takes how much is done so far, and of how much."""


KEY_SHOWN = 12  # hexadecimal digits that tell the folders of a stage apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """How a person hears of it: a line, and a bar with a name and a unit."""

    say: Callable[[str], None]
    progress: Callable[[str, str], AbstractContextManager[Report]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A stage's folder and the hash of everything it was made from."""

    folder: Path
    key: str


class Work:
    """Makes stages, each in a folder of its own, and skips those that are done and unchanged."""

    def __init__(self, folder: Path, talk: Talk) -> None:
        self.folder = folder
        self.talk = talk

    def made(
        self, name: str, inputs: object, code: tuple[ModuleType, ...], make: Callable[[Path], None]
    ) -> Made:
        """Return the stage's folder, filled by `make` unless it was, from the same.

        `inputs` is anything JSON can hold; `code` are the modules whose text decides the result.
        A stage that was stopped finds its folder as it left it, if its inputs are the same; made
        from others it has another folder, since nobody asked to lose the hours of the first.
        """
        key = digest([name, inputs, [inspect.getsource(module) for module in code]])
        folder = self.folder / f"{name}-{key[:KEY_SHOWN]}"
        if (folder / "done").is_file():
            self.talk.say(f"{name}: done before")
            return Made(folder=folder, key=key)
        if not folder.is_dir() and (earlier := len(list(self.folder.glob(f"{name}-*/done")))):
            self.talk.say(f"{name}: made anew, as inputs or code changed; {earlier} earlier kept")
        folder.mkdir(parents=True, exist_ok=True)
        make(folder)
        write(folder / "done", key.encode())
        self.talk.say(f"{name}: done")
        return Made(folder=folder, key=key)


@contextmanager
def opened(folder: Path, talk: Talk, *, may_resume: bool) -> Iterator[Work]:
    """Give the work folder to one program at a time. Raises ConfigError when it is in use.

    Without `may_resume` the folder must hold no stage: two trainings are never mixed by mistake.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder, folder / "lock"):
        if not may_resume and any(path.is_dir() for path in folder.iterdir()):
            raise ConfigError(
                f"{folder} holds an earlier training: go on with it by --resume, "
                "or name another folder with --work"
            )
        yield Work(folder, talk)


@contextmanager
def held(folder: Path, lock: Path) -> Iterator[None]:
    """Give the folder to one program at a time, by its lock. Raises ConfigError when in use."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"{folder} is in use by another training; wait for it") from error
        yield


def digest(value: object) -> str:
    """Return the SHA-256 of a value that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def write(path: Path, data: bytes) -> None:
    """Replace the file's content at once: a program that is killed leaves the old or the new."""
    with replaced(path) as beside:
        beside.write_bytes(data)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a path to write to, which takes the place of `path` once it is whole on disk."""
    beside = path.with_name(f"{path.name}.new")
    yield beside
    with beside.open("rb") as written:
        os.fsync(written.fileno())
    beside.replace(path)


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Give a copy of the folder to change, which takes its place once all is written.

    A program that is killed leaves the old or the new; between the two renames the old one stands
    beside, as `.NAME.old`, and the next call brings it back.
    """
    old, fresh = (folder.with_name(f".{folder.name}.{end}") for end in ("old", "new"))
    if old.is_dir() and not folder.exists():
        old.rename(folder)
    for left in (old, fresh):
        shutil.rmtree(left, ignore_errors=True)
    if folder.is_dir():
        shutil.copytree(folder, fresh)
    else:
        fresh.mkdir(parents=True)
    yield fresh
    if folder.is_dir():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
