"""`veille try`: a few items as they would be masked and understood; nothing is kept."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from veille.app import parts
from veille.app.sample import Options, read
from veille.collectors.base import WebhookSource
from veille.collectors.settings import SourceSettings
from veille.config import Loaded
from veille.domain.alert import Reading
from veille.domain.analysis import Analysis
from veille.domain.mention import Mention, Rejection
from veille.domain.query import parse_query
from veille.domain.record import MaskedMention, Observation, StoredMention
from veille.net.signature import sign
from veille.pipeline.collect import Origin, matching
from veille.privacy import seal
from veille.privacy.protect import Protector
from veille.privacy.pseudonym import Pseudonyms
from veille.rules.engine import Engine
from veille.rules.model import RuleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """A watch that a text belongs to, and the words that say so; none when it takes everything."""

    watch: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One item: as it came (in memory only), as it would be stored, and what is found in it.

    `readings` says what each rule that counts it would say if nothing else had come.
    """

    original: Mention
    masked: MaskedMention
    analysis: Analysis
    matched: tuple[Matched, ...]
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a trial gave; `seen` counts the items that came, shown or not."""

    source: str
    shown: tuple[Shown, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    seen: int = 0


async def attempt(source: SourceSettings, loaded: Loaded, options: Options) -> Trial:
    """Return the items of a source (not a pushed one), newest first for a feed.

    No store is opened, no cursor moved, nothing acknowledged. Raises SourceError.
    """
    sample = await read(source, loaded, options)
    living = [mention for mention in sample.mentions if not mention.deleted]
    shown = await asyncio.to_thread(_understand, living[: options.limit], source, loaded)
    return Trial(source=source.id, shown=shown, rejected=sample.rejected, seen=len(sample.mentions))


def _understand(
    mentions: Sequence[Mention], source: SourceSettings, loaded: Loaded
) -> tuple[Shown, ...]:
    protector, rules = _protector(loaded), parts.rules(loaded)
    known: dict[str, Origin] = {origin.id: origin for origin in loaded.config.source}
    matches = [_matched(mention, known.get(mention.source, source), loaded) for mention in mentions]
    masked = [
        protector.protect(
            mention, watches=tuple(m.watch for m in matched), received_at=mention.created_at
        )
        for mention, matched in zip(mentions, matches, strict=True)
    ]
    if not masked:
        return ()
    analyst = parts.load_analyst(loaded)
    try:
        around = parts.surroundings(loaded)
        analyses = analyst.analyze(
            [
                around.passage(
                    one.text,
                    at=one.created_at,
                    watches=one.watches,
                    has_media=bool(one.media),
                )
                for one in masked
            ]
        )
    finally:
        analyst.close()
    return tuple(
        Shown(
            original=mention,
            masked=one,
            analysis=analysis,
            matched=matched,
            readings=_readings(_engine(loaded, rules), one, analysis) if matched else (),
        )
        for mention, one, analysis, matched in zip(mentions, masked, analyses, matches, strict=True)
    )


def _protector(loaded: Loaded) -> Protector:
    """Return the masking step of the daemon; without a key, one that writes no key file."""
    settings = loaded.config.privacy
    if settings.key in loaded.secrets:
        return parts.protector(loaded)
    return Protector(
        Pseudonyms(mention_key=secrets.token_bytes(parts.KEY_BYTES), author_key=None),
        sealing_key=None,
        keep=settings.kept(),
        nonce=partial(os.urandom, seal.NONCE_BYTES),
    )


def _matched(mention: Mention, origin: Origin, loaded: Loaded) -> tuple[Matched, ...]:
    queries = {watch.id: parse_query(watch.query) for watch in loaded.watches}
    return tuple(
        Matched(watch=watch, words=_words(queries[watch].spans(mention.text), mention.text))
        for watch in matching(parts.matcher(loaded), origin, mention.text)
    )


def _words(spans: Sequence[tuple[int, int]], text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text[start:end] for start, end in spans))


def _engine(loaded: Loaded, rules: RuleSet) -> Engine:
    around = parts.surroundings(loaded)
    return Engine(rules, zone=around.zone, territories=around.territories)


def _readings(engine: Engine, masked: MaskedMention, analysis: Analysis) -> tuple[Reading, ...]:
    """Return what each rule counts if this mention alone had come, as it was written."""
    engine.observe(
        Observation(
            seq=1,
            key=masked.key,
            source=masked.source,
            watches=masked.watches,
            kind=masked.kind,
            text=masked.text,
            created_at=masked.created_at,
            received_at=masked.received_at,
            author=masked.author,
            followers=masked.followers,
            author_age=masked.author_age,
            role=masked.role,
            own=masked.own,
            reply_to=masked.reply_to,
            thread=masked.thread,
            media=tuple(media.type for media in masked.media),
            masked=masked.masked,
            metrics=masked.metrics,
            analysis=analysis,
        )
    )
    return tuple(engine.readings(masked.received_at))


def stored(shown: Shown) -> StoredMention:
    """Return the item as it would be read back from the store."""
    masked = shown.masked
    return StoredMention(
        key=masked.key,
        source=masked.source,
        watches=masked.watches,
        kind=masked.kind,
        text=masked.text,
        created_at=masked.created_at,
        received_at=masked.received_at,
        author=masked.author,
        followers=masked.followers,
        lang=masked.lang,
        own=masked.own,
        masked=masked.masked,
        analysis=shown.analysis,
    )


def push_example(source: WebhookSource, loaded: Loaded, text: str, *, now: datetime) -> str:
    """Return a signed `curl` that pushes one mention with this text; good for five minutes."""
    id_ = f"essai-{int(now.timestamp())}"
    mention = {"source": source.id, "id": id_, "text": text, "created_at": now.isoformat()}
    body = json.dumps(mention, ensure_ascii=False)
    headers = sign(loaded.secrets(source.secret), id_, now, body.encode())
    url = f"{loaded.config.web.origin}/hooks/{source.id}"
    words = [
        "curl",
        url,
        *(word for item in headers.items() for word in ("-H", f"{item[0]}: {item[1]}")),
    ]
    return shlex.join([*words, "-H", "content-type: application/json", "-d", body])
