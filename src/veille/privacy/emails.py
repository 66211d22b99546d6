"""E-mail addresses in text, plain or spelled out (`jean (at) ville point fr`)."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LABEL = r"[\w-]++"
_WORDY_DOT = r"(?:[ ]?[(\[{<][ ]?(?:\.|dot|point)[ ]?[)\]}>][ ]?|[ ](?:dot|point)[ ])"
_TLD = r"[^\W\d_]{2,}+"
_DOMAIN = rf"(?:{_LABEL}(?:\.|{_WORDY_DOT}))+{_TLD}"
_PROVIDER = (
    r"(?=[gowhyflsip])"
    r"(?:gmail|orange|wanadoo|hotmail|outlook|yahoo|free|laposte|sfr|icloud|protonmail|proton)"
)
# Ends that are no French words ("de", "la", "me", "se" are), for signs that are words themselves.
_COMMON = (
    r"(?:com|net|org|info|eu|fr|be|ch|lu|mc|ca|io|uk|re|gp|mq|gf|yt|pm|wf|nc|pf|bzh|corsica)(?!\w)"
)
_MAILBOX = rf"{_PROVIDER}\.{_COMMON}"
# The pattern starts at the at-sign, never at the local part: one pass, whatever the text. It
# starts with a set of characters, which `re` looks for many times faster than anything.
_AT = re.compile(
    r"(?-i:[@(\[{<aAàÀ_-])(?:"
    rf"(?<=@)(?:(?=[ ]?{_LABEL}[. (\[{{<])[ ]?(?:{_DOMAIN}"
    rf"|(?:{_LABEL}[ ]{{1,2}}\.[ ]?){{1,4}}{_COMMON}|{_PROVIDER}\.[ ]{_COMMON})|{_PROVIDER})"
    rf"|(?<=[(\[{{<])(?=[ ]?[a@à])[ ]?(?:(?:at|arr?obase?|@)[ ]?[)\]}}>][ ]{{0,2}}{_DOMAIN}"
    rf"|[aà][ ]?[)\]}}>][ ]{{0,2}}(?:{_LABEL}(?:\.|{_WORDY_DOT})){{1,6}}{_COMMON})"
    rf"|(?<=[ ]a)(?:rr?obase?[ ]{{1,2}}{_DOMAIN}"
    rf"|(?P<at>t)[ ](?:{_LABEL}\.){{0,6}}{_LABEL}(?:{_WORDY_DOT}{_LABEL}){{0,4}}"
    rf"{_WORDY_DOT}{_COMMON}"
    rf"|(?P<dotted>t)[ ](?:{_LABEL}\.){{1,6}}{_COMMON})"
    rf"|(?<=[ ]à)(?P<to>[ ]){_MAILBOX}"
    rf"|(?<=\w[-_])(?P<glued>at[-_]){_MAILBOX})",
    re.IGNORECASE,
)
_LOCAL = r"[\w.+'!#$%*^{|}~-]+"
_REVERSED = re.compile(rf'{_LOCAL}|"[^"@\[\]\n]{{1,64}}"')
_REVERSED_WORDY = re.compile(  # point, dot, tiret, underscore: read from the at-sign backwards
    rf"[ ]{{0,2}}{_LOCAL}(?:(?:[ ](?:tniop|tod|terit|erocsrednu)[ ]"
    rf"|[ ]?[)\]}}>][ ]?(?:tniop|tod)[ ]?[(\[{{<][ ]?){_LOCAL}){{0,6}}",
    re.IGNORECASE,
)
_HANDLE = re.compile(r"(?!\w*\d{8})\w+")  # a name full of digits is a phone number in disguise
_NAMELIKE = re.compile(r"[\d._]")  # "jean.petit at …", "petit42 à …"; "allons à …" has none
_NO_NAMES = frozenset("est es suis sont was is are be look meet live stay arrive rdv".split())
_NOT_FIRST = "'.-*`!"  # quotes, bullets and emphasis around an address


def find_emails(text: str) -> Iterator[tuple[int, int]]:
    """Yield [start, end) of the addresses of a skeleton, in order.

    `@name@server` (a Mastodon handle) and `@name.example` (a Bluesky handle) are no addresses.
    """
    end = 0
    for found in _AT.finditer(text):
        before, end = text[end : found.start()][::-1], found.start() + 1
        sign = found.lastgroup  # of those that are words; None for @ and the like
        is_plain = sign == "glued" or (text[end - 1] == "@" and text[end] != " ")
        local = (_REVERSED if is_plain else _REVERSED_WORDY).match(before)
        if local is None:
            continue
        blanks = len(local[0]) - len(local[0].lstrip(" "))
        start = found.start() - local.end()
        name = text[start : found.start() - blanks].lstrip(_NOT_FIRST)
        start = found.start() - blanks - len(name)
        is_handle = text[start - 1 : start] == "@" and _HANDLE.fullmatch(name)
        if name and not is_handle and (sign is None or _is_plausible(name, sign)):
            end = found.end()
            yield start, end


def _is_plausible(name: str, sign: str) -> bool:
    """Whether name may stand before an at-sign that is a word, as in `on est at home point fr`."""
    if not name[-1].isalnum():
        return False
    if sign == "at":
        return len(name) > 1 and name.lower() not in _NO_NAMES
    # of its last word, which alone is left to judge once a phone before it is masked
    last = name.rpartition(" ")[2].lstrip(_NOT_FIRST)
    return last[0].isalpha() and (" " in name or _NAMELIKE.search(last) is not None)
