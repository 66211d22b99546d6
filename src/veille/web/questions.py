"""What may be corrected of an analysis: each head as a form asks about it."""

from __future__ import annotations

from dataclasses import dataclass

from veille.domain.correction import CHOICES, machine_labels, model_of, reading_of
from veille.domain.record import StoredMention
from veille.web.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One head as a form asks about it: what a person said ("" nothing) and what the machine did.

    `machine` is "" where it was undecided: there is nothing to confirm.
    """

    head: str
    name: str
    choices: tuple[tuple[str, str], ...]
    judged: str
    machine: str


def reading(mention: StoredMention | None) -> str:
    """Return the mark of the text and analysis on the page, "" where there is none to judge."""
    if mention is None or mention.analysis is None or mention.is_deleted:
        return ""
    return reading_of(mention.version, mention.analysis)


def questions(mention: StoredMention | None, words: Words) -> list[Question]:
    """Return what may be corrected of an analysis: nothing before it is made, no head it lacks."""
    if mention is None or mention.analysis is None or mention.is_deleted:
        return []
    said = machine_labels(mention.analysis)
    found = []
    for head, choices in CHOICES.items():
        judged = mention.corrections.get(head)
        machine = said.get(head, "")
        values = tuple(words.topics) if head == "topic" else choices
        if values and (judged or model_of(mention.analysis, head)):
            found.append(
                Question(
                    head=head,
                    name=words.say(f"web.head.{head}"),
                    choices=tuple((value, words.label(head, value)) for value in values),
                    judged=judged.value if judged else "",
                    machine=machine if machine in values else "",
                )
            )
    return found
