"""What the API says of itself to anybody: its document, and what its problems mean."""

from __future__ import annotations

import hashlib
import re

import msgspec
from aiohttp import web

from veille.domain.access import Access
from veille.web.api import openapi, problems
from veille.web.api.dispatch import handler, tagged
from veille.web.api.operation import PARTS, PREFIX, Answer, Call, Listed, Nothing, Operation
from veille.web.api.pace import PACE, Pace
from veille.web.api.problems import STATUSES, Kind
from veille.web.api.repeats import RUNNING
from veille.web.api.shapes import Shape
from veille.web.api.table import OPERATIONS
from veille.web.security import ACCESS, Handler


class Explained(Shape, frozen=True, kw_only=True):
    """A type of problem: its fragment, status, and what to do."""

    name: Kind
    status: int
    title: str
    detail: str


async def list_problems(call: Call[Nothing, None]) -> Answer[Listed[Explained]]:
    """Every type of problem, in the language of who asks."""
    say = problems.site_for(call.request).say
    return Answer(
        value=Listed(
            items=[
                Explained(
                    name=kind,
                    status=STATUSES[kind],
                    title=say(f"api.problem.{kind}.title"),
                    detail=say(f"api.problem.{kind}.about"),
                )
                for kind in Kind
            ]
        )
    )


ALL: tuple[Operation, ...] = (
    *OPERATIONS,
    Operation(method="GET", path="/problems", access=Access.PUBLIC, run=list_problems),
)


def install(app: web.Application, *, rate: int) -> None:
    """The application answers the API, `rate` requests a minute for each token or session."""
    app[PACE] = Pace(rate=rate)
    app[RUNNING] = {}
    for operation in ALL:
        _add(app, operation.method, operation.path, handler(operation), operation.access)
    _add(app, "GET", "/openapi.json", _document(), Access.PUBLIC)


def _add(app: web.Application, method: str, path: str, run: Handler, access: Access) -> None:
    app[ACCESS][method, PREFIX + path] = access
    # with its pattern, so that `/queue/bulk` is no item: what else is asked of it is 405
    said = re.sub(r"\{(\w+)\}", lambda part: f"{{{part[1]}:{_segment(part[1])}}}", path)
    app.router.add_route(method, PREFIX + said, run)
    if method == "GET":
        app.router.add_route("HEAD", PREFIX + said, run)


def _segment(name: str) -> str:
    """Return what a part looks like in an address: of a name, whatever is no `/`."""
    return "[^/]+" if name in {"name", "template"} else PARTS[name].pattern


def _document() -> Handler:
    body: list[bytes] = []

    async def show(request: web.Request) -> web.StreamResponse:
        if not body:  # made once, when first asked for: a start should not pay
            body.append(msgspec.json.encode(openapi.document(ALL)))
        response = web.Response(body=body[0], content_type="application/json")
        return tagged(request, response, f'"{hashlib.sha256(body[0]).hexdigest()[:16]}"')

    return show
