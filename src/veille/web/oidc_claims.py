"""What an identity provider signed: each signature and claim is checked before it is believed."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
from joserfc import jwk, jwt
from joserfc.errors import JoseError

from veille.domain.errors import LoginRefused

T = TypeVar("T")
SKEW = timedelta(seconds=60)
"""How far clocks may differ: what ProConnect's one-minute tokens leave room for."""
_OLDEST = timedelta(minutes=10)  # a login takes no longer
_LONGEST_TOKEN = 16_384
_LONGEST_SUBJECT = 255  # OpenID Connect Core 1.0, 2: `sub`
_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC"}


class Header(msgspec.Struct, frozen=True):
    """What of a token says which key signed it."""

    alg: str
    kid: str | None = None


class IdToken(msgspec.Struct, frozen=True):
    """The claims of an ID token that count."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: float
    iat: float
    nonce: str = ""
    azp: str | None = None
    acr: str = ""
    amr: list[str] = []
    auth_time: float | None = None


class UserInfo(msgspec.Struct, frozen=True):
    """What the provider says of somebody. `iss`, `aud` and `exp` are those of a signed answer."""

    sub: str
    iss: str = ""
    aud: str | list[str] = ""
    exp: float | None = None
    given_name: str = ""
    usual_name: str = ""
    family_name: str = ""
    email: str = ""
    email_verified: bool = False
    siret: str = ""


def header_of(token: str, *, algorithms: Sequence[str]) -> Header:
    """Return what a token says of its key; LoginRefused for another algorithm, or `none`."""
    if len(token) > _LONGEST_TOKEN:
        raise _refused("a token over 16 KiB")
    try:
        head = token.split(".")[0]
        found = msgspec.json.decode(jwt_part(head), type=Header)
    except (ValueError, msgspec.DecodeError, RecursionError) as error:
        raise _refused("what should be a token is none") from error
    if found.alg not in algorithms:
        raise _refused("a token signed by another algorithm than those of oidc.algorithms")
    return found


def jwt_part(text: str) -> bytes:
    """Return the bytes of one part of a token; ValueError for what is no base64url."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def key_of(keys: Sequence[Mapping[str, object]], header: Header) -> Mapping[str, object] | None:
    """Return the public key a token names: of its algorithm's kind, for signatures.

    None when the provider has none such; without `kid` there must be only one.
    """
    fit = [
        key
        for key in keys
        if key.get("kty") == _KINDS[header.alg[:2]]
        and key.get("use") in (None, "sig")
        and key.get("alg") in (None, header.alg)
        and (header.kid is None or key.get("kid") == header.kid)
    ]
    return fit[0] if len(fit) == 1 else None


def claims_of(token: str, key: Mapping[str, object], *, algorithm: str) -> bytes:
    """Return the claims, as JSON, of a token this key has signed; LoginRefused if it has not."""
    try:
        public = jwk.import_key({name: str(key[name]) for name in _PUBLIC if name in key})
        return msgspec.json.encode(jwt.decode(token, public, algorithms=[algorithm]).claims)
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise _refused("a token whose signature does not hold") from error


_PUBLIC = {"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"}


def id_token(claims: bytes, *, issuer: str, client: str, nonce: str, now: datetime) -> IdToken:
    """Return the claims of an ID token made for this login (OpenID Connect Core 1.0, 3.1.3.7).

    LoginRefused names the claim that says otherwise.
    """
    said = _decoded(claims, IdToken)
    at, skew = now.timestamp(), SKEW.total_seconds()
    several = isinstance(said.aud, list) and len(said.aud) > 1
    for name, is_right in (
        ("iss", said.iss == issuer),
        ("aud", client in _audience(said.aud)),
        ("azp", said.azp == client if several or said.azp is not None else True),
        ("exp", said.exp > at - skew),
        ("iat", at - _OLDEST.total_seconds() - skew < said.iat < at + skew),
        ("nonce", bool(nonce) and hmac.compare_digest(said.nonce.encode(), nonce.encode())),
        ("sub", 0 < len(said.sub) <= _LONGEST_SUBJECT),
    ):
        if not is_right:
            raise _refused(f"an ID token with a wrong {name}")
    return said


def user_info(
    claims: bytes, *, of: IdToken, client: str, now: datetime, is_signed: bool
) -> UserInfo:
    """Return what is said of the person of this ID token; LoginRefused when of another.

    A signed answer names issuer and audience too (OpenID Connect Core 1.0, 5.3.2).
    """
    said = _decoded(claims, UserInfo)
    late = said.exp is not None and said.exp <= now.timestamp() - SKEW.total_seconds()
    for name, is_right in (
        ("sub", said.sub == of.sub),
        ("iss", said.iss == of.iss or not is_signed),
        ("aud", client in _audience(said.aud) or not is_signed),
        ("exp", not late),
    ):
        if not is_right:
            raise _refused(f"user information with a wrong {name}")
    return said


def _decoded(claims: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(claims, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused("claims that are missing or of another kind") from error


def _audience(aud: str | list[str]) -> list[str]:
    return [aud] if isinstance(aud, str) else aud


def _refused(what: str) -> LoginRefused:
    return LoginRefused("token", f"the identity provider sent {what}: nobody is let in")
