"""A backtest as it is read: one page for the terminal and for the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from veille.pipeline.backtest_report import Judged, Report, Sweep
from veille.pipeline.comparison import Comparison, Found, Origin, Row
from veille.pipeline.scoring import RESAMPLES, Interval, Score
from veille.reports.chart import Chart, Line
from veille.reports.page import Page, Section, Table
from veille.wording.catalogue import Catalogue
from veille.wording.format import duration, measure, moment, number

_COLUMNS = (
    "rule", "tp", "fp", "fn", "precision", "recall", "f1", "delay", "alerts", "shift", "most",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Who speaks, in which zone times are told, and what the file is called."""

    words: Catalogue
    zone: str
    history: str

    def say(self, key: str, **values: object) -> str:
        """Return a sentence of the catalogue's area `backtest`."""
        return self.words(f"backtest.{key}", **values)

    def at(self, at: datetime) -> str:
        """Return an instant as people write it."""
        return moment(self.words, at, self.zone)

    def decimal(self, value: float | None, decimals: int = 3) -> str:
        """Return a number, or that there is none."""
        return self.say("none") if value is None else measure(self.words, value, decimals=decimals)

    def count(self, value: float) -> str:
        """Return a whole number."""
        return number(self.words, value)

    def counted(self, key: str, value: float, **values: object) -> str:
        """Return a whole number with what it counts, one or several."""
        return self.words.count(f"backtest.{key}", value, count=self.count(value), **values)

    def after(self, seconds: float | None) -> str:
        """Return a delay."""
        if seconds is None:
            return self.say("none")
        return (
            duration(self.words, timedelta(seconds=seconds)) if seconds else self.say("delay_gone")
        )

    def ratio(self, value: float | None, interval: Interval) -> str:
        """Return a ratio with its interval."""
        if value is None or interval is None:
            return self.say("none")
        low, high = (self.decimal(end, 2) for end in interval)
        return self.say("between", value=self.decimal(value), low=low, high=high)


def history_page(report: Report, voice: Voice) -> Page:
    """Return the page of a backtest on mentions."""
    whole = report.rules.whole
    lead = voice.say(
        "lead",
        found=voice.counted("found", whole.tp, total=voice.count(report.incidents)),
        false=voice.counted("false", whole.fp),
        precision=voice.decimal(whole.precision),
        recall=voice.decimal(whole.recall),
        f1=voice.decimal(whole.f1),
    )
    span = voice.say(
        "span",
        mentions=voice.counted("mentions", report.mentions),
        start=voice.at(report.start),
        end=voice.at(report.end),
        shifts=voice.counted("shifts", report.shifts),
        rejected=voice.counted("rejected", report.rejected),
    )
    return Page(
        language=voice.words.language,
        subject="",
        title=voice.say("title", history=voice.history),
        lead=lead,
        notes=(span,),
        sections=(
            _scores(report.rules, voice, voice.say("rules.title")),
            *_trials(report.rules, voice),
            *_misses(report.rules, voice),
            *_changes(report, voice),
            *(_sweep(found, voice) for found in report.sweeps),
        ),
        footer=voice.say("footer", resamples=voice.count(RESAMPLES)),
    )


def _scores(judged: Judged, voice: Voice, title: str) -> Section:
    rows = [_cells(score, voice) for score in (judged.whole, *judged.rules)]
    head = tuple(voice.say(f"rules.{name}") for name in _COLUMNS)
    table = Table(caption=voice.say("rules.caption"), head=head, rows=tuple(rows))
    return Section(title=title, table=table)


def _trials(judged: Judged, voice: Voice) -> Iterator[Section]:
    if judged.trials:
        head = tuple(voice.say(f"rules.{name}") for name in _COLUMNS)
        rows = tuple(_cells(score, voice) for score in judged.trials)
        table = Table(caption=voice.say("trials.caption"), head=head, rows=rows)
        yield Section(title=voice.say("trials.title"), table=table)


def _cells(score: Score, voice: Voice, name: str | None = None) -> tuple[str, ...]:
    return (
        name or score.rule or voice.say("all"),
        *map(voice.count, (score.tp, score.fp, score.fn)),
        voice.ratio(score.precision, score.precision_interval),
        voice.ratio(score.recall, score.recall_interval),
        voice.ratio(score.f1, score.f1_interval),
        voice.after(score.delay_s),
        voice.count(score.alerts),
        voice.decimal(score.alerts_per_shift, 2),
        voice.count(score.most_in_a_shift),
    )


def _misses(judged: Judged, voice: Voice) -> Iterator[Section]:
    said = []
    for miss in judged.misses:
        if not miss.nearest:
            said.append(voice.say("misses.nothing", incident=miss.incident))
        for near in miss.nearest:
            said.append(
                voice.say(
                    "misses.nearest",
                    incident=miss.incident,
                    rule=near.rule,
                    condition=near.condition,
                    value=voice.decimal(near.value, 2),
                    threshold=voice.decimal(near.threshold, 2),
                )
            )
    if said:
        yield Section(title=voice.say("misses.title"), sentences=tuple(said), is_small=True)


def _changes(report: Report, voice: Voice) -> Iterator[Section]:
    if report.against is None:
        return
    version = report.against.version
    yield _scores(report.against, voice, voice.say("changes.rules", version=version))
    yield from _trials(report.against, voice)
    names = ("rule", "tp", "fp", "fn", "alerts")
    rows = tuple(
        (
            change.rule or voice.say("all"),
            *(f"{value:+d}" for value in (change.tp, change.fp, change.fn, change.alerts)),
        )
        for change in report.changes
    )
    said = []
    for kind in ("gained", "lost"):
        if listed := getattr(report.changes[0], kind):
            said.append(voice.say(f"changes.{kind}", names=", ".join(listed)))
    caption = voice.say("changes.caption", version=version)
    head = tuple(voice.say(f"rules.{name}") for name in names)
    table = Table(caption=caption, head=head, rows=rows)
    yield Section(title=voice.say("changes.title"), sentences=tuple(said), table=table)


def _sweep(sweep: Sweep, voice: Voice) -> Section:
    named = {"rule": sweep.rule, "field": sweep.field}
    measures: dict[str, Callable[[Score], float | None]] = {
        "precision": lambda score: score.precision,
        "recall": lambda score: score.recall,
        "f1": lambda score: score.f1,
    }
    lines = tuple(
        Line(
            name=voice.say(f"rules.{name}"),
            values=tuple(value(point.score) for point in sweep.points),
        )
        for name, value in measures.items()
    )
    head = (voice.say("sweep.value"), *(voice.say(f"rules.{name}") for name in _COLUMNS[1:]))
    rows = tuple(_cells(p.score, voice, f"{p.value:g}{' *' * p.is_current}") for p in sweep.points)
    return Section(
        title=voice.say("sweep.title", **named),
        chart=Chart(
            title=voice.say("sweep.chart", **named),
            xs=tuple(point.value for point in sweep.points),
            lines=lines,
            current=next((point.value for point in sweep.points if point.is_current), None),
        ),
        table=Table(caption=voice.say("sweep.caption", **named), head=head, rows=rows),
    )


def counts_page(found: Comparison, voice: Voice) -> Page:
    """Return the page of detectors on a series of counts."""
    lead = voice.say(
        "counts.lead",
        minutes=voice.counted("minutes", found.minutes),
        start=voice.at(found.start),
        end=voice.at(found.end),
        window=duration(voice.words, timedelta(seconds=found.window_s)),
    )
    quality = voice.say(
        "counts.quality",
        unheard=voice.counted("counts.unheard", found.unheard_minutes),
        capped=voice.counted("counts.capped", found.capped_minutes),
    )
    notes: tuple[str, ...]
    if found.judged_from is None:
        notes = (quality, voice.say("counts.not_judged"))
    else:
        judged = voice.say("counts.judged", at=voice.at(found.judged_from))
        middle = voice.at(found.rows[0].halves[0].end)
        notes = (quality, judged, voice.say("counts.choice", middle=middle))
    return Page(
        language=voice.words.language,
        subject="",
        title=voice.say("counts.title", history=voice.history),
        lead=lead,
        notes=notes,
        sections=(
            _detectors(found.rows, voice),
            *(_alarms(row, voice) for row in found.rows if row.origin is Origin.SHIPPED),
        ),
        footer=voice.say("counts.footer"),
    )


def _detectors(rows: Sequence[Row], voice: Voice) -> Section:
    events = [event.id for event in rows[0].found]
    names = ("whole", "first", "second")
    head = (
        *(voice.say(f"counts.table.{name}") for name in ("detector", "threshold")),
        *events,
        *(voice.say(f"counts.table.{name}") for name in names),
    )
    cells = tuple(
        (
            row.detector,
            f"{voice.decimal(row.threshold, 1)} {voice.say(f'counts.origin.{row.origin}')}",
            *(voice.after(event.delay_s) for event in row.found),
            *(voice.decimal(n, 1) for n in _others(row)),
        )
        for row in rows
    )
    table = Table(caption=voice.say("counts.table.caption"), head=head, rows=cells)
    return Section(title=voice.say("counts.table.title"), table=table)


def _others(row: Row) -> tuple[float, ...]:
    return (row.other_per_week, *(half.other_per_week for half in row.halves))


def _alarms(row: Row, voice: Voice) -> Section:
    said = [_event(event, voice) for event in row.found]
    head = ("start", "end", "count", "expected", "times")
    cells = tuple(
        (
            voice.at(alarm.start),
            voice.at(alarm.end),
            voice.count(alarm.count),
            voice.decimal(alarm.expected, 1),
            voice.decimal(alarm.times, 1),
        )
        for alarm in row.other
    )
    table = Table(
        caption=voice.say("counts.alarms.caption"),
        head=tuple(voice.say(f"counts.alarms.{name}") for name in head),
        rows=cells,
    )
    if not cells:
        said.append(voice.say("counts.alarms.none"))
    return Section(
        title=voice.say("counts.alarms.title", detector=row.detector),
        sentences=tuple(said),
        table=table if cells else None,
    )


def _event(event: Found, voice: Voice) -> str:
    if event.since is None:
        return voice.say("counts.alarms.missed", event=event.id)
    since = voice.at(event.since)
    if not event.delay_s:
        return voice.say("counts.alarms.running", event=event.id, since=since)
    delay = voice.after(event.delay_s)
    return voice.say("counts.alarms.event", event=event.id, delay=delay, since=since)
