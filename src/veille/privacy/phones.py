"""Telephone numbers of people in text; short numbers, 08, dates and amounts are left."""

from __future__ import annotations

import re
from collections.abc import Iterator

from veille.privacy.references import follows_reference

_S = r"[ .\-/_]{0,3}+"
_SP = r"[ .\-/_()]{0,3}+"
_REST = rf"{_S}\d" * 8 + r"(?!\d)"  # written out: twice as fast as a repeat of a group
_YEAR, _MONTH = r"(?:19|20)\d\d", r"(?:0?[1-9]|1[0-2])"
# Every pattern down to _DECIMAL comes after its first character: it says by `(?<=…)` which one.
# So _SCAN begins with a set of characters, which `re` looks for many times faster than anything.
_DAY = r"(?:(?<=0)[1-9]|(?<=[12])\d|(?<=3)[01]|(?<=[1-9]))"
_LEAVE = "|".join(
    (
        rf"{_DAY}[ ./-]{_MONTH}[ ./-]{_YEAR}(?!\d)",
        rf"(?:(?<=1)9|(?<=2)0)\d\d[-/.]{_MONTH}[-/.](?:0?[1-9]|[12]\d|3[01])(?!\d)",
        r"(?<=\d)\d\d[ .]\d{3}[ .]\d{3}[ .]\d{5}(?!\d)",  # SIRET, spaced
        r"(?<=\+)[1-9]\d{0,2}(?:[ .]\d{3}){2,4}(?!\d)(?=[ ]?(?:€|[kM]€|(?i:eur)))",
    )
)
# French numbers but 08 (they belong to institutions and companies), then other countries'.
_ABROAD = "32|34|39|41|44|49|351|352|376|377|21[236]|262|508|59[046]|68[179]"
_TRUNK = rf"{_S}(?:\(?0\)?{_S})?"
# Two hex digits and a colon before or behind make it a MAC address, another pair makes it a list.
_PAIRS = (
    r"[1-79](?P<mark>[ ]?[:|*][ ]?)\d\d(?:(?P=mark)\d\d){3}(?!\d|(?P=mark)[\dA-Fa-f]{2})"
    r"|(?<!\d,0)(?<!\d,[ ]0)[67](?P<comma>[ ]?,[ ]?)\d\d(?:(?P=comma)\d\d){3}"
    r"(?!\d|[ ]?(?:,|,?[ ]?(?:et|ou|&))[ ]?\d)"
)
_PHONE = "|".join(
    (
        rf"(?<=0)(?:{_S}[1-79]{_REST}|0{_S}33{_TRUNK}\(?[1-79]\)?{_REST}"
        rf"|0[ ]?(?:{_ABROAD})(?:{_SP}\d){{6,10}}+(?!\d)"
        rf"|[1-79][ ]?\(\d\d\)(?:{_S}\d){{6}}+(?!\d)|(?<![\dA-Fa-f]{{2}}:0){_PAIRS})",
        rf"(?<=\+)(?:{_S}33{_TRUNK}\(?[1-79]\)?{_REST}|(?!{_S}33)(?:{_SP}\d){{9,15}}+(?!\d))",
        rf"(?<=\()(?:(?:\+|00)33\){_TRUNK}[1-79]|0[1-79]\)|0\){_S}[1-79]){_REST}",
        rf"(?<=3)(?<![A-Za-z\d].)3(?:[67]\d{{8}}|[ ][67](?:{_S}\d\d){{4}})(?!\d)",
        rf"(?<=[Oo])(?<![A-Za-z\d].){_S}[67]{_REST}",
    )
)
_UNIT = "un|deux|trois|quatre|cinq|six|sept|huit|neuf"
_WORD = (
    rf"(?:z[ée]ro|{_UNIT}|dix|onze|douze|treize|quatorze|quinze|seize|vingts?|trente|quarante"
    r"|cinquante|soixante|septante|huitante|nonante|et)"
)
_SPELLED = (
    r"(?<=z)(?<!\w.)[ée]ro[ ,-]{1,2}(?:un|deux|trois|quatre|cinq|six|sept|neuf)"
    rf"(?:[ ,-]{{1,2}}{_WORD}(?!\w)){{4,24}}"
)
_DECIMAL = r"(?<=\d)\d{0,2}[.,]0\d{3,}+"
# Only saves time: most numbers begin none of the alternatives.
_GATE = (
    rf"(?<!\d\d)(?:(?<=0)(?={_S}[1-79]|8|0{_S}[2-6]|\d{{0,2}}[.,]0\d{{3}})"
    r"|(?<=[1-9])(?=\d?[ ./-]0[1-9]|\d{0,2}[.,]0\d{3}|\d\d[ .]\d{3}[ .]|3[ ]?[67]|[09]\d\d[-/.])"
    rf"|(?<=\+)(?={_SP}\d{_SP}\d{_SP}\d{_SP}\d{_SP}\d(?:{_SP}\d){{4}})|(?<=\()(?=[0+])"
    rf"|(?<=[Oo])(?={_S}[67])|(?<=[Zz])(?=[EÉeé][Rr]))"
)
_SCAN = re.compile(
    rf"[+(\dOoZz]{_GATE}"
    rf"(?:(?P<left>{_LEAVE})|(?:{_PHONE}|(?i:{_SPELLED}))|(?P<left_too>{_DECIMAL}))"
)
_LEFT = ("left", "left_too")
_IN_URL = r"(?:0033|33|0)[1-79]\d{8}(?!\w)"
_EDGE = r"(?:[/=:]\+?|\+|%2B)"
# A URL up to a number that is a whole part of it (`wa.me/33612345678`, `?tel=0612345678`).
_URL = re.compile(
    r"(?-i:[HhWw])(?:(?<=h)ttps?://|(?<=w)ww\.)"
    rf"(?:[^\s\x00/=:+%]++|(?!{_EDGE}{_IN_URL})[/=:+%])*+(?:{_EDGE}(?P<phone>{_IN_URL}))?",
    re.IGNORECASE,
)
# A prefix of capitals, glued: `CMD-0412345678`.
_PREFIX = re.compile(r"(?<![A-Za-z0-9-])(?!TEL|GSM|PORT|FAX|MOB)[A-Z]{2,8}[-_#]?\Z")
_PREFIX_LOOKBACK = 10
_IN_PAIRS = re.compile(r"0[1-59](?:[ .-]\d\d){4}")
_SUFFIX = re.compile(r"[A-Z]{1,2}(?!\w)")
# Words that make numbers separated by commas a list of these rather than a phone.
_LISTED = re.compile(
    r"(?-i:[DdLlBbTtSsPpAaCcNn])(?:(?<=d)[ée]p(?:artement|t)|(?<=l)(?:igne|oto|ots?\b)|(?<=b)us"
    r"|(?<=t)(?:ram|irage)|(?<=s)alle|(?<=p)age|(?<=a)rticle|(?<=c)hiffre|(?<=n)um[ée]ros)",
    re.IGNORECASE,
)
_LIST_LOOKBACK = 40


def find_urls(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield (start, phone, end) of each URL; it ends with a phone number if `phone` < `end`."""
    for found in _URL.finditer(text):
        start, end = found.span()
        yield start, found.start("phone") if found["phone"] else end, end


def find_phones(text: str) -> Iterator[tuple[int, int]]:
    """Yield [start, end) of the phone numbers of a skeleton, in order."""
    for found in _SCAN.finditer(text):
        kind = found.lastgroup
        if kind in _LEFT or (kind == "comma" and _is_listed(text, found.start())):
            continue
        if not _is_reference(text, found) and not _is_siret(found[0]):
            yield found.span()


def national(number: str) -> str:
    """Return the digits of a number, `+33 (0)6…` and `0033 6…` written as `06…`."""
    digits = "".join(c for c in number.upper().replace("O", "0") if c.isdecimal())
    return re.sub(r"\A(?:00)?330?(?=[1-9]\d{8}\Z)", "0", digits)


def _is_listed(text: str, start: int) -> bool:
    """Whether a word before says that these are numbers of departments, bus lines, pages…"""
    return _LISTED.search(text, max(0, start - _LIST_LOOKBACK), start) is not None


def _is_reference(text: str, found: re.Match[str]) -> bool:
    """Whether these are the digits of a reference: `facture n° 01…`, `CMD-04…`, `dossier 06…X`.

    A mobile number stays a phone, unless a letter or two are glued behind it.
    """
    number, start = found[0], found.start()
    if not number.isdecimal():
        in_pairs = number[1] not in "67" and _IN_PAIRS.fullmatch(number)
        return bool(in_pairs) and follows_reference(text, start, apart=True)
    if number[:2] in {"06", "07"}:
        has_suffix = _SUFFIX.match(text, found.end()) is not None
        return has_suffix and follows_reference(text, start)
    before = text[max(0, start - _PREFIX_LOOKBACK) : start]
    return bool(_PREFIX.search(before)) or follows_reference(text, start)


def _is_siret(number: str) -> bool:
    """Whether this is 14 joined digits with a right Luhn key (INSEE, structure of SIRET)."""
    if len(number) != len("12345678900012") or not number.isdecimal():
        return False
    doubled = (str(int(c) * (1 + i % 2)) for i, c in enumerate(reversed(number)))
    return sum(int(c) for c in "".join(doubled)) % 10 == 0
