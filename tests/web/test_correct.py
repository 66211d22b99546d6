"""Correcting the analysis of a queue item: who may, who was first, what is shown, what is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from veille.domain.analysis import Analysis, Sentiment, SentimentLabel, Urgency, UrgencyLabel
from veille.domain.mention import MentionKind
from veille.domain.record import Identity, MaskedMention
from veille.store import corrections, mentions, queue, timeline, work
from veille.store.codec import moment
from veille.store.engine import Db

LATER = datetime(2026, 1, 18, 1, 20, tzinfo=UTC)

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any


def edit(db: Db) -> None:
    """The author of the first mention found help: it is another text now, read as such."""
    store_again(db, "Tout va bien, la dame est sortie", analyzers={"urgency": "v1"})


def read_before(db: Db) -> None:
    """The first mention is as a release without these heads left it."""
    heads = ("sentiment", "urgency", "crisis", "entities", "language")
    store_again(db, "La dame attend", analyzers=dict.fromkeys(heads, "v0"))


def store_again(db: Db, text: str, *, analyzers: dict[str, str]) -> None:
    """The first mention is edited to this text, and analyzed anew."""
    row = db.row("SELECT * FROM mentions WHERE id = 1")
    assert row is not None
    edited = MaskedMention(
        key=row["key"], source=row["source"], watches=("mairie",), kind=MentionKind.POST,
        text=text, created_at=moment(row["created_at"]), received_at=LATER, edited_at=LATER,
        content_hash=text, identity=Identity(native_id="1"), author=row["author"], lang="fr",
    )  # fmt: skip
    mentions.add(db, mentions=[edited], tombstones=[], now=LATER)
    found = Analysis(
        lang="fr",
        sentiment=Sentiment(label=SentimentLabel.NEUTRAL, score=0.0, probabilities={}),
        crisis=0.0,
        urgency=Urgency(label=UrgencyLabel.NORMAL, score=0.1),
        analyzers=analyzers,
    )
    jobs = work.claim(db, limit=1, now=LATER, lease=timedelta(minutes=1))
    work.save(db, [(job, found) for job in jobs], now=LATER)


async def said(town: Town) -> dict[str, str]:
    key = town.keys[0]
    found = await town.store.read(lambda db: corrections.corrected(db, [key]).get(key, {}))
    return {head: each.value for head, each in found.items()}


async def test_a_correction_is_shown_with_who_and_when_and_marked_in_words(
    town: Town, camille: Browser
) -> None:
    page = await camille.get("/queue/1")
    assert "négatif (probable)" in page.text
    page = await camille.submit(
        page, "/queue/1/correct", sentiment="neutral", intent="distress", topic="roads", target=""
    )
    assert page.path == "/queue/1?done=correct"
    assert await said(town) == {"sentiment": "neutral", "intent": "distress", "topic": "roads"}
    assert "Ton : neutre (corrigé), selon Camille" in page.text
    assert "Avant : négatif." in page.text
    assert "Sujet principal : Voirie (corrigé)" in page.text
    assert "négatif (probable)" not in page.text
    assert "Camille donne son avis sur l&#39;analyse : intention, ton, sujet principal" in page.text
    home = await camille.get("/")
    assert "neutre (corrigé)" in home.text


async def test_one_button_confirms_all_the_machine_said(town: Town, camille: Browser) -> None:
    page = await camille.get("/queue/1")
    form = page.text[page.text.index("/queue/1/correct") :]
    form = form[: form.index("</form>")]
    assert 'name="sentiment" value="negative"' in form
    assert 'name="intent"' not in form  # the machine was undecided: nothing to confirm
    page = await camille.submit(page, "/queue/1/correct", sentiment="negative", urgency="urgent")
    assert await said(town) == {"sentiment": "negative", "urgency": "urgent"}
    assert "négatif (confirmé)" in page.text


async def test_a_correction_is_undone_by_another_one(town: Town, camille: Browser) -> None:
    page = await camille.submit(await camille.get("/queue/1"), "/queue/1/correct", urgency="normal")
    assert 'value="-"' in page.text
    page = await camille.submit(page, "/queue/1/correct", urgency="-")
    assert await said(town) == {}
    assert "urgent (certain)" in page.text


async def test_a_withdrawal_is_told_from_an_opinion_and_from_nothing(
    town: Town, camille: Browser
) -> None:
    page = await camille.submit(await camille.get("/queue/1"), "/queue/1/correct", urgency="normal")
    assert page.path == "/queue/1?done=correct"
    page = await camille.submit(page, "/queue/1/correct", urgency="-")
    assert page.path == "/queue/1?done=withdrawn"
    assert "Camille donne son avis sur l&#39;analyse : urgence" in page.text
    assert "Camille retire l&#39;avis donné sur l&#39;analyse : urgence" in page.text
    page = await camille.submit(page, "/queue/1/correct", urgency="-")
    assert "Rien n&#39;a changé" in page.text
    events = await town.store.read(lambda db: timeline.of(db, "Q1"))
    assert [event.kind for event in events][-2:] == ["queue.corrected", "queue.uncorrected"]


async def test_without_hostility_there_is_no_target(town: Town, camille: Browser) -> None:
    page = await camille.get("/queue/1")
    assert "menace (probable), contre un agent" in page.text
    page = await camille.submit(page, "/queue/1/correct", hostility="none", target="staff")
    assert page.status == 400
    assert "Seul un message incivil ou menaçant a une cible" in page.text
    assert await said(town) == {}
    page = await camille.submit(page, "/queue/1/correct", hostility="none")
    assert await said(town) == {"hostility": "none"}
    assert "<dd>aucune (corrigé)</dd>" in page.text


async def test_who_comes_second_is_told_and_overwrites_nothing(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    first, second = await camille.get("/queue/1"), await sacha.get("/queue/1")
    await camille.submit(first, "/queue/1/correct", sentiment="neutral")
    page = await sacha.submit(second, "/queue/1/correct", sentiment="positive")
    assert page.status == 409
    assert "Camille l&#39;a modifié" in page.text
    assert await said(town) == {"sentiment": "neutral"}


async def test_an_opinion_on_a_text_that_was_edited_meanwhile_is_not_kept(
    town: Town, camille: Browser
) -> None:
    page = await camille.get("/queue/1")
    await town.store.write(edit)
    page = await camille.submit(page, "/queue/1/correct", urgency="urgent")
    assert page.status == 409
    assert "Relisez-le : votre avis n&#39;a pas été enregistré." in page.text
    assert await said(town) == {}
    page = await camille.submit(page, "/queue/1/correct", urgency="normal")
    assert page.path == "/queue/1?done=correct"
    assert await said(town) == {"urgency": "normal"}


async def test_an_opinion_that_does_not_say_on_what_is_not_kept(
    town: Town, camille: Browser
) -> None:
    csrf = (await camille.get("/queue/1")).field("csrf")
    page = await camille.post("/queue/1/correct", {"csrf": csrf, "urgency": "urgent"})
    assert page.status == 409
    assert await said(town) == {}


async def test_nobody_is_asked_about_what_the_model_of_before_never_looked_for(
    town: Town, camille: Browser
) -> None:
    await town.store.write(read_before)
    page = await camille.get("/queue/1")
    assert 'name="urgency"' in page.text
    for head in ("target", "hostility", "intent", "topic"):
        assert f'name="{head}"' not in page.text
    assert "indécis" not in page.text
    assert "<dt>Intention</dt>" not in page.text
    assert "Analysé par une version antérieure" in page.text


async def test_readers_see_corrections_and_make_none(
    town: Town, camille: Browser, dominique: Browser
) -> None:
    await camille.submit(await camille.get("/queue/1"), "/queue/1/correct", sentiment="neutral")
    page = await dominique.get("/queue/1")
    assert "neutre (corrigé), selon Camille" in page.text
    assert "/queue/1/correct" not in page.text
    csrf = page.field("csrf")
    page = await dominique.post("/queue/1/correct", {"csrf": csrf, "sentiment": "positive"})
    assert page.status == 403
    assert await said(town) == {"sentiment": "neutral"}


@pytest.mark.parametrize(
    "fields",
    [{}, {"sentiment": "furious"}, {"topic": "not_in_the_list"}, {"intent": "<script>"}],
)
async def test_what_is_in_no_list_changes_nothing(
    town: Town, camille: Browser, fields: dict[str, str]
) -> None:
    page = await camille.submit(await camille.get("/queue/1"), "/queue/1/correct", **fields)
    assert page.status == 400
    assert "Choisissez dans les listes" in page.text
    assert await said(town) == {}


async def test_the_audit_log_and_the_timeline_name_heads_and_no_label(
    town: Town, camille: Browser
) -> None:
    await camille.submit(await camille.get("/queue/1"), "/queue/1/correct", intent="threat")
    rows = await town.store.read(
        lambda db: [tuple(row) for row in db.rows("SELECT actor, action, after FROM audit")]
    )
    assert ("Camille", "queue.corrected", '{"heads":"intent","deed":1}') in rows
    events = await town.store.read(lambda db: timeline.of(db, "Q1"))
    assert events[-1].data == {"heads": ["intent"]}


async def test_a_correction_moves_neither_state_nor_severity(town: Town, camille: Browser) -> None:
    before = await town.store.read(lambda db: queue.get(db, 1))
    await camille.submit(await camille.get("/queue/1"), "/queue/1/correct", urgency="normal")
    after = await town.store.read(lambda db: queue.get(db, 1))
    assert (after.state, after.severity, after.updated_at) == (
        before.state,
        before.severity,
        before.updated_at,
    )
    assert after.version == before.version + 1
