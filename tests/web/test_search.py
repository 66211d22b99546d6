"""`/search` and the exports, as a browser without scripts and a spreadsheet see them."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest
from yarl import URL

from veille.store import mentions, search
from veille.store.engine import Db
from veille.web import search_page

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
pytestmark = pytest.mark.usefixtures("town")
ATOM = "{http://www.w3.org/2005/Atom}"


def path(text: str, **more: str) -> str:
    tail = "".join(f"&{name}={value}" for name, value in more.items())
    return f"/search?q={quote_plus(text)}{tail}"


def audited(db: Db) -> list[tuple[str, str, str]]:
    rows = db.rows("SELECT actor, action, after FROM audit WHERE action LIKE 'export%'")
    return [(row["actor"], row["action"], row["after"]) for row in rows]


async def test_the_words_found_are_marked_and_the_rest_of_the_text_is_around(
    camille: Browser,
) -> None:
    page = await camille.get(path("VOITURE coincee"))
    assert page.status == 200
    assert "<mark>coincée</mark> dans sa <mark>voiture</mark> rue du Lavoir" in page.text
    assert "1 mention" in page.text
    assert "négatif (probable)" in page.text
    assert 'href="/queue/1"' in page.text


async def test_nothing_is_searched_before_somebody_asks(camille: Browser) -> None:
    page = await camille.get("/search")
    assert page.status == 200
    assert 'name="q"' in page.text
    assert "data-row" not in page.text


async def test_an_empty_search_shows_all_the_newest_first(camille: Browser) -> None:
    page = await camille.get("/search?q=")
    assert "3 mentions" in page.text
    assert page.text.index("marché") < page.text.index("coincée")


async def test_a_facet_narrows_the_search_and_says_how_many(camille: Browser) -> None:
    page = await camille.get(path("eau"))
    assert "Inondation" in page.text
    narrowed = await camille.get(path("ton:négatif sujet:Inondation"))
    assert "3 mentions" in narrowed.text
    assert 'aria-current="true"' in narrowed.text
    assert "Retirer le filtre" in narrowed.text


async def test_a_search_that_does_not_parse_says_where_and_how_to_write_it(
    camille: Browser,
) -> None:
    page = await camille.get(path("crue ton:joyeux"))
    assert page.status == 400
    assert "Caractère 6 : « ton: » n'a pas la valeur « joyeux »" in page.text.replace("&#39;", "'")
    assert 'value="crue ton:joyeux"' in page.text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        'x" autofocus onfocus="owned=1',
        "lieu:{{7*7}}",
        "\x00",
        "\u202e",
    ],
)
async def test_a_hostile_search_is_only_text(camille: Browser, text: str) -> None:
    page = await camille.get(path(text))
    assert page.status in {200, 400}
    assert "<script>alert" not in page.text
    assert 'onfocus="owned' not in page.text
    assert "49" not in page.text.partition("<main")[2].partition("</main>")[0].replace("/49", "")


async def test_a_hostile_mention_is_only_text(
    town: Town, camille: Browser, hostile_item: str
) -> None:
    page = await camille.get(path("evil.example"))
    assert "&lt;script&gt;" in page.text
    assert "<script>window" not in page.text
    assert "⟨U+202E⟩" in page.text


async def test_more_than_one_page_is_read_on_from_the_last_hit(
    town: Town, camille: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_page, "PAGE", 2)
    first = await camille.get("/search?q=")
    assert first.text.count("data-row") == 2
    link = first.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    second = await camille.get(link)
    assert second.text.count("data-row") == 1
    assert "coincée" in second.text
    assert "Revenir au début" in second.text


async def test_a_hit_is_put_in_the_queue_by_hand_and_noted(town: Town, camille: Browser) -> None:
    page = await camille.get(path("toit"))
    answer = await camille.submit(page, "/search/queue", mention=town.keys[1])
    assert answer.path == "/queue/3?done=queued"
    again = await camille.get(path("toit"))
    assert 'href="/queue/3"' in again.text
    rows = await town.store.read(
        lambda db: db.rows("SELECT actor, target FROM audit WHERE action = 'queue.flagged'")
    )
    assert [(row["actor"], row["target"]) for row in rows] == [("Camille", "Q3")]


async def test_what_is_gone_cannot_be_put_in_the_queue(town: Town, camille: Browser) -> None:
    page = await camille.get(path("toit"))
    answer = await camille.submit(page, "/search/queue", mention="f" * 32)
    assert answer.status == 404


async def test_a_reader_searches_but_neither_queues_nor_exports(
    town: Town, dominique: Browser
) -> None:
    page = await dominique.get(path("toit"))
    assert "<mark>toit</mark>" in page.text
    assert "/search/queue" not in page.text
    assert "/search/export" not in page.text
    assert (await dominique.get("/search/export?q=toit")).status == 403
    assert (await dominique.get("/queue/export")).status == 403


async def test_an_export_as_csv_opens_in_a_french_spreadsheet(town: Town, camille: Browser) -> None:
    answer = await camille.get("/search/export?q=&format=csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="veille-search.csv"'
    assert answer.text.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";"))
    assert rows[0][:4] == ["identifiant", "reçue le", "publiée le", "source"]
    assert len(rows) == 4
    assert rows[3][4].startswith("Une dame est coincée")
    assert rows[3][-3:] == ["Q1", "new", "critical"]
    assert "social.example" not in answer.text


async def test_an_export_as_json_lines_has_the_names_of_the_interchange(
    town: Town, camille: Browser
) -> None:
    answer = await camille.get("/search/export?q=toit&format=jsonl")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["id"] for line in lines] == [town.keys[1]]
    assert lines[0]["author"] == {"id": "author-2"}
    assert {"source", "id", "text", "created_at", "received_at", "kind", "lang"} <= lines[0].keys()
    assert "url" not in lines[0]


async def test_an_export_as_atom_is_a_feed_with_lasting_ids(town: Town, camille: Browser) -> None:
    answer = await camille.get("/search/export?q=toit&format=atom")
    feed = ET.fromstring(answer.text)
    entry = feed.find(f"{ATOM}entry")
    assert feed.findtext(f"{ATOM}id", "").startswith("tag:127.0.0.1,2026:search/")
    assert entry is not None
    assert entry.findtext(f"{ATOM}id") == f"tag:127.0.0.1,2026:mention/{town.keys[1]}"
    for name in ("title", "updated", "content", "author"):
        assert entry.find(f"{ATOM}{name}") is not None, name


async def test_an_export_is_noted_with_its_count_but_not_its_words(
    town: Town, camille: Browser
) -> None:
    await camille.get("/search/export?q=toit&format=csv")
    await camille.ask("HEAD", "/search/export?q=toit")
    rows = await town.store.read(audited)
    assert [(actor, action) for actor, action, _ in rows] == [("Camille", "export")]
    noted = json.loads(rows[0][2])
    assert (noted["what"], noted["format"], noted["count"]) == ("search", "csv", 1)
    assert "toit" not in rows[0][2]


async def test_an_export_beyond_the_limit_says_that_it_is_partial(
    town: Town, camille: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "COUNTED", 2)
    answer = await camille.get("/search/export?q=&format=jsonl")
    assert len(answer.text.splitlines()) == 2
    assert answer.headers["Veille-Partial"] == "true"
    assert "partiel" in answer.headers["Content-Disposition"]


async def test_the_queue_is_exported_by_its_filter(town: Town, camille: Browser) -> None:
    everything = await camille.get("/queue/export?format=jsonl")
    assert [json.loads(line)["id"] for line in everything.text.splitlines()] == [
        town.keys[0], town.keys[2],
    ]  # fmt: skip
    critical = await camille.get("/queue/export?format=jsonl&severity=critical")
    assert [json.loads(line)["id"] for line in critical.text.splitlines()] == [town.keys[0]]
    assert (await camille.get("/queue/export?severity=huge")).status == 400
    page = await camille.get("/queue?severity=critical")
    link = page.text.partition('href="/queue/export?')[2].partition('"')[0]
    offered = await camille.get(f"/queue/export?{link.replace('&amp;', '&')}")
    assert "Q1" in offered.text
    assert "Q2" not in offered.text


@pytest.mark.parametrize("address", ["/search/export?q=ton:", "/search/export?q=a&format=xlsx"])
async def test_an_export_of_nonsense_is_refused(camille: Browser, address: str) -> None:
    assert (await camille.get(address)).status == 400


async def test_a_mention_deleted_meanwhile_is_not_exported(town: Town, camille: Browser) -> None:
    now = town.clock.now + timedelta(minutes=1)
    await town.store.write(
        lambda db: mentions.delete(db, [town.keys[1]], cause=mentions.ERASED, now=now)
    )
    answer = await camille.get("/search/export?q=&format=jsonl")
    assert town.keys[1] not in answer.text
    assert town.keys[0] in answer.text


@pytest.mark.parametrize("written", ["%ED%A0%80", "%00", "%FF", "%E2%80%AE", "%27%3B--"])
async def test_bytes_that_are_no_text_break_nothing(camille: Browser, written: str) -> None:
    answer = await camille.get(URL(f"/search?q=eau+{written}x", encoded=True).raw_path_qs)
    assert answer.status == 200
    assert (await camille.get(f"/search/export?q=eau{written}x&format=csv")).status == 200
