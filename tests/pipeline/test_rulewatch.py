"""The rules folder is followed: a good change is taken, a broken or empty one changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from servers.plain import plain
from veille.pipeline.rulewatch import RuleWatch
from veille.store import alerts, incidents, sources

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


async def test_rules_that_were_changed_go_on_calling_sources_by_their_names(
    town: Town, store: SqliteStore, folder: Path
) -> None:
    told = b'group_by: [source], annotations: {summary: "vu sur {source}"}, severity'
    (folder / "calm.yml").write_bytes(CALM.replace(b"severity", told))
    watch = RuleWatch(store, town.evaluate, folder, names={town.source.id: "La Presse"})
    await _look(watch, town)
    await town.say("bonjour")
    await town.work()
    assert [i.title for i in await store.read(incidents.unresolved)] == ["vu sur La Presse"]


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
    topics = {i.labels["topic"] for i in await store.read(incidents.unresolved)}
    assert topics == {"calm", "veille.rules"}
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


async def test_a_refused_folder_is_told_to_people_until_it_is_good_again_also_over_a_restart(
    town: Town, store: SqliteStore, folder: Path
) -> None:
    watch = RuleWatch(store, town.evaluate, folder)
    await _look(watch, town)
    (folder / "calm.yml").write_bytes(b"rules:\n  - {id: x, kind: mentoin}\n")
    await _look(watch, town, times=5)
    await town.work()
    (told,) = await store.read(incidents.unresolved)
    assert plain(told.title) == "Règles de veille refusées : les dernières bonnes continuent"
    (alert,) = await store.read(alerts.live)
    assert 'calm.yml:2:19: kind: unknown value "mentoin"' in alert.annotations["description"]
    await town.evaluate.open(town.now)
    await town.work()
    assert [i.id for i in await store.read(incidents.unresolved)] == [told.id]
    (folder / "calm.yml").write_bytes(CALM)
    await _look(watch, town)
    await town.work()
    assert await store.read(incidents.unresolved) == []


async def test_a_folder_that_comes_back_as_it_was_is_good_again(
    town: Town, store: SqliteStore, folder: Path
) -> None:
    watch = RuleWatch(store, town.evaluate, folder)
    await _look(watch, town)
    folder.rename(folder.with_name("away"))
    await _look(watch, town)
    assert [a.rule for a in await store.read(alerts.live)] == ["veille.rules"]
    folder.with_name("away").rename(folder)
    await _look(watch, town)
    assert await store.read(alerts.live) == []


HOSTILE = {
    "nested repetition": (
        b"rules: [{id: a, kind: mention, severity: info, where: {text: {re: '(a+)+$'}}}]",
        "repeats a repetition",
    ),
    "ten megabytes": (b"rules: [" + b"[]," * 3_500_000 + b"]", "over 256 KiB"),
    "alias bomb": (
        b"a: &a [x, x]\n"
        + b"".join(b"%c: &%c [*%c, *%c]\n" % (c + 1, c + 1, c, c) for c in range(97, 122)),
        "anchors (&) and aliases (*) are refused",
    ),
    "5,000 nested lists": (b"rules: " + b"[" * 5000 + b"]" * 5000, "nested deeper than 20"),
    "a window of ten years": (
        b"rules: [{id: a, kind: count, min_count: 2, severity: info, window: 3652d}]",
        "window: 3652d is out of range: write 1s to 7d",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_file_is_refused_with_the_reason_and_the_rules_go_on(
    town: Town, store: SqliteStore, folder: Path, name: str
) -> None:
    data, reason = HOSTILE[name]
    watch = RuleWatch(store, town.evaluate, folder)
    await _look(watch, town)
    await town.work()
    (folder / "hostile.yml").write_bytes(data)
    await _look(watch, town)
    (refused,) = [a for a in await store.read(alerts.live) if a.rule == "veille.rules"]
    assert reason in refused.annotations["description"]
    await town.say("bonjour")
    await town.work()
    assert {a.rule for a in await store.read(alerts.live)} == {"veille.rules", "calm"}
