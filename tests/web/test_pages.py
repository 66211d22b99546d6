"""What people see: Now, an incident, a queue item."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import jinja2
import pytest

from veille.domain.explanation import Explanation, Weight
from veille.pipeline import redact
from veille.store import mentions, sources
from veille.store.engine import Db

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
# Fixtures come from conftest.py; importmode=importlib keeps it from being imported by name.
Browser = Any
Town = Any


async def test_now_answers_what_where_how_bad_since_when_and_who_has_it(
    town: Town, camille: Browser
) -> None:
    page = await camille.get("/")
    assert page.status == 200
    for said in (
        "Critique",
        "Inondation, appels à l&#39;aide",
        "rue du Lavoir",
        "12 messages de 11 personnes en 15 min",
        "02:14 (il y a 2 min)",
        "Une dame est coincée",
        "Personne ne l&#39;a pris en charge.",
        "Prendre en charge",
    ):
        assert said in page.text
    assert page.text.index("Critique") < page.text.index("Attention")


class Unmarked(HTMLParser):
    """The text of a page that stands in no element of which is known whose it is."""

    VOID = frozenset({"input", "br", "link", "meta", "path"})
    LISTS = frozenset({"dl", "ol", "ul", "table", "tbody", "tr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self._open = "", [False]
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # a sentence takes the place of what it holds
        assert tag not in self.LISTS or "data-mention" not in dict(attrs)
        if tag not in self.VOID:
            self._open.append(self._open[-1] or "data-mention" in dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self.text += "" if self._open[-1] else data


async def test_each_text_of_a_page_says_whose_it_is_so_that_it_can_leave(
    town: Town, camille: Browser
) -> None:
    word = Weight(start=13, end=20, text="coincée", weight=0.5)
    town.teller.answer = (Explanation(head="urgency", label="urgent", spans=(word,)),)
    answers = "UPDATE mentions SET reply_to = ? WHERE key = ?"
    await town.store.write(lambda db: db.execute(answers, (town.keys[0], town.keys[1])))
    chosen = {"view": "", "back": "/queue", "item": "1.1", "verb": "take"}
    csrf = (await camille.get("/queue")).field("csrf")
    found = [
        await camille.get(path)
        for path in ("/", "/incidents/1", "/queue", "/queue/1", "/queue/1/why", "/search?q=voiture")
    ]
    found.append(await camille.post("/queue/bulk/preview", {**chosen, "csrf": csrf}))
    for page in found:
        assert page.text.count("coincée") > 0, page.path
        for text in ("coincée", "sur le toit"):
            assert text not in Unmarked(page.text).text, page.path
    assert "sur le toit" in found[3].text, "the exchange is there too"


async def test_lines_of_a_page_break_where_they_should_and_a_quote_as_it_was_written(
    town: Town, camille: Browser
) -> None:
    def ask(db: Db) -> None:
        text = "Pourquoi 3 h de coupure ? Rien ; et vous ?"
        db.execute("UPDATE mentions SET text = ? WHERE key = ?", (text, town.keys[0]))

    await town.store.write(ask)
    async with camille.session.get(town.url + "/queue/1") as answer:
        page = (await answer.read()).decode()  # text of `Answer` has plain spaces
    assert "Placé dans la file par la règle «\u00a0" in page
    assert "La mention était-elle à signaler\u202f?" in page
    assert "Pourquoi 3 h de coupure ? Rien ; et vous ?" in page


async def test_now_lists_the_queue_and_quiet_facts(town: Town, camille: Browser) -> None:
    page = await camille.get("/")
    assert "2 mentions à traiter" in page.text
    # a row that makes place for a graver one is not done with
    assert 'data-left="N&#39;est plus sur cette page' in page.text
    assert "négatif (probable)" in page.text
    assert "Source jamais lue avec succès : mastodon" in page.text


async def test_an_empty_town_is_calm(empty_town: Town, camille: Browser) -> None:
    page = await camille.get("/")
    assert "Aucun incident en cours." in page.text
    assert "La file est vide." in page.text


async def test_refused_rules_are_no_source(empty_town: Town, camille: Browser) -> None:
    await empty_town.store.write(
        lambda db: sources.note_error(db, sources.RULES, at=NOW, error="x.yml:3", next_try_at=NOW)
    )
    page = await camille.get("/")
    assert "Règles refusées, les dernières bonnes restent en vigueur : x.yml:3" in page.text
    assert "Aucune source n&#39;a encore été lue." in page.text
    assert "Source jamais lue" not in page.text


async def test_an_incident_says_why_it_fired_and_who_was_told(town: Town, camille: Browser) -> None:
    page = await camille.get("/incidents/I1")
    assert "a compté 12 messages de 11 personnes en 15 min ; seuil : 3 messages." in page.text
    assert "Notification envoyée : astreinte" in page.text
    assert "sur le toit de la salle des fêtes" in page.text
    assert (await camille.get("/incidents/1")).status == 200


async def test_a_mention_shows_its_analysis_in_words_and_its_original_as_first_action(
    town: Town, camille: Browser
) -> None:
    page = await camille.get("/queue/1")
    assert "négatif (probable)" in page.text
    assert "urgent (certain)" in page.text
    assert "[téléphone masqué : ouvrir l&#39;original]" in page.text
    opened = await camille.submit(page, f"/mentions/{town.keys[0]}/original", back="/queue/1")
    assert "06 00 00 00 00" in opened.text
    assert town.vault.opened == [(town.keys[0], "Camille")]


async def test_an_original_that_is_gone_is_said_to_be_gone(town: Town, camille: Browser) -> None:
    page = await camille.get("/queue/1")
    town.vault.texts.clear()
    opened = await camille.submit(page, f"/mentions/{town.keys[0]}/original")
    assert "L&#39;original n&#39;est plus gardé" in opened.text


@pytest.mark.parametrize("path", ["/incidents/9", "/incidents/x", "/queue/9", "/queue/I1", "/no"])
async def test_what_does_not_exist_is_a_page_that_says_so(
    town: Town, camille: Browser, path: str
) -> None:
    page = await camille.get(path)
    assert page.status == 404
    assert "Cette adresse ne mène à rien" in page.text


@pytest.mark.parametrize("language", ["en"])
async def test_english_is_whole(town: Town, camille: Browser, language: str) -> None:
    page = await camille.get("/")
    assert '<html lang="en">' in page.text
    assert "12 messages from 11 people in 15 min" in page.text
    incident = await camille.get("/incidents/1")
    assert "Why this alert?" in incident.text


async def test_head_answers_like_get_without_a_body(town: Town, camille: Browser) -> None:
    for path in ("/", "/incidents/1", "/queue/1", "/account", "/login", "/livez", "/readyz"):
        page = await camille.get(path, follow=False)
        head = await camille.ask("HEAD", path, follow=False)
        assert (head.status, head.text) == (page.status, "")
        assert head.headers.get("Content-Type") == page.headers.get("Content-Type")


async def test_what_does_not_fit_on_the_page_is_counted(
    town: Town, camille: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "affiché" not in (await camille.get("/")).text
    monkeypatch.setattr("veille.web.now_page._ITEMS", 1)
    monkeypatch.setattr("veille.web.now_page._CARDS", 1)
    page = (await camille.get("/")).text
    assert "Aussi en cours" in page
    assert "Volume inhabituel sur la propreté" in page
    assert "2 mentions à traiter" in page
    assert "Voir toute la file" in page
    monkeypatch.setattr("veille.web.now_page._LINES", 0)
    page = (await camille.get("/")).text
    assert "1 autre incident en cours n&#39;est pas affiché" in page


async def test_a_daemon_that_is_not_well_says_so_to_who_looks(town: Town, camille: Browser) -> None:
    town.pulse.reasons = ("less than 5% of the disk is free",)
    page = (await camille.get("/")).text
    assert "veille ne travaille pas comme il faut : less than 5% of the disk is free" in page


async def test_an_item_shows_all_findings_in_words(town: Town, camille: Browser) -> None:
    page = await camille.get("/queue/1")
    for name, value in (
        ("Hostilité", "menace (probable), contre un agent"),
        ("Intention", "indécis"),
        ("Sujets", "Inondation, Voirie"),
        ("Communes", "Lons (39300), Saint-Aubin (plusieurs possibles)"),
    ):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in page.text


@pytest.mark.parametrize("path", ["/queue/1", "/incidents/1"])
async def test_an_urgent_text_shows_its_card_unverified_and_escaped(
    town: Town, camille: Browser, path: str
) -> None:
    page = await camille.get(path)
    assert "Fiche d&#39;urgence" in page.text
    assert "Non vérifié : lu par la machine dans ce seul message." in page.text
    for name, value in (
        ("Danger", "inondation"),
        ("Lieu", "rue du Lavoir"),
        ("Personnes", "environ 3 personnes (personne âgée)"),
        ("Besoin", "secours"),
        ("Moment", "« &lt;b&gt;depuis 20 min&lt;/b&gt; », soit 01:56"),
        ("Média", "image ou vidéo jointe"),
    ):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in page.text


async def test_a_calm_text_shows_no_card(town: Town, camille: Browser) -> None:
    assert "Fiche d&#39;urgence" not in (await camille.get("/queue/2")).text


def forget(db: Db, key: str, cause: str | None) -> None:
    """The mention is gone; without a cause nobody has noted it on its item."""
    mentions.delete(db, [key], cause=cause or mentions.DELETED, now=NOW)
    if cause is not None:
        redact.follow_up(db, NOW)


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (mentions.DELETED, "Ce message a été supprimé par sa source."),
        (mentions.ERASED, "Ce message a été effacé à la demande de la personne."),
        (mentions.EXPIRED, "Ce message a été effacé : sa durée de conservation est atteinte."),
        (None, "Ce message n&#39;est plus gardé."),
    ],
)
async def test_a_text_that_is_gone_says_why_and_nothing_of_an_analysis(
    town: Town, camille: Browser, cause: str | None, words: str
) -> None:
    assert "Analysé par une version antérieure" not in (await camille.get("/queue/1")).text
    await town.store.write(lambda db: forget(db, town.keys[0], cause))
    page = await camille.get("/queue/1")
    assert words in page.text
    assert "pas encore faite" not in page.text
    assert "Ce que l&#39;analyse en dit" not in page.text


async def test_pages_do_not_change_with_the_files_under_a_running_daemon(
    town: Town, camille: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced(*_: object) -> None:
        raise jinja2.TemplateNotFound("read from disk again")

    monkeypatch.setattr(jinja2.PackageLoader, "get_source", replaced)
    for path in ("/", "/incidents/1", "/queue/1", "/queue/1/why", "/account"):
        assert (await camille.get(path)).status == 200
