"""What a collector owes the pipeline, and the settings of each kind of source."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Annotated, Protocol, runtime_checkable

from msgspec import Meta, Struct, field

from veille.domain.address import is_address
from veille.domain.durations import parse_duration
from veille.domain.errors import InputError
from veille.domain.mention import Batch

DEFAULT_LIMIT_BYTES = 4 * 1024 * 1024
MASTODON_STREAM = re.compile(r"public(:local)?|user(:notification)?|hashtag:[^\W_](\w*)")

LONGEST_SESSION = timedelta(days=365)
_HOST = r"^([A-Za-z0-9]([A-Za-z0-9.-]{0,253}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,45})$"
# MQTT 5.0, 4.7: levels between slashes; no NUL, and nothing that could hide in a log
_FILTER = re.compile(r"(?:(?:[^\x00-\x1f\x7f/#+]*|\+)/)*(?:[^\x00-\x1f\x7f/#+]+|\+|#)")

SourceId = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="a to z, 0 to 9, - and _: presse-2"),
]
SourceName = Annotated[
    str,
    Meta(max_length=70, description="at most 70 characters: two lines of a phone"),
]
"""Measured in Chromium: at 390 px two lines of `/sources` hold 72 characters of a French name."""
Host = Annotated[str, Meta(pattern=_HOST, description="a name or an address: mqtt.mairie.example")]
ListedHost = Annotated[
    str,
    Meta(
        pattern=r"^([^\s/:@?#*\[\]]+|[0-9A-Fa-f:]{2,45})$",
        description="a name without https:// and without a path: cdn.presse.example",
    ),
]
ClientId = Annotated[
    str, Meta(pattern=r"^[\w.:-]{1,128}$", description="letters, digits and . : _ -: veille-bus")
]


class PullCollector(Protocol):
    """Reads one source when asked."""

    async def read(self, cursor: str | None) -> Batch:
        """Return what is new since `cursor`, with the cursor to commit in the same transaction.

        Reading again from the same cursor gives the same mentions again. A batch whose cursor is
        the one given says that nothing more can be read now. Raises SourceError.
        """
        ...


@runtime_checkable
class StreamCollector(Protocol):
    """Stays connected to one source."""

    def flow(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Yield batches from `cursor` on, for as long as the connection holds.

        The first comes once the source has taken the connection; then one at least every two
        seconds, empty when nothing came. When the generator is resumed, what it yielded is
        committed (the moment to acknowledge); when it is closed instead, it may not be. Raises
        SourceError when the connection fails or ends.
        """
        ...


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every source has: `watches` None means all; `trusted` skips the query.

    `name` is what people call it; without one it is called by its id.
    """

    id: SourceId
    name: SourceName = ""
    watches: list[str] | None = None
    trusted: bool = False
    own: bool = False


class FileSource(Source, frozen=True, kw_only=True, tag="file"):
    """A file of mention interchange, one JSON object a line."""

    path: str
    follow: bool = True
    poll: str = "1s"

    def __post_init__(self) -> None:
        _check_duration("poll", self.poll)


class FeedSource(Source, frozen=True, kw_only=True, tag="rss"):
    """An RSS, Atom or JSON feed."""

    url: str
    poll: str = "5m"
    allow_private: bool = False
    allow_hosts: list[ListedHost] = []
    limit_bytes: Annotated[int, Meta(ge=1024, le=64 * 1024 * 1024)] = DEFAULT_LIMIT_BYTES

    def __post_init__(self) -> None:
        _check_duration("poll", self.poll)
        if not is_address(self.url):
            raise ValueError("url: no http or https address: write https://host/path")


class WebhookSource(Source, frozen=True, kw_only=True, tag="webhook"):
    """A place where others POST mentions; `secret` names a secret, `whsec_` and base64."""

    secret: str


class BlueskySource(Source, frozen=True, kw_only=True, tag="bluesky"):
    """A Jetstream v1 server and its spares; `dids` restricts it to these accounts."""

    urls: Annotated[list[str], Meta(min_length=1, max_length=10)]
    collections: Annotated[list[str], Meta(min_length=1, max_length=100)] = field(
        default_factory=lambda: ["app.bsky.feed.post"]
    )
    dids: Annotated[list[str], Meta(max_length=100)] = []
    silence: str = "60s"
    allow_private: bool = False
    allow_hosts: list[ListedHost] = []

    def __post_init__(self) -> None:
        _check_duration("silence", self.silence)
        for url in self.urls:
            if not is_address(url, {"ws", "wss"}):
                raise ValueError("urls: no ws or wss address: write wss://host/subscribe")
        for did in self.dids:
            if not did.startswith("did:"):
                raise ValueError(f'dids: "{did}" is no DID: write did:plc:… instead of a handle')


class MastodonSource(Source, frozen=True, kw_only=True, tag="mastodon"):
    """Streams of one Mastodon server; `token` names a secret."""

    url: str
    streams: Annotated[list[str], Meta(min_length=1, max_length=10)]
    token: str | None = None
    allow_private: bool = False
    allow_hosts: list[ListedHost] = []

    def __post_init__(self) -> None:
        if not is_address(self.url):
            raise ValueError("url: no http or https address: write https://host")
        for stream in self.streams:
            if not MASTODON_STREAM.fullmatch(stream):
                raise ValueError(
                    f'streams: "{stream}" is none: write hashtag:name (without #), public, '
                    "public:local, user or user:notification"
                )


class MqttSource(Source, frozen=True, kw_only=True, tag="mqtt"):
    """A topic filter of an MQTT 5 broker; `password` names a secret.

    The broker keeps what was not acknowledged for `session` after a disconnect.
    """

    host: Host
    mqtt_topic: Annotated[str, Meta(min_length=1, max_length=1024)]
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    tls: bool = False
    user: str | None = None
    password: str | None = None
    client_id: ClientId | None = None
    session: str = "7d"
    receive_maximum: Annotated[int, Meta(ge=1, le=1000)] = 100
    allow_private: bool = False

    def __post_init__(self) -> None:
        _check_duration("session", self.session)
        if parse_duration(self.session) > LONGEST_SESSION:
            raise ValueError(f'session: "{self.session}": write 365d or less')
        if _FILTER.fullmatch(self.mqtt_topic) is None:
            raise ValueError(
                "mqtt_topic is no topic filter: # stands last and alone, + alone in its level"
            )
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together: write both or neither")
        if self.password is not None and not (self.tls or self.allow_private):
            raise ValueError("without TLS anybody could read the password: write tls = true")

    @property
    def client(self) -> str:
        """The client identifier: to the broker, one that connects twice is one that moved."""
        return self.client_id or f"veille-{self.id}"


def _check_duration(key: str, text: str) -> None:
    try:
        duration = parse_duration(text)
    except InputError as error:
        raise ValueError(f"{key}: {error}") from error  # msgspec adds the path to a ValueError only
    if not duration:
        raise ValueError(f'{key}: "{text}" must be longer than zero: write 60s or 5m')
