"""S9: deletion at the source, access, erasure with proof, objection; the daemon runs throughout."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from servers.town import VEILLE, World, mention
from veille.alerts.settings import RouteSettings
from veille.app import parts
from veille.app.privacy import Line, append
from veille.config import load
from veille.domain.clock import monotonic_s
from veille.domain.mention import Author, Batch, Mention
from veille.pipeline.actions import Actions
from veille.pipeline.collect import Collect
from veille.store import erasure, incidents, mentions, outbox, sources, work
from veille.store.engine import Db

HANDLE = "@zebuline_du_lavoir"
NAME = "Zébuline Marchepied"
POSTS = (
    "Au secours, l'eau monte dans la cuisine à Saint-Aubin, nous sommes coincés rue des Oseraies",
    "Saint-Aubin : le marché de samedi était fermé sans prévenir, quelle tristesse cette place",
    "À Saint-Aubin la bibliothèque est ouverte le dimanche, merci aux bénévoles de la lecture",
)
ERASE_S = 60.0


def post(number: int, text: str, *, author: str = HANDLE, name: str = NAME) -> dict[str, object]:
    one = mention(number, text, author=author, source="formulaire")
    return one | {
        "author": {"id": author, "name": name},
        "url": f"https://reseau.example/{author}/{number}",
    }


def gone(one: dict[str, object]) -> dict[str, object]:
    return {**one, "text": "", "deleted": True}


async def veille(world: World, *args: str) -> tuple[int, str, str]:
    done = await asyncio.to_thread(
        subprocess.run,
        [str(VEILLE), *args],
        capture_output=True,
        text=True,
        cwd=world.daemon.folder,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


async def until(holds: Callable[[], object], limit_s: float = 60.0) -> None:
    async with asyncio.timeout(limit_s):
        while not holds():
            await asyncio.sleep(0.1)


async def analyzed(world: World, count: int) -> None:
    async with asyncio.timeout(60), world.daemon.store() as store:
        while (await store.read(mentions.counts)).get("analyzed", 0) < count:
            await asyncio.sleep(0.2)


def slack_text(world: World) -> str:
    return json.dumps([m.body for m in world.slack.received()], ensure_ascii=False)


def traces(folder: Path, *words: str) -> list[tuple[str, str]]:
    """Return which words stand in which files of the installation, whatever their bytes."""
    files = [f for f in (folder / "data").rglob("*") if f.is_file()] + list(folder.glob("*.log"))
    spelled = [(w, form.encode()) for w in words for form in (w, json.dumps(w)[1:-1])]
    return [(f.name, w) for f in files for w, form in spelled if form in f.read_bytes()]


def everything(db: Db) -> str:
    names = [r["name"] for r in db.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return repr([tuple(row) for name in names for row in db.rows(f'SELECT * FROM "{name}"')])


async def test_deleted_at_the_source_then_exported_erased_and_refused(world: World) -> None:
    await world.daemon.start()
    posts = [post(n, text) for n, text in enumerate(POSTS)]
    neighbour = post(9, "Saint-Aubin, la piscine rouvre", author="@voisine", name="Une voisine")
    assert await world.daemon.push(*posts, neighbour, webhook_id="posts") == 202
    await until(lambda: "rue des Oseraies" in slack_text(world))
    await analyzed(world, 4)
    await _answer(world)
    await _delete_at_the_source(world, posts[0])
    await _export(world)
    await _erase_and_oppose(world)
    await _write_again(world, posts)
    assert not traces(world.daemon.folder, HANDLE, HANDLE[1:], NAME, *POSTS)
    assert await world.daemon.stop() == 0
    assert not traces(world.daemon.folder, HANDLE, HANDLE[1:], NAME, *POSTS)


async def _answer(world: World) -> None:
    """Staff drafts an answer that names and quotes the author, and calls a colleague."""
    async with world.daemon.store() as store:
        actions = Actions(store, route=RouteSettings(), now=lambda: datetime.now(UTC))
        keys = await store.read(lambda db: mentions.search(db, "marché", 9))
        number = await actions.put_in_queue(keys[0], actor="Camille")
        quote = f"{NAME} ({HANDLE}), vous écrivez : {POSTS[1]}"
        draft = await actions.drafts.write(f"Q{number}", text=quote, image=NAME, actor="Camille")
        await actions.drafts.propose(draft.id, version=draft.version, actor="Camille")
        assert POSTS[1] in await store.read(everything)


async def _delete_at_the_source(world: World, quoted: dict[str, object]) -> None:
    assert await world.daemon.push(gone(quoted), webhook_id="gone") == 202
    await until(lambda: "[message supprimé]" in slack_text(world), limit_s=60)
    assert "Oseraies" not in slack_text(world)
    async with world.daemon.store() as store:
        dump = await store.read(everything)
        assert "Oseraies" not in dump
        assert await store.read(lambda db: mentions.search(db, "oseraies", 9)) == []
        async with asyncio.timeout(
            30
        ):  # a message may be sent anew before the deletion is followed up
            while await store.read(lambda db: erasure.pending(db, limit=1)):
                await asyncio.sleep(0.2)
        assert await store.read(lambda db: incidents.evidence(db, 1, 9)) == []
        assert NAME in dump  # of the two that stay


async def _export(world: World) -> None:
    code, out, err = await veille(world, "privacy", "export", HANDLE, "--json")
    assert code == 0, err
    held = json.loads(out)
    assert [m["text"] for m in held["messages"]] == list(POSTS[1:])
    assert all(m["expires_at"] and m["class"] for m in held["messages"])
    assert held["purposes"]
    assert held["legal_basis"]
    by_name = json.loads((await veille(world, "privacy", "export", NAME, "--json"))[1])
    assert by_name["messages"] == held["messages"]


async def _erase_and_oppose(world: World) -> None:
    began_s = monotonic_s()
    logs = [arg for f in world.daemon.folder.glob("*.log") for arg in ("--scan", str(f))]
    code, out, err = await veille(world, "privacy", "oppose", HANDLE, "--yes", "--json", *logs)
    assert code == 0, out + err
    certificate = json.loads(out)
    assert certificate["erased"]["mentions"] == 2
    assert certificate["erased"]["drafts"] == 1
    assert certificate["scan"]["remains"] == 0
    assert certificate["scan"]["looked_for"] > 4
    assert {"veille.db", "stderr-1.log"} <= set(certificate["scan"]["files"])
    assert not traces(world.daemon.folder, HANDLE, HANDLE[1:], NAME, *POSTS)
    assert HANDLE not in out
    assert monotonic_s() - began_s < ERASE_S


async def _write_again(world: World, posts: list[dict[str, object]]) -> None:
    """What comes again, and what is new of theirs, is refused; others go on."""
    again = [post(n, text) for n, text in enumerate(POSTS, start=20)]
    other = post(40, "Saint-Aubin, le bus 4 passe enfin", author="@voisine", name="Une voisine")
    assert await world.daemon.push(*posts[1:], *again, other, webhook_id="again") == 202
    await analyzed(world, 2)
    async with world.daemon.store() as store:
        assert await store.read(lambda db: work.backlog(db).count) == 0
        dump = await store.read(everything)
        health = {s.source: s.opposed for s in await store.read(sources.health)}
    assert "bus 4" in dump
    assert "bénévoles" not in dump
    assert health["formulaire"] == 5


async def test_a_killed_erasure_is_taken_up_by_the_next_start(world: World) -> None:
    loaded = load(world.daemon.folder / "config.toml")
    protector = parts.protector(loaded)
    one = Mention(
        source="dossier",
        id="1",
        text=POSTS[1],
        created_at=datetime.now(UTC),
        author=Author(id=HANDLE, name=NAME),
    )
    async with world.daemon.store() as store:
        collect = Collect(store, matcher=parts.matcher(loaded), protector=protector)
        batch = Batch(mentions=(one,))
        await collect.accept(loaded.config.source[0], batch, now=datetime.now(UTC))
    # the ledger comes first: a kill right after leaves this
    author = protector.author("dossier", HANDLE)
    assert author is not None
    line = Line(at=datetime.now(UTC).isoformat(), authors=(("dossier", author),))
    append(world.daemon.folder / "data" / "erasures.jsonl", line)
    await world.daemon.start()
    async with world.daemon.store() as store:
        assert await store.read(mentions.counts) == {"deleted": 1}
        assert POSTS[1] not in await store.read(everything)
        assert await store.read(outbox.depth) == {}
    assert await world.daemon.stop() == 0
