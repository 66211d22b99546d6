"""The inbound webhook: raw bytes to the intake, its answer to the sender."""

from __future__ import annotations

from aiohttp import web

from veille.domain.errors import IntakeRefused
from veille.web import body
from veille.web.security import problem
from veille.web.site import site_of

MAX_BODY = 4 * 1024 * 1024
_READ_S = 30.0


async def receive(request: web.Request) -> web.Response:
    """The body's mentions are committed and 202 says how many; else a problem says why not."""
    try:
        sent = await _body(request)
        answer = await site_of(request).intake.accept(
            request.match_info["source"], request.headers, sent
        )
    except IntakeRefused as refused:
        return problem(refused.status, str(refused), retry_after_s=refused.retry_after_s)
    return web.Response(body=answer, content_type="application/json", status=202)


async def _body(request: web.Request) -> bytes:
    if request.headers.get("Content-Encoding", "identity") != "identity":
        # The signature is over the bytes as sent; aiohttp would hand over the unpacked ones.
        raise IntakeRefused("send the body without Content-Encoding", status=415)
    return await body.raw(request, most=MAX_BODY, within_s=_READ_S, remedy=": send smaller batches")
