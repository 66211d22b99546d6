"""How silence, unanswered, new_term, sequence and composite rules are read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from veille.domain.calendar import Region, parse_days, parse_hours
from veille.domain.errors import InputError
from veille.rules.fields import Reader
from veille.rules.matchers import Where, compile_where
from veille.rules.office import Office
from veille.rules.params import Composite, NewTerm, Silence, Step, Steps, Unanswered
from veille.rules.yaml_nodes import Fields, Scalar, shown

TERMS = ("hashtag", "word", "entity", "place")
"""What `of:` of a `new_term` rule may name."""
LONGEST_MEMORY = timedelta(days=365)
LONGEST_AGE = timedelta(days=3650)
MAX_STEPS = 10
MAX_MEMBERS = 20
MAX_COUNT = 10_000
MAX_SURPRISE = 100.0
_SECOND, _MINUTE, _HOUR, _DAY = (
    timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1),
)  # fmt: skip
_OFFICE_DAYS = frozenset(range(5))
_OF_OWN = ("max_age", "min_unanswered")
_OF_OTHERS = ("learn", "surprise")


def read_silence(reader: Reader) -> Silence:
    """Return what a silence rule asks: `own` and the rest exclude each other's fields."""
    given = Silence()
    own = reader.truth("own", default=False)
    for name in _OF_OTHERS if own else _OF_OWN:
        if reader.has(name):
            reader.wrong(name, f"belongs to own: {'false' if own else 'true'}: remove it")
    if own and not reader.has("max_age"):
        reader.wrong("max_age", "missing: say from which age of the last post on, such as 90d")
    return Silence(
        own=own,
        max_age=reader.duration("max_age", _DAY, _SECOND, LONGEST_AGE) if own else None,
        min_unanswered=reader.integer("min_unanswered", 0, 0, MAX_COUNT),
        learn=reader.duration("learn", given.learn, _HOUR, timedelta(days=30)),
        surprise=reader.decimal("surprise", given.surprise, 1.0, MAX_SURPRISE),
        down_after=reader.duration("down_after", given.down_after, timedelta(0), timedelta(days=7)),
    )


def read_unanswered(reader: Reader) -> Unanswered:
    """Return what an unanswered rule asks."""
    within = reader.duration("within", _HOUR, _SECOND, timedelta(days=7))
    if not reader.has("hours"):
        for name in ("days", "holidays"):
            if reader.has(name):
                reader.wrong(name, 'belongs to hours: write hours: "09:00-17:00", or remove it')
        return Unanswered(within=within)
    try:
        hours = parse_hours(reader.text("hours"))
    except InputError as error:
        reader.wrong("hours", str(error))
        return Unanswered(within=within)
    region = Region(reader.choice("holidays", tuple(Region), Region.METROPOLE))
    return Unanswered(within=within, office=Office(hours=hours, days=_days(reader), region=region))


def _days(reader: Reader) -> frozenset[int]:
    if not reader.has("days"):
        return _OFFICE_DAYS
    nodes = reader.items("days")
    try:
        found = parse_days([node.text if isinstance(node, Scalar) else "" for node in nodes])
    except InputError as error:
        reader.wrong("days", str(error))
        return _OFFICE_DAYS
    if not found:
        reader.wrong("days", "empty: write the days on which somebody answers")
    return found or _OFFICE_DAYS


def read_new_term(reader: Reader) -> NewTerm:
    """Return what a new_term rule asks."""
    given = NewTerm(of="hashtag")
    if reader.has("min_authors") and reader.integer("min_authors", 2, 1, MAX_COUNT) == 1:
        reader.wrong("min_authors", "1: what one person alone says is no new term: write 2 or more")
    return NewTerm(
        of=reader.choice("of", TERMS, given.of),
        memory=reader.duration("memory", given.memory, _DAY, LONGEST_MEMORY),
    )


def read_steps(reader: Reader, topics: Sequence[str]) -> Steps:
    """Return the steps of a sequence: two at least, each a `where` and how many."""
    nodes = reader.items("steps")
    if reader.has("steps") and not 2 <= len(nodes) <= MAX_STEPS:  # noqa: PLR2004 a sequence
        reader.wrong("steps", f"{len(nodes)} of them: a sequence has 2 to {MAX_STEPS}")
    found = []
    for node in nodes:
        inner = Reader(node, reader.findings, ("where", "min_count"))
        where = inner.fields.get("where")
        if where is None or (isinstance(where, Fields) and not where.nodes):
            inner.wrong("where", "missing or empty: say which mentions make this step")
        asked = Where() if where is None else compile_where(where, reader.findings, topics)
        found.append(Step(where=asked, min_count=inner.integer("min_count", 1, 1, MAX_COUNT)))
    return Steps(steps=tuple(found))


def read_composite(reader: Reader) -> Composite:
    """Return which rules a composite is made of; that they exist is checked afterwards."""
    if reader.has("where"):
        reader.wrong("where", "a composite looks at rules, not at mentions: remove it")
    lists = {name: _members(reader, name) for name in ("all", "any", "none")}
    if not (lists["all"] or lists["any"]):
        reader.wrong("all", "missing: name rules that must hold under all: or any:")
    if sum(map(len, lists.values())) > MAX_MEMBERS:
        reader.wrong("all", f"over {MAX_MEMBERS} rules in one composite: build it from others")
    return Composite(all_of=lists["all"], any_of=lists["any"], none_of=lists["none"])


def _members(reader: Reader, name: str) -> tuple[str, ...]:
    found: list[str] = []
    for node in reader.items(name):
        text = node.text if isinstance(node, Scalar) else ""
        if not text:
            reader.findings.add(node, f"{name}: expected the id of a rule, not {shown(node)}")
        elif text in found:
            reader.findings.add(node, f'{name}: "{text}" stands twice')
        else:
            found.append(text)
    if reader.has(name) and not reader.items(name):
        reader.wrong(name, "empty: name rules, or remove it")
    return tuple(found)
