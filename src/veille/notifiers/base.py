"""What a notifier is, what the app lends it, and how one is built from its settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from veille.domain.clock import utc_now
from veille.domain.errors import SourceError, VeilleError
from veille.domain.notification import Document, Notification, Ref
from veille.notifiers.devices import Push
from veille.notifiers.message import Voice
from veille.notifiers.pace import Pace


class Notifier(Protocol):
    """Code for one channel. At most one notification is in flight per receiver."""

    async def send(self, notification: Notification, *, ref: Ref | None) -> Ref:
        """Return how the channel names the first message of the incident, once it took this one.

        `ref` is what an earlier send of the same incident returned. Raises DeliveryError.
        """
        ...

    async def publish(self, document: Document) -> None:
        """Return once the channel took the document. Raises DeliveryError."""
        ...

    async def verify(self) -> str:
        """Return what answered, in words, having sent nothing. Raises DeliveryError."""
        ...


class HostCheck(Protocol):
    """Refuses a host that must not be reached; net gives it."""

    def __call__(self, host: str, port: int, *, allow_private: bool) -> Awaitable[object]:
        """Return once the host may be connected to; VeilleError with the remedy otherwise."""
        ...


class Sessions(Protocol):
    """Gives the guarded HTTP session; net owns it."""

    def __call__(self, *, allow_private: bool) -> Any:
        """Return an open aiohttp.ClientSession (Any: only net, web, app, demo touch aiohttp)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the app lends to every notifier.

    `secret` returns the value of a named secret or raises ConfigError. `pace` is shared by all.
    `has_buttons`: somebody answers when a button in Slack is pressed. `push` knows the
    devices, None where there is no push receiver.
    """

    voice: Voice
    secret: Callable[[str], str]
    session: Sessions
    check_host: HostCheck
    pace: Pace
    has_buttons: bool = False
    push: Push | None = None
    now: Callable[[], datetime] = utc_now


def may_retry(error: VeilleError) -> bool:
    """Return whether a refusal of net may pass: a name that did not resolve may."""
    return isinstance(error, SourceError) and error.may_retry


def never_connected(error: Exception) -> bool:
    """Return whether nothing was sent: a connection refused, unknown host, bad certificate.

    aiohttp's connection errors, and only they, carry the operating system's as `os_error`.
    """
    return isinstance(getattr(error, "os_error", None), OSError)
