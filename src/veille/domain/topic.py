"""What a topic is made of, and how its keywords and texts are read: by the same words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from veille.domain.text import fold, words

OTHER = "other"
"""The topic of what no other one is likely for; it has neither words nor examples."""
LITTLE = frozenset(
    "a au aux d de des du en et l la le les un une s sa ses est sont etait c ce cette ces mon ma "
    "mes notre nos votre vos leur leurs qui que qu y n ne".split()
)
"""Words that say nothing here: « coupure de l'eau » is « coupure d'eau »."""
_ALIKE = frozenset("plus mois bois pris fois bras sous dans sans cris tous".split())
"""Words whose last letter is no plural, and which would meet others without it."""
ID = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
"""How a topic may be called in `topics.yml`, and wherever one is named."""
_SHORT_S, _SHORT_AUX = 3, 5  # letters: « bus » and « taux » are singular, « locaux » is not
_WRITTEN = re.compile(r"[^\W_]+\*?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """A subject of public service: its name for readers, what speaks of it, what sounds like it.

    `words` are words and phrases, a trailing `*` stands for any end; `hints` are those that count
    for less. `over` names the topics that stand back where words of both are read.
    """

    id: str
    name: str
    words: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    over: tuple[str, ...] = ()


def keyword(written: str) -> tuple[str, ...]:
    """Return the words of a keyword as they are looked for; empty when all are little words."""
    found = _WRITTEN.findall(fold(written))
    return tuple(w if w.endswith("*") else _singular(w) for w in found if w not in LITTLE)


def read_words(text: str) -> list[str]:
    """Return the words of a text, folded, in the singular, without `#`, `@` and little words."""
    found = (word.lstrip("#@") for word in words(fold(text)))
    return [_singular(word) for word in found if word not in LITTLE]


def _singular(word: str) -> str:
    """Return the word in the singular, as far as its end tells."""
    if len(word) > _SHORT_AUX and word.endswith("aux") and not word.endswith("eaux"):
        return f"{word[:-2]}l"
    is_plural = len(word) > _SHORT_S and word.endswith(("s", "ux")) and word not in _ALIKE
    return word[:-1] if is_plural else word
