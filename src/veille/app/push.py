"""Web push as configured: whose devices a receiver means, and what /account needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from veille.app import oncall, parts
from veille.app.desks import push_owner
from veille.config import Loaded
from veille.domain.errors import DeliveryError, InputError
from veille.domain.notification import Document, Facts
from veille.net import webpush
from veille.net.webpush import Subscription
from veille.notifiers.devices import Push, Target
from veille.notifiers.settings import PushReceiver
from veille.privacy import seal
from veille.rules.matchers import Where
from veille.rules.model import RuleSet
from veille.store import push
from veille.store.engine import Db
from veille.store.protocol import Store
from veille.store.push import Device
from veille.web.links import token
from veille.web.ports import LinkDesk, PushDesk
from veille.wording.catalogue import catalogue

Ruleset = Callable[[], RuleSet]
_LOCAL = {"localhost", "127.0.0.1", "::1"}
"""Browsers trust these without TLS (W3C Secure Contexts, 3.1)."""


def receivers(loaded: Loaded) -> list[PushReceiver]:
    """Return the push receivers of the configuration."""
    return [one for one in loaded.config.receiver if isinstance(one, PushReceiver)]


def desk(loaded: Loaded) -> PushDesk | None:
    """Return what browsers subscribe with; None without a push receiver or its key.

    Trials go through the first push receiver. ConfigError when the secret is no key.
    """
    settings, found = loaded.config.push, receivers(loaded)
    if not found or settings.key not in loaded.secrets:
        return None
    return PushDesk(
        public_key=webpush.public_key(loaded.secrets(settings.key)),
        receiver=found[0].id,
        sealing_key=parts.push_key(loaded),
        hosts=settings.allow_hosts,
        allow_private=settings.allow_private,
    )


def findings(loaded: Loaded) -> Iterator[str]:
    """Yield why no device could be notified: pages without https, receivers that mean nobody."""
    name, found = loaded.path.name, receivers(loaded)
    web = loaded.config.web
    if found and not (web.is_https or urlsplit(web.public_url).hostname in _LOCAL):
        yield (
            f"{name}: web.public_url: browsers give notifications to https pages only: put veille "
            "behind a TLS proxy and write its https address"
        )
    named = {one for person in loaded.config.person for one in person.receivers}
    for index, receiver in enumerate(loaded.config.receiver):
        if isinstance(receiver, PushReceiver) and not (
            receiver.to or receiver.schedules or receiver.id in named
        ):
            yield (
                f'{name}: receiver[{index}]: "{receiver.id}" tells nobody: write to or schedules, '
                "or name it in receivers of a [[person]]"
            )


def shared(
    loaded: Loaded,
    store: Store | None,
    *,
    now: Callable[[], datetime],
    links: LinkDesk | None = None,
    ruleset: Ruleset | None = None,
) -> Push | None:
    """Return what every push receiver shares, None where there is none.

    Without a store nobody can be told: for looking at the settings.
    """
    if not receivers(loaded):
        return None
    settings, address = loaded.config.push, loaded.config.web.public_url
    contact = settings.contact or (address if address.startswith("https://") else "")
    devices = StoredDevices(loaded, store, now=now, links=links, ruleset=ruleset)
    return Push(settings=settings, devices=devices, contact=contact, now=now)


async def nothing_written(key: str) -> Document:
    """Return a document without words: a phone is told that there is one, and a trial nothing."""
    return Document(key=key, subject="", text="", html="")


class StoredDevices:
    """Devices of the store, of whoever a receiver means at this moment."""

    def __init__(
        self,
        loaded: Loaded,
        store: Store | None,
        *,
        now: Callable[[], datetime],
        links: LinkDesk | None,
        ruleset: Ruleset | None,
    ) -> None:
        self._loaded = loaded
        self._kept = store
        self._now = now
        self._links = links
        self._ruleset = ruleset
        self._roster = oncall.roster(loaded)
        self._topics = {topic.id: topic.name for topic in parts.topics(loaded)}
        self._say = catalogue(loaded.config.veille.language).messages
        self._receivers = {one.id: one for one in receivers(loaded)}

    async def meant(self, receiver: str, facts: Facts | None) -> Sequence[Target]:
        """Return the devices of those whom `receiver` tells: of a relay, those that it calls."""
        now, settings = self._now(), self._receivers[receiver]

        def read(db: Db) -> list[Device]:
            return push.reached(db, self._people(db, settings, facts, now))

        return self._targets(await self._store.read(read))

    async def one(self, number: int) -> Sequence[Target]:
        """Return the device of this id, if it still is."""
        found = await self._store.read(lambda db: push.get(db, number))
        return self._targets([found] if found else [])

    async def took(self, target: Target, key: str) -> None:
        """The device took the message of this key."""
        now = self._now()
        await self._store.write(lambda db: push.took(db, target.id, key=key, now=now))

    async def failed(self, target: Target, why: str) -> None:
        """The device did not take it."""
        await self._store.write(lambda db: push.failed(db, target.id, why=why))

    async def gone(self, target: Target) -> None:
        """The device is no more."""
        await self._store.write(lambda db: push.remove(db, target.id, user=target.user))

    def theme(self, facts: Facts) -> str:
        """Return the name of the topic of an incident's rule, "" if it has none.

        As its labels say, else as it asks for; never words of an annotation, which may quote.
        """
        rules = () if self._ruleset is None else self._ruleset().rules
        found = next((rule for rule in rules if rule.id == facts.rule), None)
        if found is None:
            return ""
        wanted = [found.labels.get(key, "") for key in ("hazard", "topic")]
        wanted += [*_topics(found.where), facts.labels.get("topic", "")]
        named = (self._topics.get(one) or self._say.get(f"push.topic.{one}") for one in wanted)
        return next(filter(None, named), "")

    def take(self, receiver: str, user: str, facts: Facts) -> str:
        """Return the path at which this user takes the incident: a page that asks once more."""
        if self._links is not None:
            found = token(facts, receiver=push_owner(receiver, user), desk=self._links)
            if found:
                return f"/l/{found}"
        return f"/incidents/{facts.incident}"

    @property
    def _store(self) -> Store:
        if self._kept is None:
            raise DeliveryError("no store is open here: nobody's device is known")
        return self._kept

    def _people(
        self, db: Db, settings: PushReceiver, facts: Facts | None, now: datetime
    ) -> Iterable[str]:
        people = self._roster.staff.people.values()
        naming = [person for person in people if settings.id in person.receivers]
        relay = None if facts is None else facts.relay
        if relay is not None:
            called = [person.id for person in naming if person.name in relay.names]
            if called:
                return called
        if not (settings.to or settings.schedules):
            return [person.id for person in naming]
        duty = self._roster.duty(db, now) if settings.schedules else lambda _name: ()
        return [*settings.to, *(one for name in settings.schedules for one in duty(name))]

    def _targets(self, found: Iterable[Device]) -> list[Target]:
        key, targets = parts.push_key(self._loaded), []
        for device in found:
            # sealed with a former key: its owner sees it in the list and enables it again
            with suppress(InputError, msgspec.DecodeError):
                said = seal.unseal(device.sealed, key, device.mark)
                subscription = Subscription(**msgspec.json.decode(said, type=dict[str, str]))
                targets.append(
                    Target(
                        id=device.id, user=device.user, subscription=subscription, took=device.took
                    )
                )
        return targets


def _topics(where: Where) -> list[str]:
    """Return the topics that a rule asks for, as written, also as one of several."""
    found: list[str] = []
    for clause in where.clauses:
        if clause.name in {"topic", "topics"}:
            found += clause.wanted.split(", ")
        elif clause.name == "any":
            found += [name for part in clause.parts for name in _topics(part)]
    return found
