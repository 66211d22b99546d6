"""Signs that many accounts act together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from veille.domain.mention import MentionKind
from veille.domain.record import Observation
from veille.rules.coordination import coordination

NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)


def said(number: int, text: str, *, author: str | None, at_s: float = 0, age: int | None = None):
    at = NOW + timedelta(seconds=at_s)
    return Observation(
        seq=number,
        key=f"m{number}",
        source="forum",
        watches=("mairie",),
        kind=MentionKind.POST,
        text=text,
        created_at=at,
        received_at=at,
        author=author,
        author_age=age,
    )


def crowd(ages: Sequence[int | None]) -> list[Observation]:
    return [
        said(n, f"remarque numéro {n} sur la place", author=f"a{n}", at_s=n * 300, age=age)
        for n, age in enumerate(ages)
    ]


def test_new_accounts_are_counted_once_each_and_named_as_a_share():
    heard = [*crowd([2] * 16 + [900, 8]), said(99, "encore lui ici", author="a0", age=2)]
    found = coordination(heard)
    assert found is not None
    assert (found.new_accounts, found.accounts, round(found.new_ratio, 2)) == (16, 18, 0.89)
    assert (found.texts, found.copies, found.undated) == (0, 0, 0)


def test_texts_that_several_accounts_say_within_a_minute_are_counted_with_their_gaps():
    heard = crowd([900] * 10)
    for n, text in enumerate(("dehors le maire vendu", "rendez l'argent au peuple")):
        heard += [
            said(100 + 10 * n + i, text, author=f"b{i}", at_s=5000 * (n + 1) + 8 * i)
            for i in range(3)
        ]
    found = coordination(heard)
    assert found is not None
    assert (found.texts, found.copies, found.shortest_s, found.median_s) == (2, 6, 8, 8)
    assert (found.accounts, found.undated, found.new_accounts) == (13, 3, 0)


def test_the_same_text_in_other_capitals_and_marks_is_the_same():
    twice = ("Dehors, le maire vendu !", "dehors LE MAIRE vendu", "Rendez l'argent !", "rendez l'argent")  # fmt: skip # noqa: E501
    heard = crowd([900] * 10)
    heard += [said(50 + n, text, author=f"c{n}", at_s=n) for n, text in enumerate(twice)]
    found = coordination(heard)
    assert found is not None
    assert found.texts == 2


def test_one_petition_a_slow_echo_an_author_alone_or_a_short_cry_are_no_sign():
    heard = crowd([900] * 10)
    heard += [said(20 + n, "signez pour la place", author=f"s{n}", at_s=n) for n in range(9)]
    heard += [said(40 + n, "le bus est en retard", author=f"t{n}", at_s=90 * n) for n in range(9)]
    heard += [said(60 + n, "toujours moi qui répète", author="moi", at_s=n) for n in range(9)]
    heard += [said(80 + n, "honte !", author=f"h{n}", at_s=n) for n in range(9)]
    assert coordination(heard) is None


def test_few_accounts_say_nothing_and_own_or_unsigned_mentions_are_left_out():
    assert coordination(crowd([1] * 9)) is None
    assert coordination(crowd([1] * 10)) is not None
    own = [replace(one, own=True) for one in crowd([1] * 10)]
    assert coordination([*own, *(replace(one, author=None) for one in crowd([1] * 10))]) is None


@given(st.lists(st.one_of(st.none(), st.integers(0, 4000)), max_size=40))
def test_the_share_lies_between_nothing_and_all(ages: list[int | None]):
    found = coordination(crowd(ages))
    if found is not None:
        assert 0 <= found.new_ratio <= 1
        assert found.new_accounts + found.undated <= found.accounts == len(ages)
