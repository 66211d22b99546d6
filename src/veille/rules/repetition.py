"""Patterns that repeat a repetition, such as `(a+)+`: found by one pass over what is written."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
    (?P<literal>\\Q.*?(?:\\E|\Z) | \\[pP]\{[^}]*\} | \\x\{[^}]*\} | \\.
        | \[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\])
    | (?P<flags>\(\?[a-zA-Z-]*\))
    | (?P<opens>\((?:\?(?:P?<\w+>|[a-zA-Z-]*:))?)
    | (?P<closes>\))
    | (?P<repeats>[*+]|\{\d*,\})
    | (?P<bounded>\?|\{\d+(?:,\d+)?\})
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def repeats_a_repetition(written: str) -> bool:
    r"""Whether a part without upper bound stands inside another one: `(a+)+`, `(?:\d+,)*`.

    google-re2 searches such a pattern in linear time as well. It is refused all the same: most say
    nothing that one repetition does not, a copy of it hangs the engine of another tool, and nobody
    who reads the rule can tell how the text is split. `(?:\d+,){1,20}` is none.
    """
    holds = [False]  # per open group: whether something in it repeats without bound
    last = False  # the same of the part before this place
    for token in _TOKEN.finditer(written):
        match token.lastgroup:
            case "opens":
                holds.append(False)
                last = False
            case "closes":
                last = holds.pop() if len(holds) > 1 else False
                holds[-1] |= last
            case "repeats":
                if last:
                    return True
                holds[-1] = True
            case "bounded":
                pass
            case _:
                last = False
    return False
