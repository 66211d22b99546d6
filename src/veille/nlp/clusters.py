"""Texts that say the same thing, brought together as they come: copies, variants, claims.

One text is compared with those that share its rarest words, not through MinHash bands: two short
wordings of one rumour share three words of eight, where bands tuned for copies see nothing.
Everything is a function of the mentions in order; nothing depends on Python's hash seed.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter

from veille.domain.analysis import Cluster
from veille.domain.record import ClusterMember
from veille.nlp.kinship import kinship
from veille.nlp.reading import Reading, read

KEEP = timedelta(hours=72)  # a rumour comes back the next day, or the one after
MOST = 100_000  # members: three days at 1,400 an hour; measured 165 MB
CLAIM_WITHIN = timedelta(hours=24)
CLAIM_VOICES = 3  # authors, each with words of their own
FEWEST_WORDS = 4  # shorter texts (« merci », « c'est honteux ») say the same only when equal
WORDINGS = 16  # of a cluster that later texts are compared with
POSTED = 32  # wordings looked at for one word, those said last
ASKED, TRIED = 8, 8  # rarest words looked up, candidates compared


@dataclass(slots=True, eq=False)
class _Member:
    key: str
    number: int  # in the order of arrival here
    author: str | None
    at: datetime
    reading: Reading
    wording: _Wording


@dataclass(slots=True, eq=False)
class _Wording:
    """Copies of one text, oldest first: the oldest one stands for them in comparisons."""

    id: str
    cluster: _Cluster
    members: dict[str, _Member] = field(default_factory=dict)
    last: int = 0

    @property
    def first(self) -> _Member:
        return next(iter(self.members.values()))


@dataclass(slots=True, eq=False)
class _Cluster:
    id: str
    size: int = 0
    wordings: list[_Wording] = field(default_factory=list)
    authors: Counter[str] = field(default_factory=Counter)


_number, _last = attrgetter("number"), attrgetter("last")


class Clusters:
    """The clusters of the last 72 hours; never more than `most` members are kept.

    What stands here is a function of the members that are left, in order, and of where each was
    put: `restored` from them gives what never stopped, whoever left in the meantime.
    """

    def __init__(self, *, keep: timedelta = KEEP, most: int = MOST) -> None:
        self._keep = keep
        self._most = most
        self._count = 0
        self._members: dict[str, _Member] = {}  # oldest first
        self._equal: dict[bytes, list[_Member]] = {}  # by what is said, oldest first
        self._posted: dict[str, list[_Wording]] = {}  # by word, said last at the end

    def __len__(self) -> int:
        return len(self._members)

    @classmethod
    def restored(cls, members: Iterable[tuple[ClusterMember, str]]) -> Clusters:
        """Return the clusters of these members, in the order they came in, with their texts."""
        found = cls()
        clusters: dict[str, _Cluster] = {}
        wordings: dict[str, _Wording] = {}
        for member, text in members:
            cluster = clusters.setdefault(member.cluster, _Cluster(member.cluster))
            wording = wordings.get(member.wording)
            if wording is None:
                wording = wordings[member.wording] = _Wording(member.wording, cluster)
            found._join(wording, member.key, member.author, member.at, read(text))
        return found

    def add(
        self, key: str, text: str, author: str | None, at: datetime, *, version: int = 1
    ) -> Cluster:
        """Return the cluster the text belongs to from now on; a key that is known changes nothing.

        `at` is when the text was received: an author's own date could lie in the year 2099.
        `version` tells an edited text, removed and added anew, from what its key named before.
        """
        self._forget(at)
        if key not in self._members:
            reading = read(text)
            name = key if version == 1 else f"{key}.{version}"
            self._join(self._place(name, reading), key, author, at, reading)
            self._forget(at)
        return _info(self._members[key].wording.cluster)

    def of(self, key: str) -> Cluster | None:
        """Return the cluster of a member as it is now; None when it is not kept."""
        member = self._members.get(key)
        return None if member is None else _info(member.wording.cluster)

    def member(self, key: str) -> ClusterMember:
        """Return where a member stands, to be restored there; KeyError when it is not kept."""
        one = self._members[key]
        return ClusterMember(
            key=key,
            author=one.author,
            at=one.at,
            cluster=one.wording.cluster.id,
            wording=one.wording.id,
        )

    @property
    def oldest(self) -> str | None:
        """The key of the oldest member: those that came before are forgotten."""
        return next(iter(self._members), None)

    def variants(self, key: str) -> tuple[str, ...]:
        """Return the keys of a member's whole cluster, by wording, oldest first; else nothing."""
        member = self._members.get(key)
        wordings = () if member is None else member.wording.cluster.wordings
        ordered = sorted(wordings, key=lambda wording: wording.first.number)
        return tuple(key for each in ordered for key in each.members)

    def remove(self, key: str) -> None:
        """Forget a member and its words; what copied it stands for itself from now on."""
        member = self._members.pop(key, None)
        if member is None:
            return
        wording, cluster = member.wording, member.wording.cluster
        self._unpost(wording)
        del wording.members[key]
        cluster.size -= 1
        if member.author is not None:
            cluster.authors[member.author] -= 1
            if not cluster.authors[member.author]:
                del cluster.authors[member.author]
        equal = self._equal.get(member.reading.digest, [])
        if equal:
            del equal[bisect_left(equal, member.number, key=_number)]
        if not equal:
            self._equal.pop(member.reading.digest, None)
        if wording.members:
            wording.last = next(reversed(wording.members.values())).number
            self._post(wording)
        else:
            cluster.wordings.remove(wording)

    def _forget(self, at: datetime) -> None:
        while self._members:
            key, member = next(iter(self._members.items()))
            if member.at > at - self._keep and len(self._members) <= self._most:
                return
            self.remove(key)

    def _join(
        self, wording: _Wording, key: str, author: str | None, at: datetime, reading: Reading
    ) -> None:
        equal = self._equal.get(reading.digest)
        if equal and equal[-1].reading == reading:
            reading = equal[-1].reading  # one in memory for all who copy it
        self._count += 1
        member = _Member(key, self._count, author, at, reading, wording)
        cluster = wording.cluster
        if wording.members:
            self._unpost(wording)
        else:
            cluster.wordings.append(wording)
        wording.members[key] = self._members[key] = member
        wording.last = member.number
        cluster.size += 1
        if author is not None:
            cluster.authors[author] += 1
        if reading.word_count:
            self._equal.setdefault(reading.digest, []).append(member)
        self._post(wording)

    def _place(self, name: str, reading: Reading) -> _Wording:
        equal = self._equal.get(reading.digest) if reading.word_count else None
        if equal:
            return equal[-1].wording
        near, is_copy = self._nearest(reading)
        if near is not None and (is_copy or len(near.cluster.wordings) >= WORDINGS):
            return near
        return _Wording(name, _Cluster(name) if near is None else near.cluster)

    def _nearest(self, reading: Reading) -> tuple[_Wording | None, bool]:
        if reading.word_count < FEWEST_WORDS:
            return None, False
        lists = [found for stem in reading.stems if (found := self._posted.get(stem))]
        lists.sort(key=len)
        hits = Counter(chain.from_iterable(found[-POSTED:] for found in lists[:ASKED]))
        likely = [wording for wording, count in hits.items() if count > 1]
        likely.sort(key=lambda wording: (-hits[wording], wording.first.number))
        best: tuple[float, _Wording | None, bool] = (0.0, None, False)
        for wording in likely[:TRIED]:
            score, is_copy = kinship(reading, wording.first.reading)
            if score > best[0]:
                best = (score, wording, is_copy)
        return best[1:]

    def _post(self, wording: _Wording) -> None:
        """Put the wording under each of its words, where it was said last."""
        reading = wording.first.reading
        if reading.word_count >= FEWEST_WORDS:
            for stem in reading.stems:
                insort(self._posted.setdefault(stem, []), wording, key=_last)

    def _unpost(self, wording: _Wording) -> None:
        """Take it from under its words: before its first or last member changes."""
        reading = wording.first.reading
        if reading.word_count < FEWEST_WORDS:
            return
        for stem in reading.stems:
            found = self._posted[stem]
            del found[bisect_left(found, wording.last, key=_last)]
            if not found:
                del self._posted[stem]


def _info(cluster: _Cluster) -> Cluster:
    return Cluster(
        id=cluster.id,
        size=cluster.size,
        wordings=len(cluster.wordings),
        authors=len(cluster.authors),
        is_claim=_is_claim([(each.first.author, each.first.at) for each in cluster.wordings]),
    )


def _is_claim(first: list[tuple[str | None, datetime]]) -> bool:
    known = [(author, at) for author, at in first if author is not None]
    return len(known) >= CLAIM_VOICES and any(
        len({author for author, at in known if since <= at <= since + CLAIM_WITHIN}) >= CLAIM_VOICES
        for _, since in known
    )
