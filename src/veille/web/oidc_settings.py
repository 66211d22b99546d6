"""The `[oidc]` table of config.toml: the identity provider people may come in by."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from veille.domain.access import Role
from veille.domain.address import is_address

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Signatures by a key pair only: with HS256, whoever knows the client secret signs for anybody."""
Siret = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9]{14}$", description="14 digits without a space")
]


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OpenID Connect provider; none while `issuer` is empty.

    `client_secret` is the name of the secret. One of `acr` and all of `amr` are required of each
    login, where they are set. With `auto_role`, people of one of the `siret` (and of one of the
    verified e-mail `domains`, where both are set) get an account of that role when they first come.
    Without `sso` the provider is told to ask people who they are at each login.
    """

    issuer: str = ""
    client_id: str = ""
    client_secret: str = ""
    name: str = "ProConnect"
    scopes: tuple[str, ...] = ("openid", "given_name", "usual_name", "email", "siret")
    algorithms: tuple[Algorithm, ...] = ("RS256", "ES256")
    signed_userinfo: bool = True
    pkce: bool = True
    sso: bool = True
    acr: tuple[str, ...] = ()
    amr: tuple[str, ...] = ()
    auto_role: Role | None = None
    siret: tuple[Siret, ...] = ()
    domains: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    allow_private: bool = False

    def __post_init__(self) -> None:
        """Raise ConfigError for a provider that could not be asked, or would let anybody in."""
        if not self.issuer:
            return
        if not is_address(self.issuer) or "?" in self.issuer or "#" in self.issuer:
            raise ValueError("issuer: no https address: write https://host/path")
        if not self.issuer.startswith("https://") and not self.allow_private:
            raise ValueError("issuer: write https://…: over http anybody may answer for it")
        for name in ("client_id", "client_secret", "name"):
            if not getattr(self, name):
                raise ValueError(f"{name}: the provider gives one: write it here")
        if "openid" not in self.scopes or not self.algorithms:
            raise ValueError('scopes holds "openid", algorithms at least one')
        if self.auto_role not in {None, Role.READER}:
            raise ValueError('auto_role: only "reader": give more on the page of accounts')
        if self.auto_role and not (self.siret or self.domains):
            raise ValueError("auto_role: set siret or domains, or anybody would have an account")
