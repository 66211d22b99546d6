"""Build and run a backtest: a history of mentions, or a series of counts."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from veille.alerts.settings import RouteSettings
from veille.app import parts
from veille.app.replay import protector
from veille.collectors.interchange import parse_lines
from veille.config import Loaded
from veille.domain.analysis import Analysis, Passage
from veille.domain.calendar import Region
from veille.domain.errors import InputError, RuleError
from veille.domain.query import Matcher
from veille.domain.watch import Watch
from veille.pipeline.analyze import Analyst
from veille.pipeline.backtest import Given, Past, observed
from veille.pipeline.backtest_report import Report, changes, judge, sweep, swept
from veille.pipeline.collect import Collect
from veille.pipeline.comparison import Comparison, compare
from veille.pipeline.counted import Event, Setup
from veille.pipeline.counts import MINUTE, read_counts
from veille.pipeline.dispatch import Dispatch
from veille.pipeline.evaluate import Evaluate
from veille.pipeline.replay import Replay, Script, Stages
from veille.pipeline.scoring import Incident
from veille.privacy.protect import Protector
from veille.rules.engine import PARIS
from veille.rules.json_analysis import written_analyses
from veille.rules.model import RuleSet
from veille.rules.parse import parse_rules, read_file, rule_files
from veille.store.engine import SqliteStore
from veille.store.protocol import Store

Told = Callable[[int, float | None], None]
Moment = Annotated[datetime, Meta(tz=True)]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Label(Struct, frozen=True, kw_only=True):
    """One line of a file of labels: an incident, or an event of a series of counts."""

    id: Annotated[str, Meta(min_length=1)]
    start: Moment
    end: Moment
    rule: str | list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked for; `rules` None: those of the configuration."""

    history: Path
    labels: Path
    rules: Path | None = None
    against: Path | None = None
    sweep: tuple[str, ...] = ()


async def backtest(
    options: Options, loaded: Loaded | None, told: Told = lambda _done, _total: None
) -> tuple[Report, list[str]]:
    """Return the report, and why lines of the history could not be read."""
    content = await asyncio.to_thread(options.history.read_bytes)
    labels = await asyncio.to_thread(options.labels.read_bytes)
    incidents = [_incident(label) for label in read_labels(labels, options.labels.name)]
    files = _rule_files(options.rules, loaded)
    topics = [topic.id for topic in parts.topics(loaded)]
    ruleset = parse_rules(files, topics=topics)
    _check_names(incidents, ruleset, options.labels.name)
    against = None
    if options.against is not None:
        against = parse_rules(_rule_files(options.against, loaded), topics=topics)
    for name in options.sweep:
        if name not in ruleset.versions:
            raise InputError(f'--sweep: no rule "{name}" is enabled: name one that is')
    past, rejected = await _past(content, options.history.name, loaded, told)
    if not past.observations:
        raise InputError(f"{options.history.name}: no mention here that a watch matches")
    judged = await asyncio.to_thread(judge, past, ruleset, incidents, told)
    names = list(options.sweep) or swept(judged)
    sweeps = await asyncio.to_thread(sweep, past, files, names, incidents, told)
    other = None
    if against is not None:
        other = await asyncio.to_thread(judge, past, against, incidents, told)
    report = Report(
        history=hashlib.sha256(content).hexdigest(),
        labels=hashlib.sha256(labels).hexdigest(),
        mentions=len(past.observations),
        rejected=len(rejected),
        start=past.span.start.astimezone(UTC),
        end=past.span.end.astimezone(UTC),
        shifts=past.span.shifts,
        incidents=len(incidents),
        rules=judged,
        sweeps=sweeps,
        against=other,
        changes=() if other is None else changes(judged, other),
    )
    return report, rejected


def counted(
    path: Path,
    labels: Path | None,
    window: timedelta,
    loaded: Loaded | None,
    told: Told = lambda _done, _total: None,
) -> Comparison:
    """Return how detectors do on a series of counts per minute.

    InputError when the window is no whole number of minutes, of which a day has a whole number.
    """
    if window % MINUTE or not window or timedelta(days=1) % window:
        raise InputError(f"--window: {window}: write whole minutes that divide a day, such as 5m")
    counts = read_counts(path.read_bytes(), path.name)
    known = read_labels(labels.read_bytes(), labels.name) if labels else []
    events = [Event(id=label.id, start=label.start, end=label.end) for label in known]
    setup = Setup(
        window=window,
        zone=loaded.timezone if loaded else PARIS,
        region=loaded.region if loaded else Region.METROPOLE,
    )
    return compare(counts, events, setup, told)


def read_labels(data: bytes, name: str) -> list[Label]:
    """Return the labels of JSON Lines; InputError names the first line that is wrong."""
    decoder, found = msgspec.json.Decoder(Label), list[Label]()
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            label = decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise InputError(f"{name}: line {number}: {error}") from None
        if label.end < label.start:
            raise InputError(f"{name}: line {number}: {label.id}: it ends before it starts")
        if any(label.id == other.id for other in found):
            raise InputError(f'{name}: line {number}: id "{label.id}" stands twice')
        found.append(label)
    if not found:
        raise InputError(f'{name}: no labels here: write lines of {{"id", "start", "end"}}')
    return found


def _incident(label: Label) -> Incident:
    names = [label.rule] if isinstance(label.rule, str) else label.rule
    rules = frozenset(names) if names else None
    return Incident(id=label.id, start=label.start, end=label.end, rules=rules)


def _check_names(incidents: Sequence[Incident], ruleset: RuleSet, name: str) -> None:
    known = set(ruleset.versions) | set(ruleset.disabled)
    for incident in incidents:
        for rule in sorted((incident.rules or frozenset()) - known):
            raise InputError(f'{name}: {incident.id}: no rule "{rule}": correct the label')


def _rule_files(path: Path | None, loaded: Loaded | None) -> dict[str, bytes]:
    given = path or parts.rules_folder(loaded)
    if given.is_dir():
        return rule_files(given)
    try:
        return {str(given): read_file(given)}
    except OSError as error:
        raise RuleError(f"{given}: cannot be read: {error.strerror}") from error


async def _past(
    content: bytes, name: str, loaded: Loaded | None, told: Told
) -> tuple[Past, list[str]]:
    """Return what rules observe of the history: collected and analyzed as a replay does."""
    lines = content.splitlines()
    batch = parse_lines(lines)
    script = Script.of(content, batch.mentions)
    masking = protector(loaded, script)
    known = {
        masking.tombstone(source, native, EPOCH).key: analysis
        for (source, native), analysis in written_analyses(lines, name).items()
    }
    around = parts.surroundings(loaded)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="veille-backtest-"))
        store = await stack.enter_async_context(
            SqliteStore(Path(folder) / "veille.db", group_commit=timedelta(0), is_durable=False)
        )
        stages = _stages(store, loaded, masking, known)
        origins = {s.id: s for s in loaded.config.source} if loaded else None
        done = 0
        async for at in Replay(store, stages, script, origins=origins).play():
            while done < len(script.mentions) and (script.mentions[done].received_at or at) <= at:
                done += 1
            told(done, len(script.mentions))
        found = await observed(store)
    past = Past(
        observations=found,
        zone=loaded.timezone if loaded else PARIS,
        region=loaded.region if loaded else Region.METROPOLE,
        territories=around.territories,
    )
    return past, [f"{name}: line {r.line}: {r.reason}" for r in batch.rejected]


def _stages(
    store: Store, loaded: Loaded | None, masking: Protector, known: Mapping[str, Analysis]
) -> Stages:
    """Return the stages of a replay that reads and judges nothing: rules are played afterwards."""
    everything = Matcher((Watch(id="all", query=""),))
    return Stages(
        collect=Collect(
            store,
            matcher=parts.matcher(loaded) if loaded else everything,
            protector=masking,
            is_replay=True,
        ),
        analyze=Given(store, _Lazy(loaded), known, around=parts.surroundings(loaded)),
        evaluate=Evaluate(store, RuleSet()),
        dispatch=Dispatch(store, route=RouteSettings(), group_wait={}),
    )


class _Lazy:
    """The model, loaded when the first text needs it."""

    def __init__(self, loaded: Loaded | None) -> None:
        self._loaded = loaded
        self._analyst: Analyst | None = None

    def analyze(self, passages: Sequence[Passage]) -> list[Analysis]:
        """Return one analysis per passage, in order."""
        if self._analyst is None:
            self._analyst = parts.load_analyst(self._loaded)
        return self._analyst.analyze(passages)
