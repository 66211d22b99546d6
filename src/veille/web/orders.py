"""What a form asks for: by whom, of what, and as of which version of its page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from veille.domain.deed import Done
from veille.web.site import Site, form_of, site_of, visitor_of

_VERSION_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a form asks for; `version` is of the page it stood on."""

    site: Site
    target: str
    actor: str
    version: int | None
    fields: Mapping[str, str]

    def field(self, name: str) -> str:
        """Return a field, "" when it is missing."""
        return self.fields.get(name, "").strip()


Act = Callable[[Order], Awaitable[str | Done | None]]
"""Does it; returns what was done where the verb does not say it, or what undoes it."""


async def order_of(request: web.Request, target: str) -> Order:
    """Return what the form of this request asks for."""
    fields = await form_of(request)
    version = fields.get("version", "")
    is_number = version.isascii() and version.isdigit() and len(version) <= _VERSION_DIGITS
    return Order(
        site=site_of(request),
        target=target,
        actor=visitor_of(request).name,
        version=int(version) if is_number else None,
        fields=fields,
    )
