"""A town that listens to the press, Bluesky, Mastodon, a bus and its own form, all at once."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiomqtt
import pytest

from servers.broker import BrokerStandIn, requires_mosquitto
from servers.jetstream import JetstreamServer
from servers.mastodon import TOKEN, MastodonServer
from servers.town import SECRET, Daemon, FeedServer, free_port, mention
from veille.store import mentions, sources
from veille.store.engine import Db

KILLS = 5
DISCONNECTS = 3
TOPIC = "veille/v1/saint-aubin/mentions"
CONFIG = """
[veille]
name = "Ville de Saint-Aubin"

[[watch]]
id = "mairie"
query = '"Saint-Aubin"'

[[source]]
id = "presse"
kind = "rss"
url = "{feed}"
poll = "1s"
allow_private = true

[[source]]
id = "bluesky"
kind = "bluesky"
urls = ["{jetstream}"]
allow_private = true

[[source]]
id = "mastodon"
kind = "mastodon"
url = "{mastodon}"
token = "MASTODON_TOKEN"
streams = ["hashtag:saintaubin", "public:local"]
allow_private = true

[[source]]
id = "bus"
kind = "mqtt"
host = "127.0.0.1"
port = {mqtt}
mqtt_topic = "{topic}/#"
allow_private = true

[[source]]
id = "formulaire"
kind = "webhook"
secret = "HOOK"

[web]
listen = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"
"""


@dataclass
class Platforms:
    """Everything the town listens to, and what each said that matters."""

    daemon: Daemon
    feed: FeedServer
    jetstream: JetstreamServer
    mastodon: MastodonServer
    broker: BrokerStandIn

    def __post_init__(self) -> None:
        self.said: dict[str, set[str]] = {
            name: set() for name in ("presse", "bluesky", "mastodon", "bus", "formulaire")
        }
        # sent, but a kill came between the commit and the answer: stored or not, nobody can know
        self.unheard: set[str] = set()

    async def speak(self, number: int) -> None:
        """Say one matching and one other thing everywhere."""
        text, other = f"Saint-Aubin, message {number}", f"rien à voir {number}"
        self.said["presse"].add(f"urn:presse:{len(self.feed.items)}")
        self.feed.items += [text]
        did = f"did:plc:auteur{number % 7}"
        self.said["bluesky"].add(await self.jetstream.post(did, f"p{number}", text))
        await self.jetstream.post(did, f"q{number}", other)
        self.said["mastodon"].add(self.mastodon.post(text))
        self.mastodon.post(other)
        line = mention(number, text, source="formulaire")
        status = await self.daemon.post(json.dumps(line).encode(), f"msg_{number}")
        if status == 202:
            self.said["formulaire"].add(f"formulaire-{number}")
        elif status == 0:
            self.unheard.add(f"formulaire-{number}")

    async def publish(self, number: int) -> bool:
        """Put one mention on the bus; true once the broker has confirmed it."""
        line = mention(number, f"Saint-Aubin, bus {number}", source="bus")
        try:
            async with asyncio.timeout(5):
                await self.broker.publish(f"{TOPIC}/agents", json.dumps(line).encode())
        except (aiomqtt.MqttError, OSError):  # the broker is down: nothing was confirmed
            self.unheard.add(f"bus-{number}")
            return False
        self.said["bus"].add(f"bus-{number}")
        return True


@pytest.fixture
async def platforms(tmp_path: Path) -> AsyncIterator[Platforms]:
    async with AsyncExitStack() as stack:
        feed = await stack.enter_async_context(FeedServer())
        jetstream = await stack.enter_async_context(JetstreamServer())
        mastodon = await stack.enter_async_context(MastodonServer())
        broker = await stack.enter_async_context(BrokerStandIn(tmp_path))
        port = free_port()
        text = CONFIG.format(
            feed=feed.url,
            jetstream=jetstream.url,
            mastodon=mastodon.url,
            mqtt=broker.port,
            topic=TOPIC,
            port=port,
        )
        (tmp_path / "config.toml").write_text(text)
        hidden = tmp_path / "secrets.toml"
        hidden.touch(mode=0o600)
        hidden.write_text(
            f'PSEUDONYM_KEY = "a key of the acceptance tests"\nHOOK = "{SECRET}"\n'
            f'MASTODON_TOKEN = "{TOKEN}"\n'
        )
        daemon = Daemon(tmp_path, port)
        yield Platforms(daemon, feed, jetstream, mastodon, broker)
        if daemon.process is not None and daemon.process.returncode is None:
            await daemon.kill()


async def _speaking(platforms: Platforms, stop: asyncio.Event) -> None:
    for number in itertools.count():
        if stop.is_set():
            return
        await platforms.speak(number)
        await platforms.publish(number)
        await asyncio.sleep(0.03)


async def _disturb(platforms: Platforms, rng: random.Random) -> None:
    await platforms.jetstream.drop_all()
    platforms.mastodon.drop_all()
    platforms.feed.fail_next(503)
    await platforms.broker.stop()
    await asyncio.sleep(rng.uniform(0.2, 0.8))
    await platforms.broker.start()


def _stored(db: Db) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    keys = [row["key"] for row in db.rows("SELECT key FROM mentions")]
    for source, native in mentions.native_ids(db, keys).values():
        assert native not in found.setdefault(source, set())
        found[source].add(native)
    return found


async def _until_stored(platforms: Platforms) -> dict[str, set[str]]:
    """Wait until all that was said is stored, then a little for what should not be."""
    async with platforms.daemon.store() as store, asyncio.timeout(60):
        found = await store.read(_stored)
        while any(said - found.get(name, set()) for name, said in platforms.said.items()):
            await asyncio.sleep(0.2)
            found = await store.read(_stored)
        await asyncio.sleep(1.5)
        return await store.read(_stored)


@requires_mosquitto
async def test_five_sources_over_five_kills_and_three_disconnects_each(
    platforms: Platforms,
) -> None:
    rng, stop = random.Random(5), asyncio.Event()
    daemon = platforms.daemon
    await daemon.start()
    async with asyncio.TaskGroup() as group:
        group.create_task(_speaking(platforms, stop))
        for turn in range(KILLS):
            await asyncio.sleep(rng.uniform(0.5, 2.0))
            if turn < DISCONNECTS:
                await _disturb(platforms, rng)
                await asyncio.sleep(rng.uniform(0.0, 1.0))
            await daemon.kill()
            await daemon.start()
        await asyncio.sleep(1.0)
        stop.set()
    found = await _until_stored(platforms)
    assert all(len(said) > 20 for said in platforms.said.values())
    assert {name: keys - platforms.unheard for name, keys in found.items()} == platforms.said
    await _edits_and_deletions_arrive(platforms)
    assert await daemon.stop() == 0


async def _edits_and_deletions_arrive(platforms: Platforms) -> None:
    jetstream, mastodon = platforms.jetstream, platforms.mastodon
    await jetstream.post("did:plc:partant", "x1", "Saint-Aubin, je m'en vais")
    kept = mastodon.post("Saint-Aubin, première version")
    gone = mastodon.post("Saint-Aubin, à effacer")
    await jetstream.post("did:plc:reste", "x2", "Saint-Aubin, version une")
    await jetstream.post("did:plc:reste", "x3", "Saint-Aubin, à effacer aussi")
    store = platforms.daemon.store()
    async with store, asyncio.timeout(30):

        def seen(db: Db) -> list[str]:
            return [
                row["text"]
                for row in db.rows(
                    "SELECT text FROM mentions WHERE text LIKE 'Saint-Aubin, %' "
                    "AND text NOT LIKE '%message%' AND text NOT LIKE '%bus%' ORDER BY text"
                )
            ]

        while len(await store.read(seen)) < 5:
            await asyncio.sleep(0.1)
        mastodon.edit(kept, "Saint-Aubin, seconde version")
        mastodon.delete(gone)
        await jetstream.edit("did:plc:reste", "x2", "Saint-Aubin, version deux")
        await jetstream.delete("did:plc:reste", "x3")
        await jetstream.end_account("did:plc:partant")
        wanted = ["Saint-Aubin, seconde version", "Saint-Aubin, version deux"]
        while await store.read(seen) != wanted:
            await asyncio.sleep(0.1)
        health = {one.source: one for one in await store.read(sources.health)}
        assert set(platforms.said) <= set(health)
        assert not [one.source for one in health.values() if one.error]
