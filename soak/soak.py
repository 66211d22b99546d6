"""Run the real daemon for long: load, kill -9, receivers that misbehave, backups; then count.

    make soak [ARGS="--minutes 30 --rate 10"]

In the first part of the time the daemon, or the process of its model alone, is killed now and then
(--killed, a ratio); in the rest both run on, and their memory is measured. Everything is on this
machine. Status 1 when a promise did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from servers.town import CONFIG, SECRET, VEILLE, Daemon, FeedServer, World, free_port, mention
from veille.demo.mail import MailStandIn
from veille.demo.slack import SlackStandIn
from veille.store import incidents, mentions, outbox, work
from veille.store.engine import Db, SqliteStore
from veille.store.upkeep import wal_bytes

LEAST_WINDOW_S = 300  # a slope over less is noise
WAL_LIMIT = 64 * 1024 * 1024  # architecture, alerting.md B.2: alarm above it
GROWTH_RATIO = 0.05  # of resident memory in the steady part, judged by medians: noise stays below
SETTLE_S = 300.0
MODEL_KILLED_RATIO = 1 / 3  # of kills; the kernel takes it first where memory is short
URGENT = "Au secours, l'eau monte, nous sommes coincés sur le toit à Saint-Aubin, vite"
WORDS = (
    "la mairie a refait le trottoir devant l'école mais le bus ne passe plus le soir merci aux "
    "agents pour la propreté du parc on attend une réponse du service voirie la piscine rouvre"
).split()
# each urgent author is an incident of their own, so that receivers have work
RULES = """
rules:
  - id: call
    kind: mention
    where: {text: {words: ["au secours"]}}
    window: 1m
    group_by: [watch, author]
    severity: critical
    annotations: {summary: "Appel"}
"""


@dataclass(slots=True)
class Run:
    """What was done, and what was seen."""

    world: World
    rng: random.Random
    rate: float
    is_over: bool = False
    accepted: dict[str, set[str]] = field(
        default_factory=lambda: {"dossier": set(), "formulaire": set(), "presse": set()}
    )
    kills: int = 0
    model_kills: int = 0
    lost_answers: int = 0
    backups: int = 0
    failures: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    wal: int = 0

    @property
    def database(self) -> Path:
        return self.world.daemon.folder / "data" / "veille.db"

    async def feed(self) -> None:
        """Write into three sources; what a webhook answered 202 for is accepted."""
        number = 0
        while not self.is_over:
            number += 1
            words = URGENT if number % round(5 * self.rate) == 0 else self._text()
            text = f"{words} ({number})"
            if number % 3 == 0:
                self.world.append(mention(number, text, source="dossier"))
                self.accepted["dossier"].add(f"dossier-{number}")
            elif number % 50 == 1:
                self.accepted["presse"].add(f"urn:presse:{len(self.world.feed.items)}")
                self.world.feed.items.append(text)
            else:
                await self._push(number, text)
            await asyncio.sleep(1 / self.rate)

    async def _push(self, number: int, text: str) -> None:
        body = json.dumps(mention(number, text, source="formulaire")).encode()
        while await self.world.daemon.post(body, f"msg_{number}") != 202:
            await asyncio.sleep(0.2)
        self.accepted["formulaire"].add(f"formulaire-{number}")

    def _text(self) -> str:
        return "Saint-Aubin " + " ".join(self.rng.choice(WORDS) for _ in range(20))

    async def kill(self, until: float) -> None:
        """Kill the daemon at random moments, and start it again at once; or only its model."""
        while time.monotonic() < until:
            await asyncio.sleep(self.rng.uniform(3, 25))
            process = self.world.daemon.process
            if process is not None and self.rng.random() < MODEL_KILLED_RATIO:
                for child in children(process.pid):
                    with suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
                self.model_kills += 1
                continue
            await self.world.daemon.kill()
            self.kills += 1
            await self.world.daemon.start()

    async def annoy(self) -> None:
        """Let the receivers be slow, busy, broken or away, in turn."""
        slack, mail = self.world.slack, self.world.mail
        while not self.is_over:
            # rarer than the retries of a receiver (60 s apart at most), else troubles pile up
            await asyncio.sleep(self.rng.uniform(15, 40))
            match self.rng.randrange(5):
                case 0:
                    slack.lose_answers()
                    self.lost_answers += 1
                case 1:
                    slack.fail_next(429, retry_after=3)
                case 2:
                    slack.fail_next(503)
                case 3:
                    mail.fail_next(451)
                case _:
                    await slack.go_down()
                    await asyncio.sleep(self.rng.uniform(1, 5))
                    await slack.come_back()

    async def back_up(self) -> None:
        """Make and verify a backup now and then, under load."""
        while not self.is_over:
            await asyncio.sleep(30)
            done = await asyncio.to_thread(
                subprocess.run,
                [str(VEILLE), "backup", "--keep", "2"],
                cwd=self.world.daemon.folder,
                capture_output=True,
                text=True,
                check=False,
            )
            self.backups += 1
            if done.returncode:
                self.failures.append(f"a backup failed: {done.stderr.strip()}")

    async def watch(self) -> None:
        """Note resident memory and the length of the log."""
        while not self.is_over:
            await asyncio.sleep(2)
            self.wal = max(self.wal, wal_bytes(self.database))
            process = self.world.daemon.process
            if process is not None and process.returncode is None:
                self.memory.append((time.monotonic(), resident_mb(process.pid)))


def children(pid: int) -> list[int]:
    """Return the processes that it started, none when it has just ended."""
    try:
        tasks = [task.read_text() for task in Path(f"/proc/{pid}").glob("task/*/children")]
    except OSError:
        return []
    return [int(child) for task in tasks for child in task.split()]


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process and its children in MB, 0 when it has just ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6 + sum(map(resident_mb, children(pid)))


@contextmanager
def town(folder: Path, feed: FeedServer, slack: SlackStandIn, mail: MailStandIn) -> Iterator[World]:
    """A configured town hall in this folder."""
    port = free_port()
    text = CONFIG.format(feed=feed.url, slack=slack.url, smtp=mail.port, port=port)
    own = '[rules]\ndirectory = "rules"\n\n[route]\ngroup_by = ["watch", "author"]\n'
    (folder / "config.toml").write_text(text.replace("[route]\n", own))
    (folder / "rules").mkdir()
    (folder / "rules" / "soak.yml").write_text(RULES)
    (folder / "mentions.jsonl").touch()
    secrets = folder / "secrets.toml"
    secrets.touch(mode=0o600)
    secrets.write_text(
        f'PSEUDONYM_KEY = "a key of the soak run"\nHOOK = "{SECRET}"\n'
        f'SLACK_TOKEN = "{slack.token}"\n'
    )
    yield World(daemon=Daemon(folder, port), feed=feed, slack=slack, mail=mail)


async def settle(store: SqliteStore) -> None:
    """Nothing waits to be analyzed or sent; TimeoutError after five minutes."""

    def waiting(db: Db) -> int:
        return work.backlog(db).count + sum(outbox.depth(db).values())

    quiet = 0
    async with asyncio.timeout(SETTLE_S):
        while quiet < 4:
            await asyncio.sleep(0.5)
            quiet = quiet + 1 if await store.read(waiting) == 0 else 0


def stored(db: Db) -> list[tuple[str, str]]:
    """Return source and native id of every mention."""
    keys = [row["key"] for row in db.rows("SELECT key FROM mentions")]
    return list(mentions.native_ids(db, keys).values())


def untold(db: Db, posts: set[str], mails: set[str]) -> list[int]:
    """Return incidents that were announced, but not on both channels."""
    found = incidents.list_(db, states=["open", "acknowledged"], limit=100_000)
    told = {key.split("-")[0] for key in posts}, {key.split("-")[0] for key in mails}
    return [
        i.id
        for i in found
        if i.notified_at is not None and not all(f"I{i.id}" in channel for channel in told)
    ]


async def count(run: Run, store: SqliteStore) -> None:
    """Compare what was accepted and sent with what was stored and received."""
    held = await store.read(stored)
    if len(held) != len(set(held)):
        run.failures.append(f"{len(held) - len(set(held))} mentions stored twice")
    wanted = {(source, native) for source, ids in run.accepted.items() for native in ids}
    if missing := wanted - set(held):
        run.failures.append(f"{len(missing)} accepted mentions lost, such as {min(missing)}")
    posts, mails = run.world.slack.posts_by_key(), run.world.mail.received()
    repeats = sum(posts.values()) - len(posts) - run.kills - run.lost_answers
    if repeats > 0:
        run.failures.append(f"{repeats} more repeated messages than kills and lost answers")
    ids = {m.message_id.strip("<") for m in mails}
    if silent := await store.read(lambda db: untold(db, set(posts), ids)):
        run.failures.append(f"incidents not told on both channels: {silent[:5]}")
    print(
        f"mentions accepted {len(wanted):,}, stored {len(held):,}; "
        f"kills {run.kills}, and {run.model_kills} of the model alone"
    )
    print(
        f"messages: Slack {len(posts):,} (+{sum(posts.values()) - len(posts)} repeated), "
        f"mail {len(ids):,} (+{len(mails) - len(ids)} repeated)"
    )


def judge(run: Run, steady_s: float) -> None:
    """Look at memory in the steady part, without its first third, and at the log."""
    since = steady_s + (run.memory[-1][0] - steady_s) / 3
    flat = [(at, mb) for at, mb in run.memory if at >= since and mb]
    half = len(flat) // 2
    early, late = (statistics.median(mb for _, mb in part) for part in (flat[:half], flat[half:]))
    window_s = flat[-1][0] - flat[0][0]
    slope = statistics.linear_regression(*zip(*flat, strict=True)).slope * 3600
    said = f" ({slope:+.0f} MB/h)" if window_s >= LEAST_WINDOW_S else ""
    peak = max(mb for _, mb in run.memory)
    print(
        f"memory: {early:.0f} MB, then {late:.0f} MB over {window_s:.0f} s{said}, peak {peak:.0f}"
    )
    print(f"write-ahead log: at most {run.wal / 1e6:.1f} MB; backups verified: {run.backups}")
    if late > early * (1 + GROWTH_RATIO):
        run.failures.append(f"memory grew by {late - early:.0f} MB")
    if run.wal > WAL_LIMIT:
        run.failures.append(f"the write-ahead log grew to {run.wal / 1e6:.0f} MB")


async def end(daemon: Daemon) -> None:
    """No daemon is left behind, whatever ended the run."""
    if daemon.process is not None and daemon.process.returncode is None:
        await daemon.kill()


async def soak(folder: Path, given: argparse.Namespace) -> list[str]:
    """Return what did not hold."""
    async with AsyncExitStack() as stack:
        feed = await stack.enter_async_context(FeedServer())
        slack = await stack.enter_async_context(SlackStandIn())
        mail = await stack.enter_async_context(MailStandIn())
        world = stack.enter_context(town(folder, feed, slack, mail))
        run = Run(world=world, rng=random.Random(given.seed), rate=given.rate)
        length_s = 60 * given.minutes
        stack.push_async_callback(end, world.daemon)
        await world.daemon.start()
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for work_ in (run.feed(), run.annoy(), run.back_up(), run.watch()):
                group.create_task(work_)
            await run.kill(began + length_s * given.killed)
            steady_s = time.monotonic()
            await asyncio.sleep(max(30.0, began + length_s - steady_s))
            run.is_over = True
        async with world.daemon.store() as store:
            await asyncio.sleep(3)  # the feed and the file are read once more
            await settle(store)
            if status := await world.daemon.stop():
                run.failures.append(f"the daemon ended with status {status}")
            await count(run, store)
        judge(run, steady_s)
        return run.failures


def main() -> None:
    """Run, print, and say by the status whether every promise held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=10, help="mentions a second")
    parser.add_argument("--killed", type=float, default=0.6, help="part of the time with kills")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that `end` runs
    with tempfile.TemporaryDirectory() as folder:
        failures = asyncio.run(soak(Path(folder), given))
    for failure in failures:
        print(f"FAILED: {failure}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
