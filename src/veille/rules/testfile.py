"""Rule tests as data: mentions at offsets from a fixed night, and the alerts expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from veille.domain.analysis import Analysis
from veille.domain.errors import RuleError
from veille.domain.mention import IdentifierKind, MentionKind, Metrics
from veille.domain.record import Observation
from veille.rules.fields import Reader
from veille.rules.model import GROUP_FIELDS
from veille.rules.new_term import TERM
from veille.rules.partial import partial_analysis
from veille.rules.testevents import EVENT_KEYS, Event, parse_events
from veille.rules.testseries import MAX_BEFORE, expand, offset
from veille.rules.yaml_nodes import Fields, Findings, Node, Scalar, read

BASE = datetime.fromisoformat("2026-01-18T02:00:00+01:00")
"""The instant all offsets count from."""
GRID = timedelta(seconds=10)
"""Tests look at the clock this often, as replay does."""
MAX_AT = timedelta(days=14)

TERRITORY = ("99001",)
"""That of a test that names none: no commune has this code."""

_NONE = timedelta(0)
_MENTION_KEYS = (
    "at", "id", "source", "text", "kind", "author", "own", "created_at", "watch", "watches",
    "deleted", "analysis", "reply_to", "thread", "media", "masked", "metrics",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseMention:
    """One mention of a test; `needs_model` when neither an analysis nor a deletion is written."""

    observation: Observation
    needs_model: bool

    def analyzed(self, analysis: Analysis) -> CaseMention:
        """Return the mention with what the model found."""
        return replace(
            self, observation=replace(self.observation, analysis=analysis), needs_model=False
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An alert that must be there; `group` None stands for any group of the rule."""

    rule: str
    group: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """Exactly these alerts at `at`; `pending` None leaves pending alerts unchecked."""

    at: datetime
    firing: tuple[Expected, ...]
    pending: tuple[Expected, ...] | None
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One named test: mentions sorted by arrival (of series too), expectations by time.

    `territory` holds the codes of every watch it names.
    """

    name: str
    file: str
    line: int
    territory: frozenset[str]
    mentions: tuple[CaseMention, ...]
    events: tuple[Event, ...]
    expectations: tuple[Expectation, ...]


def parse_tests(file: str, data: bytes) -> tuple[Case, ...]:
    """Return the tests of one file; RuleError with every finding, one a line."""
    findings = Findings(file)
    root = read(data, findings)
    cases: list[Case] = []
    if root is None:
        if not list(findings):
            findings.add(Node(1, 1), "the file is empty: write a list under tests:")
    else:
        nodes = Reader(root, findings, ("tests",)).items("tests")
        cases = [_case(node, findings, file) for node in nodes]
    if problems := list(findings):
        raise RuleError("\n".join(problems))
    return tuple(cases)


def _case(node: Node, findings: Findings, file: str) -> Case:
    keys = ("name", "territory", "series", "mentions", "expect", *EVENT_KEYS)
    reader = Reader(node, findings, keys)
    if not reader.text("name"):
        reader.wrong("name", "missing: say what the test shows")
    mentions = [
        _mention(Reader(item, findings, _MENTION_KEYS), seq)
        for seq, item in enumerate(reader.items("mentions"), start=1)
    ]
    mentions += [
        CaseMention(observation=observation, needs_model=False)
        for observation in expand(reader, BASE, len(mentions))
    ]
    expectations = [_expectation(item, findings) for item in reader.items("expect")]
    if not expectations:
        reader.wrong("expect", "missing: say what fires and when, or firing: []")
    return Case(
        name=reader.text("name"),
        file=file,
        line=node.line,
        territory=frozenset(_words(reader, "territory") or TERRITORY),
        mentions=_numbered(sorted(mentions, key=lambda m: m.observation.received_at)),
        events=parse_events(reader, BASE),
        expectations=tuple(sorted(expectations, key=lambda e: e.at)),
    )


def _numbered(mentions: Sequence[CaseMention]) -> tuple[CaseMention, ...]:
    """Return them numbered in their order, as a store would."""
    return tuple(
        replace(mention, observation=replace(mention.observation, seq=seq))
        for seq, mention in enumerate(mentions, start=1)
    )


def _words(reader: Reader, name: str) -> tuple[str, ...]:
    nodes = reader.items(name)
    if not all(isinstance(node, Scalar) and node.text for node in nodes):
        reader.wrong(name, "expected a list of words")
    return tuple(node.text for node in nodes if isinstance(node, Scalar))


def _metrics(reader: Reader) -> Metrics | None:
    node = reader.fields.get("metrics")
    if node is None:
        return None
    names = ("likes", "shares", "replies", "views")
    inner = Reader(node, reader.findings, names)
    return Metrics(**{n: inner.integer(n, 0, 0, 10**11) for n in names if inner.has(n)})


def _at(reader: Reader, *, before: timedelta = _NONE) -> datetime:
    if not reader.has("at"):
        reader.wrong("at", "missing: write an offset such as 10m")
    return BASE + offset(reader, "at", _NONE, before=before, after=MAX_AT)


def _mention(reader: Reader, seq: int) -> CaseMention:
    at = _at(reader, before=MAX_BEFORE)
    author = reader.fields.get("author")
    person = Reader(author, reader.findings, ("id", "followers", "age", "role")) if author else None
    is_deleted = reader.truth("deleted", default=False)
    observation = Observation(
        seq=seq,
        key=reader.text("id") or f"m{seq}",
        source=reader.text("source", "test"),
        watches=_watches(reader),
        kind=MentionKind(reader.choice("kind", tuple(MentionKind), MentionKind.POST)),
        text=reader.text("text"),
        created_at=_created_at(reader, at),
        received_at=at,
        author=person.text("id") or None if person else None,
        followers=person.integer("followers", 0, 0, 10**9)
        if person and person.has("followers")
        else None,
        author_age=person.integer("age", 0, 0, 10**5) if person and person.has("age") else None,
        role=person.text("role") or None if person else None,
        own=reader.truth("own", default=False),
        reply_to=reader.text("reply_to") or None,
        thread=reader.text("thread") or None,
        media=_words(reader, "media"),
        masked=reader.names("masked", tuple(IdentifierKind), ()),
        metrics=_metrics(reader),
    )
    needs_model = not is_deleted
    written = reader.fields.get("analysis")
    if written is not None and not is_deleted:
        observation = replace(observation, analysis=partial_analysis(written, reader.findings))
        needs_model = False
    if needs_model and not observation.text.strip():
        reader.wrong("text", "missing: the model needs a text, or write analysis: {}")
    return CaseMention(observation=observation, needs_model=needs_model)


def _watches(reader: Reader) -> tuple[str, ...]:
    nodes = reader.items("watches")
    names = [node.text for node in nodes if isinstance(node, Scalar)]
    if len(names) < len(nodes):
        reader.wrong("watches", "expected a list of names")
    return tuple(names) or (reader.text("watch", "mairie"),)


def _created_at(reader: Reader, at: datetime) -> datetime:
    if not reader.has("created_at"):
        return at
    try:
        found = datetime.fromisoformat(reader.text("created_at"))
    except ValueError:
        reader.wrong("created_at", "write RFC 3339 with offset: 2026-01-18T02:00:00+01:00")
        return at
    if found.tzinfo is None:
        reader.wrong("created_at", "the offset is missing: end with +01:00 or Z")
        return at
    return found


def _expectation(node: Node, findings: Findings) -> Expectation:
    reader = Reader(node, findings, ("at", "firing", "pending"))
    at = _at(reader)
    if (at - BASE) % GRID:
        reader.wrong("at", "alerts are looked at every 10 s: write a multiple")
    if not reader.has("firing"):
        reader.wrong("firing", "missing: list all alerts that fire then, or []")
    return Expectation(
        at=at,
        firing=_expected(reader, "firing"),
        pending=_expected(reader, "pending") if reader.has("pending") else None,
        line=node.line,
    )


def _expected(reader: Reader, name: str) -> tuple[Expected, ...]:
    found = []
    for node in reader.items(name):
        inner = Reader(node, reader.findings, ("rule", "group"))
        if not inner.text("rule"):
            inner.wrong("rule", "missing: name the rule")
        group = None
        if inner.has("group"):
            group = tuple(sorted(inner.texts("group").items()))
            _check_group(inner)
        found.append(Expected(rule=inner.text("rule"), group=group))
    return tuple(found)


def _check_group(reader: Reader) -> None:
    node = reader.fields["group"]
    if isinstance(node, Fields):
        Reader(node, reader.findings, (*GROUP_FIELDS, TERM))
