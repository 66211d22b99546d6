"""A signed request's body: the bytes as sent, up to a size and within a time."""

from __future__ import annotations

import asyncio

from aiohttp import web

from veille.domain.errors import IntakeRefused


async def raw(request: web.Request, *, most: int, within_s: float, remedy: str = "") -> bytes:
    """Return the body of at most `most` bytes that arrives within `within_s` seconds.

    IntakeRefused: 413 with the remedy for a larger one, 408 for one that comes too slowly, 400 for
    one that does not unpack as its headers say.
    """
    limit = f"{most // 2**20} MiB" if most >= 2**20 else f"{most // 2**10} KiB"
    too_large = IntakeRefused(f"the body is over {limit}{remedy}", status=413)
    if (request.content_length or 0) > most:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(within_s):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > most:
                    raise too_large
    except TimeoutError as error:
        raise IntakeRefused(f"the body took over {within_s:g} s to arrive", status=408) from error
    except web.RequestPayloadError as error:
        raise IntakeRefused("the body is not packed as its headers say", status=400) from error
    return bytes(body)
