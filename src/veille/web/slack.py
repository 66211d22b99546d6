"""`POST /slack/actions` and `/slack/commands`: what people do from Slack, by the same rules."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog
from aiohttp import web

from veille.domain.access import Access, may
from veille.domain.errors import ConflictError, InputError, IntakeRefused, StoreError
from veille.domain.ids import short_id
from veille.domain.incident import Incident, IncidentState, Verdict
from veille.store import incidents, timeline, users
from veille.store.engine import Db
from veille.store.users import User
from veille.web import slack_status
from veille.web.ports import SlackDesk
from veille.web.security import problem
from veille.web.site import Site, site_of, words_of
from veille.web.slack_requests import Press, form, press_of

ANSWER_S = 2.5
"""Slack waits three seconds (Handling user interaction): the rest is for the way back."""
HUSH = timedelta(hours=1)
_PREFIX = "veille_"
_VALUE = re.compile(
    r"I([1-9][0-9]{0,17}) ([a-z0-9][a-z0-9_-]{0,62}) ([0-9]{1,12}) ([0-9]{1,9})", re.ASCII
)
_ID = re.compile(r"[A-Z0-9]{2,30}", re.ASCII)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One button, pressed by a user who may act. `seen` is the version that the message showed."""

    site: Site
    actor: str
    incident: Incident
    seen: int

    @property
    def target(self) -> str:
        """The short id of the incident."""
        return short_id("I", self.incident.id)


async def _take(order: Order) -> None:
    await order.site.actions.acknowledge(order.target, actor=order.actor)


async def _assign(order: Order) -> None:
    await order.site.actions.assign(
        order.target, to=order.actor, actor=order.actor, version=order.seen
    )


async def _mute(order: Order) -> None:
    reason = order.site.say("web.slack.hush")
    await order.site.actions.silence(order.target, lasting=HUSH, reason=reason, actor=order.actor)


async def _false_alarm(order: Order) -> None:
    verdict = Verdict.FALSE_ALARM
    await order.site.actions.judge(
        order.target, verdict=verdict, actor=order.actor, version=order.seen
    )


async def _close(order: Order) -> None:
    await order.site.actions.resolve(order.target, actor=order.actor, version=order.seen)


_ACTS: Mapping[str, Callable[[Order], Awaitable[None]]] = {
    "take": _take,
    "assign": _assign,
    "mute": _mute,
    "false_alarm": _false_alarm,
    "close": _close,
}


async def actions(request: web.Request) -> web.Response:
    """What was pressed is committed, or who pressed is told why not; answered within 3 s."""
    site, desk = site_of(request), _desk(request)
    until = asyncio.get_running_loop().time() + ANSWER_S
    try:
        async with asyncio.timeout_at(until):
            press = press_of(await _form(request, desk))
    except IntakeRefused as refused:
        return problem(refused.status, str(refused))
    try:
        async with asyncio.timeout_at(until):
            said = await _answer(request, press)
    except (TimeoutError, StoreError) as error:  # the change may be committed all the same
        log.warning("slack_action_late", error=type(error).__name__)
        said = site.say("web.slack.late")
    if said and press.actions:
        _whisper(desk, press, said)
    return web.Response()


async def commands(request: web.Request) -> web.Response:
    """`/veille` answers, to who asked alone, how things stand; 200 within 3 s."""
    site, desk = site_of(request), _desk(request)
    try:
        async with asyncio.timeout(ANSWER_S):
            fields = await _form(request, desk)
            user = await _user(site, desk, fields.get("user_id", ""))
            if isinstance(user, str):
                said = user
            else:
                said = await slack_status.answer(request, fields.get("text", ""))
    except IntakeRefused as refused:
        return problem(refused.status, str(refused))
    except (TimeoutError, StoreError) as error:  # Slack shows its own failure for a 503
        log.warning("slack_command_late", error=type(error).__name__)
        said = site.say("web.slack.slow")
    answer = {"response_type": "ephemeral", "mrkdwn": False, "text": slack_status.plain(said)}
    return web.json_response(answer)


def _desk(request: web.Request) -> SlackDesk:
    desk = site_of(request).slack
    if desk is None:
        raise web.HTTPNotFound
    return desk


async def _form(request: web.Request, desk: SlackDesk) -> dict[str, str]:
    site = site_of(request)
    return await form(request, secret=desk.signing_secret, store=site.store, now=site.now())


async def _answer(request: web.Request, press: Press) -> str | None:
    """Do what was pressed; return what only who pressed must know, None when the message tells."""
    site, desk = site_of(request), _desk(request)
    pressed = press.actions[0] if press.type == "block_actions" and press.actions else None
    act = _ACTS.get(pressed.action_id.removeprefix(_PREFIX)) if pressed else None
    if pressed is None or act is None:  # « Voir » opens a page: nothing else is asked
        return None
    user = await _user(site, desk, press.user.id)
    if isinstance(user, str):
        return user
    if not may(user.role, Access.ACT):
        return site.say("web.act.read_only")
    found = _VALUE.fullmatch(pressed.value)
    incident = None if found is None else await _incident(site, int(found[1]), int(found[3]))
    if found is None or incident is None:
        return site.say("web.slack.gone")
    order = Order(site=site, actor=user.name, incident=incident, seen=int(found[4]))
    return await _do(request, act, order)


async def _do(
    request: web.Request, act: Callable[[Order], Awaitable[None]], order: Order
) -> str | None:
    site, incident = order.site, order.incident
    if incident.state is IncidentState.RESOLVED:
        owner = words_of(request).owner(incident)
        return site.say("web.slack.over", id=order.target, owner=owner)
    try:
        await act(order)
    except ConflictError:
        events = await site.store.read(lambda db: timeline.of(db, order.target))
        return words_of(request).conflict(events)
    except InputError:
        return site.say("web.refused.other")
    return None


async def _incident(site: Site, number: int, opened_s: int) -> Incident | None:
    """Return the incident, None when it is another one that has this number now."""
    found = await site.store.read(lambda db: incidents.get(db, number))
    is_it = found is not None and int(found.opened_at.timestamp()) == opened_s
    return found if is_it else None


async def _user(site: Site, desk: SlackDesk, member: str) -> User | str:
    """Return the user that config.toml gives this member id; else why there is none."""
    known = member if _ID.fullmatch(member) else "?"
    name = desk.members.get(known)
    if name is None:
        return site.say("web.slack.unknown", member=known)

    def look(db: Db) -> User | None:
        return users.get(db, name)

    user = await site.store.read(look)
    if user is None or user.disabled_at is not None:
        return site.say("web.slack.no_user", name=name)
    return user


def _whisper(desk: SlackDesk, press: Press, text: str) -> None:
    found = _VALUE.fullmatch(press.actions[0].value)
    channel, member = press.container.channel_id, press.user.id
    if found is None or not (_ID.fullmatch(channel) and _ID.fullmatch(member)):
        return
    if not desk.whispers.offer(receiver=found[2], channel=channel, user=member, text=text):
        log.warning("slack_whisper_dropped", receiver=found[2])
