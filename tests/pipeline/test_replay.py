"""A replay killed after any commit and resumed tells the same story as a whole one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from servers.mortal import KilledError, MortalStore
from veille.domain.errors import InputError
from veille.domain.mention import Author, Mention
from veille.pipeline.replay import Replay, Script, Stages
from veille.store import timeline
from veille.store.engine import SqliteStore

if TYPE_CHECKING:
    from conftest import Town

    Build = Callable[..., Town]

T = TypeVar("T")
RULES = b"""
rules:
  - id: urgent
    kind: mention
    where: {urgency.label: urgent}
    window: 20s
    severity: critical
    flag: true
    annotations: {summary: "Appel urgent"}
  - id: angry
    kind: count
    where: {sentiment.label: negative}
    window: 30s
    min_count: 2
    count_by: mentions
    for: 10s
    keep_firing_for: 20s
    severity: warning
    annotations: {summary: "{count} plaintes"}
  - {id: claim, kind: mention, where: {cluster.is_claim: true}, window: 30s, severity: info}
  - {id: said, kind: count, where: {text: {words: [tornade, nul]}}, window: 1m, min_count: 3,
     min_authors: 4, severity: info}
"""
TORNADO = (
    "Une tornade arrive sur Alès et Uzès, restez chez vous",
    "Mon cousin de Nîmes dit qu'une tornade fonce sur Uzès et Alès, rentrez les enfants",
    "Tornade annoncée entre Alès et Uzès dans 20 minutes, partagez !",
    "La tornade d'Alès est une blague de collégiens",
)


def script(town: Town) -> Script:
    says = [
        (0, "au secours"), (5, "nul"), (8, "nul !"), (12, "nul ?"),
        *enumerate(TORNADO, start=20), (40, TORNADO[0]),
        (70, "au secours"), (72, "nul"), (74, "nul"), (300, "bonjour"), (301, "au secours"),
    ]  # fmt: skip
    mentions = [
        Mention(
            source="s",
            id=str(n),
            text=text,
            created_at=town.now + timedelta(seconds=second),
            author=Author(id=f"a{n}"),
        )
        for n, (second, text) in enumerate(says)
    ]
    told = mentions[4]
    mentions.append(replace(told, created_at=told.created_at + timedelta(seconds=15), deleted=True))
    edited_at = town.now + timedelta(seconds=45)
    mentions.append(
        replace(mentions[5], text=TORNADO[3], received_at=edited_at, edited_at=edited_at)
    )
    return Script.of(b"file", mentions)


async def _play(build: Build, path: Path, lives: int) -> tuple[list[object], int]:
    """Play, killed after so many commits; return the log and how many lives were left."""
    async with SqliteStore(path, group_commit=timedelta(0), is_durable=False) as inner:
        store = MortalStore(inner, lives)
        town = build(store, rules=RULES, is_replay=True)
        stages = Stages(
            collect=town.collect,
            analyze=town.analyze,
            evaluate=town.evaluate,
            dispatch=town.dispatch,
        )
        try:
            async for _ in Replay(store, stages, script(town)).play():
                pass
        except KilledError:
            pass
        log = await inner.read(timeline.log)
        return [(e.at, e.kind, e.target, e.data) for e in log], store.lives


@pytest.mark.timeout(120)
async def test_any_kill_and_resume_gives_the_log_of_a_whole_run(
    stages: Build, tmp_path: Path
) -> None:
    many = 1_000_000
    whole, left = await _play(stages, tmp_path / "whole.db", many)
    assert {kind for _, kind, *_ in whole} >= {"alert.pending", "alert.resolved"}
    assert {data.get("rule") for *_, data in whole} >= {"urgent", "angry", "claim", "said"}
    assert (await _play(stages, tmp_path / "whole.db", many))[0] == whole
    for lives in range(1, many - left, 3):
        path = tmp_path / f"{lives}.db"
        await _play(stages, path, lives)
        assert (await _play(stages, path, many))[0] == whole, f"killed after commit {lives}"
        path.unlink()


async def test_a_store_that_is_in_use_is_no_replay(stages: Build, tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    async with SqliteStore(path, group_commit=timedelta(0), is_durable=False) as store:
        town = stages(store)
        await town.say("bonjour")
    with pytest.raises(InputError, match="not a replay"):
        await _play(stages, path, 1_000_000)
