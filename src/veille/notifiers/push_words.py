"""What a phone shows on its lock screen: how grave, what kind, which incident, which commune."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec

from veille.domain.ids import short_id
from veille.domain.incident import IncidentState
from veille.domain.notification import TRIAL_KEY, Document, Notification, NotificationKind
from veille.domain.text import printable
from veille.notifiers.message import Voice
from veille.wording.catalogue import Catalogue
from veille.wording.format import clock, excerpt

RINGS = frozenset(
    {
        NotificationKind.OPENED,
        NotificationKind.UPDATED,
        NotificationKind.REPEATED,
        NotificationKind.ESCALATED,
        NotificationKind.REOPENED,
    }
)
"""Told aloud."""
CALMS = frozenset(
    {
        NotificationKind.ACKNOWLEDGED,
        NotificationKind.ASSIGNED,
        NotificationKind.RESOLVED,
        NotificationKind.MERGED,
    }
)
"""Told by changing, without a sound, what stands on the screen; other kinds change nothing."""
_PLACE_MAX, _THEME_MAX = 60, 80


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What the service worker is given. `tag`: what it replaces; `path` and `take` are of veille.

    Nothing of a mention, an author or a colleague is in it.
    """

    title: str
    body: str
    tag: str
    path: str
    take: str
    take_text: str
    open_text: str
    rings: bool
    stays: bool
    lang: str


def shown(notification: Notification, *, theme: str, take: str, voice: Voice) -> Shown:
    """Return what is shown of an incident; `theme` is the name of its rule's topic, "" if none.

    `take` is the address at which the reader takes it, "" for nowhere.
    """
    facts, words = notification.facts, voice.words
    name, is_open = short_id("I", facts.incident), facts.state is IncidentState.OPEN
    severity = words(f"notify.severity.{facts.severity}")
    title = excerpt(printable(theme), _THEME_MAX) or words("push.theme")
    communes = (excerpt(printable(one), _PLACE_MAX) for one in notification.communes)
    state = words(f"push.state.{facts.state}")
    parts = (name, *communes, _since(notification, voice.words, voice.zone), state)
    return Shown(
        title=f"{severity} · {title}",
        body=" · ".join(filter(None, parts)),
        tag=name,
        path=f"/incidents/{facts.incident}",
        take=take if is_open else "",
        take_text=words("notify.act.take"),
        open_text=words("push.open"),
        rings=notification.kind in RINGS,
        stays=is_open and facts.severity == "critical",
        lang=words.language,
    )


def shown_document(document: Document, *, words: Catalogue) -> Shown:
    """Return what is shown of a document, or of a trial: that there is one."""
    kind = "trial" if document.key.startswith(TRIAL_KEY) else "document"
    return Shown(
        title=words(f"push.{kind}.title"),
        body=words(f"push.{kind}.body"),
        tag=kind,
        path="/account" if kind == "trial" else "/",
        take="",
        take_text="",
        open_text=words("push.open"),
        rings=True,
        stays=False,
        lang=words.language,
    )


def _since(notification: Notification, words: Catalogue, zone: ZoneInfo) -> str:
    return words("push.since", clock=clock(words, notification.facts.opened_at, zone.key))
