"""Why an alert fired, or did not, in sentences for somebody who does not know the rule language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from veille.domain.alert import OF_RULE, Baseline, Comparison, Condition
from veille.domain.evidence import Doubt, DoubtKind
from veille.wording.catalogue import Catalogue
from veille.wording.format import duration, measure, number, percent, visible

_BOUNDS = {
    Comparison.AT_LEAST: "at_least",
    Comparison.ABOVE: "above",
    Comparison.AT_MOST: "at_most",
    Comparison.BELOW: "below",
}
_NOUNS = {
    "count": "messages",
    "spike": "messages",
    "authors": "authors",
    "distinct": "values",
    "points": "periods",
    "gaps": "intervals",
    "days": "days",
    "reach": "followers",
    "unanswered": "messages",
}
_SHARES = frozenset({"ratio", "ratio_before"})
_SECONDS, _DAYS = "_s", "_days"
_STEP = "step_"
_FLOORS = frozenset({"count", "points", "days", "learnt_days", "gaps"})
"""What only makes room for the condition that speaks: left out of one sentence, kept in a list."""
_VOLUME = {"count", "spike"}
_PLAIN = frozenset({"count", "spike", "authors", "points", "days"})
_COUNTED = frozenset(
    {
        DoubtKind.QUIET_SOURCES,
        DoubtKind.COPIES,
        DoubtKind.NOT_NEGATIVE,
        DoubtKind.SHORT_HISTORY,
    }
)
_ASKED = re.compile(r"(>=|<=|!=|=|>|<)?\s*(-?\d+(?:\.\d+)?)", re.ASCII)
_TRUTH = {"true": "yes", "false": "no"}
_CODES = frozenset({"places", "source", "watch", "role"})  # digits there are no number
_PLAIN_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,12})?", re.ASCII)
_SIGNS = {">=": "at_least", ">": "above", "<=": "at_most", "<": "below"}
_HEADS = {
    "sentiment.label": "sentiment",
    "urgency.label": "urgency",
    "hostility.label": "hostility",
    "hostility.target": "target",
    "intent.label": "intent",
    "card.hazard": "hazard",
    "card.need": "need",
}


def held(
    say: Catalogue,
    conditions: Sequence[Condition],
    *,
    window: timedelta | None = None,
    baseline: Baseline | None = None,
    is_repeated: bool = False,
) -> list[str]:
    """Return each condition as a fragment with its value and threshold, in the rule's order.

    `is_repeated`: several messages say the same, and count once.
    """
    return [
        _fragment(say, each, "held", window, baseline, is_repeated=is_repeated)
        for each in conditions
    ]


def as_of_now(
    conditions: Sequence[Condition], *, value: float, authors: int
) -> tuple[Condition, ...]:
    """Return what was measured when an alert began, with what is counted now in its place.

    Only what an alert counts goes on: a share, a speed or a sum stays as it was.
    """
    names = {each.name for each in conditions}
    counted = next(({name} for name in ("distinct", "reach") if name in names), _VOLUME)
    if counted is _VOLUME and not names <= _PLAIN:
        counted = set()
    now = dict.fromkeys(counted, value) | ({"authors": authors} if authors else {})
    return tuple(replace(each, value=now.get(each.name, each.value)) for each in conditions)


def summary(
    say: Catalogue,
    conditions: Sequence[Condition],
    *,
    window: timedelta | None = None,
    baseline: Baseline | None = None,
    is_repeated: bool = False,
) -> str:
    """Return the conditions that speak, in one line: floors stand only where nothing else does."""
    telling = [c for c in conditions if c.name not in _FLOORS and c.name != "authors"]
    authors = [c for c in conditions if c.name == "authors" and c.threshold > 1]
    chosen = [*(telling or [c for c in conditions if c.name == "count"]), *authors]
    parts = held(say, chosen, window=window, baseline=baseline, is_repeated=is_repeated)
    return ", ".join(parts)


def failed(
    say: Catalogue,
    condition: Condition,
    *,
    window: timedelta | None = None,
    baseline: Baseline | None = None,
) -> str:
    """Return the sentence that says why a condition does not hold, with value and threshold."""
    key = "unknown" if condition.value is None else "failed"
    if condition.value == 0 and f"why.condition.{condition.name}.none" in say.messages:
        key = "none"
    return _fragment(say, condition, key, window, baseline, is_repeated=False)


def doubt(say: Catalogue, found: Doubt) -> str:
    """Return what speaks against an alert as a sentence with its number."""
    key = f"why.doubt.{found.kind}"
    if found.kind is DoubtKind.UNCERTAIN:
        return say(key, value=percent(say, found.value))
    values = {"value": number(say, found.value), "total": number(say, found.total)}
    return say.count(key, found.value, **values) if found.kind in _COUNTED else say(key, **values)


def counts(say: Catalogue, baseline: Baseline | None) -> str:
    """Return the points of a baseline as a sentence, "" where none are known."""
    if baseline is None or not baseline.counts:
        return ""
    return say("why.points", counts=", ".join(number(say, count) for count in baseline.counts))


def _fragment(
    say: Catalogue,
    condition: Condition,
    verb: str,
    window: timedelta | None,
    baseline: Baseline | None,
    *,
    is_repeated: bool,
) -> str:
    name = _kind(say, condition)
    key = f"why.condition.{name}.{verb}"
    is_fixed = baseline is not None and baseline.expected is None and not baseline.reason
    if name == "count" and verb == "held":
        enough = "one" if condition.threshold == 1 else "held"
        key = f"why.condition.count.{'fixed' if is_fixed else enough}"
    if key not in say.messages:
        key, name = f"why.condition.other.{verb}", "other"
    value, threshold = condition.value or 0, condition.threshold
    noun = "different" if is_repeated and _NOUNS.get(condition.name) == "messages" else None
    bare = _written(say, condition.name, threshold)
    return say(
        key,
        name=visible(condition.name.removeprefix(OF_RULE)),
        number=condition.name.removeprefix(_STEP),
        value=_measured(say, condition.name, value, noun),
        threshold=bare,
        bound=say(f"why.bound.{_BOUNDS[condition.comparison]}", threshold=bare),
        within="" if window is None else say("why.words.within", window=duration(say, window)),
        usual=_usual(say, baseline),
        raw=measure(say, value, decimals=2),
        raw_threshold=measure(say, threshold, decimals=2),
    )


def _kind(say: Catalogue, condition: Condition) -> str:
    """Return under which name a condition is said; a rule's id stands for the rule itself."""
    if condition.name.startswith(_STEP) and condition.name.removeprefix(_STEP).isdecimal():
        return "step"
    if f"why.condition.{condition.name}.held" in say.messages:
        return condition.name
    # alerts that were stored before name a rule without its prefix
    is_rule = condition.threshold == 1 and condition.value in {0, 1}
    if not is_rule:
        return "other"
    return "rule_not" if condition.comparison is Comparison.BELOW else "rule"


def _usual(say: Catalogue, baseline: Baseline | None) -> str:
    if baseline is None or baseline.expected is None:
        return ""
    return say("why.words.usual", expected=measure(say, baseline.expected, decimals=1))


def _measured(say: Catalogue, name: str, value: float, noun: str | None) -> str:
    """Return a value with its unit: `12 messages`, `42 %`, `9 min`."""
    unit = noun or ("messages" if name.startswith(_STEP) else _NOUNS.get(name))
    if unit is None:
        return _written(say, name, value)
    return say.count(f"why.unit.{unit}", value, count=measure(say, value, decimals=2))


def _written(say: Catalogue, name: str, value: float) -> str:
    if name in _SHARES:
        return percent(say, value)
    if name.endswith(_SECONDS):
        return duration(say, timedelta(seconds=value))
    if name.endswith(_DAYS):
        return say.count("why.unit.days", value, count=measure(say, value, decimals=1))
    return measure(say, value, decimals=2)


def field(say: Catalogue, name: str) -> str:
    """Return what a field of a rule is about; a name nobody translated stays as it is."""
    key = f"why.field.{name}"
    return say(key) if key in say.messages else name


def label(say: Catalogue, name: str, value: str, names: Mapping[str, str]) -> str:
    """Return one value of a field as people read it; `names` are of topics, or of sources."""
    if name in {"topic", "topics", "source"}:
        return names.get(value, value)
    head = _HEADS.get(name)
    for key in (f"web.{head}.{value}", f"card.{head}.{value}", f"why.value.{name}.{value}"):
        if head is not None and key in say.messages:
            return say(key)
    if value in _TRUTH:
        return say(f"why.asked.{_TRUTH[value]}")
    if _PLAIN_NUMBER.fullmatch(value) and name not in _CODES:
        return _number(say, value)
    return value


def _number(say: Catalogue, written: str) -> str:
    """Return a number with as many decimals as it is written with."""
    return number(say, float(written), decimals=len(written.partition(".")[2]))


def wanted(say: Catalogue, name: str, written: str, names: Mapping[str, str]) -> str:
    """Return what a condition asks, from how the rule writes it: `>= 0.8` is « au moins 0,8 »."""
    parts = [_wanted(say, name, part.strip(), names) for part in written.split(", ")]
    return ", ".join(part for part in parts if part)


def _wanted(say: Catalogue, name: str, part: str, names: Mapping[str, str]) -> str:
    found = _ASKED.fullmatch(part)
    if found is not None and found[1] in _SIGNS and name not in _CODES:
        value = _number(say, found[2])
        return say(f"why.bound.{_SIGNS[found[1]]}", threshold=value)
    sign, value = ("!=", part[2:].strip()) if part.startswith("!=") else ("=", part.lstrip("= "))
    said = label(say, name, value, names)
    return say("why.asked.other_than", value=said) if sign == "!=" else said


def listed(parts: Iterable[str], say: Catalogue) -> str:
    """Return sentences or fragments as one text, apart from each other."""
    texts = [part for part in parts if part]
    joined = texts[0] if texts else ""
    for text in texts[1:]:
        joined = say("why.words.and", first=joined, second=text)
    return joined
