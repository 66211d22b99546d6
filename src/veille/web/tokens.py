"""Tokens of the API: what they look like, who holds one, what it may."""

from __future__ import annotations

import hashlib
import secrets
import zlib
from collections.abc import Collection
from datetime import datetime, timedelta

from aiohttp import web

from veille.domain.access import Access, Role, may
from veille.domain.errors import InputError
from veille.store import audit, tokens
from veille.store.audit import Snapshot
from veille.store.engine import Db
from veille.web.site import Visitor, site_of

PREFIX = "veille_"
DEFAULT, LONGEST = timedelta(days=90), timedelta(days=365)
NAME_LENGTH = 60
MOST = 20
"""Good tokens a user has at most: whoever needs more has forgotten some."""
SCOPES = tuple(access for access in Access if access is not Access.PUBLIC)
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET, _CHECK = 32, 6  # 190 bits; 62**6 is over 2**32
_LENGTH = len(PREFIX) + _SECRET + _CHECK


def new_token() -> str:
    """Return a random token: prefix and checksum let a scanner tell a leaked one from noise."""
    body = PREFIX + "".join(secrets.choice(_DIGITS) for _ in range(_SECRET))
    return body + _check(body)


def is_token(text: str) -> bool:
    """Whether this has the form of a token of ours, to the checksum; nobody is asked."""
    return (
        len(text) == _LENGTH
        and text.isascii()
        and text.startswith(PREFIX)
        and _check(text[:-_CHECK]) == text[-_CHECK:]
    )


def token_hash(token: str) -> str:
    """Return what is stored of a token: 190 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def scopes_of(names: Collection[str], *, role: Role) -> frozenset[Access]:
    """Return the scopes of these names; InputError for none, or more than the role may."""
    try:
        wanted = frozenset(Access(name) for name in names)
    except ValueError as error:
        raise InputError("choose among the scopes shown") from error
    if not wanted or Access.PUBLIC in wanted or not all(may(role, scope) for scope in wanted):
        raise InputError(f"a {role} gives a token one or more of what they may do themselves")
    return wanted


def issue(
    db: Db, *, user: str, name: str, scopes: frozenset[Access], days: int, token: str,
    now: datetime,
) -> int | None:  # fmt: skip
    """Return the number of the user's new token, in the audit trail; None: they have MOST."""
    if len(tokens.of(db, user, now=now)) >= MOST:
        return None
    number = tokens.add(
        db,
        user=user,
        name=name,
        token_hash=token_hash(token),
        scopes=scopes,
        now=now,
        expires_at=now + timedelta(days=days),
    )
    said: Snapshot = {"token": number, "scopes": " ".join(sorted(scopes)), "days": days}
    audit.add(db, at=now, actor=user, action="token.add", target=user, after=said)
    return number


def withdraw(db: Db, number: int, *, user: str, now: datetime) -> bool:
    """Whether the user had this good token; it is worth nothing, and that is in the audit trail."""
    found = tokens.revoke(db, number, user=user, now=now) is not None
    if found:
        said: Snapshot = {"token": number}
        audit.add(db, at=now, actor=user, action="token.revoke", target=user, before=said)
    return found


def presented(request: web.Request) -> str | None:
    """Return the hash of the token that the request brings; None unless it has the form of one."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    token = text.strip()
    return token_hash(token) if scheme.lower() == "bearer" and is_token(token) else None


async def bearer(request: web.Request) -> Visitor | None:
    """Return who the request's token stands for; None unless it is good and its owner active.

    What it may is what its scopes say and the owner's role still grants, at each request.
    """
    mark = presented(request)
    if mark is None:
        return None
    site = site_of(request)
    now = site.now()
    found = await site.store.read(lambda db: tokens.presented(db, mark, now=now))
    if found is None:
        return None
    known, owner = found
    if owner.must_change:
        return None
    if tokens.is_stale(known, now=now):
        await site.store.write(lambda db: tokens.touch(db, known.id, now=now))
    return Visitor(
        name=owner.name,
        role=owner.role,
        session="",
        csrf="",
        must_change=False,
        scopes=known.scopes,
        language=owner.language,
        since=known.created_at,
        ends_at=known.expires_at,
        token=known.id,
    )


def _check(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
