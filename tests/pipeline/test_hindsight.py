"""Why a rule that remembers did not alert: the first condition that failed, learnt again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from veille.app.explain import explain_mention
from veille.config import load
from veille.domain.alert import Comparison, Condition
from veille.domain.incident import QueueState
from veille.domain.mention import Batch
from veille.domain.whynot import Outcome, WhyNot
from veille.pipeline.actions import Actions
from veille.pipeline.whynot import Setting, why_not
from veille.rules.parse import parse_rules
from veille.store import queue

# Fixtures come from conftest.py; importmode=importlib keeps it from being imported by name.
Town = Any

RULES = b"""
rules:
  - {id: quiet, kind: silence, group_by: [source], severity: warning}
  - {id: left, kind: silence, own: true, max_age: 2d, group_by: [source], severity: info}
  - {id: waiting, kind: unanswered, where: {sentiment.label: negative}, within: 10m, window: 1h,
     min_count: 2, severity: info, flag: true}
  - {id: tag, kind: new_term, of: hashtag, memory: 2d, window: 10m, severity: info}
  - {id: both, kind: composite, all: [tag], severity: info}
"""
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def days(store: Any, stages: Callable[..., Town]) -> Town:
    town = stages(store, rules=RULES)
    await town.evaluate.open(town.now)
    return town


async def say(town: Town, *texts: str, later: timedelta = MINUTE, **more: Any) -> None:
    town.now += later
    said = tuple(town.mention(text, **more) for text in texts)
    source = replace(town.source, id=more.get("source", town.source.id))
    await town.collect.accept(source, Batch(mentions=said), now=town.now)
    await town.work()


async def ask(town: Town, name: str, rule: str) -> WhyNot:
    setting = Setting(ruleset=parse_rules({"rules.yml": RULES}), now=town.now)
    answer: WhyNot = await town.store.read(lambda db: why_not(db, name, rule, setting))
    return answer


async def test_a_source_heard_again_in_time_names_the_silence_and_what_was_usual(
    days: Town,
) -> None:
    for _ in range(25):
        await say(days, "une remarque", later=20 * MINUTE)
    await say(days, "une autre", later=22 * MINUTE)
    answer = await ask(days, "m25", "quiet")
    assert answer.outcome is Outcome.CONDITION
    failed = answer.failed
    assert isinstance(failed, Condition)
    assert (failed.name, failed.value) == ("silent_s", 1320.0)
    assert failed.threshold > failed.value
    assert answer.at == days.now


async def test_a_source_that_is_read_no_more_is_not_silent(days: Town) -> None:
    for _ in range(25):
        await say(days, "une remarque", later=20 * MINUTE)
    days.now += timedelta(days=2)
    read = Setting(
        ruleset=parse_rules({"rules.yml": RULES}), now=days.now, sources=frozenset({"presse"})
    )
    answers = [
        await days.store.read(lambda db, one=one: why_not(db, "m25", "quiet", one))
        for one in (read, replace(read, sources=frozenset({"page"})))
    ]
    assert [one.outcome for one in answers] == [Outcome.WOULD_FIRE, Outcome.UNHEARD]


async def test_a_replay_heard_all_its_sources(days: Town, tmp_path: Path) -> None:
    for _ in range(25):
        await say(days, "une remarque", later=20 * MINUTE)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/quiet.yml").write_bytes(RULES)
    written = """
[veille]
name = "Ici"
[[watch]]
id = "mairie"
[[source]]
id = "page"
kind = "file"
path = "x"
[rules]
directory = "rules"
"""
    (tmp_path / "config.toml").write_text(written)
    loaded = load(tmp_path / "config.toml")
    known, asked = {"loaded": loaded, "now": days.now + timedelta(days=2)}, ("m25", "quiet")
    found = [
        await days.store.read(
            lambda db, one=one: explain_mention(db, *asked, **known, is_replay=one)
        )
        for one in (False, True)
    ]
    assert [one["outcome"] == Outcome.UNHEARD for one in found] == [True, False]


async def test_a_source_that_is_hardly_known_says_so(days: Town) -> None:
    await say(days, "une remarque")
    await say(days, "une autre")
    answer = await ask(days, "m1", "quiet")
    assert answer.outcome is Outcome.CONDITION
    failed = answer.failed
    assert isinstance(failed, Condition)
    assert (failed.name, failed.value) == ("gaps", 0)


async def test_a_sign_of_life_that_came_late_is_one_all_the_same(days: Town) -> None:
    await say(days, "une remarque", created_at=days.now - timedelta(days=3))
    assert (await ask(days, "m1", "quiet")).outcome is Outcome.CONDITION


async def test_an_own_post_is_what_a_rule_about_own_accounts_is_about(days: Town) -> None:
    await say(days, "avis à tous", own=True)
    days.now += timedelta(days=1)
    answer = await ask(days, "m1", "left")
    assert answer.failed == Condition(name="age_days", value=1.0, threshold=2.0)


async def test_an_account_on_which_nothing_was_published_has_no_age(days: Town) -> None:
    await say(days, "il y a quelqu'un ?")
    answer = await ask(days, "m1", "left")
    assert answer.outcome is Outcome.CONDITION
    assert answer.failed == Condition(name="age_days", value=None, threshold=2.0)


async def test_too_few_questions_that_wait_are_counted_when_they_are_due(days: Town) -> None:
    await say(days, "c'est nul")
    assert (await ask(days, "m1", "waiting")).failed == Condition(
        name="unanswered", value=0, threshold=2
    )
    days.now += 15 * MINUTE
    answer = await ask(days, "m1", "waiting")
    assert answer.failed == Condition(name="unanswered", value=1, threshold=2)
    assert answer.at == days.now - 5 * MINUTE


async def test_a_question_with_a_reply_never_waited(days: Town) -> None:
    await say(days, "nul")
    await say(days, "nul aussi")
    await say(days, "voici", own=True, reply_to="m1")
    days.now += 20 * MINUTE
    answer = await ask(days, "m1", "waiting")
    assert answer.failed == Condition(name="unanswered", value=1, threshold=2)


async def test_an_item_that_was_dealt_with_before_it_was_due_never_waited(days: Town) -> None:
    await say(days, "nul", "nul aussi")
    key = (await ask(days, "m1", "waiting")).mention
    item = await days.store.write(lambda db: queue.add_by_hand(db, key, "Ada", days.now))
    actions = Actions(days.store, route=days.dispatch._route, now=lambda: days.now)
    await actions.resolve(f"Q{item.id}", actor="Ada", state=QueueState.ANSWERED)
    days.now += 20 * MINUTE
    answer = await ask(days, "m2", "waiting")
    assert answer.failed == Condition(name="unanswered", value=1, threshold=2)


async def test_a_term_that_is_known_says_for_how_long(days: Town) -> None:
    await say(days, "voici #fête")
    await say(days, "encore #fête", later=timedelta(days=1))
    answer = await ask(days, "m2", "tag")
    assert answer.failed == Condition(
        name="said_days", value=1.0, threshold=10 / 1440, comparison=Comparison.BELOW
    )


async def test_a_new_term_of_one_author_names_what_is_missing(days: Town) -> None:
    await say(days, "une remarque #ville")
    await say(days, "voici #eau", later=timedelta(days=1), author="x")
    answer = await ask(days, "m2", "tag")
    assert answer.failed == Condition(name="authors", value=1, threshold=2)


async def test_a_rule_that_has_just_begun_to_listen_says_so(days: Town) -> None:
    await say(days, "voici #eau", "encore #eau")
    answer = await ask(days, "m1", "tag")
    assert isinstance(answer.failed, Condition)
    assert answer.failed.name == "learnt_days"


async def test_a_mention_without_a_term_is_in_no_group(days: Town) -> None:
    await say(days, "sans rien")
    answer = await ask(days, "m1", "tag")
    assert (answer.outcome, answer.group_by) == (Outcome.GROUP, ("hashtag",))


async def test_a_composite_of_a_rule_that_remembers_is_played_with_what_it_knew(
    days: Town,
) -> None:
    await say(days, "une remarque #ville")
    await say(days, "voici #eau", later=timedelta(days=1))
    await say(days, "encore #eau")
    fired = await ask(days, "m3", "both")
    assert fired.outcome is Outcome.FIRED
    answer = await ask(days, "m1", "both")
    assert answer.failed == Condition(name="rule:tag", value=0, threshold=1)
