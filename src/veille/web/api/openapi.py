"""The OpenAPI 3.1 document, made of the table of operations and of the structs they name."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any, get_origin

import msgspec

from veille.domain.access import Access
from veille.web.api.links import links
from veille.web.api.operation import IF_MATCH, PARTS, PREFIX, Body, Operation, Page
from veille.web.api.problems import STATUSES, TYPES, Kind, Problem
from veille.web.api.repeats import HEADER, LONGEST, REPLAYED
from veille.web.api.texts import END
from veille.wording.catalogue import catalogue

Json = dict[str, Any]  # a JSON document has no narrower type
_TEMPLATE = "#/components/schemas/{name}"
_NO_NUL = "^[^\\u0000]*$"
_DURATION = r"^P([0-9]+D)?(T[0-9]+(\.[0-9]+)?S)?$"
"""What msgspec writes; the format `duration` has no parts of a second (RFC 3339, appendix A)."""
_ALWAYS = (400, 401, 403, 406, 414, 429, 500, 503)
_ACTS = (409,)
_BY_QUERY = {"after": 404, "q": 404, "since": 404}
"""What a parameter may lead to: a cursor of another list, no search, a day that no clock has."""
_ABOUT = (
    "Everything the screens of veille do. Errors are RFC 9457 problems, explained at "
    f"`{TYPES}`; docs/api.md shows it with curl."
)


def document(operations: Iterable[Operation]) -> Json:
    """Return the document: each operation with every status it may answer."""
    rows = list(operations)
    kinds = [kind for row in rows for kind in row.shapes[1:] if kind is not None]
    queries = {row.name: row.shapes[0] for row in rows}
    wanted = list(dict.fromkeys([*kinds, *queries.values(), Problem]))
    found, components = msgspec.json.schema_components(wanted, ref_template=_TEMPLATE)
    refs = dict(zip(wanted, found, strict=True))
    parameters = {kind: components.pop(_name(refs[kind])) for kind in set(queries.values())}
    for kind in set(kinds):
        components[_name(refs[kind])] |= _beside(get_origin(kind) or kind)
    paths: dict[str, Json] = {}
    for row in rows:
        said = _operation(row, refs, parameters[row.shapes[0]])
        if led := links(row, rows):
            said["responses"][str(row.status)]["links"] = led
        paths.setdefault(PREFIX + row.path, {})[row.method.lower()] = said
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "veille",
            "version": metadata.version("veille"),
            "description": _ABOUT,
            "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "tags": [{"name": tag, "description": _family(rows, tag)} for tag in _tags(rows)],
        "paths": paths,
        "components": {
            "schemas": {name: _tidy(schema) for name, schema in components.items()},
            "securitySchemes": _SCHEMES,
        },
    }


def _beside(kind: type) -> Json:
    """Return what a body says of itself that its fields do not."""
    if not issubclass(kind, Body):
        return {}
    return {**kind.also, **({"examples": list(kind.examples)} if kind.examples else {})}


_SCHEMES: Json = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of one's own, made at /account/tokens, with some of its scopes: "
        + ", ".join(a.value for a in Access if a is not Access.PUBLIC),
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "veille",
        "description": "A browser that is logged in; to write it sends X-CSRF-Token. "
        "With https the cookie is `__Host-veille`.",
    },
}  # fmt: skip


def _operation(row: Operation, refs: Mapping[type, Json], query: Json) -> Json:
    _, body, _ = row.shapes
    said: Json = {
        "operationId": row.name,
        "summary": row.summary,
        "tags": [row.tag],
        "parameters": [*_parts(row), *_query(query), *_headers(row)],
        "responses": _responses(row, refs),
        "x-access": row.access.value,
    }
    said["description"] = f"{row.description}\n\nScope: `{row.access.value}`.".strip()
    if row.access is Access.PUBLIC:
        said |= {"security": [], "description": "For anybody."}
    if body is not None:
        schema = refs[body]
        said["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return said


def _parts(row: Operation) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PARTS[name].meaning,
            "schema": {"type": "string", "pattern": f"^{PARTS[name].pattern}$"},
        }
        for name in row.parts
    ]


def _query(schema: Json) -> list[Json]:
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": _patterned(_nonnull(shape)),
        }
        for name, shape in schema["properties"].items()
    ]


def _nonnull(schema: Json) -> Json:
    """An address cannot say null: what may be left out is left out."""
    choices = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if not choices:
        return schema
    rest = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    return {**rest, **choices[0]}


def _headers(row: Operation) -> list[Json]:
    found: list[Json] = []
    if row.checks:
        what = "The ETag of what is changed; `*` for whatever it is now."
        shape = {"type": "string", "pattern": IF_MATCH, "examples": ["*"]}
        found.append(_header("If-Match", what, shape))
    if row.method == "GET" and not row.media:
        found.append(_header("If-None-Match", "An ETag one has: 304.", {"type": "string"}))
    if row.has_key:
        what = "The same key with the same request is answered again, for 24 hours, and done once."
        shape = {"type": "string", "pattern": f"^[!-~]{{1,{LONGEST}}}$"}
        found.append(_header(HEADER, what, shape))
    return found


def _header(name: str, what: str, schema: Json) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": name == "If-Match",
        "description": what,
        "schema": schema,
    }


def _responses(row: Operation, refs: Mapping[type, Json]) -> Json:
    found: Json = {str(row.status): _success(row, refs)}
    if row.method == "GET" and not row.media:
        found["304"] = {"description": "Not modified."}
    for status in sorted(_statuses(row)):
        found[str(status)] = _refusal(status)
    return found


def _statuses(row: Operation) -> set[int]:
    found = set(_ALWAYS) | ({404} if row.parts else set())
    asked = {field.name for field in msgspec.structs.fields(row.shapes[0])}
    found |= {status for name, status in _BY_QUERY.items() if name in asked}
    if row.access is Access.PUBLIC:
        found -= {401, 403, 429}
    if row.media:
        found.discard(406)
    if row.method != "GET":
        found |= {408, 413, *_ACTS}
        found |= {415} if row.shapes[1] is not None else set()
    if row.checks:
        found |= {412, 428}
    return found


def _success(row: Operation, refs: Mapping[type, Json]) -> Json:
    if row.media:
        text = {"schema": {"type": "string"}}
        return {"description": row.summary, "content": {kind: text for kind in row.media}}
    kind = row.shapes[2]
    if kind is None:
        return {"description": row.summary}
    said: Json = {
        "description": row.summary,
        "content": {"application/json": {"schema": refs[kind]}},
        "headers": _said_headers(row, kind),
    }
    return said


def _said_headers(row: Operation, kind: type) -> Json:
    text = {"schema": {"type": "string"}}
    found: Json = {}
    if row.method == "GET":
        found["ETag"] = {"description": "Of a page of a list it is weak.", **text}
    if getattr(kind, "__origin__", kind) is Page:
        found["Link"] = {"description": 'The page after this one, rel="next".', **text}
    if row.has_key:
        found[REPLAYED] = {"description": "true: the answer to the first request.", **text}
    return found


def _refusal(status: int) -> Json:
    say = catalogue("en")
    kinds = [kind for kind in Kind if STATUSES[kind] == status]
    return {
        "description": " ".join(say(f"api.problem.{kind}.title") + "." for kind in kinds),
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }


def _tags(rows: Iterable[Operation]) -> list[str]:
    return list(dict.fromkeys(row.tag for row in rows))


def _family(rows: Iterable[Operation], tag: str) -> str:
    module = next(inspect.getmodule(row.run) for row in rows if row.tag == tag)
    return (inspect.getdoc(module) or "").partition("\n")[0]


def _name(ref: Json) -> str:
    return str(ref["$ref"]).rpartition("/")[2]


def _tidy(schema: Json) -> Json:
    """Return the schema with its docstring as written, and saying what its texts are like."""
    said: Json = _patterned(schema)
    if "description" in said:
        return {**said, "description": inspect.cleandoc(said["description"])}
    return said


def _patterned(schema: Any) -> Any:  # any part of a schema
    if isinstance(schema, list):
        return [_patterned(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    said = {name: _patterned(value) for name, value in schema.items()}
    if str(said.get("pattern", "")).endswith(END):
        return {**said, "pattern": said["pattern"].removesuffix(END) + "$"}
    if said.get("format") == "duration":
        return {**{k: v for k, v in said.items() if k != "format"}, "pattern": _DURATION}
    is_free = said.get("type") == "string" and not said.keys() & {"pattern", "format", "enum"}
    return {**said, "pattern": _NO_NUL} if is_free else said
