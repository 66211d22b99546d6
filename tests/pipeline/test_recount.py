"""A new rule counts its past while the others look on, over kills and changes of rules."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from veille.domain.alert import AlertState
from veille.domain.mention import Batch
from veille.domain.whynot import Outcome
from veille.pipeline import recount
from veille.pipeline.evaluate import Evaluate
from veille.pipeline.whynot import Setting, why_not
from veille.rules.model import RuleSet
from veille.rules.parse import parse_rules
from veille.store import alerts, baselines, memories

if TYPE_CHECKING:
    from conftest import Town
    from veille.store.engine import Db, SqliteStore

PLAIN = """rules:
  - {id: urgent, kind: mention, where: {urgency.label: urgent}, window: 2h, severity: critical}
"""
LEARNING = """
  - {id: much, kind: spike, window: 1h, min_count: 2, min_authors: 1, severity: info}
  - {id: tag, kind: new_term, of: hashtag, memory: 1d, window: 2h, severity: info}
  - {id: calm, kind: composite, all: [urgent], none: [much], severity: info}
"""


def rules_of(text: str) -> RuleSet:
    return parse_rules({"r.yml": text.encode()})


@pytest.fixture(autouse=True)
def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recount, "PIECE", 3)


async def say(town: Town, *texts: str) -> None:
    batch = tuple(town.mention(text, author=f"a{n}") for n, text in enumerate(texts))
    await town.collect.accept(town.source, Batch(mentions=batch), now=town.now)
    while await town.analyze.step(town.now):
        pass


async def firing(store: SqliteStore) -> set[str]:
    found = await store.read(alerts.live)
    return {alert.rule for alert in found if alert.state is AlertState.FIRING}


async def heard(town: Town, *, rules: str) -> None:
    """Ten mentions, the last just now, which only these rules have looked at."""
    town.evaluate = Evaluate(town.store, rules_of(rules))
    await town.evaluate.open(town.now)
    for number in range(10):
        await say(town, f"remarque {number} #pont")
        while await town.evaluate.step(town.now):
            pass
        town.now += timedelta(minutes=7)


async def counted(town: Town, ruleset: RuleSet) -> dict[str, int]:
    """How many mentions each rule that listens has counted."""
    named = {version: name for name, version in ruleset.versions.items()}
    found = await town.store.read(lambda db: baselines.load(db, named, counted=named))
    return {
        named[version]: sum(sum(hours.values()) for hours in history.counts.values())
        for version, history in found.items()
    }


async def why_not_calm(town: Town, ruleset: RuleSet) -> Outcome:
    """What becomes of the call for help under a rule that looks at one with a past."""
    setting = Setting(ruleset=ruleset, now=town.now, kept=timedelta(days=30))

    def ask(db: Db) -> Outcome:
        (row,) = db.rows("SELECT key FROM mentions WHERE text = 'au secours'")
        plain, learning = (why_not(db, row["key"], rule, setting) for rule in ("urgent", "calm"))
        assert plain.outcome is Outcome.FIRED
        return learning.outcome

    return await town.store.read(ask)


async def test_who_needs_no_past_tells_at_once_and_who_compares_waits_until_it_has_counted(
    town: Town, store: SqliteStore
) -> None:
    await heard(town, rules="rules: [{id: other, kind: count, min_count: 99, severity: info}]")
    ruleset = rules_of(PLAIN + LEARNING)
    town.evaluate.take_rules(ruleset)
    await say(town, "au secours")
    assert await town.evaluate.step(town.now)
    assert await firing(store) == {"urgent"}
    assert await counted(town, ruleset) == {}
    assert await why_not_calm(town, ruleset) is Outcome.COUNTING
    await say(town, "encore #pont", "encore #quai")  # while it counts
    while await town.evaluate.step(town.now):
        pass
    assert await why_not_calm(town, ruleset) is not Outcome.COUNTING
    assert await firing(store) >= {"urgent", "much"}
    assert await counted(town, ruleset) == {"much": 13, "urgent": 1, "tag": 0, "calm": 0}
    (tag,) = [rule for rule in ruleset.rules if rule.id == "tag"]
    kept = await store.read(lambda db: memories.load(db, [tag.feed]))
    assert len(kept[tag.feed]) == 3, "two terms, and since when it listens"


async def test_a_kill_while_a_rule_counts_changes_no_count(town: Town, store: SqliteStore) -> None:
    await heard(town, rules=PLAIN)
    ruleset = rules_of(PLAIN + LEARNING)
    for number in range(5):
        town.evaluate = Evaluate(store, ruleset)  # a killed process: only the store is left
        await town.evaluate.open(town.now)
        await say(town, f"pendant ce temps {number}")
        for _ in range(number):
            await town.evaluate.step(town.now)
    while await town.evaluate.step(town.now):
        pass
    assert await counted(town, ruleset) == {"much": 15, "urgent": 0, "tag": 0, "calm": 0}
    await say(town, "ensuite")
    await town.evaluate.step(town.now)
    assert (await counted(town, ruleset))["much"] == 16


async def test_an_alert_over_a_rule_that_counts_again_goes_on_as_it_was(
    town: Town, store: SqliteStore
) -> None:
    rules = PLAIN + LEARNING.replace("min_count: 2", "min_count: 90")
    await heard(town, rules=rules)
    await say(town, "au secours")
    while await town.evaluate.step(town.now):
        pass
    assert await firing(store) == {"urgent", "calm"}
    told = len(await store.read(lambda db: alerts.transitions_after(db, 0, limit=99)))
    town.evaluate.take_rules(rules_of(rules.replace("min_count: 90", "min_count: 91")))
    while await town.evaluate.step(town.now):
        assert await firing(store) == {"urgent", "calm"}
    assert await firing(store) == {"urgent", "calm"}
    assert len(await store.read(lambda db: alerts.transitions_after(db, 0, limit=99))) == told
    town.now += timedelta(hours=3)
    await town.evaluate.step(town.now)
    assert await firing(store) == set()
