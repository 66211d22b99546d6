"""Unanswered rules: who asked, and was not answered in time."""

from __future__ import annotations

from collections import ChainMap, defaultdict
from collections.abc import Collection, Container
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from zoneinfo import ZoneInfo

from veille.domain.alert import Condition, Reading
from veille.domain.record import Observation
from veille.rules.matchers import Needs
from veille.rules.model import Rule
from veille.rules.office import due_at
from veille.rules.params import Unanswered
from veille.rules.reading import Seen
from veille.rules.sliding import Entry, Group, Mark, Sliding, Values
from veille.rules.stateful import Stateful
from veille.rules.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One mention that waits for an answer; times run from when it was written."""

    at: datetime
    due_at: datetime
    thread: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    """One own text, and what it may answer."""

    at: datetime
    received_at: datetime
    reply_to: str | None
    thread: str | None


class UnansweredWatcher(Stateful):
    """One unanswered rule. All it knows comes from observations, and from who was dealt with."""

    is_steady = True

    def __init__(self, rule: Rule, zone: ZoneInfo, asked: Unanswered) -> None:
        super().__init__(rule, zone)
        self._kind = asked
        self._zone = zone
        self._sliding = Sliding(rule)
        self._asked: dict[str, _Asked] = {}
        self._replies: dict[str, _Reply] = {}
        self._direct: dict[str, set[str]] = defaultdict(set)
        self._in_thread: dict[str, set[str]] = defaultdict(set)
        self._looked_at: datetime | None = None

    @property
    def keys(self) -> Container[str]:
        """The questions and replies it holds."""
        return ChainMap[str, object](self._asked, self._replies)  # type: ignore[arg-type]  # read only

    @property
    def needs(self) -> Needs:
        """Nothing: any mention may be a reply."""
        return None

    @property
    def asks(self) -> Collection[str]:
        """Mentions that are due and that nobody replied to."""
        now = self._looked_at
        return () if now is None else [key for key in self._asked if self._is_open(key, now)]

    @property
    def wakes_at(self) -> datetime | None:
        """When the next one is due, or when it or a reply is so old that it counts no more."""
        now, window = self._looked_at, self.rule.window
        if now is None:
            return None
        asked = (at for a in self._asked.values() for at in (a.due_at, a.at + window))
        replies = (reply.received_at + window for reply in self._replies.values())
        return min((at for at in chain(asked, replies) if at > now), default=None)

    def observe(self, observation: Observation, view: View | None) -> None:
        """Take in a question, a reply, an edit or a deletion of either."""
        if self.past.since is None:
            self.past.listen(observation.received_at)
        key = observation.key
        self._sliding.pop(key)
        self._asked.pop(key, None)
        self._drop_reply(key)
        if view is None:
            return
        if observation.own:
            self._add_reply(observation)
        elif self.counts(observation, view) and (groups := self.groups(view)):
            self._add(observation, groups)

    def slide(self, now: datetime) -> None:
        """Let go of questions and replies that are older than the window."""
        self._looked_at = now
        self._sliding.slide(now)
        since = now - self.rule.window
        for key in [key for key in self._asked if key not in self._sliding]:
            del self._asked[key]
        for key in [key for key, reply in self._replies.items() if reply.received_at <= since]:
            self._drop_reply(key)

    def readings(self, now: datetime) -> list[Reading]:
        """Return one reading per group in which somebody asked, in the order of its values."""
        self.slide(now)
        return [self._reading(values, group, now) for values, group in self._sliding.groups()]

    def _reading(self, values: Values, group: Group, now: datetime) -> Reading:
        waiting = [mark for mark in group.marks if self._is_waiting(mark, now)]
        entries = self._sliding.entries(waiting)
        authors = len({entry.author for entry in entries})
        return self.read(
            values,
            (
                Condition(name="unanswered", value=len(waiting), threshold=self.rule.min_count),
                Condition(name="authors", value=authors, threshold=self.rule.min_authors),
            ),
            value=len(waiting),
            threshold=self.rule.threshold,
            seen=Seen(
                authors=authors, mentions=len(waiting), evidence=[mark[2] for mark in waiting]
            ),
        )

    def _is_waiting(self, mark: Mark, now: datetime) -> bool:
        return mark[2] not in self.around.answered and self._is_open(mark[2], now)

    def _is_open(self, key: str, now: datetime) -> bool:
        """Whether it is due and has no reply."""
        asked = self._asked[key]
        if asked.due_at > now or self._direct.get(key):
            return False
        threads = {key} if asked.thread is None else {key, asked.thread}
        later = (self._in_thread.get(thread, ()) for thread in threads)
        return not any(self._replies[own].at > asked.at for found in later for own in found)

    def _add(self, observation: Observation, groups: tuple[Values, ...]) -> None:
        at = min(observation.created_at, observation.received_at)
        entry = Entry(
            mark=(observation.received_at, observation.seq, observation.key),
            author=observation.author,
            counted_as=observation.key,
            groups=groups,
            leaves_at=at,
        )
        self._asked[observation.key] = _Asked(
            at=at,
            due_at=due_at(at, self._kind.within, self._kind.office, self._zone),
            thread=observation.thread,
        )
        self._sliding.put(entry)

    def _add_reply(self, observation: Observation) -> None:
        reply = _Reply(
            at=observation.created_at,
            received_at=observation.received_at,
            reply_to=observation.reply_to,
            thread=observation.thread,
        )
        if reply.reply_to is None and reply.thread is None:
            return
        self._replies[observation.key] = reply
        if reply.reply_to is not None:
            self._direct[reply.reply_to].add(observation.key)
        if reply.thread is not None:
            self._in_thread[reply.thread].add(observation.key)

    def _drop_reply(self, key: str) -> None:
        reply = self._replies.pop(key, None)
        if reply is None:
            return
        for index, target in ((self._direct, reply.reply_to), (self._in_thread, reply.thread)):
            if target is not None:
                index[target].discard(key)
                if not index[target]:
                    del index[target]
