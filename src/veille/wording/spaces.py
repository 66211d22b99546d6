"""French no-break spaces: catalogues are typed with plain ones, people read the right ones."""

from __future__ import annotations

import re

HARD, THIN = "\u00a0", "\u202f"
_UNITS = "h|min|s|j|px|pixels?|octets?|Mio|secondes?|minutes?|heures?|jours?|caractères?|points?"
_NOUNS = "messages|mentions|textes|personnes|auteurs|comptes|sources|règles|alertes|incidents|fois"
# Lexique des règles typographiques en usage à l'Imprimerie nationale (2002), « Ponctuation » and
# « Nombres ». Only spaces that stand there change: none is put into 14:05, an address or `-filtre:`
_RULES = (
    (re.compile(r"(?<=«)[ \u00a0]|[ \u00a0](?=»)"), HARD),
    (re.compile(r"[ \u00a0](?=[;!?](?![=\w]))(?<!«.)"), THIN),
    (re.compile(r"[ \u00a0](?=:(?!\S))"), HARD),
    (re.compile(r"(?<=\d)[ ](?=\d{3}(?!\d))"), THIN),
    (re.compile(r"(?<=[\d}])[ ](?=%)"), THIN),
    (re.compile(rf"(?<=[\d}}])[ ](?=(?:{_UNITS}|{_NOUNS})(?![\w'’-]))"), HARD),
    (re.compile(r"(?<=\{count\})[ ](?=[\w«])|(?<=\{count\}\})[ ](?=\w)"), HARD),
    (re.compile(r"(?<=\{shown\})[ ](?=\w)"), HARD),
    (re.compile(r"(?<=n°)[ ]"), HARD),
)


def no_breaks(sentence: str) -> str:
    """Return a French sentence of a catalogue as it is printed; twice is the same as once.

    No line begins with « ; » or « » », and no number stands at the end of one without its unit.
    What fills the `{names}` comes later, and stays as it is.
    """
    for places, space in _RULES:
        sentence = places.sub(space, sentence)
    return sentence
