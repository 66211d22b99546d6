"""Signing in and out."""

from __future__ import annotations

import re

import structlog
from aiohttp import web

from veille.store import audit, factors, push, users
from veille.store.engine import Db
from veille.store.factors import Factor
from veille.store.users import Proof, User
from veille.web import oidc_exit, presession, sessions, throttle
from veille.web.menu import MENU
from veille.web.network import client_address, is_same_site, throttle_address
from veille.web.passwords import ONE_TIME_FOR
from veille.web.site import form_of, render, see, site_of, visitor_of
from veille.wording.format import duration

_NEXT = re.compile(r"/(?:account|search|(?:incidents/I?|queue/Q?)[1-9][0-9]{0,17})?", re.ASCII)
_BOTH = ("name", "password")  # which of them was wrong is told to nobody
log = structlog.get_logger(__name__)


def safe_next(text: str) -> str:
    """Return a page of ours to go to after signing in: nothing but a known one, else `/`."""
    is_ours = _NEXT.fullmatch(text) or any(text == entry.path for entry in MENU)
    return text if is_ours else "/"


def address_of(request: web.Request) -> str:
    """Return the place a login is tried from."""
    forwarded = request.headers.getall("X-Forwarded-For", [])
    proxies = site_of(request).proxies
    return throttle_address(client_address(request.remote, forwarded, proxies))


async def page(request: web.Request) -> web.Response:
    """The form; who is signed in goes to the first page."""
    if await sessions.visitor(request) is not None:
        return see("/")
    done = site_of(request).say("web.login.over") if "over" in request.query else None
    return _form(request, request.query.get("next", "/"), done=done)


def refused(request: web.Request, reason: str, *, status: int = 401) -> web.Response:
    """Return the form with the reason nobody came in: a key under `people.refused`."""
    provider = site_of(request).provider
    name = provider.name if provider else ""
    problem = site_of(request).say(f"people.refused.{reason}", provider=name)
    return _form(request, "/", problem=problem, status=status)


def _form(
    request: web.Request, to: str, *, status: int = 200, **said: str | tuple[str, ...] | None
) -> web.Response:
    values = {"name": "", "problem": None, "done": None, **said}
    provider = site_of(request).provider
    return render(
        request,
        "login.html",
        status=status,
        next=safe_next(to),
        provider=provider.name if provider else None,
        **values,
    )


async def submit(request: web.Request) -> web.Response:
    """A right name and password open a new session; any session the browser had is closed."""
    site = site_of(request)
    form = await form_of(request)
    name, password, to = (form.get(key, "") for key in ("name", "password", "next"))
    name = name.strip()[: users.NAME_LENGTH]
    if not is_same_site(request.headers, site.settings.origin):
        return _form(request, to, name=name, problem=site.say("web.login.outside"), status=403)
    address = address_of(request)
    device = sessions.known_device(request)
    wait = await throttle.attempt(site.store, name, address, now=site.now(), device=device)
    if wait is not None:
        problem = site.say("web.login.slow", wait=duration(site.say, wait))
        response = _form(request, to, name=name, problem=problem, status=429)
        response.headers["Retry-After"] = str(max(1, round(wait.total_seconds())))
        return response
    user, factor = await site.store.read(lambda db: (users.get(db, name), factors.get(db, name)))
    stored = user.password_hash if user and user.disabled_at is None else None
    is_right = await site.passwords.check(stored, password)  # for nobody too: the same time
    if user is None or not is_right:
        log.warning("login_failed", is_known=user is not None, address=address)
        problem = site.say("web.login.wrong")
        return _form(request, to, name=name, problem=problem, wrong=_BOTH, status=401)
    if user.must_change and site.now() - user.password_at > ONE_TIME_FOR:
        log.warning("login_expired", address=address)
        return _form(request, to, name=name, problem=site.say("web.login.expired"), status=401)
    return await _enter(request, user, factor, to)


async def _enter(request: web.Request, user: User, factor: Factor | None, to: str) -> web.Response:
    if factor is not None and factor.confirmed_at is not None:
        response = see("/login/code")
        said = {"user": user.name, "password_at": user.password_at.isoformat()}
        presession.hold(request, response, "code", {**said, "next": safe_next(to)})
        return response
    response = see(safe_next(to))
    address, device = address_of(request), sessions.known_device(request)

    def check(db: Db) -> User | None:
        throttle.welcome(db, user.name, address, device=device, now=site_of(request).now())
        since = factors.get(db, user.name)  # confirmed while the password was checked
        has_factor = since is not None and since.confirmed_at is not None
        return None if has_factor else same(db, user.name, user.password_at.isoformat())

    opened = sessions.opening(request, Proof.PASSWORD)
    if await sessions.start(request, response, opened, check=check):
        return response
    return _form(request, to, problem=site_of(request).say("web.login.wrong"), status=401)


def same(db: Db, name: str, password_at: str) -> User | None:
    """Return the user if the password is still the one that was checked."""
    user = users.get(db, name)
    return user if user is not None and user.password_at.isoformat() == password_at else None


async def leave(request: web.Request) -> web.Response:
    """The session is over, on the server and, where a provider opened it, there too."""
    site, visitor, now = site_of(request), visitor_of(request), site_of(request).now()

    def close(db: Db) -> str | None:
        found = users.session(db, visitor.session, now=now)
        users.end_session(db, visitor.session)
        # the browser forgets its service worker too (Clear-Site-Data), and would hear nothing
        push.remove_browser(db, user=visitor.name, known=sessions.known_device(request) or "")
        audit.add(db, at=now, actor=visitor.name, action="logout", target=visitor.name)
        return None if found is None else found[0].id_token

    id_token = await site.store.write(close)
    response = await oidc_exit.page(request, id_token) if id_token else see("/login?over")
    sessions.forget(request, response)
    return response
