"""The schema editors read describes every configuration veille itself writes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from veille.app.schema import schema
from veille.app.starter import Answers, Mail, Slack, texts

SHIPPED = Path(__file__).parents[2] / "config.toml"
WRITTEN = texts(
    Answers(
        name="x",
        query="",
        admin="a",
        feeds=("https://presse.example/flux.xml",),
        slack=Slack(channel="C0123456789", token="x"),
        mail=Mail(host="h.example", sender="a@h.example", to=("b@h.example",)),
    )
)


@pytest.mark.parametrize("text", [SHIPPED.read_text(encoding="utf-8"), WRITTEN["config.toml"]])
def test_the_shipped_and_the_written_configuration_conform(text: str) -> None:
    _conforms(schema(), schema(), tomllib.loads(text))


def test_an_unknown_key_does_not_conform() -> None:
    table = {"veille": {"name": "x", "nam": "y"}, "watch": []}
    with pytest.raises(KeyError):
        _conforms(schema(), schema(), table)


def test_no_setting_may_be_null_since_toml_has_none() -> None:
    assert "null" not in {str(kind) for kind in _types(schema())}


def _types(node: object) -> list[object]:
    if isinstance(node, dict):
        own = [node["type"]] if "type" in node else []
        return own + [kind for value in node.values() for kind in _types(value)]
    return [kind for item in node for kind in _types(item)] if isinstance(node, list) else []


def _conforms(root: dict[str, object], rule: object, value: object) -> None:
    """Check a value by the parts of JSON Schema that the document uses for structure."""
    assert isinstance(rule, dict)
    while "$ref" in rule:
        rule = root["$defs"][str(rule["$ref"]).rpartition("/")[2]]  # type: ignore[index]  # JSON
        assert isinstance(rule, dict)
    if "anyOf" in rule and isinstance(value, dict):
        mapping = rule["discriminator"]["mapping"]
        return _conforms(root, {"$ref": mapping[value["kind"]]}, value)
    if isinstance(value, dict) and "properties" in rule:
        assert set(rule.get("required", ())) <= set(value)
        for key, inner in value.items():
            _conforms(root, rule["properties"][key], inner)
    elif isinstance(value, list):
        for item in value:
            _conforms(root, rule.get("items", {}), item)
    elif "type" in rule:
        kinds = {"string": str, "integer": int, "boolean": bool, "number": float}
        assert isinstance(value, kinds[str(rule["type"])])
    return None
