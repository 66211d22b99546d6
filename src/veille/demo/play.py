"""Play the bundled night: every stage of the daemon on the scenario's clock, with stand-ins."""

from __future__ import annotations

import asyncio
import secrets
import signal
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import msgspec

from veille.app import clock_words, explain, oncall, parts
from veille.app.channels import doors, notifiers
from veille.app.desks import Desks, open_desks, take_link
from veille.app.house import house
from veille.app.operations import check
from veille.app.replay import build_stages, protector
from veille.app.systemd import Systemd
from veille.collectors.interchange import parse_lines
from veille.config import Loaded, load, packaged
from veille.demo.mail import MailStandIn
from veille.demo.scene import SCENE, Crier, Playing, SceneClock, drained
from veille.demo.slack import SlackStandIn
from veille.domain.clock import monotonic_s, utc_now
from veille.nlp.analyst import Analyst
from veille.notifiers.base import Notifier
from veille.pipeline.actions import Actions
from veille.pipeline.asking import Asking
from veille.pipeline.clock import Clock
from veille.pipeline.deliver import Deliver, Sender
from veille.pipeline.explanations import Explanations
from veille.pipeline.intake import Intake
from veille.pipeline.originals import Originals
from veille.pipeline.redact import Redact
from veille.pipeline.replay import Replay, Script, Stages
from veille.pipeline.runner import Runner, Wake
from veille.pipeline.unsnooze import Unsnooze
from veille.store import mentions, timeline, users
from veille.store.engine import Db, SqliteStore
from veille.telemetry import configure_logs
from veille.web.app import build
from veille.web.server import listen
from veille.web.users import add_user

SCENARIO = "nuit-de-crue.jsonl"
CHANNEL = "C0123456789"
LOGIN = "Camille"
"""Who is on call that night, by the name that the scenario knows them by."""
WATCHED_S = 30.0
"""How long the night lasts for who watches it; with --exit it goes as fast as it can."""
DAWN = datetime(2026, 1, 18, 5, tzinfo=UTC)
"""Who watches is left there: the crisis has been told, and its incidents are still open."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of `veille demo --exit`."""

    mentions: int
    alerts: int
    incidents: int
    slack: int
    mail: int
    seconds: float


async def play(*, ends: bool) -> int:
    """Play the night, print where to look first, and return the exit status."""
    started_s = monotonic_s()
    configure_logs(level="warning")
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(
            # a night in a minute: the scenario's seconds are no seconds
            SlackStandIn(token="xoxb-demo", channels=(CHANNEL,), paces=False)  # noqa: S106 no secret
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
            if not await drained(store):
                click.echo("some notifications still wait", err=True)
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


async def _assemble(
    loaded: Loaded,
    store: SqliteStore,
    stack: AsyncExitStack,
    slack: SlackStandIn,
    *,
    watched_s: float,
) -> tuple[Runner, Playing]:
    content = (packaged("examples") / SCENARIO).read_bytes()
    script = Script.of(content, parse_lines(content.splitlines()).mentions)
    clock = SceneClock()
    clock.begin(script.mentions[0].created_at)
    runner = Runner(now=clock.now)
    analyst = await asyncio.to_thread(parts.load_analyst, loaded)
    warning = clock_words.warning(loaded) if watched_s else None  # the end is no Monday's work
    stages = replace(
        await build_stages(store, loaded, protector(loaded, script), analyst=analyst),
        clock=Clock(store, parts.promises(loaded), summary=warning),
        escalate=oncall.escalate(loaded, store),
    )
    desks = open_desks(loaded, runner)
    address = await _open_web(loaded, store, stack, stages, (runner, clock, desks, analyst))
    slack.people.address = address
    click.echo(f"{slack.page}  (le canal Slack de démonstration, avec ses boutons)")
    until = DAWN if watched_s else None
    origins = {source.id: source for source in loaded.config.source}
    replay = Replay(store, stages, script, origins=origins, until=until, name=SCENE)
    scene = Playing(store, replay, clock, pace=_pace(script, until, watched_s), heard=list(origins))
    delivers = await _add_delivery(loaded, store, runner, stack, (desks, address))
    runner.add(scene, tick_s=1.0, then=delivers)
    runner.add(Redact(store), tick_s=1.0, then=delivers)
    runner.add(Unsnooze(store), tick_s=0.5)
    runner.add(Crier(store, loaded.timezone), tick_s=0.5)
    return runner, scene


async def _add_delivery(
    loaded: Loaded,
    store: SqliteStore,
    runner: Runner,
    stack: AsyncExitStack,
    found: tuple[Desks, str],
) -> list[Wake]:
    desks, address = found

    def deliver(name: str, notifier: Notifier) -> Deliver:
        link = take_link(desks.links, name, address)
        institution = loaded.config.veille.name
        sender = Sender(institution=institution, public_url=address, take_link=link)
        return Deliver(store, receiver=name, notifier=notifier, sender=sender)

    built = await notifiers(loaded, stack, gap_s=0)
    desks.connect(built)
    return [runner.add(deliver(*one), tick_s=0.5) for one in built.items()]


async def _open_web(
    loaded: Loaded,
    store: SqliteStore,
    stack: AsyncExitStack,
    stages: Stages,
    found: tuple[Runner, SceneClock, Desks, Analyst],
) -> str:
    """Return the address; sessions live by the real clock, all that pages say is the scenario's."""
    config, (runner, clock, desks, analyst) = loaded.config, found
    health = check(loaded, store, runner, systemd=Systemd(None))
    password = await store.write(_add_login)
    evaluate = stages.evaluate
    site = build(
        store=store,
        settings=config.web,
        institution=config.veille.name,
        timezone=loaded.timezone,
        language=config.veille.language,
        actions=Actions(store, route=loaded.route, now=clock.now),
        intake=Intake(store, stages.collect, doors(loaded), now=utc_now, wake=runner.wake),
        health=health,
        originals=Originals(store, key=parts.sealing_key(loaded), now=clock.now),
        now=utc_now,
        shown_now=clock.now,
        topics={topic.id: topic.name for topic in parts.topics(loaded)},
        explainer=Explanations(analyst),
        asker=Asking(store, lambda: explain.setting(loaded, evaluate.ruleset, clock.now())),
        slack_desk=desks.slack,
        link_desk=desks.links,
        on_call=oncall.board(loaded, store, now=clock.now).lines,
        secret=parts.access_key(loaded),
        promises=parts.promises(loaded),
        house=house(
            loaded, store, lambda: evaluate.ruleset, analyze=analyst.analyze, now=clock.now
        ),
    )
    address = await listen(site, config.web.listen, stack)
    health.is_started = True
    click.echo(f"{address}  (identifiant : {LOGIN}, mot de passe : {password})")
    return address


def _pace(script: Script, until: datetime | None, watched_s: float) -> float:
    """Return how many seconds a second of the scenario takes."""
    lasts = (until or script.mentions[-1].created_at) - script.mentions[0].created_at
    return watched_s / lasts.total_seconds()


def _add_login(db: Db) -> str:
    """Return the demonstration's password: unlike a real one-time password, it may stay."""
    password = add_user(db, LOGIN, role="editor", now=utc_now())
    user = users.get(db, LOGIN)
    if user is not None:
        users.set_password(
            db, LOGIN, password_hash=user.password_hash, must_change=False, now=user.password_at
        )
    return password


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
