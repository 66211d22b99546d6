"""Showing again who one is, before something that would outlive a stolen session."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from aiohttp import web

from veille.store import users
from veille.store.engine import Db
from veille.web import throttle
from veille.web.site import site_of, visitor_of

FRESH = timedelta(minutes=10)
"""How young the session must be of somebody who has no password here: judgement."""
NO_PASSWORD = ""
"""The hash of somebody whom only a provider lets in."""


async def doubt(request: web.Request, form: Mapping[str, str]) -> str | None:
    """Return why the form's `current` password is no proof: slow, wrong, stale; None if it is.

    Who has none here has a session opened by the provider within ten minutes (ASVS 5.0 7.5.1).
    """
    site, visitor = site_of(request), visitor_of(request)
    user = await site.store.read(lambda db: users.get(db, visitor.name))
    if user is not None and user.password_hash == NO_PASSWORD:
        is_person = bool(visitor.session)  # a token's age proves nothing of its holder
        age = site.now() - visitor.since if is_person and visitor.since else FRESH
        return None if age < FRESH else "stale"
    if await throttle.prove(site.store, visitor.name, now=site.now()):
        return "slow"
    stored = user.password_hash if user else None
    if not await site.passwords.check(stored, form.get("current", "")):
        return "wrong"
    now = site.now()

    def settle(db: Db) -> bool:
        throttle.proven(db, visitor.name)
        # an administrator may have ended the session while the password was checked
        return not visitor.session or users.session(db, visitor.session, now=now) is not None

    return None if await site.store.write(settle) else "stale"
