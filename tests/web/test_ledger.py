"""The page of what is unanswered: why, since when, and what was decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from veille.alerts.clock_settings import usual
from veille.alerts.settings import RouteSettings
from veille.domain.alert import Severity
from veille.domain.analysis import (
    Analysis,
    Intent,
    IntentLabel,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.deed import Deed, Verb
from veille.domain.incident import QueueState
from veille.domain.mention import MentionKind
from veille.domain.record import Identity, MaskedMention
from veille.pipeline.clock import Clock
from veille.pipeline.dispatch import Dispatch
from veille.store import incidents, ledger, mentions, work
from veille.store.engine import Db
from veille.web.site import SITE

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
PARIS = ZoneInfo("Europe/Paris")
TUESDAY = datetime(2026, 1, 20, 11, 0, tzinfo=PARIS).astimezone(UTC)
HOSTILE = "<script>alert(1)</script> {{ 7*7 }} \u202e à quelle heure ouvre la piscine ?"
READ = Analysis(
    lang="fr",
    sentiment=Sentiment(label=SentimentLabel.NEUTRAL, score=0.0, probabilities={"neutral": 1.0}),
    crisis=0.0,
    urgency=Urgency(label=UrgencyLabel.NORMAL, score=0.02),
    intent=Intent(label=IntentLabel.QUESTION, score=0.9),
    analyzers={"intent": "v1"},
)


async def ask(town: Town, text: str, *, minutes: int, number: int = 100, **more: object) -> str:
    """Return the key of a question asked so long before Tuesday 11:00."""
    at = TUESDAY - timedelta(minutes=minutes)
    plain = MaskedMention(
        key=f"{number:032x}",
        source="mastodon",
        watches=("mairie",),
        kind=MentionKind.POST,
        text=text,
        created_at=at,
        received_at=at,
        content_hash=f"{number}",
        identity=Identity(native_id=str(number)),
        author=f"author-{number}",
    )
    one = replace(plain, **more)  # type: ignore[arg-type]  # a test names the fields

    def write(db: Db) -> None:
        mentions.add(db, mentions=[one], tombstones=[], now=at)
        claimed = work.claim(db, limit=9, now=TUESDAY, lease=timedelta(0))
        work.save(db, [(item, READ) for item in claimed], now=at)

    await town.store.write(write)
    await follow(town)
    return one.key


async def follow(town: Town) -> None:
    clock = Clock(town.store, usual(PARIS))
    while await clock.step(TUESDAY):
        pass


@pytest.fixture
async def tuesday(town: Town) -> Town:
    town.clock.now = TUESDAY
    return town


@pytest.fixture
async def camille_now(tuesday: Town, stranger: Browser) -> Browser:
    await stranger.sign_in("Camille")  # on Tuesday: a session of Sunday is over
    return stranger


async def test_a_question_stands_there_with_its_age_its_clock_and_why(
    tuesday: Town, camille_now: Browser
) -> None:
    await ask(tuesday, HOSTILE, minutes=85)
    page = await camille_now.get("/ledger")
    assert "1 question ou demande attend une réponse" in page.text
    assert "1 h 25" in page.text
    assert "dépassé depuis 10:05" in page.text
    assert "Ni une règle ni une personne ne l&#39;a mis dans la file" in page.text
    assert "<script>alert" not in page.text
    assert "49" not in page.text.partition("alert(1)")[2][:40]
    assert "⟨U+202E⟩" in page.text


async def test_from_there_it_is_put_into_the_queue_and_decided(
    tuesday: Town, camille_now: Browser
) -> None:
    await ask(tuesday, "À quelle heure ouvre la piscine ?", minutes=10)
    page = await camille_now.get("/ledger")
    item = await camille_now.submit(page, "/search/queue", mention=page.field("mention"))
    assert item.path.startswith("/queue/")
    number = item.path.removeprefix("/queue/").partition("?")[0]
    await follow(tuesday)
    assert "Personne ne l&#39;a pris en charge" in (await camille_now.get("/ledger")).text
    closed = Deed(verb=Verb.MOVE, state=QueueState.CLOSED, reason="vue au <guichet>")
    await tuesday.app[SITE].actions.do(f"Q{number}", closed, actor="Camille")
    await follow(tuesday)
    page = await camille_now.get("/ledger")
    assert "Toutes les questions et demandes ont reçu" in page.text
    said = "Clos sans réponse par Camille, 11:00. Raison : vue au &lt;guichet&gt;"
    assert said in page.text


async def test_a_reader_sees_it_and_puts_nothing_into_the_queue(
    tuesday: Town, stranger: Browser
) -> None:
    await stranger.sign_in("Dominique")
    await ask(tuesday, "À quelle heure ouvre la piscine ?", minutes=10)
    page = await stranger.get("/ledger")
    assert page.status == 200
    assert "/search/queue" not in page.text


async def test_every_page_of_a_long_ledger_is_reached_and_nothing_twice(
    tuesday: Town, camille_now: Browser
) -> None:
    for number in range(45):
        await ask(tuesday, f"Question {number} ?", minutes=200 - number, number=100 + number)
    first = await camille_now.get("/ledger")
    more = first.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    second = await camille_now.get(more)
    shown = [page.text.count("data-row") for page in (first, second)]
    assert shown == [40, 5]
    assert await tuesday.store.read(ledger.count) == 45


@pytest.mark.parametrize(
    "query", ["days=0", "days=abc", "after=x", "after=1.", "after=" + "9" * 40 + ".a", "before=١.a"]
)
async def test_an_address_of_nonsense_is_refused(
    tuesday: Town, camille_now: Browser, query: str
) -> None:
    assert (await camille_now.get(f"/ledger?{query}")).status == 400


async def test_the_incident_of_a_warning_reads_as_any_other(
    tuesday: Town, camille_now: Browser
) -> None:
    await ask(tuesday, HOSTILE, minutes=5)
    words = {"summary": "Réponse attendue avant 11:25", "description": "x", "actions": "répondre"}
    clock = Clock(tuesday.store, usual(PARIS), summary=lambda _: words)
    waits = {severity: timedelta(0) for severity in Severity}
    dispatch = Dispatch(tuesday.store, route=RouteSettings(), group_wait=waits)
    await clock.step(TUESDAY)
    await clock.step(TUESDAY + timedelta(minutes=18))
    await dispatch.step(TUESDAY + timedelta(minutes=18))
    found = await tuesday.store.read(lambda db: incidents.list_(db, states=["open"], limit=9))
    (number,) = [one.id for one in found if one.title == words["summary"]]
    page = await camille_now.get(f"/incidents/{number}")
    assert page.status == 200
    assert "à quelle heure ouvre la piscine" in page.text
    assert "<script>alert" not in page.text
