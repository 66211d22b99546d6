"""Passwords: argon2id, the policy, and one-time passwords."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from veille.web.known import is_listed, is_plain

T = TypeVar("T")
MIN_LENGTH = 12
MAX_LENGTH = 256  # bounds the work of one request; argon2 itself takes more
ONE_TIME_FOR = timedelta(days=7)
"""A one-time password that nobody used may lie in a mailbox: then it opens nothing any more."""
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is misread aloud: no i l o 0 1
_HASHER = PasswordHasher()  # RFC 9106 section 4, second recommended option: 64 MiB, 3 passes
_WAIT_S = 10.0
_WORK_S = 60.0
"""0.1 s of a core, and an overloaded machine: no limit of the line, which others wait in."""


def one_time_password() -> str:
    """Return 16 random characters in four groups: 79 bits, easy to read aloud."""
    return grouped(4)


def grouped(groups: int) -> str:
    """Return that many groups of four random characters: 4.95 bits each."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(groups))


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password; takes about 0.1 s of one core and 64 MiB."""
    return _HASHER.hash(password.encode("utf-8", "surrogatepass"))


@cache
def _nobody() -> str:
    return hash_password(secrets.token_urlsafe())


def is_password(stored: str | None, password: str) -> bool:
    """Whether `password` has this hash. Nobody's hash (None) takes as long and is never right."""
    try:
        _HASHER.verify(stored or _nobody(), password.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def weakness(password: str, *, name: str, institution: str) -> str | None:
    """Return why a new password is refused; None when it is good.

    too_short, too_long, known (a list of leaked passwords holds it), too_plain (it is put together
    from what lists hold, or from the names). Length and lists rather than character classes, as
    ASVS 5.0 6.2.1, 6.2.4, 6.2.5 and 6.2.11 ask.
    """
    if len(password) < MIN_LENGTH:
        return "too_short"
    if len(password) > MAX_LENGTH:
        return "too_long"
    if is_listed(password):
        return "known"
    return "too_plain" if is_plain(password, names=(name, institution)) else None


class PasswordDesk:
    """Hashes and checks in threads, two at a time: 128 MiB at most whatever is asked."""

    def __init__(self) -> None:
        self._desk = asyncio.Semaphore(2)

    async def check(self, stored: str | None, password: str) -> bool:
        """Whether `password` has this hash; TimeoutError after 10 s of waiting in line."""
        return await self._served(partial(is_password, stored, password))

    async def hash(self, password: str) -> str:
        """Return the hash of a password; TimeoutError after 10 s of waiting in line."""
        return await self._served(partial(hash_password, password))

    async def _served(self, work: Callable[[], T]) -> T:
        async with asyncio.timeout(_WAIT_S):
            await self._desk.acquire()
        try:
            async with asyncio.timeout(_WORK_S):
                return await asyncio.to_thread(work)
        finally:
            self._desk.release()
