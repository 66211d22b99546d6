"""A few items of a source, an address or a file, read as the daemon would; nothing is kept."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from veille.app import parts
from veille.app.channels import collector
from veille.collectors.base import (
    FeedSource,
    FileSource,
    MqttSource,
    PullCollector,
    StreamCollector,
)
from veille.collectors.discover import feeds_of
from veille.collectors.interchange import MAX_LINE_BYTES, MAX_TEXT_CHARS, parse_lines
from veille.collectors.settings import SourceSettings
from veille.config import Config, Loaded, VeilleSettings, WatchSettings, unknown_name
from veille.domain.errors import ConfigError, SourceError
from veille.domain.mention import Batch, Mention, Rejection
from veille.domain.secrets import Secrets
from veille.domain.text import printable
from veille.net.client import Client
from veille.pipeline.collect import matching

READ_S = 60.0
SOURCE = "essai"
"""The source of what belongs to none in the configuration."""
LINES_PER_ITEM = 20
"""Lines of a file looked at for each item wanted: blank and bad ones are passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked for; `seconds` is how long a stream is listened to."""

    limit: int = 5
    seconds: float = 10.0
    allow_private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What came, the first to show first."""

    mentions: Sequence[Mention] = ()
    rejected: tuple[Rejection, ...] = ()


def without_config() -> Loaded:
    """Return a configuration that watches everything, under a key that is thrown away."""
    config = Config(veille=VeilleSettings(name=""), watch=[WatchSettings(id="tout")])
    key = {config.privacy.key: secrets.token_hex(parts.KEY_BYTES)}
    return Loaded(config=config, path=Path.cwd() / "-", secrets=Secrets(key, where="-"))


def find_target(target: str, loaded: Loaded, options: Options) -> SourceSettings:
    """Return the source that an id, an address or a file names; ConfigError when none does."""
    for source in loaded.config.source:
        if target == source.id or target == getattr(source, "url", None):
            is_private = options.allow_private and hasattr(source, "allow_private")
            return msgspec.structs.replace(source, allow_private=True) if is_private else source
    if target.startswith(("http://", "https://")):
        return FeedSource(id=SOURCE, url=target, allow_private=options.allow_private)
    if Path(target).is_file():
        return FileSource(id=SOURCE, path=str(Path(target).absolute()), follow=False)
    known = [source.id for source in loaded.config.source]
    raise ConfigError(
        f"{unknown_name('source', target, known)}; "
        "or give the address of a feed (https://…), or a file that exists"
    )


async def read(source: SourceSettings, loaded: Loaded, options: Options) -> Sample:
    if isinstance(source, FileSource):
        path = loaded.resolve(source.path)
        return await asyncio.to_thread(_read_file, path, source.id, options.limit)
    async with AsyncExitStack() as stack:
        found = await collector(loaded, source, stack)
        if found is None:
            raise ConfigError(f"source {source.id}: it is pushed to veille: nothing to read")
        if isinstance(found, StreamCollector):
            return await _listen(found, source, loaded, options)
        return await _pull(found, source)


async def _pull(found: PullCollector, source: SourceSettings) -> Sample:
    try:
        async with asyncio.timeout(READ_S):
            batch = await found.read(None)
    except TimeoutError as error:
        raise SourceError(f"source {source.id}: no answer within {READ_S:.0f} s") from error
    except SourceError as error:
        if isinstance(source, FeedSource):
            await _name_feeds(source, error)
        raise
    return Sample(mentions=batch.mentions[::-1], rejected=batch.rejected)


async def _name_feeds(source: FeedSource, error: SourceError) -> None:
    """Raise an error that names the feeds of the page, if the address is that of a page."""
    async with Client(allow_private=source.allow_private, allow_hosts=source.allow_hosts) as client:
        try:
            page = await client.get(source.url, limit_bytes=source.limit_bytes)
        except SourceError:
            return
    if feeds := feeds_of(page.body, page.url):
        listed = ", ".join(feeds)
        raise SourceError(
            f"source {source.id}: this is a web page, its feed is: {listed}: try that address",
            may_retry=False,
        ) from error


async def _listen(
    found: StreamCollector, source: SourceSettings, loaded: Loaded, options: Options
) -> Sample:
    """Return what came in time, what belongs to a watch first.

    A batch is acknowledged when the stream is resumed: where a broker keeps what is not
    acknowledged, the first that holds something is the last.
    """
    matcher = parts.matcher(loaded)
    is_kept = isinstance(source, MqttSource)
    wanted: list[Mention] = []
    others: list[Mention] = []
    rejected: list[Rejection] = []
    is_connected = False
    try:
        async with asyncio.timeout(options.seconds), aclosing(found.flow(None)) as flow:
            async for batch in flow:
                is_connected = True
                for mention in batch.mentions:
                    match = matching(matcher, source, mention.text)
                    (wanted if match else others).append(mention)
                rejected += batch.rejected
                del others[options.limit :], rejected[options.limit :]
                if len(wanted) >= options.limit or (is_kept and _has_something(batch)):
                    break
    except TimeoutError as error:
        if not is_connected:
            what = f"source {source.id}: no connection within {options.seconds:g} s"
            raise SourceError(f"{what}: is it up, and the address right?") from error
    return Sample(mentions=[*wanted, *others], rejected=tuple(rejected))


def _has_something(batch: Batch) -> bool:
    return bool(batch.mentions or batch.rejected)


def _read_file(path: Path, source: str, limit: int) -> Sample:
    """Return the first mentions of a file: interchange, or plain text, one a line."""
    if not path.is_file():  # opening a pipe would block
        raise ConfigError(f"source {source}: {path}: no such file: check the path")
    mentions: list[Mention] = []
    rejected: list[Rejection] = []
    try:
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        with path.open("rb") as file:
            for number in range(1, limit * LINES_PER_ITEM + 1):
                line = _line(file)
                batch = _parse(line, number, source, at)
                mentions += batch.mentions
                rejected += batch.rejected
                if not line or len(mentions) >= limit:
                    break
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    return Sample(mentions=mentions, rejected=tuple(rejected))


def _line(file: BinaryIO) -> bytes:
    """Return the next line, cut just above what a mention may have; the rest is passed over."""
    line = file.readline(MAX_LINE_BYTES + 1)
    rest = line
    while rest and not rest.endswith(b"\n"):
        rest = file.readline(MAX_LINE_BYTES)
    return line


def _parse(line: bytes, number: int, source: str, at: datetime) -> Batch:
    text = line.removeprefix(b"\xef\xbb\xbf").strip()
    if text.startswith(b"{"):
        return parse_lines([line], first=number, unnamed=source)
    if not text:
        return Batch()
    written = printable(text.decode("utf-8", "replace"))[:MAX_TEXT_CHARS]
    return Batch(mentions=(Mention(source=source, id=str(number), text=written, created_at=at),))
