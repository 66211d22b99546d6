"""Words after which digits are a file's, an invoice's or a contract's, and nobody's number."""

from __future__ import annotations

import re

_WORDS = (
    *("facture", "commande", "dossier", "réf", "ref", "référence", "reference", "contrat"),
    *("devis", "ticket", "colis", "suivi", "siret", "siren"),
)
# Reads from the digits backwards: one try, however much text stands before.
_BACKWARDS = re.compile(
    r"(?P<sign>[ :.]{0,2}(?:[°ºo]|or[ée]mu)n)?[ :.#_-]{0,3}"
    rf"(?P<word>{'|'.join(word[::-1] for word in _WORDS)})(?!\w)"
    r"(?P<of>[ ]ed[ ](?:[°ºo]|or[ée]mu)n)?",
    re.IGNORECASE,
)
_LOOKBACK = 40  # the longest of them: "numéro de référence - numéro : "


def follows_reference(text: str, start: int, *, apart: bool = False) -> bool:
    """Whether what stands at start comes right after `facture n°`, `dossier`, `réf. :`…

    `apart`: the digits are in groups, as in a phone number. Then `dossier : 01 23…` is none, since
    a phone may follow a colon, but `n° de dossier : 01 23…` is.
    """
    found = _BACKWARDS.match(text[max(0, start - _LOOKBACK) : start][::-1])
    if found is None:
        return False
    return bool(
        not apart
        or ":" not in found[0]
        or found["sign"]
        or found["of"]
        or found["word"].lower().endswith(("fér", "fer"))
    )
