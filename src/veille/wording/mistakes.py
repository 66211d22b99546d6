"""What is wrong in a file of settings, as people can mend it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from enum import StrEnum
from typing import Literal, get_args, get_origin

import msgspec

Struct = type[msgspec.Struct]
_OTHER = re.compile(r"(?P<what>.*?)(?: - at (?:`key` in )?`\$\.?(?P<at>.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`(?: - at `\$\.?(?P<at>.*)`)?")
_MISSING = re.compile(r"Object missing required field `(?P<key>[^`]*)`")
_BOUND = re.compile(r"Expected `(?P<kind>\w+)`(?P<of> of length)? (?P<sign>[<>]=) (?P<bound>\d+)")
_TYPE = re.compile(r"Expected `(?P<kind>str|int|bool|array|object)[^`]*`, got `\w+`")
_WRITTEN = {
    "str": 'a text in quotes: "…"',
    "int": "a whole number, without quotes",
    "bool": "true or false, without quotes",
    "array": 'a list: ["…", "…"]',
    "object": "a table",
}
_COUNTED = {"str": "characters", "array": "values"}


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
            what = f'{what}: write kind = "…"; known: {", ".join(_kinds(at, root))}'
        else:
            what = _mended(what, at, root)
        inner = re.match(r"(\w+)(\[\d+\])?: ", what)  # a check of the table names its key itself
        if at and inner and inner[1] in _keys(at, root):
            return f"{at}.{what}"
        return f"{at}: {what}" if at else what
    at, key = unknown["at"] or "", unknown["key"]
    close = get_close_matches(key, _keys(at, root), n=1)
    remedy = f'; did you mean "{close[0]}"?' if close else ""
    return f"{f'{at}.' if at else ''}{key}: unknown key{remedy}"


def _mended(what: str, at: str, root: Struct) -> str:
    """Return the message with what to write instead, unless it says so itself."""
    if missing := _MISSING.fullmatch(what):
        key = missing["key"]
        return f"{what}: write {_line(key, _types(f'{at}.{key}', root))}"
    if "matching regex" in what:
        told = [text for kind in _types(at, root) for text in _descriptions(kind)]
        return f"does not fit: write {told[0]}" if told else what  # a pattern is no remedy
    if bound := _BOUND.fullmatch(what):
        counted = f" {_COUNTED.get(bound['kind'], '')}" if bound["of"] else ""
        more = "more" if ">" in bound["sign"] else "less"
        return f"{what}: write {bound['bound']} or {more}{counted}"
    if wrong := _TYPE.fullmatch(what):
        is_tables = wrong["kind"] == "array" and any(map(_has_struct, _types(at, root)))
        return f"{what}: write {f'[[{at}]]' if is_tables else _WRITTEN[wrong['kind']]}"
    return what


def _line(key: str, kinds: list[object]) -> str:
    is_list = any({list, tuple} & set(_origins(kind)) for kind in kinds)
    if any(map(_has_struct, kinds)):
        return f"[[{key}]]" if is_list else f"[{key}]"
    return f"{key} = " + ('["…"]' if is_list else '"…"')


def _types(at: str, root: Struct) -> list[object]:
    """Return the types the key at a path may have."""
    table, _, key = at.rpartition(".")
    name = key.partition("[")[0]
    fields = [field for struct in _structs(table, root) for field in msgspec.structs.fields(struct)]
    return [field.type for field in fields if field.encode_name == name]


def _has_struct(kind: object) -> bool:
    return any(structs_of(kind))


def _origins(kind: object) -> Iterator[object]:
    yield get_origin(kind)
    for inner in get_args(kind):
        yield from _origins(inner)


def _descriptions(kind: object) -> Iterator[str]:
    if isinstance(kind, msgspec.Meta) and kind.description:
        yield kind.description
    for inner in get_args(kind):
        yield from _descriptions(inner)


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
    found = [_values(kind) for kind in _types(at, root)]
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


def unknown_name(where: str, name: str, known: Collection[str]) -> str:
    """Return what is wrong with a name that does not exist, with the nearest one that does."""
    close = get_close_matches(name, known, n=1)
    remedy = f'did you mean "{close[0]}"?' if close else f"known: {', '.join(sorted(known)) or '-'}"
    return f'{where}: "{name}" does not exist; {remedy}'
