"""A town's house for pages: the shipped rules, two sources, two people who take turns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from veille.alerts.oncall_settings import (
    EscalationSettings,
    LayerSettings,
    PersonSettings,
    ScheduleSettings,
    StepSettings,
)
from veille.config import packaged
from veille.domain.calendar import Region
from veille.pipeline.oncall import Roster
from veille.pipeline.passages import Surroundings
from veille.pipeline.rota import Rota
from veille.pipeline.rulebook import RuleBook
from veille.rules.model import RuleSet
from veille.rules.parse import parse_rules, rule_files
from veille.store.protocol import Store
from veille.web.house import House, SourceInfo

PARIS = ZoneInfo("Europe/Paris")
PAGE = "Page <b>Facebook</b> " + "x" * 200
"""What a source is called."""
PEOPLE = (
    PersonSettings(id="Camille", name="Camille Roux", receivers=("sms-camille",)),
    PersonSettings(id="Sacha", name="Sacha <b>Martin</b>", receivers=("sms-sacha",)),
    PersonSettings(id="Noor", name="Noor Benali", receivers=("sms-noor",)),
)
SCHEDULE = ScheduleSettings(
    id="astreinte",
    layers=(
        LayerSettings(people=("Camille", "Sacha"), start=date(2026, 1, 12), rotation="1w"),
        LayerSettings(
            people=("Noor",), start=date(2026, 1, 12), days=("mon", "fri"), hours="09:00-18:00"
        ),
    ),
)
POLICY = EscalationSettings(
    id="crise",
    repeat=1,
    steps=(
        StepSettings(schedules=("astreinte",)),
        StepSettings(after="5m", people=("Sacha",), days=("sat", "sun"), hours="08:00-22:00"),
        StepSettings(after="20m", receivers=("direction",), final=True),
    ),
)


@cache
def shipped() -> RuleSet:
    """Return the shipped rules."""
    return parse_rules(rule_files(packaged("rules")))


def roster() -> Roster:
    """Return the people and their one schedule."""
    return Roster(people=PEOPLE, schedules=(SCHEDULE,), zone=PARIS, region=Region.METROPOLE)


def rulebook(folder: Path, now: Callable[[], datetime]) -> RuleBook:
    """Return the rules of a folder, while the shipped ones run."""
    return RuleBook(folder, shipped, analyze=None, around=Surroundings(), topics=(), now=now)


def home(store: Store, now: Callable[[], datetime]) -> House:
    """Return the house of this store."""
    return House(
        sources=(
            SourceInfo(id="presse", kind="rss", poll=timedelta(minutes=5)),
            SourceInfo(id="mastodon", kind="mastodon"),
            SourceInfo(id="facebook", name=PAGE, kind="webhook", is_own=True),
        ),
        quota=lambda: {"mastodon": 212.0},
        rules=rulebook(packaged("rules"), now),
        rota=Rota(store, roster(), policies=(POLICY,), uses={"crise": ["severity=critical"]}),
    )
