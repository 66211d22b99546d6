"""Domain values as the sentences a page shows: one object for one rendering."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from veille.alerts.announcing import title
from veille.domain.alert import Alert, Severity
from veille.domain.analysis import Hostility, HostilityLabel, Place
from veille.domain.correction import HOSTILE, Correction, machine_labels, model_of
from veille.domain.errors import InputError
from veille.domain.ids import parse_short_id
from veille.domain.incident import Event, Incident, IncidentState, QueueState, Reach
from veille.domain.places import places
from veille.domain.record import StoredMention
from veille.domain.silence import Mute, mute_of
from veille.web import lines
from veille.web.text import Piece, fits, foreign_lang, pieces
from veille.wording import format as wording
from veille.wording.card import card_words
from veille.wording.catalogue import Catalogue
from veille.wording.heard import Lately, heard
from veille.wording.whynot import Voice
from veille.wording.whynot import mute as mute_words

_SHAPES = {Severity.CRITICAL: "▲", Severity.WARNING: "◆", Severity.INFO: "●"}
_CERTAIN, _PROBABLE = 0.90, 0.70  # interface.md, principle 3
_EVEN = 0.5  # a rule may flag below it: more likely not so than so
_EXCERPT = 160
QUOTED, WHOLE = 2_000, 25_000
"""Bytes of a text on a page with many, and on its own: pages stay under 150 kB whatever is sent."""
UNDECIDED = "undecided"
_GONE = frozenset({"queue.deleted", "queue.erased", "queue.expired"})  # pipeline/redact.py
_PLACES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a timeline, as read."""

    at: datetime
    text: str
    is_note: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Everything is said in the institution's language and time zone, as of `now`."""

    say: Catalogue
    timezone: ZoneInfo
    now: datetime
    institution: str = ""
    topics: Mapping[str, str] = field(default_factory=dict)
    receivers: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def shape(self, severity: Severity) -> str:
        """Return the shape that goes with the word."""
        return _SHAPES[severity]

    def severity(self, severity: Severity) -> str:
        """Return the word for a severity."""
        return self.say(f"web.severity.{severity.value}")

    def state(self, state: IncidentState | QueueState) -> str:
        """Return the word for a state."""
        return self.say(f"web.state.{state.value}")

    def moment(self, at: datetime) -> str:
        """Return the hour of today, else day and hour."""
        local, today = at.astimezone(self.timezone), self.now.astimezone(self.timezone)
        if local.date() == today.date():
            return wording.clock(self.say, at, str(self.timezone))
        return wording.moment(self.say, at, str(self.timezone))

    def when(self, at: datetime) -> str:
        """Return it as a sentence has it: `à 02:14`, `le dim. 18 janv. à 02:14`."""
        return Voice(say=self.say, zone=str(self.timezone), now=self.now).time(at)

    def until(self, at: datetime) -> str:
        """Return `jusqu'à 02:14`, with the day where that is another."""
        return wording.until(self.say, at, self.now, str(self.timezone))

    def age(self, at: datetime) -> str:
        """Return how long ago: `il y a 3 min`."""
        return wording.age(self.say, at, self.now)

    def wait(self, since: datetime) -> str:
        """Return how long something has waited: `2 h 10`."""
        return wording.duration(self.say, self.now - since)

    def counted(self, alert: Alert) -> str:
        """Return `12 messages de 11 personnes en 15 min`; people and window only if known.

        Where several say the same: `3 messages différents`, `un même message`.
        """
        value = alert.message_count
        noun = "different" if alert.mention_count > value else "messages"
        said = self.say.count(f"web.count.{noun}", value)
        if alert.author_count:
            people = self.say.count("web.count.people", alert.author_count)
            said = self.say.count("web.count.of", alert.author_count, messages=said, people=people)
        if alert.window is not None:
            window = wording.duration(self.say, alert.window)
            said = self.say("web.count.within", counted=said, window=window)
        return said

    def count(self, alert: Alert, *, usual: float | None, certainty: float | None) -> str:
        """Return `12 messages en 15 min (d'habitude : 0) · certain`, what is unknown left out."""
        said = self.counted(alert)
        if usual is not None:
            spoken = wording.measure(self.say, usual, decimals=1)
            said = self.say("web.count.usual", counted=said, usual=spoken)
        if alert.baseline is not None and alert.baseline.is_cold:
            said = self.say("web.count.cold", counted=said)
        return said if certainty is None else f"{said} · {self.certainty(certainty)}"

    def heard(
        self, incident: Incident, reach: Reach, alert: Alert | None, *, usual: float | None
    ) -> str:
        """Return how much belongs to an incident, with what its strongest alert counts of it now.

        `71 messages de 54 personnes depuis 20:41, dont 3 depuis 15 min (d'habitude : 0)`.
        """
        lately = None
        if alert is not None and alert.window is not None and alert.is_counting:
            value, messages = alert.message_count, alert.mention_count
            lately = Lately(value=value, messages=messages, window=alert.window, usual=usual)
        return heard(
            self.say,
            reach,
            lately=lately,
            now=self.now,
            zone=self.timezone.key,
            ended_at=incident.resolved_at,
        )

    def why(self, alert: Alert) -> str:
        """Return why an alert fired, with the values that decided."""
        written = wording.measure(self.say, alert.threshold, decimals=2)
        is_repeated = alert.mention_count > alert.value and alert.threshold > 1
        noun = "different" if is_repeated else "messages"
        threshold = self.say.count(f"web.count.{noun}", alert.threshold, count=written)
        is_fixed = alert.baseline is not None and alert.baseline.expected is None
        key = "web.count.why_fixed" if is_fixed else "web.count.why"
        rule = wording.visible(title(alert))
        return self.say(key, rule=rule, counted=self.counted(alert), threshold=threshold)

    def owner(self, incident: Incident) -> str:
        """Return who has an incident, or that nobody does."""
        if incident.state is IncidentState.RESOLVED and incident.resolved_at is not None:
            when = self.when(incident.resolved_at)
            if incident.resolved_by is None:
                return self.say("web.owner.resolved_alone", time=when)
            return self.say("web.owner.resolved", name=incident.resolved_by, time=when)
        if incident.assignee and incident.assignee != incident.acknowledged_by:
            return self.say("web.owner.assigned", name=incident.assignee)
        if incident.acknowledged_by and incident.acknowledged_at:
            when = self.when(incident.acknowledged_at)
            return self.say("web.owner.acknowledged", name=incident.acknowledged_by, time=when)
        return self.say("web.nobody")

    def certainty(self, probability: float) -> str:
        """Return a calibrated probability as a word."""
        at_least = ((_CERTAIN, "certain"), (_PROBABLE, "probable"), (_EVEN, "uncertain"))
        word = next((word for least, word in at_least if probability >= least), "unlikely")
        return self.say(f"web.certainty.{word}")

    def tone(self, mention: StoredMention | None) -> str:
        """Return `négatif (probable)`, "" before analysis."""
        if mention is None or mention.analysis is None:
            return ""
        sentiment = mention.analysis.sentiment
        probability = sentiment.probabilities.get(sentiment.label.value, 0.0)
        return self._likely(mention, "sentiment", sentiment.label, probability)

    def urgency(self, mention: StoredMention) -> str:
        """Return `urgent (certain)`, "" before analysis."""
        if mention.analysis is None:
            return ""
        if (judged := mention.corrections.get("urgency")) is not None:
            return self.judged(judged, mention)
        urgency = mention.analysis.urgency
        is_urgent = urgency.label.value == "urgent"
        return self.say(
            "web.finding.words",
            label=self.say(f"web.urgency.{urgency.label.value}"),
            certainty=self.certainty(urgency.score if is_urgent else 1 - urgency.score),
        )

    def label(self, head: str, value: str) -> str:
        """Return the word for a label of an analysis; a topic that is no more is shown as it is."""
        if head == "topic":
            return self.topics.get(value, value)
        key = f"web.{head}.{value}"
        return self.say(key) if key in self.say.messages else self.say("web.unknown")

    def judged(self, judged: Correction, mention: StoredMention) -> str:
        """Return `positif (corrigé)`, or `(confirmé)` where the machine had said the same."""
        said = {} if mention.analysis is None else machine_labels(mention.analysis)
        key = "confirmed" if said.get(judged.head) == judged.value else "corrected"
        return self.say(f"web.correct.{key}", label=self.label(judged.head, judged.value))

    def judgements(self, mention: StoredMention) -> list[str]:
        """Return who says what of the analysis since when, and what stood there before."""
        return [
            self.say(
                "web.correct.line",
                head=self.say(f"web.head.{each.head}"),
                label=self.judged(each, mention),
                name=each.actor,
                when=self.at(each.at),
                previous=self.label(each.head, each.previous),
            )
            for each in mention.corrections.values()
        ]

    def findings(self, mention: StoredMention) -> list[str]:
        """Return tone, and urgency when there is some, for the line under a quote."""
        found = [self.tone(mention)]
        says_urgent = mention.analysis is not None and mention.analysis.urgency.label == "urgent"
        if says_urgent or "urgency" in mention.corrections:
            found.append(self.urgency(mention))
        return [words for words in found if words]

    def facts(self, mention: StoredMention) -> list[tuple[str, str]]:
        """Return what is known of a mention as (name, value), what is unknown left out."""
        followers = "" if mention.followers is None else wording.number(self.say, mention.followers)
        values = {
            "sentiment": self.tone(mention),
            "urgency": self.urgency(mention),
            **self._read(mention),
            "places": ", ".join(self.places([mention])),
            "source": self.source(mention.source),
            "published": self.at(mention.created_at),
            "received": self.at(mention.received_at),
            "language": mention.lang or "",
            "followers": followers,
            "masked": self.masked(mention),
        }
        return [(self.say(f"web.finding.{key}"), value) for key, value in values.items() if value]

    def _read(self, mention: StoredMention) -> dict[str, str]:
        found = mention.analysis
        if found is None:
            return {}
        judged = mention.corrections.get("topic")
        topics = [self.label("topic", topic.id) for topic in found.topics]
        return {
            "hostility": self._hostility(mention, found.hostility),
            "intent": self._likely(mention, "intent", found.intent.label, found.intent.score),
            "topics": self.judged(judged, mention) if judged else ", ".join(topics),
            "communes": ", ".join(map(self._commune, found.places)),
        }

    def _hostility(self, mention: StoredMention, found: Hostility) -> str:
        is_none = found.label is HostilityLabel.NONE
        sure = 1 - found.score if is_none else found.score
        said = self._likely(mention, "hostility", found.label, sure)
        judged = mention.corrections.get("target")
        if not said:
            return ""
        stands = mention.corrections.get("hostility")
        if (stands.value if stands else found.label) not in HOSTILE:
            return said
        if judged is None and found.target is None:
            return said
        target = self.judged(judged, mention) if judged else self.say(f"web.target.{found.target}")
        return self.say("web.finding.against", label=said, target=target)

    def _likely(self, mention: StoredMention, head: str, label: str, probability: float) -> str:
        """Return a person's label, else the machine's with how sure it is, "" if it never ran."""
        if (judged := mention.corrections.get(head)) is not None:
            return self.judged(judged, mention)
        if mention.analysis is None or not model_of(mention.analysis, head):
            return ""
        said = self.label(head, label)
        if label == UNDECIDED:
            return said
        return self.say("web.finding.words", label=said, certainty=self.certainty(probability))

    def _commune(self, place: Place) -> str:
        key = "commune_open" if place.insee is None else "commune"
        name = wording.visible(place.name)
        return self.say(f"web.finding.{key}", name=name, insee=place.insee)

    def is_of_before(self, mention: StoredMention) -> bool:
        """Whether the analysis was made without hostility: by an earlier release, or model."""
        return mention.analysis is not None and not model_of(mention.analysis, "hostility")

    def gone(self, mention: StoredMention | None, events: Iterable[Event]) -> str:
        """Return why a text is gone, as far as the events of its item tell; "" while it stands."""
        if mention is not None and not mention.is_deleted:
            return ""
        causes = [event.kind.removeprefix("queue.") for event in events if event.kind in _GONE]
        return self.say(f"web.item.{causes[-1] if causes else 'gone'}")

    def card(self, mention: StoredMention) -> list[tuple[str, str]]:
        """Return the emergency card as (name, value); nothing where there is none."""
        if mention.card is None or mention.is_deleted:
            return []
        said = card_words(self.say, mention.card, self.timezone.key)
        return [(self.say(f"card.label.{key}"), text) for key, text in said.items()]

    def source(self, id: str) -> str:
        """Return what people call a source, its id where config.toml has no name for it."""
        return self.sources.get(id) or wording.visible(id)

    def places(self, mentions: Iterable[StoredMention]) -> list[str]:
        """Return the three places most messages name, the most named first."""
        found = places(mentions, limit=_PLACES, known=[self.institution])
        return [wording.visible(place) for place in found]

    def masked(self, mention: StoredMention) -> str:
        """Return the kinds of identifier masked in a text, "" when there are none."""
        return ", ".join(self._mask(kind) for kind in mention.masked)

    def _mask(self, kind: str) -> str:
        key = f"web.mask.{kind}"
        return self.say(key) if key in self.say.messages else kind

    def at(self, at: datetime) -> str:
        """Return a moment with its age."""
        return self.say("web.at", time=self.moment(at), age=self.age(at))

    def pieces(
        self, mention: StoredMention, spans: Sequence[tuple[int, int]] = (), size: int = QUOTED
    ) -> list[Piece]:
        """Return the text, safe to show, with the places a rule matched; `size` bytes of it."""
        shown = mention.text[: fits(mention.text, size)]
        return pieces(shown, masked=mention.masked, spans=spans)

    def rest(self, mention: StoredMention, size: int = QUOTED) -> str:
        """Return how much of the text `pieces` leaves out, "" for nothing."""
        left = len(mention.text) - fits(mention.text, size)
        return self.say.count("web.item.rest", left) if left else ""

    def has_mask(self, mention: StoredMention) -> bool:
        """Whether the text shows a mask, which is then the way to the original."""
        return any(piece.is_mask for piece in self.pieces(mention))

    def excerpt(self, mention: StoredMention) -> str:
        """Return the beginning of a text on one line, safe to show."""
        return wording.visible(wording.excerpt(mention.text, _EXCERPT))

    def lang(self, mention: StoredMention) -> str | None:
        """Return the `lang` attribute a quote needs."""
        return foreign_lang(mention.lang, self.say.language)

    def line(self, event: Event) -> Line:
        """Return an event as a sentence; an unknown kind is shown as it is."""
        mute = self.muted(mute_of(event.data))
        named = lines.Named(mute=mute, until=self.until, receiver=self.receiver)
        sentence = lines.said(event, self.say, named)
        return Line(at=event.at, text=sentence, is_note=event.kind == "note")

    def receiver(self, id: str) -> str:
        """Return what people call a receiver; one that is configured no more, by its id."""
        return self.receivers.get(id) or wording.visible(id)

    def trouble(self, receiver: str, waiting: int, cause: str) -> str:
        """Return that a receiver takes nothing, how much waits for it, and why."""
        name, why = self.receiver(receiver), wording.visible(cause)
        return self.say.count("web.home.receiver", waiting, receiver=name, cause=why)

    def muted(self, mute: Mute | None) -> str:
        """Return what keeps an incident from being told, as the end of a sentence; else ""."""
        if mute is None:
            return ""
        return mute_words(mute, Voice(say=self.say, zone=self.timezone.key, now=self.now))

    def told(self, event: Event) -> str:
        """Return to whom a notification went, and when."""
        return f"{self.moment(event.at)} · {self.line(event).text}"

    def conflict(self, events: Iterable[Event]) -> str:
        """Return who was faster, from the last thing a person did."""
        human = [event for event in events if event.actor != "veille" and event.kind != "note"]
        if not human:
            return self.say("web.conflict.moved")
        last = human[-1]
        key = "taken" if last.kind in {"incident.acknowledged", "queue.taken"} else "changed"
        return self.say(f"web.conflict.{key}", name=last.actor, time=self.when(last.at))


def number_of(text: str, letter: str) -> int | None:
    """Return 12 for `12`, `I12` or `i12`; None for anything else."""
    written = text if text[:1].isalpha() else letter + text
    try:
        found, number = parse_short_id(written)
    except InputError:
        return None
    return number if found == letter else None
