"""Why not: one mention followed through one rule, on what the store still holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from veille.domain.alert import Alert
from veille.domain.calendar import Region
from veille.domain.errors import InputError
from veille.domain.history import HISTORY, History, hour_number
from veille.domain.ids import fingerprint, parse_short_id
from veille.domain.silence import Mute, mute_of
from veille.domain.whynot import Commune, Outcome, Told, WhyNot
from veille.pipeline import hindsight
from veille.pipeline.recount import learns
from veille.rules.engine import PARIS, Engine
from veille.rules.evidence import ask_all, conditions_of
from veille.rules.model import Rule, RuleSet
from veille.rules.new_term import terms_of
from veille.rules.params import Composite, NewTerm, Silence
from veille.rules.view import Around, View, group_values
from veille.store import (
    alerts,
    baselines,
    incidents,
    observations,
    queue,
    timeline,
    trail,
    watermarks,
)
from veille.store.engine import Db
from veille.store.surroundings import circumstances

EVALUATED = "evaluate"
_TERRITORIAL = frozenset({"territory", "places"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The rules in force, what they know beside mentions, and how long those are kept.

    `kept` None: nothing was ever deleted by age. `sources` are the configured ones, None: all.
    """

    ruleset: RuleSet
    now: datetime
    zone: ZoneInfo = PARIS
    region: Region = Region.METROPOLE
    territories: Mapping[str, frozenset[str]] = field(default_factory=dict)
    kept: timedelta | None = None
    sources: frozenset[str] | None = None

    @property
    def around(self) -> Around:
        """What conditions on a mention may ask beside it."""
        return Around(zone=self.zone, territories=self.territories)

    def engine(self, rules: RuleSet) -> Engine:
        """Return an engine of these rules, as the daemon builds its own."""
        return Engine(
            rules,
            zone=self.zone,
            region=self.region,
            reach=HISTORY if self.kept is None else min(self.kept, HISTORY),
            territories=self.territories,
        )


def key_of(db: Db, name: str) -> str | None:
    """Return the key of the mention people call so: `Q345`, its key, id, `source:id` or address.

    None when none is stored. InputError when several are.
    """
    try:
        letter, number = parse_short_id(name)
    except InputError:
        letter, number = "", 0
    if letter == "Q" and (item := queue.get(db, number)) is not None:
        return item.mention
    found = trail.named(db, name)
    if len(found) > 1:
        several = ", ".join(found.values())
        raise InputError(f'"{name}" is the id of several mentions: write one of {several}')
    if found:
        return next(iter(found))
    return name if trail.is_gone(db, name) else None


def why_not(db: Db, name: str, rule_id: str, setting: Setting) -> WhyNot:
    """Return what became of a mention under a rule.

    InputError for a rule nobody knows, or a name that several mentions have.
    """
    rules = {rule.id: rule for rule in setting.ruleset.rules}
    if rule_id not in rules and rule_id not in setting.ruleset.disabled:
        known = ", ".join(sorted(rules)) or "none"
        raise InputError(f'rule "{rule_id}" does not exist; known: {known}')
    key = key_of(db, name)
    answer = WhyNot(outcome=Outcome.ABSENT, mention=key or name, rule=rule_id)
    if key is None:
        return answer
    return _followed(db, answer, rules.get(rule_id), setting)


def _followed(db: Db, answer: WhyNot, rule: Rule | None, setting: Setting) -> WhyNot:
    """Go the mention's way until something stands against it."""
    key, state = answer.mention, trail.state(db, answer.mention)
    if state in {None, "deleted"}:
        return replace(answer, outcome=Outcome.DELETED)
    if rule is None:
        return replace(answer, outcome=Outcome.DISABLED)
    answer = replace(answer, kind=rule.kind, rule_version=rule.version, window=rule.window)
    alert = trail.alert_with(db, rule.id, key)
    if alert is not None and alert.fired_at is not None:
        return _alerted(db, answer, alert, rule)
    last = observations.newest(db, [key], up_to=watermarks.get(db, EVALUATED))
    if not last or last[0].analysis is None:
        waiting = {"parked": Outcome.PARKED, "analyzed": Outcome.UNSEEN}
        return replace(answer, outcome=waiting.get(state or "", Outcome.UNREAD))
    seen = last[0]
    view = View(seen, last[0].analysis, setting.around)
    answer = _read(answer, rule, view, setting)
    if answer.outcome is not Outcome.CONDITION:
        return answer
    if _is_counting(db, rule, setting):
        return replace(answer, outcome=Outcome.COUNTING)
    if alert is not None:
        return _pending(answer, alert)
    return _nearest(db, answer, rule, view, setting)


def _read(answer: WhyNot, rule: Rule, view: View, setting: Setting) -> WhyNot:
    """Return what the mention itself has against it, CONDITION when nothing."""
    seen = view.observation
    delay = seen.received_at - seen.created_at
    silence = rule.params if isinstance(rule.params, Silence) else None
    counts_own = silence is not None and silence.own
    answer = replace(
        answer,
        asked=ask_all(rule, view),
        communes=tuple(Commune(name=p.name, insee=p.insee) for p in view.analysis.places),
    )
    if not seen.watches:
        return replace(answer, outcome=Outcome.UNWATCHED)
    if rule.exclude_own and seen.own and not counts_own:
        return replace(answer, outcome=Outcome.OWN)
    if delay > rule.late_by and silence is None:  # however late, it is a sign of life
        return replace(answer, outcome=Outcome.LATE, delay=delay, limit=rule.late_by)
    first = next((each for each in answer.asked if not each.holds), None)
    if first is not None:
        is_elsewhere = first.field in _TERRITORIAL
        return replace(answer, outcome=Outcome.TERRITORY if is_elsewhere else Outcome.WHERE)
    is_read = setting.sources is None or seen.source in setting.sources
    if silence is not None and "source" in rule.group_by and not is_read:
        return replace(answer, outcome=Outcome.UNHEARD)
    if any(not group_values(view, name) for name in rule.group_by):
        return replace(answer, outcome=Outcome.GROUP, group_by=rule.group_by)
    if isinstance(rule.params, NewTerm) and not terms_of(view, rule.params.of):
        return replace(answer, outcome=Outcome.GROUP, group_by=(rule.params.of,))
    return replace(answer, outcome=Outcome.CONDITION)


def _is_counting(db: Db, rule: Rule, setting: Setting) -> bool:
    """Whether the rule, or one it looks at, has yet to count its past, and says nothing until then.

    Where nothing is ever deleted, in what was replayed, nobody goes on counting.
    """
    rules = {each.id: each for each in setting.ruleset.rules}
    learning = {each.version for each in _looked_at(rule, rules) if learns(each)}
    return setting.kept is not None and not learning <= baselines.since(db, learning).keys()


def _looked_at(rule: Rule, rules: Mapping[str, Rule]) -> Iterator[Rule]:
    yield rule
    if isinstance(rule.params, Composite):
        asked = rule.params
        for name in (*asked.all_of, *asked.any_of, *asked.none_of):
            yield from _looked_at(rules[name], rules) if name in rules else ()


def _alerted(db: Db, answer: WhyNot, alert: Alert, rule: Rule) -> WhyNot:
    """Return that it alerted, who was told, or what kept it from being told."""
    number = trail.incident_of(db, alert)
    answer = replace(
        answer,
        outcome=Outcome.SHADOW if alert.shadow else Outcome.FIRED,
        rule_version=alert.rule_version,
        at=alert.fired_at,
        conditions=conditions_of(alert),
        mention_count=alert.mention_count,
        baseline=alert.baseline,
        window=alert.window or rule.window,
        alert=alert.fingerprint,
        incident=number,
    )
    if number is None:
        return answer
    told, mute = of_incident(db, number, alert.fingerprint)
    is_muted = not told and mute is not None
    return replace(
        answer, outcome=Outcome.MUTED if is_muted else answer.outcome, told=told, mute=mute
    )


def of_incident(
    db: Db, number: int, mark: str | None = None
) -> tuple[tuple[Told, ...], Mute | None]:
    """Return who was told of an incident, and what mutes it or an alert of it, or did last."""
    events = timeline.of(db, f"I{number}")
    told = tuple(
        Told(receiver=str(event.data.get("receiver") or ""), at=event.at)
        for event in events
        if event.kind == "notification.sent"
    )
    incident = incidents.get(db, number)
    held = None if incident is None else incident.muted
    if incident is not None and held is None and mark is not None:
        held = incident.hushed.get(mark)
    if held is None:
        noted = [event for event in events if event.kind == "incident.muted"]
        held = mute_of(noted[-1].data) if noted else None
    return told, held


def _pending(answer: WhyNot, alert: Alert) -> WhyNot:
    """Return that the conditions held, and for how long."""
    until = alert.cleared_at or alert.resolved_at
    return replace(
        answer,
        outcome=Outcome.PENDING,
        at=alert.started_at,
        conditions=conditions_of(alert),
        mention_count=alert.mention_count,
        baseline=alert.baseline,
        hold=alert.hold,
        lasted=None if until is None else until - alert.started_at,
        alert=alert.fingerprint,
    )


def _nearest(db: Db, answer: WhyNot, rule: Rule, view: View, setting: Setting) -> WhyNot:
    """Return the look at which the rule came nearest, of all while the mention counted."""
    ranked = max(
        ((_rank(look), -n, look) for n, look in enumerate(_looks(db, rule, view, setting))),
        key=lambda one: one[:2],
        default=None,
    )
    if ranked is None:
        return replace(answer, outcome=Outcome.FORGOTTEN)
    at, conditions, found = ranked[2]
    since = view.observation.received_at - hindsight.reach(rule)
    answer = replace(
        answer,
        outcome=Outcome.WOULD_FIRE if all(c.holds for c in conditions) else Outcome.CONDITION,
        at=at,
        conditions=conditions,
        is_partial=setting.kept is not None and since < setting.now - setting.kept,
    )
    if found is None:
        return answer
    return replace(answer, mention_count=found.mention_count, baseline=found.baseline)


def _rank(look: hindsight.Look) -> tuple[float, ...]:
    """Return how near to firing a look is: how many conditions hold, then how much was counted.

    Of two as near the earlier one is told.
    """
    _, conditions, found = look
    first = next((i for i, each in enumerate(conditions) if not each.holds), len(conditions))
    failed = conditions[first] if first < len(conditions) else None
    value = 0.0 if failed is None or failed.value is None else failed.value
    return (first, value, 0 if found is None else found.value)


def _looks(db: Db, rule: Rule, view: View, setting: Setting) -> Iterator[hindsight.Look]:
    """Yield what the rule said of the mention's groups when it came, and at each one after it."""
    seen = view.observation
    rules = setting.ruleset.needed_by(rule.id)
    start = seen.received_at
    kept = hindsight.learnt(db, rules, setting.engine(rules), seen.seq)
    engine = setting.engine(rules)
    recent = observations.recent(db, since=start - engine.horizon, up_to=seen.seq)
    engine.restore(recent, _histories(db, rules, start), start, memories=kept)
    if rule.kind in hindsight.REMEMBERING:
        scene = hindsight.Scene(
            rule=rule,
            view=view,
            engine=engine,
            memory=kept.get(rule.feed, {}),
            around=circumstances(db, (), sources=setting.sources),
            until=hindsight.heard_until(db, setting.now),
        )
        yield from hindsight.looks(db, scene)
        return
    groups = _groups(rule, view)
    yield from _said(engine, rule, groups, start)
    looks = 0
    for later in observations.after(db, seen.seq, limit=hindsight.LATER):
        if later.received_at > start + rule.window:
            continue
        engine.observe(later)
        if later.analysis is None or looks >= hindsight.LOOKS:
            continue
        looks += 1
        at = max(start, later.received_at)
        yield from _said(engine, rule, groups, at)


def _said(
    engine: Engine, rule: Rule, groups: frozenset[str], at: datetime
) -> Iterator[hindsight.Look]:
    for found in engine.readings(at):
        if found.rule == rule.id and fingerprint(rule.id, found.group) in groups:
            yield at, conditions_of(found), found


def _groups(rule: Rule, view: View) -> frozenset[str]:
    """Return the fingerprints of the groups a mention belongs to."""
    found: list[dict[str, str]] = [{}]
    for name in rule.group_by:
        found = [{**one, name: value} for one in found for value in group_values(view, name)]
    return frozenset(fingerprint(rule.id, one) for one in found)


def _histories(db: Db, rules: RuleSet, until: datetime) -> Mapping[str, History]:
    """Return the histories as they stood then: later hours are left out."""
    seasonal = [rule.version for rule in rules.rules if rule.is_seasonal]
    last = hour_number(until)
    return {
        version: replace(
            history,
            counts={
                mark: {hour: count for hour, count in hours.items() if hour <= last}
                for mark, hours in history.counts.items()
            },
        )
        for version, history in baselines.load(
            db, rules.versions.values(), counted=seasonal
        ).items()
    }


def alerts_of(db: Db, number: int) -> list[Alert]:
    """Return the alerts of an incident as last stored; InputError where it does not exist."""
    incident = incidents.get(db, number)
    if incident is None:
        raise InputError(f"I{number} does not exist: veille queue list shows what does")
    return list(alerts.get(db, incident.alerts).values())
