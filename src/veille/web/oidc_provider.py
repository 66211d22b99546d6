"""The identity provider: where to send a browser, and whom the provider says it brought back."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from veille.domain.access import Role
from veille.domain.address import is_address
from veille.domain.errors import LoginRefused, SourceError
from veille.net.client import Client, Response
from veille.web import oidc_claims
from veille.web.oidc_claims import IdToken, UserInfo
from veille.web.oidc_settings import OidcSettings
from veille.web.ports import Knock, Person

T = TypeVar("T")
TIME_LIMIT = timedelta(seconds=10)
"""A person waits in front of the screen: judgement."""
_KEPT = timedelta(hours=1)  # discovery and keys: a key withdrawn is believed no longer than this
_REFETCH = timedelta(minutes=1)  # a flood of unknown keys asks the provider once a minute
_LIMIT_BYTES = 256 * 1024
_OK = 200
_ASKED_WITHIN_S = 600  # as long as a browser may take to come back: presession.py
_STRONG = {"eidas2", "eidas3"}  # eIDAS substantial and high ask for two factors
_STRONG_END = "-2fa"  # ProConnect's own levels


class Discovery(msgspec.Struct, frozen=True):
    """Where the provider does what (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    end_session_endpoint: str | None = None


class Tokens(msgspec.Struct, frozen=True):
    """The provider's answer to a code."""

    access_token: str
    id_token: str


class _Keys(msgspec.Struct, frozen=True):
    keys: list[dict[str, object]]


class OidcProvider:
    """The provider of `[oidc]`, asked by a guarded client; what it published is kept an hour."""

    def __init__(
        self, settings: OidcSettings, *, secret: str, client: Client, now: Callable[[], datetime]
    ) -> None:
        self.name = settings.name
        self.opens_accounts = settings.auto_role is not None
        self._settings = settings
        self._secret = secret
        self._client = client
        self._now = now
        self._found: tuple[datetime, Discovery] | None = None
        self._keys: tuple[datetime, list[dict[str, object]]] | None = None

    async def door(self, knock: Knock, *, back: str) -> str:
        """Return the address to send the browser to; it comes back to `back`."""
        settings = self._settings
        asked = {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": back,
            "scope": " ".join(settings.scopes),
            "state": knock.state,
            "nonce": knock.nonce,
            "claims": _claims(settings),
        }
        if not settings.sso:
            asked["prompt"] = "login"
        if settings.pkce:
            proof = hashlib.sha256(knock.verifier.encode()).digest()
            asked["code_challenge"] = base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
            asked["code_challenge_method"] = "S256"
        return _with((await self._discovery()).authorization_endpoint, asked)

    async def person(self, code: str, knock: Knock, *, back: str) -> Person:
        """Return whom the provider answers for, every signature and claim verified."""
        found = await self._discovery()
        tokens = await self._redeem(found, code, knock, back=back)
        said = oidc_claims.id_token(
            await self._verified(found, tokens.id_token),
            issuer=found.issuer,
            client=self._settings.client_id,
            nonce=knock.nonce,
            now=self._now(),
        )
        self._check_strength(said)
        info = await self._user_info(found, tokens.access_token, said)
        domain = info.email.rpartition("@")[2].casefold() if info.email_verified else ""
        return Person(
            issuer=said.iss,
            subject=said.sub,
            name=f"{info.given_name} {info.usual_name or info.family_name}".strip(),
            organisation=info.siret,
            domain=domain,
            is_strong=_is_strong(said),
            id_token=tokens.id_token,
        )

    async def exit(self, id_token: str, *, state: str, back: str) -> str | None:
        """Return the address that ends the session at the provider too, None if it has none."""
        endpoint = (await self._discovery()).end_session_endpoint
        asked = {"id_token_hint": id_token, "state": state, "post_logout_redirect_uri": back}
        return _with(endpoint, asked) if endpoint else None

    async def verify(self) -> int:
        """Return how many keys the provider publishes; LoginRefused where logins would fail."""
        return len(await self._published(await self._discovery()))

    def role_of(self, person: Person) -> Role | None:
        """Return the role of a new account of this person, None where they must be invited."""
        settings = self._settings
        is_ours = (not settings.siret or person.organisation in settings.siret) and (
            not settings.domains or person.domain in map(str.casefold, settings.domains)
        )
        return settings.auto_role if is_ours else None

    async def _discovery(self) -> Discovery:
        now = self._now()
        if self._found is not None and now - self._found[0] < _KEPT:
            return self._found[1]
        issuer = self._settings.issuer
        address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        found = _decoded(await self._get(address), Discovery)
        if found.issuer != issuer:
            raise LoginRefused("token", "the provider calls itself otherwise than oidc.issuer")
        back_channel = (found.token_endpoint, found.jwks_uri, found.userinfo_endpoint)
        if not all(self._client.may_visit(url, start=issuer) for url in back_channel):
            raise LoginRefused(
                "token", "the provider names a host that is not its own: add it to oidc.allow_hosts"
            )
        front = [found.authorization_endpoint, found.end_session_endpoint or issuer]
        schemes = {"https", issuer.partition(":")[0]}
        if not all(is_address(url, schemes) for url in (*front, *back_channel)):
            raise LoginRefused("token", "the provider names an address that is not https")
        self._found = (now, found)
        return found

    async def _redeem(self, found: Discovery, code: str, knock: Knock, *, back: str) -> Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "client_id": self._settings.client_id,
            "client_secret": self._secret,
        }
        if self._settings.pkce:
            form["code_verifier"] = knock.verifier
        try:
            answer = await self._client.post(
                found.token_endpoint, form=form, limit_bytes=_LIMIT_BYTES
            )
        except SourceError as error:
            raise LoginRefused("unreachable", str(error)) from error
        if answer.status != _OK:  # the code was used, is too old, or another client's
            raise LoginRefused("denied", f"the provider answers {answer.status} to the code")
        return _decoded(answer, Tokens)

    async def _user_info(self, found: Discovery, access_token: str, of: IdToken) -> UserInfo:
        headers = {"Authorization": f"Bearer {access_token}"}
        answer = await self._get(found.userinfo_endpoint, headers=headers)
        is_signed = answer.headers.get("content-type", "").startswith("application/jwt")
        if self._settings.signed_userinfo and not is_signed:
            raise LoginRefused("token", "the provider's user information is not signed")
        claims = answer.body
        if is_signed:
            claims = await self._verified(found, answer.body.decode("ascii", "replace").strip())
        return oidc_claims.user_info(
            claims, of=of, client=self._settings.client_id, now=self._now(), is_signed=is_signed
        )

    async def _verified(self, found: Discovery, token: str) -> bytes:
        """Return the claims of a token that one of the provider's keys has signed."""
        header = oidc_claims.header_of(token, algorithms=self._settings.algorithms)
        key = oidc_claims.key_of(await self._published(found), header)
        if key is None:  # the provider may have changed its keys
            key = oidc_claims.key_of(await self._published(found, again=True), header)
        if key is None:
            raise LoginRefused("token", "a token signed by a key the provider does not publish")
        return oidc_claims.claims_of(token, key, algorithm=header.alg)

    async def _published(self, found: Discovery, *, again: bool = False) -> list[dict[str, object]]:
        now = self._now()
        kept = _REFETCH if again else _KEPT
        if self._keys is None or now - self._keys[0] >= kept:
            self._keys = (now, _decoded(await self._get(found.jwks_uri), _Keys).keys)
        return self._keys[1]

    async def _get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Response:
        try:
            answer = await self._client.get(url, headers=headers, limit_bytes=_LIMIT_BYTES)
        except SourceError as error:
            raise LoginRefused("unreachable", str(error)) from error
        if answer.status != _OK:
            raise LoginRefused("unreachable", f"the provider answers {answer.status}")
        return answer

    def _check_strength(self, said: IdToken) -> None:
        settings = self._settings
        if settings.acr and said.acr not in settings.acr:
            raise LoginRefused("weak", "the provider's acr is not one of oidc.acr")
        if not set(settings.amr) <= set(said.amr):
            raise LoginRefused("weak", "the provider's amr lacks what oidc.amr asks for")
        # whoever holds the browser may have struck `prompt` out of the address
        asked_at = said.auth_time
        is_late = asked_at is not None and self._now().timestamp() - asked_at > _ASKED_WITHIN_S
        if is_late and not settings.sso:
            raise LoginRefused("sso", "the provider let a session of its own go on")


def _is_strong(said: IdToken) -> bool:
    return "mfa" in said.amr or said.acr in _STRONG or said.acr.endswith(_STRONG_END)


def _claims(settings: OidcSettings) -> str:
    """Return the claims to ask for: ProConnect says amr, and a better acr, only when asked."""
    wanted: dict[str, object] = {"amr": {"essential": True}}
    if settings.acr:
        wanted["acr"] = {"essential": True, "values": settings.acr}
    return msgspec.json.encode({"id_token": wanted}).decode()


def _with(endpoint: str, asked: Mapping[str, str]) -> str:
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


def _decoded(answer: Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LoginRefused(
            "token", "the provider's answer is not what OpenID Connect says"
        ) from error
