"""Social-security numbers, IBANs and number plates in text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from veille.privacy.references import follows_reference

_S = r"[ .\-/_]{0,3}+"
# INSEE, structure of the NIR: sex, year, month (20, 30-42, 50-99 when unknown), department (2A, 2B
# in Corsica), commune, order, key.
_NIR = re.compile(
    rf"(?P<before>(?P<sex>[1-478])(?<!\d\d){_S}\d\d{_S}(?:0[1-9]|1[0-2]|20|3\d|4[0-2]|[5-9]\d)){_S}"
    rf"(?P<dept>0[1-9]|[1-9]\d|2[AB]){_S}(?P<after>(?!000)\d{{3}}{_S}(?!000)\d{{3}})"
    rf"(?:(?P<gap>{_S}|[ ,(]{{0,3}}cl[ée][ :]{{0,3}})(?P<key>\d\d))?(?!\d)",
    re.IGNORECASE,
)
_BARE = 13  # digits in one piece, without their key
_CORSICA = {"2A": "19", "2B": "18"}  # as the key is computed

# SWIFT IBAN registry, BBAN structures (n digits, a letters, c both); from MA on, in use but
# not registered.
_BBAN: dict[str, str] = dict(
    re.findall(
        r"(\w+):(\w+)",
        (
            "AD:8n12c AE:19n AL:8n16c AT:16n AZ:4a20c BA:16n BE:12n BG:4a6n8c BH:4a14c BI:23n BR:23n1a1c "
            "BY:4c4n16c CH:5n12c CR:18n CY:8n16c CZ:20n DE:18n DJ:23n DK:14n DO:4c20n EE:16n EG:25n ES:20n "
            "FI:14n FK:2a12n FO:14n FR:10n11c2n GB:4a14n GE:2a16n GI:4a15c GL:14n GR:7n16c GT:24c HN:4a20n "
            "HR:17n HU:24n IE:4a14n IL:19n IQ:4a15n IS:22n IT:1a10n12c JO:4a4n18c KW:4a22c KZ:3n13c "
            "LB:4n20c LC:4a24c LI:5n12c LT:16n LU:3n13c LV:4a13c LY:21n MC:10n11c2n MD:20c ME:18n "
            "MK:3n10c2n MN:16n MR:23n MT:4a5n18c MU:4a19n3a NI:4a20n NL:4a10n NO:11n OM:3n16c PK:4a16c "
            "PL:24n PS:4a21c PT:21n QA:4a21c RO:4a16c RS:18n RU:14n15c SA:2n18c SC:4a20n3a SD:14n SE:20n "
            "SI:15n SK:20n SM:1a10n12c SO:19n ST:21n SV:4a20n TL:19n TN:20n TR:6n16c UA:6n19c VA:18n "
            "VG:4a16n XK:16n YE:4a4n18c "
            "MA:24n DZ:22n SN:2c22n CI:2c22n ML:2c22n BF:2c22n BJ:2c22n TG:2c22n CM:23n MG:23n CG:23n "
            "GA:23n"
        ),
    )
)
_IBAN_START = re.compile(r"(?P<country>[A-Za-z][A-Za-z])[ ]?\d\d")
_IBAN_DIGITS = str.maketrans(
    {
        **dict.fromkeys(" .-", ""),
        **{letter: str(int(letter, 36)) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    }
)
_CLASSES = {"n": r"\d", "a": "[A-Za-z]", "c": "[A-Za-z0-9]"}

# Registered since 2009: I, O, U and SS are never used; before: department at the end.
_L = "[A-HJ-NP-TV-Z]"
_PLATE = re.compile(  # as the patterns of phones.py: after the first character
    r"[A-Za-z\d](?<![A-Za-z0-9@#_/].)(?:"
    r"(?<=[A-Za-z])(?=[A-Za-z]?[-._ ]{0,3}\d{3})(?:"
    rf"(?<={_L}){_L}(?P<s>[ ]-[ ]|[-._ ]?)(?!000)\d{{3}}(?P=s){_L}{{2}}"
    rf"|(?i:(?<={_L}){_L}(?P<l>[-_])(?!000)\d{{3}}(?P=l){_L}{{2}})"
    rf"|(?i:(?<=W)(?P<w>[ ]-[ ]|[-._])(?!000)\d{{3}}(?P=w){_L}{{2}}))"
    r"|(?<=\d)(?=\d{1,3}[-. ]?[A-Z]{2})"
    rf"(?:\d{{2,3}}(?P<t>[-. ]?)(?P<c>{_L}{{2}})|\d{{1,2}}(?P<u>[-. ]?)(?P<d>{_L}{{3}}))"
    r"(?:(?P=t)|(?P=u))(?:0[1-9]|[1-8]\d|9[0-5]|2[AB]|97[1-6]))(?![A-Za-z0-9])"
)
# IATA codes of companies that fly to France: "le vol AF-123-FR" is a flight, "vol AB-123-CD" a theft.
_AIRLINES = frozenset(
    re.findall(
        r"\w+",
        (
            "AA AC AF AH AI AT AZ BA BF BT CX DL DS EI EK ET EW EY FR IB JU KE KL KM LA LG LH LO LX LY "
            "MH MS NH OA OS OU PC QR RJ RO SK SN SQ SV TB TG TK TN TO TP TU TX UA UU UX VN VS VY XK"
        ),
    )
)
_FLIGHT = re.compile(r"[ ]{1,2}(?:[°ºo]n[ ]?)?s?lov(?!\w)", re.IGNORECASE)  # read backwards
_FLIGHT_LOOKBACK = 10
_YEAR = re.compile(r"(?:19|20)\d\d(?! )")  # 2026-AR-45 is a decision of the council
# Words that stand around numbers in capitals: "PLUS DE 100 EN COLERE", "18 JAN 26".
_WORDS = frozenset(
    re.findall(
        r"\w+",
        (
            "AN AS BP CE CM CP CS CT DE EN ES ET HA HT JE KG KM LA LE MA ME ML MM NE RD RN SA SE TA TE VA "
            "ANS AVR BST CET DEC DES EST FEV GMT JAN JST LES MAR MAX PAR PST SEP TER TTC"
        ),
    )
)


def find_nirs(text: str) -> Iterator[tuple[int, int]]:
    """Yield social-security numbers: 15 digits with a right key, or 13 of the right structure.

    A wrong key that is glued on makes it another number; one that stands apart is left out.
    """
    for found in _NIR.finditer(text):
        if found["key"] and _has_key(found):
            yield found.span()
        elif found["sex"] in "12" and (not found["key"] or found["gap"]):
            start, end = found.start(), found.end("after")
            if not (end - start == _BARE and follows_reference(text, start)):
                yield start, end


def _has_key(found: re.Match[str]) -> bool:
    department = found["dept"].upper()
    digits = "".join(
        (
            *filter(str.isdecimal, found["before"]),
            _CORSICA.get(department, department),
            *filter(str.isdecimal, found["after"]),
        )
    )
    return 97 - int(digits) % 97 == int(found["key"])  # INSEE: complement to 97, modulo 97


def find_ibans(text: str) -> Iterator[tuple[int, int]]:
    """Yield IBANs of the right structure for their country and check digits (ISO 13616)."""
    end = 0
    for found in _IBAN_START.finditer(text):
        country = found["country"].upper()
        if found.start() < end or country not in _BBAN:
            continue
        body = _bban(country).match(text, found.end())
        if body is None:
            continue
        if int((body[0] + found[0]).upper().translate(_IBAN_DIGITS)) % 97 == 1:  # ISO 7064
            end = body.end()
            yield found.start(), end


@cache
def _bban(country: str) -> re.Pattern[str]:
    parts = re.findall(r"(\d+)([nac])", _BBAN[country])
    # written out and possessive: no group to repeat, no way back
    return re.compile("".join(rf"[ .\-]{{0,2}}+{_CLASSES[kind]}" * int(n) for n, kind in parts))


def find_plates(text: str) -> Iterator[tuple[int, int]]:
    """Yield French number plates: new (AA-123-AA), of garages (W-123-AA), old (1234 AB 75)."""
    for found in _PLATE.finditer(text):
        if not _is_prose(found) and not _is_flight(text, found):
            yield found.span()


def _is_prose(found: re.Match[str]) -> bool:
    plate = found[0]
    if plate[0].isdecimal():
        return (found["c"] or found["d"]) in _WORDS or _YEAR.match(plate) is not None
    pair = (plate[:2], plate[-2:])
    return (found["s"] is not None and "SS" in pair) or (
        " " in (found["s"] or "") and _WORDS.issuperset(pair)
    )


def _is_flight(text: str, found: re.Match[str]) -> bool:
    if found[0][:2].upper() not in _AIRLINES:
        return False
    before = text[max(0, found.start() - _FLIGHT_LOOKBACK) : found.start()]
    return _FLIGHT.match(before[::-1]) is not None
