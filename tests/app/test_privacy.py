"""Access, erasure and objection on one store: who is meant, what goes, what is refused."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from servers.mastodon import MastodonServer
from veille.app import parts, traces
from veille.app.lock import alone
from veille.app.privacy import Line, Person, append, reapply_erasures, sweep
from veille.app.scan import CHUNK, scan
from veille.cli.root import root
from veille.collectors.mastodon_parse import Origin, read_status
from veille.config import Loaded, load
from veille.domain.analysis import (
    Analysis,
    Cluster,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.errors import ConfigError, InputError, StoreError
from veille.domain.incident import Event
from veille.domain.mention import Author, Batch, Mention
from veille.pipeline.collect import Accepted, Collect
from veille.store import audit, mentions, oppositions, timeline, work
from veille.store.engine import Db, SqliteStore

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CONFIG = """
[veille]
name = "Ville de Saint-Aubin"

[[watch]]
id = "mairie"

[[source]]
id = "presse"
kind = "file"
path = "presse.jsonl"

[[source]]
id = "reseau"
kind = "file"
path = "reseau.jsonl"

[[source]]
id = "mastodon"
kind = "mastodon"
url = "https://mastodon.example"
streams = ["public"]

[[source]]
id = "bluesky"
kind = "bluesky"
urls = ["wss://jetstream.example/subscribe"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    secrets = tmp_path / "secrets.toml"
    secrets.touch(mode=0o600)
    secrets.write_text('PSEUDONYM_KEY = "a key of the privacy tests"\n')
    return tmp_path


@pytest.fixture
def loaded(folder: Path) -> Loaded:
    return load(folder / "config.toml")


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(
        folder / "data" / "veille.db", group_commit=timedelta(0), is_durable=False
    ) as opened:
        yield opened


class Desk:
    """Collects texts, and answers requests."""

    def __init__(self, store: SqliteStore, loaded: Loaded) -> None:
        self.store, self.loaded, self.number = store, loaded, 0
        self.collect = Collect(
            store, matcher=parts.matcher(loaded), protector=parts.protector(loaded)
        )

    async def say(
        self, text: str, author: str, *, name: str | None = None, source: str = "reseau"
    ) -> Accepted:
        self.number += 1
        mention = Mention(
            source=source,
            id=f"{source}-{self.number}",
            text=text,
            created_at=NOW,
            author=Author(id=author, name=name),
            url=f"https://reseau.example/u/{self.number}",
        )
        origin = next(s for s in self.loaded.config.source if s.id == source)
        return await self.collect.accept(origin, Batch(mentions=(mention,)), now=NOW)

    async def toot(self, text: str, acct: str, *, display_name: str = "Zoé D.") -> Accepted:
        """A status as Mastodon's API gives it: `acct` of a local account names no server."""
        status = MastodonServer().status(text, acct=acct)
        self.number += 1
        status["id"] = str(self.number)
        status["account"]["display_name"] = display_name
        found = read_status(
            json.dumps(status).encode(), Origin(source="mastodon", host="mastodon.example")
        ).mention
        assert found is not None
        origin = next(s for s in self.loaded.config.source if s.id == "mastodon")
        return await self.collect.accept(origin, Batch(mentions=(found,)), now=NOW)

    def person(self, handle: str, source: str | None = None) -> Person:
        return Person(self.store, self.loaded, handle, source=source)

    async def texts(self) -> set[str]:
        found = await self.store.read(lambda db: db.rows("SELECT text FROM mentions"))
        return {row["text"] for row in found} - {""}


@pytest.fixture
def desk(store: SqliteStore, loaded: Loaded) -> Desk:
    return Desk(store, loaded)


@pytest.mark.parametrize("handle", ["@zelie.m", "zelie.m", "ZELIE.M", "Zélie Marin", "zelie marin"])
async def test_a_person_is_found_as_the_platform_shows_them(desk: Desk, handle: str) -> None:
    await desk.say("la fête est belle", "zelie.m", name="Zélie Marin")
    await desk.say("autre chose", "voisin", name="Un voisin")
    person = desk.person(handle)
    held = await person.export(await person.find(), actor="admin", now=NOW)
    assert [m["text"] for m in held["messages"]] == ["la fête est belle"]


async def test_the_same_handle_on_two_sources_is_found_on_both_unless_one_is_named(
    desk: Desk,
) -> None:
    await desk.say("ici", "zelie.m")
    await desk.say("là", "zelie.m", source="presse")
    assert len((await desk.person("zelie.m").find()).authors) == 2
    assert [s for s, _ in (await desk.person("zelie.m", "presse").find()).authors] == ["presse"]


@pytest.mark.parametrize("handle", ["@zoe_d", "Zoe_D", "@zoe_d@mastodon.example", "Zoé D."])
async def test_a_local_mastodon_account_is_found_as_its_own_server_shows_it(
    desk: Desk, handle: str
) -> None:
    await desk.toot("chez elle", "zoe_d")
    await desk.toot("une autre", "zoe_d@ailleurs.example", display_name="Zoé Durand")
    person = desk.person(handle)
    subject = await person.find()
    held = await person.export(subject, actor="admin", now=NOW)
    assert [m["text"] for m in held["messages"]] == ["chez elle"]
    certificate = await person.erase(subject, actor="admin", now=NOW)
    assert certificate["erased"]["mentions"] == 1
    assert certificate["scan"]["remains"] == 0
    assert await desk.texts() == {"une autre"}


@pytest.mark.parametrize("is_everywhere", [False, True])
@pytest.mark.parametrize("is_known", [False, True])
async def test_a_local_mastodon_account_objects_as_its_own_server_shows_it(
    desk: Desk, is_known: bool, is_everywhere: bool
) -> None:
    if is_known:
        await desk.toot("avant", "zoe_d")
    person = desk.person("@zoe_d")
    await person.oppose(await person.find(), actor="admin", now=NOW, is_everywhere=is_everywhere)
    assert (await desk.toot("encore", "Zoe_D")).opposed == 1
    assert (await desk.toot("une autre", "zoe_d@ailleurs.example")).stored == 1
    held = await person.export(await person.find(), actor="admin", now=NOW)
    assert held["opposed"]


async def test_an_objection_of_a_full_address_holds_for_the_local_account(desk: Desk) -> None:
    person = desk.person("@zoe_d@mastodon.example")
    await person.oppose(await person.find(), actor="admin", now=NOW, is_everywhere=False)
    assert (await desk.toot("encore", "zoe_d")).opposed == 1
    asked = desk.person("@zoe_d")
    assert (await asked.export(await asked.find(), actor="admin", now=NOW))["opposed"]


async def test_nobody_found_says_where_and_how_it_looked(desk: Desk) -> None:
    person = desk.person("@zoe.example")
    said = "\n".join(person.doubts(await person.find()))
    assert "nothing is stored" in said
    for name in ("presse", "reseau", "zoe.example@mastodon.example", "did:plc:", "resolveHandle"):
        assert name in said
    await desk.say("bonjour", "did:plc:abc123", source="reseau")
    known = desk.person("did:plc:abc123")
    assert list(known.doubts(await known.find())) == []


async def test_an_objection_that_can_hold_nowhere_is_refused(desk: Desk) -> None:
    person = desk.person("@alice.bsky.example", "bluesky")
    with pytest.raises(InputError, match="did:plc:"):
        await person.oppose(await person.find(), actor="admin", now=NOW, is_everywhere=False)
    by_did = desk.person("did:plc:abc123", "bluesky")
    added = await by_did.oppose(await by_did.find(), actor="admin", now=NOW, is_everywhere=False)
    assert added == 1


async def test_a_source_that_does_not_exist_is_refused_unless_something_is_stored_of_it(
    desk: Desk, folder: Path
) -> None:
    with pytest.raises(InputError, match='--source: "resau" does not exist; did you mean "reseau"'):
        await desk.person("zelie.m", "resau").find()
    await desk.say("la fête est belle", "zelie.m")
    text = (folder / "config.toml").read_text().replace('id = "reseau"', 'id = "autre"')
    (folder / "config.toml").write_text(text)
    person = Person(desk.store, load(folder / "config.toml"), "zelie.m", source="reseau")
    assert len((await person.find()).authors) == 1


async def test_namesakes_are_never_taken_for_each_other(desk: Desk) -> None:
    await desk.say("premier", "u1", name="Camille")
    await desk.say("second", "u2", name="Camille")
    with pytest.raises(InputError, match="2 authors are called"):
        await desk.person("Camille").find()
    subject = await desk.person("u1").find()
    (_, pseudonym) = subject.authors[0]
    assert (await desk.person(pseudonym, "reseau").find()).authors == subject.authors


async def test_an_id_goes_before_a_name_that_looks_like_it(desk: Desk) -> None:
    await desk.say("elle", "zelie", name="Zélie")
    await desk.say("un farceur", "u2", name="@zelie")
    person = desk.person("@zelie")
    held = await person.export(await person.find(), actor="admin", now=NOW)
    assert [m["text"] for m in held["messages"]] == ["elle"]


async def test_an_export_says_why_until_when_and_nothing_of_others(desk: Desk) -> None:
    await desk.say("mon numéro 06 39 98 12 34", "zelie.m", name="Zélie Marin")
    await desk.say("autre chose", "voisin")
    person = desk.person("zelie.m")
    held = await person.export(await person.find(), actor="admin", now=NOW)
    (message,) = held["messages"]
    assert message["text"] == "mon numéro [téléphone masqué]"
    assert message["unmasked_text_sealed"] is True
    assert message["class"] == "neutral"
    assert message["expires_at"] == (NOW + timedelta(days=30)).isoformat()
    assert held["retention"]["incident"] == "365d"
    assert "voisin" not in json.dumps(held)
    rows = await desk.store.read(lambda db: db.rows("SELECT * FROM audit"))
    assert [r["action"] for r in rows] == ["privacy.export"]
    assert "zelie" not in repr([tuple(r) for r in rows])


async def test_an_export_does_not_name_the_message_of_somebody_else_it_resembles(
    desk: Desk,
) -> None:
    await desk.say("le pont est fermé", "zelie.m")

    def analyze(db: Db) -> None:
        jobs = work.claim(db, limit=1, now=NOW, lease=timedelta(minutes=1))
        found = Analysis(
            lang="fr",
            sentiment=Sentiment(label=SentimentLabel.NEUTRAL, score=0.0, probabilities={}),
            crisis=0.0,
            urgency=Urgency(label=UrgencyLabel.NORMAL, score=0.0),
            cluster=Cluster(id="k" * 32, size=3, wordings=2, authors=2, is_claim=False),
        )
        work.save(db, [(job, found) for job in jobs], now=NOW)

    await desk.store.write(analyze)
    person = desk.person("zelie.m")
    held = await person.export(await person.find(), actor="admin", now=NOW)
    (message,) = held["messages"]
    assert message["analysis"]["cluster"]["size"] == 3
    assert "k" * 32 not in json.dumps(held)


async def test_an_erasure_takes_all_of_one_person_and_nothing_of_others(
    desk: Desk, folder: Path
) -> None:
    for number in range(250):
        await desk.say(f"phrase reconnaissable {number}", "zelie.m", name="Zélie Marin")
    await desk.say("autre chose", "voisin")
    person = desk.person("@zelie.m")
    certificate = await person.erase(await person.find(), actor="admin", now=NOW)
    assert certificate["erased"]["mentions"] == 250
    assert certificate["erased"]["identities"] == 250
    assert certificate["scan"]["remains"] == 0
    assert await desk.texts() == {"autre chose"}
    again = await person.erase(await person.find(), actor="admin", now=NOW)
    assert again["erased"] == {}
    body = {k: v for k, v in certificate.items() if k != "sha256"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == certificate["sha256"]
    assert await desk.store.read(audit.verify) is None
    for file in (folder / "data").iterdir():
        assert b"zelie" not in file.read_bytes()
        assert b"reconnaissable" not in file.read_bytes()


async def test_no_byte_is_left_among_many_others_of_every_size(desk: Desk, folder: Path) -> None:
    rng = random.Random(3)
    words = [f"mot{n:04}" for n in range(2000)]
    for number in range(300):
        text = " ".join(rng.choices(words, k=rng.choice((5, 40, 900))))
        if number % 7 == 0:
            await desk.say(f"{text} tarasque{number}fin", "zelie.m", name="Zélie Marin")
        else:
            await desk.say(text, f"u{number % 50}")
    person = desk.person("zelie.m")
    certificate = await person.erase(await person.find(), actor="admin", now=NOW)
    assert certificate["scan"]["remains"] == 0
    data = b"".join(file.read_bytes() for file in (folder / "data").iterdir())
    assert b"tarasque" not in data
    assert b"zelie" not in data


async def test_a_trace_in_a_log_file_is_told(desk: Desk, tmp_path: Path) -> None:
    await desk.say("phrase reconnaissable", "zelie.m", name="Zélie Marin")
    log = tmp_path / "old.log"
    log.write_text('{"who": "Z\\u00e9lie Marin"}')
    person = desk.person("zelie.m")
    certificate = await person.erase(await person.find(), actor="admin", now=NOW, scan=[tmp_path])
    assert certificate["scan"]["remains"] == 1
    assert certificate["scan"]["remains_in"] == ["old.log"]


async def test_what_others_write_of_the_person_is_told_apart(desk: Desk) -> None:
    await desk.say("bonjour à tous", "@zelie.marin")
    await desk.say("bravo @zelie.marin", "voisin")
    person = desk.person("@zelie.marin")
    certificate = await person.erase(await person.find(), actor="admin", now=NOW)
    assert certificate["scan"]["remains"] == 0
    assert certificate["scan"]["in_texts_of_others"] == 2
    assert await desk.texts() == {"bravo @zelie.marin"}


async def test_a_note_that_names_the_person_is_listed_for_people_to_decide(desk: Desk) -> None:
    await desk.say("bonjour à tous", "@zelie.marin")
    event = Event(target="I12", at=NOW, kind="note", actor="Camille", text="vu avec @zelie.marin")
    await desk.store.write(lambda db: timeline.add(db, [event]))
    person = desk.person("@zelie.marin")
    held = await person.export(await person.find(), actor="admin", now=NOW)
    certificate = await person.erase(await person.find(), actor="admin", now=NOW)
    assert held["notes"] == certificate["notes"] == ["I12"]
    assert certificate["scan"]["remains"] == 0


async def test_who_objected_is_refused_there_and_others_are_not(desk: Desk) -> None:
    person = desk.person("@zelie.m")
    subject = await person.find()
    assert subject.authors == ()
    assert await person.oppose(subject, actor="admin", now=NOW, is_everywhere=False) > 0
    assert (await desk.say("encore", "zelie.m")).opposed == 1
    assert (await desk.say("encore", "u9", name="@Zelie.M")).opposed == 1
    assert (await desk.say("encore", "zelie.mm")).stored == 1
    assert (await desk.say("encore", "voisin", name="zelie.m")).stored == 1


async def test_an_objection_holds_for_a_source_only_unless_said(desk: Desk) -> None:
    here = desk.person("zelie.m", "reseau")
    await here.oppose(await here.find(), actor="admin", now=NOW, is_everywhere=False)
    assert (await desk.say("là", "zelie.m", source="presse")).stored == 1
    anywhere = desk.person("zelie.m")
    await anywhere.oppose(await anywhere.find(), actor="admin", now=NOW, is_everywhere=True)
    assert (await desk.say("là encore", "zelie.m", source="presse")).opposed == 1


async def test_an_objection_by_name_holds_for_the_id_behind_it(desk: Desk) -> None:
    await desk.say("bonjour", "did:plc:abc123", name="@zelie.example")
    person = desk.person("@zelie.example")
    await person.oppose(await person.find(), actor="admin", now=NOW, is_everywhere=False)
    assert (await desk.say("encore", "did:plc:abc123", name="nouveau nom")).opposed == 1


async def test_without_a_key_nobody_can_object(desk: Desk, folder: Path) -> None:
    (folder / "secrets.toml").write_text("")
    person = Person(desk.store, load(folder / "config.toml"), "zelie.m", source=None)
    with pytest.raises(ConfigError, match="PSEUDONYM_KEY"):
        await person.oppose(await person.find(), actor="admin", now=NOW, is_everywhere=False)


async def test_the_ledger_erases_again_what_a_backup_brings_back(
    desk: Desk, folder: Path, store: SqliteStore
) -> None:
    await desk.say("phrase reconnaissable", "zelie.m")
    person = desk.person("zelie.m")
    subject = await person.find()
    await person.oppose(subject, actor="admin", now=NOW, is_everywhere=False)
    ledger = folder / "data" / "erasures.jsonl"
    append(ledger, Line(at=NOW.isoformat(), authors=subject.authors))
    assert "zelie" not in ledger.read_text()
    assert ledger.stat().st_mode & 0o777 == 0o600

    def forget(db: Db) -> None:  # as in a backup from before the objection
        db.execute("DELETE FROM oppositions")

    await store.write(forget)
    assert await reapply_erasures(store, ledger, now=NOW) == 1
    assert await reapply_erasures(store, ledger, now=NOW) == 0
    assert await desk.texts() == set()
    assert await store.read(oppositions.count) > 0


async def test_what_a_person_writes_after_their_erasure_stays(
    desk: Desk, folder: Path, store: SqliteStore
) -> None:
    await desk.say("avant", "zelie.m")
    subject = await desk.person("zelie.m").find()
    ledger = folder / "ledger.jsonl"
    append(ledger, Line(at=(NOW - timedelta(hours=1)).isoformat(), authors=subject.authors))
    assert await reapply_erasures(store, ledger, now=NOW) == 0
    assert await desk.texts() == {"avant"}


async def test_a_line_torn_by_a_kill_spoils_no_other(folder: Path, store: SqliteStore) -> None:
    ledger = folder / "ledger.jsonl"
    append(ledger, Line(at=NOW.isoformat(), marks=("a",)))
    ledger.write_bytes(ledger.read_bytes() + b'{"at":"2026')
    append(ledger, Line(at=NOW.isoformat(), marks=("b",)))
    await reapply_erasures(store, ledger, now=NOW)
    assert await store.read(oppositions.count) == 2
    assert await reapply_erasures(store, folder / "absent", now=NOW) == 0


async def test_a_sweep_by_hand_says_what_went(desk: Desk, loaded: Loaded) -> None:
    for number in range(450):
        await desk.say(f"texte {number}", "voisin")
    counts = await sweep(desk.store, loaded, now=NOW + timedelta(days=31))
    assert counts["texts"] == 450
    assert await desk.store.read(mentions.counts) == {"deleted": 450}


def test_short_names_are_not_looked_for_since_chance_writes_them_too() -> None:
    search = traces.search_for(["@x", "zelie"], ["oui", "un texte assez long " * 9])
    assert b"@x" not in search.needles
    assert b"zelie" in search.needles
    assert search.too_short > 0


def test_a_needle_across_two_pieces_of_a_file_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "big"
    file.write_bytes(b"." * (CHUNK - 3) + b"needle" + b"." * 10)
    absent = tmp_path / "absent"
    found = scan([absent, file], [b"absent", b"needle"])
    assert found == ({file: {b"needle"}}, CHUNK + 13)


def test_a_file_that_cannot_be_read_is_named_and_not_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "logs"
    file.mkdir()
    with pytest.raises(StoreError, match="logs: Is a directory"):
        scan([file], [b"needle"])


VISIT = """
import sys
from contextlib import closing
from pathlib import Path
from veille.store.engine import connect
with closing(connect(Path(sys.argv[1]))) as db:
    print(db.value("SELECT count(*) FROM audit"))
"""


async def test_a_search_of_the_files_costs_no_lock_of_the_open_store(
    desk: Desk, folder: Path
) -> None:
    database = folder / "data" / "veille.db"

    def visit() -> str:
        """Another command opens the store and closes it: alone, it would remove the log."""
        done = subprocess.run(
            [sys.executable, "-c", VISIT, database], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    await desk.say("phrase reconnaissable", "zelie.m", name="Zélie Marin")
    await traces.clear(desk.store, database, traces.search_for(["absente"], []), [])
    assert visit() == "0"
    person = desk.person("zelie.m")
    await person.export(await person.find(), actor="admin", now=NOW)
    assert visit() == "1"


async def test_what_deleting_left_goes_with_a_rewrite_unless_a_daemon_writes_a_large_file(
    desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.say("phrase ordinaire", "voisin")
    database = folder / "data" / "veille.db"
    await desk.store.checkpoint()

    def leave(db: Db) -> None:  # a page that is free and was not overwritten
        db.execute("CREATE TABLE scrap (a TEXT)")
        db.execute("INSERT INTO scrap VALUES ('phrase oubliée ici')")

    def drop(db: Db) -> None:
        db.execute("DROP TABLE scrap")

    await desk.store.write(leave)
    search = traces.search_for(["phrase oubliée ici"], [])
    found = await traces.clear(desk.store, database, search, [])
    assert found.remains_in == ("veille.db",)
    monkeypatch.setattr(traces, "REWRITE_BYTES", 0)
    with alone(database.with_name("veille.lock")):
        assert not traces.may_rewrite(database)
    assert traces.may_rewrite(database)
    await desk.store.write(drop)
    assert (await traces.clear(desk.store, database, search, [])).remains == 0


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["privacy", "erase", "@nobody.here"], 1, "Aborted"),
        (["privacy", "erase", "@nobody.here", "--yes"], 0, "certificate sha256"),
        (["privacy", "export", "@"], 2, "handle is empty"),
        (["privacy", "export", "@nobody.here"], 0, "nothing is stored"),
        (["privacy", "erase", "x", "--yes", "--source", "a"], 2, '"a" does not exist'),
        (["privacy", "oppose", "x", "--yes", "--source", "presses"], 2, 'did you mean "presse"'),
        (["privacy", "oppose", "x", "--source", "a", "--all-sources"], 2, "exclude each other"),
        (["privacy", "sweep"], 0, "nothing was too old"),
        (["privacy", "sweep", "--json"], 0, "{}"),
        (["privacy", "export", "@nobody.here", "--json"], 0, '"messages":[]'),
    ],
)
def test_the_commands_answer(folder: Path, args: list[str], code: int, said: str) -> None:
    done = CliRunner().invoke(root, [*args, "--config", str(folder / "config.toml")])
    assert done.exit_code == code, done.output
    assert said in done.output
    if "--json" in args:
        json.loads(done.stdout)
