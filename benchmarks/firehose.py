"""Print how many firehose events a second are read and refused on one core.

    python benchmarks/firehose.py [--count 50000]

Raw Jetstream frames of posts that match no watch: parsed and matched, then through the collect
stage into a store on disk, in batches of the size that the collector makes. The time is processor
time of this process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

from matcher import _QUERIES as QUERIES
from matcher import texts

from veille.collectors.base import BlueskySource
from veille.collectors.bluesky import MAX_FRAMES
from veille.collectors.jetstream import POST, parse_frames
from veille.domain.clock import utc_now
from veille.domain.query import Matcher
from veille.domain.watch import Watch
from veille.pipeline.collect import Collect
from veille.privacy.protect import Protector
from veille.privacy.pseudonym import Pseudonyms
from veille.store.engine import SqliteStore

SOURCE = BlueskySource(id="bluesky", urls=["wss://jetstream.example/subscribe"])
PARENT = {"cid": "bafyrei" + "a" * 52, "uri": f"at://did:plc:{'b' * 24}/{POST}/3mmojbrjwbs26"}


def frames(count: int) -> list[bytes]:
    """Return frames as Jetstream sends them: a third replies, a fifth with a picture."""
    return [_frame(number, text) for number, text in enumerate(texts(count))]


def _frame(number: int, text: str) -> bytes:
    record: dict[str, object] = {
        "$type": POST,
        "createdAt": "2026-11-22T04:00:00.000Z",
        "langs": ["fr"],
        "text": text,
    }
    if number % 3 == 0:
        record["reply"] = {"parent": PARENT, "root": PARENT}
    if number % 5 == 0:
        image = {"alt": "une image", "image": {"ref": {"$link": PARENT["cid"]}, "size": 119_635}}
        record["embed"] = {"$type": "app.bsky.embed.images", "images": [image]}
    commit = {
        "rev": "3mmoojpaqkn2z",
        "operation": "create",
        "collection": POST,
        "rkey": f"3k{number}",
        "record": record,
        "cid": PARENT["cid"],
    }
    did = f"did:plc:{number % 9_999:024d}"
    frame = {"did": did, "time_us": 1_790_000_000_000_000 + number, "kind": "commit"}
    return json.dumps(frame | {"commit": commit}, ensure_ascii=False).encode()


def batches(raw: list[bytes]) -> list[list[bytes]]:
    return [raw[at : at + MAX_FRAMES] for at in range(0, len(raw), MAX_FRAMES)]


def parse_and_match(raw: list[bytes], matcher: Matcher) -> int:
    """Return how many matched."""
    return sum(
        bool(matcher.match(mention.text))
        for batch in batches(raw)
        for mention in parse_frames(batch, source=SOURCE.id).mentions
    )


async def collect(raw: list[bytes], matcher: Matcher) -> int:
    """Return how many were counted as unmatched, with the cursor committed after each batch."""
    protector = Protector(
        Pseudonyms(mention_key=b"m" * 32, author_key=b"a" * 32),
        sealing_key=None,
        keep=frozenset(),
        nonce=lambda: b"n" * 12,
    )
    unmatched = 0
    with tempfile.TemporaryDirectory() as folder:
        async with SqliteStore(Path(folder) / "veille.db") as store:
            stage = Collect(store, matcher=matcher, protector=protector)
            for batch in batches(raw):
                parsed = await asyncio.to_thread(parse_frames, batch, source=SOURCE.id)
                unmatched += (await stage.accept(SOURCE, parsed, now=utc_now())).unmatched
    return unmatched


def measure(name: str, count: int, work: Callable[[], int]) -> None:
    """Print events a second of processor time, and what the work returned."""
    start = process_time()
    result = work()
    print(f"{name}: {count / (process_time() - start):,.0f} events/s ({result})")


def main() -> None:
    """Print one line for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50_000)
    count = parser.parse_args().count
    matcher = Matcher([Watch(id=f"w{i}", query=query) for i, query in enumerate(QUERIES)])
    raw = frames(count)
    size = sum(map(len, raw)) / count
    print(f"{count:,} frames of {size:.0f} bytes")
    measure("parse and match, matched", count, lambda: parse_and_match(raw, matcher))
    measure("collect into a store, unmatched", count, lambda: asyncio.run(collect(raw, matcher)))


if __name__ == "__main__":
    sys.exit(main())
