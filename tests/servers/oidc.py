"""An identity provider that signs for real, and lies when told to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

CLIENT, SECRET = "veille-saint-aubin", "secret-of-the-client"
SIRET = "21990001400011"
Claims = dict[str, Any]


@cache  # a key takes longer to make than a test to run
def _new_key(kid: str, owner: str = "provider") -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


class IdentityProvider:
    """One person is logged in here: `person`. `lies` changes what is signed next, once."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.url = ""
        self.person: Claims = {
            "sub": "b1946ac9-agent",
            "given_name": "Ada",
            "usual_name": "Moreau",
            "email": "ada.moreau@mairie.example",
            "siret": SIRET,
        }
        self.strength: Claims = {"acr": "eidas1", "amr": ["pwd"]}
        self.keys = [_new_key("first")]
        self.knows_pkce = True
        self.is_up = True
        self.asked: list[dict[str, str]] = []
        self.exits: list[dict[str, str]] = []
        self.key_reads = 0
        self._codes: dict[str, dict[str, str]] = {}
        self._access: dict[str, str] = {}
        self._in_id_token: Claims = {}
        self._in_user_info: Claims = {}
        self._in_discovery: Claims = {}
        self._sign: Callable[[Claims], str] = self._rightly
        self._is_info_signed = True
        self._algorithm_of_info: Callable[[Claims], str] = self._rightly

    # Verbs: what goes wrong next.

    def says_in_id_token(self, **claims: Any) -> None:
        """The next ID token has these claims; None leaves one out."""
        self._in_id_token = claims

    def says_in_discovery(self, **claims: Any) -> None:
        """Discovery says this from now on; None leaves one out."""
        self._in_discovery = claims

    def says_in_user_info(self, **claims: Any) -> None:
        """The next user information has these claims; None leaves one out."""
        self._in_user_info = claims

    def signs_with_none(self) -> None:
        """The next ID token has `alg: none` and no signature."""
        self._sign = self._unsigned

    def signs_with_its_public_key_as_a_secret(self) -> None:
        """The next ID token is HS256 under the bytes of the published RSA key."""
        self._sign = self._confused

    def signs_with_the_client_secret(self) -> None:
        """The next ID token is HS256 under the client secret."""
        self._sign = lambda claims: _hs256(claims, SECRET.encode(), "first")

    def signs_with_an_unpublished_key(self) -> None:
        """The next ID token is of a key nobody published, under the name of one that is."""
        self._sign = lambda claims: _rs256(claims, _new_key("first", "impostor"))

    def sends_user_info_unsigned(self) -> None:
        """User information is plain JSON from now on."""
        self._is_info_signed = False

    def signs_user_info_with_none(self) -> None:
        """The next user information has `alg: none`."""
        self._algorithm_of_info = self._unsigned

    def rotates_its_key(self, kid: str = "second") -> None:
        """Another key signs and is published, the one before is gone."""
        self.keys = [_new_key(kid)]

    def signs_with_a_curve(self) -> None:
        """An ES256 key signs and is published."""
        self.keys = [ECKey.generate_key("P-256", {"kid": "curve", "use": "sig", "alg": "ES256"})]

    # What it does.

    def login(self, address: str) -> str:
        """Return where the browser comes back to, after the person has logged in here."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self.asked.append(asked)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"

    def _at(self) -> int:
        return int(self.now().timestamp())

    def _rightly(self, claims: Claims) -> str:
        key = self.keys[0]
        alg = "ES256" if isinstance(key, ECKey) else "RS256"
        return jwt.encode({"alg": alg, "kid": key.kid}, claims, key, algorithms=[alg])

    def _unsigned(self, claims: Claims) -> str:
        return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."

    def _confused(self, claims: Claims) -> str:
        key = self.keys[0]
        assert isinstance(key, RSAKey)
        return _hs256(claims, key.as_pem(private=False), str(key.kid))

    async def _configuration(self, request: web.Request) -> web.Response:
        self._check_up()
        said = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "end_session_endpoint": f"{self.url}/session/end",
            **self._in_discovery,
        }
        return web.json_response({name: at for name, at in said.items() if at is not None})

    async def _jwks(self, request: web.Request) -> web.Response:
        self._check_up()
        self.key_reads += 1
        secret = OctKey.import_key(SECRET, {"kid": "oct"})
        published = [key.as_dict(private=False) for key in self.keys]
        return web.json_response({"keys": [*published, secret.as_dict()]})

    async def _token(self, request: web.Request) -> web.Response:
        self._check_up()
        form = await request.post()
        asked = self._codes.pop(str(form.get("code")), None)
        verifier = str(form.get("code_verifier", "")).encode()
        proof = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=").decode()
        is_right = (
            asked is not None
            and form.get("client_id") == CLIENT
            and form.get("client_secret") == SECRET
            and form.get("redirect_uri") == asked["redirect_uri"]
            and (asked.get("code_challenge") == proof or not self.knows_pkce)
        )
        if asked is None or not is_right:
            return web.json_response({"error": "invalid_grant"}, status=400)
        claims = {
            "iss": self.url, "sub": self.person["sub"], "aud": CLIENT, "nonce": asked["nonce"],
            "iat": self._at(), "exp": self._at() + 60, **self.strength, **self._in_id_token,
        }  # fmt: skip
        token = self._sign({name: value for name, value in claims.items() if value is not None})
        self._sign, self._in_id_token = self._rightly, {}
        access = secrets.token_urlsafe(16)
        self._access[access] = asked["scope"]
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": 60}
        return web.json_response({**answer, "id_token": token})

    async def _userinfo(self, request: web.Request) -> web.Response:
        access = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self._access.pop(access, None) is None:
            return web.json_response({"error": "invalid_token"}, status=401)
        claims = {
            **self.person, "iss": self.url, "aud": CLIENT, "iat": self._at(),
            "exp": self._at() + 60, **self._in_user_info,
        }  # fmt: skip
        said = {name: value for name, value in claims.items() if value is not None}
        self._in_user_info = {}
        if not self._is_info_signed:
            return web.json_response(said)
        token = self._algorithm_of_info(said)
        self._algorithm_of_info = self._rightly
        return web.Response(text=token, content_type="application/jwt")

    async def _end(self, request: web.Request) -> web.Response:
        self.exits.append(dict(request.query))
        back = request.query["post_logout_redirect_uri"]
        location = f"{back}?state={request.query['state']}"
        return web.Response(status=303, headers={"Location": location})

    def _check_up(self) -> None:
        if not self.is_up:
            raise web.HTTPServiceUnavailable


def _part(value: Claims) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _hs256(claims: Claims, secret: bytes, kid: str) -> str:
    said = f"{_part({'alg': 'HS256', 'kid': kid})}.{_part(claims)}"
    signature = hmac.digest(secret, said.encode(), "sha256")
    return f"{said}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _rs256(claims: Claims, key: RSAKey) -> str:
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key, algorithms=["RS256"])


@asynccontextmanager
async def identity_provider(now: Callable[[], datetime]) -> AsyncIterator[IdentityProvider]:
    """An identity provider on a free port of this machine."""
    provider = IdentityProvider(now)
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", provider._configuration)
    app.router.add_get("/jwks", provider._jwks)
    app.router.add_post("/token", provider._token)
    app.router.add_get("/userinfo", provider._userinfo)
    app.router.add_get("/session/end", provider._end)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        listener = web.TCPSite(runner, "127.0.0.1", 0)
        await listener.start()
        port = runner.addresses[0][1]
        provider.url = f"http://127.0.0.1:{port}"
        yield provider
    finally:
        await runner.cleanup()
