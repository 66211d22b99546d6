"""Routes: who hears of what; and what would silently do nothing is refused."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from veille.alerts.settings import RouteSettings, receivers
from veille.domain.alert import Severity
from veille.rules.settings import RulesSettings


def route(**fields) -> RouteSettings:
    return msgspec.convert(fields, RouteSettings)


def test_the_first_matching_child_wins_and_the_root_is_the_default():
    tree = route(
        receivers=["mail"],
        routes=[
            {"match": {"severity": "critical"}, "receivers": ["slack", "mail"]},
            {"match": {"severity": "critical", "topic": "flood"}, "receivers": ["never"]},
            {"match": {"topic": "flood"}, "routes": [
                {"match": {"watch": "school"}, "receivers": ["school"]}]},
        ],
    )  # fmt: skip
    assert receivers(tree, {"severity": "critical", "topic": "flood"}) == ("slack", "mail")
    assert receivers(tree, {"severity": "info"}) == ("mail",)
    assert receivers(tree, {"topic": "flood", "watch": "school"}) == ("school",)
    assert receivers(tree, {"topic": "flood"}) == ("mail",)
    assert receivers(route(), {}) == ()


def test_continue_adds_the_next_match_and_nobody_hears_twice():
    tree = route(
        receivers=["root"],
        routes=[
            {"match": {"a": "1"}, "receivers": ["x"], "continue": True},
            {"match": {"a": "1"}, "receivers": ["x", "y"]},
            {"match": {"a": "1"}, "receivers": ["z"]},
        ],
    )
    assert receivers(tree, {"a": "1"}) == ("x", "y")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"group_interval": "5 min"}, "group_interval"),
        ({"group_interval": "1s"}, "out of range"),
        ({"repeat_interval": "1m"}, "shorter than group_interval"),
        ({"routes": [{"receivers": ["x"]}]}, "needs match"),
        ({"routes": [{"match": {"a": "b"}, "group_interval": "1m"}]}, "stands on .route. only"),
        ({"reciever": ["x"]}, "unknown field"),
    ],
)
def test_a_route_that_cannot_work_is_refused(fields, message):
    with pytest.raises(msgspec.ValidationError, match=message):
        route(**fields)


def test_waits_keep_the_defaults_of_severities_that_are_not_named():
    written = msgspec.convert({"group_wait": {"warning": "1m"}}, RulesSettings)
    assert written.waits() == {
        Severity.CRITICAL: timedelta(0),
        Severity.WARNING: timedelta(minutes=1),
        Severity.INFO: timedelta(minutes=5),
    }
