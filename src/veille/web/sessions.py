"""Sessions: kept on the server, named by a cookie, over after 30 min of nothing or 12 h."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from veille.store import audit, logins, users
from veille.store.engine import Db
from veille.store.users import Proof, Session, User
from veille.web.devices import device
from veille.web.site import SITE, Visitor, site_of

IDLE = timedelta(minutes=30)  # ASVS 5.0 7.3.1
ABSOLUTE = timedelta(hours=12)  # ASVS 5.0 7.3.2
_TOUCH = timedelta(minutes=1)  # a write for each click would be waste
_MAX_TOKEN = 128


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def presented(request: web.Request) -> str | None:
    """Return the hash of the session token the browser sent, None when it sent none."""
    return _presented(request, request.config_dict[SITE].settings.cookie)


def known_device(request: web.Request) -> str | None:
    """Return the hash of what this browser got when somebody last logged in with it."""
    return _presented(request, _device_cookie(request))


def _presented(request: web.Request, name: str) -> str | None:
    token = request.cookies.get(name)
    return _hash(token) if token and len(token) <= _MAX_TOKEN else None


def _device_cookie(request: web.Request) -> str:
    return f"{request.config_dict[SITE].settings.cookie}-device"


async def visitor(request: web.Request) -> Visitor | None:
    """Return who asks, None without a live session.

    What pages ask by themselves, to look for news, does not count as activity.
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
    if not _is_by_itself(request) and now - session.seen_at > _TOUCH:
        await site.store.write(lambda db: users.touch(db, token_hash, now=now))
    return Visitor(
        name=user.name,
        role=user.role,
        session=token_hash,
        csrf=session.csrf,
        must_change=user.must_change,
        must_enroll=session.proof is Proof.PASSWORD and user.role in site.settings.second_factor,
        language=user.language,
        since=session.created_at,
        ends_at=session.expires_at,
    )


def _is_by_itself(request: web.Request) -> bool:
    return request.method == "HEAD" or request.path == "/live" or "Veille-Live" in request.headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """By what a session is opened, and where."""

    proof: Proof
    device: str
    id_token: str | None = None


def opening(request: web.Request, proof: Proof, *, id_token: str | None = None) -> Opening:
    """Return how this browser opens a session."""
    named = device(request.headers.get("User-Agent", ""))
    return Opening(proof=proof, device=named, id_token=id_token)


def open_session(
    db: Db, user: User, *, now: datetime, instead_of: str | None, opened: Opening
) -> str:
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
            device=opened.device,
            proof=opened.proof,
            id_token=opened.id_token,
        ),
    )
    return token


async def start(
    request: web.Request,
    response: web.StreamResponse,
    opened: Opening,
    *,
    check: Callable[[Db], User | None],
) -> bool:
    """Whether `check`, in the same transaction, still says whose session it is.

    Then the browser has a new session of this user, and no other; it is known from now on, and the
    login is in the audit log.
    """
    site = site_of(request)
    now, before = site.now(), presented(request)
    known, fresh = known_device(request), secrets.token_urlsafe(32)

    def begin(db: Db) -> tuple[str, bool] | None:
        user = check(db)
        if user is None or user.disabled_at is not None:
            return None
        said = {"proof": opened.proof.value, "device": opened.device}
        audit.add(db, at=now, actor=user.name, action="login", target=user.name, after=said)
        is_known = bool(known and logins.knows_device(db, user.name, token_hash=known, now=now))
        mark = known if is_known and known else _hash(fresh)
        logins.remember_device(db, user.name, token_hash=mark, now=now)
        return open_session(db, user, now=now, instead_of=before, opened=opened), is_known

    done = await site.store.write(begin)
    if done is None:
        return False
    token, is_known = done
    give(request, response, token)
    if not is_known:
        _mark(request, response, fresh)
    return True


def give(request: web.Request, response: web.StreamResponse, token: str) -> None:
    """The response hands the browser its session."""
    settings = site_of(request).settings
    response.set_cookie(
        settings.cookie, token, path="/", secure=settings.is_https, httponly=True, samesite="Lax"
    )


def _mark(request: web.Request, response: web.StreamResponse, token: str) -> None:
    """The browser is known from now on: it opens nothing, but strangers do not slow it."""
    response.set_cookie(
        _device_cookie(request),
        token,
        path="/",
        max_age=int(logins.KNOWN_FOR.total_seconds()),
        secure=site_of(request).settings.is_https,
        httponly=True,
        samesite="Lax",
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
