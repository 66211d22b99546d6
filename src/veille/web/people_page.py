"""`/users`: who may log in, as what, and what an administrator does about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from aiohttp import web

from veille.domain.access import Role
from veille.domain.errors import InputError, LastAdminError
from veille.store import users
from veille.web import again, oidc_exit
from veille.web import users as verbs
from veille.web.passwords import one_time_password
from veille.web.site import Site, access_words_of, form_of, render, see, site_of, visitor_of
from veille.wording.format import visible

T = TypeVar("T")
_WITH_ROLE = {"add", "role"}
_COLUMNS = ("name", "role", "state", "action")


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
    rows = await site.store.read(lambda db: verbs.survey(db, site.now()))
    done, provider = request.query.get("done"), site.provider
    return render(
        request,
        "users.html",
        status=status,
        words=access_words_of(request),
        problem=site.say(f"people.problem.{problem}") if problem else None,
        wrong=("name",) if problem == "name" else (),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What is asked for: a verb on an account, in the name of who asks."""

    request: web.Request
    verb: str
    name: str
    role: str
    actor: str
    now: datetime

    @property
    def site(self) -> Site:
        return site_of(self.request)


async def _write(order: _Order, verb: Callable[..., T], **said: str) -> T:
    """Return what the verb returned, in a transaction with the look whether who asks still may."""
    done = partial(verb, name=order.name, now=order.now, actor=order.actor, **said)
    return await again.write(order.request, done)


async def _add(order: _Order) -> str:
    password = one_time_password()
    kept = await order.site.passwords.hash(password)
    await _write(order, verbs.add_user, role=order.role, password_hash=kept)
    return password


async def _reset(order: _Order) -> str:
    password = one_time_password()
    kept = await order.site.passwords.hash(password)
    await _write(order, verbs.reset_password, password_hash=kept)
    return password


async def _invite(order: _Order) -> str:
    token = await _write(order, verbs.invite)
    return oidc_exit.address(order.site, f"/invitations/{token}")


async def _set_role(order: _Order) -> str:
    await _write(order, verbs.set_role, role=order.role)
    return ""


def _plain(verb: Callable[..., object]) -> Callable[[_Order], Awaitable[str]]:
    async def act(order: _Order) -> str:
        await _write(order, verb)
        return ""

    return act


_VERBS: Mapping[str, Callable[[_Order], Awaitable[str]]] = {
    "add": _add,
    "role": _set_role,
    "reset": _reset,
    "invite": _invite,
    "disable": _plain(verbs.disable),
    "enable": _plain(verbs.enable),
    "factor": _plain(verbs.reset_factor),
    "revoke": _plain(verbs.revoke),
    "unlink": _plain(verbs.unlink),
}
_DONE = set(_VERBS) - {"add", "reset", "invite"}  # these show a secret, once


async def change(request: web.Request) -> web.Response:
    """What the form asks for is done to an account, or the page says what stands in the way.

    A form without `current` is asked for it: what would be done, and to whom, with a field for the
    password of who asks. So a session that was stolen, or left open, changes no account.
    """
    verb, form = request.match_info["verb"], await form_of(request)
    act = _VERBS.get(verb)
    if act is None or (verb == "invite" and site_of(request).provider is None):
        raise web.HTTPNotFound
    order = _Order(
        request=request,
        verb=verb,
        name=form.get("user", "").strip(),
        role=form.get("role", ""),
        actor=visitor_of(request).name,
        now=site_of(request).now(),
    )
    if "current" not in form:
        return await _ask(order)
    if doubt := await again.doubt(request, form):
        return await _ask(order, problem=doubt)
    return await _do(order, act)


async def _do(order: _Order, act: Callable[[_Order], Awaitable[str]]) -> web.Response:
    try:
        secret = await act(order)
    except LastAdminError:
        return await _show(order.request, problem="last", status=409)
    except InputError:
        return await _refuse(order)
    if secret:
        is_link = order.verb == "invite"
        return await _show(order.request, name=order.name, secret=secret, is_link=is_link)
    return see(f"/users?done={order.verb}")


async def _refuse(order: _Order) -> web.Response:
    problem = "name" if order.verb == "add" else "refused"
    return await _show(order.request, problem=problem, name=order.name, status=400)


async def _ask(order: _Order, *, problem: str | None = None) -> web.Response:
    """Return the page that says what would be done, and asks for the password once more."""
    site, is_add = order.site, order.verb == "add"
    user, actor = await site.store.read(
        lambda db: (users.get(db, order.name), users.get(db, order.actor))
    )
    if (user is None) is not is_add or (order.verb in _WITH_ROLE and order.role not in set(Role)):
        return await _refuse(order)
    return render(
        order.request,
        "sure.html",
        status=400 if problem else 200,
        base="/users",
        problem=site.say(f"people.sure.{problem}") if problem else None,
        wrong=("current",) if problem == "wrong" else (),
        verb=order.verb,
        user=user.name if user else order.name,
        name=visible(user.name if user else order.name),
        role=order.role if order.verb in _WITH_ROLE else None,
        is_stale=problem == "stale",
        provider=site.provider.name if site.provider else None,
        has_password=actor is not None and actor.password_hash != again.NO_PASSWORD,
    )
