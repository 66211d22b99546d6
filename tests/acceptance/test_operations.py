"""The daemon under systemd's hand: confined, watched, measured, stopped under load."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from servers.supervisor import Supervisor
from servers.town import VEILLE, World, mention
from veille.app.analyst_process import NICE

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd" / "veille.service"
CONFINE = ROOT / "tests" / "servers" / "confine.py"
CALL = "Au secours, l'eau monte à Saint-Aubin, Zébulon est coincé à l'étage, 06 39 98 12 34"


async def _can_confine() -> bool:
    if shutil.which("systemd-analyze") is None:
        return False
    trial = await asyncio.create_subprocess_exec(
        sys.executable, str(CONFINE), str(UNIT), "true", stderr=asyncio.subprocess.DEVNULL
    )
    return await trial.wait() == 0


async def _start(world: World, supervisor: Supervisor) -> None:
    """Start `veille run` as the unit does, its system calls included where the kernel can."""
    confined = [sys.executable, str(CONFINE), str(UNIT)] if await _can_confine() else []
    folder = world.daemon.folder
    world.daemon.starts = 1
    with (folder / "stderr-1.log").open("wb") as errors:
        world.daemon.process = await asyncio.create_subprocess_exec(
            *confined,
            str(VEILLE),
            "run",
            "--config",
            str(folder / "config.toml"),
            stderr=errors,
            env=os.environ | {"NOTIFY_SOCKET": supervisor.address, "OMP_NUM_THREADS": "1"},
        )


async def _page(world: World, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{world.daemon.url}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def _heard(supervisor: Supervisor, line: str) -> list[str]:
    """Return what was said up to this line; TimeoutError when it is not within a minute."""
    lines: list[str] = []
    async with asyncio.timeout(60):
        while line not in lines:
            lines += supervisor.heard()
            await asyncio.sleep(0.05)
    return lines


async def _overload(world: World) -> None:
    """Push and write without end, urgent calls among the rest."""
    for number in range(100_000):
        text = CALL if number % 10 == 0 else f"Saint-Aubin, message {number}"
        one = mention(number, f"{text} ({number})", author="zebulon-handle", source="formulaire")
        await world.daemon.push(one, webhook_id=f"load_{number}")
        world.append(*(one | {"id": f"file-{number}-{n}", "source": "dossier"} for n in range(20)))


async def test_a_confined_daemon_is_ready_watched_measured_and_stops_under_load(
    world: World,
) -> None:
    config = world.daemon.folder / "config.toml"
    text = config.read_text().replace("[veille]\n", '[veille]\nlog_level = "debug"\n', 1)
    config.write_text(text)
    with Supervisor(str(world.daemon.folder / "notify")) as supervisor:
        await _start(world, supervisor)
        said = await _heard(supervisor, "READY=1")
        assert said[0] == "READY=1"  # nothing before it listens
        assert (await _page(world, "/readyz"))[0] == 200
        assert (await _page(world, "/livez"))[0] == 200
        loading = asyncio.ensure_future(_overload(world))
        async with asyncio.timeout(60):
            while not world.slack.received():
                await asyncio.sleep(0.1)
        status = await _heard(supervisor, "WATCHDOG=1")
        await asyncio.sleep(0)
        figures = (await _page(world, "/metrics"))[1]
        assert 'veille_notifications_total{channel="slack",outcome="sent"' in figures
        assert "bulon" not in figures
        reader = world.daemon.analyst()
        (memory,) = re.findall(
            r"^veille_analyst_process_resident_memory_bytes (.*)$", figures, re.M
        )
        assert float(memory) > 100e6  # the model is in there
        assert os.getpriority(os.PRIO_PROCESS, reader) == NICE  # the unit lets it
        os.kill(reader, signal.SIGTERM)  # systemd's goes to every process of the service
        assert (await world.daemon.stop()) == 0  # within 30 s
        assert not Path(f"/proc/{reader}").exists()
        loading.cancel()
        status += supervisor.heard()
        assert any(line.startswith("STATUS=À l'écoute de 3 sources") for line in said + status)
        assert "STOPPING=1" in status
    lines = [json.loads(line) for line in world.daemon.errors().splitlines()]
    assert {"started", "notification_sent", "stopped"} <= {line["event"] for line in lines}
    for word in ("bulon", "39 98 12 34", "xoxb", "coinc", "zebulon-handle"):
        assert word not in world.daemon.errors()


@pytest.mark.parametrize("broken", ["[heartbeat]\nurl = 'ftp://x'\n", "[heartbeat]\nevry = '1m'\n"])
async def test_a_wrong_heartbeat_is_refused_by_name(world: World, broken: str) -> None:
    config = world.daemon.folder / "config.toml"
    config.write_text(config.read_text() + broken)
    process = await asyncio.create_subprocess_exec(
        str(VEILLE), "check", "--config", str(config), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"heartbeat" in errors
