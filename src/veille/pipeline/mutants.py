"""Do the tests of a rule notice when the rule is wrong? Each mutant must fail one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from veille.domain.errors import RuleError
from veille.pipeline.rule_tests import Finding, Model, analyzed, differences, partner
from veille.rules.model import RuleSet
from veille.rules.mutation import Mutant, mutants
from veille.rules.parse import TEST_SUFFIX, parse_rules
from veille.rules.testfile import Case, CaseMention, Expected, parse_tests

Told = Callable[[int, float | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One mutant and whether a test noticed: `by` says where the first expectation failed."""

    where: str
    rule: str
    change: str
    is_killed: bool
    by: str | None = None

    def __str__(self) -> str:
        """Return the line people read."""
        fate = f"killed by {self.by}" if self.is_killed else "survived"
        return f"{self.where}: {self.rule}: {self.change}: {fate}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How many mutants of one rule, or of all, the tests killed; `ratio` None without any."""

    rule: str
    killed: int
    mutants: int

    @property
    def ratio(self) -> float | None:
        """Killed of all, in [0, 1]."""
        return round(self.killed / self.mutants, 4) if self.mutants else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What became of every mutant. `findings` say why it could not be tried: then there is none."""

    tried: tuple[Tried, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def scores(self) -> tuple[Score, ...]:
        """One for each rule with mutants, in their order."""
        names = dict.fromkeys(one.rule for one in self.tried)
        return tuple(_score(name, [t for t in self.tried if t.rule == name]) for name in names)

    @property
    def whole(self) -> Score:
        """All rules together."""
        return _score("", self.tried)


def _score(rule: str, tried: Sequence[Tried]) -> Score:
    return Score(rule=rule, killed=sum(one.is_killed for one in tried), mutants=len(tried))


def survey(
    files: Mapping[str, bytes],
    model: Model | None = None,
    *,
    topics: Mapping[str, Sequence[str]] = MappingProxyType({}),
    told: Told = lambda _done, _total: None,
) -> Survey:
    """Return the fate of each mutant of the rules in `files` under the tests beside them.

    The unchanged rules must pass. The model reads each mention once, whatever the mutants. One that
    no parser accepts is none: nobody could load it. `told` hears how many were tried.
    """
    tried: list[Tried] = []
    waiting: list[tuple[str, Mutant, RuleSet]] = []
    cases: dict[str, list[tuple[Case, list[CaseMention]]]] = {}
    findings: list[Finding] = []
    for name, data in files.items():
        if name.endswith(TEST_SUFFIX) or partner(name) not in files:
            continue
        known = topics.get(name, ())
        try:
            ruleset = parse_rules({name: data}, topics=known)
            cases[name] = _cases(partner(name), files[partner(name)], model)
        except RuleError as error:
            findings += [Finding(where="", message=line) for line in str(error).splitlines()]
            continue
        for case, mentions in cases[name]:
            findings += differences(case, mentions, ruleset)
        waiting += _loadable(name, data, known)
    if findings:
        return Survey(findings=tuple(findings))
    for done, (name, mutant, ruleset) in enumerate(waiting):
        told(done, len(waiting))
        tried.append(_tried(name, mutant, ruleset, cases[name]))
    return Survey(tried=tuple(tried))


def _cases(name: str, data: bytes, model: Model | None) -> list[tuple[Case, list[CaseMention]]]:
    found = []
    for case in parse_tests(name, data):
        mentions = analyzed(case.mentions, model)
        if mentions is None:
            raise RuleError(f"{name}:{case.line}: {case.name}: needs the model: write analysis")
        found.append((case, mentions))
    return found


def _loadable(name: str, data: bytes, topics: Sequence[str]) -> list[tuple[str, Mutant, RuleSet]]:
    unchanged = parse_rules({name: data}, topics=topics).version
    found = []
    for mutant in mutants(name, data):
        try:
            ruleset = parse_rules({name: mutant.data}, topics=topics)
        except RuleError:
            continue
        if ruleset.version != unchanged:
            found.append((name, mutant, ruleset))
    return found


def _tried(
    name: str, mutant: Mutant, ruleset: RuleSet, cases: Sequence[tuple[Case, list[CaseMention]]]
) -> Tried:
    """Return what became of a mutant; the tests that expect its rule to fire come first."""
    ordered = sorted(cases, key=lambda pair: not _names(pair[0], mutant.rule))
    needed = ruleset.needed_by(mutant.rule)
    by = None
    for case, mentions in ordered:
        about = case if needed is ruleset else _about(case, mutant.rule)
        if found := next(iter(differences(about, mentions, needed)), None):
            by = f"{found.where}: {case.name}"
            break
    return Tried(
        where=f"{name}:{mutant.line}:{mutant.column}",
        rule=mutant.rule,
        change=mutant.change,
        is_killed=by is not None,
        by=by,
    )


def _about(case: Case, rule: str) -> Case:
    """Return the case with what it expects of one rule: the others are as they were."""

    def of(alerts: tuple[Expected, ...]) -> tuple[Expected, ...]:
        return tuple(alert for alert in alerts if alert.rule == rule)

    kept = [
        replace(e, firing=of(e.firing), pending=None if e.pending is None else of(e.pending))
        for e in case.expectations
    ]
    return replace(case, expectations=tuple(kept))


def _names(case: Case, rule: str) -> bool:
    return any(alert.rule == rule for e in case.expectations for alert in e.firing)
