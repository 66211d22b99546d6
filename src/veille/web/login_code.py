"""`/login/code`: the second step of a login, with a code of the app or a recovery code."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from aiohttp import web

from veille.domain.errors import InputError
from veille.store import audit, logins
from veille.store.engine import Db
from veille.store.users import Proof, User
from veille.web import login, presession, second_factor, sessions, throttle
from veille.web.network import is_same_site
from veille.web.site import form_of, render, see, site_of
from veille.wording.format import duration

STEP = "code"
_LONGEST = 32
log = structlog.get_logger(__name__)


async def page(request: web.Request) -> web.Response:
    """The form, for a browser that has shown a right password minutes ago."""
    return see("/login") if presession.held(request, STEP) is None else _form(request)


def _form(
    request: web.Request, problem: str | None = None, *, status: int = 200, **said: object
) -> web.Response:
    sentence = site_of(request).say(f"people.code.{problem}", **said) if problem else None
    wrong = ("code",) if problem == "wrong" else ()
    return render(request, "code.html", problem=sentence, wrong=wrong, status=status)


def _holder(db: Db, held: Mapping[str, str]) -> User | None:
    """Return whose first step it was, if the password, or the provider's word, opens it still."""
    user = login.same(db, held["user"], held["password_at"])
    if "issuer" not in held:
        return user
    linked = logins.linked(db, issuer=held["issuer"], subject=held["subject"])
    return user if user == linked else None


async def submit(request: web.Request) -> web.Response:
    """A right code, once, opens the session its password was shown for."""
    site, held = site_of(request), presession.held(request, STEP)
    if held is None:
        return see("/login")
    if not is_same_site(request.headers, site.settings.origin):
        return _form(request, "outside", status=403)
    code = (await form_of(request)).get("code", "")[:_LONGEST]
    wait = await throttle.prove(site.store, held["user"], "code", now=site.now())
    if wait is not None:
        response = _form(request, "slow", status=429, wait=duration(site.say, wait))
        response.headers["Retry-After"] = str(max(1, round(wait.total_seconds())))
        return response
    response, address = see(login.safe_next(held["next"])), login.address_of(request)

    def check(db: Db) -> User | None:
        user = _holder(db, held)
        return user if user is not None and _spend(db, user, code) else None

    def _spend(db: Db, user: User, code: str) -> bool:
        spent = second_factor.spend(db, user.name, code, key=site.secret, now=site.now())
        if spent is None:
            return False
        throttle.proven(db, user.name, "code")
        device = sessions.known_device(request)
        throttle.welcome(db, user.name, address, device=device, now=site.now())
        if spent == "recovery":
            audit.add(db, at=site.now(), actor=user.name, action="factor.recover", target=user.name)
        return True

    id_token = held.get("id_token") or None
    opened = sessions.opening(request, Proof.CODE, id_token=id_token)
    try:
        is_in = await sessions.start(request, response, opened, check=check)
    except InputError:
        log.warning("second_factor_unreadable")  # the key has changed: docs/access.md
        return _form(request, "unreadable", status=401)
    if not is_in:
        log.warning("code_failed", address=address)
        return _form(request, "wrong", status=401)
    presession.release(request, response)
    return response
