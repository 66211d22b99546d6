"""Prints how long masking takes on 100 kB of ordinary and of hostile text.

Usage: python benchmarks/masking.py [--size N]    N is in code points, 100,000 by default
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from veille.domain.clock import monotonic_s
from veille.privacy.mask import mask

SHAPES = {
    "prose": "Le portail de la mairie ne répond plus depuis hier soir, c'est l'état civil. ",
    "prose with identifiers": "Appelez le 06 12 34 56 78 ou jean.petit@exemple.fr, AA-123-AB. ",
    "zeros": "0",
    "digits apart": "1 ",
    "zero-one apart": "0 1 ",
    "pairs": "06 ",
    "almost phones": "06 12 34 56 7 ",
    "too long phones": "06123456789 ",
    "phones": "0612345678 ",
    "plus 33": "+33",
    "plus": "+1",
    "a@": "a@",
    "at with brackets": "aa(at)",
    "at with domain": "a(at)b point ",
    "arobase": "a arobase ",
    "nested dots": "a@a.a.a.a.a.a.a.a.",
    "dots": ".",
    "handles": " @a.fr",
    "words before an at-sign": "a point ",
    "AA-": "AA-",
    "AA-12": "AA-12",
    "almost plates": "1234 AB ",
    "almost NIR": "1 85 05 78 006 08 ",
    "wrong IBAN": "FR76 3000 6000 0112 3456 7890 180 ",
    "IBAN starts": "MT84 ",
    "references": "dossier 01 45 67 89 12 ",
    "lists": "06, 12, 34, 56, 78 ",
    "times": "06:12:34:",
    "at without dots": "a at b point ",
    "words for signs": "a.b à gmail.com ",
    "URLs": "http://a/0612345678",
    "one URL": "=0",
    "spelled": "zéro six ",
    "zero-width": "0\u200b6\u200b",
    "wide digits": "０６ ",
    "spaces": " ",
    "brackets": "([{<",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line a shape: milliseconds, the best of three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000)
    size: int = parser.parse_args(arguments).size
    for name, unit in SHAPES.items():
        text = hostile(unit, size)
        sys.stdout.write(f"{1000 * best_s(text):8.1f} ms  {name}\n")
    return 0


def hostile(unit: str, size: int) -> str:
    """Return unit repeated to size code points."""
    return (unit * (size // len(unit) + 1))[:size]


def best_s(text: str) -> float:
    """Return the seconds of the fastest of three maskings."""
    times = []
    for _ in range(3):
        start = monotonic_s()
        mask(text)
        times.append(monotonic_s() - start)
    return min(times)


if __name__ == "__main__":
    sys.exit(main())
