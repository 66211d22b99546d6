"""What the network's outputs mean, in their order."""

from __future__ import annotations

from veille.domain.analysis import FEELINGS, HostilityLabel, IntentLabel, Target

TOPICS = tuple(
    "flood fire accident safety violence threat_to_staff data_breach outage water roads transport "
    "waste school health social civil_registry town_planning environment culture leisure noise "
    "taxes democracy communication rumor other".split()
)
HEADS: dict[str, tuple[str, ...]] = {
    "sentiment": tuple(FEELINGS),
    "crisis": ("",),
    "urgency": ("",),
    "hostility": tuple(x for x in HostilityLabel if x != HostilityLabel.UNDECIDED),
    "target": ("none", *Target),
    "intent": tuple(x for x in IntentLabel if x != IntentLabel.UNDECIDED),
    "topic": TOPICS,
    "toxicity": ("",),
}
"""The labels of each head; a score has one, without name."""

OUTPUTS = tuple(f"{head}:{x}" if x else head for head, labels in HEADS.items() for x in labels)


def _spans() -> dict[str, slice]:
    found, at = {}, 0
    for head, labels in HEADS.items():
        found[head] = slice(at, at + len(labels))
        at += len(labels)
    return found


SPANS = _spans()
"""Where each head's labels stand in the outputs."""


def is_score(head: str) -> bool:
    """Return whether the head gives one probability rather than a choice."""
    return HEADS[head] == ("",)
