"""Probes for systemd, a proxy or a monitor: does it live, may it be sent work."""

from __future__ import annotations

from aiohttp import web

from veille.web.site import site_of


async def live(request: web.Request) -> web.Response:
    """200 while the daemon's own check is good, else 503."""
    if site_of(request).health.is_live():
        return web.json_response({"status": "live"})
    return web.json_response({"status": "stuck"}, status=503)


async def ready(request: web.Request) -> web.Response:
    """200 when work may be sent, else 503 with the reasons."""
    reasons = await site_of(request).health.why_not_ready()
    if not reasons:
        return web.json_response({"status": "ready"})
    return web.json_response({"status": "not ready", "reasons": list(reasons)}, status=503)
