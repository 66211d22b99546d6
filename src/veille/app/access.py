"""What logins need from the configuration: the identity provider, opened where one is named."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime

from veille.config import Loaded
from veille.net.client import Client
from veille.web.oidc_provider import TIME_LIMIT, OidcProvider


async def provider(
    loaded: Loaded, stack: AsyncExitStack, *, now: Callable[[], datetime]
) -> OidcProvider | None:
    """Return the provider of `[oidc]`, its client open until the stack ends; None without one.

    Nobody is asked yet: a provider that is down stops no start. ConfigError for a missing secret.
    """
    settings = loaded.config.oidc
    if not settings.issuer:
        return None
    secret = loaded.secrets(settings.client_secret)
    client = Client(
        allow_private=settings.allow_private,
        allow_hosts=settings.allow_hosts,
        time_limit=TIME_LIMIT,
    )
    await stack.enter_async_context(client)
    return OidcProvider(settings, secret=secret, client=client, now=now)
