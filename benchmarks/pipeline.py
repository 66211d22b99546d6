"""Measure the house: ingest alone, each stage, the whole pipeline, and time to Slack under load.

    python benchmarks/pipeline.py [--seconds 30]

Texts are made here. Everything runs on this machine, with stand-ins for Slack and mail.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from veille.app import parts
from veille.app.daemon import daemon
from veille.collectors.base import WebhookSource
from veille.collectors.interchange import parse_lines
from veille.config import load
from veille.demo.slack import SlackStandIn
from veille.domain.analysis import Passage
from veille.domain.clock import utc_now
from veille.net.signature import sign
from veille.pipeline.analyze import Analyze
from veille.pipeline.collect import Collect
from veille.pipeline.dispatch import Dispatch
from veille.pipeline.evaluate import Evaluate
from veille.store.engine import SqliteStore
from veille.telemetry import configure_logs

SECRET = "whsec_YmVuY2htYXJrLWJlbmNobWFyay1iZW5jaG1hcms="
WORDS = (
    "la mairie de Saint-Aubin a refait le trottoir devant l'école mais le bus ne passe plus le "
    "soir merci aux agents pour la propreté du parc on attend toujours une réponse du service "
    "voirie quelqu'un sait quand rouvre la piscine c'est pénible tous ces travaux bravo"
).split()
URGENT = "Au secours, l'eau monte, nous sommes coincés sur le toit à Saint-Aubin, vite"
# Each urgent author is an incident of their own, so that every call is a message to time.
RULES = """
rules:
  - id: call
    kind: mention
    where: {text: {words: ["au secours"]}, urgency.score: ">= 0.2"}
    window: 1m
    group_by: [watch, author]
    severity: critical
    annotations: {summary: "Appel"}
"""
CONFIG = """
[veille]
name = "Saint-Aubin"
[[watch]]
id = "mairie"
query = "Saint-Aubin"
[[source]]
id = "formulaire"
kind = "webhook"
secret = "HOOK"
[[receiver]]
id = "astreinte"
kind = "slack"
token = "SLACK"
channel = "C0000000001"
api_url = "%(slack)s"
allow_private = true
[route]
receivers = ["astreinte"]
group_by = ["watch", "author"]
[rules]
directory = "rules"
[web]
listen = "127.0.0.1:%(port)d"
"""


def text(rng: random.Random) -> str:
    """Return a text of about 28 tokens, as long as a tweet of the evaluation set."""
    return "Saint-Aubin " + " ".join(rng.choice(WORDS) for _ in range(20))


def line(number: int, words: str) -> bytes:
    """Return one line of mention interchange, written now."""
    return json.dumps(
        {
            "source": "formulaire",
            "id": f"b{number}",
            "text": words,
            "created_at": datetime.now(UTC).isoformat(),
            "author": {"id": f"a{number}"},
        }
    ).encode()


def configure(folder: Path, slack: str) -> Path:
    """Write a configuration with these rules and return its path."""
    (folder / "rules").mkdir()
    (folder / "rules" / "bench.yml").write_text(RULES, encoding="utf-8")
    port = random.randint(20_000, 40_000)
    (folder / "config.toml").write_text(CONFIG % {"slack": slack, "port": port}, encoding="utf-8")
    secrets = folder / "secrets.toml"
    secrets.touch(mode=0o600)
    secrets.write_text(
        f'PSEUDONYM_KEY = "benchmark-benchmark"\nHOOK = "{SECRET}"\nSLACK = "xoxb-stand-in"\n'
    )
    return folder / "config.toml"


async def stages(folder: Path, count: int) -> None:
    """Time each stage on `count` mentions, one after the other, then print mentions per second."""
    loaded = load(configure(folder, "http://127.0.0.1:9/"))
    rng = random.Random(1)
    async with SqliteStore(folder / "stages.db") as store:
        analyst = parts.load_analyst(loaded)
        analyst.analyze([Passage(text=text(rng))] * 8)
        collect = Collect(store, matcher=parts.matcher(loaded), protector=parts.protector(loaded))
        evaluate = Evaluate(store, parts.rules(loaded))
        dispatch = Dispatch(
            store, route=loaded.config.route, group_wait=loaded.config.rules.waits()
        )
        await evaluate.open(utc_now())
        source = WebhookSource(id="formulaire", secret="HOOK")
        batches = [
            parse_lines([line(n, text(rng)) for n in range(start, start + 100)])
            for start in range(0, count, 100)
        ]
        spent: dict[str, float] = {}

        async def measure(name: str, work: object) -> None:
            started = time.perf_counter()
            await work  # type: ignore[misc]
            spent[name] = time.perf_counter() - started

        async def ingest() -> None:
            for batch in batches:
                await collect.accept(source, batch, now=utc_now())

        async def drain(stage: Analyze | Evaluate | Dispatch) -> None:
            while await stage.step(utc_now()):
                pass

        await measure("ingest (match, mask, store)", ingest())
        await measure("analyze (model, entities, store)", drain(Analyze(store, analyst)))
        await measure("evaluate (rules, store)", drain(evaluate))
        await measure("dispatch", drain(dispatch))
    for name, seconds in spent.items():
        print(f"{name:<34} {1000 * seconds / count:7.3f} ms/mention  {count / seconds:9,.0f}/s")
    total = sum(spent.values())
    print(f"{'whole pipeline, stage after stage':<34} {'':>18}  {count / total:9,.0f}/s")


async def latency(folder: Path, seconds: int) -> None:
    """Post 20 mentions/s to the daemon, an urgent one every two seconds; time them to Slack."""
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(SlackStandIn())
        loaded = load(configure(folder, slack.url))
        runner = await stack.enter_async_context(daemon(loaded, now=utc_now))
        client = await stack.enter_async_context(aiohttp.ClientSession())
        url = f"http://{loaded.config.web.listen}/hooks/formulaire"
        group = await stack.enter_async_context(asyncio.TaskGroup())
        group.create_task(runner.run())
        sent: list[float] = []
        rng = random.Random(2)
        started = time.perf_counter()
        seen: list[float] = []

        async def watch() -> None:
            while len(seen) < seconds // 2:
                fresh = len([m for m in slack.received() if m.thread_ts is None])
                seen.extend([time.perf_counter()] * (fresh - len(seen)))
                await asyncio.sleep(0.005)

        watching = group.create_task(watch())
        for number in range(seconds * 20):
            await asyncio.sleep(max(0.0, started + number / 20 - time.perf_counter()))
            is_urgent = number % 40 == 20
            body = line(number, URGENT if is_urgent else text(rng))
            at = time.perf_counter()
            async with client.post(
                url, data=body, headers=sign(SECRET, f"m{number}", utc_now(), body)
            ) as answer:
                assert answer.status == 202, await answer.text()
            if is_urgent:
                sent.append(at)
        async with asyncio.timeout(60):
            await watching
        runner.stop()
    waits = sorted(b - a for a, b in zip(sent, seen, strict=True))
    print(f"urgent mention to Slack at 20/s (n={len(waits)}), seconds:")
    p95 = waits[min(len(waits) - 1, round(0.95 * len(waits)))]
    print(f"  p50 {statistics.median(waits):.2f}  p95 {p95:.2f}  max {waits[-1]:.2f}")


def main() -> None:
    """Run both measurements and print memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--count", type=int, default=2000)
    given, _ = parser.parse_known_args()
    configure_logs(level="warning")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(latency(Path(folder), given.seconds))
    here, reader = (
        resource.getrusage(who).ru_maxrss / 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(
        f"peak memory of the daemon, stand-in included: {here:.0f} MB; of its model: {reader:.0f}"
    )
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(stages(Path(folder), given.count))


if __name__ == "__main__":
    main()
