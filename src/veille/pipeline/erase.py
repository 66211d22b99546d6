"""Erase and oppose: find one author, delete all of theirs, and refuse what comes later."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from veille.domain.errors import InputError
from veille.pipeline.redact import Redact
from veille.privacy.protect import ANY_SOURCE, Protector, handle
from veille.store import mentions, oppositions, people
from veille.store.engine import Db
from veille.store.people import Named
from veille.store.protocol import Store

BATCH = 100
"""Mentions deleted in one transaction: short enough that no other write waits for it."""
_HASH = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a handle stands for: pairs of source and keyed hash, and how the source names them."""

    authors: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many rows went, by table, and what they held: only to look for it, never to keep."""

    counts: dict[str, int]
    texts: tuple[str, ...]
    addresses: tuple[str, ...]


def find(
    db: Db, protector: Protector, written: str, *, source: str | None, known: Iterable[str]
) -> Subject:
    """Return whom `written` stands for: an id, @handle or display name, or a keyed hash.

    `known` are the sources of the configuration; `source` looks in one only. InputError when
    several authors of one source are shown under this name: it lists their keyed hashes.
    """
    if not handle(written):
        raise InputError("the handle is empty: write the id or name as the platform shows it")
    places = where(db, source, known)
    by_id = _hashed(db, protector, written, places)
    by_name: list[Named] = []
    for one in people.named(db, lambda one: one.source in places and _is_called(one, written)):
        if one.author is None:
            continue  # dropped: nothing ties it to a person
        if one.author == written or handle(one.author_id or "") == handle(written):
            by_id.append(one)
        else:
            by_name.append(one)
    found = by_id or by_name
    _refuse_namesakes(found, written)
    authors = dict.fromkeys((one.source, one.author) for one in found if one.author is not None)
    names = (name for one in found for name in (one.author_id, one.author_name))
    return Subject(
        authors=tuple(sorted(authors)),
        names=tuple(dict.fromkeys(name for name in (written, *names) if name)),
    )


def where(db: Db, source: str | None, known: Iterable[str]) -> set[str]:
    """Return the sources to look in: the one named, else the configured and the stored ones."""
    return {source} if source is not None else {*known, *people.sources(db)}


def marks(
    protector: Protector, written: str, subject: Subject, *, places: Iterable[str]
) -> tuple[str, ...]:
    """Return the keyed hashes under which this person objects, in each of `places`."""
    spellings = list(dict.fromkeys((written, *subject.names)))
    found = (m for place in places for name in spellings for m in protector.opposition(place, name))
    return tuple(dict.fromkeys(found))


async def erase(store: Store, subject: Subject, *, now: datetime) -> Erased:
    """Delete all these authors wrote, and follow it up in the queue and the outbox.

    Messages already sent are edited by whoever delivers. Repeating it deletes nothing more.
    """
    done: list[Erased] = []
    for source, author in subject.authors:
        change = partial(_erase, source=source, author=author, now=now)
        while (batch := await store.write(change)).counts["mentions"]:
            done.append(batch)
    redact = Redact(store)
    while await redact.step(now):
        pass
    return Erased(
        counts=dict(sum((Counter(batch.counts) for batch in done), Counter())),
        texts=tuple(dict.fromkeys(text for batch in done for text in batch.texts)),
        addresses=tuple(dict.fromkeys(one for batch in done for one in batch.addresses)),
    )


async def oppose(store: Store, found: Iterable[str], *, now: datetime) -> int:
    """What comes under these marks is refused from now on; return how many are new."""
    kept = tuple(found)
    return await store.write(lambda db: oppositions.add(db, kept, at=now))


def everywhere(places: Iterable[str], *, is_everywhere: bool) -> tuple[str, ...]:
    """Return where an opposition holds."""
    return (ANY_SOURCE,) if is_everywhere else tuple(sorted(places))


def _erase(db: Db, *, source: str, author: str, now: datetime) -> Erased:
    keys = mentions.of_author(db, source, author, limit=BATCH)
    texts, addresses = people.texts(db, keys), people.addresses(db, keys)
    counts = people.parts(db, keys)
    counts["mentions"] = mentions.delete(db, keys, cause=mentions.ERASED, now=now)
    return Erased(counts=counts, texts=tuple(texts), addresses=tuple(addresses))


def _hashed(db: Db, protector: Protector, written: str, places: Iterable[str]) -> list[Named]:
    """Authors whose id is what was written, give or take an @, or whose keyed hash it is."""
    bare = written.strip().removeprefix("@")
    spelled = dict.fromkeys((written, bare, f"@{bare}", bare.lower(), f"@{bare.lower()}"))
    found = []
    for place in sorted(places):
        hashes = [protector.author(place, name) for name in spelled]
        if _HASH.fullmatch(written):
            hashes.append(written)
        found += [
            Named(source=place, author=author, author_id=None, author_name=None)
            for author in hashes
            if author is not None and people.writes(db, place, author)
        ]
    return found


def _is_called(one: Named, written: str) -> bool:
    wanted = handle(written)
    names = [name for name in (one.author_id, one.author_name) if name]
    return any(handle(name) == wanted for name in names) or one.author == written


def _refuse_namesakes(found: Iterable[Named], written: str) -> None:
    by_source: dict[str, set[str]] = {}
    for one in found:
        if one.author is not None:
            by_source.setdefault(one.source, set()).add(one.author)
    for source, authors in sorted(by_source.items()):
        if len(authors) > 1:
            listed = ", ".join(sorted(authors))
            raise InputError(
                f'{source}: {len(authors)} authors are called "{written}": name the right one by '
                f"its id there, or by its pseudonym and --source {source}: {listed}"
            )
