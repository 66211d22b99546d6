"""Signing in and staying in: forms from elsewhere, sessions, passwords, and guessers slowed."""

from __future__ import annotations

import asyncio
from http.cookies import SimpleCookie
from typing import Any

import pytest
import structlog
from yarl import URL

from veille.domain.errors import ConfigError
from veille.store import users
from veille.web import passwords
from veille.web import users as web_users
from veille.web.network import client_address, networks, throttle_address
from veille.web.settings import WebSettings

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any

PASSWORD = "une rivière en crue 1910"
HTTPS = WebSettings(public_url="https://veille.example")


def token_of(browser: Browser) -> str:
    return str(next(c.value for c in browser.session.cookie_jar if c.key == "veille"))


def from_(address: str) -> dict[str, str]:
    return {"Sec-Fetch-Site": "same-origin", "X-Forwarded-For": address}


async def try_login(browser: Browser, name: str, password: str, **headers: str) -> Any:
    sent = {"Sec-Fetch-Site": "same-origin", **headers}
    fields = {"name": name, "password": password, "next": "/"}
    return await browser.post("/login", fields, headers=sent, follow=False)


async def is_in(town: Town, browser: Browser, token: str | None = None) -> bool:
    """Whether a session, the browser's own or the one of `token`, opens the first page."""
    if token is None:
        return bool((await browser.get("/", follow=False)).status == 200)
    fresh = type(browser)(town.url)
    try:
        headers = {"Cookie": f"veille={token}"}
        return bool((await fresh.get("/", follow=False, headers=headers)).status == 200)
    finally:
        await fresh.session.close()


@pytest.mark.parametrize("settings", [HTTPS])
async def test_https_has_a_host_cookie_and_no_other_opens_a_page(
    town: Town, stranger: Browser, settings: WebSettings
) -> None:
    cookie = (await try_login(stranger, "Camille", PASSWORD)).headers["Set-Cookie"]
    assert cookie.startswith("__Host-veille=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "domain" not in cookie.lower()
    token = SimpleCookie(cookie)["__Host-veille"].value
    # A cookie without the prefix may have been planted from a sister domain: it opens nothing.
    for name, status in (("__Host-veille", 200), ("veille", 303)):
        page = await stranger.get("/", follow=False, headers={"Cookie": f"{name}={token}"})
        assert page.status == status


async def test_plain_http_on_loopback_has_a_cookie_that_works_there(
    town: Town, stranger: Browser
) -> None:
    cookie = (await try_login(stranger, "Camille", PASSWORD)).headers["Set-Cookie"]
    assert cookie.startswith("veille=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8080"},
        {"Origin": "https://evil.example"},
    ],
)
async def test_a_login_sent_from_another_site_is_refused(
    town: Town, stranger: Browser, headers: dict[str, str]
) -> None:
    fields = {"name": "Camille", "password": PASSWORD, "next": "/"}
    answer = await stranger.post("/login", fields, headers=headers, follow=False)
    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers
    assert "Le formulaire ne venait pas de cette page." in answer.text


@pytest.mark.parametrize("headers", [{"Origin": "http://127.0.0.1:8080"}, {"Origin": "null"}, {}])
async def test_a_browser_without_fetch_metadata_may_still_log_in(
    town: Town, stranger: Browser, headers: dict[str, str]
) -> None:
    fields = {"name": "Camille", "password": PASSWORD, "next": "/"}
    answer = await stranger.post("/login", fields, headers=headers, follow=False)
    assert answer.status == 303


ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "/\t/evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "/queue/1\r\nSet-Cookie: a=b",
    "/queue/1?x=//evil.example",
    "/queue/1/../../..//evil.example",
    "/logout",
    "/@evil.example",
    " /",
    "",
)


async def test_after_login_one_goes_to_a_page_of_ours(town: Town, stranger: Browser) -> None:
    fields = {"name": "Camille", "password": PASSWORD}
    for to in ELSEWHERE:
        stranger.session.cookie_jar.clear()
        page = await stranger.ask("GET", "/login", params={"next": to})
        assert page.field("next") == "/"
        answer = await stranger.post("/login", {**fields, "next": to}, follow=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/"), to
    for to in ("/queue/1", "/queue/Q1", "/incidents/I12", "/account", "/"):
        answer = await stranger.post("/login", {**fields, "next": to}, follow=False)
        assert answer.headers["Location"] == to


# Sessions.


async def test_a_token_planted_before_login_is_worth_nothing_after(
    town: Town, stranger: Browser
) -> None:
    planted = "planted-by-somebody-else"
    stranger.session.cookie_jar.update_cookies({"veille": planted}, URL(town.url))
    await stranger.sign_in("Camille")
    assert token_of(stranger) != planted
    assert not await is_in(town, stranger, planted)


async def test_each_login_has_a_new_token_and_closes_the_one_before(
    town: Town, camille: Browser
) -> None:
    before = token_of(camille)
    csrf = (await camille.get("/")).field("csrf")
    await camille.sign_in("Camille")
    assert token_of(camille) != before
    assert not await is_in(town, camille, before)
    assert (await camille.get("/")).field("csrf") != csrf


async def test_the_store_never_holds_a_token(town: Town, camille: Browser) -> None:
    token = token_of(camille)
    stored = await town.store.read(lambda db: [tuple(r) for r in db.rows("SELECT * FROM sessions")])
    assert stored
    assert token not in repr(stored)


async def test_logout_ends_the_session_on_the_server_too(town: Town, camille: Browser) -> None:
    token = token_of(camille)
    csrf = (await camille.get("/")).field("csrf")
    answer = await camille.post("/logout", {"csrf": csrf}, follow=False)
    assert answer.headers["Location"] == "/login?over"
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert not await is_in(town, camille, token)


async def test_a_disabled_user_is_out_at_once_and_cannot_come_back(
    town: Town, camille: Browser
) -> None:
    token = token_of(camille)
    await town.store.write(lambda db: web_users.disable(db, "Camille", town.clock()))
    assert not await is_in(town, camille, token)
    assert (await try_login(camille, "Camille", PASSWORD)).status == 401


async def test_half_an_hour_without_a_click_ends_a_session(town: Town, camille: Browser) -> None:
    town.clock.advance(minutes=30)
    assert await is_in(town, camille)
    town.clock.advance(minutes=30, seconds=1)
    assert not await is_in(town, camille)


async def test_a_page_left_open_does_not_keep_its_session_alive(
    town: Town, camille: Browser
) -> None:
    for _ in range(3):
        town.clock.advance(minutes=9)
        assert (await camille.ask("HEAD", "/", follow=False)).status == 200
    town.clock.advance(minutes=4)
    assert not await is_in(town, camille)


async def test_twelve_hours_end_a_session_however_busy(town: Town, camille: Browser) -> None:
    for _ in range(24):
        town.clock.advance(minutes=29)
        assert await is_in(town, camille)
    town.clock.advance(minutes=24)
    assert not await is_in(town, camille)


async def test_one_closes_one_s_own_other_session_and_nobody_else_s(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    other = type(camille)(town.url)
    await other.sign_in("Camille")
    token = token_of(other)
    await other.session.close()
    page = await camille.get("/account")
    wanted = page.field("session", action="/account/revoke")
    done = await camille.submit(page, "/account/revoke", session=wanted)
    assert "La session est fermée." in done.text
    assert not await is_in(town, camille, token)
    theirs = await town.store.read(lambda db: users.sessions(db, "Sacha")[0].token_hash)
    await camille.post("/account/revoke", {"csrf": page.field("csrf"), "session": theirs})
    assert await is_in(town, sacha)


# Passwords.


async def test_a_user_who_does_not_exist_looks_like_a_wrong_password(
    town: Town, stranger: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    class Counting:
        def verify(self, stored: str, password: bytes) -> bool:
            checked.append(stored)
            raise passwords.VerificationError

    passwords.is_password(None, "warm")  # nobody's hash is made once, by the first who asks
    monkeypatch.setattr(passwords, "_HASHER", Counting())
    await town.store.write(lambda db: users.disable(db, "Sacha", now=town.clock()))
    seen = set()
    for name in ("Camille", "Nobody", "Sacha"):
        answer = await try_login(stranger, name, "wrong wrong wrong")
        page = answer.text.replace(f'value="{name}"', "")
        seen.add((answer.status, page, *sorted(set(answer.headers) - {"Content-Length"})))
    assert len(seen) == 1
    assert len(checked) == 3  # the work of one argon2id each, so the same time
    assert all(stored.startswith("$argon2id$") for stored in checked)


async def test_nobody_s_password_is_never_right() -> None:
    assert not passwords.is_password(None, "")
    assert not passwords.is_password("not a hash", "not a hash")


async def test_repeated_failures_are_slowed_even_when_the_last_is_right(
    town: Town, stranger: Browser
) -> None:
    for _ in range(5):
        assert (await try_login(stranger, "Camille", "wrong")).status == 401
    answer = await try_login(stranger, "CAMILLE ", PASSWORD)
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "60"
    assert "Trop d&#39;essais. Attendez 1 min" in answer.text
    town.clock.advance(seconds=61)
    assert (await try_login(stranger, "Camille", PASSWORD)).status == 303


async def test_a_guesser_does_not_lock_out_who_sits_elsewhere(
    town: Town, stranger: Browser
) -> None:
    for _ in range(6):
        await try_login(stranger, "Camille", "wrong", **from_("203.0.113.7"))
    refused = await try_login(stranger, "Camille", PASSWORD, **from_("203.0.113.7"))
    welcome = await try_login(stranger, "Camille", PASSWORD, **from_("203.0.113.8"))
    assert (refused.status, welcome.status) == (429, 303)


async def test_twenty_tries_an_hour_are_the_most(town: Town, stranger: Browser) -> None:
    statuses = []
    for _ in range(5):
        statuses += [(await try_login(stranger, "Camille", "wrong")).status for _ in range(5)]
        town.clock.advance(minutes=2)
    assert statuses == [401] * 20 + [429] * 5
    town.clock.advance(hours=1)
    assert (await try_login(stranger, "Camille", PASSWORD)).status == 303


async def test_tries_sent_at_once_are_counted_one_by_one(town: Town, stranger: Browser) -> None:
    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(try_login(stranger, "Camille", "no")) for _ in range(12)]
    assert sorted(one.result().status for one in tries) == [401] * 5 + [429] * 7


@pytest.mark.parametrize("settings", [WebSettings(trusted_proxies=())])
async def test_a_forged_forwarded_header_is_no_new_address(
    town: Town, stranger: Browser, settings: WebSettings
) -> None:
    for number in range(5):
        await try_login(stranger, "Camille", "wrong", **from_(f"203.0.113.{number}"))
    assert (await try_login(stranger, "Camille", "wrong", **from_("203.0.113.9"))).status == 429


async def test_what_a_client_wrote_before_the_proxy_s_own_hop_is_ignored(
    town: Town, stranger: Browser
) -> None:
    for number in range(5):
        await try_login(stranger, "Camille", "no", **from_(f"198.51.100.{number}, 203.0.113.7"))
    answer = await try_login(stranger, "Camille", "no", **from_("198.51.100.9, 203.0.113.7"))
    assert answer.status == 429


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        ("::ffff:10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["203.0.113.7, garbage"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("192.0.2.1", ["203.0.113.7"], "192.0.2.1"),
        (None, ["203.0.113.7"], "local"),
    ],
)
def test_the_client_is_the_last_hop_no_trusted_proxy_owns(
    peer: str | None, forwarded: list[str], seen: str
) -> None:
    assert client_address(peer, forwarded, networks(["10.0.0.0/8"])) == seen


def test_one_place_is_an_ipv4_address_or_an_ipv6_network() -> None:
    assert throttle_address("2001:db8::1") == throttle_address("2001:db8::ffff")
    assert throttle_address("203.0.113.1") != throttle_address("203.0.113.2")
    with pytest.raises(ConfigError, match="trusted_proxies"):
        networks(["nonsense"])


async def test_the_new_password_replaces_the_one_time_one_and_every_session(
    town: Town, stranger: Browser
) -> None:
    add = town.store.write(lambda db: web_users.add_user(db, "Noor", "triage", town.clock()))
    once, chosen = await add, "cent canards sur la Loire"
    page = await stranger.sign_in("Noor", once)
    before = token_of(stranger)
    fields = {"current": once, "new": chosen, "again": chosen}
    done = await stranger.submit(page, "/account/password", **fields)
    assert "Le mot de passe est changé." in done.text
    assert (await stranger.get("/")).status == 200
    assert token_of(stranger) != before
    assert not await is_in(town, stranger, before)
    stranger.session.cookie_jar.clear()
    assert (await try_login(stranger, "Noor", once)).status == 401
    assert (await try_login(stranger, "Noor", chosen)).status == 303


async def test_a_one_time_password_expires_after_a_week_and_can_be_renewed(
    town: Town, stranger: Browser
) -> None:
    add = town.store.write(lambda db: web_users.add_user(db, "Noor", "triage", town.clock()))
    once = await add
    town.clock.advance(days=7, seconds=1)
    answer = await try_login(stranger, "Noor", once)
    assert answer.status == 401
    assert "a expiré" in answer.text
    reset = town.store.write(lambda db: web_users.reset_password(db, "Noor", town.clock()))
    assert (await try_login(stranger, "Noor", await reset)).status == 303


async def test_a_chosen_password_does_not_expire(town: Town, stranger: Browser) -> None:
    town.clock.advance(days=700)
    assert (await try_login(stranger, "Camille", PASSWORD)).status == 303


@pytest.mark.parametrize(
    ("current", "new", "again", "said"),
    [
        ("wrong", "cent canards sur la Loire", "cent canards sur la Loire", "n&#39;est pas le bon"),
        (PASSWORD, "court", "court", "12 caractères au moins. Rien"),
        (PASSWORD, "x" * 257, "x" * 257, "256 caractères au plus"),
        (PASSWORD, "aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaa", "se devine"),
        (PASSWORD, "CamilleCamille12", "CamilleCamille12", "se devine"),
        (PASSWORD, "cent canards sur la Loire", "cent canards sur l'Oise", "diffèrent"),
        (PASSWORD, PASSWORD, PASSWORD, "est l&#39;ancien"),
    ],
)
async def test_a_password_that_is_weak_or_not_proven_is_refused(
    town: Town, camille: Browser, current: str, new: str, again: str, said: str
) -> None:
    fields = {"current": current, "new": new, "again": again}
    page = await camille.submit(await camille.get("/account"), "/account/password", **fields)
    assert page.status == 400
    assert said in page.text
    assert new not in page.text
    camille.session.cookie_jar.clear()
    assert (await try_login(camille, "Camille", PASSWORD)).status == 303


async def test_a_stolen_session_does_not_guess_the_password(town: Town, camille: Browser) -> None:
    page = await camille.get("/account")
    fields = {"current": "no", "new": "cent canards sur la Loire", "again": "x"}
    statuses = [
        (await camille.submit(page, "/account/password", **fields)).status for _ in range(6)
    ]
    # One of the five was the login itself, which a right password cleared.
    assert statuses == [400] * 5 + [429]


async def test_failed_logins_are_logged_without_name_or_password(
    town: Town, stranger: Browser
) -> None:
    with structlog.testing.capture_logs() as logs:
        await try_login(stranger, "my-password-in-the-name-field", "wrong-secret")
    assert [event["event"] for event in logs] == ["login_failed"]
    assert "my-password" not in repr(logs)
    assert "wrong-secret" not in repr(logs)
