"""What a rule's alert rests on: what matched and where, what failed, and what speaks against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence

from veille.domain.alert import Alert, Condition, Reading
from veille.domain.analysis import HostilityLabel, SentimentLabel
from veille.domain.evidence import Asked, Doubt, DoubtKind, Example, Span
from veille.domain.record import Observation
from veille.rules.matchers import Clause, Where
from veille.rules.model import Rule
from veille.rules.params import Ratio, Steps
from veille.rules.view import NAME_FIELDS, NOWHERE, NUMBER_FIELDS, TRUTH_FIELDS, Around, View

EXAMPLES = 5
"""Example mentions of an alert (issue 5, item 7)."""
SPANS = 20
"""Places kept of one example: more than a phone shows of a text."""
WEIGHED = 200
"""Newest mentions of an alert that are looked at for what speaks against it."""
HALF = 0.5
"""One author, or a feeling that is not negative, speaks against an alert from half of it on."""
PROBABLE = 0.70
"""Below it no label is probable: docs interface, principle 3."""
_LABEL = 80  # characters of a value that are kept
_FREE_TEXT = frozenset({"role"})  # written by strangers


def conditions_of(measured: Reading | Alert) -> tuple[Condition, ...]:
    """Return what was measured; of an alert from before conditions were kept, its count."""
    if measured.conditions:
        return measured.conditions
    return (Condition(name="count", value=measured.value, threshold=measured.threshold),)


def verdict(evidence: Reading | Alert) -> bool:
    """Whether the rule's conditions hold, from the numbers kept in the evidence alone."""
    return all(condition.holds for condition in conditions_of(evidence))


def ask(where: Where, view: View) -> tuple[Asked, ...]:
    """Return every condition with its answer, in the order of the rule."""
    return tuple(
        Asked(
            field=clause.name,
            wanted=clause.wanted,
            found=_found(clause.name, view),
            holds=clause.test(view),
            parts=tuple(ask(part, view) for part in clause.parts),
        )
        for clause in where.clauses
    )


def ask_all(rule: Rule, view: View) -> tuple[Asked, ...]:
    """Return every condition a rule has on a mention that is to count, with its answer.

    What a share is of stands after its `where`; of the steps of a sequence one is enough.
    """
    first = ask(rule.where, view)
    match rule.params:
        case Ratio(of=of):
            return (*first, *ask(of, view))
        case Steps(steps=steps):
            parts = tuple(ask(step.where, view) for step in steps)
            is_one = any(all(one.holds for one in part) for part in parts)
            return (*first, Asked(field="any", wanted="", found=None, holds=is_one, parts=parts))
        case _:
            return first


def asked_of(rule: Rule) -> tuple[Where, ...]:
    """Return all that a rule asks of mentions: its `where`, and that of its share or its steps."""
    match rule.params:
        case Ratio(of=of):
            return (rule.where, of)
        case Steps(steps=steps):
            return (rule.where, *(step.where for step in steps))
        case _:
            return (rule.where,)


def example(rule: Rule, view: View) -> Example:
    """Return what of a mention matched: the places in its text, and labels that have none."""
    spans: dict[Span, None] = {}
    labels: dict[str, str] = {}
    matched = (where for where in asked_of(rule) if where.matches(view))
    for clause in (clause for where in matched for clause in _met(where, view)):
        places = _places(clause, view)
        spans |= dict.fromkeys(Span(field=clause.name, start=a, end=b) for a, b in places)
        found = None if places or clause.name in _FREE_TEXT else _found(clause.name, view)
        if found:
            labels[clause.name] = found
    kept = sorted(spans, key=lambda span: (span.start, span.end))[:SPANS]
    return Example(key=view.observation.key, spans=tuple(kept), labels=labels)


def choose(seen: Sequence[Observation]) -> list[Observation]:
    """Return up to EXAMPLES of these, the newest of each author before a second one of anybody."""
    rank: Counter[str] = Counter()
    ranked = []
    for age, one in enumerate(reversed(seen)):
        who = one.author or one.key
        ranked.append((rank[who], age, one))
        rank[who] += 1
    chosen = sorted(ranked, key=lambda each: each[:2])[:EXAMPLES]
    return [one for _, _, one in sorted(chosen, key=lambda each: -each[1])]


def doubts(
    rule: Rule,
    alert: Alert,
    seen: Sequence[Observation],
    heard: Collection[str],
    *,
    around: Around = NOWHERE,
) -> tuple[Doubt, ...]:
    """Return what speaks against an alert, each with its number.

    `seen` are its newest mentions, WEIGHED at most; `heard` the sources of all mentions that came
    while its window lasted. Nothing is said of an alert without mentions.
    """
    views = [View(one, one.analysis, around) for one in seen if one.analysis is not None]
    if not views:
        return ()
    found = (
        _of_people(views),
        _of_sources(views, heard),
        _of_copies(alert),
        _of_feeling(views),
        _of_certainty(rule.where, views),
        _of_history(alert),
    )
    return tuple(doubt for group in found for doubt in group)


def _of_people(views: Sequence[View]) -> Iterable[Doubt]:
    total = len(views)
    if total == 1:
        yield Doubt(kind=DoubtKind.SINGLE, value=1, total=1)
        return
    authors = Counter(view.observation.author for view in views)
    del authors[None]  # strangers are not one person
    most = max(authors.values(), default=0)
    if most > 1 and most >= HALF * total:
        yield Doubt(kind=DoubtKind.ONE_AUTHOR, value=most, total=total)


def _of_sources(views: Sequence[View], heard: Collection[str]) -> Iterable[Doubt]:
    telling = {view.observation.source for view in views}
    if len(telling) == 1 and len(views) > 1:
        yield Doubt(kind=DoubtKind.ONE_SOURCE, value=1, total=len(views))
    if quiet := set(heard) - telling:
        yield Doubt(kind=DoubtKind.QUIET_SOURCES, value=len(quiet))


def _of_copies(alert: Alert) -> Iterable[Doubt]:
    """Return the copies where what counts once is what the alert counts."""
    count = next((int(c.value or 0) for c in alert.conditions if c.name == "count"), 0)
    if 0 < count < alert.mention_count:
        copies = alert.mention_count - count
        yield Doubt(kind=DoubtKind.COPIES, value=copies, total=alert.mention_count)


def _of_feeling(views: Sequence[View]) -> Iterable[Doubt]:
    fair = {SentimentLabel.NEUTRAL, SentimentLabel.POSITIVE}
    count = sum(view.analysis.sentiment.label in fair for view in views)
    if count and count >= HALF * len(views):
        yield Doubt(kind=DoubtKind.NOT_NEGATIVE, value=count, total=len(views))


def _of_certainty(where: Where, views: Sequence[View]) -> Iterable[Doubt]:
    surest = [_sureness(where, view) for view in views]
    known = [score for score in surest if score is not None]
    if known and max(known) < PROBABLE:
        yield Doubt(kind=DoubtKind.UNCERTAIN, value=round(max(known), 4), total=len(views))


def _of_history(alert: Alert) -> Iterable[Doubt]:
    if alert.baseline is not None and alert.baseline.is_cold:
        yield Doubt(kind=DoubtKind.SHORT_HISTORY, value=alert.baseline.points)


def _sureness(where: Where, view: View) -> float | None:
    """Return how sure the model is of what the rule asks for, None when it asks no label."""
    heads = {clause.name.split(".")[0] for clause in _met(where, view)}
    scores = [_SURENESS[head](view) for head in heads if head in _SURENESS]
    return min(scores, default=None)


def _of_sentiment(view: View) -> float:
    found = view.analysis.sentiment
    return max(found.probabilities.values(), default=0.0)


def _of_hostility(view: View) -> float:
    found = view.analysis.hostility
    return 1 - found.score if found.label is HostilityLabel.NONE else found.score


_SURENESS: dict[str, Callable[[View], float]] = {
    "sentiment": _of_sentiment,
    "urgency": lambda view: view.analysis.urgency.score,
    "crisis": lambda view: view.analysis.crisis,
    "hostility": _of_hostility,
    "intent": lambda view: view.analysis.intent.score,
}


def _met(where: Where, view: View) -> Iterable[Clause]:
    """Yield the conditions that hold, those under `any` too; what `not` keeps out matches nothing.

    Of the alternatives of `any` only those that hold as a whole.
    """
    for clause in where.clauses:
        if clause.name == "any":
            for part in clause.parts:
                if part.matches(view):
                    yield from _met(part, view)
        elif clause.name != "not" and clause.test(view):
            yield clause


def _places(clause: Clause, view: View) -> Sequence[tuple[int, int]]:
    if clause.name in {"places", "territory"}:
        return [(place.start, place.end) for place in view.analysis.places if place.insee]
    if clause.name in {"card.hazard", "card.need"} and (card := view.analysis.card) is not None:
        slot = card.hazard if clause.name == "card.hazard" else card.need
        return [] if slot is None else [(span.start, span.end) for span in slot.spans]
    return clause.spans(view)


def _found(name: str, view: View) -> str | None:
    """Return what a mention has in a field, in the rule's own words; None of texts and names."""
    if name in NUMBER_FIELDS:
        value = NUMBER_FIELDS[name].get(view)
        return None if value is None else f"{value:g}"
    if name in TRUTH_FIELDS:
        return str(TRUTH_FIELDS[name](view)).lower()
    if name in NAME_FIELDS:
        return ", ".join(NAME_FIELDS[name](view))[:_LABEL]
    return None
