"""Build and run a replay, and print its log."""

from __future__ import annotations

import asyncio
import tempfile
from bisect import bisect_right
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from veille.alerts.muting import Muting
from veille.alerts.settings import RouteSettings
from veille.app import parts
from veille.app.log import as_json, as_sentence, entries
from veille.collectors.interchange import parse_lines
from veille.config import Loaded, load
from veille.domain.calendar import Region
from veille.domain.errors import InputError
from veille.domain.query import Matcher
from veille.domain.watch import Watch
from veille.pipeline.analyze import Analyst, Analyze
from veille.pipeline.collect import Collect
from veille.pipeline.dispatch import Dispatch
from veille.pipeline.evaluate import Evaluate
from veille.pipeline.replay import Replay, Script, Stages, resumed
from veille.privacy.protect import Protector
from veille.privacy.settings import PrivacySettings
from veille.rules.engine import PARIS
from veille.rules.settings import RulesSettings
from veille.store.engine import SqliteStore
from veille.store.protocol import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked for."""

    file: Path
    config: Path | None = None
    until: datetime | None = None
    db: Path | None = None
    as_json: bool = False


async def replay(
    options: Options, told: Callable[[int, float], None] = lambda *_: None
) -> tuple[list[str], list[str]]:
    """Return the lines to print, one transition each, and why lines could not be read.

    `told` hears how many mentions were played, and of how many.
    """
    loaded = load(options.config) if options.config else None
    content = await asyncio.to_thread(options.file.read_bytes)
    batch = parse_lines(content.splitlines())
    script = Script.of(content, batch.mentions)
    async with AsyncExitStack() as stack:
        database = options.db
        if database is not None and not database.parent.is_dir():
            raise InputError(
                f"--db {database}: the folder {database.parent} does not exist: make it"
            )
        if database is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="veille-replay-"))
            database = Path(folder) / "veille.db"
        store = await stack.enter_async_context(
            SqliteStore(database, group_commit=timedelta(0), is_durable=False)
        )
        await resumed(store, script)  # another's is refused before the model is read, in seconds
        masking = protector(loaded, script)
        run = Replay(
            store,
            await build_stages(store, loaded, masking),
            script,
            origins={s.id: s for s in loaded.config.source} if loaded else None,
            until=options.until,
        )
        arrivals = [mention.received_at or mention.created_at for mention in script.mentions]
        async for at in run.play():
            told(bisect_right(arrivals, at), len(arrivals))
        names = {
            masking.tombstone(m.source, m.id, m.created_at).key: f"{m.source}:{m.id}"
            for m in script.mentions
        }
        found = await store.read(lambda db: entries(db, names))
    rejected = [f"{options.file.name}: line {r.line}: {r.reason}" for r in batch.rejected]
    if options.as_json:
        return [as_json(entry) for entry in found], rejected
    called = {} if loaded is None else parts.source_names(loaded)
    return [as_sentence(entry, called) for entry in found], rejected


async def build_stages(
    store: Store, loaded: Loaded | None, masking: Protector, *, analyst: Analyst | None = None
) -> Stages:
    """Return the stages of a configuration, or of the shipped rules and a watch on everything.

    Mentions are read by `analyst`, else by one that is loaded here.
    """
    if analyst is None:
        analyst = await asyncio.to_thread(parts.load_analyst, loaded)
    config = loaded.config if loaded else None
    route = loaded.route if loaded else RouteSettings()
    waits = (config.rules if config else RulesSettings()).waits()
    return Stages(
        collect=Collect(
            store,
            matcher=parts.matcher(loaded) if loaded else Matcher((Watch(id="all", query=""),)),
            protector=masking,
            is_replay=True,
        ),
        analyze=Analyze(store, analyst, around=parts.surroundings(loaded)),
        evaluate=Evaluate(
            store,
            parts.rules(loaded),
            zone=loaded.timezone if loaded else PARIS,
            region=loaded.region if loaded else Region.METROPOLE,
            territories=parts.surroundings(loaded).territories,
        ),
        dispatch=Dispatch(
            store,
            route=route,
            group_wait=waits,
            muting=loaded.muting if loaded else Muting(zone=PARIS),
        ),
    )


def protector(loaded: Loaded | None, script: Script) -> Protector:
    """Return the masking step; without a configured key, one derived from the file's SHA-256."""
    if loaded is not None and loaded.config.privacy.key in loaded.secrets:
        return parts.protector(loaded)
    return parts.build_protector(script.digest, PrivacySettings())
