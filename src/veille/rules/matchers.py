"""What `where:` may ask of one mention, compiled to tests that cannot hang."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from veille.domain.analysis import (
    Entity,
    HostilityLabel,
    IntentLabel,
    SentimentLabel,
    Target,
    UrgencyLabel,
)
from veille.domain.card import Hazard, Need, Vulnerable
from veille.domain.errors import InputError
from veille.domain.mention import IdentifierKind, MentionKind
from veille.domain.text import fold, word_spans
from veille.rules.phrases import Keys, Pattern, compile_phrases, compile_regex
from veille.rules.view import (
    NAME_FIELDS,
    NUMBER_FIELDS,
    TRUTH_FIELDS,
    WEEKDAYS,
    View,
    scored,
)
from veille.rules.yaml_nodes import Fields, Findings, Items, Node, Scalar, shown, suggest

Test = Callable[[View], bool]
Needed = tuple[str, str]
"""A field with the value that a mention must have in it; of texts, WORD or STEM with a word."""
Needs = frozenset[Needed] | None
"""One of these at least; None: nothing that could be looked up."""
WORD, STEM = "word", "stem"
Spans = Callable[[View], Sequence[tuple[int, int]]]

FIELDS = (*NAME_FIELDS, *NUMBER_FIELDS, *TRUTH_FIELDS, "text", "entities")
"""Every field `where:` may name, besides `any` and `not`."""
SHOWN = 120
"""Characters of what a condition asks that are said again: three lines of a phone."""

_CHOICES: dict[str, tuple[str, ...]] = {
    "kind": tuple(MentionKind),
    "sentiment.label": tuple(SentimentLabel),
    "urgency.label": tuple(UrgencyLabel),
    "hostility.label": tuple(HostilityLabel),
    "hostility.target": tuple(Target),
    "intent.label": tuple(IntentLabel),
    "card.hazard": tuple(Hazard),
    "card.need": tuple(Need),
    "card.vulnerable": tuple(Vulnerable),
    "masked": tuple(IdentifierKind),
    "weekday": WEEKDAYS,
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "!=": lambda a, b: a != b,
    "=": lambda a, b: a == b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}
_NUMBER = re.compile(r"(>=|<=|!=|=|>|<)?\s*(-?\d{1,12}(?:\.\d{1,12})?)", re.ASCII)
_NAME = re.compile(r"(!=|=)\s*(.+)", re.DOTALL)
_ENTITY = re.compile(r"(PER|LOC|ORG|MISC):\s*(.+)", re.DOTALL)
_INSEE = re.compile(r"(?:\d\d|2[AB])(?:\d{3}|\d{0,2}\*)", re.ASCII)
_TRUTH = {"true": True, "false": False}

_SHARES = {
    "word": 0.01, "stem": 0.01, "places": 0.01, "place.name": 0.01, "card.hazard": 0.03,
    "card.need": 0.03, "card.vulnerable": 0.03, "masked": 0.03, "hostility.target": 0.05,
    "topics": 0.05, "topic": 0.05, "intent.label": 0.1, "weekday": 0.15, "urgency.label": 0.2,
}  # fmt: skip
"""Of which share of mentions a value of these fields may be, others: half. Only what a rule costs
depends on it, not what it finds; judgement."""


def _share(needs: frozenset[Needed]) -> float:
    return sum(_SHARES.get(name, 0.5) for name, _ in needs)


def _nowhere(_view: View) -> Sequence[tuple[int, int]]:
    return ()


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition: its field, what is asked of it as written, and the test.

    A mention that has none of `needs`, words or values of fields, does not meet it; None: it may.
    `spans` gives the code points of the text that meet it, `end` excluded; it is never asked while
    mentions are matched. `parts` are what stands under `any` and `not`, `size` the instructions of
    its own patterns.
    """

    name: str
    wanted: str
    test: Test
    spans: Spans = _nowhere
    parts: tuple[Where, ...] = ()
    size: int = 0
    needs: Needs = None


@dataclass(frozen=True, slots=True)
class Where:
    """The conditions of a rule: all must hold. Without any, every mention matches."""

    clauses: tuple[Clause, ...] = ()

    def matches(self, view: View) -> bool:
        """Whether every condition holds for the mention."""
        for clause in self.clauses:  # noqa: SIM110 asked for each mention by each rule: no generator
            if not clause.test(view):
                return False
        return True

    @property
    def needs(self) -> Needs:
        """Of the conditions that need something, the needs that fewest mentions are likely to have.

        A mention that has none of them does not match; None: any may.
        """
        known = [clause.needs for clause in self.clauses if clause.needs is not None]
        return min(known, key=_share, default=None)

    @property
    def fields(self) -> frozenset[str]:
        """Every field it asks for."""
        inner = (part.fields for clause in self.clauses for part in clause.parts)
        return frozenset(clause.name for clause in self.clauses).union(*inner)

    @property
    def size(self) -> int:
        """How many instructions its patterns have."""
        return sum(c.size + sum(part.size for part in c.parts) for c in self.clauses)


def compile_where(node: Node, findings: Findings, topics: Sequence[str] = ()) -> Where:
    """Return the conditions of a mapping; what is wrong is noted in `findings` and left out.

    `topics` are the known ones; without any, each name may be one.
    """
    if not isinstance(node, Fields):
        findings.add(node, f"where is a mapping of field: condition, not {shown(node)}")
        return Where()
    clauses: list[Clause] = []
    for name, value in node.nodes.items():
        try:
            clauses.append(_compile(name, value, findings, topics))
        except _UnknownFieldError:
            known = ("any", "not", *FIELDS)
            findings.add(node.keys[name], f'unknown field "{name}"; {suggest(name, known)}')
        except InputError as error:
            findings.add(value, f"{name}: {error}")
    return Where(tuple(clauses))


class _UnknownFieldError(InputError):
    pass


def _compile(name: str, value: Node, findings: Findings, topics: Sequence[str]) -> Clause:
    if name in {"any", "not"}:
        wheres = _wheres(value, findings, topics)
        if name == "not":
            return Clause(name, "", _none_of(wheres), parts=tuple(wheres))
        return Clause(name, "", _any_of(wheres), parts=tuple(wheres), needs=needs_of_any(wheres))
    if name not in FIELDS:
        raise _UnknownFieldError(name)
    if name == "text":
        return _text(value)
    nodes = value.nodes if isinstance(value, Items) else (value,)
    if not nodes:
        raise InputError("the list is empty: name at least one value")
    written = [_scalar(node) for node in nodes]
    wanted = _shortened(written)
    if name in NAME_FIELDS:
        return _names(name, written, topics if name in {"topics", "topic"} else ())
    if name == "entities":
        return _entities(wanted, written)
    compile_one = _number if name in NUMBER_FIELDS else _truth
    return Clause(name, wanted, _any_of_tests([compile_one(name, each) for each in written]))


def _shortened(written: Sequence[str]) -> str:
    said = ", ".join(written)
    return said if len(said) <= SHOWN else f"{said[: SHOWN - 1]}…"


def _wheres(node: Node, findings: Findings, topics: Sequence[str]) -> list[Where]:
    """Return the alternatives under `any:` or `not:`; a mapping is a list of one."""
    nodes = node.nodes if isinstance(node, Items) else (node,)
    if not nodes:
        raise InputError("the list is empty: give at least one condition")
    for alternative in nodes:
        if isinstance(alternative, Fields) and not alternative.nodes:
            findings.add(alternative, "an empty condition matches everything: remove it")
    return [compile_where(alternative, findings, topics) for alternative in nodes]


def _any_of(wheres: list[Where]) -> Test:
    return _any_of_tests([where.matches for where in wheres])


def _none_of(wheres: list[Where]) -> Test:
    test = _any_of(wheres)
    return lambda view: not test(view)


def needs_of_any(wheres: Sequence[Where]) -> Needs:
    """Return what a mention must have to match one of them."""
    found = [where.needs for where in wheres if where.needs is not None]
    return frozenset[Needed]().union(*found) if len(found) == len(wheres) else None


def _any_of_tests(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda view: any(test(view) for test in tests)


def _scalar(node: Node) -> str:
    if not isinstance(node, Scalar) or not node.text.strip():
        raise InputError(f"expected a value, not {shown(node)}")
    return node.text.strip()


def _number(name: str, written: str) -> Test:
    found = _NUMBER.fullmatch(written)
    if found is None:
        raise InputError(f'"{written[:60]}" is no comparison: write ">= 0.8"')
    if re.match(r"-?0\d", found[2]):
        raise InputError(f"{written}: YAML may read it as octal: write it without the first 0")
    low, high = NUMBER_FIELDS[name].low, NUMBER_FIELDS[name].high
    wanted = scored(float(found[2]))
    if not low <= wanted <= high or (found[1], wanted) in {(">", high), ("<", low)}:
        raise InputError(f"{written} is out of range: {name} lies in [{low:g}, {high:g}]")
    compare, get = _COMPARE[found[1] or "="], NUMBER_FIELDS[name].get

    def test(view: View) -> bool:
        value = get(view)
        return value is not None and compare(value, wanted)  # unknown matches no comparison

    return test


def _operator(written: str) -> tuple[str, str]:
    found = _NAME.fullmatch(written)
    return (found[1], found[2].strip()) if found else ("=", written)


def _names(name: str, written: Sequence[str], known: Sequence[str]) -> Clause:
    """Return whether any value holds; a list of 20,000 costs a mention no more than one value."""
    get = getter(name)
    wanted: set[str] = set()
    unwanted: list[str] = []
    for each in written:
        operator, value = _operator(each)
        _check_name(name, value, known)
        value = fold(value) if name == "place.name" else value
        if operator == "=":
            wanted.add(value)
        else:
            unwanted.append(value)
    equal = frozenset(wanted)

    def is_one(view: View) -> bool:
        return not equal.isdisjoint(get(view))

    def is_one_or_other(view: View) -> bool:
        found = get(view)
        return not equal.isdisjoint(found) or any(value not in found for value in unwanted)

    if unwanted:
        return Clause(name, _shortened(written), is_one_or_other)
    needs = frozenset((name, value) for value in equal)
    return Clause(name, _shortened(written), is_one, needs=needs)


def getter(name: str) -> Callable[[View], Iterable[str]]:
    """Return what gives a mention's values of a `Needed`'s field, as rules write them."""
    match name:
        case "places":
            return _written_places
        case "word":
            return attrgetter("heads")
        case "stem":
            return attrgetter("stems")
        case _:
            return NAME_FIELDS[name]


def _check_name(name: str, wanted: str, known: Sequence[str]) -> None:
    if name == "places" and not _INSEE.fullmatch(wanted):
        raise InputError(f'"{wanted[:60]}": write an INSEE code such as 30007, or its begin: 30*')
    choices = known or _CHOICES.get(name)
    if choices and wanted not in choices:
        raise InputError(f'unknown value "{wanted[:60]}"; {suggest(wanted, choices)}')
    if wanted[0] in "<>!":
        raise InputError(f'"{wanted[:60]}" compares numbers, and {name} is a word: use = or !=')


def _truth(name: str, written: str) -> Test:
    if written not in _TRUTH:
        raise InputError(f'"{written[:60]}" is neither true nor false')
    wanted, get = _TRUTH[written], TRUTH_FIELDS[name]
    return lambda view: get(view) == wanted


def _written_places(view: View) -> tuple[str, ...]:
    """Return each INSEE code of a mention, and all that a rule may write for it: 30*, 300*."""
    codes = NAME_FIELDS["places"](view)
    return (*codes, *(f"{code[:end]}*" for code in codes for end in range(2, len(code))))


def _entities(wanted: str, written: Sequence[str]) -> Clause:
    are = [_entity(each) for each in written]

    def spans(view: View) -> Sequence[tuple[int, int]]:
        found = view.analysis.entities
        return [(e.start, e.end) for e in found if any(is_one(e) for is_one in are)]

    def test(view: View) -> bool:
        return any(is_one(e) for e in view.analysis.entities for is_one in are)

    return Clause("entities", wanted, test, spans)


def _entity(written: str) -> Callable[[Entity], bool]:
    found = _ENTITY.fullmatch(written)
    if found is None:
        raise InputError(f'"{written[:60]}": write PER, LOC, ORG or MISC, a colon, a name or *')
    label = found[1]
    if found[2].strip() == "*":
        return lambda entity: entity.label == label
    pattern = compile_phrases([found[2]])
    return lambda entity: entity.label == label and pattern.matches(View.words_of(entity.text))


def _text(node: Node) -> Clause:
    if not isinstance(node, Fields):
        raise InputError(f'write {{words: [...]}} or {{re: "..."}}, not {shown(node)}')
    for name in node.nodes:
        if name not in {"words", "re"}:
            raise InputError(f'unknown key "{name[:60]}"; known: words, re')
    asked: list[tuple[Test, Spans]] = []
    patterns: list[Pattern] = []
    written: list[str] = []
    if (words := node.nodes.get("words")) is not None:
        nodes = words.nodes if isinstance(words, Items) else (words,)
        phrases = [_scalar(item) for item in nodes]
        patterns.append(compile_phrases(phrases))
        asked.append(_on_words(patterns[-1]))
        written += phrases
    if (regex := node.nodes.get("re")) is not None:
        patterns.append(compile_regex(_scalar(regex)))
        asked.append(_on_text(patterns[-1]))
        written.append(f"/{_scalar(regex)}/")
    if not asked:
        raise InputError("expected words: or re:")
    return Clause(
        "text",
        _shortened(written),
        asked[0][0] if len(asked) == 1 else lambda view: all(test(view) for test, _ in asked),
        lambda view: [span for _, spans in asked for span in spans(view)],
        size=sum(pattern.size for pattern in patterns),
        needs=None if words is None else _needs_of(patterns[0]),
    )


def _needs_of(pattern: Pattern) -> frozenset[Needed]:
    """Return what a text must have for a list of phrases: a word alone, or one of each longer."""
    keys = [keys for keys in (pattern.alone, pattern.rare) if keys is not None]
    words = {(WORD, word) for each in keys for word in each.words}
    return frozenset(words | {(STEM, stem) for each in keys for stem in each.stems})


def _on_words(pattern: Pattern) -> tuple[Test, Spans]:
    def spans(view: View) -> Sequence[tuple[int, int]]:
        places = word_spans(view.observation.text)
        found = pattern.word_ranges(view.words)
        return [(places[a][0], places[b - 1][1]) for a, b in found if b <= len(places)]

    alone, rare = pattern.alone or Keys(), pattern.rare or Keys()

    def test(view: View) -> bool:
        # most rules ask for words a text does not have: a look into a set costs a tenth of a search
        words, stems = view.heads, view.stems
        if alone.meet(words, stems):
            return True
        return rare.meet(words, stems) and pattern.matches(view.words)

    return test, spans


def _on_text(pattern: Pattern) -> tuple[Test, Spans]:
    return lambda view: pattern.matches(view.text), lambda view: pattern.spans(view.text)
