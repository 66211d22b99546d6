"""A push service and its browsers, which decrypt and verify for real, with code of their own."""

from __future__ import annotations

import base64
import hmac
import json
import os
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _hmac(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")


@dataclass
class Handset:
    """One browser: its keys, and what reached it, decrypted."""

    endpoint: str
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    secret: bytes = field(default_factory=lambda: os.urandom(16))
    taken: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def fields(self) -> dict[str, str]:
        """What the browser hands to a page."""
        return {
            "endpoint": self.endpoint,
            "p256dh": text(self.public),
            "auth": text(self.secret),
        }

    def decrypt(self, body: bytes) -> bytes:
        """Return the text of one record (RFC 8188) sealed for this browser (RFC 8291)."""
        salt, length = body[:16], body[20]
        assert int.from_bytes(body[16:20], "big") >= len(body) - 21 - length
        sender = body[21 : 21 + length]
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        shared = self.private.exchange(ec.ECDH(), point)
        mixed = _hmac(self.secret, shared)
        key = _hmac(mixed, b"WebPush: info\x00" + self.public + sender + b"\x01")
        mixed = _hmac(salt, key)
        content = HKDFExpand(SHA256(), 16, b"Content-Encoding: aes128gcm\x00").derive(mixed)
        nonce = HKDFExpand(SHA256(), 12, b"Content-Encoding: nonce\x00").derive(mixed)
        plain = AESGCM(content).decrypt(nonce, body[21 + length :], None).rstrip(b"\x00")
        assert plain.endswith(b"\x02"), "the last record says so"
        return plain[:-1]


class PushService:
    """Takes messages for its handsets, as `fcm.example` would; tells why it refuses."""

    def __init__(self) -> None:
        self.handsets: dict[str, Handset] = {}
        self.answers: dict[str, list[web.Response]] = {}
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/wp/{name}", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def subscribe(self, name: str) -> Handset:
        """Return a new browser of this name."""
        self.handsets[name] = Handset(endpoint=f"{self.url}/wp/{name}")
        return self.handsets[name]

    def fail_next(self, name: str, status: int, **headers: str) -> None:
        """The next message for this browser is answered so."""
        answer = web.Response(status=status, headers=headers)
        self.answers.setdefault(name, []).append(answer)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if self.answers.get(name):
            return self.answers[name].pop(0)
        handset = self.handsets.get(name)
        if handset is None:
            return web.Response(status=410)
        body = await request.read()
        if len(body) > 4096:
            return web.Response(status=413)
        claims = self._verified(request.headers.get("Authorization", ""))
        if claims is None or claims["aud"] != self.url:
            return web.Response(status=403)
        handset.claims.append(claims)
        handset.headers.append(dict(request.headers))
        handset.bodies.append(body)
        handset.taken.append(json.loads(handset.decrypt(body)))
        return web.Response(status=201, headers={"Location": f"{self.url}/m/1"})

    def _verified(self, header: str) -> dict[str, Any] | None:
        """Return the claims of a token whose signature is of the key beside it (RFC 8292)."""
        parts = dict(
            part.strip().split("=", 1) for part in header.removeprefix("vapid ").split(",")
        )
        signed, _, signature = parts["t"].rpartition(".")
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw(parts["k"]))
        r, s = raw(signature)[:32], raw(signature)[32:]
        der = utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        key.verify(der, signed.encode(), ec.ECDSA(SHA256()))
        claims: dict[str, Any] = json.loads(raw(signed.partition(".")[2]))
        return claims
