"""`Idempotency-Key`: a request that is sent again is answered again, and done once."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
from aiohttp import web

from veille.domain.errors import ConfigError, InputError
from veille.privacy import seal
from veille.store import requests
from veille.store.alongside import noting
from veille.web.api.problems import Kind, Refused
from veille.web.site import Site, site_of, visitor_of

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
LONGEST = 255
_KEY = re.compile(rf"[\x21-\x7e]{{1,{LONGEST}}}")
_KEPT = ("Location", "ETag", "Link")
RUNNING = web.AppKey("running", dict[str, str])
"""The hashes of the requests with a key that are under way, by key."""


class _Said(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: str


def check(request: web.Request) -> None:
    """The request's key, if it has one, can be one; Refused otherwise."""
    if not _KEY.fullmatch(request.headers.get(HEADER, "-")):
        raise Refused(Kind.INVALID, fields={f"/header/{HEADER}": "key"})


async def once(
    request: web.Request, raw: bytes, run: Callable[[], Awaitable[web.Response]]
) -> web.Response:
    """Return what `run` answers, or what it answered to this key of this user within 24 hours.

    The key is committed with what the request writes, the sealed answer after it: whatever line a
    stop comes at, a request is never done twice, and one that wrote nothing may be sent again.
    Where the answer was lost, that is said. Refused for another request of the key.
    """
    written = request.headers.get(HEADER)
    if written is None:
        return await run()
    key, hashed, running = _key(request, written), _hash(request, raw), request.app[RUNNING]
    if key in running:
        kind = Kind.RUNNING if running[key] == hashed else Kind.REUSED
        raise Refused(kind, retry_after_s=1 if kind is Kind.RUNNING else None)
    running[key] = hashed  # before the look: a first request may end during it
    try:
        return await _first(site_of(request), key, hashed, run)
    finally:
        del running[key]


async def _first(
    site: Site, key: str, hashed: str, run: Callable[[], Awaitable[web.Response]]
) -> web.Response:
    now = site.now()
    kept = await site.store.read(partial(requests.kept, key=key, now=now))
    if kept is not None:
        return _again(site, key, hashed, kept)
    note = partial(requests.note, key=key, hash=hashed, now=now)
    try:
        with noting(note):
            response = await run()
    except (Refused, web.HTTPException):  # nothing was done, though a try may have been counted
        await site.store.write(partial(requests.forget, key=key))
        raise
    # of any other failure it is not known how far it came: what was written keeps its key
    await site.store.write(partial(note, answer=_sealed(site, key, response)))
    return response


def _again(site: Site, key: str, hashed: str, kept: requests.Kept) -> web.Response:
    if kept.hash != hashed:
        raise Refused(Kind.REUSED)
    if kept.answer is None:
        raise Refused(Kind.UNCERTAIN)
    try:
        opened = seal.unseal(kept.answer, _sealing(site), key)
    except (ConfigError, InputError) as error:  # privacy.key is another since
        raise Refused(Kind.UNCERTAIN) from error
    said = msgspec.json.decode(opened, type=_Said)
    return web.Response(
        status=said.status,
        body=said.body.encode() or None,
        headers={**said.headers, REPLAYED: "true"},
        content_type="application/json" if said.body else None,
    )


def _sealed(site: Site, key: str, response: web.Response) -> bytes:
    headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
    body = response.body if isinstance(response.body, bytes) else b""
    said = msgspec.json.encode(_Said(response.status, headers, body.decode())).decode()
    return seal.seal(said, _sealing(site), os.urandom(seal.NONCE_BYTES), key)


def _sealing(site: Site) -> bytes:
    return seal.answer_key(site.secret)


def _key(request: web.Request, written: str) -> str:
    said = f"{visitor_of(request).name}\x00{written}"
    return hashlib.sha256(said.encode()).hexdigest()


def _hash(request: web.Request, raw: bytes) -> str:
    parts = (request.method, request.path_qs, request.headers.get("If-Match", ""))
    said = "\x00".join(parts).encode("utf-8", "surrogatepass") + b"\x00" + raw
    return hashlib.sha256(said).hexdigest()
