"""The rules that run: how they do, where they stand, what their tests say."""

from __future__ import annotations

from datetime import datetime, timedelta

from veille.domain.alert import Alert, Severity
from veille.domain.errors import RuleError
from veille.domain.ids import short_id
from veille.domain.incident import Incident
from veille.rules.lint import heavy
from veille.rules.model import Rule, RuleKind
from veille.store.firings import Fired
from veille.store.verdicts import Judged
from veille.web import rules_page
from veille.web.api.operation import Answer, Call, Nothing
from veille.web.api.problems import Kind, Refused
from veille.web.api.shapes import AlertShape, Shape, alert, shaped
from veille.web.house import RuleDesk
from veille.web.rule_source import Finding, Line, Source, lines_of
from veille.web.rule_words import purposes
from veille.web.rules_page import Loaded

_RETRY_S = 60.0
"""The longest that the tests of a file may take."""


class RuleShape(Shape, frozen=True, kw_only=True):
    """A rule: `runs`, `firing`, `shadow` (on trial) or `disabled`.

    `firing` alerts stand now; `fired` and `shadow` count those of 30 days; verdicts and precision
    with its 95 % interval are of a year.
    """

    id: str
    state: str
    kind: RuleKind | None
    severity: Severity | None
    version: str | None
    firing: int
    fired: int
    shadow: int
    fired_at: datetime | None
    true_alert: int
    false_alarm: int
    wrong_label: int
    precision: float | None
    interval: tuple[float, float] | None


class Rules(Shape, frozen=True, kw_only=True):
    """The rules in force, under one version, then those that are switched off.

    `refused` says why the folder as it is now does not run, since `refused_at`; `heavy` what costs
    more than it should.
    """

    version: str
    items: list[RuleShape]
    refused: list[Finding]
    refused_at: datetime | None
    heavy: list[str]


class Fires(Shape, frozen=True, kw_only=True):
    """An alert of the rule, and the incident that took it."""

    alert: AlertShape
    incident: str | None


class TestedShape(Shape, frozen=True, kw_only=True):
    """What the tests of the rule's file found; `is_stale`: the file changed since."""

    at: datetime
    passed: int
    failed: int
    findings: tuple[str, ...]
    is_stale: bool


class WholeRule(Shape, frozen=True, kw_only=True):
    """A rule, what it asks, its text with its line numbers, and its last alerts, the newest first.

    `purposes` are its annotations, `comment` what stands above it in `file`; `problem` says why the
    text cannot be shown. What runs may differ from it while the folder is refused.
    """

    rule: RuleShape
    window: timedelta | None
    hold: timedelta | None
    keep_firing: timedelta | None
    group_by: tuple[str, ...]
    threshold: int | None
    min_authors: int | None
    flag: bool
    owner: str | None
    labels: dict[str, str]
    purposes: dict[str, str]
    comment: str
    file: str | None
    lines: list[Line]
    problem: str
    findings: list[Finding]
    tested: TestedShape | None
    alerts: list[Fires]


class File(Shape, frozen=True, kw_only=True):
    """A file of the folder, line by line."""

    name: str
    lines: list[Line]


async def list_(call: Call[Nothing, None]) -> Answer[Rules]:
    """The rules in force, with what they found and how they were judged."""
    ruleset = _desk(call).running()
    loaded = await call.site.store.read(lambda db: rules_page.load(db, ruleset.rules, call.now))
    folder = loaded.folder
    is_refused = folder is not None and folder.failures > 0
    return Answer(
        value=Rules(
            version=ruleset.version,
            items=[
                *(_shape(one.id, one, loaded) for one in ruleset.rules),
                *(_shape(name, None, loaded) for name in ruleset.disabled),
            ],
            refused=rules_page.refused(folder),
            refused_at=folder.failing_since or folder.error_at if folder and is_refused else None,
            heavy=heavy(ruleset),
        )
    )


async def get(call: Call[Nothing, None]) -> Answer[WholeRule]:
    """One rule: what it asks, how it does, its text and its alerts."""
    desk, name, one = _desk(call), call.parts["rule"], _rule(call)
    source, problem = await rules_page.source_of(desk, name)
    tested = await desk.tested(source.file) if source is not None else None
    known = [one] if one else []
    loaded = await call.site.store.read(lambda db: rules_page.load(db, known, call.now))
    recent = await call.site.store.read(lambda db: rules_page.recent(db, name)) if one else []
    return Answer(
        value=WholeRule(
            rule=_shape(name, one, loaded),
            window=one.window if one else None,
            hold=one.hold if one else None,
            keep_firing=one.keep_firing if one else None,
            group_by=one.group_by if one else (),
            threshold=one.threshold if one else None,
            min_authors=one.min_authors if one else None,
            flag=one.flag if one else False,
            owner=one.owner if one else None,
            labels=dict(one.labels) if one else {},
            purposes=dict(purposes(one)) if one else {},
            comment=source.comment if source else "",
            file=source.file if source else None,
            lines=list(source.lines) if source else [],
            problem=problem,
            findings=rules_page.findings(one, loaded.folder, source),
            tested=None if tested is None else shaped(TestedShape, tested),
            alerts=[_fires(each, incident) for each, incident in recent],
        )
    )


async def file(call: Call[Nothing, None]) -> Answer[File]:
    """One file of the folder of rules, as it is now."""
    name, desk = call.parts["file"], _desk(call)
    try:
        found = (await desk.files()).get(name)
    except RuleError as error:
        raise Refused(Kind.MISSING) from error
    if found is None:
        raise Refused(Kind.MISSING)
    return Answer(value=File(name=name, lines=lines_of(found)))


async def test(call: Call[Nothing, None]) -> Answer[TestedShape]:
    """The tests of the rule's file have run; one file at a time, for a minute at most."""
    desk = _desk(call)
    _rule(call)
    source = await _source(call, desk)
    try:
        has_run = await desk.test(source.file)
        tested = await desk.tested(source.file)
    except TimeoutError as error:
        raise Refused(Kind.BUSY, retry_after_s=_RETRY_S) from error
    except RuleError as error:
        raise Refused(Kind.MISSING) from error
    if not has_run or tested is None:
        raise Refused(Kind.BUSY, retry_after_s=_RETRY_S)
    return Answer(value=shaped(TestedShape, tested))


def _desk(call: Call[Nothing, None]) -> RuleDesk:
    desk = call.site.house.rules
    if desk is None:
        raise Refused(Kind.MISSING)
    return desk


def _rule(call: Call[Nothing, None]) -> Rule | None:
    """Return the rule of the path, None where it is switched off."""
    name, ruleset = call.parts["rule"], _desk(call).running()
    one = next((each for each in ruleset.rules if each.id == name), None)
    if one is None and name not in ruleset.disabled:
        raise Refused(Kind.MISSING)
    return one


async def _source(call: Call[Nothing, None], desk: RuleDesk) -> Source:
    source, _ = await rules_page.source_of(desk, call.parts["rule"])
    if source is None:
        raise Refused(Kind.MISSING)
    return source


def _shape(name: str, one: Rule | None, loaded: Loaded) -> RuleShape:
    fired, judged = loaded.fired.get(name, Fired()), loaded.judged.get(name, Judged())
    firing = loaded.firing.get(name, 0)
    return RuleShape(
        id=name,
        state=rules_page.state_of(one, firing) if one else "disabled",
        kind=one.kind if one else None,
        severity=one.severity if one else None,
        version=one.version if one else None,
        firing=firing,
        fired=fired.count,
        shadow=fired.shadow,
        fired_at=fired.last_at,
        true_alert=judged.true_alert,
        false_alarm=judged.false_alarm,
        wrong_label=judged.wrong_label,
        precision=judged.precision,
        interval=judged.interval,
    )


def _fires(found: Alert, incident: Incident | None) -> Fires:
    return Fires(
        alert=alert(found), incident=None if incident is None else short_id("I", incident.id)
    )
