"""The real program as a process, fed by local servers, watched by stand-ins for Slack and mail."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from aiohttp import web

from veille.demo.mail import MailStandIn
from veille.demo.slack import SlackStandIn
from veille.net.signature import sign
from veille.store.engine import SqliteStore

VEILLE = Path(sys.executable).with_name("veille")
SECRET = "whsec_" + base64.b64encode(b"acceptance-acceptance-32").decode()
CONFIG = """
[veille]
name = "Ville de Saint-Aubin"

[[watch]]
id = "mairie"
query = '"Saint-Aubin"'

[[source]]
id = "dossier"
kind = "file"
path = "mentions.jsonl"

[[source]]
id = "presse"
kind = "rss"
url = "{feed}"
poll = "1s"
allow_private = true

[[source]]
id = "formulaire"
kind = "webhook"
secret = "HOOK"

[[receiver]]
id = "astreinte"
kind = "slack"
token = "SLACK_TOKEN"
channel = "C0000000001"
api_url = "{slack}"
allow_private = true

[[receiver]]
id = "courriel"
kind = "email"
host = "127.0.0.1"
port = {smtp}
tls = "none"
sender = "veille@mairie.example"
to = ["astreinte@mairie.example"]
allow_private = true

[route]
receivers = ["astreinte", "courriel"]

[web]
listen = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"
"""


class FeedServer:
    """An Atom feed that grows."""

    def __init__(self) -> None:
        self.items: list[str] = []
        self._failures: list[int] = []

    def fail_next(self, status: int) -> None:
        """Answer the next request with this status."""
        self._failures.append(status)

    async def __aenter__(self) -> FeedServer:
        app = web.Application()
        app.router.add_get("/flux.xml", self._serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/flux.xml"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        if self._failures:
            return web.Response(status=self._failures.pop(0))
        entries = "".join(
            f"<entry><id>urn:presse:{n}</id><title>{text}</title>"
            "<updated>2026-01-18T02:00:00Z</updated></entry>"
            for n, text in enumerate(self.items)
        )
        body = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title>{entries}</feed>'
        return web.Response(text=body, content_type="application/atom+xml")


def mention(number: int, text: str, *, author: str | None = None, source: str) -> dict[str, object]:
    """One line of mention interchange, written now."""
    return {
        "source": source,
        "id": f"{source}-{number}",
        "text": text,
        "created_at": datetime.now(UTC).isoformat(),
        "author": {"id": author or f"auteur-{number}"},
    }


@dataclass
class Daemon:
    """`veille run` in a folder; it may be killed and started again."""

    folder: Path
    port: int
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    log: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, *, wait_ready: bool = True) -> None:
        self.starts += 1
        errors = (self.folder / f"stderr-{self.starts}.log").open("wb")
        with errors:
            self.process = await asyncio.create_subprocess_exec(
                str(VEILLE),
                "run",
                "--config",
                str(self.folder / "config.toml"),
                stderr=errors,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
        if wait_ready:
            await self.ready()

    async def ready(self) -> None:
        async with asyncio.timeout(60), aiohttp.ClientSession() as client:
            while True:
                try:
                    async with client.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                if self.process is not None and self.process.returncode is not None:
                    raise AssertionError(self.errors())
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    def analyst(self) -> int:
        """Return the process that holds the model."""
        assert self.process is not None
        pid = self.process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(child)

    async def stop(self) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            return await self.process.wait()

    def errors(self) -> str:
        return (self.folder / f"stderr-{self.starts}.log").read_text()

    async def post(self, body: bytes, webhook_id: str, *, source: str = "formulaire") -> int:
        """Push a body, signed; 0 when nobody answered."""
        headers = sign(SECRET, webhook_id, datetime.now(UTC), body)
        async with aiohttp.ClientSession() as client:
            try:
                async with client.post(
                    f"{self.url}/hooks/{source}",
                    data=io.BytesIO(body),
                    headers=headers,
                    timeout=aiohttp.ClientTimeout(total=10),
                ) as answer:
                    return answer.status
            except (aiohttp.ClientError, TimeoutError):
                return 0

    async def push(self, *mentions: dict[str, object], webhook_id: str) -> int:
        return await self.post(b"\n".join(json.dumps(m).encode() for m in mentions), webhook_id)

    def store(self) -> SqliteStore:
        return SqliteStore(self.folder / "data" / "veille.db")


@dataclass
class World:
    """A town hall: its daemon, its feed, its Slack and its mail."""

    daemon: Daemon
    feed: FeedServer
    slack: SlackStandIn
    mail: MailStandIn

    def append(self, *mentions: dict[str, object]) -> None:
        """Write lines into the file that is listened to."""
        with (self.daemon.folder / "mentions.jsonl").open("ab") as file:
            for one in mentions:
                file.write(json.dumps(one).encode() + b"\n")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
