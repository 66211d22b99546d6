"""What `where:` may ask of one mention, compiled to tests that cannot hang."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from veille.domain.analysis import (
    HostilityLabel,
    IntentLabel,
    SentimentLabel,
    Target,
    UrgencyLabel,
)
from veille.domain.card import Hazard, Need
from veille.domain.errors import InputError
from veille.domain.mention import MentionKind
from veille.rules.phrases import Pattern, compile_phrases, compile_regex
from veille.rules.view import NAME_FIELDS, NUMBER_FIELDS, View, scored
from veille.rules.yaml_nodes import Fields, Findings, Items, Node, Scalar, shown, suggest

Test = Callable[[View], bool]

FIELDS = (*NAME_FIELDS, *NUMBER_FIELDS, "own", "cluster.is_claim", "text", "entities")
"""Every field `where:` may name, besides `any` and `not`."""

_CHOICES: dict[str, tuple[str, ...]] = {
    "kind": tuple(MentionKind),
    "sentiment.label": tuple(SentimentLabel),
    "urgency.label": tuple(UrgencyLabel),
    "hostility.label": tuple(HostilityLabel),
    "hostility.target": tuple(Target),
    "intent.label": tuple(IntentLabel),
    "card.hazard": tuple(Hazard),
    "card.need": tuple(Need),
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


@dataclass(frozen=True, slots=True)
class Where:
    """The conditions of a rule: all must hold. Without any, every mention matches."""

    tests: tuple[Test, ...] = ()

    def matches(self, view: View) -> bool:
        """Whether every condition holds for the mention."""
        return all(test(view) for test in self.tests)


def compile_where(node: Node, findings: Findings, topics: Sequence[str] = ()) -> Where:
    """Return the conditions of a mapping; what is wrong is noted in `findings` and left out.

    `topics` are the known ones; without any, each name may be one.
    """
    if not isinstance(node, Fields):
        findings.add(node, f"where is a mapping of field: condition, not {shown(node)}")
        return Where()
    tests: list[Test] = []
    for name, value in node.nodes.items():
        try:
            tests.append(_compile(name, value, findings, topics))
        except _UnknownFieldError:
            known = ("any", "not", *FIELDS)
            findings.add(node.keys[name], f'unknown field "{name}"; {suggest(name, known)}')
        except InputError as error:
            findings.add(value, f"{name}: {error}")
    return Where(tuple(tests))


class _UnknownFieldError(InputError):
    pass


def _compile(name: str, value: Node, findings: Findings, topics: Sequence[str]) -> Test:
    if name == "any":
        return _any_of(_wheres(value, findings, topics))
    if name == "not":
        negated = _any_of(_wheres(value, findings, topics))
        return lambda view: not negated(view)
    if name not in FIELDS:
        raise _UnknownFieldError(name)
    if name == "text":
        return _text(value)
    nodes = value.nodes if isinstance(value, Items) else (value,)
    if not nodes:
        raise InputError("the list is empty: name at least one value")
    written = [_scalar(node) for node in nodes]
    if name in NAME_FIELDS:
        return _names(name, written, topics if name in {"topics", "topic"} else ())
    compile_one = _number if name in NUMBER_FIELDS else _OTHERS[name]
    return _any_of_tests([compile_one(name, each) for each in written])


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
    return lambda view: any(where.matches(view) for where in wheres)


def _any_of_tests(tests: list[Test]) -> Test:
    return lambda view: any(test(view) for test in tests)


def _scalar(node: Node) -> str:
    if not isinstance(node, Scalar) or not node.text.strip():
        raise InputError(f"expected a value, not {shown(node)}")
    return node.text.strip()


def _number(name: str, written: str) -> Test:
    found = _NUMBER.fullmatch(written)
    if found is None:
        raise InputError(f'"{written[:60]}" is no comparison: write ">= 0.8"')
    low, high = NUMBER_FIELDS[name].low, NUMBER_FIELDS[name].high
    wanted = scored(float(found[2]))
    if not low <= wanted <= high:
        raise InputError(f"{found[2]} is out of range: {name} lies in [{low:g}, {high:g}]")
    compare, get = _COMPARE[found[1] or "="], NUMBER_FIELDS[name].get

    def test(view: View) -> bool:
        value = get(view)
        return value is not None and compare(value, wanted)  # unknown matches no comparison

    return test


def _operator(written: str) -> tuple[str, str]:
    found = _NAME.fullmatch(written)
    return (found[1], found[2].strip()) if found else ("=", written)


def _names(name: str, written: Sequence[str], known: Sequence[str]) -> Test:
    """Return whether any value holds; a list of 20,000 costs a mention no more than one value."""
    get = _written_places if name == "places" else NAME_FIELDS[name]
    wanted: set[str] = set()
    unwanted: list[str] = []
    for each in written:
        operator, value = _operator(each)
        _check_name(name, value, known)
        if operator == "=":
            wanted.add(value)
        else:
            unwanted.append(value)
    equal = frozenset(wanted)

    def test(view: View) -> bool:
        found = get(view)
        return not equal.isdisjoint(found) or any(value not in found for value in unwanted)

    return test


def _check_name(name: str, wanted: str, known: Sequence[str]) -> None:
    if name == "places" and not _INSEE.fullmatch(wanted):
        raise InputError(f'"{wanted[:60]}": write an INSEE code such as 30007, or its begin: 30*')
    choices = known or _CHOICES.get(name)
    if choices and wanted not in choices:
        raise InputError(f'unknown value "{wanted[:60]}"; {suggest(wanted, choices)}')
    if wanted[0] in "<>!":
        raise InputError(f'"{wanted[:60]}" compares numbers, and {name} is a word: use = or !=')


def _own(_name: str, written: str) -> Test:
    wanted = _truth(written)
    return lambda view: view.observation.own == wanted


def _claim(_name: str, written: str) -> Test:
    wanted = _truth(written)

    def test(view: View) -> bool:
        cluster = view.analysis.cluster
        return (cluster is not None and cluster.is_claim) == wanted

    return test


def _truth(written: str) -> bool:
    if written not in _TRUTH:
        raise InputError(f'"{written[:60]}" is neither true nor false')
    return _TRUTH[written]


def _written_places(view: View) -> tuple[str, ...]:
    """Return each INSEE code of a mention, and all that a rule may write for it: 30*, 300*."""
    codes = NAME_FIELDS["places"](view)
    return (*codes, *(f"{code[:end]}*" for code in codes for end in range(2, len(code))))


def _entity(_name: str, written: str) -> Test:
    found = _ENTITY.fullmatch(written)
    if found is None:
        raise InputError(f'"{written[:60]}": write PER, LOC, ORG or MISC, a colon, a name or *')
    label = found[1]
    if found[2].strip() == "*":
        return lambda view: any(e.label == label for e in view.analysis.entities)
    pattern = compile_phrases([found[2]])
    return lambda view: any(
        e.label == label and pattern.matches(View.words_of(e.text)) for e in view.analysis.entities
    )


_OTHERS = {"own": _own, "cluster.is_claim": _claim, "entities": _entity}


def _text(node: Node) -> Test:
    if not isinstance(node, Fields):
        raise InputError(f'write {{words: [...]}} or {{re: "..."}}, not {shown(node)}')
    for name in node.nodes:
        if name not in {"words", "re"}:
            raise InputError(f'unknown key "{name[:60]}"; known: words, re')
    tests: list[Test] = []
    if (words := node.nodes.get("words")) is not None:
        nodes = words.nodes if isinstance(words, Items) else (words,)
        tests.append(_on_words(compile_phrases([_scalar(item) for item in nodes])))
    if (regex := node.nodes.get("re")) is not None:
        tests.append(_on_text(compile_regex(_scalar(regex))))
    if not tests:
        raise InputError("expected words: or re:")
    return lambda view: all(test(view) for test in tests)


def _on_words(pattern: Pattern) -> Test:
    return lambda view: pattern.matches(view.words)


def _on_text(pattern: Pattern) -> Test:
    return lambda view: pattern.matches(view.text)
