"""`/rules`: what veille looks for, how often it was found, and how often rightly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from veille.domain.alert import Alert
from veille.domain.errors import RuleError
from veille.domain.incident import Incident
from veille.rules.lint import heavy, undecided
from veille.rules.model import Rule
from veille.store import alerts, firings, incidents, pulse, sources, verdicts
from veille.store.engine import Db
from veille.store.firings import Fired
from veille.store.sources import SourceHealth
from veille.store.verdicts import Judged
from veille.web.house import RuleDesk
from veille.web.rule_source import Finding, Source, finding, lines_of, rule_source
from veille.web.rule_words import (
    facts,
    found,
    found_by_tests,
    precision,
    purposes,
    tested_words,
)
from veille.web.site import form_of, render, render_watched, see, site_of, words_of
from veille.web.words import Words
from veille.wording.format import number, visible

PAGE = 100
"""Rules of a page: the shipped ones and five times as many of a town's own."""
FIRED_FOR = timedelta(days=30)
JUDGED_FOR = timedelta(days=365)
"""Verdicts are few: a month of them says nothing about a rule that fires twice."""
ALERTS = 20
_DONE = ("tested", "busy", "slow", "missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A rule as the list shows it; `shape` goes with its state."""

    id: str
    rule: Rule | None
    state: str
    shape: str
    firing: int
    fired: Fired
    judged: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What the page and the API tell of rules, of one snapshot."""

    firing: Mapping[str, int]
    fired: Mapping[str, Fired]
    judged: Mapping[str, Judged]
    folder: SourceHealth | None
    marks: Mapping[str, str]


async def page(request: web.Request) -> web.Response:
    """All rules in the order of their files, those that fire marked; what is wrong first."""
    site, words, desk = site_of(request), words_of(request), _desk(request)
    ruleset, first = desk.running(), _first(request)
    rules = ruleset.rules[first : first + PAGE]
    loaded = await site.store.read(lambda db: load(db, rules, words.now))
    rows = [_row(rule, loaded, words) for rule in rules]
    if first + PAGE >= len(ruleset.rules):
        rows += [_disabled(name) for name in ruleset.disabled]
    return render_watched(
        request,
        "rules.html",
        marks=loaded.marks,
        rows=rows,
        heading=words.say.count("pages.rules.heading", len(ruleset.rules)),
        version=words.say("pages.rules.version", version=ruleset.version),
        refused=refused(loaded.folder),
        refused_at=_refused_at(loaded.folder, words),
        heavy=heavy(ruleset),
        next_path=f"/rules?from={first + PAGE}" if first + PAGE < len(ruleset.rules) else None,
        is_first=first == 0,
        number=number,
    )


async def rule(request: web.Request) -> web.Response:
    """One rule: what it is for, how it does, its source and its alerts; 404 for an unknown one."""
    site, words, desk = site_of(request), words_of(request), _desk(request)
    name, ruleset = request.match_info["id"], desk.running()
    one = next((each for each in ruleset.rules if each.id == name), None)
    if one is None and name not in ruleset.disabled:
        raise web.HTTPNotFound
    source, problem = await source_of(desk, name)
    tested = await desk.tested(source.file) if source is not None else None
    loaded = await site.store.read(lambda db: load(db, [one] if one else [], words.now))
    last = await site.store.read(lambda db: recent(db, name)) if one else []
    done = request.query.get("done")
    return render_watched(
        request,
        "rule.html",
        marks=loaded.marks,
        rule=one,
        row=_row(one, loaded, words) if one else _disabled(name),
        facts=facts(one, words) if one else [],
        comment=source.comment if source else "",
        purposes=purposes(one) if one else [],
        source=source,
        problem=problem,
        test=tested_words(tested, words) if tested is not None else [],
        test_findings=found_by_tests(tested) if tested is not None else [],
        findings=findings(one, loaded.folder, source),
        refused=bool(refused(loaded.folder)),
        version=words.say("pages.rules.version", version=ruleset.version),
        alerts=[found(alert, incident, words) for alert, incident in last],
        done=words.say(f"pages.rules.done.{done}") if done in _DONE else None,
        number=number,
    )


async def file(request: web.Request) -> web.Response:
    """One file of the folder, read-only, each line with its address; 404 for no rule file."""
    try:
        files = await _desk(request).files()
    except RuleError as error:
        raise web.HTTPNotFound from error
    name = request.match_info["name"]
    if name not in files:
        raise web.HTTPNotFound
    return render(request, "rulefile.html", name=name, lines=lines_of(files[name]))


async def test(request: web.Request) -> web.Response:
    """The tests of the rule's file ran, or the page says why not."""
    await form_of(request)
    desk, name = _desk(request), request.match_info["id"]
    if name not in {*desk.running().versions, *desk.running().disabled}:
        raise web.HTTPNotFound
    source, _ = await source_of(desk, name)
    try:
        done = "missing" if source is None else None
        if source is not None:
            done = "tested" if await desk.test(source.file) else "busy"
    except TimeoutError:
        done = "slow"
    except RuleError:
        done = "missing"
    return see(f"/rules/{name}?done={done}#tests")


def _desk(request: web.Request) -> RuleDesk:
    desk = site_of(request).house.rules
    if desk is None:
        raise web.HTTPNotFound
    return desk


async def source_of(desk: RuleDesk, name: str) -> tuple[Source | None, str]:
    """Return where the rule stands in the folder now, and why that is not known."""
    try:
        return rule_source(await desk.files(), name), ""
    except RuleError as error:
        return None, visible(str(error))


def load(db: Db, rules: Sequence[Rule], now: datetime) -> Loaded:
    """Return what is told of these rules."""
    firing: dict[str, int] = {}
    for alert in alerts.live(db):
        firing[alert.rule] = firing.get(alert.rule, 0) + (alert.state == "firing")
    return Loaded(
        firing=firing,
        fired=firings.by_rule(db, [each.id for each in rules], since=now - FIRED_FOR),
        judged=verdicts.by_rule(db, since=now - JUDGED_FOR),
        folder=next((one for one in sources.health(db) if one.source == sources.RULES), None),
        marks=pulse.marks(db, ("incidents", "sources")),
    )


def recent(db: Db, name: str) -> list[tuple[Alert, Incident | None]]:
    """Return the last alerts of a rule, each with the incident that took it, if one did."""
    known = firings.recent(db, name, limit=ALERTS)
    open_ones = {mark: one for one in incidents.unresolved(db) for mark in one.alerts}
    result: list[tuple[Alert, Incident | None]] = []
    for alert in known:
        mine = [
            one
            for key in alert.evidence[-1:]
            for one in incidents.of_mention(db, key)
            if alert.fingerprint in one.alerts
        ]
        result.append((alert, mine[-1] if mine else open_ones.get(alert.fingerprint)))
    return result


def _row(one: Rule, loaded: Loaded, words: Words) -> Row:
    firing = loaded.firing.get(one.id, 0)
    state = state_of(one, firing)
    return Row(
        id=one.id,
        rule=one,
        state=state,
        shape={"shadow": "○", "firing": "▲", "runs": "●"}[state],
        firing=firing,
        fired=loaded.fired.get(one.id, Fired()),
        judged=precision(loaded.judged.get(one.id, Judged()), words),
    )


def state_of(one: Rule, firing: int) -> str:
    """Return `shadow` on trial, `firing` while an alert of it fires, else `runs`."""
    return "shadow" if one.shadow else "firing" if firing else "runs"


def _disabled(name: str) -> Row:
    return Row(id=name, rule=None, state="disabled", shape="–", firing=0, fired=Fired(), judged="")


def refused(folder: SourceHealth | None) -> list[Finding]:
    """Return why the folder was refused; nothing while what is in it runs."""
    if folder is None or not folder.failures:
        return []
    return [finding(line) for line in (folder.error or "?").splitlines()]


def _refused_at(folder: SourceHealth | None, words: Words) -> str:
    at = folder.failing_since or folder.error_at if folder and folder.failures else None
    return words.say("pages.rules.refused", time=words.when(at)) if at else ""


def _of_file(folder: SourceHealth | None, source: Source | None) -> list[Finding]:
    """Return what is wrong in the rule's own file."""
    if source is None:
        return []
    return [one for one in refused(folder) if one.said.startswith(f"{source.file}:")]


def findings(one: Rule | None, folder: SourceHealth | None, source: Source | None) -> list[Finding]:
    """Return what is wrong with a rule or in its file."""
    why = undecided(one) if one is not None else None
    return [*([Finding(said=why)] if why else []), *_of_file(folder, source)]


def _first(request: web.Request) -> int:
    """Return the number of the page's first rule; 400 for nonsense."""
    written = request.query.get("from", "0")
    if not (written.isascii() and written.isdigit() and len(written) < 6):  # noqa: PLR2004 digits
        raise web.HTTPBadRequest
    return int(written)
