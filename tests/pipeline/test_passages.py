"""What the model is told around a text, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from veille.domain.analysis import Analysis, Passage
from veille.domain.mention import Batch, Media
from veille.domain.watch import Watch
from veille.pipeline import rule_tests
from veille.pipeline.analyze import Analyze
from veille.pipeline.passages import Surroundings
from veille.store.engine import SqliteStore

Town = Any  # of conftest.py
PARIS = ZoneInfo("Europe/Paris")
AROUND = Surroundings.of(
    [
        Watch(id="mairie", query="", territory=("39476", "39")),
        Watch(id="agglo", query="", territory=("39300",)),
        Watch(id="marque", query=""),
    ],
    zone=PARIS,
)
AT = datetime(2026, 1, 18, 1, 10, tzinfo=UTC)


class Ears:
    """An analyst that keeps what it was given."""

    def __init__(self, analyst: Any) -> None:
        self._analyst = analyst
        self.heard: list[Passage] = []

    def analyze(self, passages: Sequence[Passage]) -> list[Analysis]:
        self.heard += passages
        return self._analyst.analyze(passages)


def test_a_text_has_the_territory_of_all_its_watches_and_the_hour_of_the_place() -> None:
    found = AROUND.passage("oui", at=AT, watches=["agglo", "marque", "mairie"], has_media=True)
    assert found.territory == {"39476", "39", "39300"}
    assert found.at is not None
    assert (found.at, found.at.hour) == (AT, 2)
    assert found.has_media


def test_a_watch_that_is_no_more_has_no_territory() -> None:
    found = AROUND.passage("oui", at=AT, watches=["ancienne"], has_media=False)
    assert found.territory == frozenset()


async def test_a_stored_mention_reaches_the_model_with_what_is_around_it(
    store: SqliteStore, town: Town
) -> None:
    ears = Ears(town.analyze._analyst)
    town.analyze = Analyze(store, ears, around=AROUND)
    written = town.now - timedelta(hours=3)
    seen = town.mention("avec photo", created_at=written, media=(Media(type="image"),))
    bare = town.mention("sans photo")
    await town.collect.accept(town.source, Batch(mentions=(seen, bare)), now=town.now)
    await town.work()
    first, second = sorted(ears.heard, key=lambda passage: passage.text)
    assert first.at == written
    assert first.territory == {"39476", "39"}
    assert (first.has_media, second.has_media) == (True, False)


async def test_an_edited_mention_is_read_anew(store: SqliteStore, town: Town) -> None:
    ears = Ears(town.analyze._analyst)
    town.analyze = Analyze(store, ears, around=AROUND)
    for text, edited_at in (("avant", None), ("après", town.now)):
        mention = town.mention(text, id="m1", edited_at=edited_at)
        await town.collect.accept(town.source, Batch(mentions=(mention,)), now=town.now)
        await town.work()
    assert [passage.text for passage in ears.heard] == ["avant", "après"]


def test_a_rule_test_gives_the_model_the_same(town: Town) -> None:
    ears = Ears(town.analyze._analyst)
    files = {
        "a.yml": b"rules: [{id: a, kind: mention, where: {urgency.score: '>= 0.8'}, "
        b"severity: warning}]",
        "a_test.yml": b"tests: [{name: t, mentions: [{at: 0m, text: au secours, watch: agglo}], "
        b"expect: [{at: 1m, firing: [{rule: a}]}]}]",
    }
    report = rule_tests.run(files, ears.analyze, around=AROUND)
    assert report.is_ok, report.findings
    assert [passage.territory for passage in ears.heard] == [{"39300"}]
    assert [passage.at for passage in ears.heard] == [datetime(2026, 1, 18, 2, tzinfo=PARIS)]
