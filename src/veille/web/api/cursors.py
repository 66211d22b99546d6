"""Where a page ends, as an opaque and signed text: of one list, asked in one way."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from veille.web.api.problems import Kind, Refused

NAME = "after"
_MAC_BYTES = 16
_LONGEST = 1000
_LEFT_OUT = frozenset({NAME, "limit"})


def address(request: web.Request, secret: bytes, place: list[str | int | None]) -> str:
    """Return the address of the page after `place`, with all else the request asked for."""
    body = msgspec.json.encode(place)
    cursor = base64.urlsafe_b64encode(_mac(request, secret, body) + body).rstrip(b"=").decode()
    kept = [(name, value) for name, value in request.query.items() if name != NAME]
    return f"{request.path}?{urlencode([*kept, (NAME, cursor)])}"


def opened(request: web.Request, secret: bytes) -> list[Any] | None:
    """Return the place that the request's cursor names, None without one."""
    text = request.query.get(NAME)
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if len(text) > _LONGEST or not hmac.compare_digest(mac, _mac(request, secret, body)):
        raise Refused(Kind.CURSOR, fields={f"/query/{NAME}": "cursor"})
    return msgspec.json.decode(body, type=list[Any])  # ours: the signature holds


def _mac(request: web.Request, secret: bytes, body: bytes) -> bytes:
    asked = sorted((n, v) for n, v in request.query.items() if n not in _LEFT_OUT)
    said = msgspec.json.encode(["veille cursor v1", request.path, asked]) + b"\n" + body
    return hmac.digest(secret, said, "sha256")[:_MAC_BYTES]
