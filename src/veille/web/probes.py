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
    """200 when work may be sent, with what is degraded, else 503 with the reasons."""
    health = site_of(request).health
    reasons = await health.why_not_ready()
    if not reasons:
        degraded = await health.why_degraded()
        if degraded:  # work may be sent all the same: a proxy must not take the town offline
            return web.json_response({"status": "degraded", "reasons": list(degraded)})
        return web.json_response({"status": "ready"})
    return web.json_response({"status": "not ready", "reasons": list(reasons)}, status=503)
