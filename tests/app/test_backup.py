"""A backup is whole or absent, is made while the store is written, and comes back."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from veille.app import backup
from veille.app.daemon import daemon
from veille.app.lock import alone
from veille.app.privacy import Line, append
from veille.config import Loaded, load
from veille.domain.access import Access, Role
from veille.domain.errors import ConfigError, StoreError
from veille.domain.mention import MentionKind
from veille.domain.record import Identity, MaskedMention
from veille.store import audit, logins, mentions, tokens, users, watermarks
from veille.store.backup import put_in_place
from veille.store.engine import Db, SqliteStore, connect
from veille.store.users import Session

NOW = datetime(2026, 11, 22, 3, 57, 5, tzinfo=UTC)
VEILLE = Path(sys.executable).with_name("veille")
CONFIG = '[veille]\nname = "Saint-Aubin"\n[[watch]]\nid = "mairie"\n'


def quiet(done: int, total: int) -> None:
    """Show no progress."""
    del done, total


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    (tmp_path / "config.toml").write_text(CONFIG)
    return load(tmp_path / "config.toml")


@pytest.fixture
def database(loaded: Loaded) -> Path:
    return loaded.path.parent / "data" / "veille.db"


@pytest.fixture
async def store(database: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(database, group_commit=timedelta(0)) as opened:
        yield opened


def make(loaded: Loaded, *, keep: int = 7, now: datetime = NOW, to: Path | None = None) -> Path:
    return Path(backup.make(loaded, folder=to, keep=keep, now=now, report=quiet).file)


async def restore(loaded: Loaded, file: Path, *, force: bool = True) -> backup.Restored:
    return await backup.restore(loaded, file, is_forced=force, now=NOW, report=quiet)


def note(db: Db, number: int) -> None:
    audit.add(db, at=NOW, actor="Camille", action="note", target=f"I{number}")


def actors(path: Path) -> list[str]:
    db = connect(path)
    try:
        return [row["target"] for row in db.rows("SELECT target FROM audit ORDER BY seq")]
    finally:
        db.close()


async def test_a_backup_holds_what_was_committed_and_is_ours_alone(
    loaded: Loaded, store: SqliteStore
) -> None:
    await store.write(lambda db: note(db, 1))
    file = make(loaded)
    assert file.name == "veille-20261122T035705Z.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert backup.verify(file).audit == 1
    assert {f.name for f in file.parent.iterdir()} == {file.name, ".lock"}


async def test_nothing_committed_before_a_backup_under_load_is_missing_after_a_restore(
    loaded: Loaded, database: Path
) -> None:
    written = 0
    stop = asyncio.Event()

    async def load_it(store: SqliteStore) -> None:
        nonlocal written
        while not stop.is_set():
            await store.write(partial(note, number=written + 1))
            written += 1

    async with SqliteStore(database, group_commit=timedelta(0)) as store, asyncio.TaskGroup() as g:
        g.create_task(load_it(store))
        while written < 50:
            await asyncio.sleep(0.001)
        before = written
        file = await asyncio.to_thread(make, loaded)
        during = written
        while written < during + 10:
            await asyncio.sleep(0.001)
        stop.set()
    for gone in database.parent.glob("veille.db*"):
        gone.unlink()
    done = await restore(loaded, file, force=False)
    assert done.aside is None
    numbers = [int(name[1:]) for name in actors(database) if name.startswith("I")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert before <= len(numbers) <= during + 1
    assert backup.verify(database).audit == len(numbers) + 1


async def test_the_store_that_was_replaced_is_kept_aside_with_what_it_held(
    loaded: Loaded, database: Path
) -> None:
    async with SqliteStore(database) as store:
        await store.write(lambda db: note(db, 1))
        file = make(loaded)
        await store.write(lambda db: note(db, 2))
    done = await restore(loaded, file)
    assert done.aside == str(database.with_name("veille.db.before-20261122T035705Z"))
    assert backup.verify(Path(done.aside)).audit == 2
    assert actors(database) == ["I1", file.name]
    assert file.exists()


async def test_a_store_that_exists_is_not_replaced_unasked(loaded: Loaded, database: Path) -> None:
    async with SqliteStore(database):
        file = make(loaded)
    with pytest.raises(ConfigError, match="--force"):
        await restore(loaded, file, force=False)


async def test_nothing_is_restored_under_a_running_daemon(loaded: Loaded, database: Path) -> None:
    async with SqliteStore(database):
        file = make(loaded)
    with (
        alone(database.with_name("veille.lock")),
        pytest.raises(ConfigError, match="stop it first"),
    ):
        await restore(loaded, file)


async def test_nothing_is_restored_while_a_command_has_the_store_open(
    loaded: Loaded, store: SqliteStore, database: Path
) -> None:
    file = make(loaded)
    await store.write(lambda db: note(db, 1))
    with pytest.raises(StoreError, match="another program"):
        await restore(loaded, file)
    assert await store.read(lambda db: db.value("SELECT count(*) FROM audit")) == 1
    assert not list(database.parent.glob("*.before-*"))
    assert not list(database.parent.glob(".*.part*"))


async def test_a_damaged_store_is_replaced_and_kept_aside(loaded: Loaded, database: Path) -> None:
    async with SqliteStore(database) as store:
        await store.write(lambda db: note(db, 1))
        file = make(loaded)
    database.write_bytes(b"rubbish" * 1000)
    database.with_name("veille.db-wal").write_bytes(b"old log")
    done = await restore(loaded, file)
    assert done.aside is not None
    assert Path(done.aside).read_bytes().startswith(b"rubbish")
    assert actors(database) == ["I1", file.name]


async def test_the_log_of_a_store_that_was_deleted_does_not_meet_the_restored_one(
    loaded: Loaded, database: Path, tmp_path: Path
) -> None:
    async with SqliteStore(database) as store:
        await store.write(lambda db: note(db, 1))
        file = make(loaded)
        await store.write(lambda db: note(db, 2))
        left = database.with_name("veille.db-wal").read_bytes()
    assert left
    database.unlink()
    database.with_name("veille.db-wal").write_bytes(left)
    await restore(loaded, file, force=False)
    assert actors(database) == ["I1", file.name]


async def test_a_refused_restore_leaves_the_key_too(loaded: Loaded, database: Path) -> None:
    key = database.with_name("mention.key")
    async with SqliteStore(database):
        key.write_bytes(b"k" * 32)
        file = make(loaded)
        key.write_bytes(b"n" * 32)
        with pytest.raises(StoreError, match="another program"):
            await restore(loaded, file)
    assert key.read_bytes() == b"n" * 32


def _damaged(file: Path) -> None:
    with file.open("r+b") as body:
        body.seek(file.stat().st_size // 2)
        body.write(b"\xff" * 9000)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_damaged, "another backup"),
        (lambda f: f.write_bytes(b"hello"), "another backup"),
        (lambda f: f.write_bytes(b""), "not a database of veille"),
        (lambda f: os.truncate(f, f.stat().st_size // 2), "another backup"),
    ],
)
async def test_a_backup_that_is_not_whole_is_refused_and_changes_nothing(
    loaded: Loaded, database: Path, harm: object, said: str
) -> None:
    async with SqliteStore(database) as store:
        await store.write(lambda db: note(db, 1))
        file = make(loaded)
    harm(file)  # type: ignore[operator]
    for refused in (backup.verify, None):
        with pytest.raises(StoreError, match=said) as error:
            backup.verify(file) if refused else await restore(loaded, file)
        assert str(error.value).startswith(f"{file}: ")  # not the copy of it
        assert "data_dir" not in str(error.value)  # nothing is wrong with the store
        assert "stop veille" not in str(error.value)
    assert actors(database) == ["I1"]
    assert {f.name for f in database.parent.iterdir()} == {"veille.db", "veille.lock", "backups"}


async def test_a_backup_of_a_newer_veille_is_refused(loaded: Loaded, database: Path) -> None:
    async with SqliteStore(database):
        file = make(loaded)
    db = connect(file)
    db.execute(
        "INSERT INTO _sqlite_migrations SELECT 99, migration_set, '9999_later', '' "
        "FROM _sqlite_migrations LIMIT 1"
    )
    db.close()
    with pytest.raises(StoreError, match="newer veille"):
        backup.verify(file)


async def test_old_backups_go_and_the_new_one_stays_whatever_the_clock_says(
    loaded: Loaded, store: SqliteStore
) -> None:
    folder = make(loaded).parent
    (folder / "mine.db").touch()
    for day in (1, 2):
        make(loaded, keep=2, now=NOW + timedelta(days=day))
    made = backup.make(loaded, folder=None, keep=2, now=NOW - timedelta(days=9), report=quiet)
    assert sorted(f.name for f in folder.glob("*.db")) == [
        "mine.db",
        "veille-20261113T035705Z.db",
        "veille-20261124T035705Z.db",
    ]
    assert made.removed == ("veille-20261123T035705Z.db",)


async def test_what_a_killed_backup_left_is_cleared_by_the_next(
    loaded: Loaded, store: SqliteStore
) -> None:
    folder = make(loaded).parent
    left = folder / ".veille-20200101T000000Z.db.part"
    left.write_bytes(b"half")
    make(loaded)
    assert not left.exists()


async def test_two_backups_do_not_mix_in_one_folder(
    loaded: Loaded, store: SqliteStore, tmp_path: Path
) -> None:
    with alone(tmp_path / "b" / ".lock"), pytest.raises(ConfigError, match="another backup"):
        make(loaded, to=tmp_path / "b")


async def test_a_folder_that_cannot_be_made_is_named(
    loaded: Loaded, store: SqliteStore, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file/b: Not a directory; no backup was made"):
        make(loaded, to=tmp_path / "file" / "b")


def test_without_a_store_there_is_nothing_to_back_up(loaded: Loaded, database: Path) -> None:
    with pytest.raises(StoreError, match="no such file: check data_dir"):
        make(loaded)
    assert not database.exists()


async def test_a_full_disk_leaves_nothing_half_made(loaded: Loaded, database: Path) -> None:
    async with SqliteStore(database) as store:
        await store.write(lambda db: [note(db, n) for n in range(2000)])
        kept = make(loaded)
    done = subprocess.run(
        [str(VEILLE), "backup"],
        cwd=loaded.path.parent,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)),
    )
    assert done.returncode == 1
    assert "backups/.veille-" in done.stderr
    assert "Traceback" not in done.stderr
    assert {f.name for f in kept.parent.iterdir()} == {kept.name, ".lock"}


async def test_who_was_logged_in_then_is_not_after_a_restore(
    loaded: Loaded, database: Path
) -> None:
    def log_in(db: Db) -> None:
        users.add(db, name="Camille", password_hash="x", role=Role.TRIAGE, now=NOW)
        users.add_session(
            db,
            Session(
                token_hash="t",
                user="Camille",
                csrf="c",
                created_at=NOW,
                seen_at=NOW,
                expires_at=NOW + timedelta(hours=1),
            ),
        )
        tokens.add(
            db, user="Camille", name="x", token_hash="t", scopes=frozenset({Access.READ}), now=NOW,
            expires_at=NOW + timedelta(days=90),
        )  # fmt: skip
        logins.invite(db, "Camille", token_hash="i", expires_at=NOW + timedelta(days=3))
        logins.remember_device(db, "Camille", token_hash="d", now=NOW)

    async with SqliteStore(database) as store:
        await store.write(log_in)
        file = make(loaded)
    await restore(loaded, file)
    async with SqliteStore(database) as store:
        assert await store.read(lambda db: users.sessions(db, "Camille")) == []
        # what was revoked, used or forgotten since does not come back either
        assert await store.read(lambda db: tokens.of(db, "Camille", now=NOW)) == []
        assert await store.read(lambda db: logins.invited(db, "i", now=NOW)) is None
        assert not await store.read(
            lambda db: logins.knows_device(db, "Camille", token_hash="d", now=NOW)
        )


async def test_the_key_of_mentions_travels_with_the_backup(loaded: Loaded, database: Path) -> None:
    async with SqliteStore(database):
        key = database.with_name("mention.key")
        key.write_bytes(b"k" * 32)
        file = make(loaded)
    assert stat.S_IMODE(file.with_suffix(".key").stat().st_mode) == 0o600
    key.write_bytes(b"other" * 6)
    await restore(loaded, file)
    assert key.read_bytes() == b"k" * 32
    assert key.with_name("mention.key.before-20261122T035705Z").read_bytes() == b"other" * 6


class _KilledError(BaseException):
    """The process ends at this line."""


def _killed(*arguments: object) -> NoReturn:
    del arguments
    raise _KilledError


@pytest.mark.parametrize("line", ["put_in_place", "end_sessions"])
async def test_after_a_restore_that_was_killed_the_daemon_waits_for_another(
    loaded: Loaded, database: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    key = database.with_name("mention.key")
    async with SqliteStore(database) as store:
        await store.write(lambda db: note(db, 1))
        key.write_bytes(b"k" * 32)
        file = make(loaded)
        await store.write(lambda db: note(db, 2))
    key.write_bytes(b"other" * 6)
    with monkeypatch.context() as patch:
        patch.setattr(f"veille.store.backup.{line}", _killed)
        with pytest.raises(_KilledError):
            await restore(loaded, file)
    with pytest.raises(ConfigError, match=f"{file.name} was not finished.*backup restore"):
        async with daemon(loaded, now=lambda: NOW):
            pass
    later = NOW + timedelta(minutes=1)
    await backup.restore(loaded, file, is_forced=True, now=later, report=quiet)
    backup.require_finished(database)
    assert (key.read_bytes(), actors(database)) == (b"k" * 32, ["I1", file.name])


async def test_a_restore_that_was_refused_leaves_the_daemon_free_to_start(
    loaded: Loaded, database: Path
) -> None:
    async with SqliteStore(database):
        file = make(loaded)
        with pytest.raises(StoreError, match="another program"):
            await restore(loaded, file)
    backup.require_finished(database)


async def test_what_was_erased_since_the_backup_is_erased_again(
    loaded: Loaded, database: Path
) -> None:
    def said(author: str) -> MaskedMention:
        return MaskedMention(
            key=f"key of {author}",
            source="presse",
            watches=("mairie",),
            kind=MentionKind.POST,
            text="le pont est fermé",
            created_at=NOW,
            received_at=NOW,
            content_hash=author,
            identity=Identity(native_id=author),
            author=author,
        )

    async with SqliteStore(database) as store:
        both = (said("one"), said("other"))
        await store.write(lambda db: mentions.add(db, mentions=both, tombstones=(), now=NOW))
        file = make(loaded)
    later = (NOW + timedelta(hours=1)).isoformat()
    append(database.with_name("erasures.jsonl"), Line(at=later, authors=(("presse", "one"),)))
    done = await restore(loaded, file)
    assert (done.contents.mentions, done.erased) == (2, 1)
    async with SqliteStore(database) as store:
        texts = await store.read(lambda db: db.rows("SELECT author, text FROM mentions"))
    assert {row["text"] for row in texts if row["author"] != "other"} <= {""}
    assert [row["text"] for row in texts if row["author"] == "other"] == ["le pont est fermé"]


async def test_a_restore_that_logs_still_prints_nothing_but_json(
    loaded: Loaded, database: Path
) -> None:
    mention = MaskedMention(
        key="a key", source="presse", watches=("mairie",), kind=MentionKind.POST, text="le pont",
        created_at=NOW, received_at=NOW, content_hash="h", identity=Identity(native_id="1"),
        author="one",
    )  # fmt: skip
    async with SqliteStore(database) as store:
        await store.write(lambda db: mentions.add(db, mentions=[mention], tombstones=(), now=NOW))
        file = make(loaded)
    later = (NOW + timedelta(hours=1)).isoformat()
    append(database.with_name("erasures.jsonl"), Line(at=later, authors=(("presse", "one"),)))
    done = subprocess.run(
        [str(VEILLE), "backup", "restore", str(file), "--force", "--json"],
        cwd=loaded.path.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout)["erased"] == 1
    assert json.loads(done.stderr)["event"] == "erasures_applied_again"


async def test_erasures_known_here_or_beside_the_backup_are_all_known_after(
    loaded: Loaded, database: Path
) -> None:
    async with SqliteStore(database):
        ledger = database.with_name("erasures.jsonl")
        ledger.write_text('{"a":1}\n')
        file = make(loaded)
    file.with_name("erasures.jsonl").write_text('{"a":1}\n{"b":2}\n')
    ledger.write_text('{"a":1}\n{"c":3}\n')
    await restore(loaded, file)
    assert ledger.read_text() == '{"a":1}\n{"c":3}\n{"b":2}\n'


def test_what_stops_a_restore_before_the_switch_leaves_the_old_store(tmp_path: Path) -> None:
    old, new, aside = (tmp_path / name for name in ("veille.db", "new.db", "aside"))
    for path, value in ((old, 1), (new, 2)):
        db = connect(path)
        watermarks.set(db, "x", value)
        db.close()
    aside.touch()  # the name is taken
    with pytest.raises(FileExistsError):
        put_in_place(new, old, aside)
    db = connect(old)
    assert watermarks.get(db, "x") == 1
    db.close()


def test_the_command_prints_what_it_made_and_json_when_asked(
    loaded: Loaded, database: Path
) -> None:
    connect(database).close()
    folder = loaded.path.parent

    def veille(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(VEILLE), "backup", *args], cwd=folder, capture_output=True, text=True, check=False
        )

    said = veille("--to", "copies")
    assert (said.returncode, said.stderr) == (0, "")
    assert "verified" in said.stdout
    assert "config.toml and the secrets" in said.stdout
    (file,) = (folder / "copies").glob("*.db")
    assert '"mentions":0' in veille("verify", str(file), "--json").stdout
    assert veille("restore", str(file)).returncode == 2
    assert veille("restore", str(file), "--force").returncode == 0
    assert veille("--keep", "0").returncode == 2
    assert veille("verify", "nothing.db").returncode == 2
