"""What pages say of the house: sources, rules and who is on call, from config.toml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from veille.alerts.settings import RouteSettings
from veille.app import oncall, parts
from veille.collectors.settings import SourceSettings, kind_of
from veille.config import Loaded
from veille.domain.durations import parse_duration
from veille.pipeline.rota import Rota
from veille.pipeline.rule_tests import Analyze
from veille.pipeline.rulebook import RuleBook
from veille.rules.model import RuleSet
from veille.store.protocol import Store
from veille.telemetry.metrics import metrics
from veille.web.house import House, SourceInfo


def house(
    loaded: Loaded,
    store: Store,
    running: Callable[[], RuleSet],
    *,
    analyze: Analyze | None,
    now: Callable[[], datetime],
) -> House:
    """Return what pages are told; `running` are the rules in force, `analyze` reads their tests."""
    return House(
        sources=[_source(one) for one in loaded.config.source],
        quota=_quota,
        receivers=parts.receivers(loaded),
        rules=RuleBook(
            parts.rules_folder(loaded),
            running,
            analyze=analyze,
            around=parts.surroundings(loaded),
            topics=[topic.id for topic in parts.topics(loaded)],
            now=now,
        ),
        rota=Rota(
            store,
            oncall.roster(loaded),
            policies=loaded.config.escalation,
            uses=_uses(loaded.route),
        ),
    )


def _source(settings: SourceSettings) -> SourceInfo:
    poll = getattr(settings, "poll", None)
    return SourceInfo(
        id=settings.id,
        kind=kind_of(settings),
        name=settings.name,
        is_own=settings.own,
        poll=None if poll is None else parse_duration(poll),
    )


def _quota() -> dict[str, float]:
    """Return what platforms last said they still allow, by source."""
    return {
        sample.labels["source"]: sample.value
        for family in metrics().quota.collect()
        for sample in family.samples
    }


def _uses(route: RouteSettings, above: str = "") -> Mapping[str, list[str]]:
    """Return by policy the labels that lead to it, "" where everything does."""
    match = ", ".join(f"{name}={value}" for name, value in route.match.items())
    here = ", ".join(filter(None, (above, match)))
    found: dict[str, list[str]] = {route.escalation: [here]} if route.escalation else {}
    for child in route.routes:
        for policy, labels in _uses(child, here).items():
            found.setdefault(policy, []).extend(labels)
    return found
