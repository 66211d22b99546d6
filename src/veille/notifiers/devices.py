"""Devices that web push reaches: what the notifier is lent, and whom it asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from veille.domain.notification import Facts
from veille.net.webpush import Subscription
from veille.notifiers.settings import PushSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A device of `user`; `took` is the key of the last message it took."""

    id: int
    user: str
    subscription: Subscription = field(repr=False)
    took: str = ""


class Devices(Protocol):
    """The devices that users enabled, and what is told of them; the app gives it."""

    async def meant(self, receiver: str, facts: Facts | None) -> Sequence[Target]:
        """Return the devices of those whom `receiver` tells of an incident, or of a document."""
        ...

    async def one(self, number: int) -> Sequence[Target]:
        """Return the device of this id, if it still is."""
        ...

    async def took(self, target: Target, key: str) -> None:
        """The device took the message of this key."""
        ...

    async def failed(self, target: Target, why: str) -> None:
        """The device did not take it."""
        ...

    async def gone(self, target: Target) -> None:
        """The device is no more."""
        ...

    def theme(self, facts: Facts) -> str:
        """Return the name of the topic of an incident's rule, "" if it has none."""
        ...

    def take(self, receiver: str, user: str, facts: Facts) -> str:
        """Return the path at which this user takes the incident."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What every push receiver shares; `contact` is whom a push service may write to.

    `now` is the clock that notifications were planned by.
    """

    settings: PushSettings
    devices: Devices
    contact: str
    now: Callable[[], datetime]
