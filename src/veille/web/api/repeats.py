"""`Idempotency-Key`: a request that is sent again is answered again, and done once."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
from aiohttp import web

from veille.privacy import seal
from veille.store import requests
from veille.web.api.problems import Kind, Refused
from veille.web.site import Site, site_of, visitor_of

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
LONGEST = 255
_KEY = re.compile(rf"[\x21-\x7e]{{1,{LONGEST}}}")
_KEPT = ("Location", "ETag", "Link")
_PROCESS = secrets.token_hex(8)
"""Which run of the program this is: what another one left half done is not known."""


class _Said(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: str


async def once(
    request: web.Request, raw: bytes, run: Callable[[], Awaitable[web.Response]]
) -> web.Response:
    """Return what `run` answers, or what it answered to this key of this user within 24 hours.

    The key is noted before the work, the answer after it: a request is never done twice. Where the
    program stopped between, its outcome is not known, and that is said. Answers are sealed, and
    only those of requests that did something are kept. Refused for another request of the key.
    """
    written = request.headers.get(HEADER)
    if written is None:
        return await run()
    if not _KEY.fullmatch(written):
        raise Refused(Kind.INVALID, fields={f"/header/{HEADER}": "key"})
    site, key, hashed = site_of(request), _key(request, written), _hash(request, raw)
    begin = partial(requests.begin, key=key, hash=hashed, process=_PROCESS, now=site.now())
    kept = await site.store.write(begin)
    if kept is not None:
        return _again(site, key, hashed, kept)
    try:
        response = await run()
    except BaseException:
        await site.store.write(partial(requests.forget, key=key))
        raise
    if response.status < 300:  # noqa: PLR2004 what was refused did nothing
        await site.store.write(partial(requests.done, key=key, answer=_sealed(site, key, response)))
    else:
        await site.store.write(partial(requests.forget, key=key))
    return response


def _again(site: Site, key: str, hashed: str, kept: requests.Kept) -> web.Response:
    if kept.hash != hashed:
        raise Refused(Kind.REUSED)
    if kept.answer is None:
        is_running = kept.process == _PROCESS
        raise Refused(
            Kind.RUNNING if is_running else Kind.UNCERTAIN,
            retry_after_s=1 if is_running else None,
        )
    said = msgspec.json.decode(seal.unseal(kept.answer, _sealing(site), key), type=_Said)
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
