"""An operation of the API as its row in the table says it, and what it is called with."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar, Generic, TypeVar, get_args, get_type_hints

import msgspec
from aiohttp import web

from veille.domain.access import Access
from veille.web.api import cursors
from veille.web.api.problems import Kind
from veille.web.api.texts import END
from veille.web.site import Site, Visitor

Q = TypeVar("Q")
B = TypeVar("B")
R = TypeVar("R")
PREFIX = "/api/v1"
_ENTITY_TAG = r'(W/)?"[!#-~]*"'
IF_MATCH = rf"^(\*|{_ENTITY_TAG}( *, *{_ENTITY_TAG})*)$"
"""RFC 9110, 13.1.1: `*`, or tags of which one must be that of now."""
LIMIT, MOST = 50, 200
"""Entries of a page: unless asked otherwise, and at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One `{name}` of a path: what it looks like, and what it is."""

    pattern: str
    meaning: str


NUMBER = "[1-9][0-9]{0,17}"
PARTS: Mapping[str, Part] = {
    "incident": Part(pattern=f"I{NUMBER}", meaning="An incident, as `I12`."),
    "item": Part(pattern=f"Q{NUMBER}", meaning="A queue item, as `Q345`."),
    "silence": Part(pattern=f"S{NUMBER}", meaning="A silence, as `S3`."),
    "draft": Part(pattern=NUMBER, meaning="The number of a draft answer."),
    "deed": Part(pattern=NUMBER, meaning="What an action returned as `undo`."),
    "template": Part(
        pattern="[^\\x00-\\x1f\\x7f]{1,100}", meaning="The name of a template; `/` as `%2F`."
    ),
    "view": Part(pattern=NUMBER, meaning="The number of a saved view."),
    "token": Part(pattern=NUMBER, meaning="The number of a token."),
    "override": Part(pattern=NUMBER, meaning="The number of an override."),
    "mention": Part(pattern="[0-9a-f]{32}", meaning="The key of a mention."),
    "session": Part(pattern="[0-9a-f]{64}", meaning="The id of a session."),
    "device": Part(pattern=NUMBER, meaning="The number of a device."),
    "target": Part(pattern=f"[IQ]{NUMBER}", meaning="An incident or a queue item."),
    "file": Part(pattern="[^/\\x00-\\x1f\\x7f]{1,200}", meaning="The name of a file of rules."),
    "rule": Part(pattern="[a-z][a-z0-9_.]{0,63}", meaning="The id of a rule."),
    "name": Part(pattern="[^\\x00-\\x1f\\x7f]{1,100}", meaning="A name; `/` as `%2F`."),
}  # fmt: skip


class Page(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """Some entries, and the address of those that follow (also in `Link`), null at the end."""

    items: list[R]
    next: str | None = None


class Listed(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """All entries there are."""

    items: list[R]


class Nothing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No parameters."""


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request says; unknown fields are refused.

    `also` is what the document says of its fields together; `__post_init__` holds them to it.
    `examples` work in any town.
    """

    also: ClassVar[Mapping[str, Any]] = {}  # a JSON schema has no narrower type
    examples: ClassVar[Sequence[Mapping[str, Any]]] = ()


Limit = Annotated[int, msgspec.Meta(ge=1, le=MOST)]
Cursor = Annotated[str, msgspec.Meta(max_length=1000, pattern=f"^[A-Za-z0-9_-]+{END}")]


class Paged(Nothing, frozen=True, kw_only=True):
    """How many entries, after which page: `after` is as `next` has it."""

    limit: Limit = LIMIT
    after: Cursor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Q, B]):
    """One request, decoded. `version` is what `If-Match` asks for, None where anything will do."""

    request: web.Request
    site: Site
    visitor: Visitor
    now: datetime
    parts: Mapping[str, str]
    query: Q
    body: B
    version: int | None = None

    @property
    def actor(self) -> str:
        """Who asks."""
        return self.visitor.name

    @property
    def minute(self) -> datetime:
        """The whole minute: what lasts until now changes its ETag no sooner."""
        return self.now.replace(second=0, microsecond=0)

    def number(self, name: str) -> int:
        """Return the number in a part of the path, as 12 of `I12`."""
        return int(self.parts[name].lstrip("IQS"))

    def after(self) -> list[Any] | None:
        """Return where the page before ended, as it was given to `next`; None for the first.

        Refused for a cursor of another list, or that is not ours.
        """
        return cursors.opened(self.request, self.site.secret)

    def next(self, place: list[str | int | None]) -> str:
        """Return the address of the page after this place."""
        return cursors.address(self.request, self.site.secret, place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[R]):
    """What an operation answers. `version` makes its ETag; `location` is of what it made."""

    value: R
    status: int = 200
    version: int | None = None
    location: str | None = None


Run = Callable[[Call[Any, Any]], Awaitable[Answer[Any]]]  # the table holds all kinds
Raw = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One row of the table; the rest is read from the signature and docstring of `run`.

    `checks`: the operation changes the subject of its path, whose version `If-Match` must name.
    `status` is that of success; `refusals` are what it may say beside what all may.
    `media` are the types of a file, for a `run` that answers by itself. `is_kept`: a POST that is
    repeated with its key is done once, and its answer kept for that.
    """

    method: str
    path: str
    access: Access
    run: Run | Raw
    status: int = 200
    checks: bool = False
    refusals: tuple[Kind, ...] = ()
    media: tuple[str, ...] = ()
    is_kept: bool = True

    @property
    def has_key(self) -> bool:
        """Whether `Idempotency-Key` says something to it."""
        return self.method == "POST" and self.is_kept

    @property
    def name(self) -> str:
        """The operation's id."""
        return f"{self.run.__module__.rpartition('.')[2]}_{self.run.__name__.rstrip('_')}"

    @property
    def summary(self) -> str:
        """What is true after the call, in one sentence."""
        return (inspect.getdoc(self.run) or "").partition("\n")[0]

    @property
    def description(self) -> str:
        """What else there is to know."""
        return (inspect.getdoc(self.run) or "").partition("\n")[2].strip()

    @property
    def tag(self) -> str:
        """The family it belongs to."""
        return self.run.__module__.rpartition(".")[2]

    @property
    def parts(self) -> tuple[str, ...]:
        """The names in the path."""
        return tuple(piece[1:-1] for piece in self.path.split("/") if piece.startswith("{"))

    @cached_property
    def shapes(self) -> tuple[type, type | None, type | None]:
        """The structs of query and body, and of the answer; None where there is none."""
        if self.media:
            return QUERIES.get(self.run.__name__, Nothing), None, None
        hints = get_type_hints(self.run)
        query, body = get_args(hints["call"])
        (answer,) = get_args(hints["return"])
        return query, _some(body), _some(answer)


QUERIES: dict[str, type] = {}
"""The query structs of operations that answer by themselves, by name of their function."""


def _some(kind: Any) -> Any:  # a type, or a generic of one
    return None if kind in (None, type(None)) else kind
