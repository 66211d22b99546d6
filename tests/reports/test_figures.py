from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.reports import figures
from veille.reports.figures import Mood

COUNTS = st.integers(0, 500)
MOODS = st.builds(Mood, positive=COUNTS, neutral=COUNTS, negative=COUNTS, abstained=COUNTS)


def test_formulas_of_the_reference_week() -> None:
    mood = Mood(positive=60, neutral=80, negative=110)
    assert figures.change(250, 200).change.value == 25.0
    assert (mood.net().value, mood.polar().value) == (-20.0, -29.4)
    assert (mood.net().numerator, mood.net().denominator) == (-50, 250)


def test_nothing_is_divided_by_nothing() -> None:
    empty = Mood()
    assert empty.net().value is empty.polar().value is empty.undecided().value is None
    assert figures.change(3, 0).change.value is None


def test_a_label_nobody_knows_yet_counts_as_abstained_and_moves_no_sentiment() -> None:
    mood = figures.mood([("positive", 1), ("undecided", 2), ("mixed", 1)])
    assert (mood.count, mood.abstained, mood.net().value) == (4, 3, 100.0)


@given(MOODS, MOODS)
def test_sentiment_stays_between_minus_and_plus_one_hundred(a: Mood, b: Mood) -> None:
    for value in (a.net().value, a.polar().value):
        assert value is None or -100 <= value <= 100
    verdict = figures.verdict(a, b, critical=0, moved=[])
    better = (a.balance * b.decided) > (b.balance * a.decided)
    if verdict.is_beyond_chance:
        assert verdict.kind == ("better" if better else "tense")


@given(st.lists(st.tuples(MOODS, MOODS), min_size=1, max_size=6))
def test_the_moves_of_groups_that_do_not_overlap_add_up_to_the_change(
    groups: list[tuple[Mood, Mood]],
) -> None:
    def whole(moods: list[Mood]) -> Mood:
        return Mood(
            positive=sum(m.positive for m in moods),
            neutral=sum(m.neutral for m in moods),
            negative=sum(m.negative for m in moods),
        )

    now, before = whole([n for n, _ in groups]), whole([b for _, b in groups])
    named = [(str(i), n, b) for i, (n, b) in enumerate(groups)]
    moved = sum(m.points for m in figures.moves("source", named, now, before))
    if now.decided and before.decided:
        change = 100 * (now.balance / now.decided - before.balance / before.decided)
        assert moved == pytest.approx(change, abs=0.05 * len(groups) + 1e-6)


@pytest.mark.parametrize(
    ("now", "before", "kind"),
    [
        (Mood(), Mood(positive=3), "empty"),
        (Mood(positive=3), Mood(), "first"),
        (Mood(positive=1), Mood(negative=1), "steady"),  # one against one may be chance
        (Mood(positive=10, negative=12), Mood(positive=12, negative=10), "steady"),
        (Mood(positive=10, negative=90), Mood(positive=60, negative=40), "tense"),
        (Mood(positive=60, negative=40), Mood(positive=10, negative=90), "better"),
        (Mood(abstained=5), Mood(positive=5), "steady"),
        (Mood(neutral=50), Mood(neutral=50), "steady"),
    ],
)
def test_a_week_is_called_by_its_change_only_beyond_chance(
    now: Mood, before: Mood, kind: str
) -> None:
    assert figures.verdict(now, before, critical=0, moved=[]).kind == kind


def test_a_critical_incident_makes_any_week_tense() -> None:
    for now, before in ((Mood(), Mood()), (Mood(positive=9), Mood()), (Mood(positive=9),) * 2):
        assert figures.verdict(now, before, critical=1, moved=[]).kind == "tense"


def test_the_cause_is_named_only_if_it_explains_more_than_half() -> None:
    now, before = Mood(positive=10, negative=90), Mood(positive=60, negative=40)
    halves = [
        ("a", Mood(negative=45), Mood(positive=5)),
        ("b", Mood(negative=45), Mood(positive=5)),
    ]
    shared = figures.moves("source", halves, now, before)
    assert figures.verdict(now, before, critical=0, moved=shared).cause is None
    one = [("a", Mood(negative=80), Mood(positive=40)), ("b", Mood(positive=9), Mood(positive=9))]
    cause = figures.verdict(
        now, before, critical=0, moved=figures.moves("source", one, now, before)
    ).cause
    assert cause is not None
    assert (cause.name, cause.points) == ("a", -120.0)
