"""The listening socket: what cannot even be parsed is answered like everything else."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from functools import partial

from aiohttp import web
from aiohttp.web_request import BaseRequest

from veille.domain.errors import ConfigError
from veille.web.security import harden
from veille.web.site import SITE

_SILENT = logging.getLogger("veille.http")
"""aiohttp logs what it cannot parse, with the client's bytes; pages log their own errors."""
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False
_SHUTDOWN_S = 5.0
_LINE = 2**16
"""Bytes of a request line that are read: what is over LONGEST_PATH is refused in words."""


class _Connection(web.RequestHandler):
    """One client's connection."""

    is_https = False

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return aiohttp's answer to what it could not read, without the bytes, hardened."""
        response = super().handle_error(request, status, exc, message)
        if isinstance(response, web.Response):
            response.text = "refused\n"
        harden(response.headers, is_https=self.is_https)
        return response


class _SecureConnection(_Connection):
    """One client's connection where a proxy adds TLS."""

    is_https = True


async def listen(site: web.Application, address: str, stack: AsyncExitStack) -> str:
    """Serve the site on `host:port` (port 0: a free one) and return the address it got."""
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=_SHUTDOWN_S, logger=_SILENT)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    kind = _SecureConnection if site[SITE].settings.is_https else _Connection
    if runner.server is None:
        raise ConfigError("web.listen: the server did not start")
    connection = partial(
        kind, runner.server, loop=loop, access_log=_SILENT, logger=_SILENT, max_line_size=_LINE
    )
    try:
        listener = await loop.create_server(connection, host.strip("[]"), int(port))
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"web.listen: {address} cannot be listened on ({error.__class__.__name__}: "
            f"{getattr(error, 'strerror', None) or error}): is another program there? "
            "write another port"
        ) from error
    stack.callback(listener.close)  # before the cleanup: nobody new, then the rest in peace
    bound = listener.sockets[0].getsockname()
    return f"http://{bound[0]}:{bound[1]}"
