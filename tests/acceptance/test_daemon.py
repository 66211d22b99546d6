"""`veille run` as people run it: killed, overloaded, with receivers down."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import subprocess

from servers.town import VEILLE, World, mention
from veille.store import incidents, mentions, outbox, work
from veille.store.engine import Db, SqliteStore

KILLS = 10
CALLS = (
    "Au secours, l'eau monte dans la maison à Saint-Aubin, nous sommes coincés à l'étage",
    "Des gens sont piégés par l'eau à Saint-Aubin, envoyez les pompiers vite, on se noie",
    "À l'aide, ma mère est bloquée dans sa voiture sous l'eau à Saint-Aubin, personne ne répond",
)


async def _settle(store: SqliteStore) -> None:
    """Wait until nothing waits to be analyzed or sent."""

    def waiting(db: Db) -> int:
        return work.backlog(db).count + sum(outbox.depth(db).values())

    async with asyncio.timeout(90):
        quiet = 0
        while quiet < 4:
            quiet = quiet + 1 if await store.read(waiting) == 0 else 0
            await asyncio.sleep(0.5)


def _stored(db: Db) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    keys = [row["key"] for row in db.rows("SELECT key FROM mentions")]
    for source, native in mentions.native_ids(db, keys).values():
        assert native not in found.setdefault(source, set())
        found[source].add(native)
    return found


async def _feed(world: World, stop: asyncio.Event) -> dict[str, set[str]]:
    """Write into all three sources until told to stop; return what was accepted."""
    accepted: dict[str, set[str]] = {"dossier": set(), "formulaire": set(), "presse": set()}
    rng = random.Random(7)
    for number in itertools.count():
        if stop.is_set():
            return accepted
        text = f"Bonjour, message {number} de Saint-Aubin"
        if number % 40 == 0:
            text = f"{rng.choice(CALLS)} ({number})"
        lines = [
            mention(number, text, source="dossier"),
            mention(number + 500_000, "rien à voir avec la commune", source="dossier"),
        ]
        world.append(*lines)
        accepted["dossier"].add(f"dossier-{number}")
        if number % 3 == 0:
            accepted["presse"].add(f"urn:presse:{len(world.feed.items)}")
            world.feed.items.append(f"Saint-Aubin, article {number}")
        pushed = mention(number, text, source="formulaire")
        body = json.dumps(pushed).encode()
        while await world.daemon.post(body, f"msg_{number}") != 202:
            if stop.is_set():
                accepted["formulaire"].discard(f"formulaire-{number}")
                return accepted
            await asyncio.sleep(0.1)
        accepted["formulaire"].add(f"formulaire-{number}")
        await asyncio.sleep(0.02)
    raise AssertionError


async def test_nothing_is_lost_or_doubled_over_ten_kills_under_load(world: World) -> None:
    stop = asyncio.Event()
    rng = random.Random(11)
    await world.daemon.start()
    feeding = asyncio.ensure_future(_feed(world, stop))
    for _ in range(KILLS):
        await asyncio.sleep(rng.uniform(0.3, 2.5))
        await world.daemon.kill()
        await world.daemon.start()
    await asyncio.sleep(1)
    stop.set()
    accepted = await feeding
    async with world.daemon.store() as store:
        await asyncio.sleep(3)  # the feed and the file are read once more
        await _settle(store)
        assert await world.daemon.stop() == 0
        assert await store.read(_stored) == accepted
        told = {
            f"I{i.id}"
            for i in await store.read(
                lambda db: incidents.list_(db, states=["open", "acknowledged"], limit=99)
            )
            if i.notified_at is not None
        }
    assert told
    posts = world.slack.posts_by_key()
    opened = {key.split("-")[0] for key in posts if "-opened-" in key}
    assert told <= opened
    assert sum(posts.values()) - len(posts) <= KILLS
    mails = world.mail.received()
    assert told <= {m.message_id.strip("<").split("-")[0] for m in mails}
    ids = [m.message_id for m in mails]
    assert len(ids) - len(set(ids)) <= KILLS


async def test_a_wave_of_pushed_cries_raises_an_alert_on_both_channels(world: World) -> None:
    await world.daemon.start()
    for block in range(51):
        wave = [
            mention(n, f"{CALLS[n % 3]} ({n})", source="formulaire")
            for n in range(block * 50, block * 50 + 50)
        ]
        assert await world.daemon.push(*wave, webhook_id=f"wave_{block}") == 202
    async with world.daemon.store() as store:
        await _settle(store)
        assert (await store.read(mentions.counts))["analyzed"] == 2550
    assert any("▲" in m.body["text"] for m in world.slack.received())
    assert any("▲" in str(m.message["Subject"]) for m in world.mail.received())
    assert await world.daemon.stop() == 0


async def test_the_command_line_works_beside_the_daemon(world: World) -> None:
    await world.daemon.start()
    for number, call in enumerate(CALLS):
        one = mention(number, call, source="formulaire")
        assert await world.daemon.push(one, webhook_id=f"call_{number}") == 202

    async def veille(*args: str) -> tuple[int, str]:
        done = await asyncio.to_thread(
            subprocess.run,
            [str(VEILLE), *args],
            capture_output=True,
            text=True,
            cwd=world.daemon.folder,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    rows: list[dict[str, str]] = []
    async with asyncio.timeout(60):
        while not any(row["id"].startswith("I") for row in rows):
            _, out = await veille("queue", "list", "--json")
            rows = json.loads(out)
    target = next(row["id"] for row in rows if row["id"].startswith("I"))
    assert (await veille("queue", "ack", target, "--as", "Camille"))[0] == 0
    code, out = await veille("queue", "ack", target, "--as", "Driss")
    assert code == 1
    assert "Camille" in out
    assert (await veille("queue", "note", target, "on appelle le CODIS"))[0] == 0
    assert (await veille("queue", "assign", target, "Driss"))[0] == 0
    code, out = await veille("replay", "mentions.jsonl", "--json")
    assert (code, out) == (0, "")
    assert (await veille("queue", "resolve", target))[0] == 0
    rows = json.loads((await veille("queue", "list", "--json"))[1])
    assert target not in {row["id"] for row in rows}
    async with world.daemon.store() as store:
        await _settle(store)
    text = " ".join(json.dumps(m.body, ensure_ascii=False) for m in world.slack.received())
    assert "Camille" in text
    assert await world.daemon.stop() == 0


async def test_no_text_author_or_secret_reaches_the_logs(world: World) -> None:
    await world.daemon.start()
    secret_text = "Saint-Aubin : au secours, appelez Zébulon au 06 39 98 12 34"
    one = mention(1, secret_text, author="zebulon-handle", source="formulaire")
    assert await world.daemon.push(one, webhook_id="one") == 202
    await world.daemon.post(b"{not json", "bad")
    world.append({"source": "x"}, one | {"id": 5, "text": "Zébulon"})
    await asyncio.sleep(3)
    assert await world.daemon.stop() == 0
    logs = world.daemon.errors()
    assert "batch_stored" in logs or "started" in logs
    for word in ("Zébulon", "Z\\u00e9bulon", "zebulon-handle", "39 98 12 34", "xoxb"):
        assert word not in logs


def test_a_mistyped_key_is_named_with_a_suggestion(tmp_path: os.PathLike[str]) -> None:
    from pathlib import Path

    folder = Path(tmp_path)
    (folder / "config.toml").write_text(
        '[veille]\nname = "x"\n[[watch]]\nid = "a"\nqury = "b"\n', encoding="utf-8"
    )
    done = subprocess.run(
        [str(VEILLE), "check"], capture_output=True, text=True, cwd=folder, check=False
    )
    assert done.returncode == 2
    assert 'watch[0].qury: unknown key; did you mean "query"?' in done.stderr


async def test_hostile_bodies_stop_nobody(world: World) -> None:
    await world.daemon.start()
    long = mention(1, "Saint-Aubin " + "a(at)b " * 8570, source="formulaire")
    half = json.dumps(mention(2, "Saint-Aubin, au secours", source="formulaire"))
    torn = half.replace("au secours", "\\ud83d au secours").encode()
    ping = mention(3, f"{CALLS[0]} <!channel> <@U1>", source="formulaire")
    body = b"\n".join([json.dumps(long).encode(), torn, b"{half a li", json.dumps(ping).encode()])
    assert await world.daemon.post(body, "mixed") == 202
    assert await world.daemon.post(body, "mixed") == 202
    assert await world.daemon.post(body + b" ", "mixed") == 409
    assert await world.daemon.post(b"x" * (4 * 1024 * 1024 + 1), "big") == 413
    world.feed.items += ["Saint-Aubin &#xD83D; fête", "Saint-Aubin, la piscine rouvre"]
    async with world.daemon.store() as store:
        await asyncio.sleep(2)
        await _settle(store)
        stored = await store.read(_stored)
        assert stored["formulaire"] == {"formulaire-1", "formulaire-2", "formulaire-3"}
        assert len(stored.get("presse", set())) >= 1
        assert (await store.read(mentions.counts)).keys() == {"analyzed"}
    assert world.slack.received()
    assert world.slack.pings() == []
    assert await world.daemon.stop() == 0
