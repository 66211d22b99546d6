"""Runs rule tests on a virtual clock: the real engine and lifecycle, no store, no waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from heapq import nlargest
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from veille.alerts.lifecycle import step, wakes_at
from veille.domain.alert import Alert, AlertState, Condition, Reading
from veille.domain.analysis import Analysis, Passage
from veille.domain.circumstances import Circumstances
from veille.domain.durations import format_duration
from veille.domain.errors import RuleError
from veille.nlp.clusters import Clusters
from veille.pipeline.passages import Surroundings
from veille.rules.engine import Engine
from veille.rules.evidence import conditions_of
from veille.rules.model import RuleSet
from veille.rules.parse import TEST_SUFFIX, TOPICS_FILE, parse_rules, read_file, yaml_files
from veille.rules.testevents import circumstances
from veille.rules.testfile import (
    BASE,
    GRID,
    Case,
    CaseMention,
    Expectation,
    Expected,
    parse_tests,
)

Given = TypeVar("Given")
Got = TypeVar("Got")
Analyze = Callable[[Sequence[Passage]], list[Analysis]]

MOST_TOLD = 3
"""Groups shown for a missing alert, those with the largest counts: an author each may be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong: `where` is `file:line`, `test` the name of the test, if one failed."""

    where: str
    message: str
    test: str | None = None

    def __str__(self) -> str:
        """Return the line people read."""
        name = f"{self.test}: " if self.test else ""
        return f"{self.where}: {name}{self.message}" if self.where else f"{name}{self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run found. `untested` holds ids of rules that no test makes fire."""

    passed: int = 0
    failed: int = 0
    rules: tuple[str, ...] = ()
    untested: tuple[str, ...] = ()
    never_silent: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def is_ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def gather(paths: Iterable[Path]) -> dict[str, bytes]:
    """Return the rule and test files of `paths` by name; each brings its partner beside it.

    A folder gives its `*.yml`. RuleError when one cannot be read.
    """
    wanted: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            found = yaml_files(path)
        elif path.name == TOPICS_FILE:
            raise RuleError(f"{path}: these are topics, not rules: veille check reads them")
        else:
            beside = path.with_name(partner(path.name))
            found = [path, beside] if beside.is_file() else [path]
        wanted |= {str(p): p for p in found}
    try:
        return {name: read_file(path) for name, path in sorted(wanted.items())}
    except OSError as error:
        raise RuleError(f"{error.filename}: cannot be read: {error.strerror}") from error


def run(
    files: Mapping[str, bytes],
    analyze: Analyze | None = None,
    *,
    around: Surroundings | None = None,
    topics: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Report:
    """Return what the tests among `files` find; `<name>_test.yml` tests the rules of `<name>.yml`.

    The alerts of that file, and no others, must be exactly the expected ones. `analyze` gives one
    analysis per text, in order; without it a mention without analysis is a finding. `around` holds
    the territories of the watches that tests name. `topics` are the known ones by the name of the
    rule file; names are not checked in a file without.
    """
    read = None if analyze is None else Model(analyze, around or Surroundings())
    findings: list[Finding] = []
    rulesets: dict[str, RuleSet] = {}
    for name in files:
        if not name.endswith(TEST_SUFFIX):
            parse = partial(parse_rules, topics=topics.get(name, ()))
            rulesets[name] = _guard(findings, parse, {name: files[name]}) or RuleSet()
    if not findings:
        _guard(findings, parse_rules, {name: files[name] for name in rulesets})
    cases: list[tuple[Case, RuleSet]] = []
    for name in files:
        if name.endswith(TEST_SUFFIX):
            ruleset = rulesets.get(partner(name))
            if ruleset is None:
                findings.append(Finding(where=name, message=f"{partner(name)} is missing"))
            for case in _guard(findings, _parse_tests, (name, files[name])) or ():
                cases.append((case, ruleset or RuleSet()))
    if findings:
        return Report(findings=tuple(findings))
    failed = 0
    for case, ruleset in cases:
        problems = list(_problems(case, ruleset, read))
        failed += bool(problems)
        findings += problems
    return _report(rulesets.values(), [case for case, _ in cases], findings, failed)


def _report(
    rulesets: Iterable[RuleSet], cases: Sequence[Case], findings: list[Finding], failed: int
) -> Report:
    rules = [rule for ruleset in rulesets for rule in ruleset.rules]
    fired = [{alert.rule for e in case.expectations for alert in e.firing} for case in cases]
    beside = [partner(case.file) for case in cases]
    untested, never_silent = [], []
    for rule in rules:
        own = [names for names, file in zip(fired, beside, strict=True) if file == rule.file]
        if not any(rule.id in names for names in own):
            untested.append(rule.id)
            message = f"rule {rule.id} has no test that makes it fire: write one"
            findings.append(Finding(where=f"{rule.file}:{rule.line}", message=message))
        elif all(rule.id in names for names in own):
            never_silent.append(rule.id)
    return Report(
        passed=len(cases) - failed,
        failed=failed,
        rules=tuple(rule.id for rule in rules),
        untested=tuple(untested),
        never_silent=tuple(never_silent),
        findings=tuple(findings),
    )


def partner(name: str) -> str:
    """Return the name of the test file of a rule file, or the other way round."""
    if name.endswith(TEST_SUFFIX):
        return name.removesuffix(TEST_SUFFIX) + ".yml"
    return name.removesuffix(".yml") + TEST_SUFFIX


def _parse_tests(file: tuple[str, bytes]) -> tuple[Case, ...]:
    return parse_tests(*file)


def _guard(findings: list[Finding], parse: Callable[[Given], Got], given: Given) -> Got | None:
    try:
        return parse(given)
    except RuleError as error:
        findings.extend(Finding(where="", message=line) for line in str(error).splitlines())
        return None


def _problems(case: Case, ruleset: RuleSet, model: Model | None) -> Iterable[Finding]:
    known = set(ruleset.versions)
    where = f"{case.file}:{case.line}"
    for expectation in case.expectations:
        for alert in (*expectation.firing, *(expectation.pending or ())):
            if alert.rule not in known:
                message = f'rule "{alert.rule}" is not in {partner(case.file)}'
                yield Finding(where=f"{case.file}:{expectation.line}", message=message)
                return
    mentions = analyzed(case.mentions, model)
    if mentions is None:
        yield Finding(where=where, message="needs the model: write analysis", test=case.name)
        return
    yield from differences(case, mentions, ruleset)


def differences(case: Case, mentions: Sequence[CaseMention], ruleset: RuleSet) -> Iterable[Finding]:
    """Yield how the alerts of these rules differ from those the case expects, as they are found.

    `mentions` are those of the case, each with its analysis.
    """
    for expectation, live, readings in _play(mentions, case, ruleset):
        spot = f"{case.file}:{expectation.line}"
        for message in _differences(expectation, live, readings):
            yield Finding(where=spot, message=message, test=case.name)


@dataclass(frozen=True, slots=True)
class Model:
    """Reads the mentions of a test as the daemon would."""

    analyze: Analyze
    around: Surroundings

    def read(self, mentions: Sequence[CaseMention]) -> list[Analysis]:
        said = [mention.observation for mention in mentions]
        return self.analyze(
            [
                self.around.passage(o.text, at=o.created_at, watches=o.watches, has_media=False)
                for o in said
            ]
        )


def analyzed(mentions: Sequence[CaseMention], model: Model | None) -> list[CaseMention] | None:
    """Return the mentions, each with an analysis; None when one needs a model and there is none."""
    unread = [m for m in mentions if m.needs_model]
    clusters = Clusters()
    if unread and model is None:
        return None
    analyses = iter(model.read(unread) if model is not None and unread else ())
    return [_clustered(m, next(analyses), clusters) if m.needs_model else m for m in mentions]


def _clustered(mention: CaseMention, analysis: Analysis, clusters: Clusters) -> CaseMention:
    """Return the mention with what the model found, and its cluster as in the daemon."""
    said = mention.observation
    author = None if said.own else said.author
    clusters.remove(said.key)
    found = clusters.add(said.key, said.text, author, said.received_at, version=said.seq)
    return mention.analyzed(replace(analysis, cluster=found))


def _play(
    mentions: Sequence[CaseMention], case: Case, ruleset: RuleSet
) -> Iterable[tuple[Expectation, list[Alert], list[Reading]]]:
    """Yield each expectation with the alerts that live and the readings then, on the 10 s grid.

    Instants at which nothing can change are left out.
    """
    watches = {watch for m in mentions for watch in m.observation.watches}
    engine = Engine(ruleset, territories=dict.fromkeys(watches, case.territory))
    alerts: dict[str, Alert] = {}
    waiting, asked = deque(m.observation for m in mentions), deque(case.expectations)
    now = min([BASE, *(_on_grid(m.observation.received_at) for m in mentions[:1])])
    while asked:
        while waiting and waiting[0].received_at <= now:
            engine.observe(waiting.popleft())
        readings = _step(engine, alerts, ruleset, now, circumstances(case.events, now))
        while asked and asked[0].at == now:
            yield asked.popleft(), list(alerts.values()), readings
        coming = [asked[0].at] if asked else []
        coming += [_on_grid(waiting[0].received_at)] if waiting else []
        coming += [_on_grid(event.at) for event in case.events if event.at > now][:1]
        wakes = (engine.wakes_at, wakes_at(alerts.values()))
        coming += [_on_grid(at) for at in wakes if at is not None]
        now = max(now + GRID, min(coming, default=now))


def _on_grid(at: datetime) -> datetime:
    """Return the first look that is not before `at`."""
    return BASE - (BASE - at) // GRID * GRID


def _step(
    engine: Engine,
    alerts: dict[str, Alert],
    ruleset: RuleSet,
    now: datetime,
    around: Circumstances,
) -> list[Reading]:
    engine.slide(now)
    readings = engine.readings(now, around)
    for alert in step(alerts, readings, ruleset.versions, now).changed:
        if alert.state is AlertState.RESOLVED:
            alerts.pop(alert.fingerprint, None)
        else:
            alerts[alert.fingerprint] = alert
    return readings


def _differences(
    expectation: Expectation, live: Sequence[Alert], readings: Sequence[Reading]
) -> Iterable[str]:
    wanted = {AlertState.FIRING: expectation.firing}
    if expectation.pending is not None:
        wanted[AlertState.PENDING] = expectation.pending
    for state, expected in wanted.items():
        got = [alert for alert in live if alert.state is state]
        missing = [e for e in expected if not any(_fits(e, alert) for alert in got)]
        extra = [alert for alert in got if not any(_fits(e, alert) for e in expected)]
        if missing or extra:
            offset = format_duration(expectation.at - BASE)
            yield (
                f"at {offset} expected {state} {_listed(map(_wanted, expected))}, "
                f"got {_listed(map(_found, got))}{_why_not(missing, readings)}"
            )


def _why_not(missing: Sequence[Expected], readings: Sequence[Reading]) -> str:
    """Return what was counted for the alerts that are missing, where it did not suffice."""
    near = [r for r in readings if not r.is_active and any(_fits(e, r) for e in missing)]
    largest = nlargest(MOST_TOLD, near, key=lambda reading: reading.value)
    return f"; counted {_listed(map(_counted, largest))}" if largest else ""


def _counted(reading: Reading) -> str:
    authors = f"{reading.author_count} author{'s' if reading.author_count > 1 else ''}"
    reason = reading.baseline.reason if reading.baseline else None
    failed = next((c for c in conditions_of(reading) if not c.holds), None)
    lacks = None if failed is None or reason else _condition(failed)
    why = ", ".join(filter(None, (authors, reason, lacks)))
    named = _named(reading.rule, sorted(reading.group.items()))
    is_repeated = reading.mention_count > reading.value
    of = f" different in {reading.mention_count} mentions" if is_repeated else ""
    return f"{named} ({reading.value}/{reading.threshold}{of} by {why})"


def _condition(failed: Condition) -> str:
    value = "unknown" if failed.value is None else f"{failed.value:g}"
    return f"{failed.name} {value} is not {failed.comparison} {failed.threshold:g}"


def _fits(expected: Expected, found: Alert | Reading) -> bool:
    group = tuple(sorted(found.group.items()))
    return expected.rule == found.rule and expected.group in {None, group}


def _wanted(expected: Expected) -> str:
    return expected.rule if expected.group is None else _named(expected.rule, expected.group)


def _found(alert: Alert) -> str:
    return f"{_named(alert.rule, sorted(alert.group.items()))} ({alert.value}/{alert.threshold})"


def _named(rule: str, group: Iterable[tuple[str, str]]) -> str:
    return f"{rule}{{{', '.join(f'{name}={value}' for name, value in group)}}}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
