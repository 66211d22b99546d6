"""A replay as a process, killed when it has played half of its lines."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from veille.domain.errors import StoreError
from veille.pipeline.replay import CURSOR
from veille.store import sources
from veille.store.engine import connect_look


def kill_after(lines: int, command: Sequence[str], database: Path) -> None:
    """Run `command`, a replay into `database`; it is gone once it has taken so many lines."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while _taken(database) < lines:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
    process.kill()
    process.wait()


def _taken(database: Path) -> int:
    try:
        with closing(connect_look(database)) as db:
            cursor = sources.cursor(db, CURSOR)
    except StoreError:  # not made yet
        return 0
    return int(json.loads(cursor)["taken"]) if cursor else 0
