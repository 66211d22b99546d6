"""`/users`: who may log in, as what, and what an administrator does about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from veille.domain.access import Role
from veille.domain.errors import InputError, LastAdminError
from veille.store import factors, logins, tokens, users
from veille.store.engine import Db
from veille.store.users import User, folded
from veille.web import again, oidc_exit
from veille.web import users as verbs
from veille.web.passwords import one_time_password
from veille.web.site import Site, form_of, render, see, site_of, visitor_of
from veille.wording.format import visible

_COLUMNS = ("name", "role", "state", "action")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A user as the page shows them. `seen_at` is of the newest session there still is."""

    user: User
    has_password: bool
    has_factor: bool
    is_linked: bool
    sessions: int
    tokens: int
    seen_at: datetime | None


def _rows(db: Db, now: datetime) -> list[Row]:
    with_factor, elsewhere = factors.users_with(db), logins.users_linked(db)
    good, open_ = tokens.counts(db, now=now), users.open_sessions(db, now=now)
    return [
        Row(
            user=user,
            has_password=user.password_hash != again.NO_PASSWORD,
            has_factor=(who := folded(user.name)) in with_factor,
            is_linked=who in elsewhere,
            sessions=open_.get(who, (0, None))[0],
            tokens=good.get(who, 0),
            seen_at=open_.get(who, (0, None))[1],
        )
        for user in users.list_(db)
    ]


async def page(request: web.Request) -> web.Response:
    """Everybody, and the form for one more."""
    return await _show(request)


async def _show(
    request: web.Request,
    *,
    problem: str | None = None,
    name: str = "",
    secret: str = "",
    is_link: bool = False,
    status: int = 200,
) -> web.Response:
    site = site_of(request)
    rows = await site.store.read(lambda db: _rows(db, site.now()))
    done, provider = request.query.get("done"), site.provider
    return render(
        request,
        "users.html",
        status=status,
        problem=site.say(f"people.problem.{problem}") if problem else None,
        done=site.say(f"people.done.{done}") if done in _DONE else None,
        rows=rows,
        roles=list(Role),
        columns=_COLUMNS,
        provider=provider.name if provider else None,
        secret=secret,
        is_link=is_link,
        name=visible(name),
        visible=visible,
        required=site.settings.second_factor,
    )


async def add(request: web.Request) -> web.Response:
    """There is another user; their one-time password is shown this once."""
    site, form, actor = site_of(request), await form_of(request), visitor_of(request).name
    name, role, now = form.get("name", ""), form.get("role", ""), site.now()
    password = one_time_password()
    kept = await site.passwords.hash(password)
    try:
        await site.store.write(
            lambda db: verbs.add_user(db, name, role, now, actor=actor, password_hash=kept)
        )
    except InputError:
        return await _show(request, problem="name", name=name, status=400)
    return await _show(request, name=name.strip(), secret=password)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    site: Site
    name: str
    actor: str
    now: datetime
    role: str


async def _reset(order: _Order) -> str:
    password = one_time_password()
    kept = await order.site.passwords.hash(password)
    await order.site.store.write(
        lambda db: verbs.reset_password(
            db, order.name, order.now, actor=order.actor, password_hash=kept
        )
    )
    return password


async def _invite(order: _Order) -> str:
    token = await order.site.store.write(
        lambda db: verbs.invite(db, order.name, order.now, actor=order.actor)
    )
    return oidc_exit.address(order.site, f"/invitations/{token}")


async def _set_role(order: _Order) -> str:
    await order.site.store.write(
        lambda db: verbs.set_role(db, order.name, order.role, order.now, actor=order.actor)
    )
    return ""


def _plain(verb: Callable[..., object]) -> Callable[[_Order], Awaitable[str]]:
    async def act(order: _Order) -> str:
        await order.site.store.write(lambda db: verb(db, order.name, order.now, actor=order.actor))
        return ""

    return act


_VERBS: Mapping[str, Callable[[_Order], Awaitable[str]]] = {
    "role": _set_role,
    "reset": _reset,
    "invite": _invite,
    "disable": _plain(verbs.disable),
    "enable": _plain(verbs.enable),
    "factor": _plain(verbs.reset_factor),
    "revoke": _plain(verbs.revoke),
    "unlink": _plain(verbs.unlink),
}
_DONE = set(_VERBS) - {"reset", "invite"}  # these two show a secret, once


async def change(request: web.Request) -> web.Response:
    """What the form asks for is done to a user, or the page says what stands in the way."""
    verb, form = request.match_info["verb"], await form_of(request)
    act = _VERBS.get(verb)
    if act is None or (verb == "invite" and site_of(request).provider is None):
        raise web.HTTPNotFound
    site = site_of(request)
    order = _Order(
        site=site,
        name=form.get("user", ""),
        actor=visitor_of(request).name,
        now=site.now(),
        role=form.get("role", ""),
    )
    try:
        secret = await act(order)
    except LastAdminError:
        return await _show(request, problem="last", status=409)
    except InputError:
        return await _show(request, problem="refused", status=400)
    if secret:
        return await _show(request, name=order.name, secret=secret, is_link=verb == "invite")
    return see(f"/users?done={verb}")
