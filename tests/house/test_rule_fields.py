"""Every field of a rule, of a condition and of a rule test stands in docs/rules.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from veille.rules.matchers import FIELDS
from veille.rules.model import GROUP_FIELDS, RuleKind
from veille.rules.parse import ANNOTATIONS, RULE_KEYS

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", RULE_KEYS)
def test_every_rule_key_has_a_row(key: str) -> None:
    assert f"| `{key}` |" in PAGE


@pytest.mark.parametrize("name", [*GROUP_FIELDS, *ANNOTATIONS, *RuleKind])
def test_every_name_a_rule_may_use_is_explained(name: str) -> None:
    assert name in PAGE


@pytest.mark.parametrize("field", [*FIELDS, "any", "not"])
def test_every_condition_is_explained(field: str) -> None:
    name = field.rsplit(".", 1)[-1] if field.startswith("sentiment.prob") else field
    assert f"`{name}`" in PAGE or f"`{field}`" in PAGE
