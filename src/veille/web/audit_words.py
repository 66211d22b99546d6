"""The audit trail in words: what was done, to what, and each field before and after."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time

from veille.domain.errors import InputError
from veille.domain.ids import parse_short_id
from veille.store.audit_trail import Entry
from veille.web.words import Words
from veille.wording import format as wording
from veille.wording import reasons
from veille.wording.catalogue import Catalogue
from veille.wording.format import number, visible

_TECHNICAL = frozenset({"version", "deed", "filter", "sha256"})
"""Fields that the export alone shows: they say nothing to people."""
_WORDED = {"state": "web.state", "role": "web.role", "severity": "web.severity",
           "verdict": "web.verdict", "heads": "web.head", "scopes": "people.scope",
           "proof": "pages.audit.proof", "format": "search.export", "what": "menu"}  # fmt: skip
"""Where the words of a field are, as `area.key`; several values stand side by side."""
_NUMBERED = frozenset({"draft", "template", "token", "device"})
_MATCH = "match."
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d\S{0,30}", re.ASCII)
_HASHED = re.compile(r"(\d{1,9}):([0-9a-f]{16,64})", re.ASCII)
_TARGETS = {
    "view": re.compile(r"V(\d{1,18})", re.ASCII),
    "oncall": re.compile(r"override (\d{1,18})", re.ASCII),
    "original": re.compile(r"([0-9a-f]{8})[0-9a-f]{24}", re.ASCII),
}
"""What is written of a target, by the first word of the action: its number is said."""
_NEVER = re.compile("(?!)")
_SHORT = 8
_PAGES = {"I": "/incidents", "Q": "/queue"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """How the trail is told: `people` are names by the ids of who may be on call."""

    words: Words
    people: Mapping[str, str] = field(default_factory=dict)

    def action(self, name: str) -> str:
        """Return an action in words, as it is where the catalogue has none."""
        return self._known(f"pages.audit.action.{name}", visible(name))

    def target(self, entry: Entry) -> str:
        """Return what it was done to; a number that pages show stays as it is."""
        written, head = entry.target, entry.action.partition(".")[0]
        if (found := _TARGETS.get(head, _NEVER).fullmatch(written)) is not None:
            return self.words.say(f"pages.audit.target.{head}", number=found[1])
        if head == "retention":
            return _day(written, self.words)
        return self._known(f"pages.audit.target.{head}.{written}", visible(written))

    def changes(self, entry: Entry) -> Sequence[tuple[str, str]]:
        """Return each field with its value before and after, what did not change left out."""
        before, after = entry.before or {}, entry.after or {}
        found = []
        for name in dict.fromkeys((*before, *after)):
            if name in _TECHNICAL:
                continue
            old, new = (
                self._value(entry.action, name, side[name]) if name in side else None
                for side in (before, after)
            )
            if old is None:
                found.append((self._field(name), new or ""))
            elif before[name] != after.get(name):
                last = self.words.say("pages.audit.nothing") if new is None else new
                said = self.words.say("pages.audit.change", before=old, after=last)
                found.append((self._field(name), said))
        return found

    def _field(self, name: str) -> str:
        """Return what a field is called, as it is where the catalogue has no word."""
        if name.startswith(_MATCH):
            return reasons.field(self.words.say, name.removeprefix(_MATCH))
        return self._known(f"pages.audit.field.{name}", visible(name))

    def _value(self, action: str, name: str, value: object) -> str:
        say = self.words.say
        if value is None or value == "":
            return say("pages.audit.nothing")
        if isinstance(value, bool):
            return say(f"pages.audit.{'yes' if value else 'no'}")
        if isinstance(value, int | float):
            is_name = name in _NUMBERED
            return say("pages.audit.number", number=value) if is_name else number(say, value)
        return self._text(action, name, str(value))

    def _text(self, action: str, name: str, value: str) -> str:
        if name.startswith(_MATCH):
            field = name.removeprefix(_MATCH)
            names = self.words.sources if field == "source" else self.words.topics
            return visible(reasons.label(self.words.say, field, value, names))
        if name == "person":
            return visible(self.people.get(value, value))
        if name in _WORDED:
            area = _WORDED[name]
            if name == "state" and action.startswith("draft."):
                area = "queue.draft"
            return ", ".join(self._known(f"{area}.{one}", visible(one)) for one in value.split())
        if _MOMENT.fullmatch(value):
            return _moment(value, self.words, wording.moment)
        if (hashed := _HASHED.fullmatch(value)) is not None:
            return self._hashed(int(hashed[1]), hashed[2])
        return visible(value)

    def _hashed(self, length: int, mark: str) -> str:
        count = number(self.words.say, length)
        return self.words.say.count("pages.audit.hashed", length, count=count, mark=mark[:_SHORT])

    def _known(self, key: str, otherwise: str) -> str:
        return self.words.say(key) if key in self.words.say.messages else otherwise


def path_of(target: str) -> str | None:
    """Return the page of what it was done to, None where it has none."""
    try:
        letter, found = parse_short_id(target)
    except InputError:
        return None
    return f"{_PAGES[letter]}/{found}" if letter in _PAGES else None


def _day(written: str, words: Words) -> str:
    """Return a day that was noted by the town's own calendar, in words."""
    try:
        noon = datetime.combine(date.fromisoformat(written), time(12), tzinfo=words.timezone)
    except (ValueError, OverflowError):
        return visible(written)
    return wording.date(words.say, noon, words.timezone.key)


def _moment(written: str, words: Words, write: Callable[[Catalogue, datetime, str], str]) -> str:
    try:
        at = datetime.fromisoformat(written)
        return write(words.say, at, words.timezone.key) if at.tzinfo else visible(written)
    except (ValueError, OverflowError):
        return visible(written)
