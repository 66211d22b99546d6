"""New-term rules: a hashtag, word, name or commune that nobody said for long, and several say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from heapq import nsmallest
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec

from veille.domain.alert import Condition, Reading
from veille.domain.ids import content_hash
from veille.domain.record import Observation
from veille.domain.text import fold, printable
from veille.rules.memory import Memory
from veille.rules.model import Rule
from veille.rules.params import NewTerm
from veille.rules.reading import Seen, tells
from veille.rules.sliding import Entry, Group, Sliding, Values
from veille.rules.stateful import Stateful
from veille.rules.view import View

TERM = "term"
"""The label that a new term adds to its alert's group."""
MAX_TERMS = 100_000
"""Terms one rule remembers, some 30 MB; beyond it those not said for longest are forgotten."""
MAX_ENTRIES = 20_000
"""Mentions in the window that are looked at, as each brings several terms."""
PER_MENTION = 30
"""Terms of one mention: more is a list of hashtags."""
MAX_READINGS = 50
"""Terms of one rule that are spoken of at once, the first in the alphabet of those said most."""
LEARNING = 4
"""A quarter of its memory a rule only listens, or all that it hears first would be new."""
_BEGUN = ""
"""Under this mark stands since when the rule listens: a mark of a term is never empty."""
_CLEAN_EVERY = timedelta(days=1)
_SHORTEST, _LONGEST = 4, 60
"""Letters of a word that says something, and of what is a term at all; judgement."""


class Said(msgspec.Struct, frozen=True, array_like=True):
    """Of a term, by its hash: since when it is said again, and when it was said last."""

    since: datetime
    last: datetime


class NewTermWatcher(Stateful):
    """One new_term rule. What was said was said, even if it is edited or deleted afterwards.

    The store keeps hashes of terms and two dates, never the term; what an alert names was said by
    several people.
    """

    def __init__(self, rule: Rule, zone: ZoneInfo, asked: NewTerm) -> None:
        super().__init__(rule, zone)
        self.memory: Memory[Said] = Memory(Said)
        self._asked = asked
        self._seq = 0
        self._sliding = Sliding(rule, limit=MAX_ENTRIES, labels=(*rule.group_by, TERM))
        self._fresh: dict[Values, datetime] = {}
        self._cleaned_at: datetime | None = None
        self._is_moving = False

    def restore(self, states: Mapping[str, str]) -> None:
        """Go on from what the store holds."""
        super().restore(states)
        known = ((values, self.memory.get(_mark(values))) for values, _ in self._sliding.groups())
        self._fresh = {values: said.since for values, said in known if said is not None}

    @property
    def keys(self) -> Collection[str]:
        """The mentions it holds."""
        return self._sliding.keys

    def observe(self, observation: Observation, view: View | None) -> None:
        """Take in a mention, an edit or a deletion."""
        at = observation.received_at
        if self.past.since is None:
            self.past.listen(at)
        self._sliding.pop(observation.key)
        if view is None or not self.counts(observation, view):
            return
        terms = terms_of(view, self._asked.of)
        groups = tuple((*values, term) for values in self.groups(view) for term in terms)
        if not groups:
            return
        if observation.seq > self._seq:
            self._seq = observation.seq
            for values in groups:
                self._hear(values, at)
        mark = (at, observation.seq, observation.key)
        self._sliding.put(
            Entry(
                mark=mark,
                author=observation.author,
                counted_as=observation.key,
                groups=groups,
                leaves_at=at,
            )
        )

    def slide(self, now: datetime) -> None:
        """Forget what was not said for the time of `memory`, once a day, and what is too much."""
        self._sliding.slide(now)
        is_due = self._cleaned_at is None or abs(now - self._cleaned_at) >= _CLEAN_EVERY
        if not is_due and len(self.memory) <= MAX_TERMS:
            return
        self._cleaned_at = now
        known = [(said.last, mark) for mark, said in self.memory.items() if mark != _BEGUN]
        old = [mark for last, mark in known if last <= now - self._asked.memory - self.rule.window]
        if len(self.memory) > MAX_TERMS:
            spare = len(self.memory) - MAX_TERMS * 9 // 10  # not again at the very next one
            old = [mark for _, mark in nsmallest(max(spare, len(old)), known)]
        for mark in old:
            self.memory.forget(mark)

    def readings(self, now: datetime) -> list[Reading]:
        """Return one reading per group and new term in the window, in the order of their values."""
        self.slide(now)
        since = now - self.rule.window
        self._fresh = {values: at for values, at in self._fresh.items() if at > since}
        groups = ((values, self._sliding.group(values)) for values in sorted(self._fresh))
        new = [(values, group) for values, group in groups if group is not None and group.marks]
        self._is_moving = is_crowded = len(new) > MAX_READINGS
        if is_crowded:
            new = sorted(sorted(new, key=_weight)[:MAX_READINGS], key=lambda one: one[0])
        found = [self._reading(values, group) for values, group in new]
        self._is_moving |= any(map(tells, found))
        return found

    @property
    def wakes_at(self) -> datetime | None:
        """When one more counts; of terms that were told, or crowd others out, when one is over."""
        if not self._is_moving:
            return self._sliding.coming_at
        old = min((at + self.rule.window for at in self._fresh.values()), default=None)
        return min((at for at in (old, self._sliding.due_at) if at is not None), default=None)

    def _reading(self, values: Values, group: Group) -> Reading:
        authors = len(group.authors)
        begun = self.memory.get(_BEGUN)
        learnt = timedelta(0) if begun is None else self._fresh[values] - begun.since
        return self.read(
            values[:-1],
            (
                Condition(name="count", value=len(group.marks), threshold=self.rule.min_count),
                Condition(name="authors", value=authors, threshold=self.rule.min_authors),
                Condition(
                    name="learnt_days",
                    value=round(learnt / timedelta(days=1), 4),
                    threshold=round(self._asked.memory / LEARNING / timedelta(days=1), 4),
                ),
            ),
            value=len(group.marks),
            threshold=self.rule.threshold,
            seen=Seen(
                authors=authors,
                mentions=len(group.marks),
                evidence=[mark[2] for mark in group.marks],
            ),
            labels={TERM: values[-1]},
        )

    def _hear(self, values: Values, at: datetime) -> None:
        if _BEGUN not in self.memory:
            self.memory.put(_BEGUN, Said(since=at, last=at))
        mark = _mark(values)
        said = self.memory.get(mark)
        if said is None or at - said.last > self._asked.memory:
            said = Said(since=at, last=at)
        else:
            said = Said(since=said.since, last=max(said.last, at))
        self._fresh[values] = said.since  # known or not: it may have been edited away at a restart
        self.memory.put(mark, said)


def terms_of(view: View, of: str) -> tuple[str, ...]:
    """Return each term of that sort in a mention once, in order, the first PER_MENTION."""
    match of:
        case "entity":
            found = (_shown(e.text) for e in view.analysis.entities if e.label != "PER")
        case "place":
            found = (place.insee or "" for place in view.analysis.places)
        case "hashtag":
            found = (w for w in view.tokens if w[0] == "#")
        case _:
            found = (w for w in view.tokens if _is_word(w))
    terms = dict.fromkeys(term for term in found if 1 < len(term) <= _LONGEST)
    return tuple(islice(terms, PER_MENTION))


def since_of(states: Mapping[str, str], values: Values) -> datetime | None:
    """Return since when a group's term is said, from what the store holds by mark, None unknown."""
    state = states.get(_mark(values))
    return None if state is None else msgspec.json.decode(state, type=Said).since


def _mark(values: Values) -> str:
    return content_hash(*values)


def _weight(one: tuple[Values, Group]) -> tuple[int, Values]:
    return -len(one[1].authors), one[0]


def _shown(name: str) -> str:
    return " ".join(printable(fold(name)).split())


def _is_word(word: str) -> bool:
    return word.isalpha() and len(word) >= _SHORTEST
