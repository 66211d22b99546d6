"""How often a login may be tried: by name and address, so that nobody locks out another."""

from __future__ import annotations

from datetime import datetime, timedelta

from veille.store import users
from veille.store.engine import Db
from veille.store.protocol import Store

_ANY_NAME = ""  # no user has it
# (whose tries, within, how many). 20 an hour against 12 characters is hopeless for a guesser;
# the last is for one place that tries many names. Judgement, as ASVS 5.0 6.3.1 leaves it to us.
_BY_NAME = ((timedelta(minutes=1), 5), (timedelta(hours=1), 20))
_BY_PLACE = ((timedelta(minutes=15), 100),)
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


def _wait(db: Db, name: str, address: str, now: datetime) -> timedelta | None:
    for who, limits in ((name, _BY_NAME), (_ANY_NAME, _BY_PLACE)):
        for within, most in limits:
            if users.failures(db, name=who, address=address, since=now - within) >= most:
                return within
    return None
