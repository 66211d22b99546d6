"""« Annuler », for ten seconds: offered after an action, done by one form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil

from aiohttp import web

from veille.domain.deed import UNDO_FOR, Done
from veille.domain.errors import ConflictError, InputError
from veille.store import deeds
from veille.store.engine import Db
from veille.web.site import form_of, see, site_of, visitor_of, words_of
from veille.web.views import with_query

_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_BACK = re.compile(
    r"/(?:(?:queue|incidents)(?:/[0-9]{1,18})?)?(?:\?[\w.~%&=+-]{0,2000})?", re.ASCII
)
"""Where an undo may lead back to: the pages that offer one, with their view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A deed of who looks that may still be undone, for so many seconds; what it changed."""

    id: int
    seconds: int
    back: str
    targets: tuple[str, ...]


def after(path: str, deed: Done, **said: str | int) -> str:
    """Return the address of the page that says what was done and offers to undo it."""
    parts = [f"{name}={value}" for name, value in said.items()]
    if deed.id is not None:
        parts.append(f"undo={deed.id}")
    return with_query(path, "&".join(parts))


def offered(request: web.Request, db: Db, *, back: str) -> Offer | None:
    """Return what the address names, if it is this person's, still undoable and not undone."""
    written = request.query.get("undo", "")
    return of_deed(request, db, int(written), back=back) if _NUMBER.fullmatch(written) else None


def of_deed(request: web.Request, db: Db, id: int, *, back: str) -> Offer | None:
    """Return the offer to undo this deed; None when it is another's, undone, or too long ago."""
    record = deeds.get(db, id)
    if record is None or record.actor != visitor_of(request).name or record.undone_at is not None:
        return None
    left = UNDO_FOR - (words_of(request).now - record.at)
    seconds = ceil(left.total_seconds())
    if not 0 < seconds <= UNDO_FOR.total_seconds():
        return None
    targets = tuple(part.target for part in record.parts)
    return Offer(id=id, seconds=seconds, back=back, targets=targets)


def safe_back(path: str, otherwise: str) -> str:
    """Return the page of ours that a form names, with its view; else `otherwise`."""
    return path if path and _BACK.fullmatch(path) else otherwise


async def take_back(request: web.Request) -> web.Response:
    """The deed is undone, or the page it came from says why not."""
    back = safe_back((await form_of(request)).get("back", ""), "/queue")
    written = request.match_info["id"]
    number = int(written) if _NUMBER.fullmatch(written) else 0  # no deed has it
    try:
        await site_of(request).actions.undo(number, actor=visitor_of(request).name)
    except ConflictError:
        return see(with_query(back, "done=undo_late"))
    except InputError:
        return see(with_query(back, "done=undo_gone"))
    return see(with_query(back, "done=undone"))


def said(request: web.Request) -> str | None:
    """Return what the form that led here did, or an undo, as a sentence; only ours are said."""
    return _sentence(request, "undo", "done")


def refused(request: web.Request) -> str | None:
    """Return why the form that led here did nothing, as a sentence."""
    return _sentence(request, "refused")


def _sentence(request: web.Request, *areas: str) -> str | None:
    say, done = site_of(request).say, request.query.get("done", "")
    keys = (f"views.{area}.{done}" for area in areas)
    return next((say(key) for key in keys if key in say.messages), None)
