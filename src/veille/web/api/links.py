"""What an answer leads to: the links of the document, made of the table of operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from veille.web.api.operation import Operation

Json = dict[str, Any]  # a JSON document has no narrower type
_MADE: Mapping[str, tuple[str, str]] = {
    "/queue": ("/queue/{item}", "item"),
    "/queue/{item}/drafts": ("/drafts/{draft}", "draft"),
    "/incidents/{incident}/split": ("/incidents/{incident}", "incident"),
    "/silences": ("/silences/{silence}", "id"),
    "/templates": ("/templates/{template}", "name"),
    "/views": ("/views/{view}", "id"),
}
"""Where what a POST made is read, and the field of its answer that names it."""
_UNDO = "/undo/{deed}"


def links(row: Operation, rows: Sequence[Operation]) -> Json:
    """Return the links of an operation's success, by the operation that each leads to.

    What was read leads to what changes it, in the version that was read; what was made, to where it
    is read; what can be undone, to its undo.
    """
    if row.method == "GET":
        return {each.name: _changed(each) for each in rows if _is_of(each, row)}
    found: Json = {}
    if row.method == "POST" and row.path in _MADE:
        path, field = _MADE[row.path]
        target = next(each for each in rows if (each.method, each.path) == ("GET", path))
        found[target.name] = _link(target, {target.parts[0]: f"$response.body#/{field}"})
    if "undo" in getattr(row.shapes[2], "__struct_fields__", ()) and "preview" not in row.path:
        target = next(each for each in rows if each.path == _UNDO)
        found[target.name] = _link(target, {target.parts[0]: "$response.body#/undo"})
    return found


def _is_of(change: Operation, read: Operation) -> bool:
    """Whether it changes the one thing that is read: `/silences/{silence}` and what follows it."""
    is_one = len(read.parts) == 1 and read.path.endswith("}")
    return change.checks and is_one and f"{change.path}/".startswith(f"{read.path}/")


def _changed(change: Operation) -> Json:
    name = change.parts[0]
    said = {name: f"$request.path.{name}", "header.If-Match": "$response.header.ETag"}
    return _link(change, said)


def _link(target: Operation, parameters: Mapping[str, str]) -> Json:
    return {"operationId": target.name, "parameters": dict(parameters)}
