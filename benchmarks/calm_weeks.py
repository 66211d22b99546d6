"""False alarms of the shipped rules in calm weeks: `python benchmarks/calm_weeks.py [--days 28]`.

Ordinary municipal talk by a seeded generator (tests/servers/chatter.py): the model reads each
sentence once, then the engine and the lifecycle play it on the clock. Every alert is a false one.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.chatter import PLACES, SENTENCES, calm
from veille.alerts.lifecycle import step
from veille.app import parts
from veille.domain.alert import Alert, AlertState
from veille.domain.analysis import Analysis, Passage
from veille.domain.mention import MentionKind
from veille.domain.record import Observation
from veille.rules.engine import Engine
from veille.rules.model import RuleSet

START = datetime(2026, 3, 2, tzinfo=UTC)
LOOK = timedelta(minutes=5)
"""Between mentions the rules look this often: an alert may end 5 min late, and none is missed."""
SOURCES = ("facebook", "formulaire", "bluesky")
KINDS = (MentionKind.COMMENT, MentionKind.MESSAGE, MentionKind.POST)


def read() -> list[Analysis]:
    """Return what the model finds in each sentence, with the first place filled in."""
    texts = [sentence.format(place=PLACES[0]) for sentence in SENTENCES]
    return parts.load_analyst(None).analyze([Passage(text=text) for text in texts])


def alarms(
    rules: RuleSet, read: list[Analysis], *, days: int, per_day: int, seed: int
) -> Counter[tuple[str, str]]:
    """Return how often each rule fired."""
    engine, live = Engine(rules), dict[str, Alert]()
    fired: Counter[tuple[str, str]] = Counter()
    now = START
    for seq, said in enumerate(calm(START, days=days, per_day=per_day, seed=seed), start=1):
        while now + LOOK < said.at:
            now = now + LOOK
            _look(engine, live, rules, now, fired)
        now = said.at
        kind = said.sentence % len(KINDS)
        engine.observe(
            Observation(
                seq=seq,
                key=f"m{seq}",
                source=SOURCES[kind],
                watches=("mairie",),
                kind=KINDS[kind],
                text=said.text,
                created_at=now,
                received_at=now,
                author=said.author,
                analysis=read[said.sentence],
            )
        )
        _look(engine, live, rules, now, fired)
    return fired


def _look(
    engine: Engine,
    live: dict[str, Alert],
    rules: RuleSet,
    now: datetime,
    fired: Counter[tuple[str, str]],
) -> None:
    found = step(live, engine.readings(now), rules.versions, now)
    for transition in found.transitions:
        if transition.alert.state is AlertState.FIRING:
            fired[transition.alert.severity, transition.alert.rule] += 1
    for alert in found.changed:
        if alert.state is AlertState.RESOLVED:
            live.pop(alert.fingerprint, None)
        else:
            live[alert.fingerprint] = alert


def main() -> None:
    """Print alarms a week by rule, at 10 and at 100 mentions a day."""
    asked = argparse.ArgumentParser(description="False alarms of the shipped rules in calm weeks.")
    asked.add_argument("--days", type=int, default=28)
    asked.add_argument("--seeds", type=int, default=4)
    options = asked.parse_args()
    rules, known = parts.rules(None), read()
    for per_day in (10, 100):
        total: Counter[tuple[str, str]] = Counter()
        for seed in range(options.seeds):
            total += alarms(rules, known, days=options.days, per_day=per_day, seed=seed)
        weeks = options.seeds * options.days / 7
        print(f"{per_day} mentions a day, {weeks:g} weeks, alarms a week:")
        for (severity, rule), count in sorted(total.items()):
            print(f"  {severity:8} {rule:22} {count / weeks:.2f}")


if __name__ == "__main__":
    main()
