"""Whose turn it is, in words: « vous êtes d'astreinte : relais 2 sur 3 »."""

from __future__ import annotations

from collections.abc import Sequence

from veille.domain.notification import Relay
from veille.wording.catalogue import Catalogue
from veille.wording.format import duration, excerpt, visible

_NAMES_MAX = 200


def relay_words(relay: Relay, words: Catalogue) -> str:
    """Return one sentence for those who are called, and one more where nobody was on call."""
    key = "again" if relay.round > 1 else "place"
    waited = duration(words, relay.waited)
    kind = "receivers"
    if relay.names:
        kind = "person"
    elif relay.step in relay.nobody:
        kind = "unmanned"
    return words(
        f"notify.relay.{kind}",
        names=excerpt(visible(_listed(relay.names, words)), _NAMES_MAX),
        place=words(f"notify.relay.{key}", step=relay.step, steps=relay.steps, round=relay.round),
        waited="" if relay.is_at_once else words("notify.relay.waited", duration=waited),
        nobody=_nobody(relay, words),
    )


def _nobody(relay: Relay, words: Catalogue) -> str:
    steps = [str(step) for step in relay.nobody]
    if not steps:
        return ""
    return words.count("notify.relay.nobody", len(steps), steps=_listed(steps, words))


def _listed(names: Sequence[str], words: Catalogue) -> str:
    if len(names) < 2:  # noqa: PLR2004 nothing to join
        return "".join(names)
    return words("notify.relay.and", first=", ".join(names[:-1]), last=names[-1])
