"""Spike and build on simulated towns, an election's minutes and the streams of crises.

    python benchmarks/detection.py [--towns] [--election] [--crises]

Without an option, all three. The last two read ../shared/data, and say so when it is not there.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

from veille.pipeline.comparison import compare
from veille.pipeline.counted import Alarm, Event, Setup, Sight, alarms, besides, delay, ours
from veille.pipeline.counts import MINUTE, Counts, read_counts

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
PARIS = ZoneInfo("Europe/Paris")
MONDAY = datetime(2026, 1, 5, tzinfo=PARIS).astimezone(UTC)
WEEK, HOUR = timedelta(weeks=1), timedelta(hours=1)
WEEKS, CALM_FROM, BURSTS_FROM = 7, 2, 5
LIMITS = {"spike": 9.0, "build": 6.0}
LOOKS = 2
"""Looks at each window of an hour; more find a burst a little earlier."""
FLOORS = (1, 8, 25)
"""No floor; that of a small town in docs/rules.md; that of unusual_volume."""
TOWNS = ((3, 1), (10, 1), (10, 3), (50, 1), (50, 3), (240, 1), (240, 3))
"""Mentions a day, and of how many a thread is on average."""
ELECTION = (
    ("premier tour", "2022-04-10T18:00+00:00", 8),
    ("débat", "2022-04-20T19:00+00:00", 5),
)
"""Public dates, and how many hours people spoke of it."""
ONSETS = {
    "2012_Costa_Rica_earthquake": "2012-09-05T14:42",
    "2012_Guatemala_earthquake": "2012-11-07T16:35",
    "2013_Russia_meteor": "2013-02-15T03:20",
    "2013_Brazil_nightclub_fire": "2013-01-27T05:00",
    "2013_West_Texas_explosion": "2013-04-18T00:50",
    "2013_Savar_building_collapse": "2013-04-24T03:00",
    "2013_Spain_train_crash": "2013-07-24T18:41",
    "2013_Bohol_earthquake": "2013-10-15T00:12",
    "2013_Glasgow_helicopter_crash": "2013-11-29T22:22",
    "2013_NY_train_crash": "2013-12-01T12:20",
    "2012_Sandy_Hurricane": "2012-10-29T23:30",
    "2013_Boston_Bombings": "2013-04-15T18:49",
    "2013_Oklahoma_Tornado": "2013-05-20T19:56",
    "2013_West_Texas_Explosion": "2013-04-18T00:50",
}
"""Public knowledge of the events, UTC; those that rise over days have none and are left out."""


def series(start: datetime, counts: Iterable[int]) -> Counts:
    """Return counts of consecutive minutes, all heard."""
    values = list(counts)
    nothing = (0,) * (len(values) + 1)
    return Counts(start=start, until=(0, *accumulate(values)), unheard=nothing, capped=nothing)


def rhythm(at: datetime) -> float:
    """How busy a minute is: nights are quiet, Sundays half as busy; 1 on average."""
    local = at.astimezone(PARIS)
    day = 1 - 0.85 * math.cos((local.hour + local.minute / 60 - 3) / 24 * 2 * math.pi)
    return day * (0.54 if local.weekday() == 6 else 1.08)


def poisson(draw: random.Random, mean: float) -> int:
    """Return a Poisson number; the means here are small."""
    limit, count, product = math.exp(-mean), 0, draw.random()
    while product > limit:
        count += 1
        product *= draw.random()
    return count


def town(draw: random.Random, per_day: float, clump: int) -> tuple[Counts, list[Event]]:
    """Seven weeks of a town; in the last two a sudden and a slow burst each week.

    With `clump`, each message starts a thread of so many on average within half an hour.
    """
    minutes = int(WEEKS * WEEK / MINUTE)
    counts = [0] * minutes
    for minute in range(minutes):
        rate = per_day / 1440 / clump * rhythm(MONDAY + minute * MINUTE)
        for _ in range(poisson(draw, rate)):
            size = 1
            while clump > 1 and draw.random() < 1 - 1 / clump:
                size += 1
            for _ in range(size):
                counts[min(minutes - 1, minute + (draw.randrange(30) if size > 1 else 0))] += 1
    events = []
    for week in range(BURSTS_FROM, WEEKS):
        for kind, day, hours, added in (
            ("sudden", 1, 1, max(10.0, per_day / 24 * 4)),
            ("slow", 4, 12, max(12.0, per_day / 24 * 12)),
        ):
            at = MONDAY + week * WEEK + timedelta(days=day, hours=draw.uniform(7, 11))
            for _ in range(round(added)):
                counts[int((at - MONDAY + draw.random() * hours * HOUR) / MINUTE)] += 1
            end = at + (hours + 1) * HOUR
            events.append(Event(id=kind, start=at, end=end))
    return series(MONDAY, counts), events


def towns(seeds: int) -> Iterator[str]:
    """Yield a table: false alarms a week, and what is found of bursts."""
    yield "| a day | clumps | detector | floor | false alarms a week | sudden | slow |"
    yield "|---|---|---|---|---|---|---|"
    setup = Setup(window=HOUR, looks=LOOKS, zone=PARIS)
    calm = (MONDAY + CALM_FROM * WEEK, MONDAY + BURSTS_FROM * WEEK)
    for per_day, clump in TOWNS:
        seen: dict[str, list[tuple[Counts, list[Event], list[Sight]]]] = {"spike": [], "build": []}
        for seed in range(seeds):
            counts, events = town(random.Random(seed), per_day, clump)
            for name, looks in ours(counts, setup).items():
                seen[name].append((counts, events, list(looks)))
        for name, runs in seen.items():
            for floor in FLOORS:
                false, hits = 0, []
                for counts, events, looks in runs:
                    high = [s for s in looks if s.count >= floor or s.score < LIMITS[name]]
                    found = alarms(counts, high, LIMITS[name], setup.hold)
                    false += sum(calm[0] <= a.start < calm[1] for a in besides(found, events))
                    hits.append((found, events))
                weeks = seeds * (BURSTS_FROM - CALM_FROM)
                cells = [
                    told([(f, [e for e in es if e.id == kind]) for f, es in hits])
                    for kind in ("sudden", "slow")
                ]
                yield (
                    f"| {per_day} | {'×' + str(clump) if clump > 1 else 'no'} | {name} | {floor} "
                    f"| {false / weeks:.2f} | {cells[0]} | {cells[1]} |"
                )


def told(runs: Sequence[tuple[Sequence[Alarm], Sequence[Event]]]) -> str:
    """Return how many events of all runs were found, and the median delay."""
    delays = [d for found, events in runs for e in events if (d := delay(e, found)) is not None]
    late = f"{median(d / MINUTE for d in delays):.0f} min" if delays else "-"
    return f"{len(delays)}/{sum(len(events) for _, events in runs)}, {late}"


def election() -> Iterator[str]:
    """Yield the detectors side by side on the minutes of the election, and our other alarms."""
    counts = read_counts(_read("fr_election_2022_minutes/train.jsonl"), "train.jsonl")
    events = []
    for name, start, hours in ELECTION:
        at = datetime.fromisoformat(start)
        events.append(Event(id=name, start=at, end=at + hours * HOUR))
    found = compare(counts, events, Setup(zone=PARIS))
    yield "| detector | threshold | premier tour | débat | others a week | 1st half | 2nd half |"
    yield "|---|---|---|---|---|---|---|"
    for row in found.rows:
        delays = ["missed" if e.delay_s is None else f"{e.delay_s / 60:.0f} min" for e in row.found]
        halves = " | ".join(f"{half.other_per_week:.1f}" for half in row.halves)
        yield (
            f"| {row.detector} | {row.threshold:g} {row.origin} | {' | '.join(delays)} "
            f"| {row.other_per_week:.1f} | {halves} |"
        )
    for row in found.rows[:2]:
        for event in row.found:
            yield f"{row.detector}: {event.id}: alarm since {event.since:%d %b %H:%M} UTC"
        for alarm in row.other:
            yield (
                f"{row.detector}: other alarm {alarm.start:%d %b %H:%M} to {alarm.end:%d %b %H:%M}"
                f" UTC, {alarm.count} instead of {alarm.expected:.0f} (x {alarm.times})"
            )


def crises() -> Iterator[str]:
    """Yield the detection delay of each event.

    Before each stream lie three weeks of a calm town, which go on under those of crisislex_t26,
    that begin with their event. Those of crisislex_t6 have a calm of their own, their off-topic
    half, and the weeks before are as busy.
    """
    yield "| event | set | spike | build |"
    yield "|---|---|---|---|"
    for name, where, times, rate in sorted(_streams()):
        onset = datetime.fromisoformat(ONSETS[name]).replace(tzinfo=UTC)
        start = (min(times[0], onset) - 3 * WEEK).replace(second=0, microsecond=0)
        end = onset + 12 * HOUR
        seen = Counter(int((at - start) / MINUTE) for at in times if at < end)
        draw = random.Random(name)
        own = int(((end - start) if rate is None else 3 * WEEK) / MINUTE)
        per_minute = 1 / 6 if rate is None else rate
        counts = series(
            start,
            (
                seen[n] + (poisson(draw, per_minute * rhythm(start + n * MINUTE)) if n < own else 0)
                for n in range(int((end - start) / MINUTE))
            ),
        )
        event = Event(id=name, start=onset, end=end)
        cells = []
        for detector, looks in ours(counts, Setup(zone=PARIS)).items():
            recent = [s for s in looks if counts.at(s.end) > onset - 24 * HOUR]
            found = alarms(counts, recent, LIMITS[detector], HOUR)
            after = delay(event, found)
            cells.append("missed" if after is None else f"{after / MINUTE:.0f} min")
        yield f"| {name.replace('_', ' ')} | {where} | {' | '.join(cells)} |"


def _streams() -> Iterator[tuple[str, str, list[datetime], float | None]]:
    """Yield each event with its times, and how many off-topic ones came a minute, if any are."""
    for path in sorted((DATA / "crisislex_t26" / "streams").glob("*.jsonl")):
        if path.stem in ONSETS:
            yield path.stem, "t26", sorted(_times(path.read_text("utf-8").splitlines())), None
    by_event: dict[str, list[str]] = {}
    for part in ("train", "dev"):
        text = _read(f"crisislex_t6/{part}.jsonl").decode()
        for line in text.splitlines():
            by_event.setdefault(json.loads(line)["event"], []).append(line)
    for name, lines in by_event.items():
        if name in ONSETS:
            times = sorted(_times(lines))
            calm = sum(json.loads(line)["label"] == "off-topic" for line in lines)
            yield name, "t6", times, calm / ((times[-1] - times[0]) / MINUTE)


def _times(lines: Iterable[str]) -> Iterator[datetime]:
    for line in lines:
        yield datetime.fromisoformat(json.loads(line)["created_at"])


def _read(name: str) -> bytes:
    return (DATA / name).read_bytes()


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("towns", "election", "crises"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--seeds", type=int, default=2, help="towns of each kind")
    given = parser.parse_args()
    is_all = not (given.towns or given.election or given.crises)
    if given.towns or is_all:
        _say(towns(given.seeds))
    for wanted, found in ((given.election, election), (given.crises, crises)):
        if not (wanted or is_all):
            continue
        if DATA.is_dir():
            _say(found())
        else:
            print(f"{found.__name__}: SKIPPED, {DATA} is not there", flush=True)


if __name__ == "__main__":
    main()
