"""Showing again who one is, before something that would outlive a stolen session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from aiohttp import web

from veille.store import tokens as store_tokens
from veille.store import users
from veille.store.engine import Db
from veille.web import throttle, tokens
from veille.web.site import site_of, visitor_of

T = TypeVar("T")
FRESH = timedelta(minutes=10)
"""How young the session must be of somebody who has no password here: judgement."""
NO_PASSWORD = ""
"""The hash of somebody whom only a provider lets in."""


async def doubt(request: web.Request, form: Mapping[str, str]) -> str | None:
    """Return why the form's `current` password is no proof: slow, wrong, stale; None if it is.

    Who has none here has a session opened by the provider within ten minutes (ASVS 5.0 7.5.1).
    What was to be proved is then written by `write`.
    """
    site, visitor = site_of(request), visitor_of(request)
    user = await site.store.read(lambda db: users.get(db, visitor.name))
    if user is not None and user.password_hash == NO_PASSWORD:
        is_person = bool(visitor.session)  # a token's age proves nothing of its holder
        age = site.now() - visitor.since if is_person and visitor.since else FRESH
        return None if age < FRESH else "stale"
    if await throttle.prove(site.store, visitor.name, "password", now=site.now()):
        return "slow"
    stored = user.password_hash if user else None
    if not await site.passwords.check(stored, form.get("current", "")):
        return "wrong"
    await site.store.write(lambda db: throttle.proven(db, visitor.name, "password"))
    return None


async def write(request: web.Request, change: Callable[[Db], T]) -> T:
    """Return what `change` returned, if who asks still is who they were when the request came.

    One transaction: an administrator who ends the access is before it or after. 401 (aiohttp's)
    when session or token ended meanwhile, or the role is another.
    """
    site, now = site_of(request), site_of(request).now()

    def guarded(db: Db) -> T:
        if not _stands(db, request, now):
            raise web.HTTPUnauthorized
        return change(db)

    return await site.store.write(guarded)


def _stands(db: Db, request: web.Request, now: datetime) -> bool:
    visitor = visitor_of(request)
    if visitor.session:
        found = users.session(db, visitor.session, now=now)
        return found is not None and found[1].role is visitor.role
    mark = tokens.presented(request)
    known = None if mark is None else store_tokens.presented(db, mark, now=now)
    return known is not None and known[1].role is visitor.role
