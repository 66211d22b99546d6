"""Lock files: who holds one is alone until it ends, however it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from veille.domain.errors import ConfigError

DAEMON = "another veille runs on this data_dir: stop it"
"""Two daemons on one store would both send."""


def is_held(path: Path) -> bool:
    """Whether another process holds the lock file; nothing is made or changed."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # let go at once, when it is closed
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def alone(path: Path, *, busy: str = DAEMON) -> Iterator[None]:
    """Hold the lock file; ConfigError, with `busy` as its remedy, when another process does."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(f"{path}: {busy}") from error
        yield
