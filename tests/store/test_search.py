"""Search: what is found, in which order, how it is counted, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veille.domain.alert import Flag, Severity
from veille.domain.analysis import (
    Analysis,
    Entity,
    Intent,
    IntentLabel,
    Sentiment,
    SentimentLabel,
    Topic,
    Urgency,
    UrgencyLabel,
)
from veille.domain.record import MaskedMention, Tombstone
from veille.domain.search import Field, Search, parse_search
from veille.store import corrections, facets, mentions, queue, search, search_plan, work
from veille.store.engine import Db, SqliteStore, connect
from veille.store.migrations import MIGRATIONS

PARIS = ZoneInfo("Europe/Paris")
TOPICS = {"flood": "Inondation", "roads": "Voirie"}
Make = Callable[..., MaskedMention]


def found(text: str) -> Search:
    return parse_search(text, zone=PARIS, topics=TOPICS)


def findings(
    text: str,
    *,
    tone: str = "neutral",
    intent: str = "information",
    topic: str = "",
    is_urgent: bool = False,
) -> Analysis:
    at = text.find("rue du Lavoir")
    return Analysis(
        lang="fr",
        sentiment=Sentiment(
            label=SentimentLabel(tone),
            score=0.0,
            probabilities={"negative": 0.2, "neutral": 0.6, "positive": 0.2},
        ),
        crisis=0.0,
        urgency=Urgency(label=UrgencyLabel.URGENT if is_urgent else UrgencyLabel.NORMAL, score=0.5),
        intent=Intent(label=IntentLabel(intent), score=0.9),
        topics=(Topic(id=topic, score=0.9),) if topic else (),
        entities=(Entity(label="LOC", text="Lavoir", start=at + 7, end=at + 13),)
        if at >= 0
        else (),
        analyzers={"sentiment": "v1", "intent": "v1", "topics": "v1"},
    )


class Shelf:
    """A store that is filled by the sentence."""

    def __init__(self, db: Db, make: Make, now: datetime) -> None:
        self.db, self._make, self._now = db, make, now
        self.count = 0

    def put(self, text: str, *, analyzed: bool = True, **said: object) -> str:
        """Store one text and return its key; what is said of it is its analysis."""
        self.count += 1
        own = {name: said.pop(name) for name in ("source", "author", "received_at") if name in said}
        key = f"k{self.count:04}"
        made = self._make(key, minute=self.count, text=text, **own)
        mentions.add(self.db, mentions=[made], tombstones=[], now=self._now)
        if analyzed:
            lease = timedelta(minutes=1)
            jobs = work.claim(self.db, limit=1, now=self._now, lease=lease)
            done = [(job, findings(text, **said)) for job in jobs]  # type: ignore[arg-type]
            work.save(self.db, done, now=self._now)
        return key

    def keys(self, text: str, **options: int) -> list[str]:
        return list(search.page(self.db, found(text), **{"limit": 50, **options}).keys)

    def counts(self, text: str) -> search.Counts:
        return search.counts(self.db, found(text), now=self._now)


@pytest.fixture
def shelf(db: Db, mention: Make, now: datetime) -> Shelf:
    return Shelf(db, mention, now)


def test_words_are_found_whatever_their_case_accents_and_ligatures(shelf: Shelf) -> None:
    first = shelf.put("Le CŒUR du quartier est inondé")
    second = shelf.put("Une inondation au cœur du bourg")
    assert shelf.keys("coeur") == [second, first]
    assert shelf.keys("INONDÉ") == [first]
    assert shelf.keys("inond*") == [second, first]
    assert shelf.keys('"coeur du bourg"') == [second]
    assert shelf.keys("coeur NOT bourg") == [first]
    assert shelf.keys("(bourg OR quartier) inond*") == [second, first]
    assert shelf.keys("rivière") == []


def test_filters_hold_together_and_a_field_named_twice_holds_for_either(shelf: Shelf) -> None:
    angry = shelf.put("La benne déborde encore", tone="negative", topic="roads", source="presse")
    glad = shelf.put("La benne est vidée, bravo", tone="positive", topic="roads", source="forum")
    flood = shelf.put("La benne flotte", tone="negative", topic="flood", source="forum")
    assert shelf.keys("ton:négatif") == [flood, angry]
    assert shelf.keys("benne ton:négatif source:forum") == [flood]
    assert shelf.keys("source:presse source:forum -ton:positif") == [flood, angry]
    assert shelf.keys("sujet:voirie") == [glad, angry]
    assert shelf.keys("-sujet:voirie") == [flood]
    assert shelf.keys("source:inconnue") == []
    assert shelf.keys("-source:inconnue") == [flood, glad, angry]
    assert shelf.keys("") == [flood, glad, angry]


def test_a_place_is_found_by_a_word_of_its_name(shelf: Shelf) -> None:
    there = shelf.put("De l'eau rue du Lavoir ce matin")
    shelf.put("De l'eau ailleurs")
    assert shelf.keys("lieu:lavoir") == shelf.keys('lieu:"rue du Lavoir"') == [there]
    assert shelf.keys("lieu:lav") == []


def test_a_period_is_of_the_days_of_the_town_its_last_included(shelf: Shelf) -> None:
    late = shelf.put("tard", received_at=datetime(2026, 1, 17, 23, 30, tzinfo=UTC))  # le 18 à Paris
    before = shelf.put("avant", received_at=datetime(2026, 1, 17, 22, 30, tzinfo=UTC))
    after = shelf.put("après", received_at=datetime(2026, 1, 18, 23, 30, tzinfo=UTC))
    assert shelf.keys("du:2026-01-18 au:2026-01-18") == [late]
    assert shelf.keys("au:17/01/2026") == [before]
    assert shelf.keys("du:2026-01-19") == [after]
    assert shelf.keys("du:2027-01-01") == []


def test_an_author_is_found_by_the_beginning_of_the_pseudonym(shelf: Shelf) -> None:
    mine = shelf.put("une", author="abc123")
    other = shelf.put("deux", author="abd456")
    assert shelf.keys("auteur:abc1") == [mine]
    assert shelf.keys("auteur:abc1 auteur:abd") == [other, mine]
    assert shelf.keys("-auteur:abc1") == [other]


def test_what_is_in_the_queue_is_found_by_state_severity_and_rule(
    shelf: Shelf, now: datetime
) -> None:
    waiting = shelf.put("à suivre")
    shelf.put("rien à faire")
    flag = Flag(key=waiting, rule="flood_distress", severity=Severity.CRITICAL, at=now)
    queue.flag(shelf.db, [flag])
    for text in ("etat:nouveau", "gravite:critique", "regle:flood_distress", "suivre etat:nouveau"):
        assert shelf.keys(text) == [waiting], text
    assert shelf.keys("etat:clos") == []
    assert shelf.counts("").values[Field.STATE] == [("new", 1)]


def test_a_correction_moves_a_mention_to_what_people_say(shelf: Shelf, now: datetime) -> None:
    key = shelf.put("Bravo pour la panne", tone="positive")
    corrections.add(shelf.db, key, {"sentiment": "negative"}, actor="Camille", at=now)
    assert (shelf.keys("ton:positif"), shelf.keys("ton:négatif")) == ([], [key])
    corrections.add(shelf.db, key, {"sentiment": ""}, actor="Camille", at=now)
    assert shelf.keys("ton:positif") == [key]


def test_what_waits_for_its_analysis_is_found_by_words_and_source(shelf: Shelf) -> None:
    key = shelf.put("tout juste arrivé", analyzed=False)
    assert shelf.keys("arrivé source:presse") == [key]
    assert shelf.keys("ton:neutre") == []


def test_pages_follow_each_other_without_gap_or_repeat_while_more_arrives(shelf: Shelf) -> None:
    keys = [shelf.put(f"eau numéro {n}") for n in range(7)][::-1]
    first = search.page(shelf.db, found("eau"), limit=3)
    shelf.put("eau nouvelle")
    second = search.page(shelf.db, found("eau"), limit=3, before=first.next)
    third = search.page(shelf.db, found("eau"), limit=3, before=second.next)
    assert [*first.keys, *second.keys, *third.keys] == keys
    assert third.next is None


def test_the_best_say_the_words_more_often(shelf: Shelf) -> None:
    once = shelf.put("la crue et le marché, la mairie, la fête, les travaux de la place")
    often = shelf.put("crue, crue et encore crue")
    last = shelf.put(
        "le marché, la fête et la crue de la place et les travaux de la mairie et tout"
    )
    best = search.best(shelf.db, found("crue"), limit=2)
    assert best.keys == (often, once)
    assert last not in best.keys
    assert search.best(shelf.db, found(""), limit=2).keys == (last, often)


def test_counts_are_of_each_value_and_period(shelf: Shelf, now: datetime) -> None:
    shelf.put("eau", tone="negative", source="forum")
    shelf.put("eau", tone="negative", received_at=now - timedelta(days=3))
    shelf.put("eau", tone="positive", received_at=now - timedelta(days=90))
    shelf.put("feu")
    counted = shelf.counts("eau")
    assert (counted.total, counted.has_more) == (3, False)
    assert counted.values[Field.TONE] == [("negative", 2), ("positive", 1)]
    assert counted.values[Field.SOURCE] == [("presse", 2), ("forum", 1)]
    assert counted.periods == {"day": 1, "week": 2, "month": 2}
    assert shelf.counts("inexistant") == search.Counts(periods={})


def test_counting_and_reading_are_bounded_and_say_so(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest = shelf.put("eau", tone="positive")
    for _ in range(6):
        shelf.put("eau", tone="negative")
    monkeypatch.setattr(search, "COUNTED", 4)
    assert (shelf.counts("eau").total, shelf.counts("eau").has_more) == (4, True)
    for module in (search, search_plan):
        monkeypatch.setattr(module, "EXAMINED", 3)
    monkeypatch.setattr(search_plan, "_RARE", 0)
    page = search.page(shelf.db, found("eau ton:positif"), limit=2)
    assert (page.keys, page.is_cut) == ((), True)
    read = 0
    while page.next is not None:
        read += 1
        page = search.page(shelf.db, found("eau ton:positif"), limit=2, before=page.next)
    assert page.keys == (oldest,)
    assert read == 2
    assert shelf.counts("eau ton:positif").has_more


def test_an_edit_is_found_by_its_new_words_alone(
    shelf: Shelf, mention: Make, now: datetime
) -> None:
    key = shelf.put("avant rue du Lavoir")
    edit = mention(key, text="après", edited_at=now)
    mentions.add(shelf.db, mentions=[edit], tombstones=[], now=now)
    assert (shelf.keys("avant"), shelf.keys("après"), shelf.keys("lieu:lavoir")) == ([], [key], [])


def test_what_is_deleted_is_found_by_nothing_and_its_place_is_forgotten(
    shelf: Shelf, now: datetime
) -> None:
    key = shelf.put("eau rue du Lavoir", tone="negative")
    other = shelf.put("eau", tone="negative")
    gone = Tombstone(key=key, source="presse", at=now)
    mentions.add(shelf.db, mentions=[], tombstones=[gone], now=now)
    assert shelf.keys("eau") == shelf.keys("ton:négatif") == shelf.keys("") == [other]
    assert shelf.db.value("SELECT count(*) FROM search_terms WHERE field = 'place'") == 0
    assert shelf.db.value("SELECT count(*) FROM search_postings WHERE mention = 1") == 0
    mentions.delete(shelf.db, [other], cause=mentions.ERASED, now=now)
    assert shelf.db.value("SELECT count(*) FROM search_terms") == 0


def test_a_store_of_before_is_taken_in_from_the_newest_on(shelf: Shelf) -> None:
    keys = [shelf.put(f"eau {n}", tone="negative") for n in range(5)]
    shelf.db.execute("DELETE FROM search_facts")
    shelf.db.execute("INSERT OR REPLACE INTO watermarks VALUES (?, 6)", (facets.BEFORE,))
    assert not facets.is_complete(shelf.db)
    assert facets.catch_up(shelf.db, limit=3) == 3
    assert shelf.keys("eau") == keys[:1:-1]
    assert facets.catch_up(shelf.db, limit=3) == 2
    assert shelf.keys("ton:négatif") == keys[::-1]
    assert facets.is_complete(shelf.db)
    assert facets.catch_up(shelf.db, limit=3) == 0


WORDS = ("eau", "crue", "benne", "marché")
TONES = ("negative", "neutral", "positive")


@given(data=st.data())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_way_of_reading_finds_the_same(
    data: st.DataObject, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever list drives a search, its hits are those of a plain look at all texts."""
    if not shelf.count:
        for n in range(40):
            shelf.put(
                f"{WORDS[n % 4]} {WORDS[n // 4 % 4]}",
                tone=TONES[n % 3],
                topic=("flood", "roads", "")[n // 2 % 3],
                source=("presse", "forum")[n // 7 % 2],
            )
    drawn = data.draw
    wanted_words = drawn(st.lists(st.sampled_from(WORDS), max_size=2, unique=True))
    tones = drawn(st.lists(st.sampled_from(TONES), max_size=2, unique=True))
    source = drawn(st.sampled_from(("", "presse", "forum")))
    is_excluded = drawn(st.booleans())
    monkeypatch.setattr(search_plan, "_RARE", drawn(st.sampled_from((0, 5, 1000))))
    monkeypatch.setattr(search_plan, "_SORTED", drawn(st.sampled_from((0, 1000))))
    text = " ".join(
        [
            *wanted_words,
            *(f"ton:{tone}" for tone in tones),
            *([f"{'-' if is_excluded else ''}source:{source}"] if source else []),
        ]
    )
    expected = [
        f"k{n + 1:04}"
        for n in range(39, -1, -1)
        if set(wanted_words) <= {WORDS[n % 4], WORDS[n // 4 % 4]}
        and (not tones or TONES[n % 3] in tones)
        and (not source or (("presse", "forum")[n // 7 % 2] == source) != is_excluded)
    ]
    assert shelf.keys(text) == expected
    assert shelf.counts(text).total == len(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "eau",
        "inond* ton:négatif",
        '"rue du lavoir" source:presse du:2026-01-18',
        "ton:négatif",
        "ton:négatif ton:positif",
        "sujet:flood -source:forum",
        "etat:nouveau",
        "eau etat:nouveau gravite:critique",
        "auteur:abc",
        "lieu:lavoir",
    ],
)
def test_no_search_reads_a_table_from_end_to_end(shelf: Shelf, text: str) -> None:
    shelf.put("eau rue du Lavoir", tone="negative", topic="flood")
    shelf.put("eau", tone="positive", source="forum")
    plan = search_plan.plan(shelf.db, found(text))
    assert plan is not None
    steps = shelf.db.rows(f"EXPLAIN QUERY PLAN {plan.hits('c.id')} LIMIT 26", plan.params)
    said = [str(row["detail"]) for row in steps]
    # "SCAN c" reads what the driver gives; the driver itself must not be a scan, nor all be sorted
    scans = [s for s in said if s.startswith("SCAN") and s != "SCAN c" and "VIRTUAL" not in s]
    assert scans == []
    if "ton:positif" not in text and "auteur" not in text:
        assert not any("TEMP B-TREE" in step for step in said), said


async def test_a_deleted_place_is_in_no_byte_of_the_files(
    path: Path, mention: Make, now: datetime
) -> None:
    secret = "Xylophonique"
    said = f"chez {secret}"

    def fill(db: Db) -> None:
        made = mention(text=said)
        mentions.add(db, mentions=[made], tombstones=[], now=now)
        jobs = work.claim(db, limit=1, now=now, lease=timedelta(minutes=1))
        place = Entity(label="LOC", text=secret, start=5, end=len(said))
        analysis = replace(findings(said), entities=(place,))
        work.save(db, [(job, analysis) for job in jobs], now=now)

    async with SqliteStore(path) as store:
        await store.write(fill)
        listed = await store.read(lambda db: search.page(db, found(f"lieu:{secret}"), limit=1))
        assert listed.keys == ("a",)
        await store.write(lambda db: mentions.delete(db, ["a"], cause=mentions.ERASED, now=now))
        assert await store.checkpoint()
        for file in path.parent.iterdir():
            assert secret.lower().encode() not in file.read_bytes().lower(), file.name


def test_a_store_of_the_version_before_is_upgraded_with_its_mentions(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [name for name, _ in MIGRATIONS]
    monkeypatch.setattr("veille.store.engine.MIGRATIONS", MIGRATIONS[: known.index("0005_queue")])
    old = connect(path, is_durable=False)
    for number in (1, 2):
        old.execute(
            """INSERT INTO mentions (id, key, source, watches, kind, text, created_at, received_at,
            content_hash, media, metrics, own, masked, state) VALUES
            (?, ?, 'presse', '[]', 'post', 'eau', 0, 0, '', '[]', 'null', 0, '[]', 'analyzed')""",
            (number, f"k{number}"),
        )
    old.execute(
        """INSERT INTO queue (mention, state, severity, created_at, updated_at)
        VALUES ('k1', 'new', 'info', 0, 0)"""
    )
    old.close()
    monkeypatch.undo()
    db = connect(path, is_durable=False)
    assert not facets.is_complete(db)
    while facets.catch_up(db, limit=1):
        pass
    listed = {text: search.page(db, found(text), limit=9).keys for text in ("eau", "etat:nouveau")}
    db.close()
    assert listed == {"eau": ("k2", "k1"), "etat:nouveau": ("k1",)}
