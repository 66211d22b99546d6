"""`/metrics`: what a monitor reads. No personal data, hence no login; proxies do not forward it."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from veille.web.site import site_of


async def show(request: web.Request) -> web.Response:
    """The text format of Prometheus; 404 where `web.metrics` is false."""
    exposition = site_of(request).exposition
    if exposition is None:
        raise web.HTTPNotFound
    return web.Response(
        body=await exposition.render(), headers={"Content-Type": CONTENT_TYPE_LATEST}
    )
