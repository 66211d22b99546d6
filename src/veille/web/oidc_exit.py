"""The way out of a session that an identity provider opened: it is asked to end its own."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import structlog
from aiohttp import web

from veille.domain.errors import LoginRefused
from veille.web import presession
from veille.web.site import VISITOR, Site, render, see, site_of

STEP = "exit"
RETURN = "/login/provider/out"
log = structlog.get_logger(__name__)


def address(site: Site, path: str) -> str:
    """Return a path of ours as the provider has it registered: to the letter."""
    return site.settings.public_url.rstrip("/") + path


async def page(request: web.Request, id_token: str) -> web.Response:
    """The page that goes on to the provider at once, with a link for browsers that do not.

    A page and no redirect: browsers hold each hop after a form to `form-action 'self'`, and the
    provider sends on to hosts nobody here can name.
    """
    site = site_of(request)
    if site.provider is None:
        return see("/login?over")
    state, back = secrets.token_urlsafe(32), address(site, RETURN)
    try:
        target = await site.provider.exit(id_token, state=state, back=back)
    except LoginRefused:
        log.warning("provider_exit_failed")
        target = None
    if target is None:
        return see("/login?over")
    del request[VISITOR]
    response = render(request, "exit.html", target=target, provider=site.provider.name)
    response.headers["Refresh"] = f"0; url={target}"
    presession.hold(request, response, STEP, {"state": state})
    return response


async def out(request: web.Request) -> web.Response:
    """The login page: over, if it is this browser that left."""
    said: Mapping[str, str] = presession.held(request, STEP) or {}
    state = request.query.get("state", "").encode("utf-8", "surrogatepass")
    is_ours = secrets.compare_digest(said.get("state", "").encode(), state) and bool(state)
    response = see("/login?over" if is_ours else "/login")
    presession.release(request, response)
    return response
