"""`/account/tokens`: one's own tokens of the API."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from aiohttp import web

from veille.domain.errors import InputError
from veille.domain.text import is_line
from veille.store import tokens, users
from veille.store.engine import Db
from veille.store.tokens import Token
from veille.store.users import User
from veille.web import again
from veille.web.site import access_words_of, form_of, render, see, site_of, visitor_of
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
from veille.wording.format import visible

_COLUMNS = ("name", "scopes", "until", "used", "action")
_NUMBER_DIGITS = 18


async def page(request: web.Request) -> web.Response:
    """The tokens of who asks, and the form for another."""
    return await _show(request)


async def _show(
    request: web.Request,
    *,
    problem: str | None = None,
    token: str = "",
    form: Mapping[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    site, visitor = site_of(request), visitor_of(request)

    def load(db: Db) -> tuple[list[Token], User | None]:
        return tokens.of(db, visitor.name, now=site.now()), users.get(db, visitor.name)

    found, user = await site.store.read(load)
    done = request.query.get("done")
    return render(
        request,
        "tokens.html",
        status=status,
        words=access_words_of(request),
        problem=site.say(f"people.token.{problem}", most=MOST) if problem else None,
        wrong={"wrong": ("current",), "refused": ("name", "days")}.get(problem or "", ()),
        form=form,
        done=site.say("people.token.revoked") if done == "revoked" else None,
        token=token,
        tokens=found,
        scopes=[scope for scope in SCOPES if visitor.may(scope)],
        columns=_COLUMNS,
        days=DEFAULT.days,
        most_days=LONGEST.days,
        name_length=NAME_LENGTH,
        has_password=user is not None and user.password_hash != again.NO_PASSWORD,
        visible=visible,
    )


async def add(request: web.Request) -> web.Response:
    """There is another token, shown this once."""
    site, visitor = site_of(request), visitor_of(request)
    form = await form_of(request)
    name, named = form.get("name", "").strip(), form.get("days", "")
    days = int(named) if named.isascii() and named.isdigit() and len(named) < 4 else 0  # noqa: PLR2004
    is_sound = 0 < len(name) <= NAME_LENGTH and is_line(name)
    if not is_sound or not 0 < days <= LONGEST.days:
        return await _show(request, problem="refused", form=form, status=400)
    try:
        wanted = [scope.value for scope in SCOPES if form.get(f"scope-{scope}")]
        scopes = scopes_of(wanted, role=visitor.role)
    except InputError:
        return await _show(request, problem="refused", form=form, status=400)
    if doubt := await again.doubt(request, form):
        return await _show(request, problem=doubt, form=form, status=400)
    token, now = new_token(), site.now()

    issued = partial(
        issue, user=visitor.name, name=name, scopes=scopes, days=days, token=token, now=now
    )
    if await again.write(request, issued) is None:
        return await _show(request, problem="too_many", status=400)
    return await _show(request, token=token)


async def revoke(request: web.Request) -> web.Response:
    """One of one's own tokens is worth nothing from now on."""
    site, visitor, now = site_of(request), visitor_of(request), site_of(request).now()
    text = (await form_of(request)).get("token", "")
    is_number = text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS

    if is_number:
        await site.store.write(partial(withdraw, number=int(text), user=visitor.name, now=now))
    return see("/account/tokens?done=revoked")
