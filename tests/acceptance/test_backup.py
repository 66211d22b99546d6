"""A backup of the running daemon, brought back after the store is gone."""

from __future__ import annotations

import asyncio
import json
import subprocess

from servers.town import VEILLE, World, mention
from veille.store import mentions
from veille.store.engine import Db


def _ids(db: Db) -> set[str]:
    keys = [row["key"] for row in db.rows("SELECT key FROM mentions")]
    return {native for _, native in mentions.native_ids(db, keys).values()}


async def test_a_store_that_is_gone_comes_back_from_a_backup_made_under_load(world: World) -> None:
    async def veille(*args: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            subprocess.run,
            [str(VEILLE), *args],
            capture_output=True,
            text=True,
            cwd=world.daemon.folder,
            check=False,
        )

    accepted: set[str] = set()
    is_over = False

    async def push() -> None:
        number = 0
        while not is_over:
            number += 1
            one = mention(number, f"Saint-Aubin, message {number}", source="formulaire")
            assert await world.daemon.push(one, webhook_id=f"m{number}") == 202
            accepted.add(f"formulaire-{number}")

    await world.daemon.start()
    async with asyncio.TaskGroup() as group:
        group.create_task(push())
        async with asyncio.timeout(30):
            while len(accepted) < 20:
                await asyncio.sleep(0.05)
        before = set(accepted)
        made = await veille("backup", "--json")
        is_over = True
    assert made.returncode == 0, made.stderr
    file = json.loads(made.stdout)["file"]
    refused = await veille("backup", "restore", file, "--force")
    assert (refused.returncode, "stop it first" in refused.stderr) == (2, True)
    await world.daemon.kill()
    for left in (world.daemon.folder / "data").glob("veille.db*"):
        left.unlink()
    restored = await veille("backup", "restore", file)
    assert restored.returncode == 0, restored.stderr
    await world.daemon.start()
    async with world.daemon.store() as store:
        found = await store.read(_ids)
        assert before <= found <= accepted
        assert await store.read(lambda db: db.value("PRAGMA integrity_check")) == "ok"
    one = mention(10**6, "Saint-Aubin, après", source="formulaire")
    assert await world.daemon.push(one, webhook_id="after") == 202
    assert await world.daemon.stop() == 0
