"""Why an alert, and why none, as the pages say it to somebody who does not know the rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from veille.domain.alert import Alert, Baseline, BaselineKind, Condition
from veille.domain.evidence import Doubt, DoubtKind, Example, Span
from veille.store import alerts, examples, mentions
from veille.store.engine import Db
from veille.web.site import SITE
from veille.web.text import pieces

# Fixtures come from conftest.py; importmode=importlib keeps it from being imported by name.
Browser = Any
Town = Any


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ").replace("&#39;", "'")


def explained(db: Db, **more: Any) -> Alert:
    (alert,) = alerts.live(db)
    given: dict[str, Any] = {
        "conditions": (
            Condition(name="count", value=3, threshold=3),
            Condition(name="authors", value=3, threshold=2),
        ),
        "against": (Doubt(kind=DoubtKind.QUIET_SOURCES, value=2),),
        "annotations": {
            "actions": "joindre le CODIS; vérifier chaque lieu",
            "owner": "Service des eaux",
            "runbook": "https://fiche.example/crue",
        },
    }
    known = replace(alert, **{**given, **more})
    alerts.save(db, [known])
    return known


async def test_the_incident_says_why_it_alerted_and_what_speaks_against_it(
    town: Town, camille: Browser
) -> None:
    await town.store.write(explained)
    page = plain((await camille.get("/incidents/1")).text)
    assert (
        "La règle « flood_distress » s'est déclenchée : 12 messages en 15 min (seuil : 3), "
        "11 auteurs distincts (seuil : 2)." in page
    )
    assert "Mesuré au déclenchement, à 02:12 :" in page
    assert "<li>3 messages en 15 min (seuil : 3)</li>" in page
    assert "2 autres sources ont été lues dans le même temps et n'en disent rien." in page
    assert "À faire d'abord : joindre le CODIS, vérifier chaque lieu." in page
    assert "Responsable de la règle : Service des eaux" in page
    assert "Fiche réflexe : https://fiche.example/crue" in page


async def test_what_a_spike_was_compared_with_is_shown(town: Town, camille: Browser) -> None:
    usual = Baseline(kind=BaselineKind.PREVIOUS, points=4, expected=5.0, counts=(5, 6, 4, 5))
    await town.store.write(lambda db: explained(db, baseline=usual))
    page = plain((await camille.get("/incidents/1")).text)
    assert "du plus récent au plus ancien : 5, 6, 4, 5." in page


async def test_an_alert_stored_before_conditions_were_is_explained_by_its_count(
    town: Town, camille: Browser
) -> None:
    page = plain((await camille.get("/incidents/1")).text)
    assert "a compté 12 messages de 11 personnes en 15 min ; seuil : 3 messages." in page


async def test_the_words_that_matched_are_underlined_in_the_messages(
    town: Town, camille: Browser
) -> None:
    def note(db: Db) -> str:
        alert, key = explained(db), town.keys[1]
        text = mentions.stored(db, [key])[key].text
        # the example of a mention that was observed
        db.execute(
            """INSERT INTO observations (mention, version, key, source, watches, kind, created_at,
            received_at, own) SELECT id, version, key, source, watches, kind, created_at,
            received_at, own FROM mentions WHERE key = ?""",
            (key,),
        )
        spans = (Span(field="text", start=0, end=5),)
        examples.put(db, alert, [Example(key=key, spans=spans)])
        return text[:5]

    word = await town.store.write(note)
    page = (await camille.get("/incidents/1")).text
    assert f"<mark>{word}</mark>" in page


def test_places_that_matched_never_cut_a_mask_nor_lose_a_character() -> None:
    text = "au [téléphone masqué] secours"
    shown = pieces(text, masked=("phone",), spans=((0, 2), (5, 12), (22, 29), (24, 26)))
    assert [(p.text, p.is_mask, p.is_match) for p in shown] == [
        ("au", False, True),
        (" ", False, False),
        ("téléphone masqué", True, False),
        (" ", False, False),
        ("secours", False, True),
    ]
    hostile = pieces("a\u202eb", spans=((0, 1), (900, 950)))
    assert "".join(p.text for p in hostile) == "a⟨U+202E⟩b"


async def test_a_person_asks_why_a_rule_did_not_alert(town: Town, camille: Browser) -> None:
    before = plain((await camille.get("/queue/1")).text)
    assert "Pourquoi pas d'alerte ?" in before
    assert town.app[SITE].asker.asked == []
    page = plain((await camille.get("/queue/1/whynot?rule=unusual_volume")).text)
    assert "Seulement 12 messages en 1 h : il en faut au moins 25." in page
    assert "C'est à 02:16 qu'elle en a été le plus près." in page
    assert '<option value="unusual_volume" selected>Volume inhabituel</option>' in page
    assert town.app[SITE].asker.asked == [(town.keys[0], "unusual_volume")]


async def test_looking_for_news_follows_no_rule(town: Town, camille: Browser) -> None:
    assert (await camille.ask("HEAD", "/queue/1/whynot?rule=unusual_volume")).status == 200
    assert town.app[SITE].asker.asked == []


async def test_a_rule_nobody_knows_is_no_page(town: Town, camille: Browser) -> None:
    for rule in ("", "?rule=", "?rule=%3Cscript%3E"):
        answer = await camille.get(f"/queue/1/whynot{rule}")
        assert answer.status == 404
    assert town.app[SITE].asker.asked == []


async def test_an_answer_that_takes_too_long_says_so(town: Town, camille: Browser) -> None:
    town.app[SITE].asker.is_slow = True
    page = plain((await camille.get("/queue/1/whynot?rule=unusual_volume")).text)
    assert "trop de temps" in page


async def test_a_stranger_learns_nothing(town: Town, stranger: Browser) -> None:
    answer = await stranger.get("/queue/1/whynot?rule=unusual_volume")
    assert answer.path.startswith("/login")


async def test_many_questions_in_a_short_time_are_put_off(town: Town, camille: Browser) -> None:
    pages = [
        plain((await camille.get("/queue/1/whynot?rule=unusual_volume")).text) for _ in range(40)
    ]
    assert "beaucoup d'explications en peu de temps" in pages[-1]
    assert len(town.app[SITE].asker.asked) < 40
