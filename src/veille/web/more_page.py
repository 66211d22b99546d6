"""`/more` and `/help/keys`: the rest of the menu, the look of pages, and what keys do."""

from __future__ import annotations

import re

from aiohttp import web

from veille.web import taste
from veille.web.site import form_of, render, see, site_of

KEYS: tuple[tuple[str, str], ...] = (
    ("j", "next"), ("k", "previous"), ("x", "select"), ("e", "take"), ("a", "assign"),
    ("n", "note"), ("s", "silence"), ("r", "resolve"), ("u", "undo"), ("o", "open"),
    ("f", "flag"), ("h", "syntax"), ("/", "search"), ("?", "help_key"),
)  # fmt: skip
"""What single keys do; `static/keys.js` finds the thing on the page by its `data-key`."""
_BACK = re.compile(r"/(?:[\w.~-][\w.~/-]*)?(?:\?[\w.~%&=+:*!'(),/-]{0,2000})?", re.ASCII)
"""An address of this site, with its search: never `//host`."""


async def page(request: web.Request) -> web.Response:
    """Every page, the theme, the keys, and the way out."""
    return render(request, "more.html")


async def keys(request: web.Request) -> web.Response:
    """What keys do, and whether they act."""
    return render(request, "keys.html", keys=KEYS)


async def prefer(request: web.Request) -> web.Response:
    """This browser has the theme or the keys that the form names; nothing else changes."""
    form = await form_of(request)
    back = form.get("back", "/more")
    response = see(back if _BACK.fullmatch(back) else "/more")
    if (theme := form.get("theme")) in taste.THEMES:
        _keep(request, response, taste.THEME, theme)
    if (acts := form.get("keys")) in {"on", "off"}:
        _keep(request, response, taste.KEYS, acts)
    return response


def _keep(request: web.Request, response: web.Response, name: str, value: str) -> None:
    is_https = site_of(request).settings.is_https
    response.set_cookie(
        name, value, path="/", max_age=taste.YEAR_S, secure=is_https, httponly=True, samesite="Lax"
    )
