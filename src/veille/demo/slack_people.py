"""Members of the stand-in workspace: they press buttons and type commands, signed like Slack."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import aiohttp
from slack_sdk.signature import SignatureVerifier

from veille.domain.clock import utc_now

if TYPE_CHECKING:
    from veille.demo.slack import SlackMessage

ANSWER_S = 3.0
"""Slack shows an error to who pressed when no answer came by then."""
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whisper:
    """What one member alone sees in a channel."""

    channel: str
    user: str
    text: str


def sign(body: bytes, *, secret: str, at: datetime) -> dict[str, str]:
    """Return the headers Slack adds to a request with this body."""
    stamp = str(int(at.timestamp()))
    signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body)
    return {
        "Content-Type": _FORM,
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": signature or "",
    }


class SlackPeople:
    """Who works in the stand-in; `address` is where veille listens, set once that is known."""

    def __init__(
        self,
        *,
        signing_secret: str = "stand-in-signing-secret",  # noqa: S107 it opens nothing
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.signing_secret = signing_secret
        self.address = ""
        self._now = now

    async def press(self, message: SlackMessage, action: str, *, user: str) -> int:
        """Press the button of that `action_id`; return the status of veille's answer.

        LookupError when the message has no such button, TimeoutError after three seconds.
        """
        button = next(b for b in buttons(message) if b.get("action_id") == action)
        return await self.send_press(
            user=user, channel=message.channel, action=action, value=str(button.get("value", ""))
        )

    async def send_press(self, *, user: str, channel: str, action: str, value: str) -> int:
        """Send what Slack sends of one press, whatever is on a message now; return the status."""
        payload = {
            "type": "block_actions",
            "user": {"id": user, "username": "somebody", "team_id": "T0000000001"},
            "container": {"type": "message", "channel_id": channel, "is_ephemeral": False},
            "actions": [{"type": "button", "action_id": action, "value": value}],
        }
        status, _ = await self.post("actions", {"payload": json.dumps(payload)})
        return status

    async def command(self, text: str, *, user: str) -> str:
        """Type `/veille text`; return what veille answers to that member."""
        fields = {"command": "/veille", "text": text, "user_id": user}
        _, answer = await self.post("commands", fields)
        found: dict[str, Any] = json.loads(answer or "{}")
        return str(found.get("text", found.get("detail", "")))

    async def post(self, path: str, fields: Mapping[str, str]) -> tuple[int, str]:
        """Send a signed form to `/slack/<path>`; return status and text of the answer."""
        body = urlencode(fields).encode()
        headers = sign(body, secret=self.signing_secret, at=self._now())
        limit = aiohttp.ClientTimeout(total=ANSWER_S)
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.post(f"{self.address}/slack/{path}", data=body, headers=headers) as answer,
        ):
            return answer.status, await answer.text()


def buttons(message: SlackMessage) -> list[dict[str, Any]]:  # Any: JSON of Block Kit
    """Return the buttons under a message, in order."""
    found = [block for block in message.body.get("blocks", []) if block.get("type") == "actions"]
    return [element for block in found for element in block["elements"]]
