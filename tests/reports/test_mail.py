"""The summary from the configuration to the mailbox, over restarts; and `veille report weekly`."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from veille.app import reports
from veille.app.channels import notifiers
from veille.cli.root import root
from veille.config import Loaded, load
from veille.demo.mail import MailStandIn
from veille.domain.errors import ConfigError, DeliveryError
from veille.domain.notification import NotificationKind, OutboxRow
from veille.pipeline.deliver import Deliver, Sender
from veille.store import outbox, weekly
from veille.store.engine import Db, SqliteStore, connect

if TYPE_CHECKING:
    from conftest import Press

MONDAY_8 = datetime(2026, 11, 23, 8, tzinfo=ZoneInfo("Europe/Paris"))
CONFIG = """
[veille]
name = "Saint-Aubin"
data_dir = "data"
[[watch]]
id = "mairie"
[[receiver]]
id = "courriel"
kind = "email"
host = "127.0.0.1"
port = {port}
tls = "none"
allow_private = true
sender = "veille@mairie.example"
to = ["direction@mairie.example"]
quotes = {quotes}
[reports]
{reports}
"""


def configure(folder: Path, *, port: int = 25, quotes: str = "true", reports: str = "") -> Loaded:
    path = folder / "config.toml"
    path.write_text(CONFIG.format(port=port, quotes=quotes, reports=reports), encoding="utf-8")
    return load(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "veille.db"


@pytest.fixture
def db(path: Path, begun: Path) -> Db:
    path.parent.mkdir()
    return connect(shutil.copy(begun, path), is_durable=False)


@pytest.fixture
def written(two_weeks: Press, monday: datetime) -> None:
    """Two weeks on disk, heard by a daemon that was there."""
    weekly.note_listening(two_weeks.db, monday - timedelta(days=30))
    two_weeks.db.close()


@pytest.fixture
async def relay() -> AsyncIterator[MailStandIn]:
    async with MailStandIn() as stand_in:
        yield stand_in


async def start(loaded: Loaded, now: datetime, *, told_at: datetime | None = None) -> None:
    """Run what a daemon runs of it, from a start at `now` to a stop; deliver at `told_at`."""
    async with AsyncExitStack() as stack:
        database = loaded.resolve("data") / "veille.db"
        store = await stack.enter_async_context(
            SqliteStore(database, group_commit=timedelta(0), is_durable=False)
        )
        stage = reports.schedule(loaded, store)
        assert stage is not None
        await stage.step(now)
        for name, notifier in (await notifiers(loaded, stack)).items():
            deliver = Deliver(
                store,
                receiver=name,
                notifier=notifier,
                sender=Sender(
                    institution="Saint-Aubin",
                    public_url="http://127.0.0.1",
                    documents=reports.documents(loaded, store, name, now=lambda: told_at or now),
                ),
            )
            while await deliver.step(told_at or now):
                pass


async def test_it_is_mailed_once_though_the_daemon_restarts_a_second_later(
    written: None, tmp_path: Path, relay: MailStandIn
) -> None:
    loaded = configure(tmp_path, port=relay.port)
    for seconds in (-1, 0, 1, 2, 3600):
        await start(loaded, MONDAY_8 + timedelta(seconds=seconds))
    mails = [m for m in relay.received() if "Semaine 47" in str(m.message["Subject"])]
    assert len(mails) == 1
    subject = str(mails[0].message["Subject"]).replace("\u202f", " ").replace("\u00a0", " ")
    assert subject == "Semaine 47 · Saint-Aubin · 250 mentions (+25 %), solde −20"
    assert "Bacs pleins" in mails[0].body("html")
    assert "−29,4" in mails[0].body("plain")
    assert "author" not in mails[0].body("html")


async def test_a_clock_set_right_before_the_mail_puts_off_the_week_that_is_not_over(
    written: None, tmp_path: Path, relay: MailStandIn
) -> None:
    loaded = configure(tmp_path, port=relay.port)
    friday = MONDAY_8 - timedelta(days=3)
    await start(loaded, MONDAY_8, told_at=friday)
    assert relay.received() == []
    for at in (friday, MONDAY_8):
        await start(loaded, at)
    subjects = [str(m.message["Subject"]).split(" · ")[0] for m in relay.received()]
    assert subjects == ["Semaine 46", "Semaine 47"]


async def test_a_relay_that_is_down_at_eight_gets_it_when_it_is_back(
    written: None, tmp_path: Path, relay: MailStandIn
) -> None:
    loaded = configure(tmp_path, port=relay.port)
    await relay.go_down()
    await start(loaded, MONDAY_8)
    await relay.come_back()
    await start(loaded, MONDAY_8 + timedelta(minutes=20))
    subjects = [str(m.message["Subject"]) for m in relay.received()]
    assert [s.split(" · ")[0] for s in subjects] == ["Semaine 47"]


async def test_a_receiver_without_quotes_gets_no_text_of_a_mention(
    written: None, tmp_path: Path, relay: MailStandIn
) -> None:
    await start(configure(tmp_path, port=relay.port, quotes="false"), MONDAY_8)
    mail = relay.received()[0]
    assert "Bacs pleins" not in mail.body("html") + mail.body("plain")


OTHERS = """
[[receiver]]
id = "slack"
kind = "slack"
token = "SLACK_TOKEN"
channel = "C0000000001"
[[receiver]]
id = "hook"
kind = "webhook"
url = "https://hook.example/in"
secret = "HOOK"
[[receiver]]
id = "bus"
kind = "mqtt"
host = "bus.example"
mqtt_topic = "veille/v1/saint-aubin"
quotes = true
"""


@pytest.mark.parametrize(
    ("receiver", "is_quoted"),
    [("courriel", True), ("slack", False), ("hook", False), ("bus", False)],
)
async def test_only_mail_quotes_messages_in_a_summary_for_nobody_takes_those_back(
    written: None, tmp_path: Path, receiver: str, is_quoted: bool
) -> None:
    loaded = configure(tmp_path, reports=f'to = ["{receiver}"]\n{OTHERS}')
    async with SqliteStore(tmp_path / "data" / "veille.db", group_commit=timedelta(0)) as store:
        write = reports.documents(loaded, store, receiver, now=lambda: MONDAY_8)
        document = await write("weekly-2026-W47")
    assert ("Bacs pleins" in document.text, "Bacs pleins" in (document.html or "")) == (
        is_quoted,
        is_quoted,
    )
    assert "250" in document.text


async def test_a_summary_that_cannot_be_written_is_parked_and_delays_no_alert(
    written: None, tmp_path: Path, relay: MailStandIn
) -> None:
    loaded = configure(tmp_path, port=relay.port)

    def break_(db: Db) -> None:
        db.execute("INSERT INTO incidents VALUES (1, 'k', 'open', 'info', NULL, 1, 'no JSON')")

    async with SqliteStore(tmp_path / "data" / "veille.db", group_commit=timedelta(0)) as store:
        await store.write(break_)
        write = reports.documents(loaded, store, "courriel", now=lambda: MONDAY_8)
        with pytest.raises(DeliveryError, match="veille report weekly") as caught:
            await write("weekly-2026-W47")
        assert caught.value.is_content
    await start(loaded, MONDAY_8)
    async with SqliteStore(tmp_path / "data" / "veille.db", group_commit=timedelta(0)) as store:
        row = await store.read(lambda db: db.row("SELECT state, error FROM outbox"))
    assert row is not None
    assert (row["state"], relay.received()) == ("parked", [])
    assert "no JSON" not in row["error"]


async def test_a_failed_summary_writes_no_line_into_an_incident_that_does_not_exist(
    written: None, tmp_path: Path, relay: MailStandIn
) -> None:
    loaded = configure(tmp_path, port=relay.port)
    await relay.go_down()
    await start(loaded, MONDAY_8)
    async with SqliteStore(tmp_path / "data" / "veille.db", group_commit=timedelta(0)) as store:
        lines = await store.read(lambda db: db.value("SELECT count(*) FROM timeline"))
        waiting = await store.read(outbox.troubles)
    assert lines == 0
    assert waiting["courriel"][0] == 1


def test_no_receiver_or_no_hour_means_no_schedule(tmp_path: Path, store: SqliteStore) -> None:
    assert reports.schedule(configure(tmp_path, reports='weekly = "off"'), store) is None
    assert reports.schedule(configure(tmp_path, reports="to = []"), store) is None
    assert reports.receivers(configure(tmp_path)) == ("courriel",)


def test_a_receiver_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'reports.to: "couriel".*did you mean "courriel"'):
        configure(tmp_path, reports='to = ["couriel"]')
    with pytest.raises(ConfigError, match="weekly"):
        configure(tmp_path, reports='weekly = "lundi 8h"')


def call(folder: Path, *arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(
        root, ["report", "weekly", "--config", str(folder / "config.toml"), *arguments]
    )
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("form", "start"),
    [("md", "# Semaine 47"), ("html", "<!doctype html>"), ("json", "{"), ("csv", "section,")],
)
def test_the_command_writes_each_format_to_screen_or_file(
    written: None, tmp_path: Path, form: str, start: str
) -> None:
    configure(tmp_path)
    code, shown, _ = call(tmp_path, "--week", "2026-W46", "--format", form)
    assert code == 0
    assert shown.startswith(start.replace("47", "46"))
    out = tmp_path / "out"
    again = call(tmp_path, "--week", "2026-W46", "--format", form, "--out", str(out))
    assert (again[0], again[1]) == (0, "")
    assert len(out.read_text(encoding="utf-8").splitlines()) == len(shown.splitlines())


def test_the_command_keeps_quotes_back_when_asked(written: None, tmp_path: Path) -> None:
    configure(tmp_path)
    code, shown, _ = call(tmp_path, "--week", "2026-W46", "--no-quotes")
    assert code == 0
    assert "> texte" not in shown


@pytest.mark.parametrize("week", ["nonsense", "2026-W60", "2999-W01", "0001-W01"])
def test_the_command_refuses_a_week_with_an_example(
    written: None, tmp_path: Path, week: str
) -> None:
    configure(tmp_path)
    code, shown, said = call(tmp_path, "--week", week)
    assert (code, shown) == (2, "")
    assert "2026-W47" in said


def test_a_file_that_cannot_be_written_is_said(written: None, tmp_path: Path) -> None:
    configure(tmp_path)
    code, _, said = call(tmp_path, "--out", str(tmp_path / "nowhere" / "x.md"))
    assert code == 2
    assert "cannot be written" in said


def test_the_command_reads_beside_a_running_writer(written: None, tmp_path: Path) -> None:
    loaded = configure(tmp_path)

    async def both() -> str:
        async with SqliteStore(tmp_path / "data" / "veille.db") as store:
            row = OutboxRow(
                key="k",
                receiver="courriel",
                incident=1,
                kind=NotificationKind.OPENED,
                facts=None,
                due_at=MONDAY_8,
            )
            await store.write(lambda db: outbox.add(db, [row]))
            return await reports.report(
                loaded, store, week=None, format="md", now=MONDAY_8, quotes=True
            )

    assert asyncio.run(both()).startswith("# Semaine 47")
