"""`/login/provider`: signing in by the word of an identity provider."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import structlog
from aiohttp import web

from veille.domain.errors import InputError, LoginRefused
from veille.store import audit, factors, logins, users
from veille.store.engine import Db
from veille.store.users import Proof, User
from veille.web import login, login_code, presession, sessions, throttle
from veille.web.network import is_same_site
from veille.web.oidc_exit import address
from veille.web.ports import Knock, Person, Provider
from veille.web.site import Site, render, see, site_of
from veille.web.users import invitation_hash
from veille.wording.format import visible

STEP = "provider"
RETURN = "/login/provider/back"
_LONGEST_CODE = 2048
_LONGEST_ID_TOKEN = 8192
_LONGEST_HELD = 1792  # sealed in a cookie beside the rest: presession.py takes 4,096 of base64
_LONGEST_INVITATION = 64
_NAMELESS = "agent"
log = structlog.get_logger(__name__)


def _provider(site: Site) -> Provider:
    if site.provider is None:
        raise web.HTTPNotFound
    return site.provider


async def leave(request: web.Request) -> web.Response:
    """The browser goes to the provider, and holds what only this login may come back with."""
    site, provider = site_of(request), _provider(site_of(request))
    if await throttle.knock(site.store, login.address_of(request), now=site.now()):
        return login.refused(request, "slow", status=429)
    knock = Knock(
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
    )
    try:
        response = see(await provider.door(knock, back=address(site, RETURN)))
    except LoginRefused as error:
        return _refused(request, error)
    # an invitation is followed from our own page, which says whose it is
    is_ours = is_same_site(request.headers, site.settings.origin)
    wanted = request.query.get("invitation", "") if is_ours else ""
    held = {
        "state": knock.state,
        "nonce": knock.nonce,
        "verifier": knock.verifier,
        "next": login.safe_next(request.query.get("next", "/")),
        "invitation": wanted[:_LONGEST_INVITATION],
    }
    presession.hold(request, response, STEP, held)
    return response


async def back(request: web.Request) -> web.Response:
    """Whom the provider answers for has a session, if this browser asked and an account fits."""
    held = presession.held(request, STEP)
    try:
        response = await _enter(request, held)
    except LoginRefused as error:
        response = _refused(request, error)
    if response.status != 303 or "/login/code" not in response.headers["Location"]:  # noqa: PLR2004
        presession.release(request, response)  # state and nonce have served, well or badly
    return response


async def _enter(request: web.Request, held: Mapping[str, str] | None) -> web.Response:
    site, provider = site_of(request), _provider(site_of(request))
    state = request.query.get("state", "").encode("utf-8", "surrogatepass")
    if held is None or not secrets.compare_digest(held["state"].encode(), state):
        raise LoginRefused("state", "the answer is of another browser or another login")
    code = request.query.get("code", "")
    if not code or len(code) > _LONGEST_CODE or "error" in request.query:
        raise LoginRefused("denied", "the provider sent no code")
    knock = Knock(state=held["state"], nonce=held["nonce"], verifier=held["verifier"])
    person = await provider.person(code, knock, back=address(site, RETURN))
    id_token = person.id_token if len(person.id_token) <= _LONGEST_ID_TOKEN else None
    must_show_code = False

    def check(db: Db) -> User | None:
        nonlocal must_show_code
        user = _account(db, request, person, held["invitation"])
        factor = factors.get(db, user.name)
        must_show_code = not person.is_strong and bool(factor and factor.confirmed_at)
        is_required = user.role in site.settings.second_factor
        if is_required and not person.is_strong and not must_show_code:
            raise LoginRefused("factor", "the role asks for a second factor, the provider did not")
        return None if must_show_code else user

    response = see(held["next"])
    opened = sessions.opening(request, Proof.PROVIDER, id_token=id_token)
    if await sessions.start(request, response, opened, check=check):
        return response
    if not must_show_code:
        raise LoginRefused("disabled", "the account is disabled")
    return await _to_code(request, person, held["next"], id_token)


async def _to_code(
    request: web.Request, person: Person, to: str, id_token: str | None
) -> web.Response:
    """Return the way to the second step: a second factor here is asked for, whoever vouches."""
    user = await site_of(request).store.read(
        lambda db: logins.linked(db, issuer=person.issuer, subject=person.subject)
    )
    if user is None:
        raise LoginRefused("stranger", "the account went away meanwhile")
    response = see("/login/code")
    said = {"user": user.name, "password_at": user.password_at.isoformat(), "next": to}
    said |= {"issuer": person.issuer, "subject": person.subject}
    held = id_token if id_token and len(id_token) <= _LONGEST_HELD else ""
    presession.hold(request, response, login_code.STEP, {**said, "id_token": held})
    return response


def _account(db: Db, request: web.Request, person: Person, invitation: str) -> User:
    """Return the account of this person: the linked one, the invited one, or a new one."""
    user = logins.linked(db, issuer=person.issuer, subject=person.subject)
    if invitation:
        user = _accept(db, request, person, invitation)
    if user is None:
        user = _open_account(db, request, person)
        _link(db, request, user, person)
    if user.disabled_at is not None:
        raise LoginRefused("disabled", "the account is disabled")
    return user


def _accept(db: Db, request: web.Request, person: Person, invitation: str) -> User:
    now, token_hash = site_of(request).now(), invitation_hash(invitation)
    invited = logins.invited(db, token_hash, now=now)
    if invited is None:
        raise LoginRefused("invitation", "the invitation was used, or is too old")
    known = logins.linked(db, issuer=person.issuer, subject=person.subject)
    if known is not None and known.name != invited.name:
        raise LoginRefused("taken", "the identity is another account's")
    logins.drop_invitation(db, token_hash)
    if known is None:
        _link(db, request, invited, person)
    if invited.must_change:  # the one-time password nobody used opens nothing any more
        users.drop_password(db, invited.name, now=now)
    return users.get(db, invited.name) or invited


def _link(db: Db, request: web.Request, user: User, person: Person) -> None:
    now = site_of(request).now()
    logins.link(db, user.name, issuer=person.issuer, subject=person.subject, now=now)
    said = {"issuer": person.issuer}
    audit.add(db, at=now, actor=user.name, action="user.link", target=user.name, after=said)


def _open_account(db: Db, request: web.Request, person: Person) -> User:
    site, provider = site_of(request), _provider(site_of(request))
    role = provider.role_of(person)
    if role is None:
        reason = "organisation" if provider.opens_accounts else "stranger"
        raise LoginRefused(reason, "nobody invited this person")
    wanted = " ".join(person.name.split())[: users.NAME_LENGTH - 4]
    base = wanted if wanted.isprintable() and wanted else _NAMELESS
    name = next(each for each in _names(base) if users.get(db, each) is None)
    try:
        user = users.add(db, name=name, password_hash="", role=role, now=site.now())
    except InputError as error:
        raise LoginRefused("stranger", "no account can have this name") from error
    audit.add(
        db, at=site.now(), actor="provider", action="user.add", target=user.name,
        after={"role": role.value},
    )  # fmt: skip
    return user


def _names(base: str) -> list[str]:
    return [base, *(f"{base} {number}" for number in range(2, 1000))]


async def invitation(request: web.Request) -> web.Response:
    """What an invitation does, and the way on: to look at it uses nothing up."""
    site, provider = site_of(request), _provider(site_of(request))
    token = request.match_info["token"][:_LONGEST_INVITATION]
    wanted = invitation_hash(token)
    user = await site.store.read(lambda db: logins.invited(db, wanted, now=site.now()))
    if user is None:
        if await throttle.guess(site.store, login.address_of(request), now=site.now()):
            return login.refused(request, "slow", status=429)
        return login.refused(request, "invitation", status=410)
    response = render(
        request, "invitation.html", token=token, name=visible(user.name), provider=provider.name
    )
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _refused(request: web.Request, error: LoginRefused) -> web.Response:
    log.warning("provider_login_refused", reason=error.reason, why=str(error))
    return login.refused(request, error.reason)
