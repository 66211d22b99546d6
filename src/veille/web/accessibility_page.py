"""`/accessibility`: the declaration that French law asks for, as true as it is known to be."""

from __future__ import annotations

from aiohttp import web

from veille.web.site import render, site_of

LACKS = ("voices", "session", "undo", "quotes", "foreign", "fields")
HELPS = ("keyboard", "keys", "text", "colour", "motion", "news", "scripts", "login")
LOOKED = ("now", "incident", "queue", "mention", "search", "house", "people", "out")


async def page(request: web.Request) -> web.Response:
    """What conforms, what does not, how that is known, and who hears of it; for everybody."""
    site = site_of(request)
    return render(
        request,
        "accessibility.html",
        settings=site.settings.accessibility,
        lacks=LACKS,
        helps=HELPS,
        looked=LOOKED,
    )
