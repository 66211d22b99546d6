"""What makes the pages an app on a phone: manifest, service worker, icons, the page without net."""

from __future__ import annotations

import hashlib
import json

from aiohttp import web

from veille.web import sessions
from veille.web.icons import SIZES
from veille.web.menu import MENU
from veille.web.site import render, site_of, visitor_of
from veille.web.static_files import FILES
from veille.web.taste import BARS, keeps_last

NAME_MAX = 45  # W3C manifest: launchers cut; iOS and Android show about twelve of `short_name`
KEEP_UNTIL = "Veille-Keep"
"""The header by which a page may be kept by the browser: until when, in milliseconds of 1970."""


async def manifest(request: web.Request) -> web.Response:
    """The web app manifest (W3C): name, icons, colours, and the pages of the thumb as shortcuts."""
    site, paths = site_of(request), request.app[FILES].paths
    icons = [
        {"src": paths[f"icon-{size}.png"], "sizes": f"{size}x{size}", "type": "image/png",
         "purpose": purpose}
        for size in SIZES
        for purpose in ("any", "maskable")
    ]  # fmt: skip
    said = {
        "id": "/",
        "name": f"{site.say('web.product')} · {site.institution}"[:NAME_MAX],
        "short_name": site.say("web.product"),
        "description": site.say("push.app.description"),
        "lang": site.say.language,
        "dir": "ltr",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "theme_color": BARS["light"],
        "background_color": BARS["light"],
        "icons": [
            {"src": paths["veille.svg"], "sizes": "any", "type": "image/svg+xml"},
            *icons,
        ],
        "shortcuts": [
            {"name": site.say(entry.name), "url": entry.path} for entry in MENU if entry.is_main
        ],
    }
    return web.json_response(
        said, content_type="application/manifest+json", headers={"Cache-Control": "no-cache"}
    )


async def worker(request: web.Request) -> web.Response:
    """The service worker, with what it keeps: another one when any of it changes."""
    files = request.app[FILES]
    kept = [path for name, path in files.paths.items() if not name.endswith(".png")]
    kept += [files.paths["icon-192.png"], "/offline"]
    changed = site_of(request).say("push.changed.title"), site_of(request).say("push.changed.body")
    page = str(render(request, "offline.html").text)
    version = hashlib.sha256("\n".join([*kept, page]).encode()).hexdigest()[:12]
    said = {"version": version, "files": kept, "icon": files.paths["icon-192.png"],
            "changed": changed}  # fmt: skip
    source = f"const VEILLE = {json.dumps(said)};\n{files.worker}"
    return web.Response(
        text=source, content_type="text/javascript", headers={"Cache-Control": "no-cache"}
    )


async def offline(request: web.Request) -> web.Response:
    """What is shown without a connection: a sentence, and nothing of anybody."""
    return render(request, "offline.html")


def may_keep(request: web.Request, page: web.Response) -> None:
    """The browser keeps the page for when it is offline, if its person said so, for one session.

    Until when: half an hour after now, or the end of the session if that is earlier.
    """
    visitor, now = visitor_of(request), site_of(request).now()
    if keeps_last(request):
        ends = min(now + sessions.IDLE, visitor.ends_at or now)
        page.headers[KEEP_UNTIL] = str(int(ends.timestamp() * 1000))
