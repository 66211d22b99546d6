"""Signing in and out."""

from __future__ import annotations

import re

import structlog
from aiohttp import web

from veille.store import audit, users
from veille.store.engine import Db
from veille.web import sessions, throttle
from veille.web.network import client_address, is_same_site, throttle_address
from veille.web.passwords import ONE_TIME_FOR
from veille.web.site import form_of, render, see, site_of, visitor_of
from veille.wording.format import duration

_NEXT = re.compile(r"/(?:account|(?:incidents/I?|queue/Q?)[1-9][0-9]{0,17})?", re.ASCII)
log = structlog.get_logger(__name__)


def safe_next(text: str) -> str:
    """Return a page of ours to go to after signing in: nothing but a known one, else `/`."""
    return text if _NEXT.fullmatch(text) else "/"


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


def _form(request: web.Request, to: str, *, status: int = 200, **said: str | None) -> web.Response:
    values = {"name": "", "problem": None, "done": None, **said}
    return render(request, "login.html", status=status, next=safe_next(to), **values)


async def submit(request: web.Request) -> web.Response:
    """A right name and password open a new session; any session the browser had is closed."""
    site = site_of(request)
    form = await form_of(request)
    name, password, to = (form.get(key, "") for key in ("name", "password", "next"))
    name = name.strip()[: users.NAME_LENGTH]
    if not is_same_site(request.headers, site.settings.origin):
        return _form(request, to, name=name, problem=site.say("web.login.outside"), status=403)
    address = address_of(request)
    wait = await throttle.attempt(site.store, name, address, now=site.now())
    if wait is not None:
        problem = site.say("web.login.slow", wait=duration(site.say, wait))
        response = _form(request, to, name=name, problem=problem, status=429)
        response.headers["Retry-After"] = str(max(1, round(wait.total_seconds())))
        return response
    user = await site.store.read(lambda db: users.get(db, name))
    stored = user.password_hash if user and user.disabled_at is None else None
    is_right = await site.passwords.check(stored, password)  # for nobody too: the same time
    if user is None or not is_right:
        log.warning("login_failed", is_known=user is not None, address=address)
        return _form(request, to, name=name, problem=site.say("web.login.wrong"), status=401)
    if user.must_change and site.now() - user.password_at > ONE_TIME_FOR:
        log.warning("login_expired", address=address)
        return _form(request, to, name=name, problem=site.say("web.login.expired"), status=401)
    response = see(safe_next(to))
    await sessions.start(request, response, user, address=address)
    return response


async def leave(request: web.Request) -> web.Response:
    """The session is over, on the server too."""
    site, visitor, now = site_of(request), visitor_of(request), site_of(request).now()

    def close(db: Db) -> None:
        users.end_session(db, visitor.session)
        audit.add(db, at=now, actor=visitor.name, action="logout", target=visitor.name)

    await site.store.write(close)
    response = see("/login?over")
    sessions.forget(request, response)
    return response
