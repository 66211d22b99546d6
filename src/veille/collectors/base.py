"""What a collector owes the pipeline, and the settings of each kind of source."""

from __future__ import annotations

from typing import Annotated, Protocol

from msgspec import Meta, Struct

from veille.domain.durations import parse_duration
from veille.domain.errors import InputError
from veille.domain.mention import Batch

DEFAULT_LIMIT_BYTES = 4 * 1024 * 1024

SourceId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class PullCollector(Protocol):
    """Reads one source when asked."""

    async def read(self, cursor: str | None) -> Batch:
        """Return what is new since `cursor`, with the cursor to commit in the same transaction.

        Reading again from the same cursor gives the same mentions again. A batch whose cursor is
        the one given says that nothing more can be read now. Raises SourceError.
        """
        ...


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every source has: `watches` None means all; `trusted` skips the query."""

    id: SourceId
    watches: list[str] | None = None
    trusted: bool = False
    own: bool = False


class FileSource(Source, frozen=True, kw_only=True, tag="file"):
    """A file of mention interchange, one JSON object a line."""

    path: str
    follow: bool = True
    poll: str = "1s"

    def __post_init__(self) -> None:
        _check_duration(self.poll)


class FeedSource(Source, frozen=True, kw_only=True, tag="rss"):
    """An RSS, Atom or JSON feed."""

    url: str
    poll: str = "5m"
    allow_private: bool = False
    allow_hosts: list[str] = []
    limit_bytes: Annotated[int, Meta(ge=1024, le=64 * 1024 * 1024)] = DEFAULT_LIMIT_BYTES

    def __post_init__(self) -> None:
        _check_duration(self.poll)
        if not self.url.startswith(("http://", "https://")):
            raise ValueError("url is not an http or https address: write https://host/path")


class WebhookSource(Source, frozen=True, kw_only=True, tag="webhook"):
    """A place where others POST mentions; `secret` names a secret, `whsec_` and base64."""

    secret: str


def _check_duration(text: str) -> None:
    try:
        duration = parse_duration(text)
    except InputError as error:
        raise ValueError(str(error)) from error  # msgspec adds the path to a ValueError only
    if not duration:
        raise ValueError(f'poll = "{text}": must be longer than zero: write 5m')
