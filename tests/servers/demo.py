"""`veille demo` as a process: its address, its login, its store, and when its night is over."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import argon2

from servers.town import VEILLE
from veille.domain.access import Role
from veille.domain.clock import utc_now
from veille.store import users
from veille.store.engine import Db, SqliteStore

PASSWORD = "une rivière en crue 1910"
_SAID = re.compile(r"(http\S+)  \(identifiant : (\S+), mot de passe : (\S+)\)")
_OVER = "Ctrl-C"


@dataclass
class Demo:
    """The night of flooding, as `make demo` plays it; `async with` until the block ends."""

    folder: Path
    url: str = ""
    login: str = ""
    password: str = ""
    lines: list[str] = field(default_factory=list)
    _process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            str(VEILLE),
            "demo",
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"TMPDIR": str(self.folder), "OMP_NUM_THREADS": "1"},
        )
        async with asyncio.timeout(150):
            await self._read_until(_SAID.search)
        found = _SAID.search(self.lines[-1])
        assert found is not None
        self.url, self.login, self.password = found.groups()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            await self._process.communicate()

    async def over(self) -> None:
        """Everything has been played and told."""
        async with asyncio.timeout(150):
            await self._read_until(lambda line: _OVER in line)

    async def _read_until(self, is_it: object) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while not (self.lines and is_it(self.lines[-1])):  # type: ignore[operator]
            line = await self._process.stdout.readline()
            if not line:
                raise AssertionError("\n".join(self.lines))
            self.lines.append(line.decode())

    def store(self) -> SqliteStore:
        """Return the store of the demonstration, as another process sees it."""
        return SqliteStore(next(self.folder.glob("veille-demo-*/data/veille.db")))

    async def employ(self, **roles: Role) -> None:
        """These people may sign in with PASSWORD."""
        # quick to check: the parameters travel in the hash
        hashed = argon2.PasswordHasher(time_cost=1, memory_cost=64).hash(PASSWORD)

        def change(db: Db) -> None:
            now = utc_now()
            for name, role in roles.items():
                users.add(db, name=name, password_hash=hashed, role=role, now=now)
                users.set_password(db, name, password_hash=hashed, must_change=False, now=now)

        async with self.store() as store:
            await store.write(change)
