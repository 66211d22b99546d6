"""`/account/factor`: one's own second factor, from the QR code to the codes on paper."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from aiohttp import web

from veille.domain.errors import InputError
from veille.store import audit, factors, users
from veille.store.engine import Db
from veille.web import again, second_factor, throttle
from veille.web.site import access_words_of, form_of, render, see, site_of, visitor_of

_DONE = {"removed"}


async def page(request: web.Request) -> web.Response:
    """Whether there is one, and what can be done about it."""
    return await _show(request)


async def _show(
    request: web.Request,
    *,
    problem: str | None = None,
    secret: bytes | None = None,
    codes: Sequence[str] = (),
    status: int = 200,
) -> web.Response:
    site, visitor = site_of(request), visitor_of(request)
    factor, user = await site.store.read(
        lambda db: (factors.get(db, visitor.name), users.get(db, visitor.name))
    )
    issuer = f"{site.say('web.product')} {site.institution}"
    link = second_factor.address(secret, user=visitor.name, issuer=issuer) if secret else ""
    done = request.query.get("done")
    return render(
        request,
        "factor.html",
        status=status,
        words=access_words_of(request),
        problem=site.say(f"people.factor.{problem}") if problem else None,
        wrong={"wrong": _asks(request), "wrong_code": ("code",)}.get(problem or "", ()),
        done=site.say(f"people.factor.{done}") if done in _DONE else None,
        factor=factor if factor and factor.confirmed_at else None,
        secret=second_factor.written(secret) if secret else None,
        picture=second_factor.picture(link) if link else None,
        codes=codes,
        has_password=user is not None and user.password_hash != again.NO_PASSWORD,
        is_required=visitor.role in site.settings.second_factor,
    )


async def propose(request: web.Request) -> web.Response:
    """A secret waits to be confirmed, and is shown this once; one that counts already stays."""
    site, visitor = site_of(request), visitor_of(request)
    if doubt := await again.doubt(request, await form_of(request)):
        return await _show(request, problem=doubt, status=400)
    secret = second_factor.new_secret()
    sealed = second_factor.sealed(site.secret, visitor.name, secret)
    now = site.now()
    if not await again.write(
        request, lambda db: factors.propose(db, visitor.name, sealed=sealed, now=now)
    ):
        return see("/account/factor")
    return await _show(request, secret=secret)


async def confirm(request: web.Request) -> web.Response:
    """The secret counts from now on, since the app gave its code; other sessions are closed."""
    site, visitor = site_of(request), visitor_of(request)
    form = await form_of(request)
    if await throttle.prove(site.store, visitor.name, "code", now=site.now()):
        return await _show(request, problem="slow", status=429)
    factor = await site.store.read(lambda db: factors.get(db, visitor.name))
    if factor is None or factor.confirmed_at is not None:
        return see("/account/factor")
    now, codes = site.now(), second_factor.recovery_codes()
    if now - factor.proposed_at > again.FRESH:  # what was on the screen may have been seen since
        return await _show(request, problem="late", status=400)
    secret = _opened(request, factor.sealed)
    if secret is None or not _knows(form.get("secret", ""), secret):  # it outlives a session
        return see("/account/factor")
    step = second_factor.step_of(secret, form.get("code", ""), now=now)
    if step is None:
        return await _show(request, problem="wrong_code", secret=secret, status=400)
    macs = second_factor.macs(site.secret, visitor.name, codes)

    def keep(db: Db) -> bool:
        if not factors.confirm(db, visitor.name, step=step, macs=macs, now=now):
            return False
        throttle.proven(db, visitor.name, "code")
        users.end_sessions(db, visitor.name, besides=visitor.session)
        users.prove_session(db, visitor.session)
        audit.add(
            db, at=now, actor=visitor.name, action="factor.add", target=visitor.name,
            before={"has_factor": False}, after={"has_factor": True},
        )  # fmt: skip
        return True

    if not await again.write(request, keep):
        return see("/account/factor")
    return await _show(request, codes=codes)


async def renew(request: web.Request) -> web.Response:
    """There are ten other recovery codes, shown this once; the ones before are worth nothing."""
    site, visitor = site_of(request), visitor_of(request)
    if doubt := await again.doubt(request, await form_of(request)):
        return await _show(request, problem=doubt, status=400)
    now, codes = site.now(), second_factor.recovery_codes()
    macs = second_factor.macs(site.secret, visitor.name, codes)

    def keep(db: Db) -> bool:
        factor = factors.get(db, visitor.name)
        if factor is None or factor.confirmed_at is None:
            return False
        factors.renew(db, visitor.name, macs=macs)
        audit.add(db, at=now, actor=visitor.name, action="factor.renew", target=visitor.name)
        return True

    is_done = await again.write(request, keep)
    return await _show(request, codes=codes) if is_done else see("/account/factor")


async def remove(request: web.Request) -> web.Response:
    """There is no second factor any more, since password and code were right."""
    site, visitor = site_of(request), visitor_of(request)
    form = await form_of(request)
    if doubt := await again.doubt(request, form):
        return await _show(request, problem=doubt, status=400)
    if await throttle.prove(site.store, visitor.name, "code", now=site.now()):
        return await _show(request, problem="slow", status=429)
    now = site.now()

    def drop(db: Db) -> bool:
        code = form.get("code", "")
        if second_factor.spend(db, visitor.name, code, key=site.secret, now=now) is None:
            return False
        throttle.proven(db, visitor.name, "code")
        factors.remove(db, visitor.name)
        users.end_sessions(db, visitor.name, besides=visitor.session)
        audit.add(
            db, at=now, actor=visitor.name, action="factor.remove", target=visitor.name,
            before={"has_factor": True}, after={"has_factor": False},
        )  # fmt: skip
        return True

    try:
        is_gone = await again.write(request, drop)
    except InputError:
        return await _show(request, problem="unreadable", status=400)
    if not is_gone:
        return await _show(request, problem="wrong_code", status=400)
    return see("/account/factor?done=removed")


def _asks(request: web.Request) -> tuple[str, ...]:
    """Return the ids that the field of the password may have, in the form that was sent."""
    return "current", f"current-{request.path.rpartition('/')[2]}"


def _knows(written: str, secret: bytes) -> bool:
    """Whether the form is of the page that showed this secret, to who had shown who they are."""
    given = written.encode("utf-8", "surrogatepass")
    return hmac.compare_digest(given, second_factor.written(secret).encode())


def _opened(request: web.Request, sealed: bytes) -> bytes | None:
    try:
        return second_factor.unsealed(site_of(request).secret, visitor_of(request).name, sealed)
    except InputError:
        return None
