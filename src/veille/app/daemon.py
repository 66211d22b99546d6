"""The daemon: every part on one store, in one runner, until SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path

import structlog

from veille.app import access, clock_words, explain, oncall, operations, parts, push, reports
from veille.app.analyst_process import AnalystProcess
from veille.app.backup import LEDGER, require_finished
from veille.app.channels import doors, notifiers, pullers, streams
from veille.app.desks import Desks, fallback, open_desks, take_link
from veille.app.house import house
from veille.app.lock import alone
from veille.app.privacy import reapply_erasures
from veille.config import Loaded
from veille.domain.clock import utc_now
from veille.notifiers.base import Notifier
from veille.notifiers.mqtt import MqttNotifier
from veille.notifiers.push import PushNotifier
from veille.pipeline.actions import Actions
from veille.pipeline.analyze import Analyze
from veille.pipeline.asking import Asking
from veille.pipeline.clock import Clock
from veille.pipeline.collect import Collect
from veille.pipeline.deliver import Deliver, Sender
from veille.pipeline.dispatch import Dispatch
from veille.pipeline.evaluate import Evaluate
from veille.pipeline.explanations import Explanations
from veille.pipeline.intake import Intake
from veille.pipeline.originals import Originals
from veille.pipeline.passages import Surroundings
from veille.pipeline.presence import Presence
from veille.pipeline.redact import Redact
from veille.pipeline.resting import Resting
from veille.pipeline.rulewatch import RuleWatch
from veille.pipeline.runner import OUTSIDE_STEP_S, Outside, Runner, Wake
from veille.pipeline.sweep import Sweep
from veille.pipeline.unsnooze import Unsnooze
from veille.pipeline.upkeep import Upkeep
from veille.store import outbox, work
from veille.store.engine import Db, SqliteStore
from veille.store.for_people import ForPeople
from veille.web.app import build
from veille.web.house import House
from veille.web.server import listen
from veille.wording.catalogue import catalogue

GRID_S = 10.0
STREAM_TICK_S = 0.05
"""A stream waits by itself: this only lets the loop breathe."""

SWITCH_S = 0.0005
"""How long a thread computes while another waits. A page asks the store some hundred times, and
would wait each time for Python's own 5 ms while rules count their past, say; beside the model, when
it was in here, pages took 1.3 to 1.5 times as long at p95 (benchmarks/README.md)."""

log = structlog.get_logger()


async def serve(loaded: Loaded) -> None:
    """Run the daemon of this configuration until SIGTERM or SIGINT, then stop within 30 s."""
    sys.setswitchinterval(SWITCH_S)
    async with AsyncExitStack() as stack:
        runner = await stack.enter_async_context(daemon(loaded, now=utc_now))
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, operations.stopper(loaded, runner))
        await operations.run(runner)
        log.info("stopped")


def _try_parked_again(db: Db) -> None:
    """A start may bring another model: what could not be analyzed gets its attempts again."""
    work.unpark(db, [parked.key for parked in work.parked(db)])


def _analyst(loaded: Loaded, stack: AsyncExitStack) -> AnalystProcess:
    """Return what loads the model while the store is opened."""
    analyst = AnalystProcess(parts.model_settings(loaded), parts.topics(loaded))
    stack.callback(analyst.close)
    return analyst


async def _evaluate(
    loaded: Loaded, store: SqliteStore, around: Surroundings, now: datetime
) -> Evaluate:
    evaluate = Evaluate(
        store,
        parts.rules(loaded),
        zone=loaded.timezone,
        region=loaded.region,
        reach=loaded.config.privacy.retention.durations()["neutral"],
        territories=around.territories,
        sources=frozenset(source.id for source in loaded.config.source),
    )
    await evaluate.open(now)
    return evaluate


@asynccontextmanager
async def daemon(loaded: Loaded, *, now: Callable[[], datetime]) -> AsyncIterator[Runner]:
    """Build everything; the yielded runner runs it. What was opened is closed at the end."""
    config = loaded.config
    runner = Runner(now=now)
    async with AsyncExitStack() as stack:
        database = loaded.resolve(config.veille.data_dir) / "veille.db"
        analyst = _analyst(loaded, stack)
        store = await _opened(database, stack, now())
        if config.privacy.key not in loaded.secrets:
            log.warning("authors_dropped", missing=config.privacy.key)
        collect = Collect(store, matcher=parts.matcher(loaded), protector=parts.protector(loaded))
        around = parts.surroundings(loaded)
        evaluate = await _evaluate(loaded, store, around, now())
        await asyncio.to_thread(analyst.wait)
        dispatch = Dispatch(
            store, route=loaded.route, group_wait=config.rules.waits(), muting=loaded.muting
        )
        desks = open_desks(loaded, runner)
        delivers = await _add_delivery(
            loaded, store, runner, stack, desks, now=now, ruleset=lambda: evaluate.ruleset
        )
        told = await _add_on_call(loaded, store, runner, stack, then=delivers)
        dispatched = runner.add(Resting(dispatch, store), tick_s=1.0, then=told)
        evaluated = runner.add(evaluate, tick_s=GRID_S, then=[dispatched])
        analyze = Analyze(store, analyst, around=around)
        analyzed = runner.add(analyze, tick_s=GRID_S, then=[evaluated])
        await _add_sources(loaded, store, collect, runner, stack, then=analyzed)
        runner.add(_rulewatch(loaded, store, evaluate), tick_s=0.5, then=[evaluated])
        redacted = runner.add(Redact(store), tick_s=1.0, then=delivers)
        runner.add(Unsnooze(store), tick_s=1.0)
        runner.add(
            Sweep(store, config.privacy, zone=loaded.timezone), tick_s=300.0, then=[redacted]
        )
        runner.add(Upkeep(store, collect, database=database), tick_s=10.0)
        if (weekly := reports.schedule(loaded, store)) is not None:
            runner.add(weekly, tick_s=30.0, then=delivers)
        clock = Clock(store, parts.promises(loaded), summary=clock_words.warning(loaded))
        clocked = runner.add(clock, tick_s=1.0, then=[dispatched])
        runner.add(Outside(store), tick_s=1.0, then=[analyzed, evaluated, clocked])
        watched = await operations.watch_over(loaded, store, runner, analyst, stack, now=now)
        intake = Intake(store, collect, doors(loaded), now=now, wake=analyzed)
        asking = Asking(store, lambda: explain.setting(loaded, evaluate.ruleset, now()))
        ports = (
            intake, watched, Explanations(analyst), asking, desks,
            house(
                loaded, ForPeople(store), lambda: evaluate.ruleset, analyze=analyst.analyze, now=now
            ),
        )  # fmt: skip
        await _open_web(loaded, store, ports, now, stack)
        watched.started()
        log.info("started", sources=len(config.source), receivers=len(config.receiver))
        yield runner


def _rulewatch(loaded: Loaded, store: SqliteStore, evaluate: Evaluate) -> RuleWatch:
    topics = [topic.id for topic in parts.topics(loaded)]
    say = catalogue(loaded.config.veille.language)
    names = parts.source_names(loaded)
    folder = parts.rules_folder(loaded)
    return RuleWatch(store, evaluate, folder, topics=topics, names=names, say=say)


async def _opened(database: Path, stack: AsyncExitStack, now: datetime) -> SqliteStore:
    """Return the store, this process alone in it, with what a killed one left half-done undone."""
    stack.enter_context(alone(database.with_name("veille.lock")))
    require_finished(database)
    store = await stack.enter_async_context(SqliteStore(database))
    await store.write(work.release)  # only a killed process can have held a lease
    await store.write(outbox.release)
    await store.write(_try_parked_again)
    # an erasure that was killed, or one older than the backup that was restored
    await reapply_erasures(store, database.with_name(LEDGER), now=now)
    return store


async def _add_sources(
    loaded: Loaded,
    store: SqliteStore,
    collect: Collect,
    runner: Runner,
    stack: AsyncExitStack,
    *,
    then: Wake,
) -> None:
    for pull in await pullers(loaded, store, collect, stack):
        runner.add(pull, tick_s=0.5, then=[then], limit_s=OUTSIDE_STEP_S)
    for stream in await streams(loaded, store, collect, stack):
        runner.add(
            stream,
            tick_s=STREAM_TICK_S,
            then=[then],
            limit_s=OUTSIDE_STEP_S,
            close=stream.close,
        )


async def _add_delivery(
    loaded: Loaded,
    store: SqliteStore,
    runner: Runner,
    stack: AsyncExitStack,
    desks: Desks,
    *,
    now: Callable[[], datetime],
    ruleset: push.Ruleset,
) -> list[Wake]:
    address = loaded.config.web.public_url

    def deliver(name: str, notifier: Notifier) -> Deliver:
        sender = Sender(
            institution=loaded.config.veille.name,
            public_url=address,
            documents=push.nothing_written
            if isinstance(notifier, PushNotifier)
            else reports.documents(loaded, store, name, now=now),
            take_link=take_link(desks.links, name, address),
        )
        instead = fallback(loaded, name)
        return Deliver(store, receiver=name, notifier=notifier, sender=sender, fallback=instead)

    phones = push.shared(loaded, store, now=now, links=desks.links, ruleset=ruleset)
    found = await notifiers(loaded, stack, devices=phones)
    desks.connect(found)
    for name, notifier in found.items():
        if isinstance(notifier, MqttNotifier):
            presence = Presence(receiver=name, keeper=notifier)
            runner.add(presence, tick_s=1.0, limit_s=OUTSIDE_STEP_S)
    return [
        runner.add(deliver(name, notifier), tick_s=1.0, limit_s=OUTSIDE_STEP_S)
        for name, notifier in found.items()
    ]


async def _add_on_call(
    loaded: Loaded,
    store: SqliteStore,
    runner: Runner,
    stack: AsyncExitStack,
    *,
    then: Sequence[Wake],
) -> list[Wake]:
    """Return what dispatch wakes: `then`, and the escalation of what nobody takes."""
    calendars = await oncall.calendars(loaded, store, stack)
    if calendars is not None:
        runner.add(calendars, tick_s=10.0, limit_s=OUTSIDE_STEP_S)
    escalate = oncall.escalate(loaded, store)
    if escalate is None:
        return [*then]
    return [*then, runner.add(Resting(escalate, store), tick_s=1.0, then=then)]


async def _open_web(
    loaded: Loaded,
    store: SqliteStore,
    ports: tuple[Intake, operations.Operations, Explanations, Asking, Desks, House],
    now: Callable[[], datetime],
    stack: AsyncExitStack,
) -> None:
    config, (intake, watched, explainer, asking, desks, home) = loaded.config, ports
    at_hand = ForPeople(store)
    site = build(
        store=at_hand,
        settings=config.web,
        institution=config.veille.name,
        timezone=loaded.timezone,
        language=config.veille.language,
        actions=Actions(at_hand, route=loaded.route, now=now),
        intake=intake,
        health=watched.health,
        exposition=watched.exposition,
        originals=Originals(at_hand, key=parts.sealing_key(loaded), now=now),
        now=now,
        topics={topic.id: topic.name for topic in parts.topics(loaded)},
        explainer=explainer,
        asker=asking,
        slack_desk=desks.slack,
        link_desk=desks.links,
        on_call=oncall.board(loaded, store, now=now).lines,
        secret=parts.access_key(loaded),
        provider=await access.provider(loaded, stack, now=now),
        promises=parts.promises(loaded),
        house=home,
        push_desk=push.desk(loaded),
    )
    await listen(site, config.web.listen, stack)
