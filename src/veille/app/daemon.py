"""The daemon: every part on one store, in one runner, until SIGTERM."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from aiohttp import web as http

from veille.app import parts
from veille.app.channels import doors, notifiers, pullers
from veille.config import Loaded
from veille.domain.clock import utc_now
from veille.domain.errors import ConfigError
from veille.pipeline.actions import Actions
from veille.pipeline.analyze import Analyze
from veille.pipeline.collect import Collect
from veille.pipeline.deliver import Deliver, Sender
from veille.pipeline.dispatch import Dispatch
from veille.pipeline.evaluate import Evaluate
from veille.pipeline.intake import Intake
from veille.pipeline.originals import Originals
from veille.pipeline.rulewatch import RuleWatch
from veille.pipeline.runner import Outside, Runner, Wake
from veille.pipeline.sweep import Sweep
from veille.store import outbox, work
from veille.store.engine import Db, SqliteStore
from veille.web.app import build

GRID_S = 10.0
_SILENT = logging.getLogger("veille.http")
"""aiohttp logs what it cannot parse, with the client's bytes; pages log their own errors."""
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False

log = structlog.get_logger()


@dataclass(slots=True)
class Health:
    """Live while the process answers; ready when the stages run and the store takes writes."""

    store: SqliteStore
    is_started: bool = False

    def is_live(self) -> bool:
        """Whether the process runs: true, since it answered."""
        return True

    async def why_not_ready(self) -> tuple[str, ...]:
        """Return why no work should be sent here, empty when ready."""
        if not self.is_started:
            return ("starting",)
        try:
            async with asyncio.timeout(5):
                await self.store.write(lambda db: work.backlog(db))
        except TimeoutError:
            return ("the store does not answer",)
        return ()


async def serve(loaded: Loaded) -> None:
    """Run the daemon of this configuration until SIGTERM or SIGINT, then stop within 30 s."""
    async with AsyncExitStack() as stack:
        runner = await stack.enter_async_context(daemon(loaded, now=utc_now))
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, runner.stop)
        await runner.run()
        log.info("stopped")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock file: two daemons on one store would both send. ConfigError when held."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(f"{path}: another veille runs on this data_dir: stop it") from error
        yield


def _try_parked_again(db: Db) -> None:
    """A start may bring another model: what could not be analyzed gets its attempts again."""
    work.unpark(db, [parked.key for parked in work.parked(db)])


@asynccontextmanager
async def daemon(loaded: Loaded, *, now: Callable[[], datetime]) -> AsyncIterator[Runner]:
    """Build everything; the yielded runner runs it. What was opened is closed at the end."""
    config = loaded.config
    runner = Runner(now=now)
    async with AsyncExitStack() as stack:
        database = loaded.resolve(config.veille.data_dir) / "veille.db"
        stack.enter_context(alone(database.with_name("veille.lock")))
        store = await stack.enter_async_context(SqliteStore(database))
        await store.write(work.release)  # only a killed process can have held a lease
        await store.write(outbox.release)
        await store.write(_try_parked_again)
        if config.privacy.key not in loaded.secrets:
            log.warning("authors_dropped", missing=config.privacy.key)
        analyst = await asyncio.to_thread(parts.load_analyst, loaded)
        collect = Collect(store, matcher=parts.matcher(loaded), protector=parts.protector(loaded))
        evaluate = Evaluate(store, parts.rules(loaded))
        await evaluate.open(now())
        dispatch = Dispatch(store, route=loaded.route, group_wait=config.rules.waits())
        delivers = await _add_delivery(loaded, store, runner, stack)
        dispatched = runner.add(dispatch, tick_s=1.0, then=delivers)
        evaluated = runner.add(evaluate, tick_s=GRID_S, then=[dispatched])
        analyzed = runner.add(Analyze(store, analyst), tick_s=GRID_S, then=[evaluated])
        for pull in await pullers(loaded, store, collect, stack):
            runner.add(pull, tick_s=0.5, then=[analyzed])
        runner.add(RuleWatch(store, evaluate, parts.rules_folder(loaded)), tick_s=1.0)
        runner.add(Sweep(store, config.privacy), tick_s=300.0)
        runner.add(Outside(store, runner.wake), tick_s=1.0)
        health = Health(store)
        intake = Intake(store, collect, doors(loaded), now=now, wake=analyzed)
        await _open_web(loaded, store, (intake, health), now, stack)
        health.is_started = True
        log.info("started", sources=len(config.source), receivers=len(config.receiver))
        yield runner


async def _add_delivery(
    loaded: Loaded, store: SqliteStore, runner: Runner, stack: AsyncExitStack
) -> list[Wake]:
    sender = Sender(institution=loaded.config.veille.name, public_url=loaded.config.web.public_url)
    return [
        runner.add(Deliver(store, receiver=name, notifier=notifier, sender=sender), tick_s=1.0)
        for name, notifier in (await notifiers(loaded, stack)).items()
    ]


async def _open_web(
    loaded: Loaded,
    store: SqliteStore,
    ports: tuple[Intake, Health],
    now: Callable[[], datetime],
    stack: AsyncExitStack,
) -> None:
    config, (intake, health) = loaded.config, ports
    site = build(
        store=store,
        settings=config.web,
        institution=config.veille.name,
        timezone=loaded.timezone,
        language=config.veille.language,
        actions=Actions(store, route=loaded.route, now=now),
        intake=intake,
        health=health,
        originals=Originals(store, key=parts.sealing_key(loaded), now=now),
        now=now,
    )
    await listen(site, config.web.listen, stack)


async def listen(site: http.Application, address: str, stack: AsyncExitStack) -> str:
    """Serve the site on `host:port` (port 0: a free one) and return the address it got."""
    server = http.AppRunner(site, access_log=None, shutdown_timeout=5.0, logger=_SILENT)
    await server.setup()
    stack.push_async_callback(server.cleanup)
    host, _, port = address.rpartition(":")
    socket = http.TCPSite(server, host.strip("[]"), int(port))
    try:
        await socket.start()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"web.listen: {address} cannot be listened on ({error.__class__.__name__}: "
            f"{getattr(error, 'strerror', None) or error}): is another program there? "
            "write another port"
        ) from error
    bound = server.addresses[0]
    return f"http://{bound[0]}:{bound[1]}"
