"""Ten thousand logins: from many places, with many names, both; and the one who lives there."""

from __future__ import annotations

import asyncio
import re
import resource
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import argon2 as argon2_cffi
import pytest
import structlog

from veille.store import logins, users
from veille.store.engine import SqliteStore
from veille.web import passwords, throttle

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
PASSWORD = "une rivière en crue 1910"
NOW = datetime(2026, 1, 18, 1, 16, tzinfo=UTC)


class Counting:
    """Counts how often it was asked, and checks only what is quick: nobody's hash is slow."""

    def __init__(self) -> None:
        self.count = 0

    def verify(self, stored: str, password: bytes) -> bool:
        self.count += 1
        if ",t=1," in stored:
            return argon2_cffi.PasswordHasher().verify(stored, password)
        raise passwords.VerificationError


@pytest.fixture
def argon2(monkeypatch: pytest.MonkeyPatch) -> Counting:
    passwords.is_password(None, "warm")  # nobody's hash is made once, by the first who asks
    counting = Counting()
    monkeypatch.setattr(passwords, "_HASHER", counting)
    return counting


def place(number: int) -> str:
    return f"100.{number // 65536}.{number // 256 % 256}.{number % 256}"


async def attack(url: str, tries: Sequence[tuple[str, str]]) -> list[int]:
    """Return the statuses of wrong logins, sent as fast as a connection takes them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    statuses: list[int] = []
    for start in range(0, len(tries), 50):
        for name, address in tries[start : start + 50]:
            body = urlencode({"name": name, "password": "wrong", "next": "/"})
            writer.write(
                f"POST /login HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {address}\r\n"
                "Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
        for _ in tries[start : start + 50]:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"Content-Length: (\d+)", head)
            assert length is not None
            await reader.readexactly(int(length[1]))
            statuses.append(int(head.split(" ", 2)[1]))
    writer.close()
    return statuses


SHAPES = pytest.mark.parametrize(
    ("shape", "most"),
    [
        (lambda n: ("Camille", place(7)), 5),
        (lambda n: ("Camille", place(n)), 10),
        (lambda n: (f"user{n}", place(7)), 100),
        (lambda n: (f"user{n}", place(n)), 120),
    ],
    ids=["one name, one place", "one name, many places", "many names, one place", "both"],
)


@SHAPES
async def test_what_is_refused_never_reaches_argon2(
    empty_town: Town, argon2: Counting, shape: Any, most: int
) -> None:
    statuses = await attack(empty_town.url, [shape(n) for n in range(160)])
    assert argon2.count == most
    assert statuses == [401] * most + [429] * (160 - most)


def tried(number: int) -> tuple[str, str]:
    """Return one of the tries of a siege: every shape there is, in turn."""
    shapes = (
        ("Camille", place(7)),
        ("Camille", place(number)),
        (f"user{number}", place(7)),
        (f"user{number}", place(number)),
        ("Camille", "127.0.0.1"),  # her own address
    )
    return shapes[number % len(shapes)]


@pytest.mark.timeout(60)  # 5 s of a core, beside other work
async def test_ten_thousand_logins_over_http_are_a_few_and_a_known_browser_comes_in(
    empty_town: Town,
    camille: Browser,
    argon2: Counting,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fifty connections at once. Strangers' tries do not slow whom veille knows."""
    await camille.submit(await camille.get("/account"), "/logout")
    written, write = list[object](), empty_town.store.write

    async def counting(change: Any, **options: Any) -> Any:
        written.append(change)
        return await write(change, **options)

    monkeypatch.setattr(empty_town.store, "write", counting)
    came_in, size, sizes = 0, 10_000, list[int]()
    with structlog.testing.capture_logs() as logs:
        for start in range(0, size, size // 10):
            numbers = range(start, start + size // 10)
            async with asyncio.TaskGroup() as siege:
                parts = [
                    siege.create_task(attack(empty_town.url, [tried(n) for n in numbers[k::50]]))
                    for k in range(50)
                ]
                mine = siege.create_task(camille.sign_in("Camille"))
            came_in += mine.result().path == "/"
            sizes.append(resident_bytes())
            counts = Counter(status for part in parts for status in part.result())
            first = 120 if start == 0 else 0
            assert counts == +Counter({401: first, 429: size // 10 - first})
    assert came_in == 10
    assert argon2.count == 120 + came_in
    # a try that lost the race for the last of 120 has had its turn; her login has two
    assert len(written) <= 120 + 50 + 2 * came_in
    fresh = type(camille)(empty_town.url)
    assert (await fresh.sign_in("Camille")).status == 429
    await fresh.session.close()
    rows = await empty_town.store.read(lambda db: db.value("SELECT count(*) FROM login_failures"))
    assert rows <= 4 * 120  # her logins forgave what was tried from her own address
    assert sizes[-1] - sizes[0] < 9_000 * 3_000  # a try that is refused leaves not even 3 kB
    assert {entry["event"] for entry in logs} == {"login_failed"}
    assert {key for entry in logs for key in entry} == {
        "event", "log_level", "is_known", "address"
    }  # fmt: skip
    assert len(logs) == 120  # a refused one leaves no line: whoever floods fills no disk
    assert caplog.records == []


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def test_a_stolen_device_cookie_guesses_no_faster_than_a_stranger(
    empty_town: Town, camille: Browser
) -> None:
    device = next(c.value for c in camille.session.cookie_jar if c.key == "veille-device")
    thief = type(camille)(empty_town.url)
    headers = {"Sec-Fetch-Site": "same-origin", "Cookie": f"veille-device={device}"}
    fields = {"name": "Camille", "password": "wrong", "next": "/"}
    statuses = [
        (await thief.post("/login", fields, headers=headers, follow=False)).status for _ in range(6)
    ]
    assert statuses == [401] * 5 + [429]
    other = {**fields, "name": "Sacha"}  # and it is of use for one name only
    many = [(await thief.post("/login", other, headers=headers)).status for _ in range(6)]
    assert many == [401] * 5 + [429]
    await thief.session.close()


async def test_a_device_cookie_opens_nothing(empty_town: Town, camille: Browser) -> None:
    device = next(c.value for c in camille.session.cookie_jar if c.key == "veille-device")
    fresh = type(camille)(empty_town.url)
    for name in ("veille", "veille-device", "veille-step"):
        answer = await fresh.get("/", follow=False, headers={"Cookie": f"{name}={device}"})
        assert answer.status == 303
    await fresh.session.close()


async def test_a_stranger_locks_nobody_out_for_good(empty_town: Town, stranger: Browser) -> None:
    await attack(empty_town.url, [("Camille", place(n)) for n in range(70)])
    assert (await stranger.sign_in("Camille")).status == 429
    empty_town.clock.advance(minutes=1, seconds=1)
    assert (await stranger.sign_in("Camille")).path == "/"


async def test_many_colleagues_behind_one_address_come_in_one_after_the_other(
    empty_town: Town, stranger: Browser
) -> None:
    """Right logins are not counted: a town hall has one address, and a Monday morning."""
    for _ in range(130):
        stranger.session.cookie_jar.clear()
        answer = await stranger.post(
            "/login", {"name": "Camille", "password": PASSWORD, "next": "/"}, follow=False
        )
        assert answer.status == 303


async def test_a_right_login_forgives_its_own_try_and_no_other(store: SqliteStore) -> None:
    for number in range(9):
        assert await throttle.attempt(store, "Camille", place(number), now=NOW) is None
    assert await throttle.attempt(store, "Camille", place(9), now=NOW) is None
    await store.write(lambda db: throttle.welcome(db, "Camille", place(9), device=None, now=NOW))
    assert await throttle.attempt(store, "Camille", place(10), now=NOW) is None
    assert await throttle.attempt(store, "Camille", place(11), now=NOW) == timedelta(minutes=1)


async def test_who_logs_in_again_and_again_from_a_known_browser_forgives_no_stranger(
    store: SqliteStore,
) -> None:
    """It was counted by itself: there is nothing of it among what a place or all have tried."""
    mine, here = "device", place(1)
    await store.write(lambda db: logins.remember_device(db, "Sacha", token_hash=mine, now=NOW))
    for number in range(100):
        assert await throttle.attempt(store, f"somebody {number}", here, now=NOW) is None
        assert await throttle.attempt(store, "Sacha", here, now=NOW, device=mine) is None
        await store.write(lambda db: throttle.welcome(db, "Sacha", here, device=mine, now=NOW))
    assert await throttle.attempt(store, "one more", here, now=NOW) == timedelta(minutes=15)


async def test_ten_browsers_are_known_for_ninety_days(store: SqliteStore) -> None:
    def visit(db: Any) -> None:
        for number in range(12):
            at = NOW + timedelta(seconds=number)
            logins.remember_device(db, "Camille", token_hash=f"{number}", now=at)

    await store.write(visit)

    def known(after: timedelta) -> Any:
        return lambda db: [
            number
            for number in range(12)
            if logins.knows_device(db, "Camille", token_hash=f"{number}", now=NOW + after)
        ]

    assert await store.read(known(timedelta(0))) == list(range(2, 12))
    assert await store.read(known(logins.KNOWN_FOR + timedelta(seconds=5))) == list(range(6, 12))
    assert not await store.read(
        lambda db: logins.knows_device(db, "Sacha", token_hash="9", now=NOW)
    )


async def test_the_rows_of_an_attack_are_bounded_and_go_after_an_hour(
    empty_town: Town, stranger: Browser, argon2: Counting
) -> None:
    await attack(empty_town.url, [(f"user{n}", place(n)) for n in range(150)])

    def count(db: Any) -> int:
        return int(db.value("SELECT count(*) FROM login_failures"))

    assert await empty_town.store.read(count) == 4 * 120
    empty_town.clock.advance(hours=1, seconds=1)
    await attack(empty_town.url, [("user", place(1))])
    assert await empty_town.store.read(count) == 4
    assert await empty_town.store.read(lambda db: len(users.list_(db))) == 3
