"""The demonstration's channel as a visitor sees it: buttons that reach veille, signed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from veille.demo.slack import SlackStandIn

CHANNEL = "C0000000001"
BLOCKS = [
    {"type": "header", "text": {"type": "plain_text", "text": "▲ Critique <b>"}},
    {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "action_id": "veille_take",
                "value": "I1 astreinte 1 0",
                "text": {"type": "plain_text", "text": "Prendre en charge"},
                "style": "primary",
            }
        ],
    },
]


@dataclass
class Town:
    """A veille that keeps what Slack sends it, if it is signed."""

    slack: SlackStandIn
    session: aiohttp.ClientSession
    got: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        verifier = SignatureVerifier(self.slack.people.signing_secret)
        assert verifier.is_valid_request(body, dict(request.headers))
        self.got.append((request.path, parse_qs(body.decode())))
        return web.json_response({"text": "Aucun incident en cours."})

    async def page(self, query: str = "") -> str:
        async with self.session.get(self.slack.page + query) as answer:
            return await answer.text()

    async def send(self, path: str, **fields: str) -> str:
        async with self.session.post(self.slack.page + path, data=fields) as answer:
            return await answer.text()


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(SlackStandIn(paces=False))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        made = Town(slack, session)
        app = web.Application()
        app.router.add_post("/slack/{what}", made.serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        slack.people.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        headers = {"Authorization": f"Bearer {slack.token}"}
        body = {"channel": CHANNEL, "text": "crue", "blocks": BLOCKS}
        async with session.post(slack.url + "chat.postMessage", json=body, headers=headers) as said:
            assert (await said.json())["ok"]
        yield made


async def test_a_button_of_the_page_reaches_veille_as_a_press(town: Town) -> None:
    page = await town.page()
    assert "▲ Critique &lt;b&gt;" in page
    assert 'value="veille_take" class="primary">Prendre en charge</button>' in page
    ts = town.slack.received()[0].ts
    await town.send("press", ts=ts, action="veille_take", **{"as": "U0ASTREINTE"})
    ((path, fields),) = town.got
    press = json.loads(fields["payload"][0])
    assert (path, press["user"]["id"]) == ("/slack/actions", "U0ASTREINTE")
    assert press["actions"][0]["value"] == "I1 astreinte 1 0"


async def test_a_button_that_no_message_has_is_not_pressed(town: Town) -> None:
    ts = town.slack.received()[0].ts
    await town.send("press", ts=ts, action="veille_close", **{"as": "U0ASTREINTE"})
    await town.send("press", ts="1.0", action="veille_take", **{"as": "U0ASTREINTE"})
    assert town.got == []


async def test_the_command_shows_its_answer_to_who_typed_it_alone(town: Town) -> None:
    page = await town.send("command", text="", **{"as": "U0ASTREINTE"})
    assert "Aucun incident en cours." in page
    assert "Aucun incident en cours." not in await town.page("?as=U0INCONNUE")


async def test_a_veille_that_is_gone_is_said(town: Town) -> None:
    town.slack.people.address = "http://127.0.0.1:1"
    page = await town.send("command", text="", **{"as": "U0ASTREINTE"})
    assert "veille ne répond pas." in page
