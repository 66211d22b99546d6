"""What people do to queue items: conflicts are told, everything is in the trail, undo restores."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from veille.alerts.settings import RouteSettings
from veille.domain.access import Role
from veille.domain.alert import Flag, Severity
from veille.domain.deed import Deed, Seen, Unchanged, Verb
from veille.domain.draft import DraftState
from veille.domain.errors import ConflictError, InputError, ReasonError
from veille.domain.incident import QueueItem, QueueState, Verdict
from veille.domain.mention import Author, Batch
from veille.pipeline.actions import Actions
from veille.pipeline.redact import Redact
from veille.pipeline.unsnooze import Unsnooze
from veille.store import audit, calls, deeds, drafts, mentions, queue, tallies, timeline, users
from veille.store import verdicts as said

if TYPE_CHECKING:
    from conftest import Town
    from veille.store.engine import SqliteStore

TAKE = Deed(verb=Verb.TAKE)
MORE = (QueueState.WAITING, QueueState.ANSWERED, QueueState.CLOSED, QueueState.OUT_OF_SCOPE)


def move(state: QueueState, **more: object) -> Deed:
    return Deed(verb=Verb.MOVE, state=state, **more)  # type: ignore[arg-type] test values


@pytest.fixture
async def actions(town: Town, store: SqliteStore) -> Actions:
    await town.say("au secours un", "au secours deux", "au secours trois")
    await town.work()
    for name in ("Camille", "Sacha", "Marie Curie", "Marie"):
        await store.write(
            lambda db, n=name: users.add(
                db, name=n, password_hash="x", role=Role.TRIAGE, now=town.now
            )
        )
    return Actions(store, route=RouteSettings(receivers=("astreinte",)), now=lambda: town.now)


async def item(store: SqliteStore, number: int = 1) -> QueueItem:
    found = await store.read(lambda db: queue.get(db, number))
    assert found is not None
    return found


async def kinds(store: SqliteStore, target: str) -> list[str]:
    return [event.kind for event in await store.read(lambda db: timeline.of(db, target))]


async def asks(store: SqliteStore, number: int = 1) -> None:
    """The model reads the mention of this item as a question."""
    key = (await item(store, number)).mention
    await store.write(
        lambda db: db.execute(
            """UPDATE analyses SET analysis = json_set(analysis, '$.intent',
            json('{"label":"question","score":0.9}'))
            WHERE mention = (SELECT id FROM mentions WHERE key = ?)""",
            (key,),
        )
    )


async def test_two_who_race_for_one_item_one_wins_and_the_other_hears_who_what_and_when(
    store: SqliteStore, actions: Actions
) -> None:
    seen = (await item(store)).version
    results = await asyncio.gather(
        *(actions.do("Q1", TAKE, actor=who, version=seen) for who in ("Camille", "Sacha")),
        return_exceptions=True,
    )
    lost = [one for one in results if isinstance(one, ConflictError)]
    assert len(lost) == 1
    winner = (await item(store)).assignee
    assert f"Q1: {winner} was faster (queue.taken at 2026-01-18T01:00+00:00)" in str(lost[0])


@pytest.mark.parametrize("state", MORE)
async def test_an_action_is_undone_to_exactly_what_was_before(
    town: Town, store: SqliteStore, actions: Actions, state: QueueState
) -> None:
    before = await item(store)
    done = await actions.do("Q1", move(state), actor="Camille")
    assert done.id is not None
    assert done.until == town.now + timedelta(seconds=10)
    town.now += timedelta(seconds=10)
    assert await actions.undo(done.id, actor="Camille") == ("Q1",)
    after = await item(store)
    assert after == replace(before, version=after.version)
    assert after.version == before.version + 2
    assert (await kinds(store, "Q1"))[-2:] == ["queue.changed", "queue.undone"]
    assert await store.read(audit.verify) is None


async def test_an_undo_is_refused_when_late_when_not_ones_own_when_done_and_when_overtaken(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    done = await actions.do("Q1", TAKE, actor="Camille")
    assert done.id is not None
    with pytest.raises(ConflictError, match="action 1 is Camille's"):
        await actions.undo(done.id, actor="Sacha")
    await actions.note("Q1", text="vu", actor="Sacha")
    await actions.undo(done.id, actor="Camille")
    with pytest.raises(ConflictError, match="undone before"):
        await actions.undo(done.id, actor="Camille")
    again = await actions.do("Q1", TAKE, actor="Camille")
    await actions.assign("Q1", to="Sacha", actor="Camille")
    with pytest.raises(ConflictError, match="Camille was faster"):
        await actions.undo(again.id or 0, actor="Camille")
    graver = await actions.do("Q3", TAKE, actor="Camille")
    await actions.note("Q3", text="vu", actor="Sacha")
    await store.write(lambda db: db.execute("UPDATE queue SET severity = 'info' WHERE id = 3"))
    flag = Flag(
        key=(await item(store, 3)).mention, rule="pire", severity=Severity.CRITICAL, at=town.now
    )
    await store.write(lambda db: queue.flag(db, [flag]))
    with pytest.raises(ConflictError, match=r"veille was faster \(queue.flagged"):
        await actions.undo(graver.id or 0, actor="Camille")
    late = await actions.do("Q2", TAKE, actor="Camille")
    town.now += timedelta(seconds=11)
    with pytest.raises(ConflictError, match="can be undone for 10 seconds"):
        await actions.undo(late.id or 0, actor="Camille")
    with pytest.raises(InputError, match="there is no action 99"):
        await actions.undo(99, actor="Camille")
    assert (await item(store, 2)).assignee == "Camille"


async def test_what_changes_nothing_has_nothing_to_undo(actions: Actions) -> None:
    await actions.do("Q1", TAKE, actor="Camille")
    again = await actions.do("Q1", TAKE, actor="Camille")
    assert (again.id, again.until) == (None, None)


async def test_what_was_handled_is_counted_once_and_not_any_more_when_undone(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    done = await actions.do("Q1", move(QueueState.ANSWERED), actor="Camille")

    async def handled() -> int:
        since = town.now - timedelta(hours=1)
        hour = timedelta(hours=1)
        rows = await store.read(lambda db: tallies.between(db, since, since + 2 * hour))
        return sum(row.count for row in rows if row.what == "handled")

    assert await handled() == 1
    await actions.undo(done.id or 0, actor="Camille")
    assert await handled() == 0


async def test_a_snoozed_item_comes_back_by_itself_and_a_graver_flag_wakes_it(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    until = town.now + timedelta(hours=2)
    for target in ("Q1", "Q2"):
        await actions.do(target, Deed(verb=Verb.SNOOZE, until=until), actor="Camille")
    awake = await store.read(
        lambda db: queue.list_(db, states=tuple(QueueState), limit=9, awake_at=town.now)
    )
    assert [one.id for one in awake] == [3]
    stage = Unsnooze(store)
    assert not await stage.step(until - timedelta(seconds=1))
    assert await stage.step(until)
    assert not await stage.step(until)
    assert (await item(store)).snoozed_until is None
    assert (await kinds(store, "Q1"))[-1] == "queue.woken"
    await store.write(lambda db: db.execute("UPDATE queue SET severity = 'info' WHERE id = 3"))
    later = until + timedelta(hours=1)
    town.now = until
    await actions.do("Q3", Deed(verb=Verb.SNOOZE, until=later), actor="Camille")
    flag = Flag(
        key=(await item(store, 3)).mention, rule="urgent", severity=Severity.CRITICAL, at=until
    )
    await store.write(lambda db: queue.flag(db, [flag]))
    assert (await item(store, 3)).snoozed_until is None


async def test_a_question_is_closed_with_a_reason_that_no_trail_quotes(
    store: SqliteStore, actions: Actions
) -> None:
    await asks(store)
    with pytest.raises(ReasonError):
        await actions.resolve("Q1", actor="Camille")
    await actions.resolve("Q1", actor="Camille", reason="répondu au guichet")
    assert (await item(store)).reason == "répondu au guichet"
    trail = await store.read(lambda db: [tuple(row) for row in db.rows("SELECT * FROM audit")])
    assert "guichet" not in str(trail)
    assert "18:" in str(trail)  # its length, then a hash


async def test_bulk_changes_what_stands_as_seen_and_names_the_rest(
    store: SqliteStore, actions: Actions
) -> None:
    await asks(store, 3)
    selection = [Seen(target=f"Q{n}", version=1) for n in (1, 2, 3)]
    selection.append(Seen(target="Q77", version=1))
    await actions.do("Q2", TAKE, actor="Sacha")
    close = move(QueueState.CLOSED)
    plan = await actions.preview_bulk(selection, close, actor="Camille")
    assert (await item(store)).state is QueueState.NEW
    done = await actions.bulk(selection, close, actor="Camille")
    assert (done.changes, done.refused) == (plan.changes, plan.refused)
    assert [(c.target, c.to_state) for c in done.changes] == [("Q1", QueueState.CLOSED)]
    why = {one.target: one.why for one in done.refused}
    assert why == {
        "Q2": Unchanged.CHANGED_MEANWHILE,
        "Q3": Unchanged.NEEDS_REASON,
        "Q77": Unchanged.GONE,
    }
    meanwhile = done.refused[0]
    assert (meanwhile.who, meanwhile.at) == ("Sacha", (await item(store, 2)).updated_at)


async def test_a_bulk_action_is_undone_whole_or_not_at_all(
    store: SqliteStore, actions: Actions
) -> None:
    before = [await item(store, n) for n in (1, 2, 3)]
    selection = [Seen(target=f"Q{one.id}", version=one.version) for one in before]
    done = await actions.bulk(selection, move(QueueState.OUT_OF_SCOPE), actor="Camille")
    assert len(done.changes) == 3
    await actions.undo(done.done.id or 0, actor="Camille")
    after = [await item(store, n) for n in (1, 2, 3)]
    assert after == [replace(b, version=a.version) for a, b in zip(after, before, strict=True)]
    selection = [Seen(target=f"Q{one.id}", version=one.version) for one in after]
    again = await actions.bulk(selection, TAKE, actor="Camille")
    await actions.assign("Q2", to="Sacha", actor="Sacha")
    with pytest.raises(ConflictError, match="Q2: Sacha was faster"):
        await actions.undo(again.done.id or 0, actor="Camille")
    assert (await item(store, 1)).state is QueueState.TAKEN
    with pytest.raises(InputError):
        await actions.bulk([], TAKE, actor="Camille")
    many = [Seen(target=f"Q{n + 1}", version=1) for n in range(501)]
    with pytest.raises(InputError):
        await actions.bulk(many, TAKE, actor="Camille")


async def test_a_note_calls_the_colleagues_it_names_until_they_look(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    called = await actions.note(
        "Q1", text="@marie curie et @SACHA : vu ? (moi : @Camille, x@Marie.fr, @Zoé)",
        actor="Camille",
    )  # fmt: skip
    assert called == ("Marie Curie", "Sacha")
    found = await store.read(lambda db: calls.open_for(db, "sacha"))
    assert [(one.target, one.actor) for one in found] == [("Q1", "Camille")]
    assert found[0].text.startswith("@marie curie")
    assert await store.read(lambda db: calls.open_for(db, "Marie")) == []
    assert await store.read(lambda db: calls.count_for(db, "Sacha")) == 1
    assert await store.write(lambda db: calls.seen(db, "Sacha", "Q1", now=town.now)) == 1
    assert await store.read(lambda db: calls.open_for(db, "Sacha")) == []


async def test_an_answer_at_critical_takes_a_second_pair_of_eyes(
    store: SqliteStore, actions: Actions
) -> None:
    draft = await actions.drafts.write("Q1", text="Les secours arrivent.", actor="Camille")
    with pytest.raises(InputError, match="somebody else approves"):
        await actions.drafts.publish(draft.id, version=draft.version, actor="Camille")
    await actions.drafts.propose(draft.id, version=1, actor="Camille")
    with pytest.raises(InputError, match="Camille wrote this draft"):
        await actions.drafts.approve(draft.id, version=2, actor="camille ")
    await actions.drafts.approve(draft.id, version=2, actor="Sacha")
    edited = await actions.drafts.edit(draft.id, text="Restez.", version=3, actor="Sacha")
    assert (edited.state, edited.author, edited.approved_by) == (DraftState.DRAFT, "Sacha", None)
    await actions.drafts.propose(draft.id, version=4, actor="Sacha")
    await actions.drafts.approve(draft.id, version=5, actor="Camille")
    with pytest.raises(ConflictError, match="changed by Sacha meanwhile"):
        await actions.drafts.publish(draft.id, version=5, actor="Camille")
    done = await actions.drafts.publish(
        draft.id, version=6, actor="Camille", place="Mastodon", link="https://social.example/1"
    )
    now = await item(store)
    assert (now.state, now.answered_by) == (QueueState.ANSWERED, "Camille")
    assert (await kinds(store, "Q1"))[-2:] == ["draft.published", "queue.changed"]
    await actions.undo(done.id or 0, actor="Camille")
    back = await store.read(lambda db: drafts.get(db, draft.id))
    assert back is not None
    assert (back.state, back.text, back.published_at) == (DraftState.APPROVED, "Restez.", None)
    assert (await item(store)).state is QueueState.NEW
    trail = await store.read(lambda db: [tuple(row) for row in db.rows("SELECT * FROM audit")])
    assert "Restez" not in str(trail)
    assert "Mastodon" not in str(trail), "where it was published is written by hand: it may name"


async def test_who_changes_the_image_of_a_draft_does_not_approve_it(
    store: SqliteStore, actions: Actions
) -> None:
    draft = await actions.drafts.write("Q1", text="Restez chez vous.", actor="Camille")
    edited = await actions.drafts.edit(
        draft.id, text=draft.text, image="une carte", version=1, actor="Sacha"
    )
    await actions.drafts.propose(draft.id, version=edited.version, actor="Sacha")
    with pytest.raises(InputError, match="Sacha wrote"):
        await actions.drafts.approve(draft.id, version=edited.version + 1, actor="Sacha")


@pytest.mark.parametrize("link", ["javascript:alert(1)", "https://", "pas une adresse", "ftp://x/"])
async def test_only_an_address_of_the_web_is_where_it_was_published(
    store: SqliteStore, actions: Actions, link: str
) -> None:
    await store.write(lambda db: db.execute("UPDATE queue SET severity = 'info'"))
    draft = await actions.drafts.write("Q1", text="Bonjour", actor="Camille")
    with pytest.raises(InputError):
        await actions.drafts.publish(draft.id, version=1, actor="Camille", link=link)


async def test_templates_are_shared_and_changed_by_compare_and_swap(
    store: SqliteStore, actions: Actions
) -> None:
    made = await actions.drafts.keep_template("Voirie", text="Bonjour {lieu}", actor="Camille")
    with pytest.raises(ConflictError):
        await actions.drafts.keep_template("Voirie", text="autre", actor="Sacha")
    kept = await actions.drafts.keep_template(
        "Voirie", text="autre", actor="Sacha", version=made.version
    )
    assert (kept.version, kept.author) == (2, "Sacha")
    await actions.drafts.remove_template("Voirie", actor="Sacha")
    assert await store.read(drafts.templates) == []


async def test_a_verdict_on_an_item_counts_for_its_rule_and_closes_a_false_alarm_nobody_asked_in(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    await asks(store, 2)
    done = await actions.judge("Q1", verdict=Verdict.FALSE_ALARM, actor="Camille")
    await actions.judge("Q2", verdict=Verdict.FALSE_ALARM, actor="Camille")
    await actions.judge("Q3", verdict=Verdict.TRUE_ALERT, actor="Camille")
    assert (await item(store, 1)).state is QueueState.CLOSED
    assert (await item(store, 2)).state is QueueState.NEW
    since = town.now - timedelta(days=1)
    found = (await store.read(lambda db: said.by_rule(db, since=since)))["urgent"]
    assert (found.true_alert, found.false_alarm, found.count) == (1, 2, 3)
    low, high = found.interval or (1, 0)
    assert (round(low, 3), round(high, 3)) == (0.061, 0.792)  # Wilson, 1 of 3, by hand
    await actions.undo(done.id or 0, actor="Camille")
    assert (await item(store, 1)).state is QueueState.NEW
    found = (await store.read(lambda db: said.by_rule(db, since=since)))["urgent"]
    assert found.false_alarm == 1


async def test_a_correction_is_undone(store: SqliteStore, actions: Actions) -> None:
    assert await actions.correct("Q1", labels={"sentiment": "positive"}, actor="Camille")
    last = await store.read(lambda db: deeds.last_of(db, "Camille"))
    await actions.undo(last or 0, actor="Camille")
    key = (await item(store)).mention
    found = await store.read(lambda db: mentions.stored(db, [key]))
    assert found[key].corrections == {}


async def test_a_wrong_label_is_said_and_corrected_in_one_and_undone_in_one(
    store: SqliteStore, actions: Actions
) -> None:
    done = await actions.judge(
        "Q1", verdict=Verdict.WRONG_LABEL, labels={"sentiment": "positive"}, actor="Camille"
    )
    key = (await item(store)).mention
    found = await store.read(lambda db: mentions.stored(db, [key]))
    assert found[key].corrections["sentiment"].value == "positive"
    await actions.undo(done.id or 0, actor="Camille")
    found = await store.read(lambda db: mentions.stored(db, [key]))
    assert found[key].corrections == {}
    assert await store.read(lambda db: said.of_item(db, 1)) is None


async def test_a_deletion_reaches_drafts_calls_reasons_and_what_could_be_undone(
    town: Town, store: SqliteStore, actions: Actions
) -> None:
    await actions.drafts.write("Q1", text="Bonjour", actor="Camille")
    await actions.note("Q1", text="@Sacha regarde", actor="Camille")
    await actions.do("Q1", move(QueueState.WAITING, waiting_for="Zébuline"), actor="Camille")
    key = (await item(store)).mention
    await store.write(lambda db: mentions.delete(db, [key], cause="erased", now=town.now))
    await Redact(store).step(town.now)
    assert (await item(store)).state is QueueState.CLOSED
    assert (await item(store)).waiting_for is None
    left = await store.read(
        lambda db: [
            db.value(f"SELECT count(*) FROM {table}") for table in ("drafts", "calls", "deed_parts")
        ]
    )
    assert left == [0, 0, 0]


async def test_who_wrote_is_never_taken_from_the_mention(town: Town, store: SqliteStore) -> None:
    """A colleague's name inside a citizen's text calls nobody: only notes do."""
    await store.write(
        lambda db: users.add(db, name="Sacha", password_hash="x", role=Role.TRIAGE, now=town.now)
    )
    hostile = town.mention("au secours @Sacha", author=None)
    hostile = replace(hostile, author=Author(id="z", name="Sacha"))
    await town.collect.accept(town.source, Batch(mentions=(hostile,)), now=town.now)
    await town.work()
    assert await store.read(lambda db: calls.open_for(db, "Sacha")) == []
