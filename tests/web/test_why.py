"""A person asks why: the words that carried each label, for readers too, never by itself."""

from __future__ import annotations

from typing import Any

import pytest

from veille.domain.errors import AnalystLostError
from veille.domain.explanation import Explanation, Weight
from veille.domain.record import Tombstone
from veille.store import mentions
from veille.web import why

# Fixtures come from conftest.py; importmode=importlib keeps it from being imported by name.
Browser = Any
Town = Any

ASK = "Pourquoi ? Voir les mots qui ont compté"


def told(*words: str) -> tuple[Explanation, ...]:
    spans = tuple(Weight(start=0, end=len(w), text=w, weight=0.62) for w in words)
    return (
        Explanation(head="urgency", label="urgent", spans=spans),
        Explanation(head="intent", label="distress", spans=()),
    )


async def test_the_words_that_counted_are_shown_on_demand_only(
    town: Town, dominique: Browser
) -> None:
    town.teller.answer = told("coincée dans sa voiture")
    before = await dominique.get("/queue/1")
    assert ASK in before.text
    assert town.teller.asked == []
    page = await dominique.get("/queue/1/why")
    assert "« coincée dans sa voiture »</mark>" in page.text
    assert "62 points de moins sans ces mots" in page.text
    assert "Urgence : urgent" in page.text
    assert "Intention : appel à l&#39;aide" in page.text
    assert "Aucun mot ne l&#39;emporte à lui seul." in page.text
    assert ASK not in page.text
    assert len(town.teller.asked) == 1
    assert "[téléphone masqué]" in town.teller.asked[0]


async def test_looking_for_news_explains_nothing(town: Town, camille: Browser) -> None:
    assert (await camille.ask("HEAD", "/queue/1/why")).status == 200
    again = await camille.get("/queue/1/why", headers={"Veille-Live": "1"})
    assert again.status == 200
    assert town.teller.asked == []


async def test_a_stranger_gets_no_reasons(town: Town, stranger: Browser) -> None:
    answer = await stranger.get("/queue/1/why")
    assert answer.path.startswith("/login")
    assert town.teller.asked == []


async def test_when_the_model_died_meanwhile_it_is_to_be_asked_again(
    town: Town, dominique: Browser
) -> None:
    async def die() -> None:
        raise AnalystLostError("of another's text")

    town.teller.meanwhile = die
    page = await dominique.get("/queue/1/why")
    assert (page.status, page.headers["Retry-After"]) == (503, "5")


async def test_who_asks_while_another_text_is_explained_is_told_to_try_again(
    town: Town, camille: Browser
) -> None:
    town.teller.answer = None
    page = await camille.get("/queue/1/why")
    assert page.status == 200
    assert "Une autre explication est en cours." in page.text


async def test_who_asks_again_and_again_waits(town: Town, camille: Browser) -> None:
    town.teller.answer = told("coincée")
    for _ in range(5):
        assert "« coincée »" in (await camille.get("/queue/1/why")).text
    page = await camille.get("/queue/1/why")
    assert "Vous avez demandé beaucoup d&#39;explications" in page.text
    assert len(town.teller.asked) == 5
    town.clock.advance(minutes=1, seconds=1)
    assert "« coincée »" in (await camille.get("/queue/1/why")).text


async def test_one_visitor_does_not_use_up_the_turns_of_another(
    town: Town, camille: Browser, dominique: Browser
) -> None:
    for _ in range(6):
        await camille.get("/queue/1/why")
    await dominique.get("/queue/1/why")
    assert len(town.teller.asked) == 6


async def test_a_text_deleted_during_its_explanation_is_not_shown(
    town: Town, camille: Browser
) -> None:
    town.teller.answer = told("coincée dans sa voiture")
    gone = Tombstone(key=town.keys[0], source="mastodon", at=town.clock())

    async def delete() -> None:
        await town.store.write(
            lambda db: mentions.add(db, mentions=[], tombstones=[gone], now=town.clock())
        )

    town.teller.meanwhile = delete
    page = await camille.get("/queue/1/why")
    assert town.teller.asked
    assert "coincée" not in page.text
    assert "a changé pendant l&#39;explication" in page.text


async def test_an_explanation_that_takes_too_long_is_no_error_of_the_page(
    town: Town, camille: Browser
) -> None:
    async def stall() -> None:
        raise TimeoutError

    town.teller.meanwhile = stall
    page = await camille.get("/queue/1/why")
    assert page.status == 200
    assert "Une autre explication est en cours." in page.text


async def test_messages_that_wait_come_before_explanations(
    town: Town, camille: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(why, "CROWD", -1)
    page = await camille.get("/queue/1/why")
    assert "ils passent avant les explications" in page.text
    assert town.teller.asked == []


async def test_words_of_an_attacker_are_harmless(town: Town, camille: Browser) -> None:
    town.teller.answer = told("<img src=x onerror=owned=1>\u202e\x1b[31m")
    page = await camille.get("/queue/1/why")
    assert "<img" not in page.text
    assert "\u202e" not in page.text


async def test_an_unknown_item_has_no_reasons(town: Town, camille: Browser) -> None:
    for path in ("/queue/999/why", "/queue/x/why"):
        assert (await camille.get(path)).status == 404
