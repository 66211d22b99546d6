"""Settings of the receivers: `[[receiver]]` in config.toml, one type per kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Literal

import msgspec

from veille.domain.address import is_address
from veille.domain.durations import parse_duration
from veille.domain.errors import InputError

# Plain ASCII addresses: relays without SMTPUTF8 are still common, and no CR, LF, space or quote
# may reach a header or an SMTP command.
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*",
    re.ASCII,
)
_ADDRESS_MAX = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+", re.ASCII)
_CHANNEL = re.compile(r"#?[\w-]{1,80}")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,64}(/[A-Za-z0-9._-]{1,64}){0,9}", re.ASCII)
_NODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
_TIMEOUT_MAX_S = 120
_TTL_MAX = timedelta(days=7)
PUSH_SERVICES = (
    "fcm.googleapis.com",  # Chrome, Edge on Android, Samsung Internet
    "updates.push.services.mozilla.com",  # Firefox
    "web.push.apple.com",  # Safari
    "*.notify.windows.com",  # Edge on Windows
)
"""Where the browsers of today have their push service."""


class SlackReceiver(
    msgspec.Struct,
    tag="slack",
    tag_field="kind",
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
):
    """A Slack channel. `token` is the name of a secret; the app needs the chat:write scope.

    `name` (of every kind) is what people call it. `fallback` is the id of the receiver that is told
    while this one fails.
    `quotes = false` keeps the texts of mentions out of Slack. `timeout` is for one request.
    """

    id: str
    name: str = ""
    token: str
    channel: str
    api_url: str = "https://slack.com/api/"
    allow_private: bool = False
    quotes: bool = True
    fallback: str | None = None
    timeout: str = "10s"

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) on a value that could never work."""
        if not is_address(self.api_url):
            raise ValueError(f'api_url "{self.api_url}" is no web address: write https://…/api/')
        if _CHANNEL.fullmatch(self.channel) is None:
            raise ValueError(f'channel "{self.channel}" is no channel: write its id (C0123456789)')
        _timeout_s(self.timeout)

    @property
    def timeout_s(self) -> float:
        """The longest wait for one answer, in seconds."""
        return _timeout_s(self.timeout)


class EmailReceiver(
    msgspec.Struct,
    tag="email",
    tag_field="kind",
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
):
    """Mail addresses behind one SMTP relay. `password` is the name of a secret.

    `quotes = false` keeps the texts of mentions out of the mail. `timeout` is for one step.
    """

    id: str
    name: str = ""
    host: str
    sender: str
    to: tuple[str, ...]
    port: int = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: str | None = None
    allow_private: bool = False
    quotes: bool = True
    fallback: str | None = None
    timeout: str = "30s"

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) on a value that could never work."""
        if not self.to:
            raise ValueError("to is empty: write at least one address")
        for address in (self.sender, *self.to):
            if len(address) > _ADDRESS_MAX or _ADDRESS.fullmatch(address) is None:
                raise ValueError(f"{address!r} is no mail address: write name@domain in ASCII")
        if _HOST.fullmatch(self.host) is None or not 1 <= self.port <= 65535:  # noqa: PLR2004 TCP
            raise ValueError(f"{self.host!r}:{self.port} is no server: write a host and a port")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together: write both or neither")
        if self.user is not None and self.tls == "none":
            raise ValueError('tls = "none" would show the password: write "starttls" or "tls"')
        _timeout_s(self.timeout)

    @property
    def timeout_s(self) -> float:
        """The longest wait to connect, then to hand a mail over, in seconds."""
        return _timeout_s(self.timeout)


class WebhookReceiver(
    msgspec.Struct,
    tag="webhook",
    tag_field="kind",
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
):
    """An address that takes signed JSON. `secret` is the name of a secret: `whsec_` and base64.

    `quotes = false` keeps the texts of mentions out of it. `timeout` is for one request.
    """

    id: str
    name: str = ""
    url: str
    secret: str
    allow_private: bool = False
    quotes: bool = True
    fallback: str | None = None
    timeout: str = "10s"

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) on a value that could never work."""
        if not is_address(self.url):
            raise ValueError("url: no web address: write https://…")  # it may hold a secret
        _timeout_s(self.timeout)

    @property
    def timeout_s(self) -> float:
        """The longest wait for one answer, in seconds."""
        return _timeout_s(self.timeout)


class MqttReceiver(
    msgspec.Struct,
    tag="mqtt",
    tag_field="kind",
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
):
    """An MQTT 5 broker; topics start with `mqtt_topic`. `password` is the name of a secret.

    `node` is the name of this installation on the bus. `quotes = false` (the default: what is on a
    bus outlives a deletion) keeps the texts of mentions out of it. `timeout` is for one step.
    """

    id: str
    name: str = ""
    host: str
    mqtt_topic: str
    node: str = "veille"
    port: int | None = None
    tls: bool = False
    user: str | None = None
    password: str | None = None
    allow_private: bool = False
    quotes: bool = False
    fallback: str | None = None
    timeout: str = "10s"

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) on a value that could never work."""
        if _TOPIC.fullmatch(self.mqtt_topic) is None:
            raise ValueError(
                f'mqtt_topic "{self.mqtt_topic}" is no topic to publish under: write '
                "veille/v1/saint-aubin, with a-z, 0-9, - _ . and /"
            )
        if _NODE.fullmatch(self.node) is None:
            raise ValueError(f'node "{self.node}" is no name: write a-z, 0-9, - and _')
        port = 1 if self.port is None else self.port
        if _HOST.fullmatch(self.host) is None or not 1 <= port <= 65535:  # noqa: PLR2004 TCP
            raise ValueError(f"{self.host!r}:{self.port} is no server: write a host and a port")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together: write both or neither")
        if self.password is not None and not (self.tls or self.allow_private):
            raise ValueError("without TLS anybody could read the password: write tls = true")
        _timeout_s(self.timeout)

    @property
    def timeout_s(self) -> float:
        """The longest wait to connect, then for one confirmation, in seconds."""
        return _timeout_s(self.timeout)

    @property
    def client(self) -> str:
        """The client identifier: to the broker, one that connects twice is one that moved."""
        return f"{self.node}-{self.id}"


class PushReceiver(
    msgspec.Struct,
    tag="push",
    tag_field="kind",
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
):
    """Browsers of users, by web push. `to` names users, `schedules` those on call there.

    Without either it is for the people that name this receiver. `ttl` is how long the push service
    keeps what it cannot hand over. Nothing of a mention is ever in it.
    """

    id: str
    name: str = ""
    to: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()
    ttl: str = "4h"
    fallback: str | None = None
    timeout: str = "10s"

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) on a value that could never work."""
        try:
            keep = parse_duration(self.ttl)
        except InputError as error:
            raise ValueError(f"ttl: {error}") from error
        if not timedelta(minutes=1) <= keep <= _TTL_MAX:
            raise ValueError(f'ttl "{self.ttl}" is out of range: write 1m to 7d')
        _timeout_s(self.timeout)

    @property
    def ttl_s(self) -> int:
        """How long a push service keeps what it cannot hand over, in seconds."""
        return int(parse_duration(self.ttl).total_seconds())

    @property
    def timeout_s(self) -> float:
        """The longest wait for one answer, in seconds."""
        return _timeout_s(self.timeout)

    @property
    def quotes(self) -> bool:
        """Whether texts of mentions may stand in it: never."""
        return False


class PushSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[push]`: `key` is the name of a secret; `contact` is whom a push service writes to.

    Addresses of browsers are refused unless their host is in `allow_hosts`.
    """

    key: str = "PUSH_KEY"
    contact: str = ""
    allow_hosts: tuple[str, ...] = PUSH_SERVICES
    allow_private: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec adds where) on a value that could never work."""
        if self.contact and not self.contact.startswith(("mailto:", "https://")):
            raise ValueError(f'contact "{self.contact}": write mailto:dsi@mairie.example')


ReceiverSettings = SlackReceiver | EmailReceiver | WebhookReceiver | MqttReceiver | PushReceiver


def fallback_problems(receivers: Sequence[ReceiverSettings]) -> Iterator[str]:
    """Yield which fallbacks do not exist, and which receivers their fallbacks lead back to."""
    fallbacks = {receiver.id: receiver.fallback for receiver in receivers}
    for index, receiver in enumerate(receivers):
        name, seen = receiver.fallback, [receiver.id]
        if name is not None and name not in fallbacks:
            known = ", ".join(sorted(fallbacks))
            yield f'receiver[{index}].fallback: "{name}" does not exist; known: {known}'
        while name is not None and name not in seen:
            seen.append(name)
            name = fallbacks.get(name)
        if name == receiver.id:
            way = " > ".join((*seen, name))
            yield f"receiver[{index}].fallback: {way} is a circle: leave out one of them"


def _timeout_s(text: str) -> float:
    try:
        seconds = parse_duration(text).total_seconds()
    except InputError as error:
        raise ValueError(f"timeout: {error}") from error
    if not 1 <= seconds <= _TIMEOUT_MAX_S:
        raise ValueError(f'timeout "{text}" is out of range: write 1s to {_TIMEOUT_MAX_S}s')
    return seconds
