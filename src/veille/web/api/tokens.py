"""One's own tokens: kept by a person, or by a token that may manage accounts."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Literal

import msgspec

from veille.domain.access import Access
from veille.store import tokens
from veille.store.tokens import Token
from veille.web import again
from veille.web.api.operation import Answer, Body, Call, Listed, Nothing
from veille.web.api.problems import Kind, Refused, lacking, refusal
from veille.web.api.shapes import Shape, shaped
from veille.web.api.texts import line
from veille.web.tokens import (
    DEFAULT,
    LONGEST,
    MOST,
    NAME_LENGTH,
    SCOPES,
    issue,
    new_token,
    scopes_of,
    withdraw,
)

Scope = Literal["read", "act", "edit", "audit", "admin"]


class TokenShape(Shape, frozen=True, kw_only=True):
    """A token, never its secret."""

    id: int
    name: str
    scopes: list[Access]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


class NewToken(Body, frozen=True, kw_only=True):
    """A token for a program; `password` is one's own, again."""

    name: Annotated[str, line(NAME_LENGTH)]
    scopes: Annotated[list[Scope], msgspec.Meta(min_length=1, max_length=len(Access))]
    password: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    days: Annotated[int, msgspec.Meta(ge=1, le=LONGEST.days)] = DEFAULT.days


class Issued(Shape, frozen=True, kw_only=True):
    """The token, said this once."""

    id: int
    token: str


async def list_(call: Call[Nothing, None]) -> Answer[Listed[TokenShape]]:
    """One's own good tokens, the newest first."""
    now = call.site.now()
    found = await call.site.store.read(lambda db: tokens.of(db, call.actor, now=now))
    return Answer(value=Listed(items=[_token(each) for each in found]))


async def add(call: Call[Nothing, NewToken]) -> Answer[Issued]:
    """There is another token of one's own; one's password is asked for again."""
    said, now = call.body, call.site.now()
    _check_keeper(call)
    wanted = [each for each in SCOPES if each.value in said.scopes]
    if missing := [each for each in wanted if not call.visitor.may(each)]:
        raise lacking(call.visitor, missing[0])
    scopes = scopes_of(wanted, role=call.visitor.role)
    if await again.doubt(call.request, {"current": said.password}):
        raise Refused(Kind.PROOF)
    token = new_token()
    number = await again.write(
        call.request,
        partial(
            issue,
            user=call.actor,
            name=said.name.strip(),
            scopes=scopes,
            days=said.days,
            token=token,
            now=now,
        ),
    )
    if number is None:
        raise refusal(call.request, "many_tokens", most=MOST)
    return Answer(value=Issued(id=number, token=token))


async def revoke(call: Call[Nothing, None]) -> Answer[None]:
    """One of one's own tokens is worth nothing from now on: by the scope admin, or by itself."""
    if int(call.parts["token"]) != call.visitor.token:
        _check_keeper(call)
    gone = await call.site.store.write(
        partial(withdraw, number=int(call.parts["token"]), user=call.actor, now=call.site.now())
    )
    if not gone:
        raise Refused(Kind.MISSING)
    return Answer(value=None)


def _check_keeper(call: Call[Nothing, NewToken] | Call[Nothing, None]) -> None:
    """A session is a person; what a token that leaked may do to others is not more than it may."""
    if call.visitor.scopes is not None and not call.visitor.may(Access.ADMIN):
        raise lacking(call.visitor, Access.ADMIN)


def _token(token: Token) -> TokenShape:
    return shaped(TokenShape, token, scopes=sorted(token.scopes))
