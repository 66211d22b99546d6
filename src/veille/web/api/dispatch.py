"""One way for every operation: accept, decode, check, run once, encode."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

from veille.domain.access import Role
from veille.domain.errors import (
    ConflictError,
    InputError,
    LastAdminError,
    QueryError,
    ReasonError,
    RereadError,
    TargetError,
)
from veille.store import audit_trail, drafts, incidents, queue, silences, timeline, views
from veille.store.audit_trail import TrailFilter
from veille.store.engine import Db
from veille.web import search_page
from veille.web.api import decoding, repeats
from veille.web.api.operation import IF_MATCH, PARTS, Answer, Call, Operation, Page
from veille.web.api.problems import Kind, Refused, answer, site_for
from veille.web.marks import mark
from veille.web.security import Handler
from veille.web.site import VISITOR, Site, Visitor, site_of, words_of

_SAFE = {"GET", "HEAD"}
_ANYBODY = Visitor(
    name="", role=Role.READER, session="", csrf="", must_change=False, scopes=frozenset()
)
"""Who asks for what is public: nobody the operation may rely on."""
_TAG = re.compile(r'(W/)?"([0-9]{1,18})(?:-[0-9a-f]{16})?"', re.ASCII)
_RANGE = re.compile(r"\s*([^;,\s]+)\s*(?:;([^,]*))?")
_ACCEPTED = ("*/*", "application/*", "application/json", "application/problem+json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The version of what a path names, and who last changed it."""

    version: int
    by: str | None = None
    at: datetime | None = None


def _incident(db: Db, name: str, who: str) -> Standing | None:
    del who
    found = incidents.get(db, int(name[1:]))
    return None if found is None else _standing(db, found.touched, name)


def _item(db: Db, name: str, who: str) -> Standing | None:
    del who
    found = queue.get(db, int(name[1:]))
    return None if found is None else _standing(db, found.version, name)


def _target(db: Db, name: str, who: str) -> Standing | None:
    return (_incident if name.startswith("I") else _item)(db, name, who)


def _draft(db: Db, name: str, who: str) -> Standing | None:
    del who
    found = drafts.get(db, int(name))
    return None if found is None else _standing(db, found.version, f"Q{found.item}")


def _template(db: Db, name: str, who: str) -> Standing | None:
    del who
    found = drafts.template(db, name)
    return None if found is None else Standing(version=mark(found), by=found.author)


def _view(db: Db, name: str, who: str) -> Standing | None:
    found = views.get(db, int(name), owner=who) or views.get(db, int(name), owner=views.EVERYBODY)
    if found is None:
        return None
    if not found.is_shared:
        return Standing(version=mark(found), by=who)
    last = next(iter(audit_trail.page(db, TrailFilter(target=f"V{found.id}"), limit=1)), None)
    return Standing(
        version=mark(found), by=last.actor if last else None, at=last.at if last else None
    )


def _silence(db: Db, name: str, who: str) -> Standing | None:
    del who
    found = silences.get(db, int(name[1:]))
    if found is None:
        return None
    at = found.ends_at if found.ended_by else found.created_at
    return Standing(version=mark(found), by=found.ended_by or found.author, at=at)


def _standing(db: Db, version: int, target: str) -> Standing:
    last = timeline.last_change(db, target)
    return Standing(version=version, by=last.actor if last else None, at=last.at if last else None)


SUBJECTS: Mapping[str, Callable[[Db, str, str], Standing | None]] = {
    "incident": _incident,
    "item": _item,
    "target": _target,
    "draft": _draft,
    "template": _template,
    "view": _view,
    "silence": _silence,
}
"""What a path may name that has a version, as it is for who asks."""


def handler(operation: Operation) -> Handler:
    """Return what answers the requests of an operation."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await _handled(request, operation)
        except Refused as refused:
            return answer(request, refused)

    return handle


async def _handled(request: web.Request, operation: Operation) -> web.StreamResponse:
    parts = _parts(request)
    query_kind, body_kind, _ = operation.shapes
    query: Any = decoding.query(request, query_kind)  # of the kind its operation says
    if operation.media:
        return await _raw(request, operation)
    if not _is_accepted(request):
        raise Refused(Kind.UNACCEPTABLE)
    if operation.has_key:
        repeats.check(request)
    raw, body = b"", None  # type: bytes, Any
    if body_kind is not None:
        body, raw = await decoding.read(request, body_kind)
    elif request.method not in _SAFE and await decoding.taken(request):
        raise Refused(Kind.INVALID, fields={"": "bodyless"})
    site, visitor = site_of(request), request.get(VISITOR, _ANYBODY)
    subject, standing = await _subject(site, parts, visitor.name)
    if operation.checks:
        _condition(request)
    call = Call(
        request=request,
        site=site,
        visitor=visitor,
        now=words_of(request).now,
        parts=parts,
        query=query,
        body=body,
    )
    run = partial(_run, operation, call, subject, standing)
    return await (repeats.once(request, raw, run) if operation.has_key else run())


async def _raw(request: web.Request, operation: Operation) -> web.StreamResponse:
    try:
        return await operation.run(request)  # type: ignore[arg-type,return-value]  # media says it answers by itself
    except web.HTTPBadRequest as error:  # as the pages' exports say it
        if isinstance(error.__cause__, QueryError):
            raise _query(request, error.__cause__) from error
        raise Refused(Kind.MISSING) from error


async def _run(
    operation: Operation, call: Call[Any, Any], subject: str, standing: Standing | None
) -> web.Response:
    # a repeat with its key does not come here: what it did has raised the version it names
    if operation.checks and standing is not None:
        call = replace(call, version=_wanted(call.request, standing))
    try:
        done: Answer[Any] = await operation.run(call)  # type: ignore[arg-type,assignment]  # no media: it takes a call
    except QueryError as error:
        raise _query(call.request, error) from error
    except RereadError as error:
        raise Refused(Kind.REREAD, cause=str(error)) from error
    except ConflictError as error:
        raise await _conflict(call, subject, error, checks=operation.checks) from error
    except InputError as error:
        raise Refused(_refusal(error), cause=str(error)) from error
    return _encoded(call.request, operation, done)


def _refusal(error: InputError) -> Kind:
    kinds = {LastAdminError: Kind.LAST_ADMIN, ReasonError: Kind.REASON, TargetError: Kind.TARGET}
    return kinds.get(type(error), Kind.REFUSED)


def _query(request: web.Request, error: QueryError) -> Refused:
    return Refused(Kind.QUERY, detail=search_page.said(error, words_of(request)))


async def _conflict(
    call: Call[Any, Any], subject: str, error: ConflictError, *, checks: bool
) -> Refused:
    """Return 412 where somebody changed it since the request was read, else 409 with the words."""
    if checks and call.version is not None:
        _, standing = await _subject(call.site, call.parts, call.actor)
        if standing is not None and standing.version != call.version:
            return Refused(Kind.STALE, changed=(standing.by, standing.at))
    kind = Kind.TOO_LATE if subject == "deed" else Kind.CONFLICT
    return Refused(kind, cause=str(error))


def _encoded(request: web.Request, operation: Operation, done: Answer[Any]) -> web.Response:
    status = done.status if done.status != 200 else operation.status  # noqa: PLR2004
    if operation.shapes[2] is None:
        return web.Response(status=status)
    body = msgspec.json.encode(done.value)
    response = web.Response(body=body, status=status, content_type="application/json")
    if isinstance(done.value, Page) and done.value.next:
        response.headers["Link"] = f'<{done.value.next}>; rel="next"'
    if done.location is not None:
        response.headers["Location"] = done.location
    return tagged(request, response, _tag(done, body)) if request.method in _SAFE else response


def _tag(done: Answer[Any], body: bytes) -> str:
    """Return the tag of the answer; of a page of a list it is weak, and of its entries.

    The address of the next page may name the moment of this one.
    """
    if isinstance(done.value, Page):
        shown = (done.value.items, done.value.next is not None)
        return f'W/"{_hashed(msgspec.json.encode(shown))}"'
    return f'"{_hashed(body)}"' if done.version is None else f'"{done.version}-{_hashed(body)}"'


def _hashed(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


def tagged(request: web.Request, response: web.Response, tag: str) -> web.Response:
    """Return the response with its tag, or 304 where `If-None-Match` names that.

    Compared weakly, as RFC 9110 13.1.2 wants.
    """
    response.headers["ETag"] = tag
    written = request.headers.get("If-None-Match", "").split(",")
    known = {each.strip().removeprefix("W/") for each in written}
    if known & {"*", tag.removeprefix("W/")}:
        return web.Response(status=304, headers={"ETag": tag})
    return response


def _parts(request: web.Request) -> Mapping[str, str]:
    for name, text in request.match_info.items():
        if not re.fullmatch(PARTS[name].pattern, text):
            raise Refused(Kind.MISSING)
    return dict(request.match_info)


async def _subject(site: Site, parts: Mapping[str, str], who: str) -> tuple[str, Standing | None]:
    """Return what the path names, and how it stands; Refused where there is no such thing."""
    name = next(iter(parts), "")
    look = SUBJECTS.get(name)
    if look is None:
        return name, None
    standing = await site.store.read(lambda db: look(db, parts[name], who))
    if standing is None:
        raise Refused(Kind.MISSING)
    return name, standing


def _condition(request: web.Request) -> str:
    """Return what `If-Match` says; Refused where it says nothing, or nothing that can be read."""
    written = request.headers.get("If-Match", "").strip()
    if not written:
        raise Refused(Kind.UNCONDITIONAL)
    if not re.fullmatch(IF_MATCH, written):
        raise Refused(Kind.INVALID, fields={"/header/If-Match": "tag"})
    return written


def _wanted(request: web.Request, standing: Standing) -> int:
    """Return the version the request means; Refused where that is another."""
    written = _condition(request)
    if written == "*":
        return standing.version
    tags = [each for part in written.split(",") if (each := _TAG.fullmatch(part.strip()))]
    if standing.version in {int(each[2]) for each in tags if not each[1]}:
        return standing.version
    if all(int(each[2]) == standing.version for each in tags):  # weak, or nobody's: no change
        raise Refused(Kind.STALE, detail=site_for(request).say("api.refusal.not_given"))
    raise Refused(Kind.STALE, changed=(standing.by, standing.at))


def _is_accepted(request: web.Request) -> bool:
    written = request.headers.get("Accept", "*/*")
    for part in written.split(","):
        found = _RANGE.fullmatch(part)
        is_none = found is not None and re.search(r"q\s*=\s*0(?:\.0*)?\s*$", found[2] or "")
        if found and found[1].lower() in _ACCEPTED and not is_none:
            return True
    return not written.strip()
