"""The second factor: codes that count once, codes on paper, and who may do without."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.access import Role
from veille.domain.errors import InputError
from veille.store import audit, factors
from veille.web import second_factor
from veille.web import users as web_users
from veille.web.settings import WebSettings
from veille.web.site import SITE

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
PASSWORD = "une rivière en crue 1910"
RFC_SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_rfc_6238_appendix_b(at: int, code: str) -> None:
    now = datetime.fromtimestamp(at, UTC)
    assert second_factor.step_of(RFC_SECRET, code, now=now) == at // 30
    assert second_factor.step_of(RFC_SECRET, f" {code[:3]} {code[3:]} ", now=now) == at // 30


@given(st.integers(2, 2**40), st.integers(-4, 4))
def test_a_code_is_good_for_its_step_and_its_neighbours(step: int, away: int) -> None:
    now = datetime(2026, 1, 18, tzinfo=UTC)
    current = int(now.timestamp()) // 30
    code = second_factor.code_at(RFC_SECRET, current + away)
    found = second_factor.step_of(RFC_SECRET, code, now=now)
    assert (found is not None) == (abs(away) <= 1)


@given(st.text(max_size=40))
def test_what_is_no_code_is_refused(text: str) -> None:
    now = datetime(2026, 1, 18, tzinfo=UTC)
    good = {second_factor.code_at(RFC_SECRET, int(now.timestamp()) // 30 + n) for n in (-1, 0, 1)}
    if "".join(text.split()) not in good:
        assert second_factor.step_of(RFC_SECRET, text, now=now) is None


def test_a_secret_is_sealed_for_one_user_and_one_key() -> None:
    key, secret = b"k" * 32, second_factor.new_secret()
    sealed = second_factor.sealed(key, "Camille", secret)
    assert secret not in sealed
    assert second_factor.unsealed(key, "CAMILLE", sealed) == secret
    for other_key, user in ((b"l" * 32, "Camille"), (key, "Sacha")):
        with pytest.raises(InputError):
            second_factor.unsealed(other_key, user, sealed)


def test_the_picture_has_no_style_and_no_script() -> None:
    link = second_factor.address(RFC_SECRET, user="Zoé & <b>", issuer="veille Saint-Aubin")
    assert link.startswith("otpauth://totp/veille%20Saint-Aubin:Zo%C3%A9%20%26%20%3Cb%3E?secret=")
    svg = second_factor.picture(link)
    assert svg.startswith("<svg")
    assert "style" not in svg
    assert "script" not in svg


# From the page.


async def begin(browser: Browser, password: str = PASSWORD) -> Any:
    page = await browser.get("/account/factor")
    return await browser.submit(page, "/account/factor/propose", current=password)


def secret_on(page: Any) -> bytes:
    import base64

    found = re.search(r"<code>([A-Z2-7 ]{39})</code>", page.text)
    assert found is not None
    return base64.b32decode(found[1].replace(" ", ""))


def now_code(town: Town, secret: bytes, *, away: int = 0) -> str:
    return second_factor.code_at(secret, int(town.clock().timestamp()) // 30 + away)


async def enroll(town: Town, browser: Browser) -> tuple[bytes, list[str]]:
    """Return the secret and the recovery codes of a factor registered on the page."""
    page = await begin(browser)
    secret = secret_on(page)
    done = await browser.submit(page, "/account/factor/confirm", code=now_code(town, secret))
    codes = re.findall(r"<code>([a-z2-9-]{14})</code>", done.text)
    assert len(set(codes)) == 10
    town.clock.advance(seconds=30)
    return secret, codes


async def sign_in(browser: Browser, name: str = "Camille") -> Any:
    browser.session.cookie_jar.clear()
    return await browser.sign_in(name)


async def test_after_enrolment_a_password_alone_opens_nothing(
    empty_town: Town, camille: Browser
) -> None:
    secret, _ = await enroll(empty_town, camille)
    page = await sign_in(camille)
    assert page.path == "/login/code"
    for path in ("/", "/account", "/account/factor"):
        assert (await camille.get(path, follow=False)).status == 303
    assert (await camille.post("/login/code", {"code": "000000"})).status == 401
    done = await camille.post("/login/code", {"code": now_code(empty_town, secret)})
    assert (done.status, done.path) == (200, "/")


async def test_the_secret_is_shown_once_and_stored_sealed(
    empty_town: Town, camille: Browser
) -> None:
    page = await begin(camille)
    secret = secret_on(page)
    assert "<svg" in page.text
    assert "<svg" not in (await camille.get("/account/factor")).text
    stored = await empty_town.store.read(lambda db: factors.get(db, "Camille"))
    assert stored is not None
    assert secret not in stored.sealed
    assert stored.confirmed_at is None
    assert (await sign_in(camille)).path == "/"  # nothing counts before it is confirmed


async def test_a_code_counts_once_even_for_a_thief_who_saw_it(
    empty_town: Town, camille: Browser
) -> None:
    secret, _ = await enroll(empty_town, camille)
    code, thief = now_code(empty_town, secret), type(camille)(empty_town.url)
    await thief.sign_in("Camille")
    await sign_in(camille)
    assert (await camille.post("/login/code", {"code": code})).status == 200
    assert (await thief.post("/login/code", {"code": code})).status == 401
    older = now_code(empty_town, secret, away=-1)
    assert (await thief.post("/login/code", {"code": older})).status == 401
    await thief.session.close()


async def test_the_code_that_confirmed_does_not_log_in(empty_town: Town, camille: Browser) -> None:
    page = await begin(camille)
    code = now_code(empty_town, secret_on(page))
    await camille.submit(page, "/account/factor/confirm", code=code)
    await sign_in(camille)
    assert (await camille.post("/login/code", {"code": code})).status == 401


async def test_a_recovery_code_opens_once_and_only_its_owner_s_account(
    empty_town: Town, camille: Browser, sacha: Browser
) -> None:
    _, codes = await enroll(empty_town, camille)
    await enroll(empty_town, sacha)
    await sign_in(sacha, "Sacha")
    assert (await sacha.post("/login/code", {"code": codes[0]})).status == 401
    await sign_in(camille)
    written = codes[0].upper().replace("-", " ")
    assert (await camille.post("/login/code", {"code": written})).path == "/"
    await sign_in(camille)
    assert (await camille.post("/login/code", {"code": codes[0]})).status == 401
    assert (await camille.post("/login/code", {"code": codes[1]})).path == "/"
    assert "Il reste 8 codes de secours" in (await camille.get("/account/factor")).text


async def test_codes_are_guessed_five_times_a_minute_from_anywhere(
    empty_town: Town, camille: Browser
) -> None:
    secret, _ = await enroll(empty_town, camille)
    await sign_in(camille)
    statuses = []
    for number in range(6):
        headers = {
            "Sec-Fetch-Site": "same-origin", "X-Forwarded-For": f"203.0.113.{number}",
        }  # fmt: skip
        answer = await camille.post("/login/code", {"code": "000000"}, headers=headers)
        statuses.append(answer.status)
    assert statuses == [401] * 5 + [429]
    right = await camille.post("/login/code", {"code": now_code(empty_town, secret)})
    assert right.status == 429
    assert right.headers["Retry-After"] == "60"


async def test_the_second_step_dies_after_ten_minutes_and_with_the_password(
    empty_town: Town, camille: Browser
) -> None:
    secret, _ = await enroll(empty_town, camille)
    await sign_in(camille)
    await empty_town.store.write(
        lambda db: web_users.reset_password(db, "Camille", empty_town.clock())
    )
    code = {"code": now_code(empty_town, secret)}
    assert (await camille.post("/login/code", code)).status == 401
    empty_town.clock.advance(minutes=10)
    assert (await camille.post("/login/code", code)).path == "/login"


async def test_a_code_sent_from_another_site_is_refused(empty_town: Town, camille: Browser) -> None:
    secret, _ = await enroll(empty_town, camille)
    await sign_in(camille)
    headers = {"Sec-Fetch-Site": "cross-site"}
    code = {"code": now_code(empty_town, secret)}
    assert (await camille.post("/login/code", code, headers=headers)).status == 403


async def test_enrolment_needs_the_password_and_the_right_code(
    empty_town: Town, camille: Browser
) -> None:
    wrong = await begin(camille, "wrong")
    assert wrong.status == 400
    assert "n&#39;est pas le bon" in wrong.text
    page = await begin(camille)
    again = await camille.submit(page, "/account/factor/confirm", code="000000")
    assert again.status == 400
    assert secret_on(again) == secret_on(page)  # a typing error starts nothing over
    empty_town.clock.advance(minutes=11)
    code = now_code(empty_town, secret_on(page))
    late = await camille.submit(page, "/account/factor/confirm", code=code)
    assert "plus de dix minutes" in late.text
    assert (await sign_in(camille)).path == "/"


async def test_a_proposed_secret_is_shown_to_nobody_who_only_has_the_session(
    empty_town: Town, camille: Browser
) -> None:
    secret = secret_on(await begin(camille))
    csrf = (await camille.get("/account")).field("csrf")
    for code in ("000000", now_code(empty_town, secret)):
        answer = await camille.post("/account/factor/confirm", {"csrf": csrf, "code": code})
        assert second_factor.written(secret) not in answer.text
        assert "<svg" not in answer.text
    stored = await empty_town.store.read(lambda db: factors.get(db, "Camille"))
    assert stored.confirmed_at is None


async def test_a_factor_that_counts_is_not_replaced_by_who_holds_the_session(
    empty_town: Town, camille: Browser
) -> None:
    await enroll(empty_town, camille)
    before = await empty_town.store.read(lambda db: factors.get(db, "Camille"))
    csrf = (await camille.get("/account/factor")).field("csrf")
    fields = {"csrf": csrf, "current": PASSWORD}
    answer = await camille.post("/account/factor/propose", fields, follow=False)
    assert answer.status == 303
    assert await empty_town.store.read(lambda db: factors.get(db, "Camille")) == before


async def test_enrolment_closes_the_other_sessions(empty_town: Town, camille: Browser) -> None:
    other = type(camille)(empty_town.url)
    await other.sign_in("Camille")
    await enroll(empty_town, camille)
    assert (await other.get("/account", follow=False)).status == 303
    assert (await camille.get("/account", follow=False)).status == 200
    await other.session.close()


async def test_removal_needs_password_and_code(empty_town: Town, camille: Browser) -> None:
    secret, codes = await enroll(empty_town, camille)
    page = await camille.get("/account/factor")
    action = "/account/factor/remove"
    code = now_code(empty_town, secret)
    assert (await camille.submit(page, action, current="no", code=code)).status == 400
    assert (await camille.submit(page, action, current=PASSWORD, code="000000")).status == 400
    done = await camille.submit(page, action, current=PASSWORD, code=code)
    assert "Le second facteur est retiré." in done.text
    assert (await sign_in(camille)).path == "/"
    actions = await empty_town.store.read(
        lambda db: [r["action"] for r in db.rows("SELECT action FROM audit ORDER BY seq")]
    )
    assert actions == ["login", "factor.add", "factor.remove", "login"]
    assert await empty_town.store.read(audit.verify) is None
    assert codes[0] not in repr(actions)


async def test_codes_are_counted_apart_from_passwords_that_are_asked_again(
    empty_town: Town, camille: Browser
) -> None:
    secret, _ = await enroll(empty_town, camille)
    page = await camille.get("/account/factor")
    right = {"current": PASSWORD, "code": "000000"}  # who knows the password guesses the code
    tries = [await camille.submit(page, "/account/factor/remove", **right) for _ in range(6)]
    assert [one.status for one in tries] == [400] * 5 + [429]
    empty_town.clock.advance(seconds=61)
    csrf = {"csrf": page.field("csrf"), "name": "x", "days": "90", "scope-read": "1"}
    for _ in range(6):  # and who has the session alone keeps nobody from coming in
        refused = await camille.post("/account/tokens/add", {**csrf, "current": "wrong"})
    assert "Trop d&#39;essais" in refused.text
    other = type(camille)(empty_town.url)
    assert (await other.sign_in("Camille")).path == "/login/code"
    code = {"code": now_code(empty_town, secret)}
    assert (await other.post("/login/code", code)).path == "/"
    await other.session.close()


async def test_an_administrator_does_not_lose_their_own_without_a_code(
    empty_town: Town, sacha: Browser
) -> None:
    await enroll(empty_town, sacha)
    assert 'action="/users/factor"' not in (await sacha.get("/users")).text
    refused = await sacha.manage("factor", "SACHA")
    assert refused.status == 400
    assert await empty_town.store.read(lambda db: factors.get(db, "Sacha")) is not None


async def test_new_recovery_codes_replace_the_old(empty_town: Town, camille: Browser) -> None:
    _, codes = await enroll(empty_town, camille)
    page = await camille.get("/account/factor")
    done = await camille.submit(page, "/account/factor/renew", current=PASSWORD)
    fresh = re.findall(r"<code>([a-z2-9-]{14})</code>", done.text)
    await sign_in(camille)
    assert (await camille.post("/login/code", {"code": codes[0]})).status == 401
    assert (await camille.post("/login/code", {"code": fresh[0]})).path == "/"


async def test_an_administrator_may_reset_it(
    empty_town: Town, camille: Browser, sacha: Browser
) -> None:
    await enroll(empty_town, camille)
    done = await sacha.manage("factor", "Camille")
    assert "le second facteur est retiré" in done.text
    assert (await camille.get("/account", follow=False)).status == 303
    assert (await sign_in(camille)).path == "/"


@pytest.mark.parametrize("settings", [WebSettings(second_factor=(Role.ADMIN,))])
async def test_a_role_that_needs_one_does_nothing_before(
    empty_town: Town, sacha: Browser, settings: WebSettings
) -> None:
    for path in ("/", "/users", "/account/tokens", "/more"):
        answer = await sacha.get(path, follow=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/account/factor")
    page = await sacha.get("/")
    assert "Votre rôle exige un second facteur." in page.text
    assert 'class="menu"' not in page.text
    await enroll(empty_town, sacha)
    assert (await sacha.get("/users", follow=False)).status == 200
    await sign_in(sacha, "Camille")
    assert (await sacha.get("/", follow=False)).status == 200


async def test_a_lost_key_is_said_and_lets_nobody_in(empty_town: Town, camille: Browser) -> None:
    secret, codes = await enroll(empty_town, camille)
    await sign_in(camille)
    held = next(c.value for c in camille.session.cookie_jar if c.key == "veille-step")
    object.__setattr__(empty_town.app[SITE], "secret", b"another key, of 32 bytes exactly")
    assert (await camille.get("/login/code")).path == "/login"  # the step is sealed too
    await sign_in(camille)
    assert held
    for code in (now_code(empty_town, secret), codes[0]):
        answer = await camille.post("/login/code", {"code": code})
        assert answer.status == 401
        assert "la clé a changé" in answer.text
