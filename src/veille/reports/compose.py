"""The summary in words: its subject, the sentence it opens with, its sections."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from zoneinfo import ZoneInfo

from veille.reports.figures import Summary
from veille.reports.page import Page
from veille.reports.sections import Sections
from veille.reports.speech import Speech
from veille.wording.catalogue import Catalogue


def compose(
    summary: Summary, words: Catalogue, *, names: Mapping[str, Mapping[str, str]] | None = None
) -> Page:
    """Return the summary in the catalogue's language.

    `names` are what people call a `source` and a `receiver`, by id; who has none is its id.
    """
    speech = Speech(words, ZoneInfo(summary.timezone), names)
    institution = speech.line(summary.institution)
    return Page(
        language=words.language,
        title=speech.say("title", number=_number(summary), institution=institution),
        subject=_subject(summary, speech),
        lead=_lead(summary, speech),
        notes=_notes(summary, speech),
        sections=tuple(Sections(summary, words, names).all()),
        footer=speech.say("footer", institution=institution),
    )


def _number(summary: Summary) -> int:
    return int(summary.week.rpartition("W")[2])


def _subject(summary: Summary, speech: Speech) -> str:
    volume, net = summary.volume, summary.net.now.value
    change = volume.change.value
    return speech.say(
        "subject",
        number=_number(summary),
        institution=speech.line(summary.institution),
        volume=speech.mentions(volume.now),
        change="" if change is None else speech.say("subject_change", change=speech.pct(change)),
        net=speech.say("subject_no_net")
        if net is None
        else speech.say("subject_net", net=speech.signed(net)),
    )


def _lead(summary: Summary, speech: Speech) -> str:
    verdict = summary.verdict
    if verdict.kind == "empty":
        return speech.say("lead.empty")
    parts = [_net_said(summary, speech) if summary.volume.now else speech.say("lead.no_mentions")]
    if verdict.critical:
        shown = speech.number(verdict.critical)
        critical = speech.words.count("report.incidents_critical", verdict.critical, shown=shown)
        parts.insert(0, critical)
    return speech.say(f"lead.{verdict.kind}", parts=speech.say("lead.and").join(parts))


def _net_said(summary: Summary, speech: Speech) -> str:
    net, verdict = summary.net, summary.verdict
    if net.now.value is None:
        return speech.say("lead.net_none")
    now = speech.signed(net.now.value)
    if net.previous.value is None:
        return speech.say("lead.net_first", now=now)
    if net.now.value == net.previous.value:
        return speech.say("lead.net_same", now=now)
    key = "lead.net" if verdict.is_beyond_chance else "lead.net_chance"
    said = speech.say(key, previous=speech.signed(net.previous.value), now=now)
    if verdict.cause is None or not verdict.is_beyond_chance:
        return said
    cause = verdict.cause
    return speech.say(
        "lead.cause",
        said=said,
        name=speech.say(f"by.{cause.by}", name=speech.called(cause.by, cause.name)),
        points=speech.signed(cause.points),
    )


def _notes(summary: Summary, speech: Speech) -> tuple[str, ...]:
    period = speech.say(
        "period",
        first=speech.date(summary.days[0].day),
        last=speech.date(summary.days[-1].day),
        zone=speech.line(summary.timezone),
        made=speech.moment(summary.made_at),
    )
    notes = [period] if summary.is_complete else [speech.say("partial"), period]
    since = summary.counted_since
    if since is not None and since > summary.starts_at - timedelta(days=7):
        notes.append(speech.say("since", at=speech.moment(since)))
    return tuple(notes)
