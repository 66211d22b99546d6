"""`/l/<token>`: the page a mail leads to, on which one receiver takes one incident."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiohttp import web

from veille.domain.access import Access, may
from veille.domain.errors import ConflictError
from veille.domain.ids import short_id
from veille.domain.incident import Incident, IncidentState
from veille.domain.notification import Facts
from veille.store import audit, incidents, timeline, users
from veille.store.engine import Db
from veille.web import throttle
from veille.web.login import address_of
from veille.web.network import is_same_site
from veille.web.ports import LinkDesk
from veille.web.site import done_of, render, see, site_of, words_of
from veille.wording.format import visible

_FIELDS = struct.Struct(">BQQQ8s")  # purpose, incident, when it opened, expiry (s), receiver
_TAKE = 1
_MAC_BYTES = 16  # 128 bits, as NIST SP 800-107, 5.3.4 allows
_LONGEST = 100
_EPOCH, _SECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a token says. `receiver` is a keyed digest: an address shows no name."""

    incident: int
    opened_s: int
    expires_at: datetime
    receiver: bytes


def link_key(secret: bytes) -> bytes:
    """Return the key of links, of use for nothing else, from a secret that serves others too."""
    return hmac.digest(secret, b"veille link in a mail v1", hashlib.sha256)


def token(facts: Facts, *, receiver: str, desk: LinkDesk) -> str:
    """Return the token by which `receiver` takes the incident; "" when it is open no more.

    It expires `lifetime` after the notification was planned, so that a repeated mail is the same.
    """
    if facts.state is not IncidentState.OPEN or receiver not in desk.owners:
        return ""
    times = (_seconds(facts.opened_at), _seconds(facts.at + desk.lifetime))
    said = _FIELDS.pack(_TAKE, facts.incident, *times, _mark(receiver, desk))
    return base64.urlsafe_b64encode(said + _mac(said, desk)).rstrip(b"=").decode()


def read(text: str, *, desk: LinkDesk) -> Ticket | None:
    """Return what a token of ours says, expired or not; None for any other text."""
    try:
        padded = text[:_LONGEST].encode("ascii") + b"=="
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    said, mac = raw[: _FIELDS.size], raw[_FIELDS.size :]
    if len(raw) != _FIELDS.size + _MAC_BYTES or not hmac.compare_digest(mac, _mac(said, desk)):
        return None
    _, incident, opened_s, expires_s, receiver = _FIELDS.unpack(said)
    return Ticket(
        incident=incident,
        opened_s=opened_s,
        expires_at=_EPOCH + expires_s * _SECOND,
        receiver=receiver,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What a valid link leads to; `actor` None: who takes it must sign in."""

    incident: Incident
    actor: str | None


async def page(request: web.Request) -> web.Response:
    """What would be taken, in whose name, and a button: to look at it takes nothing."""
    opened = await _open(request)
    return opened if isinstance(opened, web.Response) else _show(request, opened)


async def take(request: web.Request) -> web.Response:
    """The incident is taken by the person whom the mail reached; the page says who was faster."""
    site, opened = site_of(request), await _open(request)
    if isinstance(opened, web.Response):
        return opened
    if opened.actor is None or not _is_pressed(request):
        return _show(request, opened, status=403)
    actor, name = opened.actor, short_id("I", opened.incident.id)
    await site.store.write(
        lambda db: audit.add(db, at=site.now(), actor=actor, action="link.used", target=name)
    )
    try:
        await site.actions.acknowledge(name, actor=actor)
    except ConflictError:
        incident, events = await site.store.read(
            lambda db: (incidents.get(db, opened.incident.id), timeline.of(db, name))
        )
        now = _Opened(incident=incident or opened.incident, actor=actor)
        said = words_of(request).conflict(events)
        return _show(request, now, problem=said, status=409)
    return see(f"{request.path}?done=take")


async def _open(request: web.Request) -> _Opened | web.Response:
    """Return what the link of this request leads to, else the page that says why nowhere."""
    site = site_of(request)
    desk = site.links
    if desk is None:
        raise web.HTTPNotFound
    ticket = read(request.match_info["token"], desk=desk)
    if ticket is None:
        wait = await throttle.guess(site.store, address_of(request), now=site.now())
        raise web.HTTPNotFound if wait is None else web.HTTPTooManyRequests
    owners = {_mark(name, desk): owner for name, owner in desk.owners.items()}

    def look(db: Db) -> _Opened | None:
        incident = incidents.get(db, ticket.incident)
        if incident is None or _seconds(incident.opened_at) != ticket.opened_s:
            return None  # gone, or another installation gave its number again
        return _Opened(incident=incident, actor=_actor(db, owners.get(ticket.receiver)))

    found = None if ticket.expires_at <= site.shown_now() else await site.store.read(look)
    if found is None:
        gone = render(request, "error.html", status=410, key="410", error_id=None)
        return _unlisted(gone)
    return found


def _is_pressed(request: web.Request) -> bool:
    """Whether a browser sent the form of our page: each says at least one of these on a POST.

    A program that opens links, and posts what it finds, says neither.
    """
    headers = request.headers
    is_browser = "Sec-Fetch-Site" in headers or "Origin" in headers
    return is_browser and is_same_site(headers, site_of(request).settings.origin)


def _actor(db: Db, name: str | None) -> str | None:
    user = None if name is None else users.get(db, name)
    may_act = user is not None and user.disabled_at is None and may(user.role, Access.ACT)
    return user.name if user is not None and may_act else None


def _show(
    request: web.Request, opened: _Opened, *, problem: str | None = None, status: int = 200
) -> web.Response:
    incident, words = opened.incident, words_of(request)
    name = short_id("I", incident.id)
    return _unlisted(
        render(
            request,
            "link.html",
            status=status,
            id=name,
            incident=incident,
            title=visible(incident.title),
            owner=words.owner(incident),
            is_open=incident.state is IncidentState.OPEN,
            actor=opened.actor,
            problem=problem,
            done=done_of(request, name),
        )
    )


def _unlisted(response: web.Response) -> web.Response:
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _seconds(at: datetime) -> int:
    return (at - _EPOCH) // _SECOND


def _mark(receiver: str, desk: LinkDesk) -> bytes:
    return hmac.digest(desk.key, b"receiver " + receiver.encode(), hashlib.sha256)[:8]


def _mac(said: bytes, desk: LinkDesk) -> bytes:
    return hmac.digest(desk.key, b"ticket " + said, hashlib.sha256)[:_MAC_BYTES]
