"""The sections of the weekly summary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

from veille.domain.alert import Severity
from veille.reports.figures import Compared, Example, Group, Move, Pair, Summary
from veille.reports.page import Quote, Section, Table
from veille.reports.speech import Speech
from veille.wording.catalogue import Catalogue

_LOG_MAX = 10  # one page; the other formats have them all
_TITLES = {"topic": "topics", "watch": "watches", "source": "sources"}
_DEFINITIONS = ("week", "counted", "net", "points", "words", "median", "answers")


class Sections(Speech):
    """One summary in one language."""

    def __init__(
        self,
        summary: Summary,
        words: Catalogue,
        names: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        super().__init__(words, ZoneInfo(summary.timezone), names)
        self.summary = summary

    def all(self) -> Iterable[Section]:
        """Yield every section, the most read first."""
        summary = self.summary
        yield self._key_figures()
        yield self._days()
        yield self._moves()
        for name, groups in (("topic", summary.topics), ("watch", summary.watches)):
            if groups:
                yield self._groups(name, groups)
        yield self._groups("source", summary.sources)
        yield from self._incidents()
        yield self._alerts()
        yield self._queue()
        yield self._answers()
        yield self._deliveries()
        yield self._states()
        yield self._privacy()
        sentences = tuple(self.say(f"definitions.{key}") for key in _DEFINITIONS)
        yield Section(title=self.say("section.definitions"), sentences=sentences, is_small=True)

    def _key_figures(self) -> Section:
        summary = self.summary
        volume = summary.volume
        change = self.none if volume.change.value is None else self.pct(volume.change.value)
        how = self.fraction(volume.change)
        incidents = summary.incidents
        rows = [
            (
                self.say("row.volume"),
                self.number(volume.now),
                self.number(volume.previous),
                f"{change} {how}".strip(),
            ),
            self._compared("net", summary.net, self.signed),
            self._compared("polar", summary.polar, self.signed),
            self._compared("abstained", summary.abstained, self.plain_pct),
            self._pair("urgent", summary.urgent),
            self._pair("incidents", incidents.opened),
            (
                self.say("row.median"),
                self.wait(incidents.median_to_acknowledge_s),
                self.wait(incidents.previous_median_to_acknowledge_s),
                "",
            ),
            self._pair("own", summary.own),
        ]
        return self._section("key", ("figure", "now", "previous", "change"), rows)

    def _days(self) -> Section:
        days = self.summary.days
        most = max((day.count for day in days), default=0)
        rows = [
            (
                self.date(day.day),
                self.number(day.count),
                *(self.number(n) for n in (day.mood.positive, day.mood.neutral)),
                *(self.number(n) for n in (day.mood.negative, day.mood.abstained)),
                self.value(day.net, self.signed),
            )
            for day in days
        ]
        busiest = next((day for day in days if most and day.count == most), None)
        sentence = (
            ()
            if busiest is None
            else (
                self.say(
                    "sentence.days",
                    day=self.date(busiest.day),
                    mentions=self.mentions(busiest.count),
                ),
            )
        )
        head = ("day", "mentions", "positive", "neutral", "negative", "abstained", "net")
        bars = tuple(round(100 * day.count / most) if most else 0 for day in days)
        return self._section("days", head, rows, sentences=sentence, bars=bars)

    def _moves(self) -> Section:
        moves = self.summary.moves
        rows = [
            (
                self.say(f"by.{move.by}", name=self.called(move.by, move.name)),
                self.signed(move.points),
                self.number(move.count),
                self.number(move.previous),
            )
            for move in moves
        ]
        none = () if moves else (self.say("sentence.moves_none"),)
        quotes = tuple(self._quote(m, m.example) for m in moves if m.example is not None)
        head = ("name", "points", "now", "previous")
        return self._section("moves", head, rows, sentences=none, quotes=quotes)

    def _quote(self, move: Move, example: Example) -> Quote:
        about = self.say(
            "sentence.example",
            name=self.say(f"by.{move.by}", name=self.called(move.by, move.name)),
            points=self.signed(move.points),
            source=self.called("source", example.source),
            day=self.date(example.at.astimezone(self.zone).date()),
        )
        is_foreign = example.lang is not None and example.lang != self.words.language
        return Quote(about=about, text=example.text, lang=example.lang if is_foreign else None)

    def _groups(self, by: str, groups: Sequence[Group]) -> Section:
        rows = [
            (
                self.called(by, group.name),
                self.number(group.count),
                self.number(group.previous),
                f"{self.value(group.net, self.signed)} {self.fraction(group.net)}".strip(),
                self.value(group.previous_net, self.signed),
            )
            for group in groups
        ]
        none = () if groups else (self.say("none_long"),)
        head = ("name", "now", "previous", "net", "previous_net")
        return self._section(_TITLES[by], head, rows, sentences=none)

    def _incidents(self) -> Iterable[Section]:
        incidents = self.summary.incidents
        rows = [
            self._pair("incidents", incidents.opened)[:3],
            self._pair("acknowledged", incidents.acknowledged)[:3],
            self._pair("resolved", incidents.resolved)[:3],
        ]
        topics = ", ".join(
            self.say("sentence.topic", name=self.line(name), count=self.number(count))
            for name, count in incidents.by_topic.items()
        )
        said = (self.say("sentence.topics", topics=topics),) if topics else ()
        if not incidents.log:
            said = (self.say("sentence.incidents_none"),)
        yield self._section("incidents", ("figure", "now", "previous"), rows, sentences=said)
        if not incidents.log:
            return
        gravest = sorted(incidents.log, key=lambda line: -Severity(line.severity).rank)
        log = [
            (
                f"{line.id} · {self.line(line.title)}",
                self.severity(line.severity),
                self.moment(line.opened_at),
                self.say("sentence.not_taken")
                if line.acknowledged_at is None
                else self.say(
                    "sentence.taken", wait=self.length(line.acknowledged_at - line.opened_at)
                ),
                self.say("sentence.open")
                if line.resolved_at is None
                else self.moment(line.resolved_at),
            )
            for line in gravest[:_LOG_MAX]
        ]
        rest = len(gravest) - len(log)
        more = (self.say("sentence.more", count=self.number(rest)),) if rest else ()
        head = ("title", "severity", "opened", "taken", "resolved")
        yield self._section("log", head, log, sentences=more)

    def _alerts(self) -> Section:
        rows = [
            (
                self.line(alert.rule),
                self.severity(alert.severity),
                self.number(alert.now),
                self.number(alert.previous),
            )
            for alert in self.summary.alerts
        ]
        none = () if rows else (self.say("sentence.alerts_none"),)
        return self._section(
            "alerts", ("rule", "severity", "now", "previous"), rows, sentences=none
        )

    def _deliveries(self) -> Section:
        rows = [
            (
                self.called("receiver", d.receiver),
                *(self.number(n) for n in (d.sent, d.failed, d.parked)),
            )
            for d in self.summary.deliveries
        ]
        none = () if rows else (self.say("sentence.deliveries_none"),)
        head = ("receiver", "sent", "failed", "parked")
        return self._section("deliveries", head, rows, sentences=none)

    def _queue(self) -> Section:
        queue, made_at = self.summary.queue, self.summary.made_at
        rows = [
            self._pair("flagged", queue.flagged)[:3],
            self._pair("handled", queue.handled)[:3],
        ]
        waiting = self.say("sentence.queue_empty")
        if queue.oldest_at is not None:
            waiting = self.say(
                "sentence.queue_open",
                made=self.moment(made_at),
                open=self.mentions(queue.open),
                age=self.length(made_at - queue.oldest_at),
            )
        return self._section("queue", ("figure", "now", "previous"), rows, sentences=(waiting,))

    def _answers(self) -> Section:
        found = self.summary.answers
        rows = [
            self._pair("asked", found.asked)[:3],
            self._compared("answered", found.rate, self.plain_pct)[:3],
            self._first("first_median", "median"),
            self._first("first_p90", "p90"),
            self._first("first_mean", "mean"),
        ]
        open_ = self.words.count("report.sentence.asked_open", found.open)
        said = open_ if found.asked.now or found.open else self.say("sentence.asked_none")
        return self._section("answers", ("figure", "now", "previous"), rows, sentences=(said,))

    def _first(self, row: str, figure: str) -> tuple[str, str, str]:
        answers = self.summary.answers
        now, previous = (
            self.none if minutes is None else self.worked(minutes)
            for minutes in (getattr(answers.first, figure), getattr(answers.previous_first, figure))
        )
        return self.say(f"row.{row}"), now, previous

    def _states(self) -> Section:
        rows = [
            (
                self.called("source", state.source),
                self.say(f"state.{state.state}"),
                self.say("sentence.never")
                if state.last_item_at is None
                else self.moment(state.last_item_at),
            )
            for state in self.summary.source_states
        ]
        none = () if rows else (self.say("sentence.states_none"),)
        return self._section("states", ("source", "state", "last_item"), rows, sentences=none)

    def _privacy(self) -> Section:
        summary = self.summary
        said = [
            self._kinds("masked", summary.masked),
            self._kinds("deleted", summary.deleted),
        ]
        if summary.unread:
            said.append(self.say("sentence.unread", count=self.number(summary.unread)))
        return Section(title=self.say("section.privacy"), sentences=tuple(said))

    def _kinds(self, what: str, counts: Mapping[str, int]) -> str:
        if not counts:
            return self.say(f"sentence.{what}_none")
        known = self.words.messages
        kinds = ", ".join(
            self.say(
                "sentence.kind",
                name=known.get(f"report.{what}.{kind}", kind),
                count=self.number(count),
            )
            for kind, count in counts.items()
        )
        return self.say(f"sentence.{what}", kinds=kinds)

    def _section(
        self,
        name: str,
        head: Sequence[str],
        rows: Sequence[tuple[str, ...]],
        *,
        sentences: tuple[str, ...] = (),
        quotes: tuple[Quote, ...] = (),
        bars: tuple[int, ...] = (),
    ) -> Section:
        table = Table(
            caption=self.say(f"caption.{name}"),
            head=tuple(self.say(f"col.{column}") for column in head),
            rows=tuple(rows),
            bars=bars,
        )
        return Section(
            title=self.say(f"section.{name}"),
            sentences=sentences,
            table=table if rows else None,
            quotes=quotes,
        )

    def _compared(
        self, name: str, compared: Compared, shown: Callable[[float], str]
    ) -> tuple[str, str, str, str]:
        now, previous = compared.now, compared.previous
        return (
            self.say(f"row.{name}"),
            f"{self.value(now, shown)} {self.fraction(now)}".strip(),
            f"{self.value(previous, shown)} {self.fraction(previous)}".strip(),
            self.none
            if now.value is None or previous.value is None
            else self.signed(round(now.value - previous.value, 1)),
        )

    def _pair(self, name: str, pair: Pair) -> tuple[str, str, str, str]:
        return (
            self.say(f"row.{name}"),
            self.number(pair.now),
            self.number(pair.previous),
            self.signed(pair.now - pair.previous),
        )
