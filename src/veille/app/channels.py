"""Collectors and notifiers, built from their settings with the clients they need."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import msgspec

from veille.collectors.base import FeedSource, FileSource, WebhookSource
from veille.collectors.feed import FeedCollector
from veille.collectors.file import FileCollector
from veille.collectors.webhook import decode_secret
from veille.config import Loaded
from veille.domain.durations import parse_duration
from veille.net.client import Client
from veille.net.guard import check_host
from veille.notifiers.base import Tools
from veille.notifiers.message import Voice
from veille.notifiers.pace import Pace
from veille.notifiers.registry import build
from veille.pipeline.collect import Collect
from veille.pipeline.deliver import Notifier
from veille.pipeline.pull import Pull
from veille.store.protocol import Store
from veille.wording.catalogue import catalogue


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
            secret = loaded.secrets(source.secret)
            decode_secret(secret)
            found[source.id] = Door(origin=source, secret=secret)
    return found


async def pullers(
    loaded: Loaded, store: Store, collect: Collect, stack: AsyncExitStack
) -> list[Pull]:
    """Return the poll loop of every source that is read; clients close with the stack."""
    found: list[Pull] = []
    for source in loaded.config.source:
        match source:
            case FileSource():
                path = str(loaded.resolve(source.path))
                reader = FileCollector(msgspec.structs.replace(source, path=path))
                found.append(_pull(store, collect, source, reader, source.poll))
            case FeedSource():
                client = await stack.enter_async_context(
                    Client(allow_private=source.allow_private, allow_hosts=source.allow_hosts)
                )
                feed = FeedCollector(source, client)
                found.append(_pull(store, collect, source, feed, source.poll))
            case WebhookSource():
                pass  # pushed: see doors
    return found


def _pull(
    store: Store,
    collect: Collect,
    source: FileSource | FeedSource,
    collector: FileCollector | FeedCollector,
    poll: str,
) -> Pull:
    return Pull(store, collect, origin=source, collector=collector, poll=parse_duration(poll))


async def notifiers(loaded: Loaded, stack: AsyncExitStack) -> Mapping[str, Notifier]:
    """Return the notifier of every receiver by id; clients close with the stack."""
    outside = await stack.enter_async_context(Client())
    inside = await stack.enter_async_context(Client(allow_private=True))

    def session(*, allow_private: bool) -> Any:  # Any: notifiers do not know aiohttp
        return (inside if allow_private else outside).session()

    tools = Tools(
        voice=Voice(words=catalogue(loaded.config.veille.language), zone=loaded.timezone),
        secret=loaded.secrets,
        session=session,
        check_host=check_host,
        pace=Pace(),
    )
    return {receiver.id: build(receiver, tools=tools) for receiver in loaded.config.receiver}
