"""Which entries are new: dates and guids lie, and still nothing is lost or told twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from veille.collectors.feed_parse import FeedItem
from veille.collectors.feed_state import (
    KEPT_IDS,
    FeedState,
    Seen,
    advance,
    read_state,
    write_state,
)
from veille.domain.mention import Mention, MentionKind

NOW = datetime(2026, 1, 18, 2, tzinfo=UTC)


def poll(
    seen: Mapping[str, Seen], items: Sequence[FeedItem], *, minutes: int = 0
) -> tuple[tuple[Mention, ...], dict[str, Seen]]:
    now = NOW + timedelta(minutes=minutes)
    return advance(seen, items, source="presse", own=False, now=now)


def item(number: int, **changes: object) -> FeedItem:
    made = FeedItem(
        guid=f"g{number}",
        link=f"https://x.example/{number}",
        title=f"Titre {number}",
        text=f"Texte {number}",
        published=NOW - timedelta(hours=1),
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by name


def test_an_item_becomes_an_article_with_title_and_text() -> None:
    (mention,), _ = poll({}, [item(1, author="Zoé")])
    assert (mention.source, mention.id, mention.kind) == ("presse", "g1", MentionKind.ARTICLE)
    assert mention.text == "Titre 1\nTexte 1"
    assert mention.url == "https://x.example/1"
    assert mention.author is not None
    assert mention.edited_at is None


def test_five_hundred_items_of_the_same_second_are_all_told_once() -> None:
    items = [item(n) for n in range(500)]
    mentions, seen = poll({}, items)
    assert {m.id for m in mentions} == {f"g{n}" for n in range(500)}
    assert poll(seen, items)[0] == ()


def test_a_late_item_with_an_old_date_is_told() -> None:
    _, seen = poll({}, [item(1)])
    mentions, _ = poll(seen, [item(1), item(2, published=NOW - timedelta(days=30))])
    assert [m.id for m in mentions] == ["g2"]


def test_missing_wrong_and_future_dates_become_the_time_first_seen_and_stay() -> None:
    items = [
        item(1, published=None),
        item(2, published=NOW + timedelta(hours=2)),
        item(3, published=datetime(1970, 1, 1, tzinfo=UTC)),
    ]
    mentions, seen = poll({}, items)
    assert {m.created_at for m in mentions} == {NOW}
    edited = [replace(one, text="autre") for one in items]
    again, _ = poll(seen, edited, minutes=30)
    assert {m.created_at for m in again} == {NOW}
    assert {m.edited_at for m in again} == {NOW + timedelta(minutes=30)}


def test_an_edited_item_is_told_again_as_an_edit() -> None:
    _, seen = poll({}, [item(1)])
    updated = NOW - timedelta(minutes=3)
    (mention,), seen = poll(seen, [item(1, text="corrigé", updated=updated)], minutes=5)
    assert (mention.id, mention.edited_at) == ("g1", updated)
    assert poll(seen, [item(1, text="corrigé")])[0] == ()


def test_ids_fall_back_to_the_link_then_to_title_and_date() -> None:
    mentions, seen = poll(
        {},
        [
            item(1, guid=None),
            item(2, guid=None, link=None),
            item(3, guid=None, link=None),
            item(4, guid=None, link=None, published=None),
            item(5, guid=None, link=None, title=""),
        ],
    )
    assert len({m.id for m in mentions}) == 5
    assert "https://x.example/1" in {m.id for m in mentions}
    (edit,), _ = poll(seen, [item(2, guid=None, link=None, text="corrigé")])
    assert edit.edited_at is not None


def test_one_guid_for_several_links_keeps_every_item() -> None:
    first, second = item(1, guid="g"), item(2, guid="g")
    mentions, seen = poll({}, [first, second])
    assert len({m.id for m in mentions}) == 2
    assert poll(seen, [second, first])[0] == ()
    assert poll(seen, [second])[0] == ()
    assert len(poll(seen, [item(3, guid="g"), second, first])[0]) == 1


def test_same_guid_and_same_text_at_two_links_are_two_items() -> None:
    twins = [item(1, guid="g"), item(1, guid="g", link="https://x.example/autre")]
    mentions, seen = poll({}, twins)
    assert len(mentions) == 2
    assert poll(seen, list(reversed(twins)))[0] == ()


def test_a_newcomer_without_guid_on_a_shared_link_is_no_edit() -> None:
    home = "https://x.example/"
    first = item(1, guid=None, link=home)
    _, seen = poll({}, [first])
    newcomer = item(2, guid=None, link=home)
    (mention,), seen = poll(seen, [newcomer, first])
    assert mention.edited_at is None
    assert mention.id != home
    assert poll(seen, [newcomer, first])[0] == ()


def test_the_very_same_entry_twice_is_told_once() -> None:
    assert len(poll({}, [item(1), item(1)])[0]) == 1


def test_renumbered_guids_tell_nothing_again() -> None:
    _, seen = poll({}, [item(1), item(2)])
    renumbered = [item(1, guid="n1"), item(2, guid="n2")]
    mentions, seen = poll(seen, renumbered)
    assert mentions == ()
    assert poll(seen, renumbered)[0] == ()


def test_a_changed_link_alone_tells_nothing_again() -> None:
    _, seen = poll({}, [item(1)])
    assert poll(seen, [item(1, link="https://x.example/1?utm_source=rss")])[0] == ()


def test_memory_is_bounded_but_never_forgets_what_the_feed_still_shows() -> None:
    shown = [item(n) for n in range(KEPT_IDS + 500)]
    _, seen = poll({}, shown)
    assert poll(seen, shown)[0] == ()
    _, later = poll(seen, [item(9_999)])
    assert len(later) == KEPT_IDS + 1


def test_oldest_come_first_and_a_hostile_guid_is_bounded() -> None:
    mentions, _ = poll(
        {},
        [
            item(1, published=NOW - timedelta(minutes=1)),
            item(2, guid="x" * 100_000),
            item(3, guid="x" * 99_999),
        ],
    )
    assert [m.created_at for m in mentions] == sorted(m.created_at for m in mentions)
    assert len({m.id for m in mentions}) == 3
    assert max(len(m.id) for m in mentions) < 1_024


def test_a_dangerous_link_is_not_offered() -> None:
    (mention,), _ = poll({}, [item(1, link="javascript:alert(1)")])
    assert mention.url is None


def test_cursors_are_read_back_and_foreign_ones_are_empty() -> None:
    state = FeedState(url="u", etag='W/"é"', seen=poll({}, [item(1)])[1])
    assert read_state(write_state(state)) == state
    assert read_state(None) == read_state("[1") == read_state('{"seen":5}') == FeedState()


ITEMS = st.lists(
    st.builds(
        FeedItem,
        guid=st.sampled_from([None, "a", "b"]),
        link=st.sampled_from([None, "https://x.example/", "https://x.example/2"]),
        title=st.sampled_from(["", "t", "u"]),
        text=st.sampled_from(["v", "w"]),
        published=st.sampled_from([None, NOW, NOW - timedelta(days=1)]),
    ),
    max_size=6,
)


@given(ITEMS)
def test_what_was_told_once_is_not_told_again_in_any_order(items: list[FeedItem]) -> None:
    mentions, seen = poll({}, items)
    assert len({m.id for m in mentions}) == len(mentions)
    assert poll(seen, items)[0] == ()
    assert poll(seen, list(reversed(items)))[0] == ()


@given(ITEMS, ITEMS)
def test_every_text_a_feed_shows_is_told(before: list[FeedItem], after: list[FeedItem]) -> None:
    first, seen = poll({}, before)
    second, _ = poll(seen, after)
    told = {m.text.splitlines()[-1] + m.text.splitlines()[0] for m in (*first, *second)}
    shown = {one.text + (one.title or one.text) for one in (*before, *after)}
    assert shown <= told
