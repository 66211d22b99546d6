"""Play the bundled night: collect to dispatch on the scenario's clock, delivery on the real one."""

from __future__ import annotations

import asyncio
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import msgspec

from veille.app import explain, parts
from veille.app.channels import doors, notifiers
from veille.app.desks import open_desks, take_link
from veille.app.house import house
from veille.app.operations import check
from veille.app.replay import build_stages, protector
from veille.app.systemd import Systemd
from veille.collectors.interchange import parse_lines
from veille.config import Loaded, load, packaged
from veille.demo.mail import MailStandIn
from veille.demo.slack import SlackStandIn
from veille.domain.alert import Severity
from veille.domain.clock import monotonic_s, utc_now
from veille.domain.ids import short_id
from veille.domain.incident import Event, Incident, IncidentState
from veille.notifiers.base import Notifier
from veille.pipeline.actions import Actions
from veille.pipeline.asking import Asking
from veille.pipeline.clock import Clock
from veille.pipeline.deliver import Deliver, Sender
from veille.pipeline.intake import Intake
from veille.pipeline.originals import Originals
from veille.pipeline.replay import Replay, Script, Stages
from veille.pipeline.runner import Runner
from veille.store import incidents, mentions, outbox, timeline, users
from veille.store.engine import Db, SqliteStore
from veille.telemetry import configure_logs
from veille.web.app import build
from veille.web.house import House
from veille.web.server import listen
from veille.web.users import add_user

SCENARIO = "nuit-de-crue.jsonl"
CHANNEL = "C0123456789"
LOGIN = "astreinte"
DRAIN_S = 60.0
WATCHED_S = 40.0
"""How long the night lasts for who watches it; with --exit it goes as fast as it can."""
DAWN = datetime(2026, 1, 18, 5, tzinfo=UTC)
"""Who watches is left there: the crisis has been told, and its incidents are still open."""
SHAPES = {Severity.INFO: "●", Severity.WARNING: "◆", Severity.CRITICAL: "▲"}


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of `veille demo --exit`."""

    mentions: int
    alerts: int
    incidents: int
    slack: int
    mail: int
    seconds: float


@dataclass(slots=True)
class SceneClock:
    """The scenario's time: it leaps while the night is played, then runs on like any clock."""

    at: datetime = field(default_factory=utc_now)
    since_s: float = field(default_factory=monotonic_s)

    def set(self, at: datetime) -> None:
        """It is `at` now."""
        self.at, self.since_s = at, monotonic_s()

    def now(self) -> datetime:
        """Return the scenario's time."""
        return self.at + timedelta(seconds=monotonic_s() - self.since_s)


class Playing:
    """The scenario as a stage: one virtual instant a step.

    `pace` is how many real seconds a virtual one lasts at least: people want to watch.
    """

    name = "scenario"

    def __init__(self, replay: Replay, clock: SceneClock, *, pace: float) -> None:
        self._instants: AsyncIterator[datetime] = replay.play()
        self._clock = clock
        self._pace = pace
        self.is_over = asyncio.Event()

    async def step(self, now: datetime) -> bool:
        """Play the next instant; false after the last one."""
        del now
        if self.is_over.is_set():
            return False
        before = self._clock.at
        try:
            self._clock.set(await anext(self._instants))
        except StopAsyncIteration:
            self.is_over.set()
            return False
        await asyncio.sleep(max(0.0, (self._clock.at - before).total_seconds() * self._pace))
        return True


class Crier:
    """Prints what happens, for who watches the terminal."""

    name = "crier"

    def __init__(self, store: SqliteStore, zone: ZoneInfo) -> None:
        self._store = store
        self._zone = zone
        self._told = 0

    async def step(self, now: datetime) -> bool:
        """Print the incidents that opened or ended since the last step."""
        del now
        lines = await self._store.read(self._lines)
        for line in lines[self._told :]:
            click.echo(line)
        self._told = len(lines)
        return False

    def _lines(self, db: Db) -> list[str]:
        found = incidents.list_(db, states=list(IncidentState), limit=500)
        by_name = {short_id("I", incident.id): incident for incident in found}
        return [
            self._line(event, by_name[event.target])
            for event in timeline.log(db)
            if event.kind in {"incident.opened", "incident.resolved"}
        ]

    def _line(self, event: Event, incident: Incident) -> str:
        at = event.at.astimezone(self._zone)
        what = "ouvert" if event.kind == "incident.opened" else "résolu"
        shape = SHAPES[incident.severity]
        return f"  {at:%d/%m %H:%M}  {shape} {event.target:<4} {what}  {incident.title}"


async def play(*, ends: bool) -> int:
    """Play the night, print where to look first, and return the exit status."""
    started_s = monotonic_s()
    configure_logs(level="warning")
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(
            SlackStandIn(token="xoxb-demo", channels=(CHANNEL,))  # noqa: S106 a stand-in's token
        )
        mail = await stack.enter_async_context(MailStandIn())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="veille-demo-")))
        loaded = _configure(folder, slack, mail)
        store = await stack.enter_async_context(
            SqliteStore(
                loaded.resolve(loaded.config.veille.data_dir) / "veille.db",
                group_commit=timedelta(0),
                is_durable=False,
            )
        )
        watched_s = 0.0 if ends else WATCHED_S
        runner, scene = await _assemble(loaded, store, stack, slack, watched_s=watched_s)
        async with asyncio.TaskGroup() as group:
            group.create_task(runner.run(), name="runner")
            await scene.is_over.wait()
            await _drain(store)
            result = await _result(store, slack, mail, started_s)
            if not ends:
                click.echo(_summary(result))
                await _until_interrupted()
            runner.stop()
    if ends:
        click.echo(msgspec.json.encode(result))
    return 0 if result.slack and result.mail else 1


def _configure(folder: Path, slack: SlackStandIn, mail: MailStandIn) -> Loaded:
    text = (packaged("examples") / "demo.toml").read_text(encoding="utf-8")
    filled = text.replace("{slack}", slack.url).replace("{smtp}", str(mail.port))
    (folder / "config.toml").write_text(filled, encoding="utf-8")
    hidden = folder / "secrets.toml"
    hidden.touch(mode=0o600)
    hidden.write_text(
        f'PSEUDONYM_KEY = "{secrets.token_urlsafe(32)}"\n'
        f'SLACK_TOKEN = "{slack.token}"\n'
        f'SLACK_SIGNING = "{slack.people.signing_secret}"\n'
        'DEMO_HOOK = "whsec_dmVpbGxlLWRlbW8tdmVpbGxlLWRlbW8tdmVpbGxl"\n',
        encoding="utf-8",
    )
    return load(folder / "config.toml")


def _house(loaded: Loaded, store: SqliteStore, stages: Stages, clock: SceneClock) -> House:
    """Return what pages are told of the scenario's house."""
    analyze = stages.analyze.analyst.analyze
    return house(loaded, store, lambda: stages.evaluate.ruleset, analyze=analyze, now=clock.now)


async def _assemble(
    loaded: Loaded,
    store: SqliteStore,
    stack: AsyncExitStack,
    slack: SlackStandIn,
    *,
    watched_s: float,
) -> tuple[Runner, Playing]:
    config = loaded.config
    content = (packaged("examples") / SCENARIO).read_bytes()
    script = Script.of(content, parse_lines(content.splitlines()).mentions)
    clock, runner = SceneClock(), Runner(now=utc_now)
    clock.set(script.mentions[0].created_at)
    stages_for = build_stages(store, loaded, protector(loaded, script))
    health = check(loaded, store, runner, systemd=Systemd(None))
    password = await store.write(_add_login)
    desks = open_desks(loaded, runner)
    stages = await stages_for
    site = build(
        store=store,
        settings=config.web,
        institution=config.veille.name,
        timezone=loaded.timezone,
        language=config.veille.language,
        actions=Actions(store, route=loaded.route, now=clock.now),
        intake=Intake(store, stages.collect, doors(loaded), now=utc_now, wake=runner.wake),
        health=health,
        originals=Originals(store, key=None, now=clock.now),
        now=utc_now,
        shown_now=clock.now,
        topics={topic.id: topic.name for topic in parts.topics(loaded)},
        slack_desk=desks.slack,
        link_desk=desks.links,
        asker=Asking(store, lambda: explain.setting(loaded, stages.evaluate.ruleset, clock.now())),
        promises=parts.promises(loaded),
        house=_house(loaded, store, stages, clock),
    )
    slack.people.address = address = await listen(site, config.web.listen, stack)
    health.is_started = True
    click.echo(f"{address}  (identifiant : {LOGIN}, mot de passe : {password})")
    click.echo(f"{slack.page}  (le canal Slack de démonstration, avec ses boutons)")
    origins = {source.id: source for source in config.source}
    until = DAWN if watched_s else None
    replay = Replay(store, stages, script, origins=origins, until=until)
    scene = Playing(replay, clock, pace=_pace(script, until, watched_s))
    found = await notifiers(loaded, stack)
    desks.connect(found)

    def deliver(name: str, notifier: Notifier) -> Deliver:
        link = take_link(desks.links, name, address)
        sender = Sender(institution=config.veille.name, public_url=address, take_link=link)
        return Deliver(store, receiver=name, notifier=notifier, sender=sender)

    delivers = [runner.add(deliver(*one), tick_s=0.5) for one in found.items()]
    runner.add(scene, tick_s=1.0, then=delivers)
    runner.add(Clock(store, parts.promises(loaded)), tick_s=0.5)  # nobody is warned
    runner.add(Crier(store, loaded.timezone), tick_s=0.5)
    return runner, scene


def _pace(script: Script, until: datetime | None, watched_s: float) -> float:
    """Return how many seconds a second of the scenario takes."""
    lasts = (until or script.mentions[-1].created_at) - script.mentions[0].created_at
    return watched_s / lasts.total_seconds()


def _add_login(db: Db) -> str:
    """Return the demonstration's password: unlike a real one-time password, it may stay."""
    password = add_user(db, LOGIN, role="triage", now=utc_now())
    user = users.get(db, LOGIN)
    if user is not None:
        users.set_password(
            db, LOGIN, password_hash=user.password_hash, must_change=False, now=user.password_at
        )
    return password


async def _drain(store: SqliteStore) -> None:
    """Wait until the outbox is empty: Slack takes one post a second."""
    try:
        async with asyncio.timeout(DRAIN_S):
            # other tasks empty it, in the store: there is no event to wait for
            while sum((await store.read(outbox.depth)).values()):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    except TimeoutError:
        click.echo("some notifications still wait", err=True)


async def _result(
    store: SqliteStore, slack: SlackStandIn, mail: MailStandIn, started_s: float
) -> Result:
    def count(db: Db) -> tuple[int, int, int]:
        log = timeline.log(db)
        fired = sum(event.kind == "alert.firing" for event in log)
        opened = sum(event.kind == "incident.opened" for event in log)
        return sum(mentions.counts(db).values()), fired, opened

    stored, fired, opened = await store.read(count)
    return Result(
        mentions=stored,
        alerts=fired,
        incidents=opened,
        slack=len(slack.received()),
        mail=len(mail.received()),
        seconds=round(monotonic_s() - started_s, 1),
    )


def _summary(result: Result) -> str:
    return (
        f"{result.mentions} mentions, {result.alerts} alertes, {result.incidents} incidents, "
        f"{result.slack} messages Slack, {result.mail} courriels en {result.seconds} s. "
        "Ctrl-C pour arrêter."
    )


async def _until_interrupted() -> None:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, over.set)
    await over.wait()
