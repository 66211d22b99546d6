"""Web Push: what a push service is sent, sealed for one browser (RFC 8030, 8188, 8291, 8292)."""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey
from yarl import URL

from veille.domain.errors import ConfigError, InputError
from veille.net.guard import check_url, same_host

MOST_BYTES = 3993
"""Of a payload (RFC 8291, 4): services take 4096, less header, delimiter and tag."""
PADDED_BYTES = 1024
"""Every payload is this long at least, so that its length says nothing of it."""
ENDPOINT_LENGTH = 2048
_RECORD = 4096  # RFC 8291, 4: one record, at least as long as what is sent
_SALT, _AUTH, _POINT, _SCALAR = 16, 16, 65, 32
_CURVE = ec.SECP256R1()
_GOOD_FOR = timedelta(hours=12)  # RFC 8292, 2: 24 hours at most; less, for clocks that differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Where one browser is reached, and the keys it gave; all of it is secret."""

    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)


def new_key() -> str:
    """Return a new private key of the application server (RFC 8292), base64url of 32 bytes."""
    private = ec.generate_private_key(_CURVE).private_numbers().private_value
    return _text(private.to_bytes(_SCALAR, "big"))


def public_key(secret: str) -> str:
    """Return the public key browsers subscribe with; ConfigError when the secret is no key."""
    return _text(_point(_private(secret).public_key()))


def check(found: Subscription, *, hosts: tuple[str, ...], allow_private: bool) -> Subscription:
    """Return it with its keys known to be good; InputError, which never quotes it, otherwise."""
    if len(found.endpoint) > ENDPOINT_LENGTH or not found.endpoint.isascii():
        raise InputError("subscription: its address is no address of a push service")
    host = check_url(found.endpoint, allow_private=allow_private)
    if not allow_private and URL(found.endpoint).scheme != "https":
        raise InputError("subscription: its address is not https")
    if not is_listed(host, hosts):
        raise InputError(f"{host}: not in allow_hosts of [push]: add it if it is meant")
    _bytes(found.auth, _AUTH)
    _public(found.p256dh)
    return found


def is_listed(host: str, hosts: tuple[str, ...]) -> bool:
    """Whether a host is one of these; `*.example.org` stands for every name under it."""
    name = same_host(host)
    return any(
        name.endswith(one[1:].lower()) if one.startswith("*.") else name == same_host(one)
        for one in hosts
    )


def encrypt(
    payload: bytes,
    to: Subscription,
    *,
    padded: int = PADDED_BYTES,
    salt: bytes | None = None,
    sender: str | None = None,
) -> bytes:
    """Return the body that only this browser can read (RFC 8291, 3.4, one record of RFC 8188).

    `salt` and `sender`, a private key, are new for each message unless a test gives them. Raises
    InputError for a payload over 3993 bytes.
    """
    if len(payload) > MOST_BYTES:
        raise InputError(f"a push payload of {len(payload)} bytes: at most {MOST_BYTES}")
    salt, mine = salt or os.urandom(_SALT), _private(sender or new_key())
    theirs = _public(to.p256dh)
    ours = _point(mine.public_key())
    shared = mine.exchange(ec.ECDH(), theirs)
    info = b"WebPush: info\x00" + _point(theirs) + ours
    key = _derived(shared, _bytes(to.auth, _AUTH), info, 32)
    content = _derived(key, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _derived(key, salt, b"Content-Encoding: nonce\x00", 12)
    plain = payload + b"\x02" + bytes(max(0, padded - len(payload)))
    header = salt + _RECORD.to_bytes(4, "big") + bytes([len(ours)]) + ours
    return header + AESGCM(content).encrypt(nonce, plain, None)


def authorization(secret: str, endpoint: str, *, contact: str, now: datetime) -> str:
    """Return the Authorization header that says who sends (RFC 8292, 3), good for 12 hours.

    `contact` is a mailto: or https: address. ConfigError when the secret is no key.
    """
    private = _private(secret)
    claims = {
        "aud": str(URL(endpoint).origin()),
        "exp": int((now + _GOOD_FOR).timestamp()),
        **({"sub": contact} if contact else {}),
    }
    numbers = private.private_numbers()
    x, y = (number.to_bytes(_SCALAR, "big") for number in _coordinates(numbers.public_numbers))
    key = ECKey.import_key(
        {
            "kty": "EC", "crv": "P-256", "x": _text(x), "y": _text(y),
            "d": _text(numbers.private_value.to_bytes(_SCALAR, "big")),
        }
    )  # fmt: skip
    token = jwt.encode({"typ": "JWT", "alg": "ES256"}, claims, key, algorithms=["ES256"])
    return f"vapid t={token}, k={_text(_point(private.public_key()))}"


def _coordinates(numbers: ec.EllipticCurvePublicNumbers) -> tuple[int, int]:
    return numbers.x, numbers.y


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def _private(secret: str) -> ec.EllipticCurvePrivateKey:
    try:
        return ec.derive_private_key(int.from_bytes(_bytes(secret, _SCALAR), "big"), _CURVE)
    except (ValueError, InputError) as error:
        raise ConfigError("the push key is no key: make one with `veille push keys`") from error


def _public(text: str) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, _bytes(text, _POINT))
    except ValueError as error:
        raise InputError("subscription: its public key is no point of P-256") from error


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str, length: int) -> bytes:
    try:
        plain = text.rstrip("=")[: 2 * length]
        padded = (plain + "=" * (-len(plain) % 4)).encode("ascii")
        found = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise InputError("a key is not base64url") from error
    if len(found) != length:
        raise InputError(f"a key has {len(found)} bytes, not {length}")
    return found
