"""Watch queries: French spelling does not matter, booleans do, and errors help."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.errors import QueryError
from veille.domain.query import MAX_CHARS, MAX_DEPTH, MAX_TERMS, Matcher, _fold, parse_query
from veille.domain.text import fold, seen, words
from veille.domain.watch import Watch

TOWN = '("Saint-Aubin" OR #saintaubin) NOT "Saint-Aubin-des-Bois"'


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        (TOWN, "Inondation à SAINT AUBIN ce soir", True),
        (TOWN, "la mairie de saint‑aubin dort", True),
        (TOWN, "vu à #SaintAubin", True),
        (TOWN, "saintaubin sans dièse", False),
        (TOWN, "le marché de Saint-Aubin-des-Bois", False),
        (TOWN, "Saint-Aubin, pas Saint-Aubin-des-Bois", False),  # NOT excludes the whole text
        (TOWN, "Saint-Aubinois en colère", False),
        (TOWN, "Saint, puis plus tard Aubin", False),
        ("saintaubin", "vu à #SaintAubin", True),
        ("saintaubin", "merci @saintaubin", True),
        ("#saintaubin", "merci @saintaubin", False),
        ("@mairie_aubin", "coucou @Mairie_Aubin !", True),
        ("l'eau monte", "L’EAU MONTE", True),
        ("coeur", "Le cœur de ville", True),
        ("cœur", "le COEUR", True),
        ("élu", "les elus", False),
        ("elu*", "Les élues", True),
        ('"rue inond*"', "la rue inondée", True),
        ('"rue inond*"', "rue très inondée", False),
        ("inond*", "préinondé", False),
        ("pont ouvert", "Le pont est fermé", False),
        ("pont ferme*", "Le pont est fermé", True),
        ("pont AND ferme*", "Le pont est fermé", True),
        ("pont -ferme*", "Le pont est fermé", False),
        ("pont -(ferme* OR barre*)", "Le pont est barré", False),
        ('pont -"est ouvert"', "Le pont est fermé", True),
        ("a OR b c", "a", True),
        ("a OR b c", "b", False),
        ("NOT NOT a", "a", True),
        ("NOT a", "", True),
        ("«Saint-Aubin»", "saint aubin", True),
        ("and or not", "not and or", True),
        ('"vive #saintaubin"', "Vive#SaintAubin", True),
        ("", "n'importe quoi", True),
        ("  \n ", "", True),
    ],
)
def test_a_query_says_yes_or_no(query: str, text: str, expected: bool) -> None:
    assert parse_query(query).matches(text) is expected


@pytest.mark.parametrize(
    ("query", "column", "problem"),
    [
        ("(a OR b", 1, "never closed"),
        ("a ) b", 3, "closes nothing"),
        ("()", 2, "word is missing"),
        ("a OR", 5, "word is missing before the end"),
        ("OR a", 1, "word is missing"),
        ("a AND NOT", 10, "word is missing"),
        ('a "b', 3, "quote is never closed"),
        ('a ""', 3, "no letter"),
        ("a 🔥", 3, "no letter"),
        ("a -", 3, "no letter"),
        ("a *", 3, "* needs a word"),
        ("a*b", 1, "may only end"),
        ("mairie OU maire", 8, 'write OR, or "OU" in quotes'),
    ],
)
def test_a_wrong_query_is_refused_with_its_column_and_a_remedy(
    query: str, column: int, problem: str
) -> None:
    with pytest.raises(QueryError, match=re.escape(problem)) as caught:
        parse_query(query)
    assert f"column {column}:" in str(caught.value)


@pytest.mark.parametrize(
    "query",
    [
        "a" * (MAX_CHARS + 1),
        "a " * (MAX_TERMS + 1),
        "(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1),
    ],
)
def test_oversized_queries_are_refused(query: str) -> None:
    with pytest.raises(QueryError):
        parse_query(query)


def test_spans_show_the_wanted_words_in_the_original_text() -> None:
    text = "Œuvre à Saint-Aubin : l’EAU déborde. #SaintAubin"
    query = parse_query('("saint aubin" OR saintaubin OR "l\'eau" OR debord*) NOT oeuvre')
    assert [text[a:b] for a, b in query.spans(text)] == [
        "Saint-Aubin",
        "l’EAU",
        "déborde",
        "SaintAubin",
    ]


def test_matcher_names_every_watch_that_matches_in_order() -> None:
    matcher = Matcher(
        [
            Watch(id="tout", query=""),
            Watch(id="pont", query="pont"),
            Watch(id="eau", query="eau"),
        ]
    )
    assert matcher.match("l'eau sous le pont") == ("tout", "pont", "eau")
    assert matcher.match("rien") == ("tout",)


def test_matcher_says_which_watch_is_wrong() -> None:
    with pytest.raises(QueryError, match='watch "mairie": query: column 1'):
        Matcher([Watch(id="mairie", query="(a")])


WORDS = ["eau", "pont", "été", "Œuvre", "saint", "aubin", "#pont", "@eau", "ponts", "ete", "#"]
TEXTS = st.lists(
    st.tuples(st.sampled_from(WORDS), st.sampled_from([" ", "-", "' ", "", " _", "\n", "#"])),
    max_size=8,
).map(lambda pairs: "".join(word + space for word, space in pairs))
LEAVES = st.lists(st.sampled_from(WORDS[:-1]), min_size=1, max_size=3).flatmap(
    lambda found: st.sampled_from(["phrase", "prefix"]).map(lambda how: (how, tuple(found)))
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    ),
    max_leaves=6,
)


def written(tree: tuple[object, ...]) -> str:
    match tree:
        case ("phrase", tuple(found)):
            return '"' + " ".join(map(str, found)) + '"'
        case ("prefix", tuple(found)):
            return '"' + " ".join(map(str, found)) + '*"'
        case ("not", tuple(inner)):
            return f"NOT ({written(inner)})"
        case (kind, tuple(left), tuple(right)):
            return f"({written(left)} {str(kind).upper()} {written(right)})"
    raise AssertionError(tree)


def holds(tree: tuple[object, ...], text: list[str]) -> bool:
    """Evaluate by brute force, word by word: what the promise says, at any cost."""
    match tree:
        case ("not", tuple(inner)):
            return not holds(inner, text)
        case ("and", tuple(left), tuple(right)):
            return holds(left, text) and holds(right, text)
        case ("or", tuple(left), tuple(right)):
            return holds(left, text) or holds(right, text)
        case (how, tuple(found)):
            wanted = [words(fold(str(word)))[0] for word in found]
            return any(
                all(
                    same(text[start + i], word, how == "prefix" and i == len(wanted) - 1)
                    for i, word in enumerate(wanted)
                )
                for start in range(len(text) - len(wanted) + 1)
            )
    raise AssertionError(tree)


def same(have: str, want: str, is_prefix: bool) -> bool:
    have = have if want[0] in "#@" else have.lstrip("#@")
    return have.startswith(want) if is_prefix else have == want


@given(TREES, TEXTS)
def test_query_and_matcher_agree_with_brute_force(tree: tuple[object, ...], text: str) -> None:
    query = written(tree)
    expected = holds(tree, words(fold(text)))
    assert parse_query(query).matches(text) is expected
    other = Watch(id="autre", query="introuvable")
    found = Matcher([other, Watch(id="w", query=query)]).match(text)
    assert found == (("w",) if expected else ())


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_a_query_or_a_query_error(query: str, text: str) -> None:
    try:
        parsed = parse_query(query)
    except QueryError:
        return
    parsed.matches(text)
    for start, end in parsed.spans(text):
        assert 0 <= start < end <= len(text)


@given(st.text() | st.text(alphabet="aeéÈœŒÆßİıﬁ’`´‘-_# \u0301\u00ad½²Ⅳ가"))
def test_watches_fold_as_everything_else_does(text: str) -> None:
    text = text.replace("Σ", "σ")
    assert _fold(text) == fold(text)


@given(st.text(alphabet="aAeéÈœŒÆßİıﬁ’`´‘-_# \u0301\u034f\u0488\u200b½Ⅳ가Я\ud800") | st.text())
def test_folding_takes_away_what_unicode_calls_combining(text: str) -> None:
    same = {"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "ß": "ss"} | dict.fromkeys("’‘ʼ′`´＇", "'")
    decomposed = unicodedata.normalize("NFKD", seen(text).translate(str.maketrans(same)))
    letters = (c for c in decomposed if not unicodedata.combining(c))
    assert fold(text) == "".join(letters).lower()
