"""Print how many events a second the watch matcher refuses on one core."""

from __future__ import annotations

import random
import sys
from time import perf_counter

from veille.domain.query import Matcher
from veille.domain.watch import Watch

_SYLLABLES = [
    "ba",
    "che",
    "dou",
    "é",
    "fra",
    "gé",
    "la",
    "mai",
    "no",
    "où",
    "pré",
    "ri",
    "sau",
    "té",
    "voi",
    "à",
    "ç",
]
_QUERIES = (
    '("Saint-Aubin" OR #saintaubin) NOT "Saint-Aubin-des-Bois"',
    '(mairie OR maire OR "conseil municipal") "Saint-Aubin"',
    "@villesaintaubin OR (pont AND inond*)",
    '"Jeanne Martin" OR #jeannemartin',
    "(piscine OR gymnase OR médiathèque) aubinois*",
)


def texts(count: int, *, seed: int = 1) -> list[str]:
    """Return texts of about 140 characters, half of them without any accent."""
    draw = random.Random(seed)
    plain = [s for s in _SYLLABLES if s.isascii()]
    made = []
    for number in range(count):
        syllables = plain if number % 2 else _SYLLABLES
        made.append(
            " ".join("".join(draw.choices(syllables, k=draw.randint(1, 4))) for _ in range(24))[
                :140
            ]
        )
    return made


def main() -> None:
    """Print one line: events a second, and how many of them matched."""
    matcher = Matcher([Watch(id=f"w{i}", query=query) for i, query in enumerate(_QUERIES)])
    events = texts(50_000)
    start = perf_counter()
    matched = sum(bool(matcher.match(text)) for text in events)
    spent_s = perf_counter() - start
    sys.stdout.write(f"{len(events) / spent_s:,.0f} events/s, {matched} of {len(events)} matched\n")


if __name__ == "__main__":
    main()
