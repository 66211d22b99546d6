"""Who opens a page is there for the others to see, and is not called to it by a note any more."""

from __future__ import annotations

from aiohttp import web

from veille.store import calls
from veille.web import presence
from veille.web.site import site_of, visitor_of


def is_person(request: web.Request) -> bool:
    """Whether somebody opens the page: not a look for news, nor a page that reads itself again."""
    return request.method == "GET" and "Veille-Live" not in request.headers


async def arrived(request: web.Request, target: str) -> None:
    """The visitor looks at `target`, unless the page asked by itself."""
    if not is_person(request):
        return
    presence.note(request, target)
    site, name = site_of(request), visitor_of(request).name
    if await site.store.read(lambda db: calls.has_open(db, name, target)):
        await site.store.write(lambda db: calls.seen(db, name, target, now=site.shown_now()))
