"""The JSON Schema of config.toml, for editors that complete and check it."""

from __future__ import annotations

from typing import Any

import msgspec

from veille.config import Config


def schema() -> dict[str, Any]:  # Any: a JSON document
    """Return the JSON Schema (2020-12) of config.toml; TOML has no null, so none is allowed."""
    described = msgspec.json.schema(Config)
    heading = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "veille"}
    return heading | {key: _without_null(value) for key, value in described.items()}


def _without_null(node: Any) -> Any:  # Any: a JSON document
    if isinstance(node, list):
        return [_without_null(item) for item in node if item != {"type": "null"}]
    if isinstance(node, dict):
        found = {key: _without_null(value) for key, value in node.items() if value is not None}
        only = found.get("anyOf", ())
        return found.pop("anyOf")[0] | found if len(only) == 1 else found
    return node
