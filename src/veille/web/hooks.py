"""The inbound webhook: raw bytes to the intake, its answer to the sender."""

from __future__ import annotations

import asyncio

from aiohttp import web

from veille.domain.errors import IntakeRefused
from veille.web.security import problem
from veille.web.site import site_of

MAX_BODY = 4 * 1024 * 1024
_READ_S = 30.0


async def receive(request: web.Request) -> web.Response:
    """The body's mentions are committed and 202 says how many; else a problem says why not."""
    try:
        body = await _body(request)
        answer = await site_of(request).intake.accept(
            request.match_info["source"], request.headers, body
        )
    except IntakeRefused as refused:
        return problem(refused.status, str(refused), retry_after_s=refused.retry_after_s)
    return web.Response(body=answer, content_type="application/json", status=202)


async def _body(request: web.Request) -> bytes:
    if request.headers.get("Content-Encoding", "identity") != "identity":
        # The signature is over the bytes as sent; aiohttp would hand over the unpacked ones.
        raise IntakeRefused("send the body without Content-Encoding", status=415)
    too_large = IntakeRefused("the body is over 4 MiB: send smaller batches", status=413)
    if (request.content_length or 0) > MAX_BODY:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(_READ_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY:
                    raise too_large
    except TimeoutError as error:
        raise IntakeRefused("the body took over 30 s to arrive", status=408) from error
    return bytes(body)
