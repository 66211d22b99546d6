"""Who may do what: each role on each route, tokens of the API, stolen cookies, borrowed forms."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.access import GRANTS, Access, Role, may
from veille.domain.errors import InputError
from veille.store import tokens as store_tokens
from veille.store import users
from veille.web import app as web_app
from veille.web import sessions, tokens
from veille.web import users as web_users
from veille.web.app import ROUTES
from veille.web.site import SITE, VISITOR

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
PASSWORD = "une rivière en crue 1910"
DOCS = Path(__file__).parents[2] / "docs"


def filled(path: str) -> str:
    """Return an address of a route: what its names stand for need not exist."""
    return re.sub(r"\{(\w+)(:[^}]*(\{[^}]*\})?[^}]*)?\}", "9", path)


GUARDED = sorted({(m, filled(p), a) for m, p, _, a in ROUTES if a is not Access.PUBLIC})


async def open_as(town: Town, role: Role) -> tuple[str, str]:
    """Return the cookie and the form token of a session of somebody with this role."""

    def begin(db: Any) -> tuple[str, str]:
        user = users.add(db, name=f"One {role}", password_hash="x", role=role, now=town.clock())
        users.set_password(db, user.name, password_hash="x", must_change=False, now=town.clock())
        opened = sessions.Opening(proof=users.Proof.PASSWORD, device="")
        token = sessions.open_session(db, user, now=town.clock(), instead_of=None, opened=opened)
        return token, users.sessions(db, user.name)[0].csrf

    return await town.store.write(begin)  # type: ignore[no-any-return]


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_opens_exactly_what_it_is_granted(empty_town: Town, role: Role) -> None:
    """Each guarded route, by a session of the role with its own form token."""
    reached: list[str] = []

    @web.middleware
    async def note(request: web.Request, handler: Any) -> web.StreamResponse:
        reached.append(request.path)
        return web.Response(text="reached")

    empty_town.app._middlewares_handlers = (
        (note, True),
        *empty_town.app._middlewares_handlers,
    )
    cookie, csrf = await open_as(empty_town, role)
    headers = {"Cookie": f"veille={cookie}", "Sec-Fetch-Site": "same-origin"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for method, path, access in GUARDED:
            reached.clear()
            data = {"csrf": csrf} if method == "POST" else None
            async with session.request(
                method, empty_town.url + path, data=data, allow_redirects=False
            ) as answer:
                is_granted = access in GRANTS[role]
                assert (answer.status, bool(reached)) == (
                    (200, True) if is_granted else (403, False)
                ), (role, method, path)


def test_the_roles_are_what_the_documentation_says() -> None:
    page = (DOCS / "access.md").read_text(encoding="utf-8")
    columns = [a for a in Access if a is not Access.PUBLIC]
    for role in Role:
        cells = " | ".join("yes" if may(role, access) else "–" for access in columns)
        assert f"| `{role}` | {cells} |" in page


def test_no_role_is_granted_less_than_reading() -> None:
    for role in Role:
        assert may(role, Access.READ)
        assert may(role, Access.ADMIN) == (role is Role.ADMIN)


# Stolen cookies.


def cookie_of(browser: Browser) -> str:
    return str(next(c.value for c in browser.session.cookie_jar if c.key == "veille"))


async def opens(town: Town, cookie: str) -> bool:
    async with (
        aiohttp.ClientSession(headers={"Cookie": f"veille={cookie}"}) as thief,
        thief.get(town.url + "/account", allow_redirects=False) as answer,
    ):
        return bool(answer.status == 200)


async def test_a_stolen_cookie_dies_on_logout(empty_town: Town, camille: Browser) -> None:
    stolen = cookie_of(camille)
    assert await opens(empty_town, stolen)
    await camille.submit(await camille.get("/account"), "/logout")
    assert not await opens(empty_town, stolen)


async def test_a_stolen_cookie_dies_when_the_password_changes(
    empty_town: Town, camille: Browser
) -> None:
    stolen = cookie_of(camille)
    new = "neuf hérons sur la berge"
    fields = {"current": PASSWORD, "new": new, "again": new}
    await camille.submit(await camille.get("/account"), "/account/password", **fields)
    assert not await opens(empty_town, stolen)
    assert await opens(empty_town, cookie_of(camille))


@pytest.mark.parametrize("verb", ["disable", "reset", "revoke", "role"])
async def test_a_stolen_cookie_dies_when_an_administrator_says_so(
    empty_town: Town, camille: Browser, sacha: Browser, verb: str
) -> None:
    stolen = cookie_of(camille)
    assert (await sacha.manage(verb, "Camille", role="reader")).status == 200
    assert not await opens(empty_town, stolen)


async def test_one_closes_all_one_s_other_sessions_at_once(
    empty_town: Town, camille: Browser, sacha: Browser
) -> None:
    others = []
    for agent in ("Mozilla/5.0 (Android 14) Firefox/130.0", "curl/8"):
        other = type(camille)(empty_town.url)
        fields = {"name": "Camille", "password": PASSWORD, "next": "/"}
        headers = {"Sec-Fetch-Site": "same-origin", "User-Agent": agent}
        await other.post("/login", fields, headers=headers)
        others.append(cookie_of(other))
        await other.session.close()
    page = await camille.get("/account")
    assert "Firefox · Android" in page.text
    assert "navigateur inconnu" in page.text
    assert "Mozilla" not in page.text
    csrf = page.field("csrf", action="/account/revoke")
    await camille.post("/account/revoke", {"csrf": csrf, "session": "others"})
    assert [await opens(empty_town, each) for each in others] == [False, False]
    assert await opens(empty_town, cookie_of(camille))
    assert await opens(empty_town, cookie_of(sacha))


async def test_pages_speak_the_language_a_person_chose(
    empty_town: Town, camille: Browser, sacha: Browser
) -> None:
    page = await camille.get("/account")
    done = await camille.submit(page, "/account/language", language="en")
    assert '<html lang="en"' in done.text
    assert "The language is changed." in done.text
    assert '<html lang="fr"' in (await sacha.get("/account")).text
    done = await camille.submit(done, "/account/language", language="xx")
    assert '<html lang="fr"' in done.text


# Tokens of the API.


@given(st.text(max_size=60))
def test_only_a_token_of_ours_looks_like_one(text: str) -> None:
    good = tokens.new_token()
    assert tokens.is_token(good)
    assert not tokens.is_token(text)
    assert not tokens.is_token(good + "x")
    assert not tokens.is_token(good[:-1])
    changed = good[:10] + ("A" if good[10] != "A" else "B") + good[11:]
    assert not tokens.is_token(changed)


def test_a_scanner_finds_a_token_by_one_pattern() -> None:
    assert re.fullmatch(r"veille_[0-9A-Za-z]{38}", tokens.new_token())


@pytest.mark.parametrize("role", list(Role))
def test_nobody_gives_a_token_more_than_they_may_themselves(role: Role) -> None:
    for access in Access:
        if access is not Access.PUBLIC and may(role, access):
            assert tokens.scopes_of([access], role=role) == {access}
        else:
            with pytest.raises(InputError):
                tokens.scopes_of([access], role=role)
    for nonsense in ([], ["everything"], [""]):
        with pytest.raises(InputError):
            tokens.scopes_of(nonsense, role=role)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three routes of an API, as a later piece adds them: read, act, manage users."""

    async def who(request: web.Request) -> web.StreamResponse:
        return web.json_response({"name": request[VISITOR].name})

    routes = (
        ("GET", "/api/v1/probe", who, Access.READ),
        ("POST", "/api/v1/probe", who, Access.ACT),
        ("DELETE", "/api/v1/users/{name}", who, Access.ADMIN),
    )
    monkeypatch.setattr(web_app, "ROUTES", (*ROUTES, *routes))


CALLS = (("GET", "/api/v1/probe"), ("POST", "/api/v1/probe"), ("DELETE", "/api/v1/users/Sacha"))


async def call(town: Town, token: str, method: str = "GET", path: str = "/api/v1/probe") -> int:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as program,
        program.request(method, town.url + path, allow_redirects=False) as answer,
    ):
        if answer.status in {401, 403}:
            assert answer.content_type == "application/problem+json"
        return answer.status


async def calls(town: Town, token: str) -> list[int]:
    return [await call(town, token, method, path) for method, path in CALLS]


async def make(browser: Browser, *scopes: str, days: str = "90", **fields: str) -> Any:
    page = await browser.get("/account/tokens")
    csrf = page.field("csrf", action="/account/tokens/add")
    chosen = {f"scope-{scope}": "1" for scope in scopes}
    said = {"csrf": csrf, "name": "Tableau", "days": days, "current": PASSWORD, **chosen}
    return await browser.post("/account/tokens/add", {**said, **fields})


async def token_of(browser: Browser, *scopes: str) -> str:
    found = re.search(r"veille_\w{38}", (await make(browser, *scopes)).text)
    assert found is not None
    return found[0]


async def test_a_name_that_stands_for_a_program_is_nobody_s(empty_town: Town) -> None:
    """Its rows in the audit trail would pass for what veille or its command line did."""
    for name in ("veille", "CLI", " provider "):
        with pytest.raises(InputError):
            await empty_town.store.write(
                lambda db, name=name: users.add(
                    db, name=name, password_hash="x", role=Role.ADMIN, now=empty_town.clock()
                )
            )


async def test_a_token_may_what_its_scopes_say_and_no_more(
    api: None, empty_town: Town, camille: Browser, sacha: Browser
) -> None:
    assert await calls(empty_town, await token_of(camille, "read")) == [200, 403, 403]
    assert await calls(empty_town, await token_of(camille, "read", "act")) == [200, 200, 403]
    assert await calls(empty_town, await token_of(sacha, "admin")) == [403, 403, 200]


async def test_a_triage_token_cannot_edit_users(
    api: None, empty_town: Town, camille: Browser
) -> None:
    assert "scope-admin" not in (await camille.get("/account/tokens")).text
    assert (await make(camille, "read", "admin")).status == 400
    token = await token_of(camille, "read", "act")
    assert await call(empty_town, token, "DELETE", "/api/v1/users/Sacha") == 403


async def test_a_token_shrinks_with_its_owner_at_once(
    api: None, empty_town: Town, sacha: Browser
) -> None:
    token = await token_of(sacha, "read", "act", "admin")
    assert await calls(empty_town, token) == [200, 200, 200]
    await empty_town.store.write(lambda db: users.set_role(db, "Sacha", Role.READER))
    assert await calls(empty_town, token) == [200, 403, 403]


async def test_a_token_ends_when_revoked_expired_or_its_owner_disabled(
    api: None, empty_town: Town, camille: Browser, sacha: Browser
) -> None:
    mine, other, late = [await token_of(camille, "read") for _ in range(3)]
    page = await camille.get("/account/tokens")
    shown = page.field("token", action="/account/tokens/revoke")
    csrf = page.field("csrf", action="/account/tokens/revoke")
    theirs = (await sacha.get("/account/tokens")).field("csrf")
    await sacha.post("/account/tokens/revoke", {"csrf": theirs, "token": shown})
    assert await call(empty_town, late) == 200  # somebody else's form revokes nothing of hers
    await camille.post("/account/tokens/revoke", {"csrf": csrf, "token": shown})
    assert [await call(empty_town, each) for each in (mine, other, late)] == [200, 200, 401]
    await empty_town.store.write(lambda db: web_users.disable(db, "Camille", empty_town.clock()))
    await empty_town.store.write(lambda db: web_users.enable(db, "Camille", empty_town.clock()))
    assert await call(empty_town, mine) == 401
    fresh = await token_of(sacha, "read")
    empty_town.clock.advance(days=90)
    assert await call(empty_town, fresh) == 401


async def test_nonsense_is_no_token(api: None, empty_town: Town, camille: Browser) -> None:
    good = await token_of(camille, "read")
    for token in ("", "x", good[:-1], good.upper(), tokens.new_token(), "é" * 45, "veille_" * 999):
        assert await call(empty_town, token) == 401
    headers = {"Authorization": f"Basic {good}"}
    async with (
        aiohttp.ClientSession(headers=headers) as program,
        program.get(empty_town.url + "/api/v1/probe") as answer,
    ):
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_token_opens_no_page(api: None, empty_town: Town, sacha: Browser) -> None:
    token = await token_of(sacha, "read", "act", "edit", "audit", "admin")
    for path in ("/", "/account", "/users", "/queue/1"):
        assert await call(empty_town, token, "GET", path) == 303, path
    assert await call(empty_town, token, "POST", "/users/add") == 303


async def test_a_cookie_opens_the_api_only_with_its_own_form_token(
    api: None, empty_town: Town, camille: Browser, sacha: Browser
) -> None:
    mine = (await camille.get("/account")).field("csrf")
    other = (await sacha.get("/account")).field("csrf")
    here = {"Sec-Fetch-Site": "same-origin"}
    for headers, status in (
        ({}, 403),
        (here, 403),
        ({**here, "X-CSRF-Token": other}, 403),
        ({"Sec-Fetch-Site": "cross-site", "X-CSRF-Token": mine}, 403),
        ({**here, "X-CSRF-Token": mine}, 200),
    ):
        answer = await camille.ask("POST", "/api/v1/probe", headers=headers, follow=False)
        assert answer.status == status, headers
    wrong = {**here, "X-CSRF-Token": mine, "Authorization": "Bearer nonsense"}
    answer = await camille.ask("POST", "/api/v1/probe", headers=wrong, follow=False)
    assert answer.status == 401  # a bad token is not saved by the cookie beside it
    assert (await camille.get("/api/v1/probe")).status == 200


async def test_a_token_is_shown_once_and_its_secret_stored_nowhere(
    empty_town: Town, camille: Browser
) -> None:
    token = await token_of(camille, "read")
    assert token not in (await camille.get("/account/tokens")).text

    def dump(db: Any) -> str:
        names = [r["name"] for r in db.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = ("api_tokens", "audit", "sessions")
        return repr([tuple(r) for n in names if n in kept for r in db.rows(f"SELECT * FROM {n}")])

    stored = await empty_town.store.read(dump)
    assert "token.add" in stored
    assert token not in stored
    assert token[7:39] not in stored


async def test_a_token_s_last_use_is_kept_to_the_hour(
    api: None, empty_town: Town, camille: Browser
) -> None:
    token, start = await token_of(camille, "read"), empty_town.clock()

    async def used_at() -> Any:
        found = await empty_town.store.read(
            lambda db: store_tokens.of(db, "Camille", now=empty_town.clock())
        )
        return found[0].used_at

    assert await used_at() is None
    await call(empty_town, token)
    empty_town.clock.advance(minutes=59)
    await call(empty_town, token)
    assert await used_at() == start
    empty_town.clock.advance(minutes=1)
    await call(empty_town, token)
    assert await used_at() == start + timedelta(hours=1)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "Donnez un nom"),
        ({"name": "x" * 61}, "Donnez un nom"),
        ({"name": "a\u202eb"}, "Donnez un nom"),
        ({"days": "0"}, "de 1 à 365 jours"),
        ({"days": "366"}, "de 1 à 365 jours"),
        ({"days": "-1"}, "de 1 à 365 jours"),
        ({"days": "٣"}, "de 1 à 365 jours"),
        ({"scope-read": ""}, "un droit au moins"),
        ({"current": "wrong"}, "Le mot de passe actuel n&#39;est pas le bon"),
    ],
)
async def test_a_token_needs_a_name_an_end_a_scope_and_the_password(
    empty_town: Town, camille: Browser, fields: dict[str, str], said: str
) -> None:
    answer = await make(camille, "read", **fields)
    assert answer.status == 400
    assert said in answer.text
    assert await empty_town.store.read(
        lambda db: store_tokens.of(db, "Camille", now=empty_town.clock()) == []
    )


async def test_what_is_said_of_access_goes_by_the_clock_it_ends_by(
    town: Town, sacha: Browser
) -> None:
    played = replace(town.app[SITE], shown_now=lambda: town.clock.now - timedelta(days=308))
    town.app._state[SITE] = played  # as in the demonstration
    for path in ("/account", "/users"):
        assert "dans 30" not in (await sacha.get(path)).text, path
