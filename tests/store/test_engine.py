"""The engine: transactions, threads, files, and other processes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from veille.domain.errors import InputError, StoreError
from veille.store import watermarks
from veille.store import writer as writing_thread
from veille.store.engine import Db, SqliteStore, connect
from veille.store.for_people import ForPeople
from veille.store.migrations import MIGRATIONS
from veille.store.writer import Lane, Writer

WRITING = """
import asyncio, sys
from pathlib import Path
from veille.store import watermarks
from veille.store.engine import SqliteStore

async def main(path, name, count):
    async with SqliteStore(Path(path)) as store:
        async def one(number):
            await store.write(lambda db: watermarks.set(db, f"{name}{number}", number))
            print(number, flush=True)
        for start in range(0, count, 5):
            await asyncio.gather(*(one(number) for number in range(start, start + 5)))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def writing(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    """Start another process that writes numbers and prints each once it is acknowledged."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITING, str(path), name, str(count)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def marks(db: Db) -> set[str]:
    return {row["name"] for row in db.rows("SELECT name FROM watermarks")}


async def test_a_write_is_read_back_and_survives_reopening(path: Path) -> None:
    async with SqliteStore(path) as store:
        await store.write(lambda db: watermarks.set(db, "evaluate", 7))
        assert await store.read(lambda db: watermarks.get(db, "evaluate")) == 7
    async with SqliteStore(path) as store:
        assert await store.read(lambda db: watermarks.get(db, "evaluate")) == 7


@asynccontextmanager
async def one_batch(store: SqliteStore) -> AsyncIterator[None]:
    """Hold the writer, so that the writes begun inside end up in one transaction."""
    begun, may_end = threading.Event(), threading.Event()

    def hold(db: Db) -> None:
        begun.set()
        may_end.wait(10)

    holding = asyncio.ensure_future(store.write(hold))
    await asyncio.to_thread(begun.wait, 10)
    yield
    await asyncio.sleep(0)  # the writes begun have been submitted
    may_end.set()
    await holding


async def together(
    store: SqliteStore, *changes: Callable[[Db], None]
) -> list[BaseException | None]:
    """Return what each change of one transaction raised."""
    async with one_batch(store):
        writes = [asyncio.ensure_future(store.write(change)) for change in changes]
    return await asyncio.gather(*writes, return_exceptions=True)


def mark(name: str) -> Callable[[Db], None]:
    return lambda db: watermarks.set(db, name, 1)


async def test_a_failing_change_beside_good_ones_undoes_itself_alone(store: SqliteStore) -> None:
    def failing(db: Db) -> None:
        watermarks.set(db, "bad", 1)
        raise ValueError("no")

    before = await store.data_version()
    outcomes = await together(store, mark("first"), failing, mark("last"))
    assert [type(outcome) for outcome in outcomes] == [type(None), ValueError, type(None)]
    assert await store.data_version() == before + 1  # one commit for all three
    assert await store.read(marks) == {"first", "last"}


async def test_when_the_commit_fails_every_caller_hears_it_and_nothing_is_kept(
    store: SqliteStore,
) -> None:
    def orphan(db: Db) -> None:
        db.execute("PRAGMA defer_foreign_keys = ON")  # checked at COMMIT only
        db.execute("INSERT INTO identities VALUES (999, 'x', NULL, NULL, NULL)")

    outcomes = await together(store, mark("good"), orphan)
    assert [type(outcome) for outcome in outcomes] == [StoreError, StoreError]
    assert await store.read(marks) == set()
    await store.write(mark("after"))
    assert await store.read(marks) == {"after"}


async def test_a_transaction_given_up_by_sqlite_fails_its_whole_batch(store: SqliteStore) -> None:
    def full(db: Db) -> None:
        db.execute("ROLLBACK")  # what SQLite does by itself on a full disk
        raise StoreError("disk full")

    outcomes = await together(store, mark("good"), full, mark("later"))
    assert [type(outcome) for outcome in outcomes] == [StoreError] * 3
    assert await store.read(marks) == set()


async def test_a_cancelled_caller_leaves_the_writer_at_work(store: SqliteStore) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(db: Db) -> None:
        begun.set()
        may_end.wait(10)
        watermarks.set(db, "slow", 1)

    running = asyncio.ensure_future(store.write(slow))
    await asyncio.to_thread(begun.wait, 10)
    waiting = asyncio.ensure_future(store.write(lambda db: watermarks.set(db, "waiting", 1)))
    await asyncio.sleep(0)
    running.cancel()
    waiting.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)
    may_end.set()
    await store.write(lambda db: watermarks.set(db, "next", 1))
    assert await store.read(marks) == {"slow", "next"}


async def test_writes_after_a_commit_are_gathered_and_closing_commits_them(path: Path) -> None:
    async with SqliteStore(path, group_commit=timedelta(hours=1)) as store:
        await store.write(mark("first"))  # at once: there was no commit before
        watch = connect(path, is_reader=True)
        before = watch.value("PRAGMA data_version")
        writes = [asyncio.ensure_future(store.write(mark(f"m{n}"))) for n in range(20)]
        assert await store.read(marks) == {"first"}
    await asyncio.gather(*writes)
    assert watch.value("PRAGMA data_version") == before + 1
    assert len(marks(watch)) == 21
    watch.close()


async def test_a_person_waits_for_one_change_and_not_for_all_that_waited_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing_thread, "PATIENCE_S", -1)  # any change is long
    monkeypatch.setitem(writing_thread.BEHIND_S, Lane.STAGES, 60)  # a slow machine is no wait
    order: list[str] = []
    begun, may_end = threading.Event(), threading.Event()

    def stage(name: str) -> Callable[[Db], None]:
        def change(db: Db) -> None:
            order.append(name)
            watermarks.set(db, name, 1)

        return change

    def long(db: Db) -> None:
        begun.set()
        may_end.wait(10)
        stage("long")(db)

    async with SqliteStore(path) as store:
        await store.write(stage("first"))
        stages = [asyncio.ensure_future(store.write(change)) for change in (long, stage("a"))]
        await asyncio.to_thread(begun.wait, 10)  # "a" is in the transaction of "long"
        stages.append(asyncio.ensure_future(store.write(stage("b"))))
        person = asyncio.ensure_future(ForPeople(store).write(stage("person")))
        await asyncio.sleep(0)
        may_end.set()
        await person
        await asyncio.gather(*stages)
        kept = await store.read(marks)
    assert order == ["first", "long", "person", "a", "b"]
    assert kept == set(order)


def test_a_stage_that_waits_has_its_turn_however_many_people_write(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing_thread, "PATIENCE_S", -1)
    monkeypatch.setitem(writing_thread.BEHIND_S, Lane.STAGES, 0)  # it has waited long enough
    writer = Writer(partial(connect, path), window=timedelta(milliseconds=1))
    writer.open()
    order: list[str] = []
    may_go, ended = threading.Event(), threading.Event()

    def person(db: Db) -> None:  # somebody else always waits already
        may_go.wait(10)
        order.append("person")
        if order.count("person") < 50:
            writer.submit(person, lane=Lane.PEOPLE)
        else:
            ended.set()

    writer.submit(person, lane=Lane.PEOPLE)
    stage = writer.submit(lambda db: order.append("stage"))
    writer.submit(person, lane=Lane.PEOPLE)
    may_go.set()
    assert ended.wait(10)
    writer.close()
    assert stage.done()
    assert order.index("stage") < 5


async def test_a_lone_surrogate_is_refused_without_being_repeated(store: SqliteStore) -> None:
    with pytest.raises(InputError, match="surrogate") as caught:
        await store.write(mark("secret \ud800"))
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_store_that_is_not_open_says_so(path: Path) -> None:
    store = SqliteStore(path)
    with pytest.raises(StoreError, match="async with"):
        await store.read(marks)
    with pytest.raises(StoreError, match="async with"):
        await store.write(marks)
    async with store:
        pass
    with pytest.raises(StoreError, match="async with"):
        await store.write(marks)


def test_a_blocked_writer_refuses_rather_than_piling_up(path: Path) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(db: Db) -> None:
        begun.set()
        may_end.wait(10)

    writer = Writer(lambda: connect(path, is_durable=False), window=timedelta(0))
    writer.open()
    accepted: list[Future[None]] = [writer.submit(slow)]
    begun.wait(10)
    with pytest.raises(StoreError, match="too slow"):
        accepted.extend(writer.submit(lambda db: None) for _ in range(5000))
    may_end.set()
    writer.close()
    assert all(future.done() for future in accepted)


async def test_a_reader_sees_one_snapshot_and_cannot_write(store: SqliteStore) -> None:
    loop = asyncio.get_running_loop()

    def twice(db: Db) -> tuple[int, int]:
        first = watermarks.get(db, "m")
        write = store.write(lambda db: watermarks.set(db, "m", 1))
        asyncio.run_coroutine_threadsafe(write, loop).result(10)
        return first, watermarks.get(db, "m")

    assert await store.read(twice) == (0, 0)
    assert await store.read(lambda db: watermarks.get(db, "m")) == 1
    with pytest.raises(StoreError, match="readonly"):
        await store.read(lambda db: watermarks.set(db, "m", 2))


async def test_the_data_version_changes_with_commits_only(store: SqliteStore, path: Path) -> None:
    first = await store.data_version()
    await store.write(lambda db: watermarks.get(db, "m"))
    assert await store.data_version() == first
    await store.write(lambda db: watermarks.set(db, "m", 1))
    second = await store.data_version()
    assert second != first
    process = writing(path, "other", 5)
    await asyncio.to_thread(process.communicate)
    assert await store.data_version() != second


async def test_the_file_and_its_folder_are_private(store: SqliteStore, path: Path) -> None:
    await store.write(lambda db: watermarks.set(db, "m", 1))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = list(path.parent.iterdir())
    assert len(files) >= 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_connections_carry_the_promised_pragmas(path: Path) -> None:
    def pragmas(db: Db) -> dict[str, str | int]:
        names = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "busy_timeout",
                 "cell_size_check", "secure_delete")  # fmt: skip
        return {name: db.value(f"PRAGMA {name}") for name in names}

    async with SqliteStore(path) as store:
        for found in (await store.read(pragmas), await store.write(pragmas)):
            assert found == {
                "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0,
                "busy_timeout": 5000, "cell_size_check": 1, "secure_delete": 1,
            }  # fmt: skip


async def test_a_database_of_a_newer_veille_is_refused_and_left_alone(path: Path) -> None:
    db = connect(path)
    db.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)",
        ("veille", "9999_from_the_future", "2030"),
    )
    db.close()
    with pytest.raises(StoreError, match=r"9999_from_the_future.*install that version"):
        async with SqliteStore(path):
            pass


async def test_a_file_that_is_no_database_is_refused_with_its_remedy(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"# a text file that somebody called veille.db\n" * 100)
    with pytest.raises(StoreError, match="check data_dir"):
        async with SqliteStore(path):
            pass


async def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="check the owner"):
        async with SqliteStore(tmp_path / "file" / "veille.db"):
            pass


def test_migrations_are_applied_once(path: Path) -> None:
    connect(path).close()
    db = connect(path)
    assert [row["name"] for row in db.rows("SELECT name FROM _sqlite_migrations")] == [
        name for name, _ in MIGRATIONS
    ]
    db.close()


RELEASED = {
    "0001_first_schema": "35c3ac6496abaaf9d5211e3ad9400363ca83df463780cc078f7b7fad479cd4ab",
    "0002_streams_spikes_erasure": "5943a9a20836b3a46745601ac8d2da8a60906367f75f58785de0bc45922c0d18",  # noqa: E501
    "0003_understanding": "92ad9c6c19984d12e7c639aa0b690979341b3920cd28c3cce7291a8d13c6b73c",
    "0004_alerting": "c901c5b583e3b48b00a5c8cfc5f46143f1711d30f65b640011e801a33433eec0",
}
"""SHA-256 of the statements as JSON, as they were when each version was released."""


def test_released_migrations_never_change() -> None:
    found = {
        name: hashlib.sha256(json.dumps(statements).encode()).hexdigest()
        for name, statements in MIGRATIONS[: len(RELEASED)]
    }
    assert found == RELEASED


def test_every_table_of_ours_is_strict(db: Db) -> None:
    loose = db.rows(
        """SELECT name FROM pragma_table_list WHERE type = 'table' AND strict = 0
        AND name NOT LIKE 'sqlite%' AND name NOT LIKE '_sqlite%'"""
    )
    assert loose == []


OPENER = """
import sys
from pathlib import Path
from veille.store.engine import connect
folder = Path(sys.argv[1])
(folder / sys.argv[2]).touch()
while not (folder / "go").exists():
    pass
for _ in range(10):
    connect(folder / "veille.db").close()
"""


def test_four_processes_may_open_and_close_a_new_database_at_once(tmp_path: Path) -> None:
    openers = [subprocess.Popen([sys.executable, "-c", OPENER, tmp_path, name]) for name in "abcd"]
    while len(list(tmp_path.iterdir())) < len(openers) and None in {o.poll() for o in openers}:
        pass
    (tmp_path / "go").touch()
    assert [opener.wait(timeout=15) for opener in openers] == [0, 0, 0, 0]


def test_two_processes_may_create_and_write_at_once(path: Path) -> None:
    writers = [writing(path, name, 50) for name in ("a", "b")]
    acknowledged = [writer.communicate(timeout=15)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [len(numbers) for numbers in acknowledged] == [50, 50]
    db = connect(path)
    assert len(marks(db)) == 100
    db.close()


@pytest.mark.parametrize("lines", [0, 1, 7, 33, 80])
def test_kill_9_loses_no_acknowledged_write_and_leaves_the_file_sound(
    path: Path, lines: int
) -> None:
    writer = writing(path, "n", 100_000)
    assert writer.stdout is not None
    while not path.exists() and writer.poll() is None:
        pass  # at 0 lines it is killed while it creates its tables
    acknowledged = {writer.stdout.readline().strip() for _ in range(lines)}
    writer.kill()
    acknowledged |= {line.strip() for line in writer.stdout.read().splitlines(keepends=True)
                     if line.endswith("\n")}  # fmt: skip
    writer.stdout.close()
    writer.wait()
    assert len(acknowledged) >= lines
    db = connect(path)
    assert {f"n{number}" for number in acknowledged} <= marks(db)
    assert db.value("PRAGMA integrity_check") == "ok"
    db.close()
