"""What a search says, and what is wrong with one that says nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.errors import QueryError
from veille.domain.search import (
    FRENCH,
    MAX_CHARS,
    VALUES,
    Field,
    Filter,
    Search,
    parse_search,
    without,
    write_filter,
)

PARIS = ZoneInfo("Europe/Paris")
TOPICS = {"flood": "Inondation", "green_spaces": "Espaces verts"}


def parse(text: str) -> Search:
    return parse_search(text, zone=PARIS, topics=TOPICS)


def refusal(text: str) -> QueryError | None:
    try:
        parse(text)
    except QueryError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("ton:négatif", Field.TONE, "negative"),
        ("TON:NEGATIF", Field.TONE, "negative"),
        ("tone:negative", Field.TONE, "negative"),
        ("état:répondu", Field.STATE, "answered"),
        ("state:out_of_scope", Field.STATE, "out_of_scope"),
        ("gravité:critique", Field.SEVERITY, "critical"),
        ("intention:réclamation", Field.INTENT, "complaint"),
        ('sujet:"espaces verts"', Field.TOPIC, "green_spaces"),
        ("topic:flood", Field.TOPIC, "flood"),
        ("lieu:« rue du Lavoir »", Field.PLACE, "rue du Lavoir"),
        ("source:presse", Field.SOURCE, "presse"),
        ("règle:flood_distress", Field.RULE, "flood_distress"),
        ("auteur:a1b2", Field.AUTHOR, "a1b2"),
    ],
)
def test_filters_are_written_in_french_or_english(text: str, field: Field, value: str) -> None:
    found = parse(text)
    assert found.filters == (Filter(field=field, values=(value,)),)
    assert not found.has_words


def test_a_field_named_twice_takes_either_value_and_a_minus_excludes() -> None:
    found = parse("source:presse crue source:forum -source:blog")
    assert found.filters == (
        Filter(field=Field.SOURCE, values=("presse", "forum")),
        Filter(field=Field.SOURCE, values=("blog",), is_excluded=True),
    )
    assert found.words.matches("la Crue monte")
    assert not found.words.matches("la presse")


@pytest.mark.parametrize(
    "text",
    [
        "ton:négatif AND crue",
        "crue AND ton:négatif",
        "crue AND ton:négatif AND pont",
        "ton:négatif AND source:presse AND crue",
    ],
)
def test_a_filter_may_be_joined_by_and(text: str) -> None:
    found = parse(text)
    assert Filter(field=Field.TONE, values=("negative",)) in found.filters
    assert found.words.matches("crue du pont")


def test_days_are_of_the_town_and_the_last_is_included() -> None:
    found = parse("du:2026-03-28 au:29/03/2026")  # the clocks go forward on the 29th
    assert found.since == datetime(2026, 3, 27, 23, tzinfo=UTC)
    assert found.until == datetime(2026, 3, 29, 22, tzinfo=UTC)


def test_a_word_with_a_colon_is_a_word() -> None:
    found = parse("http://mairie.example 14:30 attention:danger")
    assert not found.filters
    assert found.words.matches("voir http://mairie.example à 14:30, attention : danger")


@pytest.mark.parametrize(
    ("text", "key", "column"),
    [
        ("crue suget:flood", "unknown", 6),
        ("ton:joyeux", "value", 1),
        ("sujet:inondatoin", "value", 1),
        ("ton:", "valueless", 1),
        ("crue OR ton:négatif", "inside", 9),
        ("(crue ton:négatif)", "inside", 7),
        ("NOT ton:négatif", "inside", 5),
        ("du:hier", "day", 1),
        ("du:2026-02-30", "day", 1),
        ("du:0001-01-01", "day", 1),
        ("au:9999-12-31", "day", 1),
        ('crue "salle', "quote", 6),
        ("(crue", "open", 1),
        ("crue)", "stray", 5),
        ("crue OR", "missing", 8),
        ("crue ET pont", "operator", 6),
        ("in*nd", "star", 1),
        ("!!", "empty", 1),
        ("a*", "short", 0),
        ('"inond* rue"', "inner", 0),
        ("NOT crue", "excluding", 0),
        ("crue OR -pont", "excluding", 0),
        ("x" * (MAX_CHARS + 1), "long", 0),
        ("mot " * 40, "many", 0),
        (" ".join(f"source:s{n}" for n in range(20)), "filters", 0),
    ],
)
def test_what_cannot_be_searched_says_where_and_why(text: str, key: str, column: int) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert (caught.value.key, caught.value.column) == (key, column)


@given(
    field=st.sampled_from([f for f in Field if f not in {Field.SINCE, Field.UNTIL}]),
    data=st.data(),
)
def test_a_written_filter_is_read_back(field: Field, data: st.DataObject) -> None:
    known = TOPICS if field is Field.TOPIC else VALUES.get(field)
    plain = st.text(st.characters(blacklist_characters='"“”„«»＂', blacklist_categories=("Cs",)))
    free = plain.map(lambda text: " ".join(text.split())).filter(
        lambda text: text not in {"", "(", ")"}
    )
    value = data.draw(
        st.sampled_from(sorted(known)) if known else free.filter(lambda t: len(t) < 99)
    )
    assert parse(write_filter(field, value)).filters == (Filter(field=field, values=(value,)),)


@given(st.text(max_size=120) | st.text('ab"()*:- ORNAD', max_size=40))
def test_any_text_is_a_search_or_a_refusal(text: str) -> None:
    error = refusal(text)
    assert error is None or (error.key and 0 <= error.column <= len(text) + 1)


@pytest.mark.parametrize("written", ["ton:négatif", "TONE:negative", 'ton:"Negatif"'])
def test_a_filter_is_taken_away_however_it_was_written(written: str) -> None:
    text = f"crue {written} -ton:positif ton:neutre"
    kept = without(text, Field.TONE, "negative", topics=TOPICS)
    assert kept == "crue -ton:positif ton:neutre"


def test_what_joined_a_filter_goes_with_it() -> None:
    for text in ("crue AND ton:négatif", "ton:négatif AND crue"):
        assert without(text, Field.TONE, "negative", topics=TOPICS) == "crue"


def test_every_filter_has_a_french_name() -> None:
    assert set(FRENCH) == set(Field)
