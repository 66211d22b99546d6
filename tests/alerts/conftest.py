"""Readings, alerts and a clock for alert tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from veille.domain.alert import Reading, Severity

START = datetime(2026, 1, 18, 1, 0, tzinfo=UTC)


def make_reading(**fields: Any) -> Reading:
    given: dict[str, Any] = {
        "rule": "r", "rule_version": "1", "severity": Severity.WARNING, "group": {"watch": "m"},
        "is_active": True, "value": 3, "threshold": 3, "author_count": 2,
        "evidence": ("a", "b", "c"), "window": timedelta(minutes=15),
    }  # fmt: skip
    given |= fields
    given.setdefault("labels", dict(given["group"]))
    return Reading(**given)


@pytest.fixture
def reading() -> Callable[..., Reading]:
    return make_reading


@pytest.fixture
def at() -> Callable[[float], datetime]:
    return lambda seconds: START + timedelta(seconds=seconds)
