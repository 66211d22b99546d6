"""What the API says when it refuses: RFC 9457 problems, in the language of who asks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec
from aiohttp import web

from veille.domain.access import Access
from veille.web.site import SITE, SITES, VISITOR, Site, Visitor, site_of
from veille.wording.catalogue import LANGUAGES

TYPES = "/api/v1/problems"
"""Where the types are explained; each is this address with its name as fragment."""


class Kind(StrEnum):
    """Every type of problem; its sentences are `api.problem.<kind>.title` and `.detail`."""

    UNREADABLE = "unreadable"
    INVALID = "invalid"
    CURSOR = "cursor"
    QUERY = "query"
    UNKNOWN = "unknown"
    SCOPE = "scope"
    ROLE = "role"
    FORGED = "forged"
    HELD = "held"
    MISSING = "missing"
    METHOD = "method"
    UNACCEPTABLE = "unacceptable"
    SLOW = "slow"
    CONFLICT = "conflict"
    TOO_LATE = "too_late"
    LAST_ADMIN = "last_admin"
    REREAD = "reread"
    RUNNING = "running"
    UNCERTAIN = "uncertain"
    STALE = "stale"
    TOO_LARGE = "too_large"
    TOO_LONG = "too_long"
    MEDIA_TYPE = "media_type"
    REFUSED = "refused"
    REASON = "reason"
    TARGET = "target"
    PROOF = "proof"
    TOKEN_ONLY = "token_only"  # noqa: S105 a name
    REUSED = "reused"
    UNCONDITIONAL = "unconditional"
    TOO_MANY = "too_many"
    BUSY = "busy"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"


STATUSES: Mapping[Kind, int] = {
    Kind.UNREADABLE: 400, Kind.INVALID: 400,
    Kind.UNKNOWN: 401,
    Kind.SCOPE: 403, Kind.ROLE: 403, Kind.FORGED: 403, Kind.HELD: 403, Kind.PROOF: 403,
    Kind.TOKEN_ONLY: 403,
    # of a GET the query says what is asked for: 422 is of a content, RFC 9110, 15.5.21
    Kind.MISSING: 404, Kind.CURSOR: 404, Kind.QUERY: 404,
    Kind.METHOD: 405, Kind.UNACCEPTABLE: 406, Kind.SLOW: 408,
    Kind.CONFLICT: 409, Kind.TOO_LATE: 409, Kind.LAST_ADMIN: 409, Kind.REREAD: 409,
    Kind.RUNNING: 409, Kind.UNCERTAIN: 409, Kind.REUSED: 409,
    Kind.REFUSED: 409, Kind.REASON: 409, Kind.TARGET: 409,
    Kind.STALE: 412, Kind.TOO_LARGE: 413, Kind.TOO_LONG: 414, Kind.MEDIA_TYPE: 415,
    Kind.UNCONDITIONAL: 428, Kind.TOO_MANY: 429, Kind.BUSY: 429,
    Kind.FAILED: 500, Kind.UNAVAILABLE: 503,
}  # fmt: skip
_OF_STATUS = {
    400: Kind.UNREADABLE, 401: Kind.UNKNOWN, 403: Kind.ROLE, 404: Kind.MISSING, 405: Kind.METHOD,
    413: Kind.TOO_LARGE, 414: Kind.TOO_LONG, 415: Kind.MEDIA_TYPE, 503: Kind.UNAVAILABLE,
}  # fmt: skip


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong: a JSON pointer into the body, or `/query/name`, `/header/name`."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why nothing was done (RFC 9457). `type` leads to its explanation.

    `errors` say what is wrong where; `scope` is the one that is missing; `changed_by` and
    `changed_at` are of the last person who changed it; `cause` is what the program says, in
    English; `error_id` finds the line in the log.
    """

    type: str
    title: str
    status: int
    detail: str
    errors: list[Fault] = []
    scope: str | None = None
    changed_by: str | None = None
    changed_at: datetime | None = None
    cause: str | None = None
    error_id: str | None = None


class Refused(Exception):
    """An operation is refused; `fields` are keys of `api.field` by pointer, or `(key, value)`."""

    def __init__(
        self,
        kind: Kind,
        *,
        fields: Mapping[str, str | tuple[str, str]] | None = None,
        detail: str | None = None,
        cause: str | None = None,
        scope: str | None = None,
        changed: tuple[str | None, datetime | None] = (None, None),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(kind.value)
        self.kind = kind
        self.fields = fields or {}
        self.detail = detail
        self.cause = cause
        self.scope = scope
        self.changed = changed
        self.retry_after_s = retry_after_s


def lacking(visitor: Visitor, access: Access) -> Refused:
    """Return the refusal of who may not: the token lacks a scope, or its owner the role."""
    is_scope = visitor.scopes is not None and access not in visitor.scopes
    return Refused(Kind.SCOPE if is_scope else Kind.ROLE, scope=access.value)


def refusal(request: web.Request, key: str, **values: object) -> Refused:
    """Return a refusal whose detail is the sentence `api.refusal.<key>`."""
    detail = site_for(request).say(f"api.refusal.{key}", **values)
    return Refused(Kind.REFUSED, detail=detail)


def site_for(request: web.Request) -> Site:
    """Return the site in the language the request asks for, else the person's, else the town's."""
    wanted = _language(request.headers.get("Accept-Language", ""))
    if wanted is None:
        return site_of(request) if VISITOR in request else request.config_dict[SITE]
    return request.config_dict[SITES].get(wanted, request.config_dict[SITE])


def answer(request: web.Request, refused: Refused, *, error_id: str | None = None) -> web.Response:
    """Return the problem as a response."""
    say, status = site_for(request).say, STATUSES[refused.kind]
    who, at = refused.changed
    said = Problem(
        type=f"{TYPES}#{refused.kind}",
        title=say(f"api.problem.{refused.kind}.title"),
        status=status,
        detail=refused.detail
        or say(
            f"api.problem.{refused.kind}.detail", scope=refused.scope or "", who=who or "veille"
        ),
        errors=[
            Fault(pointer=pointer, detail=_fault(request, told))
            for pointer, told in refused.fields.items()
        ],
        scope=refused.scope,
        changed_by=who,
        changed_at=at,
        cause=refused.cause,
        error_id=error_id,
    )
    response = web.Response(
        body=msgspec.json.encode(said), status=status, content_type="application/problem+json"
    )
    response.headers["Content-Language"] = say.language
    response.headers["Vary"] = "Accept-Language"
    if refused.kind is Kind.UNKNOWN:
        response.headers["WWW-Authenticate"] = 'Bearer realm="veille"'  # RFC 6750, 3
    if refused.kind is Kind.SCOPE:  # RFC 6750, 3.1
        response.headers["WWW-Authenticate"] = (
            f'Bearer realm="veille", error="insufficient_scope", scope="{refused.scope}"'
        )
    if refused.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, round(refused.retry_after_s)))
    return response


def of_status(request: web.Request, status: int, *, error_id: str | None = None) -> web.Response:
    """Return the problem for what never reached an operation, or broke in one."""
    fallback = Kind.FAILED if status >= 500 else Kind.UNREADABLE  # noqa: PLR2004
    return answer(request, Refused(_OF_STATUS.get(status, fallback)), error_id=error_id)


def _fault(request: web.Request, told: str | tuple[str, str]) -> str:
    key, value = (told, "") if isinstance(told, str) else told
    return site_for(request).say(f"api.field.{key}", value=value)


def _language(header: str) -> str | None:
    """Return the known language the header likes most, None where it names none."""
    found: list[tuple[float, str]] = []
    for part in header[:200].split(","):
        name, _, weight = part.partition(";")
        language = name.strip().lower().partition("-")[0]
        if language in LANGUAGES:
            found.append((_weight(weight), language))
    likes = [each for each in found if each[0] > 0]
    return max(likes, key=lambda each: each[0])[1] if likes else None


def _weight(text: str) -> float:
    name, _, value = text.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
