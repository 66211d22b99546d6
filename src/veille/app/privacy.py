"""Rights of one person: what is held on them, its erasure with proof, and their objection."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any  # what a certificate and an export hold is JSON

import msgspec
import structlog

from veille.app import parts, traces
from veille.app.backup import LEDGER
from veille.collectors.base import BlueskySource, MastodonSource
from veille.config import Loaded, unknown_name
from veille.domain.errors import ConfigError, InputError
from veille.net.client import host_of
from veille.pipeline import erase as erasing
from veille.pipeline.erase import Subject
from veille.pipeline.redact import Redact
from veille.pipeline.sweep import Sweep
from veille.privacy.protect import ANY_SOURCE
from veille.store import audit, mentions, oppositions, people
from veille.store.codec import moment
from veille.store.engine import Db, Row, SqliteStore
from veille.store.protocol import Store

log = structlog.get_logger()
Json = dict[str, Any]
BATCH = 100
_DID = "did:"
_DID_ONLY = (
    "accounts are known by their DID only, not by a handle: write did:plc:…, which "
    "https://public.api.bsky.app/xrpc/com.atproto.identity.resolveHandle?handle=NAME tells"
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the erasure ledger: keyed hashes and a time (RFC 3339), nothing that names."""

    at: str
    authors: tuple[tuple[str, str], ...] = ()
    marks: tuple[str, ...] = ()


_LINE = msgspec.json.Decoder(Line)


class Person:
    """One request about one person, on one store. `source` None: wherever they are known."""

    def __init__(
        self, store: SqliteStore, loaded: Loaded, written: str, *, source: str | None
    ) -> None:
        self._store = store
        self._loaded = loaded
        self._written = written
        self._source = source
        configured = loaded.config.source
        self._sources = [s.id for s in configured]
        self._hosts = {s.id: host_of(s.url) for s in configured if isinstance(s, MastodonSource)}
        self._by_did = {s.id for s in configured if isinstance(s, BlueskySource)}
        self._protector = parts.protector(loaded)
        self._database = loaded.resolve(loaded.config.veille.data_dir) / "veille.db"

    @property
    def keeps_authors(self) -> bool:
        """Whether authors are stored at all."""
        return self._loaded.config.privacy.key in self._loaded.secrets

    async def find(self) -> Subject:
        """Return whom the handle stands for.

        InputError when it stands for several people, or nothing is known of the source.
        """

        def look(db: Db) -> Subject:
            places = {*self._sources, *people.sources(db)}
            if self._source is not None:
                if self._source not in places:
                    raise InputError(unknown_name("--source", self._source, places))
                places = {self._source}
            return erasing.find(
                db, self._protector, self._written, places=places, hosts=self._hosts
            )

        return await self._store.read(look)

    def doubts(self, subject: Subject) -> Iterator[str]:
        """Yield why there may be more of this person than was found, with what else to try."""
        if not subject.authors:
            yield (
                f"{self._written}: nothing is stored of anybody with this id, handle or name; "
                f"looked for: {'; '.join(map(self._looked, subject.places)) or 'no source'}. Try "
                "their id, their whole address (@name@server) or the name the platform shows"
            )
        if unsure := self._by_handle(subject):
            yield f"{', '.join(unsure)}: {_DID_ONLY}"

    def _looked(self, place: str) -> str:
        names = erasing.spelled(self._written, self._hosts.get(place))
        return f"{place} ({', '.join(names)})"

    def _by_handle(self, subject: Subject) -> list[str]:
        """Return where a handle was looked for that can stand for nobody."""
        bare = self._written.strip().removeprefix("@")
        if bare.startswith(_DID) or "@" in bare:
            return []
        known = {source for source, _ in subject.authors}
        return [place for place in subject.places if place in self._by_did - known]

    async def held(self, subject: Subject) -> int:
        """Return how many messages of theirs are kept."""
        return len(await self._store.read(lambda db: _keys(db, subject)))

    async def export(self, subject: Subject, *, actor: str, now: datetime) -> Json:
        """Return everything held on this person, why, and until when; the request is audited."""
        privacy = self._loaded.config.privacy
        kept = privacy.retention.durations()

        def read(db: Db) -> tuple[list[Row], bool]:
            audit.add(db, at=now, actor=actor, action="privacy.export", target=_target(subject))
            marks = self._marks(subject, (*subject.places, ANY_SOURCE))
            return people.held(db, _keys(db, subject)), oppositions.holds(db, marks)

        rows, has_opposed = await self._store.write(read)
        return {
            "controller": self._loaded.config.veille.name,
            "handle": self._written,
            "made_at": now.isoformat(),
            "purposes": list(privacy.purposes),
            "legal_basis": privacy.legal_basis,
            "retention": {name: f"{age.days}d" for name, age in kept.items()},
            "opposed": has_opposed,
            "authors": [{"source": source, "pseudonym": a} for source, a in subject.authors],
            "messages": [_message(row, kept) for row in rows],
            "notes": await self._notes(subject.names),
        }

    async def erase(
        self,
        subject: Subject,
        *,
        actor: str,
        now: datetime,
        scan: Sequence[Path] = (),
        opposed: int = 0,
    ) -> Json:
        """Return the certificate of the erasure, which is complete and has been looked for.

        `opposed` is what `oppose` returned just before, 0 without. `sha256` is that of the other
        fields as JSON without spaces, keys sorted; the audit log holds it too. The ledger is on the
        disk before the first row goes, so that a killed erasure is taken up by the next start, and
        a restored backup is erased again.
        """
        if subject.authors:
            self.write_ledger(Line(at=now.isoformat(), authors=subject.authors))
        erased = await erasing.erase(self._store, subject, now=now)
        names = (*subject.names, *erased.addresses)
        search = traces.search_for(dict.fromkeys(names), erased.texts)
        found = await traces.clear(self._store, self._database, search, scan)
        certificate: Json = {
            "certificate": "veille erasure v1",
            "controller": self._loaded.config.veille.name,
            "at": now.astimezone(UTC).isoformat(),
            "erased": erased.counts,
            "opposed": opposed,
            "scan": _scanned(search, found),
            "notes": await self._notes(names),
            "copies": traces.copies(self._database),
        }
        digest = _digest(certificate)

        def note(db: Db) -> None:
            after: dict[str, str | int] = {
                **erased.counts,
                "remains": found.remains,
                "sha256": digest,
            }
            audit.add(
                db, at=now, actor=actor, action="privacy.erase", target=_target(subject),
                after=after,
            )  # fmt: skip

        await self._store.write(note)
        return {**certificate, "sha256": digest}

    async def oppose(
        self, subject: Subject, *, actor: str, now: datetime, is_everywhere: bool
    ) -> int:
        """Refuse what this person writes from now on; return how many places know it newly.

        ConfigError when authors are dropped: nobody could be recognised. InputError for a handle
        where accounts are known by their DID only.
        """
        if not self.keeps_authors:
            raise ConfigError(
                f"privacy.key: without the secret {self._loaded.config.privacy.key} authors are "
                "dropped, so that nobody who objects can be recognised: add it to the secrets"
            )
        unsure = self._by_handle(subject)
        if unsure and len(unsure) == len(subject.places) and not is_everywhere:
            raise InputError(f"{', '.join(unsure)}: {_DID_ONLY}")
        wanted = erasing.everywhere(subject.places, is_everywhere=is_everywhere)
        marks = self._marks(subject, wanted)
        self.write_ledger(Line(at=now.isoformat(), marks=marks))

        def commit(db: Db) -> int:
            added = oppositions.add(db, marks, at=now)
            audit.add(
                db, at=now, actor=actor, action="privacy.oppose", target=_target(subject),
                after={"marks": added},
            )  # fmt: skip
            return added

        return await self._store.write(commit)

    async def _notes(self, names: Iterable[str]) -> list[str]:
        """Incidents and queue items where staff named the person: for people to look at."""
        told = [name for name in names if len(name.encode()) >= traces.NEEDLE_BYTES]
        return await self._store.read(lambda db: people.notes(db, told))

    def write_ledger(self, line: Line) -> None:
        """The line is on the disk."""
        append(self._database.with_name(LEDGER), line)

    def _marks(self, subject: Subject, places: Iterable[str]) -> tuple[str, ...]:
        return erasing.marks(
            self._protector, subject, names=(self._written,), places=places, hosts=self._hosts
        )


def append(ledger: Path, line: Line) -> None:
    """The line stands at the end of the ledger, on the disk."""
    descriptor = os.open(ledger, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a+b") as file:
        # a line that a killed process left torn must not spoil this one
        is_torn = file.tell() > 0 and os.pread(descriptor, 1, file.tell() - 1) != b"\n"
        if os.geteuid() == 0:  # an administrator's: the daemon must be able to read it
            owner = ledger.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        file.write((b"\n" if is_torn else b"") + msgspec.json.encode(line) + b"\n")
        file.flush()
        os.fsync(descriptor)


async def reapply_erasures(store: Store, path: Path, *, now: datetime) -> int:
    """Erase again what the ledger lists, and hold its oppositions; return how many messages went.

    For a restored backup, and for the start after a kill. What the same people wrote after their
    erasure stays. Repeating it changes nothing; a line that cannot be read is logged.
    """
    count = 0
    for line, until in await asyncio.to_thread(_ledger, path):
        await store.write(partial(oppositions.add, marks=line.marks, at=until))
        for source, author in line.authors:
            count += await _erase_until(store, source, author, until=until, now=now)
    if count:
        log.warning("erasures_applied_again", mentions=count)
    return count


def _ledger(path: Path) -> list[tuple[Line, datetime]]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}: what was erased must stay erased; give the file to the "
            "user that runs veille"
        ) from error
    found: list[tuple[Line, datetime]] = []
    for number, text in enumerate(lines, start=1):
        try:
            line = _LINE.decode(text)
            found.append((line, datetime.fromisoformat(line.at)))
        except (msgspec.DecodeError, ValueError):
            log.warning("ledger_line_unreadable", line=number)
    return found


async def sweep(store: Store, loaded: Loaded, *, now: datetime) -> dict[str, int]:
    """Delete everything that is too old now; return how much went, by table."""
    stage = Sweep(store, loaded.config.privacy, zone=loaded.timezone)
    redact = Redact(store)
    total: dict[str, int] = {}
    while counts := await stage.clean(now):
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
    while await redact.step(now):
        pass
    return total


async def _erase_until(
    store: Store, source: str, author: str, *, until: datetime, now: datetime
) -> int:
    def batch(db: Db) -> int:
        keys = mentions.of_author(db, source, author, limit=BATCH, until=until)
        return mentions.delete(db, keys, cause=mentions.ERASED, now=now)

    count = 0
    while gone := await store.write(batch):
        count += gone
    return count


def _keys(db: Db, subject: Subject) -> list[str]:
    return [key for pair in subject.authors for key in mentions.of_author(db, *pair)]


def _target(subject: Subject) -> str:
    """A keyed hash, never the handle; nothing when the person is not known."""
    return subject.authors[0][1] if subject.authors else "unknown"


def _message(row: Row, kept: dict[str, timedelta]) -> Json:
    received_at = moment(row["received_at"])
    return {
        "source": row["source"],
        "id": row["native_id"],
        "url": row["url"],
        "author": {"id": row["author_id"], "name": row["author_name"], "role": row["role"],
                   "followers": row["followers"], "account_age_days": row["author_age"],
                   "pseudonym": row["author"]},
        "kind": row["kind"],
        "text": row["text"],
        "masked": msgspec.json.decode(row["masked"]),
        "unmasked_text_sealed": row["sealed"] is not None,
        "lang": row["lang"],
        "media": msgspec.json.decode(row["media"]),
        "metrics": msgspec.json.decode(row["metrics"]),
        "created_at": moment(row["created_at"]).isoformat(),
        "received_at": received_at.isoformat(),
        "versions": [
            {"text": v["text"], "received_at": moment(v["received_at"]).isoformat()}
            for v in msgspec.json.decode(row["versions"])
        ],
        "watches": msgspec.json.decode(row["watches"]),
        "analysis": None if row["analysis"] is None else _analysis(row["analysis"]),
        # who judged it stays inside: staff are no recipients (CJEU C-579/21, 22 June 2023)
        "corrections": [
            {**c, "at": moment(c["at"]).isoformat()}
            for c in msgspec.json.decode(row["corrections"])
        ],
        "queue": msgspec.json.decode(row["queue"]),
        "incidents": msgspec.json.decode(row["incidents"]),
        "shown_to": msgspec.json.decode(row["receivers"]),
        "class": row["class"],
        "expires_at": (received_at + kept[row["class"]]).isoformat(),
    }  # fmt: skip


def _analysis(raw: str) -> Json:
    """An analysis without the name of its cluster: it is the key of a message of somebody else."""
    found: Json = msgspec.json.decode(raw)
    if (cluster := found.get("cluster")) is not None:
        found["cluster"] = {name: value for name, value in cluster.items() if name != "id"}
    return found


def _scanned(search: traces.Search, found: traces.Found) -> Json:
    return {
        "files": list(found.files),
        "bytes": found.bytes_read,
        "looked_for": len(search.needles),
        "too_short": search.too_short,
        "left_out": search.left_out,
        "in_texts_of_others": found.others,
        "remains": found.remains,
        "remains_in": list(found.remains_in),
    }


def _digest(certificate: Json) -> str:
    body = msgspec.json.encode(certificate, order="deterministic")
    return hashlib.sha256(body).hexdigest()
