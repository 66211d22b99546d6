"""The places that messages name, as people write them: streets before bare names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

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
        named = {fold(text): text for text in _named(mention)}
        for folded, text in named.items():
            if "".join(words(folded)).lstrip("#@") not in skipped:
                counts[folded] += 1
                spelling.setdefault(folded, text)
    ranked = sorted(counts, key=lambda place: (-counts[place], place))
    return tuple(spelling[place] for place in ranked[:limit])


def _named(mention: StoredMention) -> Iterable[str]:
    for entity in mention.analysis.entities if mention.analysis else ():
        if entity.label == "LOC":
            before = mention.text[max(0, entity.start - _LOOK_BACK) : entity.start]
            # folding may change lengths (œ): then the name stands alone
            found = _BEFORE.search(fold(before)) if len(fold(before)) == len(before) else None
            yield (before[found.start() :] if found else "") + entity.text
