"""The places that messages name, as people write them: streets before bare names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from veille.domain.analysis import Analysis
from veille.domain.record import StoredMention
from veille.domain.text import fold, words

_WAYS = (
    "rue", "quai", "place", "avenue", "boulevard", "impasse", "allee", "chemin", "route", "pont",
    "cours", "square", "quartier", "residence", "camping", "ecole", "college", "lycee", "parking",
    "passage", "zone artisanale", "ehpad", "gare", "stade", "salle",
)  # fmt: skip
"""What may stand before a name and belongs to it: « rue du Lavoir », not « Lavoir »."""
_BEFORE = re.compile(
    rf"\b(?:{'|'.join(_WAYS)})\s+(?:municipale?\s+)?(?:d(?:e|u|es)\s+(?:la\s+|l')?|d'|l[ae]s?\s+|l')?$"
)
_LOOK_BACK = 40
_SHORTEST = 3
"""Letters of a name that stands alone: « RT », « MP »; a shorter commune is known as one."""
_ENDS, _QUOTES = ".!?…\n\r[(", ' \t\u00a0\u202f«"“'
_WORD = re.compile(r"[^\W\d_]{2,}")
_ADDRESS = re.compile(r"[@/]|^[\W\d]+$")


def places(
    mentions: Iterable[StoredMention], *, limit: int, known: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return up to `limit` places, those that most messages name first, as first written.

    `known` is what everybody knows already: the institution's own name.
    """
    skipped = {"".join(words(fold(name))) for name in known}
    counts: Counter[str] = Counter()
    spelling: dict[str, str] = {}
    for mention in mentions:
        found = {fold(text): text for text in named(mention.text, mention.analysis)}
        for folded, text in found.items():
            if "".join(words(folded)).lstrip("#@") not in skipped:
                counts[folded] += 1
                spelling.setdefault(folded, text)
    ranked = sorted(counts, key=lambda place: (-counts[place], place))
    return tuple(spelling[place] for place in ranked[:limit])


def communes(mentions: Iterable[StoredMention], *, limit: int) -> tuple[str, ...]:
    """Return up to `limit` communes whose INSEE code is settled, those most messages name first."""
    found = (
        {place.insee: place.name for place in mention.analysis.places if place.insee}
        for mention in mentions
        if mention.analysis is not None
    )
    names: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for one in found:
        counts.update(one.keys())
        names |= one
    ranked = sorted(counts, key=lambda insee: (-counts[insee], insee))
    return tuple(names[insee] for insee in ranked[:limit])


def named(text: str, analysis: Analysis | None) -> Iterable[str]:
    """Return the places one text names, in its order, as written there.

    What a reader of names takes for a place by its capital alone is left out: the first word of a
    sentence (« Appelez »), a word among others in capitals (« ILS NOUS LAISSENT »).
    """
    if analysis is None:
        return
    communes = {fold(place.name) for place in analysis.places}
    for entity in analysis.entities:
        if entity.label != "LOC":
            continue
        before = text[max(0, entity.start - _LOOK_BACK) : entity.start]
        # folding may change lengths (œ): then the name stands alone
        found = _BEFORE.search(fold(before)) if len(fold(before)) == len(before) else None
        if found or fold(entity.text) in communes or _is_name(text, entity.start, entity.end):
            yield (before[found.start() :] if found else "") + entity.text


def _is_name(text: str, start: int, end: int) -> bool:
    """Whether something tells a name from a word: several words, a figure, a capital of its own."""
    name = text[start:end]
    is_one_word = all(char.isalnum() for char in name)
    if not is_one_word or (name[0].isalpha() and not name.isalpha()):
        return not _ADDRESS.search(name)  # « Prés-Bas », « D17 », « barrage de la Roche »
    if len(name) < _SHORTEST or not name[0].isupper() or text[end : end + 1] == "-":
        return False
    before, after = text[:start].rstrip(_QUOTES), text[end:]
    if not before or before[-1] in _ENDS:
        return False
    near = (_WORD.search(before[::-1]), _WORD.search(after))
    return not (name.isupper() and any(word and word[0].isupper() for word in near))
