"""The wall in front of every route: headers, errors without traces, sessions, roles, CSRF."""

from __future__ import annotations

import hmac
import secrets
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from urllib.parse import quote

import structlog
from aiohttp import web

from veille.domain.access import Access, Role, may
from veille.domain.errors import AnalystLostError, StoreError
from veille.web import sessions, tokens
from veille.web.api import pace, problems
from veille.web.api.problems import Kind, Refused
from veille.web.menu import counts
from veille.web.network import is_same_site
from veille.web.site import COUNTS, SITE, VISITOR, Visitor, form_of, render, see, site_of

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ACCESS = web.AppKey("access", dict[tuple[str, str], Access])

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; connect-src 'self'; "
        "manifest-src 'self'; worker-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "veille",
}
_HSTS = "max-age=31536000"
_MACHINE_PATHS = ("/hooks/", "/slack/", "/livez", "/readyz", "/metrics", "/api/")
_FREE_WHILE_CHANGING = {"/account", "/account/password", "/logout"}
_FREE_WHILE_ENROLLING = _FREE_WHILE_CHANGING | {
    "/account/factor",
    "/account/factor/propose",
    "/account/factor/confirm",
}
_API = "/api/"
LONGEST_PATH = 8190
"""Bytes of an address with its query: what servers usually take, as aiohttp by itself."""
_WITHOUT_MENU = (_API, "/live", "/presence/")
_SAFE = {"GET", "HEAD"}
_FOR_ALL = {"/accessibility"}


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Security headers stand on the response, whatever made it; pages are stored nowhere."""
    harden(response.headers, is_https=request.app[SITE].settings.is_https)


def harden(headers: MutableMapping[str, str], *, is_https: bool) -> None:
    """The security headers are among these; a `Cache-Control` there already stays."""
    headers.update(HEADERS)
    headers.setdefault("Cache-Control", "no-store")
    if is_https:
        headers["Strict-Transport-Security"] = _HSTS


def problem(status: int, detail: str, *, retry_after_s: float | None = None) -> web.Response:
    """Return an RFC 9457 answer for machines."""
    response = web.json_response(
        {"type": "about:blank", "status": status, "detail": detail},
        status=status,
        content_type="application/problem+json",
    )
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, round(retry_after_s)))
    return response


def error_page(request: web.Request, status: int, *, error_id: str | None = None) -> web.Response:
    """Return the answer for an error: a sentence, and an id when the log holds more."""
    if request.path.startswith(_API):
        return problems.of_status(request, status, error_id=error_id)
    if request.path.startswith(_MACHINE_PATHS):
        return problem(status, f"error {error_id}" if error_id else "refused")
    known = {400, 401, 403, 404, 405, 409, 413, 429, 503}
    key = str(status) if status in known else ("500" if status >= 500 else "400")  # noqa: PLR2004
    return render(request, "error.html", status=status, key=key, error_id=error_id)


def _lacking(request: web.Request, visitor: Visitor, access: Access) -> web.Response:
    """Return the page that says which roles may, and which one this is."""
    say = site_of(request).say
    roles = [say(f"web.role.{role}") for role in Role if may(role, access)]
    role = say(f"web.role.{visitor.role}")
    text = say.count("web.error.role.text", len(roles), roles=", ".join(roles), role=role)
    return render(request, "error.html", status=403, key="role", text=text, error_id=None)


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure is a page with a sentence; only the log knows where it came from."""
    if len(request.raw_path) > LONGEST_PATH:
        return error_page(request, 414)
    try:
        return await handler(request)
    except web.HTTPException as answer:
        if answer.status < 400:  # noqa: PLR2004 a redirect
            raise
        response = error_page(request, answer.status)
        if request.method == "OPTIONS" and request.path.startswith(_API) and answer.status == 405:  # noqa: PLR2004
            response = web.Response(status=204)
        if "Allow" in answer.headers:
            response.headers["Allow"] = answer.headers["Allow"]
        return response
    except (AnalystLostError, StoreError, TimeoutError) as error:
        response = _failed(request, error, 503)
        response.headers["Retry-After"] = "5"
        return response
    except ConnectionResetError as error:
        if request.transport is None:  # who asked has left: nothing is wrong here
            return web.Response(status=400)
        return _failed(request, error, 500)
    except Exception as error:  # noqa: BLE001 the edge: one request fails, the daemon goes on
        return _failed(request, error, 500)


def _failed(request: web.Request, failure: Exception, status: int) -> web.Response:
    error_id = secrets.token_hex(4)
    _report(request, failure, error_id)
    return error_page(request, status, error_id=error_id)


def _report(request: web.Request, failure: Exception, error_id: str) -> None:
    # Not the message: it may quote a form or a mention. Type and place find the line all the same.
    frames = traceback.extract_tb(failure.__traceback__)[-3:]
    resource = request.match_info.route.resource
    log.error(
        "request_failed",
        error_id=error_id,
        route=resource.canonical if resource else None,
        method=request.method,
        error=type(failure).__name__,
        at=[f"{frame.name}:{frame.lineno}" for frame in frames],
    )


@web.middleware
async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Only who may gets through: by session or token, role, and for a form its own token."""
    access = _access(request)
    if access is Access.PUBLIC:
        await _greet(request)
        return await handler(request)
    is_api = request.path.startswith(_API)
    # a token opens the API only; whoever sends one is not let in by a cookie beside it
    by_token = is_api and "Authorization" in request.headers
    visitor = await (tokens.bearer(request) if by_token else sessions.visitor(request))
    if visitor is None:
        return problems.answer(request, Refused(Kind.UNKNOWN)) if is_api else _to_login(request)
    request[VISITOR] = visitor
    if is_api:
        return await _api(request, handler, visitor, access, by_token=by_token)
    if visitor.must_change and request.path not in _FREE_WHILE_CHANGING:
        return see("/account")
    if visitor.must_enroll and request.path not in _FREE_WHILE_ENROLLING:
        return see("/account/factor")
    if not visitor.may(access):
        return _lacking(request, visitor, access)
    if request.method not in _SAFE and not await _is_ours(request, visitor):
        return error_page(request, 403)
    await _count(request, visitor)
    return await handler(request)


async def _greet(request: web.Request) -> None:
    """A page for all, and an address that leads nowhere, have the menu for who has a session."""
    is_lost = request.match_info.route.resource is None
    if (is_lost and not request.path.startswith(_MACHINE_PATHS)) or request.path in _FOR_ALL:
        visitor = await sessions.visitor(request)
        if visitor is not None:
            request[VISITOR] = visitor
            await _count(request, visitor)


async def _count(request: web.Request, visitor: Visitor) -> None:
    """What waits is counted for the menu of the page, where there will be one."""
    if visitor.is_held or request.path.startswith(_WITHOUT_MENU):
        return
    site = site_of(request)
    now, name = site.shown_now(), visitor.name
    request[COUNTS] = await site.store.read(lambda db: counts(db, name, now=now))


async def _api(
    request: web.Request, handler: Handler, visitor: Visitor, access: Access, *, by_token: bool
) -> web.StreamResponse:
    """The same wall for programs: by scope and role, at their pace; a cookie writes by header."""
    refused = pace.spent(request, visitor)
    if refused is None and visitor.is_held:
        refused = Refused(Kind.HELD)
    if refused is None and not visitor.may(access):
        refused = problems.lacking(visitor, access)
    is_forgeable = request.method not in _SAFE and not by_token
    if refused is None and is_forgeable:
        is_ours = "X-CSRF-Token" in request.headers and await _is_ours(request, visitor)
        refused = None if is_ours else Refused(Kind.FORGED)
        if is_ours and access is Access.ADMIN:  # a session may be stolen: again.py
            refused = Refused(Kind.TOKEN_ONLY)
    return await handler(request) if refused is None else problems.answer(request, refused)


def _access(request: web.Request) -> Access:
    resource = request.match_info.route.resource
    if resource is None:  # 404 and 405 say nothing a stranger may not hear
        return Access.PUBLIC
    method = "GET" if request.method == "HEAD" else request.method
    return request.app[ACCESS].get((method, resource.canonical), Access.ADMIN)


def _to_login(request: web.Request) -> web.Response:
    path = request.path if request.method in _SAFE else "/"
    return see("/login" if path == "/" else f"/login?next={quote(path, safe='')}")


async def _is_ours(request: web.Request, visitor: Visitor) -> bool:
    if not is_same_site(request.headers, site_of(request).settings.origin):
        return False
    token = request.headers.get("X-CSRF-Token") or (await form_of(request)).get("csrf", "")
    return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), visitor.csrf.encode())
