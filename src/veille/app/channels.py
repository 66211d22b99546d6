"""Collectors and notifiers, built from their settings with the clients they need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import msgspec

from veille.app import push
from veille.app.desks import has_buttons
from veille.collectors.base import (
    BlueskySource,
    FeedSource,
    FileSource,
    MastodonSource,
    MqttSource,
    PullCollector,
    StreamCollector,
    WebhookSource,
)
from veille.collectors.bluesky import BlueskyCollector
from veille.collectors.feed import FeedCollector
from veille.collectors.file import FileCollector
from veille.collectors.mastodon import MastodonCollector
from veille.collectors.mastodon_rest import RECENT
from veille.collectors.mqtt import MqttCollector
from veille.collectors.settings import SourceSettings
from veille.config import Loaded
from veille.domain.clock import utc_now
from veille.domain.durations import parse_duration
from veille.domain.errors import ConfigError
from veille.net.client import Client
from veille.net.guard import check_host
from veille.net.signature import decode_secret
from veille.notifiers.base import Notifier, Tools
from veille.notifiers.devices import Push
from veille.notifiers.message import Voice
from veille.notifiers.mqtt import MqttNotifier
from veille.notifiers.pace import GAP_S, Pace
from veille.notifiers.registry import build
from veille.pipeline.collect import Collect
from veille.pipeline.pull import Pull
from veille.pipeline.stream import Stream
from veille.store import mentions
from veille.store.protocol import Store
from veille.wording.catalogue import catalogue

ClientType = Callable[..., Client]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A webhook source with its secret."""

    origin: WebhookSource
    secret: str


def doors(loaded: Loaded) -> Mapping[str, Door]:
    """Return the webhook sources by id; ConfigError when a secret is missing or malformed."""
    found: dict[str, Door] = {}
    for source in loaded.config.source:
        if isinstance(source, WebhookSource):
            secret = signing_secret(loaded, f"source {source.id}", source.secret)
            found[source.id] = Door(origin=source, secret=secret)
    return found


def signing_secret(loaded: Loaded, whose: str, name: str) -> str:
    """Return the secret of that name; ConfigError says whose it is when it can sign nothing."""
    secret = loaded.secrets(name)
    try:
        decode_secret(secret)
    except ConfigError as error:
        file = loaded.path.parent / loaded.config.veille.secrets
        raise ConfigError(f"{whose}: {file}: {name}: {error}") from error
    return secret


async def pullers(
    loaded: Loaded, store: Store, collect: Collect, stack: AsyncExitStack
) -> list[Pull]:
    """Return the poll loop of every source that is read; clients close with the stack."""
    return [
        Pull(store, collect, origin=source, collector=reader, poll=parse_duration(source.poll))
        for source in loaded.config.source
        if isinstance(source, FileSource | FeedSource)
        and (reader := await _reader(loaded, source, stack)) is not None
    ]


async def collector(
    loaded: Loaded, source: SourceSettings, stack: AsyncExitStack, *, client: ClientType = Client
) -> PullCollector | StreamCollector | None:
    """Return what reads this source; None when it is pushed. Clients close with the stack."""
    if isinstance(source, MqttSource):  # a visitor takes over no session, and leaves none
        name = f"{source.client_id or source.id}-visit"
        source = msgspec.structs.replace(source, client_id=name, session="1s")
    reader = await _reader(loaded, source, stack, client=client)
    return reader or await _stream(loaded, source, stack, client=client)


async def _reader(
    loaded: Loaded, source: SourceSettings, stack: AsyncExitStack, *, client: ClientType = Client
) -> PullCollector | None:
    match source:
        case FileSource():
            path = str(loaded.resolve(source.path))
            return FileCollector(msgspec.structs.replace(source, path=path))
        case FeedSource():
            return FeedCollector(source, await _open(source, stack, client))
        case _:
            return None  # pushed (see doors), or a stream


async def streams(
    loaded: Loaded, store: Store, collect: Collect, stack: AsyncExitStack
) -> list[Stream]:
    """Return the loop of every source that stays connected; clients close with the stack."""
    return [
        Stream(store, collect, origin=source, collector=collector)
        for source in loaded.config.source
        if (collector := await _stream(loaded, source, stack, store=store)) is not None
    ]


async def _stream(
    loaded: Loaded,
    source: SourceSettings,
    stack: AsyncExitStack,
    *,
    client: ClientType = Client,
    store: Store | None = None,
) -> StreamCollector | None:
    """Without a store nothing is known of what was read before."""
    match source:
        case BlueskySource():
            return BlueskyCollector(source, await _open(source, stack, client))
        case MastodonSource():
            token = None if source.token is None else loaded.secrets(source.token)
            opened = await _open(source, stack, client)
            return MastodonCollector(source, opened, token=token, kept=_kept(store, source.id))
        case MqttSource():
            password = None if source.password is None else loaded.secrets(source.password)
            return MqttCollector(source, password=password)
        case _:
            return None


def _kept(store: Store | None, source: str) -> Callable[[], Awaitable[Sequence[str]]]:
    async def kept() -> Sequence[str]:
        if store is None:
            return ()
        return await store.read(lambda db: mentions.newest_ids(db, source, RECENT))

    return kept


async def _open(
    source: FeedSource | BlueskySource | MastodonSource, stack: AsyncExitStack, client: ClientType
) -> Client:
    return await stack.enter_async_context(
        client(allow_private=source.allow_private, allow_hosts=source.allow_hosts)
    )


async def notifiers(
    loaded: Loaded, stack: AsyncExitStack, *, devices: Push | None = None, gap_s: float = GAP_S
) -> Mapping[str, Notifier]:
    """Return the notifier of every receiver by id; clients close with the stack.

    Without `devices`, push receivers can be looked at and reach nobody. A channel takes a post
    each `gap_s` seconds.
    """
    outside = await stack.enter_async_context(Client())
    inside = await stack.enter_async_context(Client(allow_private=True))

    def session(*, allow_private: bool) -> Any:  # Any: notifiers do not know aiohttp
        return (inside if allow_private else outside).session()

    tools = Tools(
        voice=Voice(words=catalogue(loaded.config.veille.language), zone=loaded.timezone),
        secret=loaded.secrets,
        session=session,
        check_host=check_host,
        pace=Pace(gap_s=gap_s),
        has_buttons=has_buttons(loaded),
        push=devices or push.shared(loaded, None, now=utc_now),
    )
    found = {receiver.id: build(receiver, tools=tools) for receiver in loaded.config.receiver}
    for notifier in found.values():
        if isinstance(notifier, MqttNotifier):
            await stack.enter_async_context(notifier)
    return found
