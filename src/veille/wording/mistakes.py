"""What is wrong in a file of settings, as people can mend it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from enum import StrEnum
from typing import Literal, get_args, get_origin

import msgspec

Struct = type[msgspec.Struct]
_OTHER = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<at>.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`(?: - at `\$\.?(?P<at>.*)`)?")


def explain(message: str, root: Struct) -> str:
    """Return what msgspec refused in a table of this type: key, what is known, what was meant."""
    unknown = _UNKNOWN.fullmatch(message)
    if unknown is None:
        other = _OTHER.fullmatch(message)
        at, what = (other["at"] or "", other["what"]) if other else ("", message)
        if at.endswith(".kind"):
            what = _with_known(what, _kinds(at.removesuffix(".kind"), root))
        elif "enum value" in what:
            what = _with_known(what, _choices(at, root))
        elif "field `kind`" in what:
            what = f"{what}; known: {', '.join(_kinds(at, root))}"
        return f"{at}: {what}" if at else what
    at, key = unknown["at"] or "", unknown["key"]
    close = get_close_matches(key, _keys(at, root), n=1)
    remedy = f'; did you mean "{close[0]}"?' if close else ""
    return f"{f'{at}.' if at else ''}{key}: unknown key{remedy}"


def _keys(at: str, root: Struct) -> list[str]:
    """Return the keys that may stand in the table at a path such as `source[1]`."""
    return [name for struct in _structs(at, root) for name in struct.__struct_encode_fields__]


def _with_known(what: str, known: list[str]) -> str:
    """Return the message with what may stand there, and which was probably meant."""
    _, given, *_ = [*what.split("'"), ""]
    close = get_close_matches(given, known, n=1)
    remedy = f'; did you mean "{close[0]}"?' if close else ""
    return f"{what}; known: {', '.join(known)}{remedy}"


def _kinds(at: str, root: Struct) -> list[str]:
    return sorted(str(struct.__struct_config__.tag) for struct in _structs(at, root))


def _choices(at: str, root: Struct) -> list[str]:
    """Return the values the key at a path may have, if they are a closed set."""
    table, _, key = at.rpartition(".")
    fields = [field for struct in _structs(table, root) for field in msgspec.structs.fields(struct)]
    found = [_values(f.type) for f in fields if f.encode_name == key.partition("[")[0]]
    return list(dict.fromkeys(value for values in found for value in values))


def _values(kind: object) -> list[str]:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return [str(value) for value in kind]
    if get_origin(kind) is Literal:
        return [str(value) for value in get_args(kind)]
    return [value for inner in get_args(kind) for value in _values(inner)]


def _structs(at: str, root: Struct) -> list[Struct]:
    """Return the types the table at a path may have: one for each `kind`, say."""
    found = [root]
    for step in filter(None, at.split(".")):
        name = step.partition("[")[0]
        fields = [field for struct in found for field in msgspec.structs.fields(struct)]
        found = [s for field in fields if field.encode_name == name for s in structs_of(field.type)]
    return found


def structs_of(kind: object) -> Iterator[Struct]:
    """Yield the structs a type names: the kinds of `list[SourceSettings]`, say."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for inner in get_args(kind):
        yield from structs_of(inner)
