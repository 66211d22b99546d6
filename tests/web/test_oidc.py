"""Coming in by the word of an identity provider that signs for real, and what it may not do."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import structlog

from servers.oidc import CLIENT, SECRET, SIRET, IdentityProvider, identity_provider
from veille.domain.access import Role
from veille.domain.errors import LoginRefused
from veille.net.client import Client
from veille.store import audit, factors, logins, users
from veille.web import oidc_claims, second_factor
from veille.web import users as web_users
from veille.web.oidc_provider import OidcProvider
from veille.web.oidc_settings import OidcSettings
from veille.web.settings import WebSettings
from veille.web.site import SITE

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
Clock = Any
PASSWORD = "une rivière en crue 1910"
NOW = datetime(2026, 1, 18, 1, 16, tzinfo=UTC)


@pytest.fixture
async def idp(clock: Clock) -> AsyncIterator[IdentityProvider]:
    async with identity_provider(clock) as running:
        yield running


@pytest.fixture
def oidc() -> dict[str, Any]:
    return {}


@pytest.fixture
async def provider(
    idp: IdentityProvider, clock: Clock, oidc: dict[str, Any]
) -> AsyncIterator[OidcProvider]:
    settings = OidcSettings(
        issuer=idp.url, client_id=CLIENT, client_secret="OIDC", allow_private=True, **oidc
    )
    async with Client(allow_private=True) as client:
        yield OidcProvider(settings, secret=SECRET, client=client, now=clock)


@pytest.fixture
async def linked(empty_town: Town, idp: IdentityProvider) -> str:
    """Camille, whom the provider knows."""
    await empty_town.store.write(
        lambda db: logins.link(
            db, "Camille", issuer=idp.url, subject=idp.person["sub"], now=empty_town.clock()
        )
    )
    return "Camille"


def here(address: str) -> str:
    """Return the part of an address of ours that a test's browser asks for."""
    assert address.startswith("http://127.0.0.1:8080/")
    return address.removeprefix("http://127.0.0.1:8080")


async def leave(browser: Browser, query: str = "") -> str:
    away = await browser.get(f"/login/provider{query}", follow=False)
    assert away.status == 303
    return str(away.headers["Location"])


async def come_in(browser: Browser, idp: IdentityProvider, query: str = "") -> Any:
    return await browser.get(here(idp.login(await leave(browser, query))), follow=False)


async def is_in(browser: Browser) -> bool:
    return bool((await browser.get("/account", follow=False)).status == 200)


async def refused(browser: Browser, answer: Any, sentence: str) -> None:
    """Nobody came in, and the page says why."""
    assert answer.status == 401
    assert sentence in answer.text, answer.text
    assert not await is_in(browser)


UNSAFE = "La réponse de ProConnect n&#39;est pas sûre"


async def test_a_linked_person_comes_in_with_a_session_of_their_own(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str
) -> None:
    page = await stranger.get("/login")
    assert "Se connecter avec ProConnect" in page.text
    answer = await come_in(stranger, idp, "?next=/queue/Q7")
    assert (answer.status, answer.headers["Location"]) == (303, "/queue/Q7")
    account = await stranger.get("/account")
    assert "Camille" in account.text
    rows = await empty_town.store.read(
        lambda db: [(r["action"], r["target"]) for r in db.rows("SELECT * FROM audit")]
    )
    assert rows == [("login", "Camille")]


async def test_what_is_asked_is_what_proconnect_takes(
    empty_town: Town, stranger: Browser, idp: IdentityProvider
) -> None:
    asked = parse_qs(urlsplit(await leave(stranger)).query)
    assert len(asked["state"][0]) >= 32
    assert len(asked["nonce"][0]) >= 32
    assert asked["state"] != asked["nonce"]
    assert asked["redirect_uri"] == ["http://127.0.0.1:8080/login/provider/back"]
    assert asked["scope"] == ["openid given_name usual_name email siret"]
    assert asked["claims"] == ['{"id_token":{"amr":{"essential":true}}}']
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43
    again = parse_qs(urlsplit(await leave(stranger)).query)
    assert again["state"] != asked["state"]


@pytest.mark.parametrize("oidc", [{"pkce": False}])
async def test_a_provider_that_refuses_unknown_parameters_is_sent_none(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str, oidc: dict[str, Any]
) -> None:
    idp.knows_pkce = False
    assert (await come_in(stranger, idp)).headers["Location"] == "/"
    documented = {
        "response_type", "client_id", "redirect_uri", "scope", "claims", "state", "nonce",
    }  # fmt: skip
    assert set(idp.asked[0]) == documented


async def test_the_browser_can_neither_read_nor_change_what_it_holds(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str
) -> None:
    away = await stranger.get("/login/provider", follow=False)
    cookie = away.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Max-Age=600"} <= set(cookie.split("; "))
    asked = parse_qs(urlsplit(away.headers["Location"]).query)
    assert asked["state"][0] not in cookie
    back = here(idp.login(away.headers["Location"]))
    jar = stranger.session.cookie_jar
    held = next(c.value for c in jar if c.key == "veille-step")
    for changed in (held[:-8] + "AAAAAAAA", "x", "", "é", held * 9):
        headers = {"Cookie": f"veille-step={changed}"}
        fresh = type(stranger)(empty_town.url)
        answer = await fresh.get(back, follow=False, headers=headers)
        assert answer.status == 401
        await fresh.session.close()


# Attacks.


async def test_an_answer_of_another_browser_is_refused(
    empty_town: Town, stranger: Browser, sacha: Browser, idp: IdentityProvider, linked: str
) -> None:
    """Login CSRF: the attacker's own answer, followed by a victim."""
    theirs = here(idp.login(await leave(sacha)))
    state = "La réponse de ProConnect n&#39;était pas attendue ici"
    await refused(stranger, await stranger.get(theirs, follow=False), state)
    await leave(stranger)
    await refused(stranger, await stranger.get(theirs, follow=False), state)


@pytest.mark.parametrize("query", ["", "?code=x", "?state=", "?code=x&state=%00", "?state=%ff"])
async def test_an_answer_nobody_asked_for_is_refused(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, query: str
) -> None:
    for _ in range(2):
        answer = await stranger.get(f"/login/provider/back{query}", follow=False)
        await refused(stranger, answer, "n&#39;était pas attendue ici")
        await leave(stranger)


async def test_a_replayed_answer_opens_nothing(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str
) -> None:
    away = await leave(stranger)
    held = next(c.value for c in stranger.session.cookie_jar if c.key == "veille-step")
    back = here(idp.login(away))
    assert (await stranger.get(back, follow=False)).status == 303
    thief = type(stranger)(empty_town.url)
    plain = await thief.get(back, follow=False)
    with_cookie = await thief.get(back, follow=False, headers={"Cookie": f"veille-step={held}"})
    await refused(thief, plain, "n&#39;était pas attendue ici")
    await refused(thief, with_cookie, "n&#39;a pas confirmé votre identité")
    await thief.session.close()


async def test_an_answer_that_took_over_ten_minutes_is_refused(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str
) -> None:
    back = here(idp.login(await leave(stranger)))
    empty_town.clock.advance(minutes=10)
    await refused(stranger, await stranger.get(back, follow=False), "attendue ici")


async def test_an_error_of_the_provider_is_said_kindly(
    empty_town: Town, stranger: Browser, idp: IdentityProvider
) -> None:
    state = parse_qs(urlsplit(await leave(stranger)).query)["state"][0]
    back = f"/login/provider/back?error=access_denied&error_description=<b>x&state={state}"
    answer = await stranger.get(back, follow=False)
    await refused(stranger, answer, "ProConnect n&#39;a pas confirmé votre identité.")
    assert "<b>x" not in answer.text


WRONG = (
    {"nonce": "x" * 43},
    {"nonce": None},
    {"nonce": ""},
    {"aud": "somebody-else"},
    {"aud": []},
    {"aud": [CLIENT, "somebody-else"]},
    {"aud": [CLIENT, "somebody-else"], "azp": "somebody-else"},
    {"azp": "somebody-else"},
    {"iss": "https://evil.example"},
    {"iss": None},
    {"sub": ""},
    {"sub": None},
    {"sub": "x" * 256},
    {"sub": 7},
    {"exp": 0},
    {"exp": None},
    {"exp": "soon"},
    {"iat": 0},
    {"iat": 99999999999},
    {"iat": None},
)


@pytest.mark.parametrize("claims", WRONG, ids=str)
async def test_an_id_token_made_for_something_else_is_refused(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str, claims: dict[str, Any]
) -> None:
    idp.says_in_id_token(**claims)
    await refused(stranger, await come_in(stranger, idp), UNSAFE)


@pytest.mark.parametrize(
    "lie",
    [
        "signs_with_none",
        "signs_with_its_public_key_as_a_secret",
        "signs_with_the_client_secret",
        "signs_with_an_unpublished_key",
        "sends_user_info_unsigned",
        "signs_user_info_with_none",
    ],
)
async def test_what_is_not_signed_by_the_provider_s_own_key_is_refused(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str, lie: str
) -> None:
    getattr(idp, lie)()
    with structlog.testing.capture_logs() as logs:
        await refused(stranger, await come_in(stranger, idp), UNSAFE)
    assert [event["event"] for event in logs] == ["provider_login_refused"]
    assert "ada.moreau" not in repr(logs)
    assert "agent" not in repr(logs)


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "somebody-else"},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "somebody-else"},
        {"aud": None},
        {"exp": 1},
        {"siret": 5},
    ],
    ids=str,
)
async def test_user_information_of_somebody_else_is_refused(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str, claims: dict[str, Any]
) -> None:
    idp.says_in_user_info(**claims)
    await refused(stranger, await come_in(stranger, idp), UNSAFE)


@pytest.mark.parametrize("oidc", [{"signed_userinfo": False}])
async def test_unsigned_user_information_is_taken_where_the_setting_says_so(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str, oidc: dict[str, Any]
) -> None:
    idp.sends_user_info_unsigned()
    assert (await come_in(stranger, idp)).status == 303
    idp.says_in_user_info(sub="somebody-else")
    stranger.session.cookie_jar.clear()
    await refused(stranger, await come_in(stranger, idp), UNSAFE)


async def test_an_id_token_as_old_as_clocks_may_differ_is_taken(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str
) -> None:
    at = int(empty_town.clock().timestamp())
    idp.says_in_id_token(exp=at - 59, iat=at + 59)
    assert (await come_in(stranger, idp)).status == 303
    stranger.session.cookie_jar.clear()
    idp.says_in_id_token(exp=at - 60)
    await refused(stranger, await come_in(stranger, idp), UNSAFE)


# Keys.


async def test_a_changed_key_is_fetched_once_and_a_flood_asks_no_more_than_once_a_minute(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str
) -> None:
    assert (await come_in(stranger, idp)).status == 303
    assert idp.key_reads == 1
    idp.rotates_its_key()
    stranger.session.cookie_jar.clear()
    await refused(stranger, await come_in(stranger, idp), UNSAFE)  # within the minute
    assert idp.key_reads == 1
    empty_town.clock.advance(minutes=1)
    assert (await come_in(stranger, idp)).status == 303
    assert idp.key_reads == 2
    for _ in range(3):
        stranger.session.cookie_jar.clear()
        idp.signs_with_an_unpublished_key()
        await refused(stranger, await come_in(stranger, idp), UNSAFE)
    assert idp.key_reads == 2


async def test_a_key_that_was_withdrawn_is_believed_an_hour_at_most(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str
) -> None:
    before = idp.keys
    assert (await come_in(stranger, idp)).status == 303
    idp.rotates_its_key("other")
    empty_town.clock.advance(hours=1)
    stranger.session.cookie_jar.clear()
    published, idp.keys = idp.keys, before
    away = await leave(stranger)
    idp.signs_with_an_unpublished_key()
    back = here(idp.login(away))
    idp.keys = published
    await refused(stranger, await stranger.get(back, follow=False), UNSAFE)


async def test_a_curve_is_taken_too(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str
) -> None:
    idp.signs_with_a_curve()
    assert (await come_in(stranger, idp)).status == 303


@pytest.mark.parametrize("oidc", [{"algorithms": ("ES256",)}])
async def test_an_algorithm_that_is_not_allowed_is_refused(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str, oidc: dict[str, Any]
) -> None:
    await refused(stranger, await come_in(stranger, idp), UNSAFE)


async def test_a_provider_that_is_down_is_named_and_passwords_still_work(
    empty_town: Town, stranger: Browser, idp: IdentityProvider
) -> None:
    idp.is_up = False
    answer = await stranger.get("/login/provider", follow=False)
    assert "ProConnect ne répond pas" in answer.text
    assert (await stranger.sign_in("Camille")).path == "/"


# Who has an account.


async def test_a_stranger_needs_an_invitation_whatever_the_e_mail_says(
    empty_town: Town, stranger: Browser, idp: IdentityProvider
) -> None:
    idp.person |= {"email": "Camille", "given_name": "Camille", "usual_name": ""}
    answer = await come_in(stranger, idp)
    await refused(stranger, answer, "Aucun compte n&#39;est relié à cette identité ProConnect.")


async def test_the_same_subject_of_another_issuer_is_another_person(
    empty_town: Town, stranger: Browser, idp: IdentityProvider
) -> None:
    await empty_town.store.write(
        lambda db: logins.link(
            db, "Sacha", issuer="https://other.example", subject=idp.person["sub"],
            now=empty_town.clock(),
        )
    )  # fmt: skip
    await refused(stranger, await come_in(stranger, idp), "Aucun compte")


async def invite(sacha: Browser, name: str) -> str:
    """Return the link that the page of accounts shows once."""
    shown = await sacha.manage("invite", name)
    found = re.search(r"http://127\.0\.0\.1:8080(/invitations/[\w-]+)", shown.text)
    assert found is not None
    assert found[1] not in (await sacha.get("/users")).text
    return found[1]


async def test_an_invitation_links_once_and_drops_the_one_time_password(
    empty_town: Town, stranger: Browser, sacha: Browser, idp: IdentityProvider
) -> None:
    await empty_town.store.write(
        lambda db: web_users.add_user(db, "Noor", "triage", empty_town.clock())
    )
    path = await invite(sacha, "Noor")
    for _ in range(2):  # to look at it uses nothing up: mail scanners do
        page = await stranger.get(path)
        assert "au compte Noor" in page.text
    link = re.search(r'href="/login/provider(\?invitation=[^"]+)"', page.text)
    assert link is not None
    assert (await come_in(stranger, idp, link[1])).status == 303
    account = await stranger.get("/account")
    assert account.path == "/account"
    assert "Noor" in account.text
    user = await empty_town.store.read(lambda db: users.get(db, "Noor"))
    assert user is not None
    assert (user.password_hash, user.must_change) == ("", False)
    thief = type(stranger)(empty_town.url)
    idp.person["sub"] = "somebody-else"
    await refused(thief, await come_in(thief, idp, link[1]), "Cette invitation ne vaut plus")
    assert (await thief.get(path)).status == 410
    assert (await thief.sign_in("Noor", "")).status == 401
    await thief.session.close()
    actions = await empty_town.store.read(
        lambda db: [r["action"] for r in db.rows("SELECT action FROM audit ORDER BY seq")]
    )
    assert actions[-3:] == ["user.invite", "user.link", "login"]


async def test_an_invitation_is_good_for_three_days_and_the_last_one_only(
    empty_town: Town, stranger: Browser, sacha: Browser, idp: IdentityProvider
) -> None:
    first, second = await invite(sacha, "Camille"), await invite(sacha, "Camille")
    assert (await stranger.get(first)).status == 410
    assert (await stranger.get(second)).status == 200
    empty_town.clock.advance(days=3)
    assert (await stranger.get(second)).status == 410
    token = second.rpartition("/")[2]
    answer = await come_in(stranger, idp, f"?invitation={token}")
    await refused(stranger, answer, "Cette invitation ne vaut plus")


async def test_an_invitation_is_not_followed_from_another_site(
    empty_town: Town, stranger: Browser, sacha: Browser, idp: IdentityProvider
) -> None:
    token = (await invite(sacha, "Dominique")).rpartition("/")[2]
    headers = {"Sec-Fetch-Site": "cross-site"}
    path = f"/login/provider?invitation={token}"
    away = await stranger.get(path, follow=False, headers=headers)
    answer = await stranger.get(here(idp.login(away.headers["Location"])), follow=False)
    await refused(stranger, answer, "Aucun compte")


async def test_an_identity_that_is_somebody_s_cannot_be_linked_to_another(
    empty_town: Town, stranger: Browser, sacha: Browser, idp: IdentityProvider, linked: str
) -> None:
    path = await invite(sacha, "Dominique")
    answer = await come_in(stranger, idp, f"?invitation={path.rpartition('/')[2]}")
    await refused(stranger, answer, "déjà reliée à un autre compte")


async def test_a_disabled_or_unlinked_account_stays_closed(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str
) -> None:
    now = empty_town.clock()
    await empty_town.store.write(lambda db: web_users.disable(db, "Camille", now))
    await refused(stranger, await come_in(stranger, idp), "Ce compte est désactivé")
    await empty_town.store.write(lambda db: web_users.enable(db, "Camille", now))
    assert (await come_in(stranger, idp)).status == 303
    await empty_town.store.write(lambda db: web_users.unlink(db, "Camille", now))
    assert not await is_in(stranger)
    await refused(stranger, await come_in(stranger, idp), "Aucun compte")


AUTO = {"auto_role": Role.READER, "siret": (SIRET,)}


@pytest.mark.parametrize("oidc", [AUTO])
async def test_people_of_the_town_get_an_account_that_reads(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, oidc: dict[str, Any]
) -> None:
    assert (await come_in(stranger, idp)).status == 303
    user = await empty_town.store.read(lambda db: users.get(db, "Ada Moreau"))
    assert user is not None
    assert (user.role, user.password_hash, user.must_change) == (Role.READER, "", False)
    idp.person["sub"] = "a-namesake"
    other = type(stranger)(empty_town.url)
    assert (await come_in(other, idp)).status == 303
    assert "Ada Moreau 2" in (await other.get("/account")).text
    await other.session.close()
    assert await empty_town.store.read(audit.verify) is None


@pytest.mark.parametrize("oidc", [AUTO, {**AUTO, "domains": ("mairie.example",)}])
@pytest.mark.parametrize("person", [{"siret": "21990001400099"}, {"siret": ""}])
async def test_people_of_elsewhere_get_none(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, oidc: dict[str, Any],
    person: dict[str, Any],
) -> None:  # fmt: skip
    idp.person |= person
    answer = await come_in(stranger, idp)
    await refused(stranger, answer, "Votre organisation n&#39;a pas accès à ce service.")


@pytest.mark.parametrize("oidc", [{"auto_role": Role.READER, "domains": ("mairie.example",)}])
async def test_only_a_verified_address_shows_whose_it_is(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, oidc: dict[str, Any]
) -> None:
    await refused(stranger, await come_in(stranger, idp), "Votre organisation")
    idp.person["email_verified"] = True
    assert (await come_in(stranger, idp)).status == 303


@pytest.mark.parametrize("oidc", [AUTO])
@pytest.mark.parametrize("name", ["", "\u202eevil", "<script>x</script>" * 9, "a\x00b"])
async def test_a_hostile_name_becomes_a_harmless_account(
    empty_town: Town, stranger: Browser, sacha: Browser, idp: IdentityProvider,
    oidc: dict[str, Any], name: str,
) -> None:  # fmt: skip
    idp.person |= {"given_name": name, "usual_name": ""}
    assert (await come_in(stranger, idp)).status == 303
    page = await sacha.get("/users")
    assert "<script>x" not in page.text
    assert "\u202e" not in page.text


# Strength.


@pytest.mark.parametrize("oidc", [{"acr": ("eidas2", "eidas3")}, {"amr": ("mfa",)}])
async def test_a_login_that_is_weaker_than_the_settings_ask_is_refused(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str, oidc: dict[str, Any]
) -> None:
    await refused(stranger, await come_in(stranger, idp), "pas demandé une authentification assez")
    idp.strength = {"acr": "eidas2", "amr": ["pwd", "mfa"]}
    assert (await come_in(stranger, idp)).status == 303
    assert ("acr" in idp.asked[0]["claims"]) == ("acr" in oidc)


@pytest.mark.parametrize("settings", [WebSettings(second_factor=(Role.TRIAGE,))])
async def test_a_role_that_needs_a_second_factor_needs_it_of_the_provider_too(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str, settings: WebSettings
) -> None:
    await refused(stranger, await come_in(stranger, idp), "Votre rôle exige un second facteur")
    idp.strength = {"acr": "eidas1", "amr": ["pwd", "mfa"]}
    assert (await come_in(stranger, idp)).headers["Location"] == "/"
    assert await is_in(stranger)


async def enrolled(town: Town) -> str:
    """Camille has a second factor here; return its code of now."""
    secret, site = second_factor.new_secret(), town.app[SITE]
    step = int(town.clock().timestamp()) // 30

    def enroll(db: Any) -> None:
        sealed = second_factor.sealed(site.secret, "Camille", secret)
        factors.propose(db, "Camille", sealed=sealed, now=town.clock())
        factors.confirm(db, "Camille", step=step - 9, macs=[], now=town.clock())

    await town.store.write(enroll)
    return second_factor.code_at(secret, step)


async def test_a_second_factor_here_is_asked_for_when_the_provider_saw_one_only(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str
) -> None:
    code = await enrolled(empty_town)
    answer = await come_in(stranger, idp)
    assert answer.headers["Location"] == "/login/code"
    assert not await is_in(stranger)
    assert (await stranger.post("/login/code", {"code": code})).path == "/"
    assert await is_in(stranger)
    stranger.session.cookie_jar.clear()
    idp.strength = {"acr": "eidas3", "amr": ["mfa"]}
    assert (await come_in(stranger, idp)).headers["Location"] == "/"


@pytest.mark.parametrize("oidc", [{"sso": False, "pkce": False}])
async def test_without_sso_the_provider_asks_and_an_older_login_is_refused(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str, oidc: dict[str, Any]
) -> None:
    idp.knows_pkce = False
    now = int(empty_town.clock().timestamp())
    idp.says_in_id_token(auth_time=now - 601)
    await refused(stranger, await come_in(stranger, idp), "ne vous a pas demandé qui vous êtes")
    assert idp.asked[0]["prompt"] == "login"
    idp.says_in_id_token(auth_time=now - 600)
    assert (await come_in(stranger, idp)).status == 303
    assert (await come_in(stranger, idp)).status == 303  # who does not say is believed


async def test_who_was_untied_between_the_two_steps_does_not_come_in(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str
) -> None:
    code = await enrolled(empty_town)
    assert (await come_in(stranger, idp)).headers["Location"] == "/login/code"
    await empty_town.store.write(lambda db: web_users.unlink(db, "Camille", empty_town.clock()))
    assert (await stranger.post("/login/code", {"code": code})).status == 401
    assert not await is_in(stranger)


async def test_a_long_id_token_does_not_keep_anybody_from_the_second_step(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str
) -> None:
    """It would not fit in the cookie that holds the step; only the provider's logout is lost."""
    code = await enrolled(empty_town)
    idp.says_in_id_token(groups=["service"] * 300)
    await come_in(stranger, idp)
    await stranger.post("/login/code", {"code": code})
    assert await is_in(stranger)


# A provider that answers nonsense.


def test_what_is_nested_without_end_is_refused() -> None:
    """Python's and msgspec's parsers give up by RecursionError, which is no ValueError."""
    endless = b'{"alg":"RS256","x":' + b"[" * 10_000
    token = base64.urlsafe_b64encode(endless).decode().rstrip("=") + ".e30.e30"
    with pytest.raises(LoginRefused):
        oidc_claims.header_of(token, algorithms=("RS256",))
    with pytest.raises(LoginRefused):
        oidc_claims.id_token(endless, issuer="i", client="c", nonce="n", now=NOW)


def test_a_key_with_a_list_for_its_use_is_no_key_of_ours() -> None:
    keys: list[dict[str, object]] = [{"kty": "RSA", "use": ["sig"]}, {"kty": "RSA", "alg": {}}]
    assert oidc_claims.key_of(keys, oidc_claims.Header(alg="RS256")) is None


# Settings.


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"issuer": "auth.example"}, "issuer: no https address"),
        ({"issuer": "http://auth.example"}, "issuer: write https"),
        ({"client_secret": ""}, "client_secret: the provider gives one"),
        ({"scopes": ["email"]}, 'scopes holds "openid"'),
        ({"algorithms": []}, "algorithms at least one"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"algorithms": ["none"]}, "algorithms"),
        ({"auto_role": "admin", "siret": [SIRET]}, "auto_role: only"),
        ({"auto_role": "reader"}, "auto_role: set siret or domains"),
        ({"siret": ["123"]}, "siret"),
        ({"emails": []}, "emails"),
    ],
)
def test_a_provider_that_would_let_anybody_in_is_refused(wrong: dict[str, Any], said: str) -> None:
    good = {"issuer": "https://auth.example/api", "client_id": "x", "client_secret": "OIDC"}
    assert msgspec.convert(good, OidcSettings).issuer == good["issuer"]
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert({**good, **wrong}, OidcSettings)


@pytest.mark.parametrize(
    "lie",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "https://evil.example/jwks"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
    ],
    ids=str,
)
async def test_a_discovery_that_leads_elsewhere_is_refused(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, lie: dict[str, Any]
) -> None:
    idp.says_in_discovery(**lie)
    answer = await stranger.get("/login/provider", follow=False)
    await refused(stranger, answer, UNSAFE)


# Leaving.


async def test_leaving_ends_both_sessions_through_a_page_and_comes_back(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str
) -> None:
    await come_in(stranger, idp)
    account = await stranger.get("/account")
    page = await stranger.submit(account, "/logout")
    assert page.status == 200
    assert not await is_in(stranger)
    target = re.search(r'href="(http://[^"]+/session/end[^"]+)"', page.text)
    assert target is not None
    address = target[1].replace("&amp;", "&")
    assert page.headers["Refresh"] == f"0; url={address}"
    asked = parse_qs(urlsplit(address).query)
    assert asked["id_token_hint"][0].count(".") == 2
    assert len(asked["state"][0]) >= 32
    assert asked["post_logout_redirect_uri"] == ["http://127.0.0.1:8080/login/provider/out"]
    async with stranger.session.get(address, allow_redirects=False) as answer:
        back = here(answer.headers["Location"])
    over = await stranger.get(back)
    assert "Vous êtes déconnecté." in over.text
    forged = await stranger.get("/login/provider/out?state=x")
    assert "Vous êtes déconnecté." not in forged.text


async def test_the_id_token_is_forgotten_with_the_session(
    empty_town: Town, stranger: Browser, idp: IdentityProvider, linked: str
) -> None:
    await come_in(stranger, idp)
    account = await stranger.get("/account")
    await stranger.submit(account, "/logout")
    left = await empty_town.store.read(lambda db: db.value("SELECT count(*) FROM sessions"))
    assert left == 0


async def test_a_flood_of_departures_from_one_place_is_slowed(
    empty_town: Town, stranger: Browser, idp: IdentityProvider
) -> None:
    statuses = [(await stranger.get("/login/provider", follow=False)).status for _ in range(61)]
    assert statuses == [303] * 60 + [429]
