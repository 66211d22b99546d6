"""What a browser holds between two steps of a login: sealed, bound to it, for ten minutes."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from aiohttp import web

from veille.domain.errors import InputError
from veille.privacy import seal
from veille.web.site import site_of

LIFETIME = timedelta(minutes=10)
_LONGEST = 4096  # a cookie (RFC 6265, 6.1)


class _Held(msgspec.Struct, frozen=True):
    at: datetime
    fields: dict[str, str]


def hold(
    request: web.Request, response: web.StreamResponse, step: str, fields: Mapping[str, str]
) -> None:
    """The browser holds these fields for one step of a login, and cannot read or change them."""
    site = site_of(request)
    said = msgspec.json.encode(_Held(at=site.now(), fields=dict(fields))).decode()
    sealed = seal.seal(said, site.secret, secrets.token_bytes(seal.NONCE_BYTES), _purpose(step))
    _set(request, response, base64.urlsafe_b64encode(sealed).decode(), LIFETIME)


def held(request: web.Request, step: str) -> Mapping[str, str] | None:
    """Return the fields this browser holds for the step; None when none, altered or too old."""
    site = site_of(request)
    text = request.cookies.get(_name(request), "")
    if not text or len(text) > _LONGEST:
        return None
    try:
        sealed = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        found = msgspec.json.decode(seal.unseal(sealed, site.secret, _purpose(step)), type=_Held)
    except (InputError, ValueError, binascii.Error, msgspec.DecodeError):
        return None
    age = site.now() - found.at
    return found.fields if timedelta(0) <= age < LIFETIME else None


def release(request: web.Request, response: web.StreamResponse) -> None:
    """The browser holds nothing more."""
    _set(request, response, "", timedelta(0))


def _purpose(step: str) -> str:
    return f"step of a login: {step}"


def _name(request: web.Request) -> str:
    return f"{site_of(request).settings.cookie}-step"


def _set(
    request: web.Request, response: web.StreamResponse, value: str, lifetime: timedelta
) -> None:
    response.set_cookie(
        _name(request),
        value,
        path="/",
        max_age=int(lifetime.total_seconds()),
        secure=site_of(request).settings.is_https,
        httponly=True,
        samesite="Lax",  # sent along when an identity provider sends the browser back
    )
