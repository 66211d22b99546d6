"""Silence, unanswered, new_term, sequence, composite: recounted naively, restarted at any look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from veille.domain.alert import Reading
from veille.domain.analysis import (
    Analysis,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.circumstances import CALM, Circumstances
from veille.domain.history import History
from veille.domain.mention import MentionKind
from veille.domain.record import Observation
from veille.rules.engine import Engine
from veille.rules.parse import parse_rules

RULES = parse_rules(
    {
        "r.yml": b"""rules:
  - {id: quiet, kind: silence, group_by: [source], learn: 1h, severity: info}
  - {id: left, kind: silence, own: true, max_age: 2h, min_unanswered: 1, group_by: [source],
     severity: info}
  - {id: waiting, kind: unanswered, where: {sentiment.label: negative}, within: 20m, window: 2h,
     min_count: 2, group_by: [source], severity: info}
  - {id: tag, kind: new_term, of: hashtag, memory: 1d, window: 1h, min_authors: 2,
     group_by: [source], severity: info}
  - id: chain
    kind: sequence
    within: 1h
    group_by: [source]
    steps: [{where: {urgency.label: urgent}, min_count: 2}, {where: {sentiment.label: negative}}]
    severity: info
  - {id: angry, kind: count, where: {sentiment.label: negative}, window: 30m, min_count: 2,
     group_by: [source], severity: info}
  - {id: urgent, kind: mention, where: {urgency.label: urgent}, window: 30m, group_by: [],
     severity: info}
  - {id: over, kind: composite, all: [both], none: [chain], group_by: [source], severity: info}
  - {id: both, kind: composite, any: [angry, tag], all: [urgent], group_by: [source],
     severity: info}
"""
    }
)
START = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NEVER = datetime.max.replace(tzinfo=UTC)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)


def analysis(*, bad: bool, urgent: bool) -> Analysis:
    label = SentimentLabel.NEGATIVE if bad else SentimentLabel.NEUTRAL
    return Analysis(
        lang="fr",
        sentiment=Sentiment(label=label, score=0.0, probabilities={label: 1.0}),
        crisis=0.0,
        urgency=Urgency(
            label=UrgencyLabel.URGENT if urgent else UrgencyLabel.NORMAL, score=float(urgent)
        ),
    )


@st.composite
def streams(draw: Callable[..., object]) -> list[Observation]:
    """Mentions, edits and deletions of two sources, some own, some replies, some late."""
    found: list[Observation] = []
    at = START
    for seq in range(1, draw(st.integers(1, 40)) + 1):  # type: ignore[operator, call-overload]
        at += draw(st.sampled_from([0, 1, 5, 10, 30, 90])) * MINUTE  # type: ignore[operator]
        key = f"k{draw(st.integers(1, 14))}"
        known = next((o for o in found if o.key == key), None)
        late = 0 if known else draw(st.sampled_from([0, 0, 0, 30]))
        is_gone = known is not None and draw(st.booleans())
        found.append(
            Observation(
                seq=seq,
                key=key,
                source=known.source if known else draw(st.sampled_from(["a", "b"])),  # type: ignore[arg-type]
                watches=("w",),
                kind=MentionKind.POST,
                text=draw(st.sampled_from(["", "#eau", "#eau #feu", "#feu"])),  # type: ignore[arg-type]
                created_at=known.created_at if known else at - late * MINUTE,  # type: ignore[operator]
                received_at=at,
                author=draw(st.sampled_from(["x", "y", "z", None])),  # type: ignore[arg-type]
                own=known.own if known else draw(st.integers(0, 3)) == 0,  # type: ignore[arg-type]
                reply_to=draw(st.sampled_from([None, "k1", "k2", "k3"])),  # type: ignore[arg-type]
                thread=draw(st.sampled_from([None, "t", "k4"])),  # type: ignore[arg-type]
                analysis=None
                if is_gone
                else analysis(bad=draw(st.booleans()), urgent=draw(st.booleans())),  # type: ignore[arg-type]
            )
        )
    return found


@dataclass
class Stored:
    """What a store would hold."""

    observations: list[Observation] = field(default_factory=list)
    counts: dict[tuple[str, str, int], int] = field(default_factory=lambda: defaultdict(int))
    since: dict[str, datetime] = field(default_factory=dict)
    memories: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def commit(self, engine: Engine) -> None:
        tally = engine.take_tally()
        for key, count in tally.counts.items():
            self.counts[key] += count
        for version, at in tally.since.items():
            self.since.setdefault(version, at)
        for (feed, mark), state in tally.memory.items():
            if state is None:
                self.memories[feed].pop(mark)
            else:
                self.memories[feed][mark] = state

    def reopened(self, now: datetime) -> Engine:
        engine = Engine(RULES)
        recent = {o.key for o in self.observations if o.received_at >= now - engine.horizon}
        histories = {}
        for version, at in self.since.items():
            groups: dict[str, dict[int, int]] = {}
            for (v, mark, hour), count in self.counts.items():
                if v == version and count:
                    groups.setdefault(mark, {})[hour] = count
            histories[version] = History(since=at, counts=groups)
        seen = [o for o in self.observations if o.key in recent]
        engine.restore(seen, histories, now, memories=self.memories)
        return engine


def look(engine: Engine, now: datetime, around: Circumstances = CALM) -> list[Reading]:
    engine.slide(now)
    return engine.readings(now, around)


def test_a_new_term_that_is_edited_away_and_back_is_as_new_after_a_restart() -> None:
    whole, broken, stored = Engine(RULES), Engine(RULES), Stored()
    for seq, text in enumerate(["#eau", "", "#eau"], start=1):
        at = START + seq * MINUTE
        said = Observation(
            seq=seq,
            key="k1",
            source="a",
            watches=("w",),
            kind=MentionKind.POST,
            text=text,
            created_at=at,
            received_at=at,
            author="x",
            analysis=analysis(bad=False, urgent=False),
        )
        stored.observations = [said]
        for engine in (whole, broken):
            engine.observe(said)
        assert look(whole, at) == look(broken, at)
        stored.commit(broken)
        broken = stored.reopened(at)
    assert [each.rule for each in look(broken, at)].count("tag") == 1


@pytest.mark.timeout(60)
@settings(max_examples=20, deadline=None, phases=PHASES)
@given(streams(), st.sets(st.integers(0, 40)), st.sets(st.sampled_from(["k1", "k5", "k6"])))
def test_a_restart_at_any_look_changes_no_reading(
    stream: list[Observation], restarts: set[int], answered: set[str]
) -> None:
    around = Circumstances(answered=frozenset(answered))
    whole, broken, stored = Engine(RULES), Engine(RULES), Stored()
    for number, observation in enumerate(stream):
        for engine in (whole, broken):
            engine.observe(observation)
        now = observation.received_at
        stored.observations.append(observation)
        assert look(whole, now, around) == look(broken, now, around)
        stored.commit(broken)
        later = now + 4 * MINUTE
        if number in restarts:
            broken = stored.reopened(later)
        assert look(whole, later, around) == look(broken, later, around)
        # what was replaced may still wake the one that goes on; test_waking.py: none wakes late
        assert (whole.wakes_at or NEVER) <= (broken.wakes_at or NEVER)
        stored.commit(broken)


def current(stream: Sequence[Observation]) -> list[Observation]:
    """The last that was said of each key, without what is deleted."""
    last = {o.key: o for o in stream}
    return sorted((o for o in last.values() if o.analysis), key=lambda o: o.seq)


def is_bad(o: Observation) -> bool:
    return o.analysis is not None and o.analysis.sentiment.label is SentimentLabel.NEGATIVE


def is_urgent(o: Observation) -> bool:
    return o.analysis is not None and o.analysis.urgency.label is UrgencyLabel.URGENT


def counted(stream: Sequence[Observation], now: datetime, window: int) -> list[Observation]:
    """What others wrote that is in a window, and not too late."""
    found = [o for o in current(stream) if not o.own and now - o.received_at < window * MINUTE]
    return [o for o in found if o.received_at - o.created_at <= timedelta(hours=6)]


def unanswered(stream: Sequence[Observation], now: datetime, source: str) -> set[str]:
    said = current(stream)
    own = [o for o in said if o.own and now - o.received_at < timedelta(hours=2)]
    found = set()
    for o in said:
        age = now - o.created_at
        is_asked = is_bad(o) and not o.own and o.source == source
        if is_asked and 20 * MINUTE <= age < timedelta(hours=2):
            direct = any(r.reply_to == o.key for r in own)
            threads = {o.key, o.thread}
            after = (r for r in own if r.created_at > o.created_at and r.thread)
            if not direct and not any(r.thread in threads for r in after):
                found.add(o.key)
    return found


def new_tags(stream: Sequence[Observation], now: datetime, source: str) -> set[str]:
    """Tags whose run of sayings, no gap longer than a day, began in the last hour."""
    runs: dict[str, datetime] = {}
    last: dict[str, datetime] = {}
    for o in stream:
        if o.analysis and not o.own and o.source == source:
            for tag in o.text.split():
                if tag not in last or o.received_at - last[tag] > timedelta(days=1):
                    runs[tag] = o.received_at
                last[tag] = o.received_at
    said = [o for o in counted(stream, now, 60) if o.source == source]
    return {
        tag
        for tag, since in runs.items()
        if now - since < 60 * MINUTE and any(tag in o.text.split() for o in said)
    }


def is_chain(stream: Sequence[Observation], now: datetime, source: str) -> bool:
    """Whether some two urgent ones come before a bad one, whichever is taken for which."""
    said = [o for o in counted(stream, now, 60) if o.source == source]
    return any(
        is_bad(c) and is_urgent(a) and is_urgent(b)
        for i, a in enumerate(said)
        for j, b in enumerate(said[i + 1 :], start=i + 1)
        for c in said[j + 1 :]
    )


@pytest.mark.timeout(60)
@settings(max_examples=20, deadline=None, phases=PHASES)
@given(streams())
def test_readings_are_those_of_a_naive_recount(stream: list[Observation]) -> None:
    engine = Engine(RULES)
    for number, observation in enumerate(stream, start=1):
        engine.observe(observation)
        now = observation.received_at + 3 * MINUTE
        if number < len(stream) and stream[number].received_at < now:
            continue
        found: dict[tuple[str, str], list[Reading]] = defaultdict(list)
        for reading in look(engine, now):
            assert reading.conditions
            assert reading.is_active == all(c.holds for c in reading.conditions)
            found[reading.rule, reading.group.get("source", "")].append(reading)
        active = {key for key, readings in found.items() if any(r.is_active for r in readings)}
        seen = stream[:number]
        for source in "ab":
            waiting = [set(r.evidence) for r in found["waiting", source]]
            assert set().union(*waiting) == unanswered(seen, now, source)
            assert (("waiting", source) in active) == (len(unanswered(seen, now, source)) >= 2)
            tags = {r.group["term"] for r in found["tag", source]}
            assert tags == new_tags(seen, now, source)
            assert (("chain", source) in active) == is_chain(seen, now, source)
            one = ("angry", source) in active or ("tag", source) in active
            assert (("both", source) in active) == (one and ("urgent", "") in active)
            over = ("both", source) in active and ("chain", source) not in active
            assert (("over", source) in active) == over


@pytest.mark.timeout(60)
@settings(max_examples=20, deadline=None, phases=PHASES)
@given(streams())
def test_time_alone_changes_nothing_before_the_engine_says(stream: list[Observation]) -> None:
    steady = {"quiet", "left", "waiting"}
    engine = Engine(RULES)
    for observation in stream:
        engine.observe(observation)
    now = stream[-1].received_at
    before = {(r.rule, str(r.group)) for r in look(engine, now) if r.is_active}
    wakes_at = engine.wakes_at
    for _ in range(40):
        now += 10 * MINUTE
        if wakes_at is not None and now >= wakes_at:
            break
        after = {(r.rule, str(r.group)) for r in look(engine, now) if r.is_active}
        assert {one for one in before ^ after if one[0] in steady} == set()


def steadily(source: str, every: timedelta, count: int, start: datetime) -> list[Observation]:
    model = Observation(
        seq=0,
        key="",
        source=source,
        watches=("w",),
        kind=MentionKind.POST,
        text="",
        created_at=start,
        received_at=start,
        author="x",
        analysis=analysis(bad=False, urgent=False),
    )
    times = [start + every * n for n in range(count)]
    return [
        replace(model, seq=n, key=f"{source}{n}", created_at=at, received_at=at)
        for n, at in enumerate(times, start=1)
    ]


def test_an_account_is_left_from_the_very_instant_that_was_announced() -> None:
    engine, half = Engine(RULES), 30 * MINUTE
    ours, theirs = steadily("a", half, 2, START)
    engine.observe(replace(ours, own=True))
    engine.observe(replace(theirs, author="y"))
    due = START + timedelta(hours=2)
    told = [
        any(each.rule == "left" and each.is_active for each in look(engine, at))
        for at in (START + half, due - MINUTE / 60, due)
    ]
    assert told == [False, False, True]


def silent(engine: Engine, now: datetime, around: Circumstances = CALM) -> set[str]:
    found = look(engine, now, around)
    return {r.group["source"] for r in found if r.rule == "quiet" and r.is_active}


def test_a_source_of_every_two_minutes_is_missed_within_twice_that_and_a_weekly_one_is_not() -> (
    None
):
    engine = Engine(RULES)
    weekly = steadily("b", timedelta(weeks=1), 10, START - timedelta(weeks=9))
    for number, o in enumerate([*weekly, *steadily("a", 2 * MINUTE, 60, START)], start=1):
        engine.observe(replace(o, seq=number))
    last = START + 2 * MINUTE * 59
    assert silent(engine, last + 2.5 * MINUTE) == set()
    assert silent(engine, last + 3 * MINUTE) == {"a"}
    assert silent(engine, last + timedelta(days=9)) == {"a"}


def test_what_veille_could_not_hear_is_no_silence() -> None:
    engine = Engine(RULES)
    for o in steadily("a", 2 * MINUTE, 60, START):
        engine.observe(o)
    last = START + 2 * MINUTE * 59
    down = Circumstances(outages={"a": ((last, last + 30 * MINUTE),)})
    assert silent(engine, last + 31 * MINUTE, down) == set()
    assert silent(engine, last + 33 * MINUTE, down) == {"a"}
    over = Circumstances(heard_until=last)
    assert silent(engine, last + timedelta(hours=5), over) == set()


def test_a_source_that_cannot_be_read_is_told_as_down_even_if_it_never_was_heard() -> None:
    engine = Engine(RULES)
    failing = Circumstances(failing={"new": START})
    assert silent(engine, START + 14 * MINUTE, failing) == set()
    assert silent(engine, START + 15 * MINUTE, failing) == {"new"}
    assert silent(engine, START + 20 * MINUTE) == set()


def test_a_source_that_is_read_no_more_is_missed_no_more() -> None:
    engine = Engine(RULES)
    ours, theirs = steadily("c", 30 * MINUTE, 2, START)
    engine.observe(replace(ours, own=True, seq=1))
    engine.observe(replace(theirs, seq=2))
    for o in steadily("a", 2 * MINUTE, 60, START):
        engine.observe(replace(o, seq=o.seq + 2))
    late = START + timedelta(days=2)
    assert {r.rule for r in look(engine, late) if r.is_active} == {"quiet", "left"}
    assert silent(engine, late, Circumstances(sources=frozenset("ab"))) == {"a"}
    gone = Circumstances(sources=frozenset("b"))
    assert [r for r in look(engine, late, gone) if r.is_active] == []
    assert engine.wakes_at is None


def test_what_somebody_edits_is_one_text_that_nobody_answered() -> None:
    engine = Engine(RULES)
    ours, theirs = steadily("a", 30 * MINUTE, 2, START)
    engine.observe(replace(ours, own=True))
    engine.observe(replace(theirs, author="y"))
    later = theirs.received_at + MINUTE
    engine.observe(replace(theirs, author="y", seq=3, received_at=later, is_again=True))
    (left,) = (r for r in look(engine, START + timedelta(hours=3)) if r.rule == "left")
    assert [c.value for c in left.conditions if c.name == "unanswered"] == [1]


def test_a_silence_that_was_told_does_not_stretch_what_is_usual() -> None:
    engine = Engine(RULES)
    first = steadily("a", 2 * MINUTE, 60, START)
    again = steadily("a", 2 * MINUTE, 5, START + timedelta(hours=12))
    for number, o in enumerate([*first, *again], start=1):
        engine.observe(replace(o, seq=number, key=f"k{number}"))
    last = again[-1].received_at
    assert silent(engine, last + 11 * MINUTE) == {"a"}


@pytest.mark.timeout(60)
def test_hours_in_which_a_source_could_not_be_read_teach_a_spike_nothing() -> None:
    spike = b"""rules:
  - {id: s, kind: spike, window: 1h, min_count: 3, min_authors: 1, group_by: [source],
     severity: info}
"""
    engine = Engine(parse_rules({"r.yml": spike}))
    start = datetime(2026, 3, 2, tzinfo=UTC)
    hourly = steadily("a", timedelta(minutes=15), 4 * 24 * 5, start)
    for number, o in enumerate(
        [*hourly, *steadily("a", 12 * MINUTE, 5, hourly[-1].received_at + timedelta(days=2))], 1
    ):
        engine.observe(replace(o, seq=number, key=f"k{number}"))
    end = hourly[-1].received_at
    now = end + timedelta(days=2, hours=1) - MINUTE
    outage = Circumstances(outages={"a": ((end, end + timedelta(days=2)),)})

    def usual(around: Circumstances) -> float:
        [reading] = look(engine, now, around)
        assert reading.baseline is not None
        return reading.baseline.expected or 0.0

    calm, deaf = usual(CALM), usual(outage)
    assert calm < 3.5 < deaf
    assert usual(CALM) == calm
