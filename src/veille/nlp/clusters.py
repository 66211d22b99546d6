"""Texts that say the same thing, brought together as they come: copies, variants, claims.

One text is compared with those that share its rarest words, not through MinHash bands: two short
wordings of one rumour share three words of eight, where bands tuned for copies see nothing.
Everything is a function of the mentions in order; nothing depends on Python's hash seed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from veille.nlp.reading import WEAK, Reading, read

KEEP = timedelta(hours=72)  # a rumour comes back the next day, or the one after
MOST = 100_000  # members: three days at 1,400 an hour; measured 165 MB
CLAIM_WITHIN = timedelta(hours=24)
CLAIM_VOICES = 3  # authors, each with words of their own
FEWEST_WORDS = 4  # shorter texts (« merci », « c'est honteux ») say the same only when equal
WORDINGS = 16  # of a cluster that later texts are compared with
POSTED = 32  # wordings remembered by word, the newest
ASKED, TRIED = 8, 8  # rarest words looked up, candidates compared
# Measured in tests/nlp/test_clusters.py on variants and on texts that only resemble each other.
COPY_RATIO = 0.7  # of all words of both texts
CLAIM_SHARED, CLAIM_OF_SHORTER, CLAIM_OF_BOTH = 3, 0.6, 0.25
TYPO_LENGTH, NAME_TYPO_LENGTH = 4, 6  # Alès and Arles are one letter apart
CLAIM_NAMELESS = 0.5  # of both, for three common words alone: « réchauffement climatique, été »
LEAST_SHARED, LEAST_OF_SHORTER = 2, 0.4  # without a slip: before slips are looked for
NAMES_TO_PLACE = 2  # in common: then a further name in other words is an addition


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterInfo:
    """What a text belongs to. `id` is the key of the first member, also after it left.

    `size` counts members, `wordings` those that are no copies of each other, `authors` the known
    ones. `is_claim`: three authors said it within 24 hours, each in other words than the others.
    """

    id: str
    size: int
    wordings: int
    authors: int
    is_claim: bool


@dataclass(slots=True, eq=False)
class _Wording:
    number: int
    reading: Reading
    cluster: _Cluster
    members: dict[str, tuple[str | None, datetime]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Cluster:
    id: str
    size: int = 0
    wordings: list[_Wording] = field(default_factory=list)
    authors: Counter[str] = field(default_factory=Counter)


class Clusters:
    """The clusters of the last 72 hours; never more than `most` members are kept."""

    def __init__(self, *, keep: timedelta = KEEP, most: int = MOST) -> None:
        self._keep = keep
        self._most = most
        self._now: datetime | None = None
        self._count = 0
        self._members: dict[str, _Wording] = {}  # oldest first
        self._equal: dict[bytes, _Wording] = {}
        self._posted: dict[str, list[_Wording]] = {}

    def __len__(self) -> int:
        return len(self._members)

    def add(self, key: str, text: str, author: str | None, at: datetime) -> ClusterInfo:
        """Return the cluster the text belongs to from now on; a key that is known changes nothing.

        `at` is when the text was received: an author's own date could lie in the year 2099, and
        time only moves forward here.
        """
        self._now = at if self._now is None else max(at, self._now)
        self._forget()
        wording = self._members.get(key)
        if wording is None:
            wording = self._place(key, read(text))
            wording.members[key] = (author, self._now)
            wording.cluster.size += 1
            if author is not None:
                wording.cluster.authors[author] += 1
            self._members[key] = wording
            self._forget()
        return _info(wording.cluster)

    def of(self, key: str) -> ClusterInfo | None:
        """Return the cluster of a member as it is now; None when it is not kept."""
        wording = self._members.get(key)
        return None if wording is None else _info(wording.cluster)

    def variants(self, key: str) -> tuple[str, ...]:
        """Return the keys of a member's whole cluster, by wording, oldest first; else nothing."""
        wording = self._members.get(key)
        wordings = () if wording is None else wording.cluster.wordings
        return tuple(member for each in wordings for member in each.members)

    def remove(self, key: str) -> None:
        """Forget a member; the words of a text are gone with the last member that wrote them."""
        wording = self._members.pop(key, None)
        if wording is None:
            return
        author, _ = wording.members.pop(key)
        wording.cluster.size -= 1
        if author is not None:
            wording.cluster.authors[author] -= 1
            if not wording.cluster.authors[author]:
                del wording.cluster.authors[author]
        if not wording.members:
            self._drop(wording)

    def _forget(self) -> None:
        while self._members:
            key, wording = next(iter(self._members.items()))
            since = wording.members[key][1]
            is_old = self._now is not None and since <= self._now - self._keep
            if not is_old and len(self._members) <= self._most:
                return
            self.remove(key)

    def _place(self, key: str, reading: Reading) -> _Wording:
        equal = self._equal.get(reading.digest) if reading.word_count else None
        if equal is not None:
            self._post(equal)
            return equal
        near, is_copy = self._nearest(reading)
        if near is not None and (is_copy or len(near.cluster.wordings) >= WORDINGS):
            self._post(near)
            return near
        self._count += 1
        cluster = _Cluster(key) if near is None else near.cluster
        wording = _Wording(self._count, reading, cluster)
        cluster.wordings.append(wording)
        if reading.word_count:
            self._equal[reading.digest] = wording
        self._post(wording)
        return wording

    def _nearest(self, reading: Reading) -> tuple[_Wording | None, bool]:
        if reading.word_count < FEWEST_WORDS:
            return None, False
        lists = [found for stem in reading.stems if (found := self._posted.get(stem))]
        lists.sort(key=len)
        hits = Counter(chain.from_iterable(lists[:ASKED]))
        likely = [wording for wording, count in hits.items() if count > 1]
        likely.sort(key=lambda wording: (-hits[wording], wording.number))
        best: tuple[float, _Wording | None, bool] = (0.0, None, False)
        for wording in likely[:TRIED]:
            score, is_copy = kinship(reading, wording.reading)
            if score > best[0]:
                best = (score, wording, is_copy)
        return best[1:]

    def _post(self, wording: _Wording) -> None:
        """Make the wording the newest under each of its words: what is said again stays found."""
        if wording.reading.word_count < FEWEST_WORDS:
            return
        for stem in wording.reading.stems:
            found = self._posted.setdefault(stem, [])
            if wording in found:
                found.remove(wording)
            elif len(found) >= POSTED:
                del found[0]
            found.append(wording)

    def _drop(self, wording: _Wording) -> None:
        wording.cluster.wordings.remove(wording)
        self._equal.pop(wording.reading.digest, None)
        for stem in wording.reading.stems:
            found = self._posted.get(stem, [])
            if wording in found:
                found.remove(wording)
            if not found:
                self._posted.pop(stem, None)


def kinship(new: Reading, kept: Reading) -> tuple[float, bool]:
    """Return how much two texts share in [0, 1] and whether one copies the other.

    0 when they do not say the same: too little in common, or another number, day or place, or
    what one denies the other says.
    """
    ours, theirs = set(new.stems), set(kept.stems)
    shared = ours & theirs
    shorter = min(len(ours), len(theirs))
    if len(shared) < max(LEAST_SHARED, LEAST_OF_SHORTER * shorter):
        return 0.0, False
    typos = _typos(
        [stem for stem in new.stems if stem not in theirs],
        [stem for stem in kept.stems if stem not in ours],
        {*new.names, *kept.names},
    )
    count = len(shared) + len(typos)
    of_both = count / (len(ours) + len(theirs) - count)
    of_shorter = count / shorter
    names = shared.intersection((*new.names, *kept.names))
    enough = count >= CLAIM_SHARED or bool(names)  # two words alone copy only with a name
    is_copy = enough and (of_both >= COPY_RATIO or _continues(new, kept))
    is_telling = count > CLAIM_SHARED or len(names) >= NAMES_TO_PLACE or of_both >= CLAIM_NAMELESS
    strong = len(shared - WEAK) + len(typos)
    is_claim = strong >= CLAIM_SHARED and of_shorter >= CLAIM_OF_SHORTER and is_telling
    if not is_copy and not (is_claim and of_both >= CLAIM_OF_BOTH):
        return 0.0, False
    if _denies(new, kept, shared) or _differs(new.facts, kept.facts):
        return 0.0, False
    if (is_copy or len(names) < NAMES_TO_PLACE) and _elsewhere(new, kept, typos):
        return 0.0, False
    return max(of_both, of_shorter / 2), is_copy


def _typos(ours: list[str], theirs: list[str], names: set[str]) -> dict[str, str]:
    """Return words that are one slip apart; the first letter is the one people get right."""
    found: dict[str, str] = {}
    for word in ours:
        if len(word) < TYPO_LENGTH:
            continue
        for other in theirs:
            if word[0] == other[0] and _one_slip(word, other) and other not in found.values():
                is_name = word in names or other in names
                if min(len(word), len(other)) >= (NAME_TYPO_LENGTH if is_name else TYPO_LENGTH):
                    found[word] = other
                    break
    return found


def _one_slip(left: str, right: str) -> bool:
    """Return whether one letter more, less, other or exchanged with its neighbor makes the word."""
    if abs(len(left) - len(right)) > 1:
        return False
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    left, right = left[start:], right[start:]
    if len(left) == len(right):
        return left[1:] == right[1:] or (left[2:] == right[2:] and left[:2] == right[1::-1])
    return left[1:] == right or left == right[1:]


def _continues(new: Reading, kept: Reading) -> bool:
    """Return whether one is cut off and the other says it in full; the last word may be half."""
    for short, full in ((new, kept), (kept, new)):
        whole = short.stems[:-1]
        if short.is_cut and len(whole) >= CLAIM_SHARED and whole == full.stems[: len(whole)]:
            return True
    return False


def _denies(new: Reading, kept: Reading, shared: set[str]) -> bool:
    one_sided = set(new.denied) ^ set(kept.denied)
    return new.is_denial != kept.is_denial or not shared.isdisjoint(one_sided)


def _differs(ours: tuple[tuple[str, str], ...], theirs: tuple[tuple[str, str], ...]) -> bool:
    """Return whether both count or date the same thing, and no value is common."""
    for slot in {slot for slot, _ in ours} & {slot for slot, _ in theirs}:
        left = {value for name, value in ours if name == slot}
        right = {value for name, value in theirs if name == slot}
        if left.isdisjoint(right):
            return True
    return False


def _elsewhere(new: Reading, kept: Reading, typos: dict[str, str]) -> bool:
    """Return whether each names a place or a person of which the other does not speak."""
    ours = set(new.names) - set(kept.stems) - typos.keys()
    theirs = set(kept.names) - set(new.stems) - set(typos.values())
    return bool(ours and theirs)


def _info(cluster: _Cluster) -> ClusterInfo:
    return ClusterInfo(
        id=cluster.id,
        size=cluster.size,
        wordings=len(cluster.wordings),
        authors=len(cluster.authors),
        is_claim=_is_claim([next(iter(each.members.values())) for each in cluster.wordings]),
    )


def _is_claim(first: list[tuple[str | None, datetime]]) -> bool:
    known = [(author, at) for author, at in first if author is not None]
    return len(known) >= CLAIM_VOICES and any(
        len({author for author, at in known if since <= at <= since + CLAIM_WITHIN}) >= CLAIM_VOICES
        for _, since in known
    )
