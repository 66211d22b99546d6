"""Three people act at will, often on what they saw before: the trail holds, and one owner each."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from veille.alerts.settings import RouteSettings
from veille.domain.alert import Flag, Severity
from veille.domain.deed import UNDO_FOR, Deed, Seen, Verb
from veille.domain.errors import ConflictError, InputError
from veille.domain.incident import Incident, IncidentState, QueueItem, QueueState
from veille.domain.mention import MentionKind
from veille.domain.record import Identity, MaskedMention
from veille.pipeline.actions import Actions
from veille.store import audit, incidents, mentions, queue
from veille.store.engine import Db, Row, SqliteStore

PEOPLE = ("Camille", "Sacha", "Marie")
TARGETS = ("Q1", "Q2", "Q3", "I1", "I2", "I3")
START = datetime(2026, 1, 18, 1, 0, tzinfo=UTC)
Subject = QueueItem | Incident

DEEDS = st.one_of(
    st.sampled_from([Verb.TAKE, Verb.RELEASE, Verb.REOPEN, Verb.UNSNOOZE]).map(
        lambda verb: Deed(verb=verb)
    ),
    st.sampled_from(PEOPLE).map(lambda to: Deed(verb=Verb.ASSIGN, to=to)),
    st.builds(
        Deed,
        verb=st.just(Verb.MOVE),
        state=st.sampled_from(QueueState),
        stays_open=st.booleans(),
        waiting_for=st.sampled_from(["", "la voirie"]),
    ),
    st.integers(-1, 3).map(
        lambda hours: Deed(verb=Verb.SNOOZE, until=START + timedelta(hours=hours))
    ),
)
WHOLE = st.sampled_from(["bulk", "merge", "resolve"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.one_of(DEEDS, WHOLE, st.sampled_from(["resolve", "merge", "bulk", "note"])),
        st.sampled_from([0, 1, 1, 2, 3]),  # undone: by who did it, by somebody, after a change
        st.sampled_from(TARGETS),
        st.sampled_from(TARGETS),
        st.sampled_from([0, 0, 0, 1]),  # how many versions the page is behind
        st.integers(0, 6),  # seconds that pass
    ),
    min_size=3,
    max_size=20,
)
# every night begins with a merge and its undo: drawn at will, both are rare
MERGES = st.builds(
    lambda who, pair, undoes, seconds: (who, "merge", undoes, *pair, 0, seconds),
    st.sampled_from(PEOPLE),
    st.permutations(["I1", "I2", "I3"]).map(lambda found: found[:2]),
    st.sampled_from([1, 1, 3]),
    st.integers(0, 5),
)
Step = tuple[str, Deed | str, int, str, str, int, int]


@dataclass
class Desk:
    """Three people before three incidents and three items."""

    store: SqliteStore
    now: datetime = START
    line: int = 0
    row: int = 0

    def __post_init__(self) -> None:
        self.actions = Actions(
            self.store, route=RouteSettings(receivers=["astreinte"]), now=lambda: self.now
        )

    async def all(self) -> dict[str, Subject]:
        def read(db: Db) -> dict[str, Subject]:
            found: dict[str, Subject] = {f"Q{n}": i for n, i in queue.of_ids(db, (1, 2, 3)).items()}
            known = (incidents.get(db, number) for number in (1, 2, 3))
            return found | {f"I{i.id}": i for i in known if i is not None}

        return await self.store.read(read)

    async def act(self, step: Step) -> None:
        who, what, undoes, target, other, behind, seconds = step
        if what == "merge":
            target, other = f"I{target[1]}", f"I{other[1]}"
        self.now += timedelta(seconds=seconds)
        seen = await self.all()
        try:
            deed = await self._act(who, what, target, other, behind, seen)
        except (ConflictError, InputError):
            assert await self.all() == seen, "what is refused changes nothing"
            await self.check(seen, seen)
            return
        after = await self.all()
        await self.check(seen, after)
        if deed is not None and undoes:
            is_overtaken = undoes == 3 and await self._overtake(who, seen, after)
            self.now += timedelta(seconds=2 * seconds)
            may = undoes != 2 and not is_overtaken and 2 * seconds <= UNDO_FOR.seconds
            await self._undo(deed, other if undoes == 2 else who, seen, is_allowed=may)

    async def _overtake(
        self, who: str, seen: dict[str, Subject], after: dict[str, Subject]
    ) -> bool:
        """Somebody else gives away what was just changed; return whether that changed it."""
        colleague = PEOPLE[PEOPLE.index(who) - 1]
        changed = [name for name, was in seen.items() if mark(was) != mark(after[name])]
        target = next((name for name in changed if is_open(after[name])), None)
        if target is None:
            return False
        to = next(one for one in PEOPLE if one != after[target].assignee)
        done = await self.actions.assign(target, to=to, actor=colleague)
        assert done.id is not None
        await self.check(after, await self.all())
        return True

    async def _act(
        self, who: str, what: Deed | str, target: str, other: str, behind: int,
        seen: dict[str, Subject],
    ) -> int | None:  # fmt: skip
        version = mark(seen[target]) - behind
        if isinstance(what, Deed):
            done = await self.actions.do(target, what, actor=who, version=version)
            assert not behind, "a stale page never wins"
            return done.id
        if what == "resolve":
            return (await self.actions.resolve(target, actor=who, version=version)).id
        if what == "merge":
            done = await self.actions.merge(target, into=other, actor=who, version=version)
            return done.id
        if what == "bulk":
            chosen = [Seen(target=t, version=mark(seen[t])) for t in ("Q1", "Q2", "Q3")]
            chosen[0] = replace(chosen[0], version=chosen[0].version - behind)
            outcome = await self.actions.bulk(chosen, Deed(verb=Verb.TAKE), actor=who)
            return outcome.done.id
        await self.actions.note(target, text="vu", actor=who)
        return None

    async def _undo(
        self, deed: int, who: str, before: dict[str, Subject], *, is_allowed: bool
    ) -> None:
        after = await self.all()
        try:
            targets = await self.actions.undo(deed, actor=who)
        except ConflictError:
            assert not is_allowed
            assert await self.all() == after
            return
        assert is_allowed
        now = await self.all()
        assert {t: plain(now[t]) for t in targets} == {t: plain(before[t]) for t in targets}
        await self.check(after, now)

    async def told(self) -> list[tuple[str, tuple[str, str | None], tuple[str, str | None]]]:
        """Return what the trail says of each change since the last look: target, before, after.

        The timeline names the same targets.
        """

        def read(db: Db) -> tuple[list[Row], set[str], int]:
            lines = db.rows("SELECT seq, target FROM timeline WHERE seq > ?", (self.line,))
            return (
                db.rows("SELECT * FROM audit WHERE seq > ? ORDER BY seq", (self.row,)),
                {row["target"] for row in lines},
                max((row["seq"] for row in lines), default=self.line),
            )

        rows, named, self.line = await self.store.read(read)
        self.row = max((row["seq"] for row in rows), default=self.row)
        assert named == {row["target"] for row in rows}
        return [(r["target"], facts(r["before"]), facts(r["after"])) for r in rows if r["before"]]

    async def check(self, before: dict[str, Subject], after: dict[str, Subject]) -> None:
        changed = {
            (name, (str(was.state), was.assignee), (str(after[name].state), after[name].assignee))
            for name, was in before.items()
            if after[name].version != was.version
        }
        assert set(await self.told()) == changed, "the trail says each change, before and after"
        for name, was in before.items():
            now = after[name]
            assert now.version >= was.version
            assert now == was or now.version > was.version
            if isinstance(now, QueueItem):
                assert (now.state is QueueState.NEW) == (now.assignee is None)
                assert now.snoozed_until is None or now.state.is_open
        at_work = [
            i for i in after.values()
            if isinstance(i, Incident) and i.state is not IncidentState.RESOLVED
        ]  # fmt: skip
        keys = [key for incident in at_work for key in (incident.key, *incident.also)]
        assert len(keys) == len(set(keys))


def mark(subject: Subject) -> int:
    return subject.touched if isinstance(subject, Incident) else subject.version


def is_open(subject: Subject) -> bool:
    if isinstance(subject, Incident):
        return subject.state is not IncidentState.RESOLVED
    return subject.state.is_open


def facts(said: str) -> tuple[str, str | None]:
    found = json.loads(said)
    return found["state"], found["assignee"]


def plain(subject: Subject) -> Subject:
    """Without what counts changes: two states of a subject are the same but for it."""
    if isinstance(subject, Incident):
        return replace(subject, version=0, touched=0, updated_at=START)
    return replace(subject, version=0)


def fill(db: Db) -> None:
    for number in (1, 2, 3):
        key = f"{number:032x}"
        mention = MaskedMention(
            key=key, source="presse", watches=("mairie",), kind=MentionKind.POST, text="x",
            created_at=START, received_at=START, content_hash=key,
            identity=Identity(native_id=key),
        )  # fmt: skip
        mentions.add(db, mentions=[mention], tombstones=[], now=START)
        queue.flag(db, [Flag(key=key, rule="r", severity=Severity.INFO, at=START)])
        incidents.save(
            db,
            Incident(
                id=number, key=f"k{number}", labels={}, state=IncidentState.OPEN,
                severity=Severity.WARNING, title="t", opened_at=START, updated_at=START,
                alerts=(f"a{number}",), notified_at=START,
            ),
            expected_version=None,
        )  # fmt: skip


async def play(steps: Sequence[Step], path: Path) -> None:
    async with SqliteStore(path, group_commit=timedelta(0), is_durable=False) as store:
        await store.write(fill)
        desk = Desk(store)
        desk.line = await store.read(lambda db: db.value("SELECT max(seq) FROM timeline"))
        for step in steps:
            await desk.act(step)
        assert await store.read(audit.verify) is None


@settings(max_examples=20, deadline=None)
@given(MERGES, STEPS)
def test_no_sequence_of_actions_loses_an_owner_a_version_or_the_trail(
    merge: tuple, steps: list
) -> None:
    run: Callable[..., None] = asyncio.run
    with tempfile.TemporaryDirectory() as folder:
        run(play([merge, *steps], Path(folder) / "veille.db"))
