"""Measure the pages of the queue over 1,000,000 mentions while 50 a second arrive.

    python benchmarks/pages.py [--mentions 1000000] [--requests 300] [--keep FOLDER] [--daemon]

A store is built from sentences made here (kept and reused with `--keep`). A server of its own
process answers a signed-in user; another process adds and analyzes mentions through the store.
With `--daemon` the whole daemon does both, with its model and the shipped rules, and reads the
mentions from a file. Printed for each page: wall time at the client, processor time of the server,
bytes; at the end how many mentions arrived, and how many of them the model had still to read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from million import PASSWORD, PROMISES, SOURCES, TOPICS, Speaker, make, masked

from veille.domain.analysis import Analysis
from veille.domain.clock import utc_now
from veille.domain.record import MaskedMention
from veille.store import mentions, obligations, work
from veille.store.engine import Db, SqliteStore

PAGES = {
    "now": "/",
    "queue": "/queue",
    "queue, filtered": "/queue?source=presse&severity=warning",
    "queue, closed": "/queue?state=closed&tone=negative",
    "incident": "/incidents/1",
    "mention": "/queue/19990",
    "ledger": "/ledger",
    "search, rare word": "/search?q=ornithorynque",
    "search, common word": "/search?q=mairie",
    "search, phrase": "/search?q=%22salle+des+f%C3%AAtes%22",
    "search, beginning": "/search?q=tra*",
    "search, field only": "/search?q=ton%3An%C3%A9gatif",
    "search, word and filters": "/search?q=mairie+ton%3Apositif+source%3Ablog",
    "search, place and period": "/search?q=lieu%3Alavoir+du%3A{week}",
    "search, best": "/search?q=travaux+bruit&by=best",
    "search, queue state": "/search?q=etat%3Anouveau",
    "search, everything": "/search?q=",
}


class Quiet:
    """What a server asks for beside the store: all is well, nothing is pushed."""

    def is_live(self) -> bool:
        return True

    async def why_not_ready(self) -> tuple[str, ...]:
        return ()

    async def why_degraded(self) -> tuple[str, ...]:
        return ()

    async def accept(self, source_id: str, headers: Any, body: bytes) -> bytes:
        del source_id, headers, body
        return b"{}"

    async def open(self, key: str, *, actor: str) -> str | None:
        del key, actor
        return None


async def serve(path: Path) -> None:
    """Serve the pages until told to stop; the address is the first line printed."""
    # not above: the store is built and filled without the web
    from veille.alerts.settings import RouteSettings
    from veille.pipeline.actions import Actions
    from veille.web.app import build
    from veille.web.server import listen
    from veille.web.settings import WebSettings

    quiet = Quiet()
    async with SqliteStore(path) as store, AsyncExitStack() as stack:
        app = build(
            store=store, settings=WebSettings(), institution="Saint-Aubin",
            timezone=ZoneInfo("Europe/Paris"), language="fr",
            actions=Actions(store, route=RouteSettings(), now=utc_now), intake=quiet, health=quiet,
            originals=quiet, now=utc_now, topics=TOPICS,
        )  # fmt: skip
        print(await listen(app, "127.0.0.1:0", stack), flush=True)
        await asyncio.Event().wait()


async def write(path: Path, rate: float) -> None:
    """Add and analyze so many mentions a second, a batch each fifth of a second, until killed."""
    speaker = Speaker(7)
    number = 10_000_000 + int(time.time() * 10) % 10_000_000 * 1_000
    async with SqliteStore(path) as store:
        began, done = time.perf_counter(), 0
        while True:
            wanted = int((time.perf_counter() - began) * rate)
            batch = [
                (
                    masked(number + n, (said := speaker.text(n))[0], at=utc_now(),
                           source=SOURCES[n % len(SOURCES)]),
                    speaker.analysis(said[1])[0],
                )
                for n in range(done, wanted)
            ]  # fmt: skip
            if batch:
                await store.write(partial(_arrive, batch=batch))
            done = wanted
            print(done, flush=True)
            await asyncio.sleep(0.2)


def _arrive(db: Db, batch: list[tuple[MaskedMention, Analysis]]) -> None:
    now = utc_now()
    mentions.add(db, mentions=[mention for mention, _ in batch], tombstones=[], now=now)
    found = {mention.key: analysis for mention, analysis in batch}
    jobs = work.claim(db, limit=len(batch), now=now, lease=timedelta(minutes=1))
    work.save(db, [(job, found[job.key]) for job in jobs if job.key in found], now=now)
    obligations.refresh(db, found, PROMISES, now=now)


def cpu_s(pid: int) -> float:
    """Return the processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(url: str, pid: int, count: int) -> None:
    """Ask each page so often, one after the other, and print a line each."""
    week = (datetime.now(UTC) - timedelta(days=7)).date().isoformat()
    head = ("page", "p50 ms", "p95 ms", "p99 ms", "CPU ms", "kB")
    print("| " + " | ".join(head) + " |\n|---" * 1 + "|---" * (len(head) - 1) + "|")
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        form = {"name": "Camille", "password": PASSWORD, "next": "/"}
        await session.post(f"{url}/login", data=form, headers={"Sec-Fetch-Site": "same-origin"})
        for name, path in PAGES.items():
            took, size = [], 0
            before = cpu_s(pid)
            for _ in range(count):
                began = time.perf_counter()
                asked = url + path.format(week=week)
                async with session.get(asked, allow_redirects=False) as answer:  # no login
                    size = len(await answer.read())
                    if answer.status != 200:
                        raise SystemExit(f"{name}: {answer.status}")
                took.append((time.perf_counter() - began) * 1000)
            used = (cpu_s(pid) - before) / count * 1000
            cuts = statistics.quantiles(took, n=100)
            print(f"| {name} | {cuts[49]:.0f} | {cuts[94]:.0f} | {cuts[98]:.0f} | {used:.0f} | "
                  f"{size / 1000:.0f} |", flush=True)  # fmt: skip


def child(*arguments: str) -> subprocess.Popen[str]:
    """Start this program in another part."""
    return subprocess.Popen(
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True
    )


TOWN = """
[veille]
name = "Saint-Aubin"
[[watch]]
id = "mairie"
query = '"Saint-Aubin"'
[[source]]
id = "dossier"
kind = "file"
path = "mentions.jsonl"
[rules]
directory = "{rules}"
[privacy.retention]
neutral = "365d"
flagged = "365d"
[web]
listen = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"
"""


def town(folder: Path, database: Path) -> tuple[subprocess.Popen[str], str]:
    """Start the daemon on a copy of the database; return it and its address once it is ready.

    Its rules have then counted their past, which they do once.
    """
    (folder / "data").mkdir(parents=True)
    shutil.copy(database, folder / "data" / "veille.db")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    rules = Path(__file__).parent.parent / "rules"
    config, secrets = folder / "config.toml", folder / "secrets.toml"
    config.write_text(TOWN.format(rules=rules.resolve(), port=port))
    secrets.touch(mode=0o600)
    secrets.write_text('PSEUDONYM_KEY = "a key for the benchmark"\n')
    (folder / "mentions.jsonl").touch()
    veille = Path(sys.executable).with_name("veille")
    log = (folder / "log").open("w")
    daemon = subprocess.Popen([veille, "run", "--config", config], stderr=log, text=True)
    url = f"http://127.0.0.1:{port}"
    while True:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
                said = (folder / "log").read_text()
                if answer.status == 200 and ("past_counting" in said) == ('"left": 0' in said):
                    return daemon, url
        except OSError:
            if daemon.poll() is not None:
                raise SystemExit((folder / "log").read_text()) from None
        time.sleep(0.2)


def append(path: Path, rate: float) -> None:
    """Write so many mentions a second into a file, until killed."""
    speaker, began, done = Speaker(7), time.perf_counter(), 0
    while True:
        wanted = int((time.perf_counter() - began) * rate)
        with path.open("a", encoding="utf-8") as file:
            for n in range(done, wanted):
                said = {"source": "dossier", "id": f"n{n}", "author": {"id": f"a{n % 9_000}"},
                        "text": f"Saint-Aubin {speaker.text(n)[0]}",
                        "created_at": utc_now().isoformat()}  # fmt: skip
                file.write(json.dumps(said) + "\n")
        done = wanted
        print(done, flush=True)
        time.sleep(0.2)


async def unread(path: Path) -> int:
    """Return how many mentions the model has still to read."""
    async with SqliteStore(path) as store:
        return (await store.read(work.backlog)).count


def run(path: Path, requests: int, rate: float, folder: Path | None) -> None:
    """Start server (the daemon, where there is a folder for it) and writer, measure, stop both."""
    if folder is None:
        server, url = child("--serve", str(path)), ""
        writer = child("--write", str(path), "--rate", str(rate))
    else:
        server, url = town(folder, path)
        writer = child("--append", str(folder / "mentions.jsonl"), "--rate", str(rate))
    try:
        if server.stdout is not None:
            url = server.stdout.readline().strip()
        time.sleep(5)
        asyncio.run(measure(url, server.pid, requests))
        late = asyncio.run(unread(path if folder is None else folder / "data" / "veille.db"))
    finally:
        for each in (server, writer):
            each.terminate()
        written = [line for line in (writer.stdout or ()) if line.strip().isdigit()]
        for each in (server, writer):
            each.wait()
    arrived = int(written[-1]) if written else 0
    print(f"meanwhile {arrived} mentions arrived, {late} of them are still to be read")


def main() -> None:
    """Build what is missing, measure, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--mentions", type=int, default=1_000_000)
    asked.add_argument("--requests", type=int, default=300)
    asked.add_argument("--rate", type=float, default=50)
    asked.add_argument("--keep", type=Path)
    asked.add_argument("--build", action="store_true", help="only build")
    asked.add_argument("--daemon", action="store_true", help="the whole daemon, with its model")
    asked.add_argument("--append", type=Path, help=argparse.SUPPRESS)
    asked.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    asked.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    said = asked.parse_args()
    if said.serve:
        asyncio.run(serve(said.serve))
    elif said.write:
        asyncio.run(write(said.write, said.rate))
    elif said.append:
        append(said.append, said.rate)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            folder = said.keep or Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"veille-{said.mentions}.db"
            if not path.exists():
                make(path, said.mentions)
            if not said.build:
                run(path, said.requests, said.rate, Path(scratch, "town") if said.daemon else None)


if __name__ == "__main__":
    main()
