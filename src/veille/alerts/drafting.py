"""What people do with draft answers, as pure changes: one table says which state follows which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from veille.domain.alert import Severity
from veille.domain.draft import Draft, DraftState
from veille.domain.errors import ConflictError, InputError

TEXT_LENGTH = 5000
"""Of a draft: ten posts of Mastodon, a long mail; a form holds it."""
PLACE_LENGTH = 100
LINK_LENGTH = 2000

MOVES: Mapping[DraftState, frozenset[DraftState]] = {
    DraftState.DRAFT: frozenset({DraftState.PROPOSED, DraftState.PUBLISHED, DraftState.DROPPED}),
    DraftState.PROPOSED: frozenset(
        {DraftState.DRAFT, DraftState.APPROVED, DraftState.PUBLISHED, DraftState.DROPPED}
    ),
    DraftState.APPROVED: frozenset({DraftState.DRAFT, DraftState.PUBLISHED, DraftState.DROPPED}),
    DraftState.PUBLISHED: frozenset(),
    DraftState.DROPPED: frozenset({DraftState.DRAFT}),
}
"""Which state may follow which: what was published is done with."""


def edit(draft: Draft, *, text: str, image: str | None, actor: str, now: datetime) -> Draft:
    """Return the draft with this text by `actor`; an approval was of the text before, and ends."""
    said = check_text(text)
    is_same = (said, image) == (draft.text, draft.image)
    if is_same and draft.state is not DraftState.DROPPED:
        return draft
    if draft.state is not DraftState.DRAFT:
        _check(draft, DraftState.DRAFT)
    return replace(
        draft,
        text=said,
        image=image,
        author=draft.author if is_same else actor,
        state=DraftState.DRAFT,
        approved_by=None,
        updated_at=now,
    )


def propose(draft: Draft, *, now: datetime) -> Draft:
    """Return the draft waiting for somebody to approve it."""
    return _to(draft, DraftState.PROPOSED, now)


def approve(draft: Draft, *, actor: str, now: datetime) -> Draft:
    """Return the draft approved; InputError by its own author: it takes a second pair of eyes."""
    if draft.state is DraftState.APPROVED:
        return draft
    if same_person(draft.author, actor):
        raise InputError(f"{draft.author} wrote this draft: somebody else approves it")
    return replace(_to(draft, DraftState.APPROVED, now), approved_by=actor)


def drop(draft: Draft, *, now: datetime) -> Draft:
    """Return the draft put aside."""
    return _to(draft, DraftState.DROPPED, now)


def may_publish(draft: Draft, severity: Severity) -> bool:
    """Whether a person may publish it: at severity critical once somebody else approved it."""
    is_second = draft.approved_by is not None and not same_person(draft.approved_by, draft.author)
    return DraftState.PUBLISHED in MOVES[draft.state] and (
        severity is not Severity.CRITICAL or (draft.state is DraftState.APPROVED and is_second)
    )


def publish(
    draft: Draft, severity: Severity, *, actor: str, place: str, link: str, now: datetime
) -> Draft:
    """Return the draft as published by `actor` at `now`; veille only notes it.

    InputError at severity critical without another's approval, or for an address that is none.
    """
    if draft.state is DraftState.PUBLISHED:
        return draft
    _check(draft, DraftState.PUBLISHED)
    if not may_publish(draft, severity):
        raise InputError(
            "at severity critical somebody else approves an answer before it is published: "
            "propose it"
        )
    return replace(
        _to(draft, DraftState.PUBLISHED, now),
        published_by=actor,
        published_at=now,
        published_on=_place(place),
        link=_link(link),
    )


def check_text(text: str) -> str:
    """Return the text as it is kept; InputError for none, or too much."""
    said = text.strip()
    if not 0 < len(said) <= TEXT_LENGTH:
        raise InputError(f"a draft has 1 to {TEXT_LENGTH} characters")
    return said


def same_person(one: str, other: str) -> bool:
    """Whether two names are one user's: they are compared without case, as at login."""
    return one.strip().casefold() == other.strip().casefold()


def _to(draft: Draft, state: DraftState, now: datetime) -> Draft:
    if draft.state is state:
        return draft
    _check(draft, state)
    return replace(draft, state=state, updated_at=now)


def _check(draft: Draft, state: DraftState) -> None:
    if state not in MOVES[draft.state]:
        raise ConflictError(f"this draft is {draft.state}: it cannot become {state}")


def _place(place: str) -> str | None:
    said = " ".join(place.split())
    if len(said) > PLACE_LENGTH:
        raise InputError(f"where it was published has at most {PLACE_LENGTH} characters")
    return said or None


def _link(link: str) -> str | None:
    said = link.strip()
    if not said:
        return None
    try:
        parts = urlsplit(said)
        is_fine = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_fine = False
    if not is_fine or not said.isprintable() or " " in said or len(said) > LINK_LENGTH:
        raise InputError("the address of what was published begins with https://")
    return said
