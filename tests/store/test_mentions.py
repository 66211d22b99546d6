"""Mentions: edits, deletions, search, and what is left in the files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.analysis import Analysis
from veille.domain.mention import Media, Metrics
from veille.domain.record import Identity, MaskedMention, Tombstone
from veille.store import mentions, observations, retention, work
from veille.store.engine import Db, SqliteStore, connect
from veille.store.mentions import Added

Make = Callable[..., MaskedMention]
Analyze = Callable[..., Analysis]


@pytest.fixture
def put(db: Db, now: datetime) -> Callable[..., Added]:
    def put(*found: MaskedMention, gone: tuple[str, ...] = ()) -> Added:
        tombstones = [Tombstone(key=key, source="presse", at=now) for key in gone]
        return mentions.add(db, mentions=found, tombstones=tombstones, now=now)

    return put


Put = Callable[..., Added]


def text_of(db: Db, key: str) -> str:
    return mentions.stored(db, [key])[key].text


def test_a_mention_is_stored_whole(db: Db, put: Put, mention: Make, now: datetime) -> None:
    given_ = mention(
        followers=12,
        role="élue",
        lang="fr",
        reply_to="b",
        thread="c",
        media=(Media(type="image", url="https://i.example/1", alt="une crue"),),
        metrics=Metrics(likes=3),
        own=True,
        edited_at=now,
        masked=("phone",),
        sealed=b"\x00sealed",
    )
    assert put(given_) == Added(new=1)
    kept = mentions.stored(db, ["a", "unknown"])["a"]
    for name in ("key", "source", "watches", "kind", "text", "created_at", "received_at", "author",
                 "followers", "role", "lang", "own", "edited_at", "masked"):  # fmt: skip
        assert getattr(kept, name) == getattr(given_, name), name
    assert (kept.version, kept.url, kept.has_original) == (1, "https://presse.example/a", True)
    assert mentions.original(db, "a") == b"\x00sealed"
    assert mentions.native_ids(db, ["a"]) == {"a": ("presse", "native-a")}


def test_adding_the_same_again_changes_nothing(db: Db, put: Put, mention: Make) -> None:
    put(mention())
    assert put(mention(minute=5), mention(minute=9)) == Added(seen=2)
    assert mentions.stored(db, ["a"])["a"] == mentions.stored(db, ["a"])["a"]
    assert mentions.stored(db, ["a"])["a"].version == 1


def test_an_edit_is_a_new_version_to_analyze_again(
    db: Db, put: Put, mention: Make, analysis: Analyze, now: datetime
) -> None:
    put(mention(text="avant"))
    lease = timedelta(minutes=1)
    work.save(db, [(w, analysis()) for w in work.claim(db, limit=9, now=now, lease=lease)], now=now)
    assert put(mention(text="après", edited_at=now)) == Added(edited=1)
    kept = mentions.stored(db, ["a"])["a"]
    assert (kept.text, kept.version, kept.analysis) == ("après", 2, None)
    assert [(w.version, w.text) for w in work.claim(db, limit=9, now=now, lease=lease)] == [
        (2, "après")
    ]
    assert db.value("SELECT text FROM mention_versions") == "avant"


@pytest.mark.parametrize("order", ["012", "021", "102", "120", "201", "210"])
def test_edits_in_any_order_end_in_the_newest_text(
    db: Db, put: Put, mention: Make, now: datetime, order: str
) -> None:
    versions = [
        mention(text="zéro"),
        mention(text="un", edited_at=now + timedelta(minutes=1)),
        mention(text="deux", edited_at=now + timedelta(minutes=2)),
    ]
    for number in order:
        put(versions[int(number)])
    assert text_of(db, "a") == "deux"


def test_an_old_text_sent_again_without_a_date_does_not_come_back(
    db: Db, put: Put, mention: Make
) -> None:
    put(mention(text="avant"))
    assert put(mention(text="après")) == Added(edited=1)
    assert put(mention(text="avant")) == Added(seen=1)
    assert text_of(db, "a") == "après"


def test_a_deletion_empties_the_mention_and_keeps_it_from_coming_back(
    db: Db, put: Put, mention: Make
) -> None:
    put(mention(text="avant", sealed=b"s"))
    put(mention(text="après", sealed=b"s"))
    assert put(gone=("a",)) == Added(deleted=1)
    kept = mentions.stored(db, ["a"])["a"]
    assert kept.is_deleted
    assert (kept.text, kept.author, kept.url, kept.has_original) == ("", None, None, False)
    assert mentions.native_ids(db, ["a"]) == {}
    assert mentions.search(db, "avant", 9) == mentions.search(db, "après", 9) == []
    assert put(gone=("a",)) == Added()
    assert put(mention(text="encore")) == Added(seen=1)
    assert text_of(db, "a") == ""
    assert mentions.counts(db) == {"deleted": 1}


def test_a_deletion_that_comes_first_keeps_the_mention_out(db: Db, put: Put, mention: Make) -> None:
    assert put(gone=("a",)) == Added()
    assert put(mention()) == Added(seen=1)
    assert put(mention("b"), gone=("b",)) == Added(seen=1)
    assert mentions.counts(db) == {}


async def test_a_deleted_text_is_in_no_byte_of_the_files(
    path: Path, mention: Make, analysis: Analyze, now: datetime
) -> None:
    secret = "xylophonique"
    lease = timedelta(minutes=1)

    def fill(db: Db) -> None:
        found = [
            mention(f"k{n}", text=f"{secret}{n} au marché " + "long " * 2000) for n in range(40)
        ]
        mentions.add(db, mentions=found, tombstones=[], now=now)
        edited = mention(
            "k1",
            text=f"{secret} modifié",
            sealed=secret.encode(),
            identity=Identity(native_id=secret, author_name=secret),
            media=(Media(type="image", alt=secret),),
        )
        mentions.add(db, mentions=[edited], tombstones=[], now=now)
        claimed = work.claim(db, limit=99, now=now, lease=lease)
        work.save(db, [(w, analysis(entity=secret, urgent=True)) for w in claimed], now=now)

    def erase(db: Db) -> None:
        gone = [Tombstone(key=f"k{n}", source="presse", at=now) for n in range(40)]
        assert mentions.add(db, mentions=[], tombstones=gone, now=now).deleted == 40

    async with SqliteStore(path) as store:
        await store.write(fill)
        await store.checkpoint()
        assert secret.encode() in path.read_bytes()
        await store.write(erase)
        assert await store.checkpoint()
        for file in path.parent.iterdir():
            assert secret.encode() not in file.read_bytes(), file.name
        assert await store.read(lambda db: db.value("PRAGMA integrity_check")) == "ok"


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Un Éléphant au parc", "elephant"),
        ("l'ÉCOLE fermée", "école"),
        ("au cœur du bourg", "COEUR"),
        ("Œuvre d'art", "œuvre"),
        ("les routes barrées", "route barr"),
        ("la crue #inondation", "#inondation"),
    ],
)
def test_search_ignores_case_accents_and_endings(
    db: Db, put: Put, mention: Make, text: str, query: str
) -> None:
    put(mention(text=text), mention("b", text="autre chose"))
    assert mentions.search(db, query, 9) == ["a"]


def test_search_follows_edits_and_gives_the_newest_first(db: Db, put: Put, mention: Make) -> None:
    put(*(mention(f"k{n}", text=f"route {n}") for n in range(5)))
    put(mention("k4", text="chemin"))
    assert mentions.search(db, "route", 3) == ["k3", "k2", "k1"]
    assert mentions.search(db, "chemin", 3) == ["k4"]


@given(text=st.text(st.characters(codec=None), max_size=40))
def test_no_search_text_breaks_the_index(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "search" / "veille.db"
    db = connect(path, is_durable=False)
    assert mentions.search(db, text, 5) == []
    assert mentions.search(db, f'{text}" OR * NEAR(a b) NOT ^{{col}}: {text * 50}', 5) == []
    db.close()


def test_a_hostile_mention_does_not_block_its_batch(db: Db, put: Put, mention: Make) -> None:
    hostile = mention(
        text="a\ud800b\x00c",
        content_hash="hash",
        followers=10**30,
        media=(Media(type="image", alt="\udfff"),),
        identity=Identity(native_id="\ud800", author_name="\x00"),
    )
    assert put(hostile, mention("b")) == Added(new=2)
    assert text_of(db, "a") == "a\ufffdb\ufffdc"


def test_originals_are_dropped_by_age(db: Db, put: Put, mention: Make, now: datetime) -> None:
    put(mention("old", sealed=b"x"), mention("young", minute=10, sealed=b"y"))
    assert mentions.drop_originals(db, before=now + timedelta(minutes=5)) == 1
    assert mentions.original(db, "old") is None
    assert mentions.original(db, "young") == b"y"


def test_an_observation_deleted_before_it_was_read_says_nothing_more(
    db: Db, put: Put, mention: Make, analysis: Analyze, now: datetime
) -> None:
    put(mention())
    claimed = work.claim(db, limit=9, now=now, lease=timedelta(minutes=1))
    work.save(db, [(w, analysis()) for w in claimed], now=now)
    put(gone=("a",))
    assert [(o.text, o.analysis, o.author) for o in observations.after(db, 0, limit=9)] == [
        ("", None, None),
        ("", None, None),
    ]


def test_the_newest_of_a_source_are_found_without_reading_all(
    db: Db, put: Put, mention: Make
) -> None:
    for number in range(4):
        put(mention(f"k{number}", identity=Identity(native_id=f"n{number}")))
    put(gone=("k2",))
    assert mentions.newest_ids(db, "presse", 2) == ["n3", "n1"]
    assert mentions.newest_ids(db, "ailleurs", 2) == []
    plan = [row["detail"] for row in db.rows(f"EXPLAIN QUERY PLAN {mentions._NEWEST}", ("x", 2))]
    assert not [step for step in plan if step.startswith(("SCAN", "USE TEMP"))]


def test_no_sweep_reads_a_growing_table_from_end_to_end(db: Db) -> None:
    plans = {
        table: [row["detail"] for row in db.rows(f"EXPLAIN QUERY PLAN {statement}", (1, 2))]
        for table, _, statement in retention._PURGES
    }
    for growing in ("mentions", "tombstones"):
        assert [step for step in plans[growing] if step.startswith("SCAN")] == []
