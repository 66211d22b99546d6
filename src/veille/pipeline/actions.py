"""What people do: one pure change and one transaction, with its actor in the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import TypeVar

from veille.alerts import handling, items
from veille.alerts.announcing import announce
from veille.alerts.handling import Handled
from veille.alerts.items import Doing
from veille.alerts.settings import RouteSettings
from veille.domain.deed import TWICE, Deed, Done, Outcome, Seen, Verb
from veille.domain.errors import InputError
from veille.domain.ids import parse_short_id, short_id
from veille.domain.incident import Event, Incident, QueueState, Verdict
from veille.domain.naming import named
from veille.domain.notification import NotificationKind
from veille.domain.silence import Match, Silence
from veille.pipeline import bulk, judging, reshaping, silencing
from veille.pipeline.dispatch import complete
from veille.pipeline.drafting import Drafts
from veille.pipeline.undo import undo
from veille.pipeline.work import Work, check_seen, hashed, incident_of, item_of
from veille.store import alerts, calls, deeds, outbox, queue, timeline, users
from veille.store.engine import Db
from veille.store.protocol import Store
from veille.store.silences import Hidden

NOTE_LENGTH = 4000
T = TypeVar("T")


class Actions:
    """What people do to incidents and queue items; the same for the web and the command line.

    Conflicts say when in `zone`. What returns a `Done` can be undone for ten seconds. `drafts` has
    the verbs of draft answers.
    """

    def __init__(
        self,
        store: Store,
        *,
        route: RouteSettings,
        now: Callable[[], datetime],
        zone: tzinfo = UTC,
    ) -> None:
        self._store = store
        self._route = route
        self._now = now
        self._zone = zone
        self.drafts = Drafts(self.work)

    async def work(self, verb: str, actor: str, change: Callable[[Work], T]) -> T:
        """Return the change's result once it is committed, as one deed of `actor`."""
        now = self._now()

        def write(db: Db) -> T:
            return change(
                Work(db, verb=verb, actor=actor, now=now, zone=self._zone, route=self._route)
            )

        return await self._store.write(write)

    async def do(self, target: str, deed: Deed, *, actor: str, version: int | None = None) -> Done:
        """The deed is done to `target`; of an incident take, assign and reopen alone.

        ConflictError when `version` is stale, somebody else has it, or its state does not allow
        it; ReasonError when a question or request is closed without an answer and a reason.
        """
        letter, number = parse_short_id(target)

        def change(work: Work) -> Done:
            if letter == "I":
                self._do_incident(work, number, version, self._on_incident(deed, work))
                return work.done
            item = item_of(work.db, number)
            _check(work, "Q", number, version, current=item.version, owner=item.assignee)
            by = Doing(
                actor=actor,
                now=work.now,
                zone=work.zone,
                asks=bool(queue.asking(work.db, [item.mention])),
            )
            work.save_item(item, items.do(item, deed, by))
            return work.done

        return await self.work(deed.verb, actor, change)

    async def acknowledge(self, target: str, *, actor: str, version: int | None = None) -> Done:
        """`target` is taken by `actor`; ConflictError when somebody else has it."""
        return await self.do(target, Deed(verb=Verb.TAKE), actor=actor, version=version)

    async def assign(self, target: str, *, to: str, actor: str, version: int | None = None) -> Done:
        """`target` is entrusted to `to`."""
        return await self.do(target, Deed(verb=Verb.ASSIGN, to=to), actor=actor, version=version)

    async def reopen(self, target: str, *, actor: str, version: int | None = None) -> Done:
        """An incident is open again, a queue item new again; both are nobody's."""
        return await self.do(target, Deed(verb=Verb.REOPEN), actor=actor, version=version)

    async def resolve(
        self,
        target: str,
        *,
        actor: str,
        state: QueueState | None = None,
        reason: str = "",
        version: int | None = None,
    ) -> Done:
        """An incident is resolved; a queue item is in `state` (None: closed)."""
        letter, number = parse_short_id(target)
        if letter == "Q":
            deed = Deed(verb=Verb.MOVE, state=state or QueueState.CLOSED, reason=reason)
            return await self.do(target, deed, actor=actor, version=version)
        if state is not None:
            raise InputError(f"{target}: a state is for queue items; an incident is resolved")

        def change(work: Work) -> Done:
            by = partial(handling.resolve, actor=actor, now=work.now, zone=work.zone)
            self._do_incident(work, number, version, by)
            return work.done

        return await self.work("resolve", actor, change)

    async def preview_bulk(self, selection: Sequence[Seen], deed: Deed, *, actor: str) -> Outcome:
        """Return what the deed would change of these queue items, what not, and why."""
        now = self._now()

        def look(db: Db) -> Outcome:
            work = Work(
                db, verb=deed.verb, actor=actor, now=now, zone=self._zone, route=self._route
            )
            return bulk.preview(work, selection, deed)

        return await self._store.read(look)

    async def bulk(self, selection: Sequence[Seen], deed: Deed, *, actor: str) -> Outcome:
        """All of these queue items that stand as seen are changed at once; the others are named.

        InputError for none, or more than 500.
        """
        return await self.work(deed.verb, actor, lambda work: bulk.bulk(work, selection, deed))

    async def look(self, targets: Sequence[str]) -> list[Seen]:
        """Return these queue items in the versions they have now; one that is gone has none."""
        wanted = {parse_short_id(target)[1]: target.upper() for target in targets}
        found = await self._store.read(lambda db: queue.of_ids(db, wanted))
        return [
            Seen(target=name, version=found[n].version if n in found else 0)
            for n, name in wanted.items()
        ]

    async def last_deed(self, actor: str) -> int | None:
        """Return the number of the last thing `actor` did that may be undone."""
        return await self._store.read(lambda db: deeds.last_of(db, actor))

    async def undo(self, deed: int, *, actor: str) -> tuple[str, ...]:
        """All the deed changed is as before; return the targets.

        ConflictError after ten seconds, for somebody else's, and when a target changed since.
        """
        return await self.work("undo", actor, lambda work: undo(work, deed))

    async def merge(
        self, target: str, *, into: str, actor: str, version: int | None = None
    ) -> Done:
        """Incident `into` has all of `target`, and of what comes after it; that one is closed."""
        merged_id, into_id = _incident_number(target), _incident_number(into)

        def change(work: Work) -> Done:
            merged = incident_of(work.db, merged_id)
            _check(work, "I", merged_id, version, current=merged.touched, owner=merged.assignee)
            reshaping.merge(work, merged, incident_of(work.db, into_id))
            return work.done

        return await self.work("merge", actor, change)

    async def split(
        self,
        target: str,
        *,
        alerts: Sequence[str] = (),
        mentions: Sequence[str] = (),
        actor: str,
        version: int | None = None,
    ) -> tuple[str, Done]:
        """Return the new incident (`I13`) that has these alerts and mentions of `target`, and its
        undo.
        """
        number = _incident_number(target)

        def change(work: Work) -> tuple[str, Done]:
            before = incident_of(work.db, number)
            _check(work, "I", number, version, current=before.touched, owner=before.assignee)
            off = reshaping.split(work, before, fingerprints=alerts, mentions=mentions)
            return short_id("I", off.id), work.done

        return await self.work("split", actor, change)

    async def judge(
        self,
        target: str,
        *,
        verdict: Verdict,
        actor: str,
        version: int | None = None,
        labels: Mapping[str, str] | None = None,
        reading: str | None = None,
    ) -> Done:
        """`actor` says so of an incident or a queue item, and of its rules; a false alarm ends it.

        With `labels` the mention of a queue item is corrected too, as by `correct`. Nothing changes
        where that stands already.
        """
        letter, number = parse_short_id(target)

        def change(work: Work) -> Done:
            if letter == "I":
                incident = incident_of(work.db, number)
                owner = incident.assignee
                _check(work, "I", number, version, current=incident.touched, owner=owner)
                judging.judge_incident(work, incident, verdict)
            else:
                item = item_of(work.db, number)
                _check(work, "Q", number, version, current=item.version, owner=item.assignee)
                judging.judge_item(work, item, verdict, labels=labels or {}, reading=reading)
            return work.done

        return await self.work("judge", actor, change)

    async def silence(
        self, target: str | Match, *, lasting: timedelta, reason: str, actor: str
    ) -> Silence:
        """An incident (`I12`), or what matches, is not told from now on, for 1 min to 30 days.

        Return the silence. It mutes nothing graver than the incident is, and its alerts and queue
        items stay as they are. InputError without a reason, ConflictError when it is resolved.
        """
        now = self._now()

        def write(db: Db) -> Silence:
            match = silencing.matched(db, target)
            made = silencing.add(db, match, lasting=lasting, reason=reason, actor=actor, now=now)
            if isinstance(target, str):
                self._tell_silence(db, incident_of(db, parse_short_id(target)[1]), made)
            return made

        return await self._store.write(write)

    def _tell_silence(self, db: Db, incident: Incident, made: Silence) -> None:
        """Let the messages of an incident that was told say until when it is silent."""
        if incident.notified_at is None:
            return
        rows = announce(
            incident,
            NotificationKind.MUTED,
            alerts=list(alerts.get(db, incident.alerts).values()),
            route=self._route,
            now=made.created_at,
            actor=made.author,
        )
        # its version stays: the silence makes the key
        key = f"{short_id('I', incident.id)}-{NotificationKind.MUTED}-{short_id('S', made.id)}"
        found = [complete(db, replace(row, key=key)) for row in rows]
        outbox.add(
            db,
            [
                replace(row, facts=replace(row.facts, muted_until=made.ends_at))
                for row in found
                if row.facts is not None
            ],
        )

    async def preview(self, target: str | Match) -> tuple[Match, list[Hidden]]:
        """Return what a silence of `target` matches, and what of 24 h and of now that hides."""
        now = self._now()

        def look(db: Db) -> tuple[Match, list[Hidden]]:
            match = silencing.matched(db, target)
            return match, silencing.preview(db, match, now=now)

        return await self._store.read(look)

    async def expire(self, silence_id: int, *, actor: str) -> Silence:
        """The silence is over: what still fires is told. ConflictError when it was over before."""
        now, zone = self._now(), self._zone
        return await self._store.write(
            lambda db: silencing.expire(db, silence_id, actor=actor, now=now, zone=zone)
        )

    async def put_in_queue(self, key: str, *, actor: str) -> int:
        """The mention of this key is in the queue; return its item's number. Twice is once.

        InputError when no such mention is stored (any more).
        """

        def change(work: Work) -> int:
            had = queue.of_keys(work.db, [key])
            item = queue.add_by_hand(work.db, key, actor, work.now)
            if not had:
                after = {"state": item.state, "mention": key}
                work.audit("queue.flagged", short_id("Q", item.id), None, after)
            return item.id

        return await self.work("flag", actor, change)

    async def note(self, target: str, *, text: str, actor: str) -> tuple[str, ...]:
        """`text` is in the timeline of `target`, once within `TWICE`; return whom `@name` calls."""
        words = text.strip()
        if not words or len(words) > NOTE_LENGTH:
            raise InputError(f"a note has 1 to {NOTE_LENGTH} characters")
        letter, number = parse_short_id(target)
        name = short_id(letter, number)

        def change(work: Work) -> tuple[str, ...]:
            incident_of(work.db, number) if letter == "I" else item_of(work.db, number)
            known = [user.name for user in users.list_(work.db) if user.disabled_at is None]
            called = tuple(one for one in named(words, known) if one != actor)
            data = {"named": list(called)} if called else {}
            event = Event(target=name, at=work.now, kind="note", actor=actor, text=words, data=data)
            if timeline.is_repeat(work.db, event, since=work.now - TWICE):
                return called
            row = timeline.append(work.db, event)
            calls.add(work.db, note=row, names=called, target=name, actor=actor, at=work.now)
            work.audit("note", name, None, {"text": hashed(words), "called": len(called)})
            return called

        return await self.work("note", actor, change)

    async def correct(
        self,
        target: str,
        *,
        labels: Mapping[str, str],
        actor: str,
        version: int | None = None,
        reading: str | None = None,
    ) -> bool:
        """The mention of a queue item has these labels, by head; "" takes a person's label back.

        Return whether that changed anything.
        RereadError when `reading`, the text and analysis that were judged, is of before.

        Rules do not look at it again: what was alerted stays, and nothing new is.
        """
        letter, number = parse_short_id(target)
        if letter != "Q":
            raise InputError(f"{target}: only the mention of a queue item is corrected")

        def change(work: Work) -> bool:
            item = item_of(work.db, number)
            _check(work, "Q", number, version, current=item.version, owner=item.assignee)
            return judging.correct(work, item, labels, reading=reading)

        return await self.work("correct", actor, change)

    def _on_incident(self, deed: Deed, work: Work) -> Callable[[Incident], Handled[Incident]]:
        actor, now, zone = work.actor, work.now, work.zone
        if deed.verb is Verb.TAKE:
            return partial(handling.acknowledge, actor=actor, now=now, zone=zone)
        if deed.verb is Verb.ASSIGN:
            return partial(handling.assign, to=deed.to, actor=actor, now=now, zone=zone)
        if deed.verb is Verb.REOPEN:
            route = self._route
            return lambda i: handling.reopen(
                i, actor=actor, now=now, again_at=now + route.repeat_after(i.repeats), zone=zone
            )
        raise InputError(f"{deed.verb} is for queue items: an incident is taken, given or resolved")

    def _do_incident(
        self,
        work: Work,
        number: int,
        version: int | None,
        change: Callable[[Incident], Handled[Incident]],
    ) -> None:
        before = incident_of(work.db, number)
        _check(work, "I", number, version, current=before.touched, owner=before.assignee)
        work.save_incident(before, change(before))


def _check(
    work: Work, letter: str, number: int, seen: int | None, *, current: int, owner: str | None
) -> None:
    name = short_id(letter, number)
    check_seen(work.db, name, seen, current, owner=owner, zone=work.zone)


def _incident_number(target: str) -> int:
    letter, number = parse_short_id(target)
    if letter != "I":
        raise InputError(f"{target}: only incidents are merged and split")
    return number
