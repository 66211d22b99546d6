"""A store of before there were clusters: what counted mentions is compared with nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from veille.domain.analysis import Passage
from veille.domain.history import Tally, hour_number
from veille.domain.ids import fingerprint
from veille.domain.mention import Batch
from veille.rules.parse import parse_rules
from veille.store import baselines, watermarks
from veille.store.codec import micros, to_json
from veille.store.engine import SqliteStore, connect
from veille.store.migrations import MIGRATIONS

if TYPE_CHECKING:
    from conftest import Town

    Stages = Callable[..., Town]

RULES = b"""
rules:
  - {id: volume, kind: spike, window: 1h, min_count: 10, min_authors: 5, severity: info}
  - {id: any, kind: count, window: 1h, min_count: 99, severity: info}
"""
MARKET = "Le marché de Noël ouvre samedi place de la mairie, venez nombreux"
DAYS, EACH_HOUR = 10, 8


def build_old(path: Path, town: Town) -> None:
    """Ten days of eight mentions an hour, as the version before stored and counted them."""
    db = connect(path, is_durable=False)
    (analysis,) = town.analyze._analyst.analyze([Passage(text=MARKET)])
    hours = [town.now - timedelta(hours=n) for n in range(24 * DAYS, 0, -1)]
    for number, at in enumerate(hours, start=1):
        db.execute(
            """INSERT INTO mentions (id, key, source, watches, kind, text, created_at, received_at,
            content_hash, media, metrics, own, masked, state) VALUES
            (?, ?, 's', '["mairie"]', 'post', ?, ?, ?, '', '[]', 'null', 0, '[]', 'analyzed')""",
            (number, f"k{number}", MARKET, micros(at), micros(at)),
        )
        db.execute(
            """INSERT INTO observations (mention, version, key, source, watches, kind, created_at,
            received_at, own) VALUES (?, 1, ?, 's', '["mairie"]', 'post', ?, ?, 0)""",
            (number, f"k{number}", micros(at), micros(at)),
        )
        db.execute(
            "INSERT INTO analyses VALUES (?, 1, ?, ?)", (number, micros(at), to_json(analysis))
        )
    counts, since = {}, {}
    for rule in parse_rules({"rules.yml": RULES}).rules:
        group = dict.fromkeys(rule.group_by, "mairie")
        mark = fingerprint(rule.id, group)
        counts |= {(rule.version, mark, hour_number(at)): EACH_HOUR for at in hours}
        since[rule.version] = hours[0]
    baselines.add(db, Tally(counts=counts, since=since))
    watermarks.set(db, "evaluate", len(hours))
    db.close()


@pytest.fixture
async def upgraded(tmp_path: Path, stages: Stages, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "veille.db"
    monkeypatch.setattr("veille.store.engine.MIGRATIONS", MIGRATIONS[:2])
    build_old(path, stages(None))
    monkeypatch.undo()
    return path


@pytest.mark.parametrize("is_edited", [False, True])
async def test_what_counted_each_mention_makes_no_rule_deaf(
    upgraded: Path, stages: Stages, is_edited: bool
) -> None:
    rules = RULES.replace(b"min_authors: 5", b"min_authors: 6") if is_edited else RULES
    async with SqliteStore(upgraded, group_commit=timedelta(0), is_durable=False) as store:
        town = stages(store, rules=rules)
        await town.evaluate.open(town.now)
        versions = parse_rules({"rules.yml": rules}).versions.values()
        assert await store.read(lambda db: baselines.since(db, versions)) == {}
        assert await store.read(lambda db: db.rows("SELECT * FROM baselines")) == []
        said = [f"sujet{n} numero{n} bizarre{n} inconnu{n} etrange{n}" for n in range(14)]
        said += [MARKET] * EACH_HOUR
        batch = Batch(mentions=tuple(map(town.mention, said)))
        await town.collect.accept(town.source, batch, now=town.now)
        await town.work(later=timedelta(seconds=20))
        (volume,) = [r for r in town.evaluate._engine.readings(town.now) if r.rule == "volume"]
        assert (volume.value, volume.is_active) == (15, True)
        assert volume.baseline is not None
        assert volume.baseline.is_cold, "and people are told that the history is short"
        assert volume.baseline.expected is None
        since = await store.read(lambda db: baselines.since(db, versions))
        assert set(since) == set(versions)
        assert min(since.values()) >= town.now - timedelta(minutes=1)
