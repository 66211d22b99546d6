"""Why a mention alerted, or did not, in sentences: what happened, then the number that decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from veille.domain.evidence import Asked
from veille.domain.silence import Mute, MuteKind
from veille.domain.whynot import Outcome, Told, WhyNot
from veille.wording import reasons
from veille.wording.catalogue import Catalogue
from veille.wording.format import clock, date, duration, moment, visible

_NAME_MAX = 80
_TELLING = 3
"""Alternatives of `any` of which the first thing missing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """The language, the town's time zone, what time it is, and names by id.

    Of topics, of rules, of receivers, of sources: what has none is called by its id.
    """

    say: Catalogue
    zone: str
    now: datetime
    topics: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    receivers: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def names(self, field: str) -> Mapping[str, str]:
        """Return what the values of a rule's field are called, by id."""
        return self.sources if field == "source" else self.topics

    def time(self, at: datetime | None) -> str:
        """Return when something was, as people say it: `à 02:14`, `le dim. 18 janv. à 02:14`."""
        if at is None:
            return self.say("web.unknown")
        local, today = (t.astimezone(ZoneInfo(self.zone)).date() for t in (at, self.now))
        is_today = local == today
        said = {"clock": clock(self.say, at, self.zone), "date": date(self.say, at, self.zone)}
        return self.say(f"why.words.{'at' if is_today else 'on'}", **said)

    def told(self, told: Iterable[Told]) -> str:
        """Return who was told, and when first: a night of updates would fill a page."""
        first: dict[str, datetime] = {}
        for one in told:
            first[one.receiver] = min(one.at, first.get(one.receiver, one.at))
        names = self.receivers
        return ", ".join(f"{names.get(id, id)} ({self.time(at)})" for id, at in first.items())


def sentences(answer: WhyNot, voice: Voice) -> list[str]:
    """Return the answer as sentences, the decisive one first."""
    say = voice.say
    values = {
        "rule": visible(voice.rules.get(answer.rule, answer.rule)),
        "time": voice.time(answer.at),
        "mention": visible(answer.mention)[:_NAME_MAX],
        "reason": _reason(answer, voice),
        "parts": _parts(answer, say),
        "mute": "" if answer.mute is None else mute(answer.mute, voice),
        "delay": "" if answer.delay is None else duration(say, answer.delay),
        "limit": "" if answer.limit is None else duration(say, answer.limit),
        "group": ", ".join(reasons.field(say, name).lower() for name in answer.group_by),
    }
    said = [say(f"why.outcome.{answer.outcome}", **values)]
    return [*said, *_further(answer, voice)]


def _further(answer: WhyNot, voice: Voice) -> list[str]:
    say, outcome = voice.say, answer.outcome
    found = []
    if answer.incident is not None:
        found.append(say("why.outcome.incident", incident=f"I{answer.incident}"))
    if outcome is Outcome.FIRED:
        key = "told" if answer.told else "nobody"
        found.append(say(f"why.outcome.{key}", receivers=voice.told(answer.told)))
    if outcome is Outcome.CONDITION:
        found.append(say("why.outcome.nearest", time=voice.time(answer.at)))
        found.append(reasons.counts(say, answer.baseline))
    if answer.is_partial:
        found.append(say("why.partial"))
    return [sentence for sentence in found if sentence]


def mute(found: Mute, voice: Voice) -> str:
    """Return what keeps an incident from being told, as the end of a sentence."""
    say = voice.say
    is_open = found.until is None and found.kind in {MuteKind.SILENCE, MuteKind.CALENDAR}
    until = "" if found.until is None else moment(say, found.until, voice.zone)
    return say(f"why.mute.{found.kind}{'_open' if is_open else ''}", by=found.by, until=until)


def _parts(answer: WhyNot, say: Catalogue) -> str:
    if answer.outcome is Outcome.PENDING and answer.hold is not None:
        lasted, hold = answer.lasted, duration(say, answer.hold)
        if lasted is None:
            return say("why.outcome.waiting", hold=hold)
        return say("why.condition.for_s.failed", value=duration(say, lasted), threshold=hold)
    return reasons.summary(say, answer.conditions, window=answer.window, baseline=answer.baseline)


def _reason(answer: WhyNot, voice: Voice) -> str:
    say, failed = voice.say, answer.failed
    if failed is None:
        return ""
    if answer.outcome is Outcome.TERRITORY and isinstance(failed, Asked):
        return _elsewhere(answer, failed, voice)
    if isinstance(failed, Asked):
        return asked(failed, voice)
    return reasons.failed(say, failed, window=answer.window, baseline=answer.baseline)


def _elsewhere(answer: WhyNot, failed: Asked, voice: Voice) -> str:
    say = voice.say
    wanted = say("why.asked.in_territory") if failed.field == "territory" else failed.wanted
    names = dict.fromkeys(
        f"{visible(one.name)} ({one.insee})" if one.insee else
        say("web.finding.commune_open", name=visible(one.name))
        for one in answer.communes
    )  # fmt: skip
    key = "territory" if names else "no_place"
    return say(f"why.asked.{key}", found=", ".join(names), wanted=wanted)


def asked(failed: Asked, voice: Voice) -> str:
    """Return why a mention does not meet a condition, as a sentence."""
    say, name = voice.say, failed.field
    wanted = reasons.wanted(say, name, failed.wanted, voice.names(name))
    if name == "any":
        firsts = [next((one for one in part if not one.holds), None) for part in failed.parts]
        told = [asked(one, voice) for one in firsts if one is not None][:_TELLING]
        return say("why.asked.any", parts=" ".join(told))
    if name == "not":
        excluding = (part for part in failed.parts if all(one.holds for one in part))
        parts = [_excluded(one, voice) for one in next(excluding, ())]
        return say("why.asked.not", parts=reasons.listed(parts, say))
    if name in {"text", "entities"}:
        return say(f"why.asked.{name}", wanted=visible(failed.wanted))
    return say(
        "why.asked.name",
        field=reasons.field(say, name),
        found=_found(failed, voice),
        wanted=wanted,
    )


def _excluded(one: Asked, voice: Voice) -> str:
    say, name = voice.say, one.field
    if name in {"any", "not"}:
        met = [each for part in one.parts if all(p.holds for p in part) for each in part]
        return reasons.listed([_excluded(each, voice) for each in met], say)
    found = visible(one.wanted) if name in {"text", "entities"} else _found(one, voice)
    return say("why.asked.excluded", field=reasons.field(say, name), found=found)


def _found(one: Asked, voice: Voice) -> str:
    """Return what a mention has in a field; `unknown` and `nothing` are two things."""
    say = voice.say
    if one.found is None:
        return say("web.unknown")
    values = [value for value in one.found.split(", ") if value]
    if not values:
        return say("why.asked.nothing")
    return ", ".join(
        visible(reasons.label(say, one.field, value, voice.names(one.field))) for value in values
    )
