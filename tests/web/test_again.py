"""Every door by which a stolen session could outlive itself asks who one is; every end is one."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from servers.push import Handset
from veille.domain.access import Access, Role
from veille.net import webpush
from veille.privacy import seal
from veille.store import factors, logins, push, tokens, users
from veille.store.engine import Db, SqliteStore
from veille.web import passwords, second_factor
from veille.web import users as verbs
from veille.web.api.about import ALL
from veille.web.api.operation import PREFIX
from veille.web.app import ROUTES
from veille.web.passwords import PasswordDesk
from veille.web.ports import Provider, PushDesk
from veille.web.site import SITE
from veille.web.tokens import new_token, scopes_of, token_hash

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
PASSWORD = "une rivière en crue 1910"
SECRET = bytes(20)
HERE = {"Sec-Fetch-Site": "same-origin"}
KEPT = (
    "users", "api_tokens", "second_factors", "recovery_codes", "push_devices", "logins_elsewhere",
    "invitations",
)  # fmt: skip
"""The tables of what opens an account, or speaks for it."""
_PHONE = Handset(endpoint="https://push.example/wp/new").fields
ASKS: dict[str, dict[str, str]] = {
    "/users/add": {"user": "Noor", "role": "admin"},
    "/users/role": {"user": "Camille", "role": "admin"},
    "/users/reset": {"user": "Camille"},
    "/users/invite": {"user": "Camille"},
    "/users/disable": {"user": "Camille"},
    "/users/enable": {"user": "Ada"},
    "/users/factor": {"user": "Camille"},
    "/users/revoke": {"user": "Camille"},
    "/users/unlink": {"user": "Camille"},
    "/account/password": {"new": "neuf hérons sur la berge", "again": "neuf hérons sur la berge"},
    "/account/tokens/add": {"name": "Tableau", "days": "90", "scope-admin": "1"},
    "/account/factor/propose": {},
    "/account/factor/renew": {},
    "/account/factor/remove": {},
    "/account/push/add": _PHONE,
}
"""What is asked for the password, with what each takes beside it. The table of docs/access.md."""
FREE = {
    "/account/factor/confirm": "the password was asked for when the secret was proposed",
    "/account/revoke": "takes away",
    "/account/tokens/revoke": "takes away",
    "/account/push/remove": "takes away",
    "/account/push/try": "a message that says nothing, to one's own device",
    "/account/language": "opens nothing",
    "/account/offline": "opens nothing",
}

FREE_API = {
    ("DELETE", "/tokens/{token}"),  # these take away
    ("POST", "/sessions/end"),
    ("DELETE", "/sessions/{session}"),
    ("DELETE", "/devices/{device}"),
    ("POST", "/devices/{device}/try"),  # and these open nothing
    ("PUT", "/me/language"),
}


@pytest.fixture
def push_desk() -> PushDesk | None:
    key = webpush.new_key()
    return PushDesk(
        public_key=webpush.public_key(key),
        receiver="telephones",
        sealing_key=seal.push_key(b"seize caracteres ou plus"),
        hosts=("push.example",),
    )


class Known:
    """An identity provider that nobody asks anything."""

    name = "ProConnect"
    opens_accounts = False


@pytest.fixture
def provider() -> Provider | None:
    return Known()  # type: ignore[return-value]  # its page needs its name only


def furnish(db: Db, name: str, *, now: Any, secret: bytes) -> None:
    """This account has one of everything that opens it, but a session."""
    token_of(db, name, "read", now=now)
    push.add(db, user=name, mark=f"mark-{name}", sealed=b"x", name="Firefox", known="", now=now)
    logins.link(db, name, issuer="https://auth.example", subject=name, now=now)
    logins.invite(db, name, token_hash=f"h-{name}", expires_at=now + verbs.INVITED_FOR)
    sealed = second_factor.sealed(secret, name, SECRET)
    factors.propose(db, name, sealed=sealed, now=now)
    factors.confirm(db, name, step=1, macs=["mac"], now=now)


SECRET = bytes(20)


def token_of(db: Db, name: str, *scopes: str, now: Any) -> str:
    user, token = users.get(db, name), new_token()
    assert user is not None
    tokens.add(
        db, user=name, name="essai", token_hash=token_hash(token),
        scopes=scopes_of(scopes, role=user.role), now=now, expires_at=now.replace(year=2027),
    )  # fmt: skip
    return token


async def dump(town: Town) -> dict[str, list[tuple[Any, ...]]]:
    def load(db: Db) -> dict[str, list[tuple[Any, ...]]]:
        return {name: [tuple(row) for row in db.rows(f"SELECT * FROM {name}")] for name in KEPT}

    return await town.store.read(load)  # type: ignore[no-any-return]


def kind_of(path: str) -> str:
    return re.sub(r"^/users/\w+$", "/users/{verb}", path)


def test_every_door_to_an_account_is_in_one_of_the_tables() -> None:
    doors = {
        path
        for method, path, _, access in ROUTES
        if method == "POST" and (access is Access.ADMIN or path.startswith("/account"))
    }
    assert doors == {kind_of(path) for path in ASKS} | set(FREE)
    api = {(one.method, one.path) for one in ALL if one.method != "GET"}
    mine = ("/users", "/tokens", "/account", "/push", "/me/", "/sessions", "/devices")
    people = {(m, p) for m, p in api if p.startswith(mine)}
    by_token = {(m, p) for m, p in people if p.startswith("/users")}
    assert people - by_token == FREE_API | {("POST", "/tokens")}
    assert {(o.method, o.path) for o in ALL if o.access is Access.ADMIN} >= by_token


@pytest.mark.parametrize("path", ASKS)
async def test_a_session_alone_changes_nothing_that_would_outlive_it(
    empty_town: Town, sacha: Browser, path: str
) -> None:
    now, secret = empty_town.clock(), empty_town.app[SITE].secret

    def begin(db: Db) -> None:
        verbs.add_user(db, "Ada", "reader", now, password_hash="x")
        verbs.disable(db, "Ada", now)
        furnish(db, "Camille", now=now, secret=secret)
        if path.endswith(("renew", "remove")):
            furnish(db, "Sacha", now=now, secret=secret)

    await empty_town.store.write(begin)
    fields = {"csrf": (await sacha.get("/account")).field("csrf"), **ASKS[path]}
    if path.endswith("remove"):
        step = int(now.timestamp()) // second_factor.STEP_S
        fields["code"] = second_factor.code_at(SECRET, step)
    before = await dump(empty_town)
    for proof in ({}, {"current": ""}, {"current": "wrong"}, {"current": PASSWORD + " "}):
        answer = await sacha.post(path, {**fields, **proof})
        assert answer.status in {200, 400}
        assert await dump(empty_town) == before, proof
    done = await sacha.post(path, {**fields, "current": PASSWORD})
    assert done.status == 200
    assert await dump(empty_town) != before


async def test_who_has_no_password_changes_accounts_in_the_ten_minutes_after_a_login(
    empty_town: Town, sacha: Browser
) -> None:
    await empty_town.store.write(
        lambda db: db.execute("UPDATE users SET password_hash = '' WHERE folded = 'sacha'")
    )
    fields = {"csrf": (await sacha.get("/account")).field("csrf"), "user": "Camille"}
    asked = await sacha.post("/users/disable", fields)
    assert "Désactiver Camille" in asked.text
    assert 'type="password"' not in asked.text
    empty_town.clock.advance(minutes=10)
    late = await sacha.submit(asked, "/users/disable", user="Camille", current="")
    assert late.status == 400
    assert "connecté dans les dix minutes" in late.text
    assert 'href="/login/provider?next=/users"' in late.text
    assert 'action="/users/disable"' not in late.text
    camille = await empty_town.store.read(lambda db: users.get(db, "Camille"))
    assert camille.disabled_at is None


async def test_guesses_of_the_password_are_counted_for_all_doors_together(
    empty_town: Town, sacha: Browser
) -> None:
    csrf = (await sacha.get("/account")).field("csrf")
    for path in ("/users/disable", "/account/tokens/add", "/users/add", "/account/push/add"):
        await sacha.post(path, {"csrf": csrf, **ASKS[path], "current": "wrong"})
    answer = await sacha.manage("role", "Camille", role="admin", current="wrong")
    assert "Ce n&#39;est pas votre mot de passe" in answer.text
    answer = await sacha.manage("role", "Camille", role="admin")
    assert "Trop d&#39;essais" in answer.text
    camille = await empty_town.store.read(lambda db: users.get(db, "Camille"))
    assert camille.role is Role.TRIAGE


async def test_a_session_changes_no_account_through_the_api_and_a_token_does(
    empty_town: Town, sacha: Browser, stranger: Browser
) -> None:
    now, secret = empty_town.clock(), empty_town.app[SITE].secret
    await empty_town.store.write(lambda db: furnish(db, "Camille", now=now, secret=secret))
    token = await empty_town.store.write(lambda db: token_of(db, "Sacha", "admin", now=now))
    bodies = {"/users": {"name": "Noor", "role": "admin"}, "/users/{name}/role": {"role": "editor"}}
    page = {**HERE, "X-CSRF-Token": (await sacha.get("/account")).field("csrf")}
    program = {"Authorization": f"Bearer {token}"}
    doors = [o for o in ALL if o.access is Access.ADMIN and o.method != "GET"]
    assert len(doors) > 8
    for door in doors:
        options = {"json": bodies[door.path]} if door.path in bodies else {}
        path = PREFIX + door.path.replace("{name}", "Camille")
        before = await dump(empty_town)
        refused = await sacha.ask(door.method, path, headers=page, **options)
        assert refused.status == 403
        assert "/problems#token_only" in refused.text
        assert await dump(empty_town) == before
        done = await stranger.ask(door.method, path, headers=program, **options)
        assert done.status in {200, 201}


# What happens between the proof and the write.


class Meanwhile(PasswordDesk):
    """Finds the password right, after something else has happened."""

    def __init__(self, happens: Callable[[], Any]) -> None:
        super().__init__()
        self._happens = happens

    async def check(self, stored: str | None, password: str) -> bool:
        await self._happens()
        return await super().check(stored, password)


@pytest.mark.parametrize(
    ("path", "happens"),
    [
        ("/account/tokens/add", "role"),
        ("/account/factor/propose", "revoke"),
        ("/account/push/add", "role"),
        ("/users/add", "revoke"),
        ("/users/reset", "role"),
    ],
)
async def test_an_access_that_ends_while_the_password_is_checked_changes_nothing(
    empty_town: Town, sacha: Browser, path: str, happens: str
) -> None:
    now = empty_town.clock()

    def end(db: Db) -> None:
        if happens == "revoke":
            verbs.revoke(db, "Sacha", now)
        else:  # as if the session had stayed open
            users.set_role(db, "Sacha", Role.READER)

    fields = {"csrf": (await sacha.get("/account")).field("csrf"), **ASKS[path]}
    desk = Meanwhile(lambda: empty_town.store.write(end))
    object.__setattr__(empty_town.app[SITE], "passwords", desk)
    answer = await sacha.post(path, {**fields, "current": PASSWORD}, follow=False)
    assert answer.status == 401
    after = await dump(empty_town)
    assert not any(after[name] for name in KEPT if name != "users")
    assert len(after["users"]) == 3


async def test_a_token_that_ends_while_the_password_is_checked_makes_no_other(
    empty_town: Town, stranger: Browser
) -> None:
    now = empty_town.clock()
    scopes = ("read", "admin")
    token = await empty_town.store.write(lambda db: token_of(db, "Sacha", *scopes, now=now))
    gone = Meanwhile(lambda: empty_town.store.write(lambda db: verbs.revoke(db, "Sacha", now)))
    object.__setattr__(empty_town.app[SITE], "passwords", gone)
    said = {"name": "x", "scopes": ["read"], "password": PASSWORD}
    headers = {"Authorization": f"Bearer {token}"}
    answer = await stranger.ask("POST", f"{PREFIX}/tokens", headers=headers, json=said)
    assert answer.status == 401
    assert len((await dump(empty_town))["api_tokens"]) == 1


async def test_who_waits_in_line_for_a_hash_may_give_up_and_who_is_served_may_take_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk, let_go = PasswordDesk(), threading.Event()
    monkeypatch.setattr(passwords, "_WAIT_S", 0.01)
    monkeypatch.setattr(passwords, "is_password", lambda stored, text: let_go.wait(10))
    async with asyncio.TaskGroup() as group:
        served = [group.create_task(desk.check("x", "x")) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await desk.check("x", "x")
        let_go.set()
    assert [one.result() for one in served] == [True, True]
    assert await desk.check("x", "x")


# Every end of an access, as docs/access.md has it.

WAYS = ("sessions", "tokens", "devices", "invitation", "link", "factor", "password")
CUT = {"sessions", "tokens", "devices", "invitation"}
ENDS: dict[str, set[str]] = {
    "reset": CUT | {"password"},
    "disable": CUT,
    "revoke": CUT,
    "unlink": CUT | {"link"},
    "role": {"sessions"},
    "factor": {"sessions", "factor"},
}
"""What each verb takes away of an account that has one of everything."""
_CALLS: dict[str, Callable[[Db, Any], object]] = {
    "reset": lambda db, now: verbs.reset_password(db, "Camille", now, password_hash="new"),
    "disable": lambda db, now: verbs.disable(db, "Camille", now),
    "revoke": lambda db, now: verbs.revoke(db, "Camille", now),
    "unlink": lambda db, now: verbs.unlink(db, "Camille", now),
    "role": lambda db, now: verbs.set_role(db, "Camille", "reader", now),
    "factor": lambda db, now: verbs.reset_factor(db, "Camille", now),
}


def opens(db: Db, name: str, now: Any) -> set[str]:
    """Return which ways into an account there are."""
    user = users.get(db, name)
    assert user is not None
    found = {
        "sessions": users.sessions(db, name),
        "tokens": tokens.of(db, name, now=now),
        "devices": push.of(db, name),
        "invitation": db.rows("SELECT * FROM invitations WHERE user = ?", (users.folded(name),)),
        "link": users.folded(name) in logins.users_linked(db),
        "factor": users.folded(name) in factors.users_with(db),
        "password": user.password_hash == OLD,
    }
    return {way for way, there in found.items() if there}


OLD = "the one before"


@pytest.mark.parametrize("verb", ENDS)
async def test_every_end_of_an_access_drops_what_it_should_and_of_nobody_else(
    store: SqliteStore, clock: Any, verb: str
) -> None:
    now = clock()

    def act(db: Db) -> tuple[set[str], set[str]]:
        for name in ("Camille", "Dominique"):
            users.set_password(db, name, password_hash=OLD, must_change=False, now=now)
            furnish(db, name, now=now, secret=bytes(32))
            users.add_session(
                db,
                users.Session(
                    token_hash=f"s-{name}", user=name, csrf="c", created_at=now, seen_at=now,
                    expires_at=now.replace(year=2027),
                ),
            )  # fmt: skip
        assert opens(db, "Camille", now) == set(WAYS)
        _CALLS[verb](db, now)
        return opens(db, "Camille", now), opens(db, "Dominique", now)

    hers, theirs = await store.write(act)
    assert set(WAYS) - hers == ENDS[verb]
    assert theirs == set(WAYS)


def test_the_page_says_what_ends_with_what() -> None:
    page = (Path(__file__).parents[2] / "docs" / "access.md").read_text(encoding="utf-8")
    table = page.partition("| what happens |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in row.strip("| ").split("|")] for row in table.splitlines()]
    cut = next(row for row in rows if "account disabled" in row[0])
    assert "new password by an administrator" in cut[0]
    assert "« Fermer les accès »" in cut[0]
    assert "account unlinked" in cut[0]
    assert cut[1:] == ["all end", "all revoked", "none left", "withdrawn"]
    assert {path for path in ASKS if f"`{path}`" in page or path.startswith("/users/")} == set(ASKS)
