"""Whether two texts say the same: copies of each other, or one claim in two wordings."""

from __future__ import annotations

from veille.nlp.reading import WEAK, Reading

# Measured in tests/nlp/test_clusters.py on variants and on texts that only resemble each other.
COPY_RATIO = 0.7  # of all words of both texts
CLAIM_SHARED, CLAIM_OF_SHORTER, CLAIM_OF_BOTH = 3, 0.6, 0.25
TYPO_LENGTH, NAME_TYPO_LENGTH = 4, 6  # Alès and Arles are one letter apart
CLAIM_NAMELESS = 0.5  # of both, for three common words alone: « réchauffement climatique, été »
LEAST_SHARED, LEAST_OF_SHORTER = 2, 0.4  # without a slip: before slips are looked for
NAMES_TO_PLACE = 2  # in common: then a further name in other words is an addition


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
