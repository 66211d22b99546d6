"""How values read: counts with what is usual, doubt in words, hostile text made harmless."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.plain import plain
from veille.domain.alert import Alert, AlertState, Baseline, BaselineKind, Condition, Severity
from veille.domain.incident import Event
from veille.domain.search import Field
from veille.store.search import Counts
from veille.web.search_facets import Asked, facets
from veille.web.text import foreign_lang, pieces, safe_link
from veille.web.words import Words, number_of
from veille.wording.catalogue import catalogue

NOW = datetime(2026, 1, 18, 1, 16, tzinfo=UTC)
FR = Words(say=catalogue("fr"), timezone=ZoneInfo("Europe/Paris"), now=NOW)


def alert(*, authors: int = 11, window: timedelta | None = timedelta(minutes=15)) -> Alert:
    return Alert(
        fingerprint="f" * 16,
        rule="flood_distress",
        rule_version="1",
        severity=Severity.CRITICAL,
        group={},
        labels={},
        state=AlertState.FIRING,
        started_at=NOW,
        value=12,
        threshold=3,
        author_count=authors,
        window=window,
    )


def test_a_count_stands_beside_what_is_usual_and_how_sure_we_are() -> None:
    said = FR.count(alert(), usual=0.04, certainty=0.93)
    assert plain(said) == "12 messages de 11 personnes en 15 min (d'habitude : 0) · certain"
    said = FR.count(alert(), usual=4.25, certainty=0.5)
    assert plain(said) == "12 messages de 11 personnes en 15 min (d'habitude : 4,2) · incertain"


def test_a_spike_says_its_bound_and_a_short_history() -> None:
    spike = Baseline(kind=BaselineKind.PREVIOUS, points=12, expected=5.0)
    said = plain(FR.why(replace(alert(), threshold=7.1213, baseline=spike)))
    assert said.endswith("a compté 12 messages de 11 personnes en 15 min ; seuil : 7,12 messages.")
    cold = Baseline(kind=BaselineKind.SEASONAL, points=1, is_cold=True)
    unknown = replace(alert(), threshold=10, baseline=cold)
    assert "peu d'historique : seuil fixe de 10 messages." in plain(FR.why(unknown))
    assert "(peu d'historique)" in FR.count(unknown, usual=None, certainty=None)


@pytest.mark.parametrize(
    ("value", "threshold", "counted", "least"),
    [
        (1, 1, "un même message de 20 personnes en 15 min", "1 message"),
        (3, 2, "3 messages différents de 20 personnes en 15 min", "2 messages différents"),
        (20, 10, "20 messages de 20 personnes en 15 min", "10 messages"),
    ],
)
def test_twenty_accounts_that_say_the_same_are_no_twenty_messages(
    value: int, threshold: int, counted: str, least: str
) -> None:
    said = replace(alert(authors=20), value=value, mention_count=20, threshold=threshold)
    assert plain(FR.counted(said)) == counted
    assert plain(FR.why(said)).endswith(f"a compté {counted} ; seuil : {least}.")


@pytest.mark.parametrize("name", ["reach", "distinct"])
def test_followers_and_places_are_no_messages(name: str) -> None:
    measured = (Condition(name=name, value=1_060_000, threshold=60_000),)
    said = replace(alert(), value=1_060_000, mention_count=14, conditions=measured)
    assert plain(FR.counted(said)) == "14 messages de 11 personnes en 15 min"


def test_what_is_unknown_is_left_out() -> None:
    said = FR.count(alert(authors=0, window=None), usual=None, certainty=None)
    assert said == "12\u00a0messages"


@pytest.mark.parametrize(
    ("probability", "word"),
    [
        (0.9, "certain"),
        (0.899, "probable"),
        (0.7, "probable"),
        (0.699, "incertain"),
        (0.5, "incertain"),
        (0.499, "à vérifier"),
    ],
)
def test_doubt_is_a_word_by_the_thresholds_of_the_interface(probability: float, word: str) -> None:
    assert FR.certainty(probability) == word


def test_a_conflict_names_who_was_faster_and_notes_do_not_count() -> None:
    taken = Event(target="I1", at=NOW, kind="incident.acknowledged", actor="Camille")
    note = Event(target="I1", at=NOW, kind="note", actor="Sacha", text="vu")
    told = Event(target="I1", at=NOW, kind="notification.sent")
    assert "Camille l'a pris en charge à 02:16." in FR.conflict([taken, note, told])
    assert "entre-temps" in FR.conflict([told])


def test_an_event_of_an_unknown_kind_or_with_braces_still_reads() -> None:
    assert FR.line(Event(target="I1", at=NOW, kind="incident.moved")).text == "incident.moved"
    line = FR.line(Event(target="I1", at=NOW, kind="note", actor="{to}", text="{actor.__class__}"))
    assert line.text == "{to} note\u00a0: {actor.__class__}"


@given(st.text())
def test_shown_text_hides_nothing_and_loses_nothing_visible(text: str) -> None:
    shown = "".join(piece.text for piece in pieces(text, masked=()))
    assert not set(shown) & set("\u202e\u202a\u2066\u200b\x1b\x00\x07")
    rest = iter(shown)
    assert all(c in rest for c in text if c.isalnum() and c.isascii())


def test_masks_are_apart_only_where_privacy_masked() -> None:
    text = "au [téléphone masqué], vite"
    assert [p.is_mask for p in pieces(text, masked=("phone",))] == [False, True, False]
    assert [p.is_mask for p in pieces(text)] == [False]


@pytest.mark.parametrize(
    "url",
    [
        None,
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "//evil.example/x",
        "https://",
        "https://user:pass@evil.example/",
        "https://a.example/\nx",
        "https://a.example/\u202egpj.exe",
        "http://[::1",
        "https://a.example/" + "a" * 2048,
    ],
)
def test_only_plain_web_addresses_become_links(url: str | None) -> None:
    assert safe_link(url) is None


def test_a_web_address_is_a_link() -> None:
    assert safe_link("https://social.example/@x/1") == "https://social.example/@x/1"


def test_only_a_foreign_language_code_is_written_on_a_quote() -> None:
    assert [foreign_lang(code, "fr") for code in (None, "fr", "fr-CA", "en", '" x="')] == [
        None, None, None, "en", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), ("I12", 12), ("i12", 12), ("Q12", None), ("0", None), ("-1", None), ("१", None)],
)
def test_an_incident_has_one_number_however_it_is_written(text: str, number: int | None) -> None:
    assert number_of(text, "I") == number


def test_a_facet_of_sources_says_names_and_narrows_by_ids() -> None:
    words = dataclasses.replace(FR, sources={"fb": "Page de la ville"})
    asked = Asked(text="crue", by="date", before=None, wanted=None, problem=None)
    counts = Counts(total=3, values={Field.SOURCE: [("fb", 2), ("presse", 1)]})
    ((_, (named, bare)),) = facets(counts, asked, words)
    assert (named.label, named.path) == ("Page de la ville", "/search?q=crue+source%3Afb")
    assert bare.label == "presse"
