"""What a person says of a text against, or in confirmation of, what the machine said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from veille.domain.analysis import (
    FEELINGS,
    Analysis,
    HostilityLabel,
    IntentLabel,
    Target,
    UrgencyLabel,
)
from veille.domain.errors import TargetError
from veille.domain.ids import content_hash
from veille.domain.topic import ID

NO_TARGET = "none"
TAKEN_BACK = ""
"""As a value: the person's label is withdrawn, the machine's stands again."""
CHOICES: Mapping[str, tuple[str, ...]] = {
    "sentiment": tuple(label.value for label in FEELINGS),
    "urgency": tuple(label.value for label in UrgencyLabel),
    "hostility": tuple(x.value for x in HostilityLabel if x is not HostilityLabel.UNDECIDED),
    "target": (NO_TARGET, *(target.value for target in Target)),
    "intent": tuple(x.value for x in IntentLabel if x is not IntentLabel.UNDECIDED),
    "topic": (),
}
"""What may be corrected, and to what; a topic is any id of `topics.yml`."""
HOSTILE = frozenset({HostilityLabel.UNCIVIL.value, HostilityLabel.THREAT.value})
"""Only what is so is against somebody."""
# which analyzer's version a label came from, where it is named otherwise
_ANALYZERS = {"target": "hostility", "topic": "topics"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One head's label as a person has it; a label equal to the machine's is a confirmation.

    `previous` is what was shown before, `model` the version that had read the text.
    """

    head: str
    value: str
    previous: str
    model: str
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A stored text with the labels people gave it, and those the machine had given, by head."""

    text: str
    labels: Mapping[str, str]
    machine: Mapping[str, str]


def machine_labels(analysis: Analysis) -> dict[str, str]:
    """Return what the machine said, by head; a head that never ran is absent."""
    target = analysis.hostility.target
    said = {
        "sentiment": analysis.sentiment.label.value,
        "urgency": analysis.urgency.label.value,
        "hostility": analysis.hostility.label.value,
        "target": NO_TARGET if target is None else target.value,
        "intent": analysis.intent.label.value,
    }
    if analysis.topics:
        said["topic"] = analysis.topics[0].id
    return {head: label for head, label in said.items() if model_of(analysis, head)}


def model_of(analysis: Analysis, head: str) -> str:
    """Return the version of what gave a head's label, "" when it never ran."""
    return analysis.analyzers.get(_ANALYZERS.get(head, head), "")


def reading_of(version: int, analysis: Analysis) -> str:
    """Return a mark of what a person has before them: another one once text or analyzers change.

    `version` is the text's.
    """
    return f"{version}.{content_hash(*(f'{k}={v}' for k, v in sorted(analysis.analyzers.items())))}"


def settled(
    labels: Mapping[str, str], *, standing: Mapping[str, str], machine: Mapping[str, str]
) -> Mapping[str, str]:
    """Return what a person says, the target that stood taken back where nothing is hostile now.

    `standing` and `machine` are what people and the machine said before. TargetError for another
    target of a text that is not hostile.
    """
    judged = {head: label for head, label in {**standing, **labels}.items() if label != TAKEN_BACK}
    if judged.get("hostility", machine.get("hostility")) in HOSTILE:
        return labels
    without = {TAKEN_BACK, NO_TARGET}
    stood = standing.get("target", TAKEN_BACK)
    if labels.get("target", TAKEN_BACK) not in without | {stood}:
        raise TargetError("only what is uncivil or a threat has a target: correct hostility too")
    is_left = stood not in without and labels.get("target", stood) == stood
    return {**labels, "target": TAKEN_BACK} if is_left else labels


def is_choice(head: str, value: str) -> bool:
    """Whether a person may say this of a head, withdrawing included."""
    if head not in CHOICES or value == TAKEN_BACK:
        return head in CHOICES
    return bool(ID.fullmatch(value)) if head == "topic" else value in CHOICES[head]
