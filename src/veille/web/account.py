"""`/account`: one's own password and sessions."""

from __future__ import annotations

from aiohttp import web

from veille.store import audit, users
from veille.store.engine import Db
from veille.store.users import User
from veille.web import sessions, throttle
from veille.web.login import address_of
from veille.web.passwords import weakness
from veille.web.site import Site, form_of, render, see, site_of, visitor_of

_COLUMNS = ("opened", "seen", "action")


async def page(request: web.Request) -> web.Response:
    """The account of who asks."""
    return await _show(request)


async def _show(
    request: web.Request, *, problem: str | None = None, status: int = 200
) -> web.Response:
    site, visitor = site_of(request), visitor_of(request)
    oldest = site.now() - sessions.IDLE
    found = await site.store.read(lambda db: users.sessions(db, visitor.name))
    live = [session for session in found if session.seen_at >= oldest]
    done = request.query.get("done")
    return render(
        request,
        "account.html",
        status=status,
        problem=site.say(f"web.account.{problem}") if problem else None,
        done=site.say(f"web.account.{done}") if done in {"changed", "revoked"} else None,
        sessions=live,
        columns=_COLUMNS,
    )


async def change_password(request: web.Request) -> web.Response:
    """The password is the new one; every session is closed and this browser has a new one."""
    site, visitor = site_of(request), visitor_of(request)
    form = await form_of(request)
    current, new, again = (form.get(key, "") for key in ("current", "new", "again"))
    if await throttle.attempt(site.store, visitor.name, address_of(request), now=site.now()):
        return await _show(request, problem="slow", status=429)
    user = await site.store.read(lambda db: users.get(db, visitor.name))
    is_right = await site.passwords.check(user.password_hash if user else None, current)
    if user is None or not is_right:
        return await _show(request, problem="wrong", status=400)
    problem = _problem(site, visitor.name, current, new, again)
    if problem is not None:
        return await _show(request, problem=problem, status=400)
    token = await _replace(request, user, await site.passwords.hash(new))
    response = see("/account?done=changed")
    sessions.give(request, response, token)
    return response


def _problem(site: Site, name: str, current: str, new: str, again: str) -> str | None:
    if new != again:
        return "different"
    if new == current:
        return "same"
    return weakness(new, name=name, institution=site.institution)


async def _replace(request: web.Request, user: User, password_hash: str) -> str:
    site = site_of(request)
    now, address = site.now(), address_of(request)

    def change(db: Db) -> str:
        users.set_password(db, user.name, password_hash=password_hash, must_change=False, now=now)
        users.clear_failures(db, name=user.name, address=address)
        audit.add(db, at=now, actor=user.name, action="password.change", target=user.name)
        return sessions.open_session(db, user, now=now, instead_of=None)

    return await site.store.write(change)


async def revoke(request: web.Request) -> web.Response:
    """One of one's own sessions is closed; another's is not, whatever the form says."""
    site, visitor = site_of(request), visitor_of(request)
    form = await form_of(request)
    wanted, now = form.get("session", ""), site.now()

    def close(db: Db) -> None:
        if any(one.token_hash == wanted for one in users.sessions(db, visitor.name)):
            users.end_session(db, wanted)
            audit.add(db, at=now, actor=visitor.name, action="session.revoke", target=visitor.name)

    await site.store.write(close)
    return see("/account?done=revoked")
