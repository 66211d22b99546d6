from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from veille.demo.slack import SlackStandIn

CHANNEL = "C0000000001"
Call = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn(paces=False) as stand_in:
        yield stand_in


@pytest.fixture
async def call(slack: SlackStandIn) -> AsyncIterator[Call]:
    async with aiohttp.ClientSession() as session:

        async def post(
            method: str = "chat.postMessage", *, token: str = slack.token, **body: Any
        ) -> dict[str, Any]:
            headers = {"Authorization": f"Bearer {token}"}
            body = {"channel": CHANNEL, "text": "bonjour"} | body
            async with session.post(slack.url + method, json=body, headers=headers) as answer:
                return {"status": answer.status, **await answer.json()}

        yield post


def text(content: str, kind: str = "plain_text") -> dict[str, Any]:
    return {"type": kind, "text": content}


def rich(*parts: Any) -> dict[str, Any]:
    return {"type": "rich_text", "elements": list(parts)}


def button(url: str) -> dict[str, Any]:
    return {"type": "actions", "elements": [{"type": "button", "text": text("Voir"), "url": url}]}


async def test_a_right_message_is_taken_and_kept(slack: SlackStandIn, call: Call) -> None:
    answer = await call()
    assert answer["ok"]
    kept = slack.received()[0]
    assert (kept.ts, kept.channel, kept.body["text"]) == (answer["ts"], CHANNEL, "bonjour")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"token": "xoxb-other"}, "invalid_auth"),
        ({"method": "chat.shout"}, "unknown_method"),
        ({"channel": "C9"}, "channel_not_found"),
        ({"text": ""}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": text("x" * 3001)}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": text("")}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": text("x" * 151)}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": text("x", "mrkdwn")}]}, "invalid_blocks"),
        ({"blocks": [{"type": "marquee"}]}, "invalid_blocks"),
        ({"blocks": [button("javascript:x")]}, "invalid_blocks"),
        ({"blocks": [rich()]}, "invalid_blocks"),
        ({"blocks": [rich({"type": "rich_text_section", "elements": []})]}, "invalid_blocks"),
        (
            {"blocks": [rich({"type": "rich_text_quote", "elements": [text("x")]})]},
            "invalid_blocks",
        ),
        ({"metadata": {"event_type": "veille"}}, "invalid_metadata_format"),
        ({"thread_ts": "1.0"}, "thread_not_found"),
        ({"method": "chat.update", "ts": "1.0"}, "message_not_found"),
    ],
)
async def test_what_slack_would_refuse_is_refused(
    slack: SlackStandIn, call: Call, body: dict[str, Any], error: str
) -> None:
    answer = await call(**body)
    assert (answer["ok"], answer["error"]) == (False, error)
    assert slack.received() == []


async def test_a_form_is_not_json(slack: SlackStandIn) -> None:
    headers = {"Authorization": f"Bearer {slack.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{slack.url}chat.postMessage", data={"channel": CHANNEL}) as answer,
    ):
        assert (await answer.json())["error"] == "invalid_post_type"


async def test_an_edit_replaces_and_a_thread_lists_its_answers(
    slack: SlackStandIn, call: Call
) -> None:
    ts = (await call())["ts"]
    await call(thread_ts=ts, text="suite")
    await call("chat.update", ts=ts, text="mis à jour")
    first = slack.received()[0]
    assert (first.body["text"], first.edits) == ("mis à jour", 1)
    assert [message.body["text"] for message in slack.thread(ts)] == ["suite"]


async def test_many_messages_have_each_their_ts(slack: SlackStandIn, call: Call) -> None:
    stamps = [(await call())["ts"] for _ in range(120)]
    assert len(set(stamps)) == 120
    assert stamps == sorted(stamps)


async def test_a_second_post_within_the_second_is_limited() -> None:
    now_s = 0.0
    async with (
        SlackStandIn(clock=lambda: now_s) as slack,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {slack.token}"}) as session,
    ):
        statuses = []
        for pause in (0.0, 0.5, 1.0):
            now_s += pause
            body = {"channel": CHANNEL, "text": "x"}
            async with session.post(f"{slack.url}chat.postMessage", json=body) as answer:
                statuses.append((answer.status, answer.headers.get("Retry-After")))
    assert statuses == [(200, None), (429, "1"), (200, None)]


async def test_faults_last_as_long_as_told(slack: SlackStandIn, call: Call) -> None:
    slack.refuse_next("fatal_error", times=2)
    assert [(await call())["ok"] for _ in range(3)] == [False, False, True]


async def test_down_refuses_and_back_is_at_the_same_address(
    slack: SlackStandIn, call: Call
) -> None:
    await call()
    address = slack.url
    await slack.go_down()
    with pytest.raises(aiohttp.ClientConnectionError):
        await call()
    await slack.come_back()
    await call()
    assert slack.url == address
    assert len(slack.received()) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"text": "<!here>"},
        {"text": "<@U1>"},
        {"blocks": [{"type": "section", "text": text("<!channel>", "mrkdwn")}]},
    ],
)
async def test_a_reference_somebody_would_be_pinged_by_is_seen(
    slack: SlackStandIn, call: Call, body: dict[str, Any]
) -> None:
    await call(**body)
    assert len(slack.pings()) == 1


async def test_plain_text_pings_nobody(slack: SlackStandIn, call: Call) -> None:
    await call(text="&lt;!here&gt;", blocks=[{"type": "section", "text": text("<!here>")}])
    assert slack.pings() == []
