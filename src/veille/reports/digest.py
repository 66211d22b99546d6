"""The digest of a shift in words: what its budget held back, as it stands now."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from veille.alerts.digest import PREFIX
from veille.domain.ids import short_id
from veille.domain.incident import Incident
from veille.reports.page import Page, Section, Table
from veille.reports.speech import Speech
from veille.wording.catalogue import Catalogue

SHOWN = 50
COLUMNS = ("what", "id", "severity", "opened", "state")


def is_digest(key: str) -> bool:
    """Whether this outbox key is of a digest."""
    return key.startswith(PREFIX)


def compose(
    incidents: Sequence[Incident], words: Catalogue, *, institution: str, zone: ZoneInfo, link: str
) -> Page:
    """Return the digest of these incidents, gravest first; beyond 50 they are only counted."""
    speech, say = Speech(words, zone), words
    name = speech.line(institution)
    title = words.count("quiet.digest.title", len(incidents), institution=name)
    ordered = sorted(incidents, key=lambda i: (-i.severity.rank, i.id))
    more = len(ordered) - SHOWN
    rows = tuple(_row(incident, speech) for incident in ordered[:SHOWN])
    table = Table(
        caption=say("quiet.digest.caption"),
        head=tuple(say(f"quiet.digest.{column}") for column in COLUMNS),
        rows=rows,
    )
    return Page(
        language=words.language,
        title=title,
        subject=title,
        lead=say("quiet.digest.lead"),
        notes=(say.count("quiet.digest.more", more),) if more > 0 else (),
        sections=(Section(title=say("quiet.digest.list"), table=table),),
        footer=say("quiet.digest.footer", link=link),
    )


def _row(incident: Incident, speech: Speech) -> tuple[str, ...]:
    return (
        speech.line(incident.title),
        short_id("I", incident.id),
        speech.severity(incident.severity),
        speech.moment(incident.opened_at),
        speech.words(f"web.state.{incident.state}"),
    )
