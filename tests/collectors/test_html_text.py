"""HTML becomes what a reader sees, whatever is broken in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.collectors.html_text import html_to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>La rue &eacute;tait <b>noire</b>.</p><p>Deux</p>", "La rue était noire.\nDeux"),
        ("a<br/>b<li>c", "a\nb\nc"),
        ("a<script>alert('<p>')</script >b<style>p{}</style>c", "abc"),
        ("a<SCRIPT>x", "a"),
        ("a<!-- <p>non</p> -->b<!-- sans fin", "ab"),
        ('<a title="1 > 0" href=x>lien</a>', "lien"),
        ('a <b title="sans fin>c <i>d</i>', "a c d"),
        ("3 < 4 et 5 > 4, <3", "3 < 4 et 5 > 4, <3"),
        ("<td>1</td><td>2</td>", "1 2"),
        ("a\n  b\t c\n\n<p>\n\nd", "a b c\nd"),
        ("<?php x ?><!DOCTYPE html>x", "x"),
        ("&#128293; &#99999999999999; &amp;lt;", "🔥 \ufffd &lt;"),
        ("<![CDATA[x]]>y", "y"),
        ("a<b", "a"),
        ("", ""),
    ],
)
def test_markup_is_dropped_and_words_stay(html: str, text: str) -> None:
    assert html_to_text(html) == text


def test_an_entity_of_ten_thousand_digits_is_one_replacement_character() -> None:
    assert html_to_text("&#" + "9" * 10_000 + ";") == "\ufffd"


@pytest.mark.parametrize(
    "unit",
    [
        "<a ",
        "<!--",
        "<",
        "</",
        "<a x='",
        "<a/",
        "<script>",
        "<![",
        "&#",
        '<a ">" ',
        " \n",
    ],
)
def test_hostile_markup_is_read_in_linear_time(unit: str) -> None:
    # html.parser of Python 3.11 takes hours for the first of these; the limit is pytest's own.
    html_to_text((unit * 300_000)[:300_000] + '"')


@given(st.text(alphabet="<>/!-'\"&#; apscriptyleé\n0", max_size=80))
def test_any_markup_gives_a_text(html: str) -> None:
    text = html_to_text(html)
    assert text == text.strip()
    assert "<script>" not in text.replace("&", "")
