"""`/users`: accounts as an administrator manages them, with the last one kept."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from veille.domain.access import Role
from veille.domain.errors import InputError, LastAdminError
from veille.store import audit, logins, users
from veille.store.engine import SqliteStore
from veille.web import users as web_users

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
PASSWORD = "une rivière en crue 1910"
NOW = datetime(2026, 1, 18, tzinfo=UTC)


async def trail(town: Town) -> list[tuple[str, str, str, Any, Any]]:
    def load(db: Any) -> list[tuple[str, str, str, Any, Any]]:
        rows = db.rows("SELECT * FROM audit WHERE action LIKE 'user.%' ORDER BY seq")
        return [
            (
                row["actor"], row["action"], row["target"],
                json.loads(row["before"] or "null"), json.loads(row["after"] or "null"),
            )
            for row in rows
        ]  # fmt: skip

    return await town.store.read(load)  # type: ignore[no-any-return]


async def test_a_new_account_has_a_password_that_is_shown_once(
    empty_town: Town, sacha: Browser, stranger: Browser
) -> None:
    asked = await sacha.submit(await sacha.get("/users"), "/users/add", user="Noor", role="triage")
    assert "Ajouter le compte Noor" in asked.text
    assert await empty_town.store.read(lambda db: users.get(db, "Noor")) is None
    given = {name: asked.field(name) for name in ("user", "role")}
    shown = await sacha.submit(asked, "/users/add", current=PASSWORD, **given)
    found = re.search(r"<code>([a-z2-9]{4}(-[a-z2-9]{4}){3})</code>", shown.text)
    assert found is not None
    assert found[1] not in (await sacha.get("/users")).text
    entered = await stranger.sign_in("Noor", found[1])
    assert entered.path == "/account"
    assert await trail(empty_town) == [("Sacha", "user.add", "Noor", None, {"role": "triage"})]


async def test_what_is_done_to_accounts_is_in_the_journal_with_before_and_after(
    empty_town: Town, sacha: Browser
) -> None:
    await sacha.manage("role", "Camille", role="editor")
    await sacha.manage("disable", "Camille")
    await sacha.manage("disable", "Camille")
    await sacha.manage("enable", "camille")
    await sacha.manage("reset", "Camille")
    assert await trail(empty_town) == [
        ("Sacha", "user.role", "Camille", {"role": "triage"}, {"role": "editor"}),
        ("Sacha", "user.disable", "Camille", {"is_active": True}, {"is_active": False}),
        ("Sacha", "user.enable", "Camille", {"is_active": False}, {"is_active": True}),
        ("Sacha", "user.reset", "Camille", None, {"tokens_revoked": 0}),
    ]
    assert await empty_town.store.read(audit.verify) is None


@pytest.mark.parametrize(("verb", "role"), [("disable", ""), ("role", "reader"), ("role", "dpo")])
async def test_the_last_administrator_stays(
    empty_town: Town, sacha: Browser, verb: str, role: str
) -> None:
    answer = await sacha.manage(verb, "Sacha", role=role)
    assert answer.status == 409
    assert "la dernière personne qui gère les comptes" in answer.text
    assert (await sacha.get("/users", follow=False)).status == 200
    assert await trail(empty_town) == []
    # a disabled administrator is none
    await sacha.manage("role", "Camille", role="admin")
    await sacha.manage("disable", "Camille")
    assert (await sacha.manage(verb, "Sacha", role=role)).status == 409
    await sacha.manage("enable", "Camille")
    assert (await sacha.manage(verb, "Sacha", role=role)).path.startswith("/login?")


async def test_the_last_administrator_is_not_untied_from_the_only_way_in(
    store: SqliteStore,
) -> None:
    def only_by_provider(db: Any) -> None:
        users.drop_password(db, "Sacha", now=NOW)
        logins.link(db, "Sacha", issuer="https://auth.example", subject="s", now=NOW)
        web_users.add_user(db, "Ada", "admin", NOW, password_hash="x")
        users.drop_password(db, "Ada", now=NOW)  # nobody has invited Ada yet

    await store.write(only_by_provider)
    for verb in (web_users.unlink, web_users.disable):
        with pytest.raises(LastAdminError, match="last administrator"):
            await store.write(lambda db, verb=verb: verb(db, "Sacha", NOW))  # type: ignore[misc]
    await store.write(lambda db: web_users.reset_password(db, "Ada", NOW))
    expired = NOW + timedelta(days=8)  # a one-time password that nobody used in time
    with pytest.raises(LastAdminError, match="last administrator"):
        await store.write(lambda db: web_users.unlink(db, "Sacha", expired))
    assert await store.write(lambda db: web_users.unlink(db, "Sacha", NOW)) == 1


@pytest.mark.parametrize(
    ("verb", "fields", "status"),
    [
        ("disable", {"user": "personne"}, 400),
        ("disable", {"user": ""}, 400),
        ("role", {"user": "Camille", "role": "emperor"}, 400),
        ("role", {"user": "Camille"}, 400),
        ("reset", {"user": "x" * 9000}, 400),
        ("delete", {"user": "Camille"}, 404),
        ("invite", {"user": "Camille"}, 404),  # no provider is set
    ],
)
async def test_nonsense_changes_nothing(
    empty_town: Town, sacha: Browser, verb: str, fields: dict[str, str], status: int
) -> None:
    before = await empty_town.store.read(users.list_)
    for proof in ({}, {"current": PASSWORD}):
        csrf = (await sacha.get("/users")).field("csrf")
        answer = await sacha.post(f"/users/{verb}", {"csrf": csrf, **fields, **proof})
        assert answer.status == status
    assert await empty_town.store.read(users.list_) == before


@pytest.mark.parametrize("name", ["", " ", "camille", "a" * 65, "a\u202eb", "a\nb", "\x00"])
async def test_a_bad_or_taken_name_is_refused(empty_town: Town, sacha: Browser, name: str) -> None:
    answer = await sacha.manage("add", name, role="reader")
    assert answer.status == 400
    assert "Ce nom est déjà pris, ou illisible" in answer.text


async def test_names_are_shown_as_harmless_text(empty_town: Town, sacha: Browser) -> None:
    name = '"><script>alert(1)</script>'
    page = await sacha.get("/users")
    asked = await sacha.submit(page, "/users/add", user=name, role="reader")
    await sacha.manage("add", name, role="reader")
    for shown in (asked, await sacha.get("/users")):
        assert "<script>alert" not in shown.text
        assert "&lt;script&gt;alert" in shown.text


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
async def test_only_administrators_see_the_page(
    empty_town: Town, dominique: Browser, role: Role
) -> None:
    await empty_town.store.write(lambda db: users.set_role(db, "Dominique", role))
    refused = await dominique.get("/users")
    assert refused.status == 403
    assert "Il faut le rôle « administration ». Le vôtre" in refused.text
    assert 'href="/users"' not in (await dominique.get("/account")).text


async def test_the_verbs_say_what_is_wrong_on_the_command_line(store: SqliteStore) -> None:
    with pytest.raises(LastAdminError, match="last administrator"):
        await store.write(lambda db: web_users.disable(db, "sacha", NOW))
    with pytest.raises(InputError, match="write one of reader, triage"):
        await store.write(lambda db: web_users.set_role(db, "Sacha", "emperor", NOW))
    for verb in (web_users.enable, web_users.reset_factor, web_users.revoke, web_users.invite):
        with pytest.raises(InputError, match="no user"):
            await store.write(lambda db, verb=verb: verb(db, "personne", NOW))  # type: ignore[misc]
