"""From bytes and addresses to structs: strict, bounded, and saying what is wrong where."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar, get_args, get_origin

import msgspec
from aiohttp import web

from veille.domain.errors import IntakeRefused
from veille.web import body
from veille.web.api.problems import Kind, Refused

T = TypeVar("T")
LARGEST = 2**20
"""Bytes of a body: five hundred items to act on, or the longest draft, are far below."""
PATIENCE_S = 10.0
_JSON = "application/json"
# msgspec's words to a key of the catalogue, the value behind it
_WORDS = (
    (re.compile(r"Object missing required field `([^`]+)`"), "missing"),
    (re.compile(r"Object contains unknown field `([^`]+)`"), "unknown"),
    (re.compile(r"Expected `(?:array|object|str)` of length <= (\d+)"), "long"),
    (re.compile(r"Expected `(?:array|object|str)` of length >= (\d+)"), "short"),
    (re.compile(r"Expected `(?:int|float)` (.+)"), "range"),
    (re.compile(r"Expected `([^`]+)`, got"), "type"),
    (re.compile(r"Invalid enum value"), "choice"),
    (re.compile(r"matching regex"), "pattern"),
    (re.compile(r"timezone|RFC3339"), "moment"),
    (re.compile(r"out of range"), "range"),
)
_KEEP_VALUE = frozenset({"missing", "unknown", "long", "short", "type"})
_PLACE = re.compile(r" - at `\$(.*)`$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


async def read(request: web.Request, kind: type[T]) -> tuple[T, bytes]:
    """Return the body as a struct, and its bytes; Refused for what is no such thing."""
    if request.content_type != _JSON or (request.charset or "utf-8").lower() != "utf-8":
        raise Refused(Kind.MEDIA_TYPE)
    raw = await taken(request)
    said = _parsed(raw)
    try:
        return msgspec.convert(said, kind, strict=True), raw
    except msgspec.ValidationError as error:
        _refuse(error, "")


async def taken(request: web.Request) -> bytes:
    """Return the body's bytes; Refused when they are too many, too slow or badly packed."""
    try:
        return await body.raw(request, most=LARGEST, within_s=PATIENCE_S)
    except IntakeRefused as error:
        kinds = {413: Kind.TOO_LARGE, 408: Kind.SLOW}
        raise Refused(kinds.get(error.status, Kind.UNREADABLE)) from error


def query(request: web.Request, kind: type[T]) -> T:
    """Return the parameters of the address as a struct; one may be repeated where it is a list."""
    given: dict[str, Any] = {}
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}  # type: ignore[arg-type]  # always a struct
    for name in request.query:
        values = request.query.getall(name)
        wanted = fields.get(name)
        if not _is_text(name):  # not said again: a problem holds no NUL
            raise Refused(Kind.INVALID, fields={"/query": "control"})
        if wanted is None:
            raise Refused(Kind.INVALID, fields={f"/query/{_pointer(name)}": ("unknown", name)})
        if any(not _is_text(value) for value in values):
            raise Refused(Kind.INVALID, fields={f"/query/{name}": "control"})
        kinds = _kinds(wanted.type)
        if list in kinds:
            given[name] = values
        elif len(values) > 1:
            raise Refused(Kind.INVALID, fields={f"/query/{name}": "twice"})
        else:
            given[name] = _scalar(values[0], kinds)
    try:
        return msgspec.convert(given, kind, strict=True)
    except msgspec.ValidationError as error:
        _refuse(error, "/query")


def _parsed(raw: bytes) -> object:
    """Return the JSON, refusing what a parser may read as something else.

    No key twice, no NUL, no half character; 3.0 is the integer 3, as JSON Schema has it.
    """
    try:
        said = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_int=_number,
            parse_float=_decimal,
        )
    except RecursionError as error:
        raise Refused(Kind.UNREADABLE, fields={"": "deep"}) from error
    except ValueError as error:
        key = str(error) if str(error) in {"twice", "constant", "huge"} else "json"
        raise Refused(Kind.UNREADABLE, fields={"": key}) from error
    _texts(said)
    return said


_INT_DIGITS = 40
_EXACT = 2**53
_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)


def _texts(value: object) -> None:
    """Look at every text, names too."""
    waiting: list[object] = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str) and not _is_text(each):
            raise Refused(Kind.UNREADABLE, fields={"": "control"})
        if isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("twice")
    return found


def _no_constant(name: str) -> NoReturn:
    del name
    raise ValueError("constant")


def _number(digits: str) -> int:
    if len(digits) > _INT_DIGITS:
        raise ValueError("huge")
    return int(digits)


def _decimal(digits: str) -> float | int:
    found = float(digits)
    if not math.isfinite(found):
        raise ValueError("huge")
    return int(found) if found.is_integer() and abs(found) <= _EXACT else found


def _is_text(text: str) -> bool:
    """Whether it has neither NUL nor half a character: what no column and no page can hold."""
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _kinds(kind: object) -> set[object]:
    """Return what a field may hold, unions and annotations taken apart; `list` for any list."""
    origin = get_origin(kind)
    if origin in (list, tuple, frozenset):
        return {list}
    inner = get_args(kind)
    return {each for arg in inner for each in _kinds(arg)} if inner else {kind}


def _scalar(text: str, kinds: set[object]) -> object:
    if int in kinds and _INT.fullmatch(text):
        return int(text)
    if bool in kinds and text in {"true", "false"}:
        return text == "true"
    return text


def _refuse(error: msgspec.ValidationError, under: str) -> NoReturn:
    message = str(error)
    place = _PLACE.search(message)
    pointer = under + (_steps(place[1]) if place else "")
    for pattern, key in _WORDS:
        if found := pattern.search(message):
            value = found[1] if key in _KEEP_VALUE else ""
            if key in {"missing", "unknown"}:
                pointer = f"{pointer}/{_pointer(value)}"
            raise Refused(Kind.INVALID, fields={pointer: (key, value)}) from error
    raise Refused(Kind.INVALID, fields={pointer: "other"}) from error


def _steps(path: str) -> str:
    found: Sequence[tuple[str, str]] = _STEP.findall(path)
    return "".join(f"/{_pointer(name or index)}" for name, index in found)


def _pointer(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")  # RFC 6901, 3
