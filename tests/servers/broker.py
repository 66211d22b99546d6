"""A real mosquitto on 127.0.0.1: its own configuration and folder, the same port all its life."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import aiomqtt
import pytest

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
DURABLE = """
persistence true
autosave_on_changes true
autosave_interval 20
max_queued_messages 100000
max_inflight_messages 100
max_packet_size 1048576
"""
"""What docs/mqtt.md recommends: a test holds the two together."""

requires_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None and not os.environ.get("CI"),
    reason="mosquitto is missing: apt-get install mosquitto",
)


class BrokerStandIn:
    """A mosquitto of its own; `async with` runs it until the block ends."""

    def __init__(self, folder: Path, *, settings: str = DURABLE, access: str = "") -> None:
        self._folder = folder / "mosquitto"
        self._folder.mkdir()
        self._process: asyncio.subprocess.Process | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._config = self._folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\n"
            f"persistence_location {self._folder}/\n"
            f"user {getpass.getuser()}\n"  # started by root it would lose its rights to the folder
            f"{access or 'allow_anonymous true'}\n{settings}\n"
        )

    @property
    def host(self) -> str:
        return "127.0.0.1"

    @property
    def folder(self) -> Path:
        return self._folder

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Return once it takes connections."""
        assert MOSQUITTO is not None
        with (self._folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                MOSQUITTO, "-c", str(self._config), stdout=log, stderr=log
            )
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection(self.host, self.port)
                except OSError:
                    assert self._process.returncode is None, self.log()
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    await writer.wait_closed()
                    return

    async def stop(self) -> None:
        """Let it write its state and end."""
        await self._end(is_killed=False)

    async def kill(self) -> None:
        """End it at once, as a power cut would."""
        await self._end(is_killed=True)

    async def _end(self, *, is_killed: bool) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if is_killed:
            process.kill()
        else:
            process.terminate()
        async with asyncio.timeout(10):
            await process.wait()

    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    @asynccontextmanager
    async def client(self, **options: object) -> AsyncIterator[aiomqtt.Client]:
        """A plain MQTT 5 client of somebody else."""
        async with aiomqtt.Client(
            self.host,
            self.port,
            protocol=aiomqtt.ProtocolVersion.V5,
            **options,  # type: ignore[arg-type]
        ) as client:
            try:
                yield client
            finally:
                if client._disconnected.done():
                    client._disconnected.exception()  # looked at, or the loop prints it

    async def publish(
        self, topic: str, *payloads: bytes, qos: int = 1, retain: bool = False
    ) -> None:
        """Return once the broker confirmed every payload."""
        async with self.client() as client:
            for payload in payloads:
                await client.publish(topic, payload, qos=qos, retain=retain)

    async def retained(self, topic: str) -> bytes | None:
        """Return what stands on a topic, None when nothing does."""
        async with self.client() as client:
            await client.subscribe(topic, qos=1)
            try:
                async with asyncio.timeout(0.5):
                    return bytes((await anext(client.messages)).payload)
            except TimeoutError:
                return None


def password_file(path: Path, users: Sequence[tuple[str, str]]) -> Path:
    """Write a mosquitto password file."""
    tool = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
    path.touch(mode=0o600)
    for name, password in users:
        subprocess.run([tool, "-b", str(path), name, password], check=True, capture_output=True)
    return path
