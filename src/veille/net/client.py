"""The HTTP client of every collector and notifier: guarded addresses, bounded answers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from veille import __version__
from veille.domain.errors import ConfigError, SourceError
from veille.net.guard import (
    GuardedResolver,
    check_literal,
    check_url,
    redirect_refusal,
    same_host,
)

MAX_REDIRECTS = 3
DEFAULT_LIMIT_BYTES = 4 * 1024 * 1024
USER_AGENT = f"veille/{__version__}"
TRANSPORT_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)
"""What a request through `Client.session()` may raise besides ConfigError."""

_REDIRECTS = {301, 302, 303, 307, 308}
_PERMANENT = {301, 308}
# Anything else (Authorization, Cookie, X-Token…) may be a secret of the first origin.
_PORTABLE = {"accept", "accept-language", "user-agent", "if-none-match", "if-modified-since"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer. Header names are in lower case.

    `url` is where it came from; `moved_to` is where permanent redirects alone lead, if they do.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    moved_to: str | None = None


class Client:
    """An HTTP client for one source or receiver; `async with` opens and closes it.

    Hosts in `allow_hosts` may be reached by redirect or discovery and must be public; other private
    addresses need `allow_private`. No cookies, no proxy from the environment.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        allow_hosts: Sequence[str] = (),
        user_agent: str = USER_AGENT,
        time_limit: timedelta = timedelta(seconds=30),
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._allow_hosts = tuple(allow_hosts)
        self._listed = frozenset(map(same_host, allow_hosts))
        self._user_agent = user_agent
        self._time_limit = time_limit
        self._resolver = resolver
        self._pages: aiohttp.ClientSession | None = None
        self._shared: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            use_dns_cache=False,  # each connection is checked on the answer it uses
            resolver=GuardedResolver(
                allow_private=self._allow_private,
                allow_hosts=self._allow_hosts,
                inner=self._resolver,
            ),
        )
        self._pages = self._new_session(connector, self._check)
        self._shared = self._new_session(connector, self._check_and_stay)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        sessions, self._pages, self._shared = (self._shared, self._pages), None, None
        for session in sessions:
            if session is not None:
                await session.close()

    def session(self) -> aiohttp.ClientSession:
        """Return the guarded session, for libraries that take one; it follows no redirect."""
        if self._shared is None:
            raise RuntimeError("Client is not open: use it in `async with`")
        return self._shared

    def may_visit(self, url: str, *, start: str) -> bool:
        """Whether `url` is on the host of `start` or on one of `allow_hosts`."""
        try:
            host = check_url(url, allow_private=self._allow_private)
            return host == check_url(start, allow_private=True) or host in self._listed
        except ConfigError:
            return False

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
    ) -> Response:
        """Return the answer after at most 3 redirects, whatever its status.

        Raises SourceError: refused address or redirect (`may_retry` false), no answer within the
        time limit, or a body over `limit_bytes` once decompressed. Messages name the host only.
        """
        return await self._named(url, self._follow(url, dict(headers or {}), limit_bytes))

    async def post(
        self,
        url: str,
        *,
        form: Mapping[str, str],
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
    ) -> Response:
        """Return the answer to a form, whatever its status; no redirect is followed.

        Raises SourceError as `get` does.
        """
        return await self._named(url, self._send(url, form, limit_bytes))

    async def _send(self, url: str, form: Mapping[str, str], limit_bytes: int) -> Response:
        async with self.session().post(url, data=dict(form), allow_redirects=False) as answer:
            found = {name.lower(): value for name, value in answer.headers.items()}
            body = await _bounded(answer, limit_bytes)
            return Response(status=answer.status, headers=found, body=body, url=url)

    async def _named(self, url: str, asked: Coroutine[object, object, Response]) -> Response:
        """Return what was asked for within the time limit; errors name the host only."""
        name = host_of(url)
        try:
            async with asyncio.timeout(self._time_limit.total_seconds()):
                return await asked
        except ConfigError as error:
            raise SourceError(str(error), may_retry=False) from error
        except TimeoutError as error:
            limit_s = self._time_limit.total_seconds()
            raise SourceError(f"{name}: no complete answer within {limit_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # str(error) may hold the whole URL, and with it a secret.
            what = type(error).__name__
            raise SourceError(f"{name}: {what}: is it up, and the URL right?") from error

    async def _follow(self, start: str, headers: dict[str, str], limit_bytes: int) -> Response:
        host = check_url(start, allow_private=self._allow_private)
        url, moved_to, is_permanent = start, None, True
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._fetch(url, headers, limit_bytes)
            location = response.headers.get("location")
            if response.status not in _REDIRECTS or location is None:
                return Response(
                    status=response.status,
                    headers=response.headers,
                    body=response.body,
                    url=url,
                    moved_to=moved_to,
                )
            following = self._next(url, location, host)
            if URL(following).origin() != URL(url).origin():
                headers = {k: v for k, v in headers.items() if k.lower() in _PORTABLE}
            is_permanent = is_permanent and response.status in _PERMANENT
            moved_to = following if is_permanent else moved_to
            url = following
        raise SourceError(f"{host}: more than {MAX_REDIRECTS} redirects: give the final URL")

    def _next(self, url: str, location: str, start_host: str) -> str:
        following = str(URL(url).join(URL(location)))
        host = check_url(following, allow_private=self._allow_private)
        if host == start_host:
            return following
        if host not in self._listed:
            raise redirect_refusal(start_host, host)
        check_literal(host, allow_private=False)
        return following

    async def _fetch(self, url: str, headers: Mapping[str, str], limit_bytes: int) -> Response:
        if self._pages is None:
            raise RuntimeError("Client is not open: use it in `async with`")
        async with self._pages.get(url, headers=headers, allow_redirects=False) as answer:
            found = {name.lower(): value for name, value in answer.headers.items()}
            is_redirect = answer.status in _REDIRECTS and "location" in found
            body = b"" if is_redirect else await _bounded(answer, limit_bytes)
            return Response(status=answer.status, headers=found, body=body, url=url)

    def _new_session(
        self, connector: aiohttp.BaseConnector, check: aiohttp.ClientMiddlewareType
    ) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            connector_owner=check == self._check,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._user_agent},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            trust_env=False,
            middlewares=(check,),
        )

    async def _check(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        # aiohttp never asks the resolver about an address written as such.
        host = check_url(str(request.url), allow_private=self._allow_private)
        if host in self._listed:
            check_literal(host, allow_private=False)
        return await handler(request)

    async def _check_and_stay(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        answer = await self._check(request, handler)
        if answer.status in _REDIRECTS:
            answer.close()
            host = request.url.host
            raise ConfigError(f"{host}: answers with a redirect, not followed: give the final URL")
        return answer


async def _bounded(answer: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_chunked(65_536):
        size += len(part)
        if size > limit_bytes:
            answer.close()
            what = f"{answer.url.host}: answer over {limit_bytes} bytes"
            raise SourceError(f"{what}: raise limit_bytes if it is meant")
        parts.append(part)
    return b"".join(parts)


def host_of(url: str) -> str:
    """Return the host of a URL as messages may name it: never its path, query or password."""
    try:
        return URL(url).raw_host or "this URL"
    except ValueError:
        return "this URL"
