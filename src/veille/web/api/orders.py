"""What a request may ask of queue items: bodies that hold together, as the document says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from veille.alerts.items import TEXT_LENGTH
from veille.domain.correction import CHOICES, TAKEN_BACK, is_choice
from veille.domain.deed import BULK_LIMIT, Verb
from veille.domain.incident import Verdict
from veille.domain.topic import ID
from veille.web.api.incidents import Name
from veille.web.api.operation import NUMBER, Body
from veille.web.api.texts import END

Json = Mapping[str, Any]  # a JSON schema has no narrower type
Short = Annotated[str, msgspec.Meta(max_length=64)]
State = Literal["waiting", "answered", "reported", "closed", "out_of_scope"]
Reason = Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Head = Literal["sentiment", "urgency", "hostility", "target", "intent", "topic"]
_TOPIC = {"type": "string", "pattern": rf"^({ID.pattern})?$"}
_HEADS = {  # which `_check_labels` checks
    "propertyNames": {"enum": list(CHOICES)},
    "properties": {
        head: {"enum": [TAKEN_BACK, *known]} if known else _TOPIC for head, known in CHOICES.items()
    },
}
_NEEDS = {Verb.MOVE: "state", Verb.ASSIGN: "to", Verb.SNOOZE: "until"}
"""What a bulk action must say beside its verb."""
_STAYS: Json = {
    "if": {"required": ["stays_open"], "properties": {"stays_open": {"const": True}}},
    "then": {"required": ["state"], "properties": {"state": {"enum": ["answered", "reported"]}}},
}
Labels = Annotated[
    dict[Head, Annotated[str, msgspec.Meta(max_length=64)]],
    msgspec.Meta(extra_json_schema=_HEADS),
]


class Assign(Body, frozen=True, kw_only=True):
    """To whom."""

    to: Name


class Move(Body, frozen=True, kw_only=True):
    """Where to. With `stays_open` an answer or report is noted and the item stays where it is."""

    state: State
    reason: Reason = ""
    waiting_for: Reason = ""
    stays_open: bool = False
    also: ClassVar[Json] = _STAYS

    def __post_init__(self) -> None:
        _check_stay(self.state, stays_open=self.stays_open)


class Snooze(Body, frozen=True, kw_only=True):
    """Until when it is put off."""

    until: Moment


class Judge(Body, frozen=True, kw_only=True):
    """What a person says of it; `labels` correct the mention, whose `reading` was judged."""

    verdict: Verdict
    labels: Labels = msgspec.field(default_factory=dict)
    reading: Short | None = None

    def __post_init__(self) -> None:
        _check_labels(self.labels)


class Correct(Body, frozen=True, kw_only=True):
    """Labels by head ("" takes one's own back) of the `reading` that was judged."""

    labels: Annotated[Labels, msgspec.Meta(min_length=1)]
    reading: Short | None = None

    def __post_init__(self) -> None:
        _check_labels(self.labels)


class Chosen(Body, frozen=True, kw_only=True):
    """An item, and the version that was seen."""

    item: Annotated[str, msgspec.Meta(pattern=f"^Q{NUMBER}{END}")]
    version: Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class Bulk(Body, frozen=True, kw_only=True):
    """What to do with which items; `to`, `until` and the rest as for one of them."""

    verb: Verb
    items: Annotated[list[Chosen], msgspec.Meta(min_length=1, max_length=BULK_LIMIT)]
    to: Name | None = None
    state: State | None = None
    reason: Reason = ""
    waiting_for: Reason = ""
    until: Moment | None = None
    stays_open: bool = False
    also: ClassVar[Json] = {
        "allOf": [
            *(
                {
                    "if": {"properties": {"verb": {"const": verb.value}}},
                    "then": {"required": [name], "properties": {name: {"type": "string"}}},
                }
                for verb, name in _NEEDS.items()
            ),
            _STAYS,
        ]
    }

    def __post_init__(self) -> None:
        name = _NEEDS.get(self.verb)
        if name is not None and getattr(self, name) is None:
            raise ValueError(f"Object missing required field `{name}`")
        _check_stay(self.state, stays_open=self.stays_open)


def _check_labels(labels: Mapping[Head, str]) -> None:
    if not all(is_choice(head, value) for head, value in labels.items()):
        raise ValueError("Invalid enum value")


def _check_stay(state: State | None, *, stays_open: bool) -> None:
    if stays_open and state not in {"answered", "reported"}:
        raise ValueError("Invalid enum value")
