"""The `[web]` table of config.toml."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import msgspec

from veille.domain.access import Role
from veille.domain.address import PORT
from veille.domain.durations import parse_duration
from veille.domain.errors import InputError
from veille.web.network import networks

LONGEST_LINK = timedelta(days=30)
"""A mail forwarded or found later must not act for its reader: judgement."""
Listen = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^[^\s/]+:{PORT}$",
        description="an address and a port up to 65535: 127.0.0.1:8080",
    ),
]
Origin = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^https?://([^/?#@\s:]+|\[[0-9A-Fa-f:.]+\])(:{PORT})?/?$",
        description="http or https and a host, without a path: https://veille.mairie.example",
    ),
]


class SlackSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[slack]`: the name of the secret that Slack signs with; empty: messages have no buttons."""

    signing_secret: str = ""


class Conformity(StrEnum):
    """What a declaration of accessibility may say (arrêté du 20 septembre 2019, annexe)."""

    NONE = "none"
    PARTIAL = "partial"
    FULL = "full"


class AccessibilitySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[web.accessibility]`: what the declaration says of this installation.

    Without an audit in force the law knows one word only, `none` (same text): so more than that
    needs `audit`, a sentence that says by whom, when and with what result.
    """

    conformity: Conformity = Conformity.NONE
    audit: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    contact: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^(mailto:[^\s@<>]+@[^\s@<>]+|https?://[^\s<>]+)?$",
            description="mailto: or https:// and who answers: mailto:accessibilite@mairie.example",
        ),
    ] = ""

    def __post_init__(self) -> None:
        """Raise ValueError for a conformity that nobody measured."""
        if self.conformity is not Conformity.NONE and not self.audit.strip():
            raise ValueError('conformity: say in audit who measured it, and when, or write "none"')


class WebSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the web interface listens, and the address people type.

    `public_url` has no path; with https the session cookie is Secure and HSTS is sent. Only a
    request that comes from one of `trusted_proxies` (addresses or networks) may name another
    client in X-Forwarded-For. `metrics` false: there is no `/metrics`. A link in a mail is good
    for `link_lifetime`; "0s": mails have none. Users of a role in `second_factor` do nothing before
    they have one. Each token and session may ask the API `api_rate` times a minute.
    """

    listen: Listen = "127.0.0.1:8080"
    public_url: Origin = "http://127.0.0.1:8080"
    trusted_proxies: tuple[str, ...] = ("127.0.0.1",)
    metrics: bool = True
    link_lifetime: str = "72h"
    second_factor: tuple[Role, ...] = ()
    api_rate: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 600
    accessibility: AccessibilitySettings = AccessibilitySettings()

    def __post_init__(self) -> None:
        """Raise ConfigError for a proxy that is neither an address nor a network."""
        networks(self.trusted_proxies)
        try:
            lifetime = self.lifetime
        except InputError as error:
            raise ValueError(f"link_lifetime: {error}") from error  # msgspec adds the path
        if lifetime > LONGEST_LINK:
            raise ValueError(f'link_lifetime: "{self.link_lifetime}" is over 30d: write less')

    @property
    def lifetime(self) -> timedelta:
        """How long a link in a mail is good."""
        return parse_duration(self.link_lifetime)

    @property
    def is_https(self) -> bool:
        """Whether people reach veille by https."""
        return self.public_url.startswith("https://")

    @property
    def origin(self) -> str:
        """`public_url` as a browser writes it in Origin: lower case, no slash at the end."""
        return self.public_url.rstrip("/").lower()

    @property
    def cookie(self) -> str:
        """The session cookie's name; `__Host-` needs Secure, hence https (RFC 6265bis 4.1.3.2)."""
        return "__Host-veille" if self.is_https else "veille"
