"""The wall: headers on every answer, and what a stranger, a reader or a forger does not get."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import structlog

from veille.domain.access import Role
from veille.domain.errors import StoreError
from veille.domain.incident import IncidentState
from veille.store import incidents, timeline, users
from veille.web import users as web_users
from veille.web.app import ROUTES
from veille.web.security import ACCESS
from veille.web.settings import WebSettings
from veille.web.site import Access

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any

PASSWORD = "une rivière en crue 1910"
HTTPS = WebSettings(public_url="https://veille.example")
UNREADABLE = (
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01 secret-bytes\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\n\r\n",
)
PROMISED = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; connect-src 'self'; "
        "manifest-src 'self'; worker-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "veille",
}
PUBLIC = {
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/login/code"),
    ("POST", "/login/code"),
    ("GET", "/login/provider"),
    ("GET", "/login/provider/back"),
    ("GET", "/login/provider/out"),
    ("GET", "/invitations/{token}"),
    ("GET", "/static/{name}"),
    ("GET", "/manifest.webmanifest"),
    ("GET", "/sw.js"),
    ("GET", "/offline"),
    ("GET", "/accessibility"),
    ("GET", "/l/{token}"),
    ("POST", "/l/{token}"),
    ("POST", "/hooks/{source}"),
    ("POST", "/slack/actions"),
    ("POST", "/slack/commands"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
}
KEY = f"{1:032x}"


def filled(path: str) -> str:
    """Return an address of a route, of things that exist."""
    given = {"id": "1", "verb": "take", "key": KEY, "name": "veille.css", "source": "presse"}
    return re.sub(r"\{(\w+)\}", lambda found: given[found[1]], path)


PRIVATE = [(m, filled(p)) for m, p, _, access in ROUTES if access is not Access.PUBLIC]
PRIVATE_POSTS = [path for method, path in PRIVATE if method == "POST"]
ACTS = [filled(p) for m, p, _, access in ROUTES if access is Access.ACT and m == "POST"]


async def untouched(town: Town) -> bool:
    """Whether nothing was taken, noted or opened."""

    def look(db: Any) -> bool:
        found = incidents.get(db, 1)
        kinds = {event.actor for name in ("I1", "Q1") for event in timeline.of(db, name)}
        return found is not None and found.state is IncidentState.OPEN and kinds == {"veille"}

    return bool(await town.store.read(look)) and town.vault.opened == []


# Headers.


EVERY_KIND = (
    ("GET", "/", 200),
    ("HEAD", "/", 200),
    ("GET", "/account", 200),
    ("GET", "/login", 303),
    ("POST", "/login", 403),
    ("GET", "/nothing", 404),
    ("GET", "/static/nothing.css", 404),
    ("DELETE", "/", 405),
    ("OPTIONS", "/incidents/1", 405),
    ("TRACE", "/login", 405),
    ("POST", "/logout", 403),
    ("GET", "/livez", 200),
    ("GET", "/readyz", 503),
    ("GET", "/metrics", 404),
    ("POST", "/hooks/presse", 202),
    ("GET", "/hooks/presse", 405),
    ("POST", "/hooks/a/b", 404),
)


async def test_every_answer_wears_the_headers(town: Town, camille: Browser) -> None:
    town.pulse.reasons = ("disk full",)
    outside = {"Sec-Fetch-Site": "cross-site"}
    for method, path, status in EVERY_KIND:
        answer = await camille.ask(method, path, headers=outside, follow=False)
        assert answer.status == status, (method, path)
        assert PROMISED.items() <= dict(answer.headers).items(), (method, path)
        assert answer.headers["Cache-Control"] == "no-store", (method, path)
        assert "Strict-Transport-Security" not in answer.headers


async def test_a_stranger_s_redirect_wears_them_too(town: Town, stranger: Browser) -> None:
    away = await stranger.get("/queue/1", follow=False)
    assert away.status == 303
    assert PROMISED.items() <= dict(away.headers).items()


@pytest.mark.parametrize("settings", [HTTPS])
async def test_https_is_asked_for_again_on_every_answer(
    town: Town, stranger: Browser, settings: WebSettings
) -> None:
    for path in ("/", "/login", "/nothing", "/livez"):
        answer = await stranger.get(path, follow=False)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_a_form_that_is_too_long_is_refused_with_headers(
    town: Town, camille: Browser
) -> None:
    csrf = (await camille.get("/")).field("csrf")
    answer = await camille.post("/incidents/1/note", {"csrf": csrf, "text": "x" * 70_000})
    assert answer.status == 413
    assert "Le texte envoyé est trop long." in answer.text
    assert PROMISED.items() <= dict(answer.headers).items()
    assert await untouched(town)


async def test_static_files_are_kept_for_a_year_under_their_hash(
    town: Town, stranger: Browser
) -> None:
    page = await stranger.get("/login")
    paths = re.findall(r'"(/static/[^"]+)"', page.text)
    assert len(paths) == 3
    for path in paths:
        answer = await stranger.ask("HEAD", path)  # one is a picture
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert PROMISED.items() <= dict(answer.headers).items()


async def test_static_serves_nothing_but_its_files(town: Town, stranger: Browser) -> None:
    for path in ("..%2fapp.py", "%2e%2e%2fapp.py", "veille.css", "....//app.py", "%00"):
        assert (await stranger.get(f"/static/{path}")).status == 404, path


# Deny by default.


def test_the_public_routes_are_these_and_no_others() -> None:
    public = {(method, path) for method, path, _, access in ROUTES if access is Access.PUBLIC}
    assert public == PUBLIC


async def test_a_stranger_is_sent_to_the_login_from_everywhere_else(
    town: Town, stranger: Browser
) -> None:
    heads = [("HEAD", path) for method, path in PRIVATE if method == "GET"]
    for method, path in [*PRIVATE, *heads]:
        data = {"text": "x"} if method == "POST" else None
        answer = await stranger.ask(method, path, follow=False, data=data)
        assert (answer.status, answer.text) == (303, ""), (method, path)
        assert answer.headers["Location"].split("?")[0] == "/login"
        assert "ETag" not in answer.headers
    assert await untouched(town)


async def test_a_route_that_nobody_listed_is_closed(
    town: Town, stranger: Browser, dominique: Browser
) -> None:
    town.app[ACCESS].clear()
    for path in ("/", "/account", "/livez"):
        assert (await stranger.get(path, follow=False)).status == 303
        assert (await dominique.get(path)).status == 403


async def test_a_made_up_session_opens_nothing(town: Town, stranger: Browser) -> None:
    for token in ("", "x", "é" * 40, "x" * 5000, "' OR 1=1 --", "veille=", "0" * 43):
        headers = {"Cookie": f"veille={token}"}
        answer = await stranger.get("/", follow=False, headers=headers)
        assert answer.status == 303, token


async def test_a_reader_neither_acts_nor_opens_originals(town: Town, dominique: Browser) -> None:
    csrf = (await dominique.get("/account")).field("csrf")
    verbs = [path.replace("take", verb) for path in ACTS for verb in ("take", "note", "assign")]
    for path in sorted(set(verbs)):
        answer = await dominique.post(path, {"csrf": csrf, "text": "x", "to": "Dominique"})
        assert answer.status == 403, path
        assert "06 00" not in answer.text
    assert await untouched(town)


async def test_a_reader_is_offered_no_action(town: Town, dominique: Browser) -> None:
    for path in ("/", "/incidents/1", "/queue/1"):
        page = await dominique.get(path)
        assert page.status == 200
        forms = re.findall(r"<form ([^>]*)>", page.text)
        acting = [form for form in forms if 'method="get"' not in form]
        assert acting
        own = ('action="/logout"', 'action="/preferences"')
        assert all(any(one in form for one in own) for form in acting)
    assert "Votre rôle permet de lire, pas d&#39;agir." in page.text


async def test_a_role_taken_away_is_gone_at_the_next_request(town: Town, camille: Browser) -> None:
    page = await camille.get("/")
    await town.store.write(lambda db: users.set_role(db, "Camille", Role.READER))
    assert (await camille.submit(page, "/incidents/1/take")).status == 403
    assert await untouched(town)


# Forms from elsewhere.


async def test_a_form_without_our_token_is_refused(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    mine = (await camille.get("/")).field("csrf")
    other = (await sacha.get("/")).field("csrf")
    wrong = [{"csrf": token} for token in ("", "x", mine[:-1], mine + "x", other, "é")]
    for path in PRIVATE_POSTS:
        for fields in [{}, *wrong]:
            answer = await camille.post(path, {**fields, "text": "x", "to": "Sacha"}, follow=False)
            assert answer.status == 403, (path, fields)
    assert await untouched(town)
    assert (await camille.get("/", follow=False)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:8081"},
    ],
)
async def test_a_form_from_another_site_is_refused_even_with_the_token(
    town: Town, camille: Browser, headers: dict[str, str]
) -> None:
    fields = {"csrf": (await camille.get("/")).field("csrf"), "text": "x"}
    for path in PRIVATE_POSTS:
        answer = await camille.post(path, fields, headers=headers, follow=False)
        assert answer.status == 403, path
    assert await untouched(town)
    assert (await camille.get("/", follow=False)).status == 200


async def test_a_token_in_the_address_or_sent_as_a_file_is_none(
    town: Town, camille: Browser
) -> None:
    csrf = (await camille.get("/")).field("csrf")
    answer = await camille.post(f"/incidents/1/take?csrf={csrf}", {})
    assert answer.status == 403
    part = (
        f'--b\r\nContent-Disposition: form-data; name="csrf"; filename="x"\r\n\r\n{csrf}\r\n--b--'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Sec-Fetch-Site": "same-origin"}
    sent = await camille.ask("POST", "/incidents/1/take", data=part.encode(), headers=headers)
    assert sent.status == 403
    assert await untouched(town)


async def test_a_one_time_password_opens_nothing_but_its_own_change(
    town: Town, stranger: Browser
) -> None:
    once = await town.store.write(lambda db: web_users.add_user(db, "Noor", "triage", town.clock()))
    page = await stranger.sign_in("Noor", once)
    assert page.path == "/account"
    assert "Ce mot de passe ne sert qu&#39;à choisir le vôtre." in page.text
    csrf = page.field("csrf", action="/account/password")
    free = {("GET", "/account"), ("POST", "/account/password"), ("POST", "/logout")}
    for method, path in sorted(set(PRIVATE) - free):
        data = {"csrf": csrf, "text": "x"} if method == "POST" else None
        answer = await stranger.ask(method, path, data=data, follow=False)
        assert (answer.status, answer.headers["Location"], answer.text) == (303, "/account", "")
    assert await untouched(town)


# Errors.


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("secret: Rappelez-moi au 06"), 500),
        (KeyError("secret"), 500),
        (StoreError("secret path /var/lib/veille"), 503),
        (TimeoutError("secret"), 503),
    ],
)
async def test_a_failure_shows_an_id_the_log_has_it_and_nobody_sees_a_trace(
    town: Town,
    camille: Browser,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
) -> None:
    async def fail(key: str, *, actor: str) -> str | None:
        raise error

    page = await camille.get("/queue/1")
    monkeypatch.setattr(town.vault, "open", fail)
    with structlog.testing.capture_logs() as logs:
        answer = await camille.submit(page, f"/mentions/{KEY}/original")
    assert answer.status == status
    assert PROMISED.items() <= dict(answer.headers).items()
    found = re.search(r"Référence : ([0-9a-f]{8})\.", answer.text)
    assert found is not None
    events = [event for event in logs if event["event"] == "request_failed"]
    assert [event["error_id"] for event in events] == [found[1]]
    assert events[0]["route"] == "/mentions/{key}/original"
    for leak in ("secret", "Traceback", "Rappelez", type(error).__name__, ".py"):
        assert leak not in answer.text
    assert "secret" not in repr(logs)
    assert ("Retry-After" in answer.headers) == (status == 503)


async def test_a_store_that_stops_is_a_503_page(town: Town, camille: Browser) -> None:
    async def busy(_: object) -> None:
        raise StoreError("locked")

    page = await camille.get("/")
    assert page.status == 200
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(town.store), "read", lambda self, work: busy(work))
        answer = await camille.get("/")
    assert answer.status == 503
    assert PROMISED.items() <= dict(answer.headers).items()
    assert (await camille.get("/")).status == 200


@pytest.mark.parametrize("sent", UNREADABLE)
async def test_what_cannot_be_parsed_is_refused_under_the_same_headers(
    town: Town, sent: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(town.url).port)
    try:
        writer.write(sent)
        async with asyncio.timeout(5):
            answer = (await reader.read()).decode()
    finally:
        writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    assert " 400 " in head.splitlines()[0]
    for name, value in PROMISED.items():
        assert f"{name}: {value}" in head
    assert body == "refused\n"


@pytest.mark.parametrize("settings", [HTTPS])
async def test_over_tls_even_an_unreadable_request_is_told_to_stay_there(town: Town) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(town.url).port)
    try:
        writer.write(UNREADABLE[0])
        async with asyncio.timeout(5):
            answer = (await reader.read()).decode()
    finally:
        writer.close()
    assert "Strict-Transport-Security: max-age=31536000" in answer
