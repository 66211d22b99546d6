from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.plain import plain
from veille.reports.compose import compose
from veille.reports.page import Page, Section, Table
from veille.reports.render import to_csv, to_html, to_json, to_markdown
from veille.reports.summary import summarize
from veille.wording.catalogue import catalogue

if TYPE_CHECKING:
    from conftest import Press
    from veille.reports.week import Week

HOSTILE = "<script>alert(1)</script> | [clic](http://x.example) **gras** `code` &lt; \u202e"
TEXTS = st.text(max_size=80)


class Reader(HTMLParser):
    """What a page holds: its tags with attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text.append(data.strip())

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag == name]


def a_page(said: str) -> Page:
    table = Table(caption=said, head=(said, said), rows=((said, said),), bars=(50,))
    section = Section(title=said, sentences=(said,), table=table)
    return Page(
        language="fr",
        title=said,
        subject=said,
        lead=said,
        notes=(said,),
        sections=(section,),
        footer=said,
    )


def test_json_has_each_figure_with_what_was_divided(two_weeks: Press) -> None:
    found = json.loads(to_json(two_weeks.summary()))
    assert found["net"]["now"] == {"value": -20.0, "numerator": -50, "denominator": 250}
    assert found["volume"]["change"] == {"value": 25.0, "numerator": 50, "denominator": 200}
    assert found["starts_at"] == "2026-11-15T23:00:00Z"
    assert to_json(two_weeks.summary()) == to_json(two_weeks.summary())


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_the_csv_is_a_formula(press: Press, monday: datetime, start: str) -> None:
    press.hear("negative", source="presse", at=monday - timedelta(days=1))
    press.hear("negative", source="presse")
    press.hear("positive", source="bluesky", text=f"{start}cmd|' /C calc'!A0")
    found = press.summary(listed=(f"{start}1+1",))
    rows = list(csv.reader(io.StringIO(to_csv(found), newline="")))
    assert rows[0] == ["section", "name", "figure", "value"]
    said = f"'{start}1+1".replace("\r", "\n")  # line ends are one kind in exports
    assert any(said in row for row in rows)
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(("=", "+", "@", "\t", "\r"))
        assert not cell.startswith("-") or float(cell) < 0


def test_csv_and_json_hold_the_same_figures(two_weeks: Press) -> None:
    summary = two_weeks.summary()
    rows = list(csv.DictReader(io.StringIO(to_csv(summary), newline="")))
    found = {(r["section"], r["name"], r["figure"]): r["value"] for r in rows}
    assert found["net", "", "now.value"] == "-20.0"
    assert found["watches", "dechets", "mood.negative"] == "70"
    assert found["days", "2026-11-17", "count"] == "80"


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_page_is_structured_for_those_who_do_not_see_it(
    two_weeks: Press, language: str
) -> None:
    page = compose(two_weeks.summary(), catalogue(language))
    read = Reader(to_html(page))
    assert read.all("html")[0]["lang"] == language
    assert len(read.all("title")) == len(read.all("h1")) == len(read.all("main")) == 1
    tables = len(read.all("table"))
    assert tables == len(read.all("caption")) > 3
    assert all(th["scope"] in {"col", "row"} for th in read.all("th"))
    assert {"script", "link", "img", "iframe"} & {tag for tag, _ in read.tags} == set()
    assert page.lead in read.text


def test_hostile_text_never_becomes_markup(press: Press, monday: datetime) -> None:
    press.hear("positive", at=monday - timedelta(days=1))
    press.hear("negative", text=HOSTILE)
    press.hear("positive", source="bluesky")
    page = compose(press.summary(), catalogue("fr"))
    html, text = to_html(page), to_markdown(page)
    assert "<script" not in html
    assert "\u202e" not in html + text
    assert "⟨U+202E⟩" in html
    assert r"\<script>" in text
    assert r"\| [clic\](http" in text
    assert r"\*\*gras\*\* \`code\` \&lt;" in text


@given(TEXTS)
def test_any_text_keeps_the_tables_of_markdown_whole(said: str) -> None:
    lines = to_markdown(a_page(" ".join(said.split()))).split("\n")
    row = lines[lines.index("| --- | ---: |") + 1]
    bare = row.replace("\\\\", "").replace("\\|", "")
    assert bare.count("|") == 3


@given(TEXTS)
def test_any_text_stays_text_in_html(said: str) -> None:
    known = [tag for tag, _ in Reader(to_html(a_page("x"))).tags]
    assert [tag for tag, _ in Reader(to_html(a_page(said))).tags] == known


def test_an_empty_house_has_a_summary_too(press: Press) -> None:
    page = compose(press.summary(), catalogue("fr"))
    assert page.lead == "Semaine sans mention."
    assert "n/d" in to_markdown(page)
    assert "solde indéterminé" in page.subject


def test_a_week_that_is_not_over_says_so(
    press: Press, monday: datetime, of_week: Callable[[str], Week]
) -> None:
    summary = summarize(
        press.db,
        of_week("2026-W47"),
        institution="Saint-Aubin",
        listed=("presse",),
        now=monday + timedelta(days=2),
        quotes=True,
    )
    page = compose(summary, catalogue("fr"))
    assert plain(page.notes[0]) == "Semaine en cours : les chiffres vont encore changer."


@pytest.mark.parametrize(
    ("previous", "now", "said"),
    [
        (("positive", 3), ("positive", 3), "Semaine stable : le solde reste à +100."),
        (
            ("positive", 1),
            ("negative", 1),
            "Semaine stable : le solde passe de +100 à −100, "
            "un écart que le hasard peut expliquer.",
        ),
        (None, ("positive", 3), "Première semaine mesurée : le solde est de +100."),
        (("positive", 3), None, "Semaine sans mention."),
    ],
)
def test_the_first_sentence_says_only_what_was_computed(
    press: Press,
    monday: datetime,
    previous: tuple[str, int] | None,
    now: tuple[str, int] | None,
    said: str,
) -> None:
    if previous:
        press.hear(*previous, at=monday - timedelta(days=1))
    if now:
        press.hear(*now)
    assert plain(compose(press.summary(), catalogue("fr")).lead) == said


def test_sources_and_receivers_are_called_by_their_names_and_exported_by_their_ids(
    two_weeks: Press,
) -> None:
    summary = two_weeks.summary()
    names = {"source": {"presse": "Presse *locale*"}}
    written = to_markdown(compose(summary, catalogue("fr"), names=names))
    assert "Presse \\*locale\\*" in written
    assert "presse" not in written
    assert "presse" in to_csv(summary)
