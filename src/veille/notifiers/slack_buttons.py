"""The buttons under an incident's message: which of them, by its state."""

from __future__ import annotations

from collections.abc import Mapping

from veille.domain.incident import IncidentState
from veille.domain.notification import Facts
from veille.notifiers.message import Message
from veille.wording.catalogue import Catalogue

Json = dict[str, object]

PREFIX = "veille_"
"""Before each verb in `action_id`: an app may have buttons of others."""
OPEN = "open"
_TEXT_MAX = 75  # Block Kit reference: button, text
# the first is at hand for a thumb; a verb without an address to open is left out
_BY_STATE: Mapping[IncidentState, tuple[str, ...]] = {
    IncidentState.OPEN: ("take", OPEN, "assign", "mute", "false_alarm", "close"),
    IncidentState.ACKNOWLEDGED: (OPEN, "assign", "mute", "false_alarm", "close"),
    IncidentState.RESOLVED: (OPEN,),
}
_CONFIRMED = frozenset({"mute", "false_alarm", "close"})
"""What a slip of the thumb could do that nobody would notice."""


def buttons(facts: Facts, message: Message, *, receiver: str, words: Catalogue) -> list[Json]:
    """Return the buttons for the state that the message tells, « Voir » where there is a page.

    `value` says which incident and receiver, when it opened (another installation may have given
    its number again) and the version that is shown (somebody may be faster).
    """
    opened_s = int(facts.opened_at.timestamp())
    value = f"I{facts.incident} {receiver} {opened_s} {facts.touched}"
    verbs = _BY_STATE[facts.state]
    made = [view(message) if verb == OPEN else _button(verb, value, words) for verb in verbs]
    return [button for button in made if button]


def view(message: Message) -> Json:
    """Return « Voir », empty when there is no address to open."""
    if not message.link:
        return {}
    return {
        "type": "button",
        "action_id": f"{PREFIX}{OPEN}",
        "text": plain(message.button, _TEXT_MAX),
        "url": message.link,
    }


def plain(text: str, limit: int) -> Json:
    """Return text in which Slack parses nothing."""
    # emoji false: `:sos:` in a mention stays four letters and two colons
    return {"type": "plain_text", "text": text[:limit], "emoji": False}


def _button(verb: str, value: str, words: Catalogue) -> Json:
    button: Json = {
        "type": "button",
        "action_id": f"{PREFIX}{verb}",
        "text": plain(words(f"notify.act.{verb}"), _TEXT_MAX),
        "value": value,
    }
    if verb == "take":
        button["style"] = "primary"
    if verb in _CONFIRMED:
        button["confirm"] = _confirm(verb, words)
    return button


def _confirm(verb: str, words: Catalogue) -> Json:
    # Block Kit reference, confirmation dialog: title 100, text 300, confirm and deny 30
    return {
        "title": plain(words(f"notify.confirm.{verb}.title"), 100),
        "text": plain(words(f"notify.confirm.{verb}.text"), 300),
        "confirm": plain(words(f"notify.confirm.{verb}.yes"), 30),
        "deny": plain(words("notify.confirm.deny"), 30),
    }
