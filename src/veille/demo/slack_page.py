"""The stand-in's channel as a page: a visitor presses the buttons and types the command."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from veille.demo.slack_people import buttons

if TYPE_CHECKING:
    from veille.demo.slack import SlackMessage, SlackStandIn

MEMBERS: Mapping[str, str] = {"U0ASTREINTE": "Camille", "U0INCONNUE": "une personne inconnue"}
"""Who a visitor can be; the second is in no configuration."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"


@dataclass(slots=True)
class SlackPage:
    """The routes of the page, and what the last command answered."""

    stand_in: SlackStandIn
    said: dict[str, str] = field(default_factory=dict)

    def add_to(self, app: web.Application) -> None:
        """The application shows the page at `/`."""
        app.router.add_get("/", self._show)
        app.router.add_post("/press", self._press)
        app.router.add_post("/command", self._command)

    async def _show(self, request: web.Request) -> web.Response:
        member = request.query.get("as", next(iter(MEMBERS)))
        messages = self.stand_in.received()
        html = _template().render(
            messages=[m for m in reversed(messages) if m.thread_ts is None],
            thread=self.stand_in.thread,
            lines=lines,
            buttons=buttons,
            whispers=[w for w in self.stand_in.whispers() if w.user == member][-3:],
            said=self.said.get(member, ""),
            member=member if member in MEMBERS else next(iter(MEMBERS)),
            members=MEMBERS,
        )
        headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
        return web.Response(text=html, content_type="text/html", headers=headers)

    async def _press(self, request: web.Request) -> web.Response:
        form = await request.post()
        ts, action, member = (str(form.get(key, "")) for key in ("ts", "action", "as"))
        message = next((m for m in self.stand_in.received() if m.ts == ts), None)
        known = {str(b.get("action_id")) for b in buttons(message)} if message else set()
        if message is not None and action in known:
            try:
                await self.stand_in.people.press(message, action, user=member)
            except (TimeoutError, aiohttp.ClientError):
                self.said[member] = "veille ne répond pas."
        return _back(member)

    async def _command(self, request: web.Request) -> web.Response:
        form = await request.post()
        text, member = str(form.get("text", "")), str(form.get("as", ""))
        if member in MEMBERS:
            try:
                async with asyncio.timeout(5):
                    self.said[member] = await self.stand_in.people.command(text, user=member)
            except (TimeoutError, aiohttp.ClientError):
                self.said[member] = "veille ne répond pas."
        return _back(member)


def lines(message: SlackMessage) -> list[tuple[str, str]]:
    """Return what a reader sees of a message: the kind of each line, and its text."""
    found: list[tuple[str, str]] = []
    for block in message.body.get("blocks", []):
        if block["type"] == "header":
            found.append(("header", block["text"]["text"]))
        elif block["type"] == "rich_text":
            for part in block["elements"]:
                text = "".join(str(element.get("text", "")) for element in part["elements"])
                found.append((part["type"], text))
    return found


def _back(member: str) -> web.Response:
    to = f"/?as={member}" if member in MEMBERS else "/"
    return web.Response(status=303, headers={"Location": to})


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("veille.demo"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("slack.html")
