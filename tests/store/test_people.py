"""Users, sessions, the login throttle, and the audit log."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from veille.domain.access import Role
from veille.domain.errors import InputError, StoreError
from veille.store import audit, users
from veille.store.engine import Db
from veille.store.users import Session


@pytest.fixture
def camille(db: Db, now: datetime) -> users.User:
    return users.add(db, name="Camille É.", password_hash="hash", role=Role.TRIAGE, now=now)


def a_session(token: str, now: datetime, *, hours: int = 12) -> Session:
    return Session(
        token_hash=token,
        user="camille é.",
        csrf="csrf",
        created_at=now,
        seen_at=now,
        expires_at=now + timedelta(hours=hours),
    )


def test_a_user_is_found_whatever_the_case_and_must_change_the_password(
    db: Db, camille: users.User
) -> None:
    assert users.get(db, " CAMILLE é.") == camille
    assert (camille.name, camille.role, camille.must_change) == ("Camille É.", Role.TRIAGE, True)
    assert "hash" not in repr(camille)
    assert users.list_(db) == [camille]


@pytest.mark.parametrize("name", ["camille É.", "", "  ", "a" * 65, "a\nb", "a\u202eb", "\ud800"])
def test_a_taken_or_misleading_name_is_refused(
    db: Db, camille: users.User, now: datetime, name: str
) -> None:
    with pytest.raises(InputError, match="choose another"):
        users.add(db, name=name, password_hash="x", role=Role.READER, now=now)


def test_disabling_ends_every_session_and_allows_no_new_one(
    db: Db, camille: users.User, now: datetime
) -> None:
    users.add_session(db, a_session("t1", now))
    users.add_session(db, a_session("t2", now))
    found = users.session(db, "t1", now=now)
    assert found is not None
    assert found[0].user == found[1].name == "Camille É."
    users.disable(db, "Camille É.", now=now)
    assert users.session(db, "t1", now=now) is None
    assert users.sessions(db, "Camille É.") == []
    with pytest.raises(InputError, match="disabled"):
        users.add_session(db, a_session("t3", now))
    users.enable(db, "Camille É.")
    assert users.session(db, "t1", now=now) is None
    users.add_session(db, a_session("t3", now))
    assert users.session(db, "t3", now=now) is not None


def test_a_new_password_ends_every_session(db: Db, camille: users.User, now: datetime) -> None:
    users.add_session(db, a_session("t1", now))
    users.set_password(db, "camille é.", password_hash="other", must_change=False, now=now)
    changed = users.get(db, "camille é.")
    assert changed is not None
    assert (changed.password_hash, changed.must_change) == ("other", False)
    assert users.session(db, "t1", now=now) is None


def test_a_session_ends_at_its_time_and_by_logging_out(
    db: Db, camille: users.User, now: datetime
) -> None:
    users.add_session(db, a_session("short", now, hours=1))
    users.add_session(db, a_session("long", now))
    later = now + timedelta(hours=1)
    assert users.session(db, "short", now=later) is None
    users.touch(db, "long", now=later)
    assert [s.seen_at for s in users.sessions(db, "camille é.") if s.token_hash == "long"] == [
        later
    ]
    assert users.drop_sessions(db, now=later) == 1
    users.end_session(db, "long")
    assert users.session(db, "long", now=now) is None


def test_an_unknown_user_is_named_in_the_error(db: Db, now: datetime) -> None:
    with pytest.raises(InputError, match="veille user list"):
        users.disable(db, "personne", now=now)
    with pytest.raises(InputError, match="veille user list"):
        users.set_role(db, "personne", Role.ADMIN)


def test_failures_count_by_name_and_address(db: Db, now: datetime) -> None:
    for minute in range(3):
        at = now + timedelta(minutes=minute)
        users.note_failure(db, name="Camille", address="192.0.2.1", at=at)
    users.note_failure(db, name="camille", address="192.0.2.2", at=now)
    assert users.failures(db, name="CAMILLE", address="192.0.2.1", since=now) == 3
    one = now + timedelta(minutes=1)
    assert users.failures(db, name="camille", address="192.0.2.1", since=one) == 2
    users.clear_failures(db, name="camille", address="192.0.2.1")
    assert users.failures(db, name="camille", address="192.0.2.1", since=now) == 0
    assert users.drop_failures(db, before=one) == 1


def test_what_was_typed_as_a_name_is_kept_as_a_hash_only(db: Db, path: Path, now: datetime) -> None:
    typed = "\ud800 my secret password" + "x" * 10**6
    users.note_failure(db, name=typed, address="192.0.2.1", at=now)
    assert users.failures(db, name=typed, address="192.0.2.1", since=now) == 1
    for file in path.parent.iterdir():
        assert b"secret password" not in file.read_bytes()
        assert b"192.0.2.1" not in file.read_bytes()


def fill(db: Db, now: datetime, count: int = 5) -> None:
    for number in range(count):
        audit.add(
            db,
            at=now,
            actor="camille",
            action="incident.resolved",
            target=f"I{number}",
            before={"state": "open"},
            after={"state": "resolved", "notes": number},
        )


def test_an_untouched_audit_log_holds(db: Db, now: datetime) -> None:
    assert audit.verify(db) is None
    fill(db, now)
    assert audit.verify(db) is None


def test_the_audit_log_only_grows(db: Db, now: datetime) -> None:
    fill(db, now)
    for sql in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
        with pytest.raises(StoreError, match="only grows"):
            db.execute(sql)


@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        ("UPDATE audit SET actor = 'somebody else' WHERE seq = 3", 3),
        ("UPDATE audit SET after = NULL WHERE seq = 2", 2),
        ("UPDATE audit SET at = at + 1 WHERE seq = 5", 5),
        ("UPDATE audit SET hash = 'x' WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 5", 5),
        ("INSERT INTO audit SELECT 6, at, actor, action, target, before, after, hash FROM audit "
         "WHERE seq = 5", 6),
    ],
)  # fmt: skip
def test_a_broken_chain_is_found(db: Db, now: datetime, sql: str, broken: int) -> None:
    fill(db, now)
    db.execute("DROP TRIGGER audit_never_changes")
    db.execute("DROP TRIGGER audit_never_shrinks")
    db.execute(sql)
    assert audit.verify(db) == broken


@pytest.mark.parametrize("name", ["veille", " Veille ", "-"])
def test_nobody_is_called_as_the_program_or_as_nobody(db: Db, now: datetime, name: str) -> None:
    with pytest.raises(InputError):
        users.add(db, name=name, password_hash="x", role=Role.TRIAGE, now=now)
