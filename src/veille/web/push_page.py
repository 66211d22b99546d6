"""`/account`: which of one's browsers are notified, and whether this one keeps the last state."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime

import msgspec
from aiohttp import web

from veille.domain.errors import InputError
from veille.domain.notification import TRIAL_KEY, NotificationKind, OutboxRow
from veille.net import webpush
from veille.net.webpush import Subscription
from veille.privacy import seal
from veille.store import audit, outbox, push
from veille.store.engine import Db
from veille.web import again, sessions, taste
from veille.web.devices import device
from veille.web.ports import PushDesk
from veille.web.site import form_of, see, site_of, visitor_of

_DIGITS = 18
_BACK = "/account?done=push_{}#push"


async def add(request: web.Request) -> web.Response:
    """This browser is notified from now on; its address is kept sealed.

    Who one is must be shown again: a notification carries a link that takes incidents, and
    outlives the session.
    """
    visitor, desk = visitor_of(request), _desk(request)
    form, now = await form_of(request), site_of(request).now()
    if doubt := await again.doubt(request, form):
        return see(_BACK.format(doubt))
    given = Subscription(**{key: form.get(key, "") for key in ("endpoint", "p256dh", "auth")})
    try:
        webpush.check(given, hosts=desk.hosts, allow_private=desk.allow_private)
    except InputError:
        return see(_BACK.format("refused"))
    mark = hashlib.sha256(given.endpoint.encode()).hexdigest()
    sealed = seal.seal(
        msgspec.json.encode(given).decode(), desk.sealing_key, os.urandom(seal.NONCE_BYTES), mark
    )
    name = device(request.headers.get("User-Agent", ""))
    known = sessions.known_device(request) or ""

    def keep(db: Db) -> int | None:
        number = push.add(
            db, user=visitor.name, mark=mark, sealed=sealed, name=name, known=known, now=now
        )
        if number is not None:
            audit.add(
                db, at=now, actor=visitor.name, action="push.add", target=visitor.name,
                after={"device": number},
            )  # fmt: skip
        return number

    return see(_BACK.format("many" if await again.write(request, keep) is None else "on"))


async def try_out(request: web.Request) -> web.Response:
    """A message that says nothing waits in the outbox for one of one's own devices."""
    site, name, desk = site_of(request), visitor_of(request).name, _desk(request)
    number, now = await _number(request), site.now()
    is_planned = await site.store.write(
        lambda db: plan_trial(db, number, user=name, receiver=desk.receiver, now=now)
    )
    return see(_BACK.format("tried" if is_planned else "gone"))


def plan_trial(db: Db, number: int, *, user: str, receiver: str, now: datetime) -> bool:
    """Whether the user has this device, and a trial of it waits in the outbox."""
    if all(one.id != number for one in push.of(db, user)):
        return False
    trial = OutboxRow(
        # one a second: a finger that trembles is one trial
        key=f"{TRIAL_KEY}{number}.{int(now.timestamp())}",
        receiver=receiver,
        incident=0,
        kind=NotificationKind.TRIAL,
        facts=None,
        due_at=now,
    )
    outbox.add(db, [trial])
    return True


async def remove(request: web.Request) -> web.Response:
    """One of one's own devices is notified no more."""
    site, name, now = site_of(request), visitor_of(request).name, site_of(request).now()
    number = await _number(request)
    await site.store.write(lambda db: end(db, number, user=name, now=now))
    return see(_BACK.format("off"))


def end(db: Db, number: int, *, user: str, now: datetime) -> bool:
    """Whether the user had this device, and it is notified no more."""
    if push.remove(db, number, user=user) is None:
        return False
    audit.add(db, at=now, actor=user, action="push.remove", target=user, before={"device": number})
    return True


async def keep(request: web.Request) -> web.Response:
    """This browser may keep the last state of the first page, or keeps nothing any more."""
    wants = (await form_of(request)).get("keep") == "on"
    response = see(f"/account?done={'kept' if wants else 'unkept'}#offline")
    response.set_cookie(
        taste.KEEP,
        "on" if wants else "off",
        path="/",
        max_age=taste.YEAR_S,
        secure=site_of(request).settings.is_https,
        httponly=True,
        samesite="Lax",
    )
    return response


def _desk(request: web.Request) -> PushDesk:
    desk = site_of(request).push
    if desk is None:
        raise web.HTTPNotFound
    return desk


async def _number(request: web.Request) -> int:
    text = (await form_of(request)).get("device", "")
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if is_number else 0
