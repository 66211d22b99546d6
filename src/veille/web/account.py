"""`/account`: one's own password, sessions and language."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web

from veille.store import audit, factors, push, users
from veille.store.engine import Db
from veille.store.factors import Factor
from veille.store.push import Device
from veille.store.users import Session, User
from veille.web import sessions, taste, throttle
from veille.web.again import NO_PASSWORD
from veille.web.passwords import weakness
from veille.web.site import Site, access_words_of, form_of, render, see, site_of, visitor_of
from veille.wording.catalogue import LANGUAGES

_COLUMNS = ("device", "opened", "seen", "action")
_DONE = {"changed", "revoked", "language"}
_PUSH_DONE = {
    f"push_{one}"
    for one in ("on", "off", "tried", "gone", "refused", "many", "slow", "wrong", "stale")
} | {"kept", "unkept"}
_WRONG = {"slow": (), "wrong": ("current",), "different": ("again",)}
"""Fields by what is wrong with them; the rest is about the new password."""
OTHERS = "others"
"""In a form: every session but this one."""


async def page(request: web.Request) -> web.Response:
    """The account of who asks."""
    return await _show(request)


async def _show(
    request: web.Request, *, problem: str | None = None, status: int = 200
) -> web.Response:
    site, visitor = site_of(request), visitor_of(request)
    oldest = site.now() - sessions.IDLE

    def load(db: Db) -> tuple[User | None, list[Session], Factor | None, list[Device]]:
        name = visitor.name
        return (
            users.get(db, name),
            users.sessions(db, name),
            factors.get(db, name),
            push.of(db, name),
        )

    user, found, factor, devices = await site.store.read(load)
    live = [session for session in found if session.seen_at >= oldest]
    done = request.query.get("done")
    return render(
        request,
        "account.html",
        status=status,
        words=access_words_of(request),
        problem=site.say(f"web.account.{problem}") if problem else None,
        wrong=_WRONG.get(problem or "", ("new",) if problem else ()),
        done=site.say(f"web.account.{done}") if done in _DONE else None,
        sessions=live,
        has_password=user is not None and user.password_hash != NO_PASSWORD,
        factor=factor if factor and factor.confirmed_at else None,
        languages=LANGUAGES,
        columns=_COLUMNS,
        push=site.push,
        devices=devices,
        push_done=site.say(f"push.done.{done}", most=push.MOST) if done in _PUSH_DONE else None,
        keeps_last=taste.keeps_last(request),
    )


async def change_password(request: web.Request) -> web.Response:
    """The password is the new one; every session is closed and this browser has a new one."""
    site, visitor = site_of(request), visitor_of(request)
    form = await form_of(request)
    current, new, again = (form.get(key, "") for key in ("current", "new", "again"))
    if await throttle.prove(site.store, visitor.name, "password", now=site.now()):
        return await _show(request, problem="slow", status=429)
    user = await site.store.read(lambda db: users.get(db, visitor.name))
    is_right = await site.passwords.check(user.password_hash if user else None, current)
    if user is None or not is_right:
        return await _show(request, problem="wrong", status=400)
    problem = _problem(site, visitor.name, current, new, again)
    if problem is not None:
        return await _show(request, problem=problem, status=400)
    token = await _replace(request, user, await site.passwords.hash(new))
    if token is None:
        return see("/login")
    response = see("/account?done=changed")
    sessions.give(request, response, token)
    return response


def _problem(site: Site, name: str, current: str, new: str, again: str) -> str | None:
    if new != again:
        return "different"
    if new == current:
        return "same"
    return weakness(new, name=name, institution=site.institution)


async def _replace(request: web.Request, user: User, password_hash: str) -> str | None:
    """Return the token of the new session; None when this one was ended meanwhile."""
    site = site_of(request)
    now, mine = site.now(), visitor_of(request).session

    def change(db: Db) -> str | None:
        found = users.session(db, mine, now=now)
        if found is None:  # an administrator was faster: what they set stays
            return None
        users.set_password(db, user.name, password_hash=password_hash, must_change=False, now=now)
        throttle.proven(db, user.name, "password")
        audit.add(db, at=now, actor=user.name, action="password.change", target=user.name)
        opened = sessions.opening(request, found[0].proof)
        return sessions.open_session(db, user, now=now, instead_of=None, opened=opened)

    return await site.store.write(change)


async def revoke(request: web.Request) -> web.Response:
    """One of one's own sessions is closed, or all but this one; nobody else's ever is."""
    site, visitor = site_of(request), visitor_of(request)
    form = await form_of(request)
    wanted, now = form.get("session", ""), site.now()

    if wanted == OTHERS:
        await site.store.write(
            lambda db: close_all(db, visitor.name, besides=visitor.session, now=now)
        )
    else:
        await site.store.write(lambda db: close_one(db, visitor.name, wanted, now=now))
    return see("/account?done=revoked")


def close_one(db: Db, name: str, token_hash: str, *, now: datetime) -> bool:
    """Whether this session was the user's, and is closed."""
    if all(one.token_hash != token_hash for one in users.sessions(db, name)):
        return False
    users.end_session(db, token_hash)
    audit.add(db, at=now, actor=name, action="session.revoke", target=name)
    return True


def close_all(db: Db, name: str, *, besides: str, now: datetime) -> int:
    """The user has no session but that of the hash `besides`; return how many there were."""
    count = users.end_sessions(db, name, besides=besides)
    audit.add(
        db, at=now, actor=name, action="session.revoke", target=name,
        before={"sessions": count}, after={"sessions": 0},
    )  # fmt: skip
    return count


async def choose_language(request: web.Request) -> web.Response:
    """Pages speak the language of the form to who asks, from the next one on."""
    site, visitor = site_of(request), visitor_of(request)
    wanted = (await form_of(request)).get("language", "")
    chosen = wanted if wanted in LANGUAGES else None  # anything else: that of the installation
    await site.store.write(lambda db: users.set_language(db, visitor.name, chosen))
    return see("/account?done=language")
