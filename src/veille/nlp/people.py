"""How many people a text says are concerned."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from veille.domain.card import Count
from veille.nlp.cues import (
    ABOUT,
    COUNTED,
    KIN,
    NOT_PEOPLE,
    NUMBERS,
    ROUGH,
    UNCOUNTED,
)
from veille.nlp.phrases import Word

MOST = 100_000  # people: a greater figure in a message is no count of those in danger
_SUBJECTS = {("on", "est"), ("nous", "sommes"), ("on", "reste"), ("ils", "sont"), ("elles", "sont")}
_OWN = frozenset("mon ma notre son sa leur ton ta votre un une".split())
_PLURAL = frozenset("mes nos ses leurs tes vos des".split())
_COMPOUND = frozenset("grand belle beau petit petite".split())
_ALONE = frozenset("coince coincee piege piegee bloque bloquee blesse blessee seul seule".split())


Range = tuple[int, int]
IsDenied = Callable[[Sequence[Word], int], bool]


def people(
    words: Sequence[Word], *, hushed: frozenset[int], is_denied: IsDenied
) -> tuple[Count, tuple[Range, ...]] | None:
    """Return the people concerned and the words that say so, or None when the text does not.

    « on est trois » counts all; else those named with a number and single relatives are added.
    """
    total = _total(words, hushed)
    if total:
        return total
    number, spans, is_floor, at = 0, list[Range](), False, 0
    while at < len(words):
        found = None if at in hushed or is_denied(words, at) else _counted(words, at)
        if found:
            amount, after, is_rough = found
            number, is_floor = number + amount, is_floor or is_rough
            spans.append((at, after))
            at = after
            continue
        is_floor = is_floor or _is_uncounted(words, at)
        at += 1
    if not spans:
        return _speaker(words, hushed)
    return Count(number=number, is_approximate=is_floor), tuple(spans)


def _total(words: Sequence[Word], hushed: frozenset[int]) -> tuple[Count, tuple[Range, ...]] | None:
    """Read « on est trois », « nous sommes une dizaine », and not « on est 10 à vouloir »."""
    for at in range(len(words) - 2):
        if (words[at].word, words[at + 1].word) not in _SUBJECTS or at in hushed:
            continue
        here = at + 2
        is_rough = words[here].word in ABOUT
        here += is_rough
        amount, after = _amount(words, here)
        if not amount or hushed & {*range(here, after)} or _counts_something_else(words, after):
            continue
        is_rough = is_rough or words[after - 1].word in ROUGH
        after += after < len(words) and words[after].word in COUNTED
        return Count(number=amount, is_approximate=is_rough), ((at, after),)
    return None


def _counts_something_else(words: Sequence[Word], after: int) -> bool:
    if after >= len(words) or words[after].clause != words[after - 1].clause:
        return False
    follower = words[after].word
    if follower != "a":
        return follower in NOT_PEOPLE
    # « 3 à être coincés », « 3 au sol », « 3 à la maison » are people; « 10 à vouloir » an opinion
    is_verb = after + 1 < len(words) and words[after + 1].word.endswith(("er", "ir", "re"))
    return is_verb and words[after + 1].word != "etre"


def _counted(words: Sequence[Word], at: int) -> tuple[int, int, bool] | None:
    """Return the number, the end and whether it is rough: « 2 enfants », « ma mère »."""
    amount, after = _amount(words, at)
    before = words[at - 1].word if at else ""
    if amount and before == "dont":
        return None
    if amount:
        is_rough = before in ABOUT or words[after - 1].word in ROUGH
        here = after + (after < len(words) and words[after].word in {"de", "d", "petits", "jeunes"})
        if here < len(words) and words[here].word in COUNTED and _together(words, after, here):
            return amount, here + 1, is_rough
        return (amount, after, True) if _stands_alone(words, at, after) else None
    if at + 1 >= len(words) or not _together(words, at, at + 1):
        return None
    owner, kin, after = words[at].word, words[at + 1].word, at + 2
    if kin in _COMPOUND and after < len(words) and words[after].word in KIN:
        kin, after = words[after].word, after + 1  # « grand-mère » is two words here
    if owner in _OWN and kin in KIN | {"enfant", "gamin", "gosse", "personne", "homme", "femme"}:
        is_own = owner not in {"un", "une"} or kin in {"enfant", "personne", "homme", "femme"}
        return (1, after, False) if is_own else None
    if owner in {"mes", "ses", "nos"} and kin == "parents":
        return 2, at + 2, False
    if owner in {"mes", "nos", "ses", "les"}:
        amount, after = _amount(words, at + 1)
        if amount and after < len(words) and words[after].word in COUNTED | {"parents"}:
            return amount, after + 1, False
    return None


def _stands_alone(words: Sequence[Word], at: int, after: int) -> bool:
    """« une dizaine » of nothing named is people where it stands at the end of its clause."""
    is_rough = words[after - 1].word in ROUGH and after - at > 1
    return is_rough and (after >= len(words) or words[after].clause != words[at].clause)


def _amount(words: Sequence[Word], at: int) -> tuple[int, int]:
    """Return the number that starts at `at` and where it ends, or 0."""
    if at >= len(words):
        return 0, at
    word = words[at].word
    if word.isdecimal() and len(word) <= len(str(MOST)) and 0 < int(word) <= MOST:
        return int(word), at + 1
    if word in NUMBERS:
        return NUMBERS[word], at + 1
    here = at + 1
    if word in {"une"} and here < len(words) and words[here].word in {"bonne", "petite"}:
        here += 1
    if word == "une" and here < len(words) and words[here].word in ROUGH:
        return ROUGH[words[here].word], here + 1
    return 0, at


def _together(words: Sequence[Word], first: int, last: int) -> bool:
    return words[first].clause == words[last].clause


def _is_uncounted(words: Sequence[Word], at: int) -> bool:
    is_next = at + 1 < len(words) and words[at].word in _PLURAL
    return is_next and words[at + 1].word in UNCOUNTED


def _speaker(
    words: Sequence[Word], hushed: frozenset[int]
) -> tuple[Count, tuple[Range, ...]] | None:
    """« je suis coincé » is one person."""
    for at in range(len(words) - 2):
        is_said = words[at].word in {"je", "j", "chui"} or words[at + 1].word == "suis"
        if is_said and words[at + 1].word == "suis" and words[at + 2].word in _ALONE:
            if at in hushed or at + 2 in hushed:
                continue
            return Count(number=1, is_approximate=False), ((at, at + 3),)
    return None
