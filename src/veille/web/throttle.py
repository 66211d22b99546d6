"""How often a login may be tried, by name and address; how often a visitor may ask why."""

from __future__ import annotations

from datetime import datetime, timedelta

from veille.store import users
from veille.store.engine import Db
from veille.store.protocol import Store

Limits = tuple[tuple[timedelta, int], ...]
_ANY_NAME = ""  # no user has it
# (whose tries, within, how many). 20 an hour against 12 characters is hopeless for a guesser;
# the last is for one place that tries many names. Judgement, as ASVS 5.0 6.3.1 leaves it to us.
_BY_NAME = ((timedelta(minutes=1), 5), (timedelta(hours=1), 20))
_BY_PLACE = ((timedelta(minutes=15), 100),)
# an explanation takes 7 s of a core at most (docs/models.md): half a core for a minute, then 12 %
_WHY = "why"  # no address
_BY_VISITOR = ((timedelta(minutes=1), 5), (timedelta(hours=1), 60))
# a link that leads nowhere: 128 bits are not guessed, but each try costs a look at the store
_LINK = "link"  # no user's tries: an address stands where a name would
_BY_GUESSER = ((timedelta(minutes=1), 20), (timedelta(hours=1), 100))
_LONGEST = timedelta(hours=1)


async def attempt(store: Store, name: str, address: str, *, now: datetime) -> timedelta | None:
    """Count one try before the password is looked at; return how long to wait if it is refused.

    Counted first and in one transaction, so that a hundred tries sent at once are a hundred tries.
    A refused one is not counted: waiting helps whoever mistyped.
    """

    def count(db: Db) -> timedelta | None:
        users.drop_failures(db, before=now - _LONGEST)
        wait = _wait(db, name, address, now)
        if wait is None:
            users.note_failure(db, name=name, address=address, at=now)
            users.note_failure(db, name=_ANY_NAME, address=address, at=now)
        return wait

    return await store.write(count)


async def ask_why(store: Store, name: str, *, now: datetime) -> timedelta | None:
    """Count one question of a visitor before it is answered; return how long to wait if refused."""

    def count(db: Db) -> timedelta | None:
        users.drop_failures(db, before=now - _LONGEST)
        wait = _over(db, name, _WHY, _BY_VISITOR, now)
        if wait is None:
            users.note_failure(db, name=name, address=_WHY, at=now)
        return wait

    return await store.write(count)


async def guess(store: Store, address: str, *, now: datetime) -> timedelta | None:
    """Count one link that leads nowhere; return how long to wait if there were too many."""

    def count(db: Db) -> timedelta | None:
        users.drop_failures(db, before=now - _LONGEST)
        wait = _over(db, address, _LINK, _BY_GUESSER, now)
        if wait is None:
            users.note_failure(db, name=address, address=_LINK, at=now)
        return wait

    return await store.write(count)


def _wait(db: Db, name: str, address: str, now: datetime) -> timedelta | None:
    by_name = _over(db, name, address, _BY_NAME, now)
    return by_name or _over(db, _ANY_NAME, address, _BY_PLACE, now)


def _over(db: Db, name: str, address: str, limits: Limits, now: datetime) -> timedelta | None:
    for within, most in limits:
        if users.failures(db, name=name, address=address, since=now - within) >= most:
            return within
    return None
