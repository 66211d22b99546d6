"""What answers people outside the web interface: buttons in Slack, links in mails, fallbacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from veille.app import parts
from veille.config import Loaded
from veille.domain.notification import Facts
from veille.notifiers.base import Notifier
from veille.notifiers.settings import (
    EmailReceiver,
    PushReceiver,
    ReceiverSettings,
    SlackReceiver,
)
from veille.notifiers.slack import SlackNotifier
from veille.pipeline.deliver import Fallback, no_link
from veille.pipeline.runner import Runner
from veille.pipeline.whispers import Whispers
from veille.store.users import folded
from veille.web.links import token
from veille.web.ports import LinkDesk, SlackDesk

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desks:
    """The two desks, None where closed, and the whispers that wait for their notifiers."""

    slack: SlackDesk | None
    links: LinkDesk | None
    whispers: Whispers

    def connect(self, found: Mapping[str, Notifier]) -> None:
        """People are told alone by these notifiers from now on."""
        able = {name: one for name, one in found.items() if isinstance(one, SlackNotifier)}
        self.whispers.connect(able)


def open_desks(loaded: Loaded, runner: Runner) -> Desks:
    """Return the desks of this configuration, their stage in the runner."""
    whispers = Whispers()
    slack = _slack_desk(loaded, whispers)
    if slack is not None:
        whispers.wake = runner.add(whispers, tick_s=1.0)
    return Desks(slack=slack, links=_link_desk(loaded), whispers=whispers)


def has_buttons(loaded: Loaded) -> bool:
    """Whether messages in Slack have buttons: only where what they send can be verified."""
    return loaded.config.slack.signing_secret in loaded.secrets


def _slack_desk(loaded: Loaded, whispers: Whispers) -> SlackDesk | None:
    settings = loaded.config
    if not has_buttons(loaded):
        if any(isinstance(receiver, SlackReceiver) for receiver in settings.receiver):
            log.warning("slack_buttons_off", missing=settings.slack.signing_secret or None)
        return None
    return SlackDesk(
        signing_secret=loaded.secrets(settings.slack.signing_secret),
        members={person.slack: person.id for person in settings.person if person.slack},
        whispers=whispers,
    )


def _link_desk(loaded: Loaded) -> LinkDesk | None:
    lifetime = loaded.config.web.lifetime
    mails = [one for one in loaded.config.receiver if isinstance(one, EmailReceiver)]
    owners = {receiver.id: _owner(loaded, receiver) for receiver in mails} | _phones(loaded)
    if not (lifetime and owners):
        return None
    return LinkDesk(key=parts.link_key(loaded), lifetime=lifetime, owners=owners)


def push_owner(receiver: str, user: str) -> str:
    """Return under which name a user takes incidents from a push receiver's message."""
    return f"{receiver}/{folded(user)}"


def _phones(loaded: Loaded) -> dict[str, str | None]:
    """Return, by name of link, every user a push receiver may tell: a phone is one person's."""
    people = [person.id for person in loaded.config.person]
    return {
        push_owner(receiver.id, name): name
        for receiver in loaded.config.receiver
        if isinstance(receiver, PushReceiver)
        for name in (*receiver.to, *people)
    }


def _owner(loaded: Loaded, receiver: EmailReceiver) -> str | None:
    """Return the one person behind a mailbox: one address, named by one person; else None."""
    people = [person.id for person in loaded.config.person if receiver.id in person.receivers]
    return people[0] if len(people) == len(receiver.to) == 1 else None


def take_link(desk: LinkDesk | None, receiver: str, address: str) -> Callable[[Facts], str]:
    """Return what gives the address at which `receiver` takes the incident of some facts."""
    if desk is None or receiver not in desk.owners:
        return no_link

    def link(facts: Facts) -> str:
        found = token(facts, receiver=receiver, desk=desk)
        return f"{address.rstrip('/')}/l/{found}" if found else ""

    return link


def fallback(loaded: Loaded, name: str) -> Fallback | None:
    """Return who is told while the receiver `name` fails, None where nobody is."""
    by_id = {receiver.id: receiver for receiver in loaded.config.receiver}
    instead = by_id[name].fallback
    if instead is None:
        return None
    return Fallback(receiver=instead, via=_kind(by_id[instead]), channel=_kind(by_id[name]))


def _kind(receiver: ReceiverSettings) -> str:
    return str(receiver.__struct_config__.tag)
