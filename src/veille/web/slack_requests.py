"""What Slack sends: signed, fresh, seen once, and parsed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web
from slack_sdk.signature import Clock, SignatureVerifier

from veille.domain.errors import IntakeRefused
from veille.domain.ids import content_hash
from veille.domain.record import Receipt
from veille.store import sources
from veille.store.engine import Db
from veille.store.protocol import Store
from veille.web import body

MAX_BODY = 256 * 1024
"""A press carries the whole message, some 13,000 characters of blocks, as JSON in a form."""
FRESH_S = 300  # Slack, Verifying requests: five minutes
READ_S = 1.5
_RECEIPTS = "/slack"  # no source has this id
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_FIELDS = 50


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Who pressed."""

    id: str


class Pressed(msgspec.Struct, frozen=True, kw_only=True):
    """One button that was pressed."""

    action_id: str = ""
    value: str = ""


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """Where the message stands."""

    channel_id: str = ""


class Press(msgspec.Struct, frozen=True, kw_only=True):
    """Slack's block_actions, as far as it is used; what is unknown is left out."""

    type: str
    user: Member
    container: Container = Container()
    actions: tuple[Pressed, ...] = ()


class _At(Clock):
    """A clock that stands still: the verifier compares with `now`."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> float:
        return self._now.timestamp()


async def form(request: web.Request, *, secret: str, store: Store, now: datetime) -> dict[str, str]:
    """Return the fields of a request that Slack signed at most five minutes ago, once.

    IntakeRefused: 401 for any other signature, 409 for one seen before, 413, 415 or 408 for a body
    that is too large, of another kind or late.
    """
    sent = await _body(request)
    if not _is_signed(request.headers, sent, secret, now):
        raise IntakeRefused("the signature is missing, wrong or too old", status=401)
    mark = content_hash(request.headers["X-Slack-Signature"])
    receipt = Receipt(source=_RECEIPTS, webhook_id=mark, body_hash="", answer="", at=now)

    def is_new(db: Db) -> bool:
        if sources.receipt(db, _RECEIPTS, mark) is not None:
            return False
        sources.add_receipt(db, receipt)
        return True

    if not await store.write(is_new):
        raise IntakeRefused("this request was answered before", status=409)
    try:
        text = sent.decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS))
    except ValueError as error:
        raise IntakeRefused("the body is no form", status=400) from error


def press_of(fields: Mapping[str, str]) -> Press:
    """Return what was pressed; IntakeRefused for a payload that says something else."""
    try:
        return msgspec.json.decode(fields.get("payload", ""), type=Press)
    except (msgspec.MsgspecError, RecursionError) as error:  # nested deeper than it decodes
        raise IntakeRefused("the payload is no press of a button", status=400) from error


def _is_signed(headers: Mapping[str, str], sent: bytes, secret: str, now: datetime) -> bool:
    stamp = headers.get("X-Slack-Request-Timestamp", "")
    signature = headers.get("X-Slack-Signature", "")
    # the verifier raises on what is no number and what is no ASCII
    if _TIMESTAMP.fullmatch(stamp) is None or _SIGNATURE.fullmatch(signature) is None:
        return False
    verifier = SignatureVerifier(secret, _At(now))
    try:
        return bool(verifier.is_valid(sent, stamp, signature))
    except UnicodeDecodeError:
        return False


async def _body(request: web.Request) -> bytes:
    if request.content_type != "application/x-www-form-urlencoded":
        raise IntakeRefused("Slack sends forms", status=415)
    return await body.raw(request, most=MAX_BODY, within_s=READ_S)
