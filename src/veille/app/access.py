"""What logins need from the configuration: the identity provider, opened where one is named."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime

from veille.app.machine import Check, State
from veille.config import Loaded
from veille.domain.clock import utc_now
from veille.domain.errors import VeilleError
from veille.net.client import Client
from veille.web.oidc_provider import TIME_LIMIT, OidcProvider
from veille.wording.catalogue import Catalogue


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


async def check(loaded: Loaded, say: Catalogue) -> Check | None:
    """Return whether the provider answers as logins need it to; None where none is named.

    Client id and secret are not tried: only a login does.
    """
    issuer = loaded.config.oidc.issuer
    async with AsyncExitStack() as stack:
        try:
            found = await provider(loaded, stack, now=utc_now)
            count = await found.verify() if found else 0
        except VeilleError as error:
            text = say("start.doctor.provider_ill", issuer=issuer, why=error)
            remedy = say("start.doctor.provider_remedy")
            return Check(area="oidc", text=text, state=State.PROBLEM, remedy=remedy)
    if found is None:
        return None
    return Check(area="oidc", text=say("start.doctor.provider", issuer=issuer, count=count))
