"""What the engine skips changes nothing: asked one by one, all rules say the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from veille.domain.alert import Reading
from veille.domain.analysis import (
    Analysis,
    Cluster,
    Intent,
    IntentLabel,
    Place,
    Sentiment,
    SentimentLabel,
    Topic,
    Urgency,
    UrgencyLabel,
)
from veille.domain.history import HISTORY, History
from veille.domain.mention import MentionKind
from veille.domain.record import Observation
from veille.rules.composite import CompositeWatcher
from veille.rules.engine import PARIS, Engine
from veille.rules.parse import parse_rules
from veille.rules.reading import tells
from veille.rules.view import View
from veille.rules.watcher import Watcher, watch

START = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
RULES = parse_rules(
    {
        "r.yml": b"""rules:
  - {id: word, kind: mention, severity: info, where: {text: {words: [crue, "#oeuvre"]}}}
  - {id: phrase, kind: mention, severity: info,
     where: {text: {words: ["l'eau monte", "pas d'eco*"]}}}
  - {id: stem, kind: count, min_count: 2, severity: info, group_by: [source],
     where: {text: {words: ["inond*", "eau* sale"]}, source: [a, b]}}
  - {id: pattern, kind: mention, severity: info, where: {text: {re: "cr.e"}}}
  - {id: both, kind: mention, severity: info, where: {text: {words: [eau], re: "m.nte"}}}
  - {id: either, kind: count, min_count: 1, severity: info, group_by: [],
     where: {any: [{places: "30*"}, {topics: [water], text: {words: [eau]}}]}}
  - {id: open, kind: count, min_count: 2, clear_below: 1, severity: info,
     where: {any: [{topics: [roads]}, {sentiment.score: "< 0"}]}}
  - {id: other, kind: mention, severity: info, where: {source: "!= a", not: {topics: [water]}}}
  - {id: named, kind: count, min_count: 1, min_authors: 2, severity: info,
     where: {intent.label: [question, complaint], watch: mairie}}
  - {id: distinct, kind: distinct, of: topics, min_distinct: 2, min_authors: 1, severity: info}
  - {id: ratio, kind: ratio, of: {text: {words: [eau]}}, min_ratio: 0.2, min_count: 2,
     min_authors: 1, window: 10m, rise: 1, points: 3, min_points: 2, severity: info, group_by: []}
  - {id: velocity, kind: velocity, doubles_in: 10m, steps: 3, min_count: 2, min_authors: 1,
     severity: info, where: {source: a}}
  - {id: reach, kind: reach, min_reach: 30, min_authors: 1, clear_below: 20, severity: info}
  - {id: spike, kind: spike, baseline: previous, points: 3, min_points: 2, window: 5m,
     min_count: 1, min_authors: 1, severity: info}
  - {id: season, kind: spike, window: 15m, min_count: 2, min_authors: 1, severity: info}
  - {id: build, kind: build, steps: 4, window: 10m, min_count: 2, min_authors: 1, severity: info}
  - {id: sequence, kind: sequence, within: 15m, severity: info,
     steps: [{where: {topics: [roads]}}, {where: {text: {words: [eau]}}}]}
  - {id: unanswered, kind: unanswered, within: 5m, window: 1h, severity: info,
     where: {intent.label: question}}
  - {id: term, kind: new_term, of: hashtag, memory: 1d, window: 10m, severity: info}
  - {id: silent, kind: silence, group_by: [source], where: {source: [a, b]}, severity: info}
  - {id: together, kind: composite, all: [word], any: [reach, stem], severity: info, group_by: []}
"""
    }
)
TEXTS = (
    "La crue", "#crue", "@crue", "crues", "#Œuvre", "oeuvre", "l'eau monte", "eau l monte", "",
    "Inondation", "#inondations", "eaux sales", "eau sale", "pas d'ecole", "e\u0301cole \ud800",
)  # fmt: skip


class Plain:
    """Every rule sees every mention and says all it can, at every look."""

    def __init__(self) -> None:
        self.watchers: list[Watcher] = [watch(r, zone=PARIS, reach=HISTORY) for r in RULES.rules]

    def observe(self, observation: Observation) -> None:
        found = observation.analysis
        for watcher in self.watchers:
            watcher.past.listen(observation.received_at)
            watcher.observe(observation, None if found is None else View(observation, found))

    def tellings(self, now: datetime) -> list[Reading]:
        found: dict[str, list[Reading]] = {}
        for watcher in self.watchers:
            if isinstance(watcher, CompositeWatcher):  # stands last
                watcher.see(found)
            found[watcher.rule.id] = watcher.readings(now)
        return [reading for readings in found.values() for reading in readings if tells(reading)]


@st.composite
def observations(draw: st.DrawFn) -> list[Observation]:
    made, at = [], START
    for seq in range(1, draw(st.integers(1, 25)) + 1):
        at += timedelta(minutes=draw(st.sampled_from([0, 0, 1, 4, 11])))
        key = f"k{draw(st.integers(1, 12))}"
        given: dict[str, Any] = {
            "source": draw(st.sampled_from("abc")),
            "watches": draw(st.sampled_from([("mairie",), ("mairie", "ecole")])),
            "text": draw(st.sampled_from(TEXTS)),
            "author": draw(st.sampled_from([None, "x", "y", "z"])),
            "followers": draw(st.sampled_from([None, 10, 40])),
            "own": draw(st.sampled_from([False, False, False, True])),
            "reply_to": draw(st.sampled_from([None, None, "k1", "k2"])),
            "analysis": draw(st.none() | analyses()),
        }
        late = timedelta(minutes=draw(st.sampled_from([0, 0, 7])))
        made.append(
            Observation(
                seq=seq,
                key=key,
                kind=MentionKind.POST,
                created_at=at - late,
                received_at=at,
                **given,
            )
        )
    return made


def analyses() -> st.SearchStrategy[Analysis]:
    return st.builds(
        Analysis,
        lang=st.just("fr"),
        sentiment=st.sampled_from([-0.8, 0.0]).map(
            lambda score: Sentiment(label=SentimentLabel.NEUTRAL, score=score, probabilities={})
        ),
        crisis=st.just(0.0),
        urgency=st.just(Urgency(label=UrgencyLabel.NORMAL, score=0.0)),
        intent=st.sampled_from(["question", "complaint", "thanks"]).map(
            lambda label: Intent(label=IntentLabel(label), score=1.0)
        ),
        topics=st.sampled_from([(), ("water",), ("roads",), ("roads", "water")]).map(
            lambda names: tuple(Topic(id=name, score=1.0) for name in names)
        ),
        places=st.sampled_from([(), ("30007",), ("75056",)]).map(
            lambda codes: tuple(Place(name=c, insee=c, score=1.0, start=0, end=1) for c in codes)
        ),
        cluster=st.none()
        | st.sampled_from("uv").map(
            lambda name: Cluster(id=name, size=1, wordings=1, authors=1, is_claim=False)
        ),
    )


@settings(max_examples=25, deadline=None, phases=[Phase.generate, Phase.reuse])
@given(observations(), st.data())
def test_rules_found_by_what_they_need_say_what_all_rules_say(
    seen: list[Observation], data: st.DataObject
) -> None:
    engine, plain, all_of = Engine(RULES), Plain(), Engine(RULES)
    for observation in seen:
        for one in (engine, plain, all_of):
            one.observe(observation)
        if data.draw(st.booleans()):
            now = observation.received_at + timedelta(minutes=data.draw(st.integers(0, 30)))
            found = engine.tellings(now)
            assert found == plain.tellings(now)
            assert found == [reading for reading in all_of.readings(now) if tells(reading)]
    told, wanted = engine.take_tally(), all_of.take_tally()
    assert (told.counts, told.since, told.memory) == (wanted.counts, wanted.since, wanted.memory)


STATELESS = parse_rules({"r.yml": b"""rules:
  - {id: a, kind: count, min_count: 2, severity: info, where: {text: {words: [eau, "inond*"]}}}
  - {id: b, kind: distinct, of: topics, min_distinct: 2, min_authors: 1, severity: info}
"""})  # fmt: skip


@settings(max_examples=25, deadline=None, phases=[Phase.generate, Phase.reuse])
@given(observations(), st.integers(0, 24), st.integers(0, 20))
def test_an_engine_that_was_restored_goes_on_as_one_that_never_stopped(
    seen: list[Observation], stopped: int, minutes: int
) -> None:
    whole, begun = Engine(STATELESS), Engine(STATELESS)
    for observation in seen[:stopped]:
        whole.observe(observation)
        whole.tellings(observation.received_at)
    at = seen[min(stopped, len(seen)) - 1].received_at
    known = {v: History(since=seen[0].received_at) for v in STATELESS.versions.values()}
    begun.restore(seen[:stopped], known, at)
    for observation in seen[stopped:]:
        whole.observe(observation)
        begun.observe(observation)
    now = seen[-1].received_at + timedelta(minutes=minutes)
    assert whole.tellings(now) == begun.tellings(now)
