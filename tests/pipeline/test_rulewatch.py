"""The rules folder is followed: a good change is taken, a broken or empty one changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from veille.pipeline.rulewatch import RuleWatch
from veille.store import incidents, sources

if TYPE_CHECKING:
    from conftest import Town
    from veille.store.engine import SqliteStore

CALM = b"""
rules:
  - {id: calm, kind: mention, where: {text: {words: [bonjour]}}, severity: critical}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "rules"
    made.mkdir()
    (made / "calm.yml").write_bytes(CALM)
    return made


async def _look(watch: RuleWatch, town: Town, times: int = 2) -> None:
    for _ in range(times):
        await watch.step(town.now)


async def test_a_change_is_taken_when_it_stays_for_one_look(
    town: Town, store: SqliteStore, folder: Path
) -> None:
    watch = RuleWatch(store, town.evaluate, folder)
    await watch.step(town.now)
    await town.say("bonjour")
    await town.work()
    assert await store.read(incidents.unresolved) == []
    await watch.step(town.now)
    await town.say("bonjour encore")
    await town.work()
    assert len(await store.read(incidents.unresolved)) == 1


@pytest.mark.parametrize("broken", [b"rules: [", b"rules: []", b"rules: [{id: x}]"])
async def test_a_broken_folder_keeps_the_last_good_rules_and_says_so(
    town: Town, store: SqliteStore, folder: Path, broken: bytes
) -> None:
    watch = RuleWatch(store, town.evaluate, folder)
    await _look(watch, town)
    await town.work()
    (folder / "calm.yml").write_bytes(broken)
    await _look(watch, town)
    await town.say("bonjour")
    await town.work()
    assert len(await store.read(incidents.unresolved)) == 1
    (health,) = [h for h in await store.read(sources.health) if h.source == sources.RULES]
    assert health.error
    (folder / "calm.yml").write_bytes(CALM)
    await _look(watch, town)
    (health,) = [h for h in await store.read(sources.health) if h.source == sources.RULES]
    assert health.error is None


async def test_a_rule_that_is_removed_closes_its_alert(
    town: Town, store: SqliteStore, folder: Path
) -> None:
    watch = RuleWatch(store, town.evaluate, folder)
    await _look(watch, town)
    await town.say("bonjour")
    await town.work()
    (folder / "calm.yml").write_bytes(CALM.replace(b"calm", b"other"))
    await _look(watch, town)
    await town.work()
    kinds = [i.labels["topic"] for i in await store.read(incidents.unresolved)]
    assert kinds == ["other"]
