"""`veille explain` as its user meets it: answers, refusals, and the exact JSON."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from veille.alerts.events import alert_event
from veille.domain.alert import Alert, AlertState, Condition, Severity, Transition
from veille.domain.evidence import Doubt, DoubtKind
from veille.domain.incident import Incident, IncidentState
from veille.store import alerts, incidents, timeline
from veille.store.engine import Db, SqliteStore

AT = datetime(2026, 1, 18, 1, 5, tzinfo=UTC)


def fill(db: Db) -> None:
    alert = Alert(
        fingerprint="f" * 16,
        rule="flood_distress",
        rule_version="abc",
        severity=Severity.CRITICAL,
        group={"watch": "mairie"},
        labels={"watch": "mairie"},
        state=AlertState.FIRING,
        started_at=AT,
        fired_at=AT,
        value=3,
        threshold=3,
        author_count=3,
        mention_count=3,
        window=timedelta(minutes=15),
        conditions=(Condition(name="count", value=3, threshold=3),),
        against=(Doubt(kind=DoubtKind.ONE_SOURCE, value=1, total=3),),
        annotations={"owner": "Service des eaux"},
    )
    incident = Incident(
        id=1,
        key="k",
        labels={},
        state=IncidentState.OPEN,
        severity=Severity.CRITICAL,
        title="Inondation",
        opened_at=AT,
        updated_at=AT,
        alerts=(alert.fingerprint,),
    )
    alerts.save(db, [alert])
    incidents.save(db, incident, expected_version=None)
    timeline.add(db, [alert_event(Transition(at=AT, alert=alert), incident)])


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explain") / "veille.db"

    async def make() -> None:
        async with SqliteStore(path, group_commit=timedelta(0)) as store:
            await store.write(fill)

    asyncio.run(make())
    return path


def explain(*args: str | Path) -> Result:
    from veille.cli.root import root

    return CliRunner().invoke(root, ["explain", *map(str, args)])


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def test_an_incident_is_explained_in_sentences(database: Path) -> None:
    said = plain(explain("I1", "--db", database).output)
    assert (
        "La règle « flood_distress » s'est déclenchée : 3 messages en 15 min (seuil : 3)." in said
    )
    assert "Les 3 messages viennent tous de la même source." in said
    assert "Responsable de la règle : Service des eaux" in said
    assert "Personne n'a été prévenu jusqu'ici." in said


def test_json_holds_the_numbers_and_the_verdict_they_give(database: Path) -> None:
    answer = msgspec.json.decode(explain("i1", "--db", database, "--json").output)
    (alert,) = answer["alerts"]
    assert alert["verdict"] is True
    assert alert["conditions"] == [
        {"name": "count", "value": 3.0, "threshold": 3.0, "comparison": ">=", "holds": True}
    ]
    assert alert["against"] == [{"kind": "one_source", "value": 1.0, "total": 3}]


def test_a_mention_that_is_not_kept_is_said_to_be_absent(database: Path) -> None:
    asked = ("--mention", "n'importe quoi", "--rule", "urgent_mention", "--db", database)
    answer = msgspec.json.decode(explain(*asked, "--json").output)
    assert (answer["outcome"], answer["failed"]) == ("absent", None)
    assert "n'est gardé" in explain(*asked).output


def test_nonsense_is_refused_with_the_remedy(database: Path) -> None:
    for args, said in (
        ((), "write either"),
        (("I1", "--mention", "x", "--rule", "y"), "write either"),
        (("--mention", "x"), "write either"),
        (("I99", "--db", database), "veille queue list"),
        (("Q1", "--db", database), "--mention"),
        (("--mention", "x", "--rule", "nope", "--db", database), "urgent_mention"),
    ):
        done = explain(*args)
        assert done.exit_code == 2
        assert said in done.output
