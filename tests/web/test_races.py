"""What happens between two steps of a request: others change accounts, bodies do not arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from veille.store import factors, tokens, users
from veille.web import site
from veille.web import users as verbs
from veille.web.site import SITE

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
PASSWORD = "une rivière en crue 1910"
NEW = "neuf hérons sur la berge"


@pytest.fixture
def meanwhile(
    empty_town: Town, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Any], object]], None]:
    """Let something be written between a right password and what it was shown for."""
    desk = empty_town.app[SITE].passwords
    check: Callable[[str | None, str], Awaitable[bool]] = desk.check

    def let(write: Callable[[Any], object]) -> None:
        async def checked(stored: str | None, password: str) -> bool:
            is_right = await check(stored, password)
            await empty_town.store.write(write)
            return is_right

        monkeypatch.setattr(desk, "check", checked)

    return let


async def test_a_thief_who_changes_the_password_does_not_undo_an_administrator_s_reset(
    empty_town: Town, camille: Browser, meanwhile: Any
) -> None:
    page = await camille.get("/account")
    now, given = empty_town.clock(), "hash-of-the-one-time-password"
    meanwhile(lambda db: verbs.reset_password(db, "Camille", now, password_hash=given))
    fields = {"current": PASSWORD, "new": NEW, "again": NEW}
    answer = await camille.submit(page, "/account/password", **fields)
    assert answer.path.startswith("/login")
    user = await empty_town.store.read(lambda db: users.get(db, "Camille"))
    assert (user.password_hash, user.must_change) == (given, True)
    assert not await empty_town.store.read(lambda db: users.sessions(db, "Camille"))


async def test_no_token_is_made_after_an_administrator_has_ended_everything(
    empty_town: Town, camille: Browser, meanwhile: Any
) -> None:
    page, now = await camille.get("/account/tokens"), empty_town.clock()
    meanwhile(lambda db: verbs.revoke(db, "Camille", now))
    fields = {"name": "Tableau", "days": "90", "scope-read": "1", "current": PASSWORD}
    await camille.submit(page, "/account/tokens/add", **fields)
    assert not await empty_town.store.read(lambda db: tokens.of(db, "Camille", now=now))


async def test_a_second_factor_counts_from_the_very_login_it_overtakes(
    empty_town: Town, stranger: Browser, meanwhile: Any
) -> None:
    now = empty_town.clock()

    def confirm(db: Any) -> None:
        factors.propose(db, "Camille", sealed=b"sealed", now=now)
        factors.confirm(db, "Camille", step=1, macs=[], now=now)

    meanwhile(confirm)
    await stranger.sign_in("Camille")
    assert not await empty_town.store.read(lambda db: users.sessions(db, "Camille"))


async def test_a_form_that_never_arrives_is_not_waited_for(
    empty_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "_FORM_S", 0.1)
    port = urlsplit(empty_town.url).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nname="
    )
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
    writer.close()
    await writer.wait_closed()
