"""Pushed mentions: Standard Webhooks signatures over raw bytes, then a batch. Pure."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from veille.collectors.interchange import LineBatch, parse_lines
from veille.domain.errors import IntakeRefused
from veille.net.signature import decode_secret, signature

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_MENTIONS = 10_000
MAX_CLOCK_SKEW = timedelta(minutes=5)

_MAX_ID_CHARS = 256
_MAX_SIGNATURES = 16
_MAX_DIGITS = 12


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """Return the webhook id of an authentic request: the key under which it is stored once.

    Several signatures may be given (a rotating secret); one good `v1` is enough, compared in
    constant time. Raises IntakeRefused 401 for a missing or wrong one, or a clock over 5 minutes
    off, 413 over 4 MiB. Source: the Standard Webhooks specification.
    """
    key = decode_secret(secret)
    if len(body) > MAX_BODY_BYTES:
        raise _too_large(f"body over {MAX_BODY_BYTES} bytes")
    given = {name.lower(): value for name, value in headers.items()}
    id_ = given.get("webhook-id", "")
    timestamp = given.get("webhook-timestamp", "")
    if not id_ or len(id_) > _MAX_ID_CHARS or not id_.isascii() or not id_.isprintable():
        raise _refused("webhook-id is missing or not 1 to 256 printable ASCII characters")
    _check_clock(timestamp, now)
    expected = signature(key, id_, timestamp, body).encode()
    is_good = False
    for entry in given.get("webhook-signature", "").split(" ")[:_MAX_SIGNATURES]:
        version, _, given_one = entry.partition(",")
        same = hmac.compare_digest(given_one.encode("utf-8", "surrogatepass"), expected)
        is_good |= version == "v1" and same
    if not is_good:
        raise _refused("webhook-signature holds no good v1 signature: check the secret")
    return id_


def parse(body: bytes, source: str) -> LineBatch:
    """Return the mentions of one object, an array, or JSON Lines; all belong to `source`.

    In an array, lines are counted by element. Raises IntakeRefused 413 over 4 MiB or 10,000
    mentions; a bad mention is rejected and stops no other.
    """
    if len(body) > MAX_BODY_BYTES:
        raise _too_large(f"body over {MAX_BODY_BYTES} bytes")
    lines = split(body)
    if len(lines) > MAX_MENTIONS:
        raise _too_large(f"more than {MAX_MENTIONS} mentions")
    return parse_lines(lines, source)


def split(body: bytes) -> Sequence[bytes]:
    """Return the JSON of each mention of a body: one object, an array, or JSON Lines."""
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    if body.startswith(b"["):
        elements = _elements(body)
        return [body] if elements is None else elements
    if body.startswith(b"{") and b"\n" in body:
        try:
            json.loads(body)  # one object, written over several lines
        except (ValueError, RecursionError):
            return body.split(b"\n")
        return [body]
    return body.split(b"\n")


def _elements(body: bytes) -> list[bytes] | None:
    """Return the JSON of each element; None when the body is no JSON array."""
    try:
        return [bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:  # lone surrogates, which msgspec refuses and parse_lines repairs
        return [json.dumps(element).encode() for element in json.loads(body)]
    except (ValueError, RecursionError):
        return None


def _check_clock(timestamp: str, now: datetime) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MAX_DIGITS):
        raise _refused("webhook-timestamp is missing or not a whole number of seconds")
    if abs(int(timestamp) - now.timestamp()) > MAX_CLOCK_SKEW.total_seconds():
        raise _refused("webhook-timestamp is over five minutes off: set the sender's clock")


def _refused(message: str) -> IntakeRefused:
    return IntakeRefused(message, status=401)


def _too_large(what: str) -> IntakeRefused:
    return IntakeRefused(f"{what}: send less at a time", status=413)
