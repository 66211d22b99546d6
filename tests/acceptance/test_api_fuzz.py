"""Schemathesis against a real server whose store holds a night: it finds nothing."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from servers.home import home
from veille.alerts.settings import RouteSettings
from veille.domain.access import Role
from veille.domain.alert import Flag, Severity
from veille.domain.explanation import Explanation
from veille.domain.incident import Event, Incident, IncidentState
from veille.domain.mention import MentionKind
from veille.domain.record import Identity, MaskedMention
from veille.domain.whynot import Outcome, WhyNot
from veille.pipeline.actions import Actions
from veille.pipeline.originals import Originals
from veille.store import incidents, mentions, queue, timeline, tokens, users
from veille.store.engine import Db, SqliteStore
from veille.web.app import build
from veille.web.server import listen
from veille.web.settings import WebSettings
from veille.web.tokens import SCOPES, new_token, scopes_of, token_hash

NOW = datetime(2026, 1, 18, 1, 16, tzinfo=UTC)
LIMIT_S = int(os.environ.get("VEILLE_FUZZ_S", "180"))
EXAMPLES = os.environ.get("VEILLE_EXAMPLES", "2")
PHASES = os.environ.get("VEILLE_PHASES", "fuzzing")
SELF = "/users/|/tokens/|/sessions/end"
"""What may take the tester's own token away: asked last."""


class Alive:
    """The health of what runs, an intake nobody knocks at."""

    def is_live(self) -> bool:
        return True

    async def why_not_ready(self) -> tuple[str, ...]:
        return ()

    async def why_degraded(self) -> tuple[str, ...]:
        return ()

    async def accept(self, source_id: str, headers: object, body: bytes) -> bytes:
        return b"{}"

    async def explain(self, text: str) -> tuple[Explanation, ...]:
        return (Explanation(head="urgency", label="urgent", spans=()),)

    def rules(self) -> dict[str, str]:
        return {"flood_distress": "Appels à l'aide"}

    async def why_not(self, mention: str, rule: str) -> WhyNot:
        return WhyNot(outcome=Outcome.UNSEEN, mention=mention, rule=rule)


@dataclass(frozen=True)
class Served:
    """Where the API is, and a token that may everything."""

    url: str
    token: str


def night(db: Db) -> None:
    """Forty messages in the queue, three incidents."""
    given = [
        MaskedMention(
            key=f"{n:032x}",
            source="presse",
            watches=("mairie",),
            kind=MentionKind.POST,
            text=f"La rue du Lavoir est sous l'eau, message {n}",
            created_at=NOW - timedelta(minutes=n),
            received_at=NOW - timedelta(minutes=n),
            content_hash=f"hash-{n}",
            identity=Identity(native_id=str(n)),
            author=f"author-{n % 7}",
        )
        for n in range(1, 41)
    ]
    mentions.add(db, mentions=given, tombstones=[], now=NOW)
    keys = [each.key for each in given]
    flags = [Flag(key=key, rule="flood", severity=Severity.WARNING, at=NOW) for key in keys]
    queue.flag(db, flags)
    for n in (1, 2, 3):
        opened = Incident(
            id=n,
            key=f"key-{n}",
            labels={"watch": "mairie"},
            state=IncidentState.OPEN,
            severity=Severity.CRITICAL,
            title="Inondation",
            opened_at=NOW,
            updated_at=NOW,
        )
        incidents.save(db, opened, expected_version=None)
        incidents.add_evidence(db, n, keys[n * 10 : n * 10 + 10])
        timeline.add(db, [Event(target=f"I{n}", at=NOW, kind="incident.opened")])


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    token = new_token()

    def people(db: Db) -> None:
        users.add(db, name="Programme", password_hash="", role=Role.ADMIN, now=NOW)
        users.set_password(db, "Programme", password_hash="", must_change=False, now=NOW)
        tokens.add(
            db,
            user="Programme",
            name="essai",
            token_hash=token_hash(token),
            scopes=scopes_of([scope.value for scope in SCOPES], role=Role.ADMIN),
            now=NOW,
            expires_at=NOW + timedelta(days=1),
        )

    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            SqliteStore(tmp_path / "veille.db", is_durable=False, group_commit=timedelta(0))
        )
        await store.write(night)
        await store.write(people)
        alive = Alive()
        app = build(
            store=store,
            settings=WebSettings(api_rate=100_000),
            institution="Saint-Aubin",
            timezone=ZoneInfo("Europe/Paris"),
            language="fr",
            actions=Actions(store, route=RouteSettings(), now=lambda: NOW),
            intake=alive,
            health=alive,
            originals=Originals(store, key=None, now=lambda: NOW),
            now=lambda: NOW,
            topics={"flood": "Inondation"},
            explainer=alive,
            asker=alive,
            house=home(store, lambda: NOW),
        )
        yield Served(await listen(app, "127.0.0.1:0", stack), token)


async def fuzzed(served: Served, *chosen: str) -> tuple[int, str]:
    """Return what schemathesis says of the operations chosen, and its report."""
    program = Path(sys.executable).with_name("schemathesis")
    process = await asyncio.create_subprocess_exec(
        str(program), "run", f"{served.url}/api/v1/openapi.json",
        "-H", f"Authorization: Bearer {served.token}",
        "--phases", PHASES, "--max-examples", EXAMPLES, "--seed", "20260118",
        "--suppress-health-check", "all", "--warnings", "off", *chosen,
        cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    report, _ = await process.communicate()
    return process.returncode or 0, report.decode()


@pytest.mark.timeout(LIMIT_S)
async def test_schemathesis_finds_nothing(served: Served) -> None:
    for chosen in (("--exclude-path-regex", SELF), ("--include-path-regex", SELF)):
        status, report = await fuzzed(served, *chosen)
        assert status == 0, report
