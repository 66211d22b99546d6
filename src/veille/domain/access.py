"""Who may do what: one table from roles to what they are granted."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """What a user is trusted with."""

    READER = "reader"
    TRIAGE = "triage"
    EDITOR = "editor"
    DPO = "dpo"
    ADMIN = "admin"


class Access(StrEnum):
    """What a route, or a token of the API, asks for."""

    PUBLIC = "public"
    """Nobody has to be known."""
    READ = "read"
    """Look at pages, and change what is one's own."""
    ACT = "act"
    """Take, assign, note, answer, correct, close and silence."""
    EDIT = "edit"
    """Approve drafts, write templates and shared views, merge and split, change who is on call."""
    AUDIT = "audit"
    """Read the audit trail."""
    ADMIN = "admin"
    """Add, change and disable users; revoke what is theirs."""


_LOOKS = frozenset({Access.PUBLIC, Access.READ})
_WORKS = _LOOKS | {Access.ACT}
_EDITS = _WORKS | {Access.EDIT}
GRANTS: Mapping[Role, frozenset[Access]] = {
    Role.READER: _LOOKS,
    Role.TRIAGE: _WORKS,
    Role.EDITOR: _EDITS,
    Role.DPO: _WORKS | {Access.AUDIT},
    Role.ADMIN: _EDITS | {Access.AUDIT, Access.ADMIN},
}


def may(role: Role, access: Access) -> bool:
    """Whether this role is granted it; what is not listed is refused."""
    return access in GRANTS[role]
