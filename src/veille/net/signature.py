"""Standard Webhooks signatures, for the requests we take and those we send."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from veille.domain.errors import ConfigError

_PREFIX = "whsec_"
_MIN_SECRET_BYTES = 24  # Standard Webhooks: 24 to 64 bytes


def decode_secret(secret: str) -> bytes:
    """Return the key of a `whsec_` secret; ConfigError, without the secret, when it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if not secret.startswith(_PREFIX) or len(key) < _MIN_SECRET_BYTES:
        raise ConfigError("webhook secret: write whsec_ and at least 24 random bytes in base64")
    return key


def sign(secret: str, id_: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers a sender adds to `body`, signed at `at`."""
    timestamp = str(int(at.timestamp()))
    return {
        "webhook-id": id_,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature(decode_secret(secret), id_, timestamp, body)}",
    }


def signature(key: bytes, id_: str, timestamp: str, body: bytes) -> str:
    """Return base64 of HMAC-SHA256 over `id.timestamp.body` (Standard Webhooks, v1)."""
    content = f"{id_}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
