"""Erase and oppose: find one author, delete all of theirs, and refuse what comes later."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    """Whom a handle stands for: pairs of source and keyed hash, and how the source names them.

    `places` are the sources that were looked in.
    """

    authors: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many rows went, by table, and what they held: only to look for it, never to keep."""

    counts: dict[str, int]
    texts: tuple[str, ...]
    addresses: tuple[str, ...]


def find(
    db: Db, protector: Protector, written: str, *, places: Iterable[str], hosts: Mapping[str, str]
) -> Subject:
    """Return whom `written` stands for in `places`: an id, @handle, display name or keyed hash.

    `hosts` are the servers of sources that show the author `name@host` as `@name`. InputError when
    several authors of one source are shown under this name: it lists their keyed hashes.
    """
    if not handle(written):
        raise InputError("the handle is empty: write the id or name as the platform shows it")
    ids = {place: spelled(written, hosts.get(place)) for place in sorted(places)}
    by_id = [one for place in ids for one in _hashed(db, protector, ids[place], place)]
    by_name: list[Named] = []
    for one in people.named(db, lambda one: one.source in ids and _is_called(one, ids[one.source])):
        if one.author is None:
            continue  # dropped: nothing ties it to a person
        if one.author == written or _is_one(one.author_id, ids[one.source]):
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
        places=tuple(ids),
    )


def spelled(written: str, host: str | None) -> tuple[str, ...]:
    """Return how an author may be written where `@name` is `name@host`: as given, and that way."""
    bare = written.strip().removeprefix("@")
    if host is None or _HASH.fullmatch(written):
        return (written,)
    if "@" not in bare:
        return (written, f"{bare}@{host}")
    name, _, server = bare.rpartition("@")
    return (written, name) if server.lower() == host.lower() else (written,)


def marks(
    protector: Protector,
    subject: Subject,
    *,
    names: Iterable[str],
    places: Iterable[str],
    hosts: Mapping[str, str],
) -> tuple[str, ...]:
    """Return the keyed hashes under which who is called so objects, in each of `places`."""
    called = list(dict.fromkeys((*names, *subject.names)))
    found = (
        mark
        for place in places
        for name in called
        for one in spelled(name, hosts.get(place))
        for mark in protector.opposition(place, one)
    )
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


def _hashed(db: Db, protector: Protector, ids: Iterable[str], place: str) -> list[Named]:
    """Authors whose id is one of these, give or take an @, or whose keyed hash it is."""
    hashes: list[str | None] = [one for one in ids if _HASH.fullmatch(one)]
    for one in ids:
        bare = one.strip().removeprefix("@")
        names = dict.fromkeys((one, bare, f"@{bare}", bare.lower(), f"@{bare.lower()}"))
        hashes += [protector.author(place, name) for name in names]
    return [
        Named(source=place, author=author, author_id=None, author_name=None)
        for author in hashes
        if author is not None and people.writes(db, place, author)
    ]


def _is_called(one: Named, ids: Sequence[str]) -> bool:
    return _is_one(one.author_id, ids) or _is_one(one.author_name, ids[:1]) or one.author == ids[0]


def _is_one(name: str | None, ids: Iterable[str]) -> bool:
    return name is not None and handle(name) in map(handle, ids)


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
