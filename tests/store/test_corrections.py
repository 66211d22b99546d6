"""What people say of an analysis: kept with author and time, gone with its mention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from veille.domain.analysis import Analysis
from veille.domain.correction import reading_of
from veille.domain.errors import InputError, RereadError, TargetError
from veille.domain.record import MaskedMention, Tombstone
from veille.store import corrections, mentions, people, work
from veille.store.engine import Db

Make = Callable[..., MaskedMention]
Analyze = Callable[..., Analysis]


@pytest.fixture
def put(db: Db, mention: Make, analysis: Analyze, now: datetime) -> Callable[..., None]:
    """Store a mention and its analysis."""

    def put(key: str = "a", **changes: object) -> None:
        mentions.add(db, mentions=[mention(key, **changes)], tombstones=[], now=now)
        claimed = work.claim(db, limit=9, now=now, lease=timedelta(minutes=1))
        versions = {"sentiment": "net-1", "hostility": "net-2", "urgency": "net-1"}
        found = replace(analysis(), analyzers=versions)
        work.save(db, [(job, found) for job in claimed], now=now)

    return put


def said(db: Db, key: str = "a") -> dict[str, str]:
    return {head: c.value for head, c in corrections.corrected(db, [key]).get(key, {}).items()}


def test_a_correction_has_author_time_what_stood_before_and_the_model(
    db: Db, put: Callable[..., None], now: datetime
) -> None:
    put()
    labels = {"sentiment": "negative", "hostility": "uncivil", "target": "staff"}
    corrections.add(db, "a", labels, actor="Ana", at=now)
    found = corrections.corrected(db, ["a", "unknown"])["a"]
    assert found["sentiment"].value == "negative"
    assert found["sentiment"].previous == "neutral"
    assert (found["sentiment"].actor, found["sentiment"].at) == ("Ana", now)
    assert found["sentiment"].model == "net-1"
    assert (found["target"].previous, found["target"].model) == ("none", "net-2")
    assert mentions.stored(db, ["a"])["a"].corrections == found


def test_a_second_correction_replaces_the_first_and_taking_back_undoes_it(
    db: Db, put: Callable[..., None], now: datetime
) -> None:
    put()
    corrections.add(db, "a", {"sentiment": "negative"}, actor="Ana", at=now)
    second = corrections.add(db, "a", {"sentiment": "positive"}, actor="Bob", at=now)
    assert second["sentiment"].previous == "negative"
    assert corrections.add(db, "a", {"sentiment": "positive"}, actor="Eve", at=now) == {}
    assert corrections.add(db, "a", {"intent": ""}, actor="Eve", at=now) == {}
    corrections.add(db, "a", {"sentiment": ""}, actor="Bob", at=now)
    assert said(db) == {}
    assert db.value("SELECT count(*) FROM corrections") == 3


def test_the_machines_own_label_is_kept_as_a_confirmation(
    db: Db, put: Callable[..., None], now: datetime
) -> None:
    put()
    assert corrections.add(db, "a", {"urgency": "normal"}, actor="Ana", at=now)
    (judged,) = corrections.judged(db)
    assert judged.text == "texte de a"
    assert judged.labels == {"urgency": "normal"}
    assert judged.machine["urgency"] == "normal"


@pytest.mark.parametrize(
    ("head", "value"),
    [
        ("sentiment", "undecided"),
        ("mood", "negative"),
        ("intent", "Threat"),
        ("topic", "<b>"),
        ("topic", "x" * 65),
        ("topic", "é"),
    ],
)
def test_what_is_no_label_is_refused_and_nothing_is_written(
    db: Db, put: Callable[..., None], now: datetime, head: str, value: str
) -> None:
    put()
    with pytest.raises(InputError):
        corrections.add(db, "a", {"urgency": "urgent", head: value}, actor="Ana", at=now)
    assert said(db) == {}


def test_a_mention_without_analysis_is_not_corrected(db: Db, mention: Make, now: datetime) -> None:
    mentions.add(db, mentions=[mention("a")], tombstones=[], now=now)
    with pytest.raises(InputError, match="not analyzed yet"):
        corrections.add(db, "a", {"urgency": "urgent"}, actor="Ana", at=now)


def test_heads_that_never_ran_said_nothing(db: Db, put: Callable[..., None], now: datetime) -> None:
    put()
    corrections.add(db, "a", {"intent": "irony"}, actor="Ana", at=now)
    (judged,) = corrections.judged(db)
    assert judged.machine == {
        "sentiment": "neutral", "urgency": "normal", "hostility": "undecided", "target": "none",
    }  # fmt: skip
    assert corrections.corrected(db, ["a"])["a"]["intent"].previous == ""


@pytest.mark.parametrize("labels", [{"hostility": "none", "target": "staff"}, {"target": "staff"}])
def test_a_target_of_what_is_not_hostile_is_refused(
    db: Db, put: Callable[..., None], now: datetime, labels: dict[str, str]
) -> None:
    put()
    with pytest.raises(TargetError):
        corrections.add(db, "a", labels, actor="Ana", at=now)
    assert said(db) == {}


@pytest.mark.parametrize("labels", [{"hostility": "none"}, {"hostility": ""}])
@pytest.mark.parametrize("form", [{}, {"target": "staff"}])
def test_a_target_goes_with_the_hostility_it_had(
    db: Db, put: Callable[..., None], now: datetime, labels: dict[str, str], form: dict[str, str]
) -> None:
    put()
    corrections.add(db, "a", {"hostility": "threat", "target": "staff"}, actor="Ana", at=now)
    found = corrections.add(db, "a", {**labels, **form}, actor="Ana", at=now)
    assert set(found) == {"hostility", "target"}
    assert said(db) == {head: label for head, label in labels.items() if label}


@pytest.mark.parametrize("topic", ["5g", "_x", "roads"])
def test_any_id_topics_yml_may_hold_is_a_topic(
    db: Db, put: Callable[..., None], now: datetime, topic: str
) -> None:
    put()
    corrections.add(db, "a", {"topic": topic}, actor="Ana", at=now)
    assert said(db) == {"topic": topic}


def test_what_was_said_of_another_text_or_by_another_model_does_not_stand(
    db: Db, put: Callable[..., None], mention: Make, analysis: Analyze, now: datetime
) -> None:
    put()
    first = mentions.stored(db, ["a"])["a"]
    seen = reading_of(first.version, first.analysis)
    corrections.add(db, "a", {"urgency": "normal"}, actor="Ana", at=now, reading=seen)
    edited = now + timedelta(minutes=1)
    mentions.add(
        db, mentions=[mention("a", text="au secours", edited_at=edited)], tombstones=[], now=now
    )
    for _ in range(2):  # before the new text is analyzed, and after
        with pytest.raises(RereadError):
            corrections.add(db, "a", {"urgency": "normal"}, actor="Ana", at=now, reading=seen)
        put("a", text="au secours", edited_at=edited)
    assert said(db) == {}
    other = replace(first.analysis, analyzers={**first.analysis.analyzers, "urgency": "net-9"})
    assert reading_of(1, other) != seen


def test_an_edited_text_must_be_judged_anew(
    db: Db, put: Callable[..., None], now: datetime
) -> None:
    put()
    corrections.add(db, "a", {"urgency": "urgent"}, actor="Ana", at=now)
    put("a", text="tout va bien", edited_at=now + timedelta(minutes=1))
    assert mentions.stored(db, ["a"])["a"].version == 2
    assert said(db) == {}
    assert corrections.judged(db) == []
    assert len(people.held(db, ["a"])) == 1  # what was said of the first text is still exported
    exported = people.held(db, ["a"])[0]["corrections"]
    assert "urgent" in exported
    assert "Ana" not in exported  # the name of a colleague is not the author's data


def test_deletion_and_age_take_corrections_away(
    db: Db, put: Callable[..., None], now: datetime
) -> None:
    for key in ("a", "b"):
        put(key)
        corrections.add(db, key, {"urgency": "urgent"}, actor="Ana", at=now)
    assert people.parts(db, ["a"])["corrections"] == 1
    gone = Tombstone(key="a", source="presse", at=now)
    mentions.add(db, mentions=[], tombstones=[gone], now=now)
    assert db.value("SELECT count(*) FROM corrections") == 1
    late = now + timedelta(days=400)
    mentions.expire(db, neutral=late, flagged=late, incident=late, now=late, limit=10)
    assert db.value("SELECT count(*) FROM corrections") == 0
