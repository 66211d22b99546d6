"""How often something may be tried: logins, codes, questions, links that lead nowhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from veille.store import logins, users
from veille.store.engine import Db
from veille.store.protocol import Store

Limits = tuple[tuple[timedelta, int], ...]
Shown = Literal["password", "code"]
Bucket = tuple[str, str, Limits]
"""Whose tries and from where, and (within, how many). Names no user has stand for all users."""
_MINUTE, _QUARTER, _HOUR = timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=1)
_ANY_NAME = ""  # no user has it
_ANYWHERE = "*"  # no address
# 20 an hour against 12 characters is hopeless for a guesser. Judgement, as ASVS 5.0 6.3.1 leaves it
_BY_NAME = ((_MINUTE, 5), (_HOUR, 20))
_BY_PLACE = ((_QUARTER, 100),)  # one place that tries many names
_BY_NAME_ANYWHERE = ((_MINUTE, 10), (_HOUR, 60))  # many places that try one name
# many places, many names: 0.1 s of a core each (passwords.py), so a fifth of one core at most
_BY_ALL = ((_MINUTE, 120),)
# an explanation takes 7 s of a core at most (docs/models.md): half a core for a minute, then 12 %
_BY_VISITOR = ((_MINUTE, 5), (_HOUR, 60))
# a link that leads nowhere: 128 bits are not guessed, but each try costs a look at the store
_BY_GUESSER = ((_MINUTE, 20), (_HOUR, 100))

# to leave for an identity provider costs little, and a town hall has one address on a Monday
_BY_CALLER = ((_MINUTE, 60), (_HOUR, 1000))


async def attempt(
    store: Store, name: str, address: str, *, now: datetime, device: str | None = None
) -> timedelta | None:
    """Count one try before the password is looked at; return how long to wait if it is refused.

    Counted first and in one transaction, so that a hundred tries sent at once are a hundred tries.
    A refused one is not counted: waiting helps whoever mistyped. A browser the user has logged in
    with (`device`, the hash of its cookie) is counted by itself alone: whatever strangers try from
    wherever, it is not slowed (OWASP, Slow Down Online Guessing Attacks with Device Cookies).
    """

    def buckets(db: Db) -> Sequence[Bucket]:
        if device and logins.knows_device(db, name, token_hash=device, now=now):
            return ((name, f"device {device}", _BY_NAME),)
        return (
            (name, address, _BY_NAME),
            (_ANY_NAME, address, _BY_PLACE),
            (name, _ANYWHERE, _BY_NAME_ANYWHERE),
            (_ANY_NAME, _ANYWHERE, _BY_ALL),
        )

    return await _ask(store, buckets, now)


def welcome(db: Db, name: str, address: str, *, device: str | None, now: datetime) -> None:
    """The try was right: it counts no more, and those of this place or browser do not either.

    What others tried with the same name, or from the same place with others, still counts.
    """
    users.clear_failures(db, name=name, address=address)
    if device and logins.knows_device(db, name, token_hash=device, now=now):
        users.clear_failures(db, name=name, address=f"device {device}")
        return  # counted by itself: what the place and all have tried holds nothing of it
    for who, where in ((_ANY_NAME, address), (name, _ANYWHERE), (_ANY_NAME, _ANYWHERE)):
        users.forgive_failure(db, name=who, address=where)


async def prove(store: Store, name: str, what: Shown, *, now: datetime) -> timedelta | None:
    """Count one password of somebody whose session or token is known, or code after a password.

    Wherever it comes from: a stranger never gets here. Each by itself: a right password takes back
    no wrong code, and who holds a session alone keeps nobody from coming in with a code.
    """
    return await _ask(store, _one(name, what, _BY_NAME), now)


def proven(db: Db, name: str, what: Shown) -> None:
    """What `prove` counted of this is forgotten: it was right."""
    users.clear_failures(db, name=name, address=what)


async def ask_why(store: Store, name: str, *, now: datetime) -> timedelta | None:
    """Count one question of a visitor before it is answered; return how long to wait if refused."""
    return await _ask(store, _one(name, "why", _BY_VISITOR), now)


async def guess(store: Store, address: str, *, now: datetime) -> timedelta | None:
    """Count one link that leads nowhere; return how long to wait if there were too many."""
    return await _ask(store, _one(address, "link", _BY_GUESSER), now)


async def knock(store: Store, address: str, *, now: datetime) -> timedelta | None:
    """Count one login by a provider's word from a place; return how long to wait if refused."""
    return await _ask(store, _one(address, "provider", _BY_CALLER), now)


def _one(name: str, address: str, limits: Limits) -> Callable[[Db], Sequence[Bucket]]:
    return lambda _: ((name, address, limits),)


async def _ask(
    store: Store, buckets: Callable[[Db], Sequence[Bucket]], now: datetime
) -> timedelta | None:
    # looked at before: a flood of what is refused must not stand in the line of those who write
    wait = await store.read(lambda db: _wait(db, buckets(db), now))
    return wait or await store.write(lambda db: _count(db, buckets(db), now))


def _wait(db: Db, buckets: Sequence[Bucket], now: datetime) -> timedelta | None:
    for name, address, limits in buckets:
        for within, most in limits:
            if users.failures(db, name=name, address=address, since=now - within) >= most:
                return within
    return None


def _count(db: Db, buckets: Sequence[Bucket], now: datetime) -> timedelta | None:
    users.drop_failures(db, before=now - _HOUR)
    wait = _wait(db, buckets, now)
    if wait is None:
        for name, address, _ in buckets:
            users.note_failure(db, name=name, address=address, at=now)
    return wait
