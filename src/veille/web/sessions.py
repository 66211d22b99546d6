"""Sessions: kept on the server, named by a cookie, over after 30 min of nothing or 12 h."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from aiohttp import web

from veille.store import audit, users
from veille.store.engine import Db
from veille.store.users import Session, User
from veille.web.site import SITE, Visitor, site_of

IDLE = timedelta(minutes=30)  # ASVS 5.0 7.3.1
ABSOLUTE = timedelta(hours=12)  # ASVS 5.0 7.3.2
_TOUCH = timedelta(minutes=1)  # a write for each click would be waste
_MAX_TOKEN = 128


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def presented(request: web.Request) -> str | None:
    """Return the hash of the session token the browser sent, None when it sent none."""
    token = request.cookies.get(request.config_dict[SITE].settings.cookie)
    return _hash(token) if token and len(token) <= _MAX_TOKEN else None


async def visitor(request: web.Request) -> Visitor | None:
    """Return who asks, None without a live session.

    A HEAD does not count as activity: pages send it by themselves to look for news.
    """
    token_hash = presented(request)
    if token_hash is None:
        return None
    site = site_of(request)
    now = site.now()
    found = await site.store.read(lambda db: users.session(db, token_hash, now=now))
    if found is None:
        return None
    session, user = found
    if now - session.seen_at > IDLE:
        await site.store.write(lambda db: users.end_session(db, token_hash))
        return None
    if request.method != "HEAD" and now - session.seen_at > _TOUCH:
        await site.store.write(lambda db: users.touch(db, token_hash, now=now))
    return Visitor(
        name=user.name,
        role=user.role,
        session=token_hash,
        csrf=session.csrf,
        must_change=user.must_change,
    )


def open_session(db: Db, user: User, *, now: datetime, instead_of: str | None) -> str:
    """Return the token of a new session; the session it stands in for is closed."""
    token = secrets.token_urlsafe(32)
    if instead_of is not None:
        users.end_session(db, instead_of)
    users.drop_sessions(db, now=now)
    users.add_session(
        db,
        Session(
            token_hash=_hash(token),
            user=user.name,
            csrf=secrets.token_urlsafe(32),
            created_at=now,
            seen_at=now,
            expires_at=now + ABSOLUTE,
        ),
    )
    return token


async def start(
    request: web.Request, response: web.StreamResponse, user: User, *, address: str
) -> None:
    """The browser has a new session of this user, and no other; the login is in the audit log."""
    site = site_of(request)
    now, before = site.now(), presented(request)

    def begin(db: Db) -> str:
        users.clear_failures(db, name=user.name, address=address)
        audit.add(db, at=now, actor=user.name, action="login", target=user.name)
        return open_session(db, user, now=now, instead_of=before)

    give(request, response, await site.store.write(begin))


def give(request: web.Request, response: web.StreamResponse, token: str) -> None:
    """The response hands the browser its session."""
    settings = site_of(request).settings
    response.set_cookie(
        settings.cookie, token, path="/", secure=settings.is_https, httponly=True, samesite="Lax"
    )


def forget(request: web.Request, response: web.StreamResponse) -> None:
    """The browser drops its session cookie, and what it kept of our pages."""
    settings = site_of(request).settings
    response.set_cookie(
        settings.cookie,
        "",
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="Lax",
        max_age=0,
    )
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
