"""Templates of answers: those that ship, and how their placeholders are filled."""

from __future__ import annotations

from collections.abc import Mapping

from veille.domain.draft import Template, fill
from veille.domain.places import places
from veille.domain.record import StoredMention
from veille.wording.catalogue import Catalogue
from veille.wording.format import visible

_PREFIX, _NAME, _TEXT = "queue.template.", ".name", ".text"
PLACEHOLDERS: Mapping[str, str] = {
    "lieu": "place", "place": "place", "sujet": "topic", "topic": "topic",
    "institution": "institution",
}  # fmt: skip
"""What may stand in braces, in either language. The author's name is none: it is never quoted."""


def shipped(say: Catalogue) -> list[Template]:
    """Return the templates of the catalogue, in its order."""
    keys = [key for key in say.messages if key.startswith(_PREFIX) and key.endswith(_NAME)]
    stems = [key.removesuffix(_NAME) for key in keys]
    return [
        Template(name=say.messages[stem + _NAME], text=say.messages[stem + _TEXT]) for stem in stems
    ]


def filled(
    text: str,
    mention: StoredMention,
    *,
    say: Catalogue,
    topics: Mapping[str, str],
    institution: str,
) -> str:
    """Return a template with what is known of the mention; what is not is left to be completed.

    `topics` are names by id. What stands in the mention's words (a place) is made visible first.
    """
    known = {
        "place": visible(next(iter(places([mention], limit=1, known=[institution])), "")),
        "topic": _topic(mention, topics),
        "institution": institution,
    }
    values = {name: known[what] for name, what in PLACEHOLDERS.items()}
    return fill(text, values, say("queue.draft.unknown"))


def _topic(mention: StoredMention, topics: Mapping[str, str]) -> str:
    if (judged := mention.corrections.get("topic")) is not None:
        return topics.get(judged.value, "")
    found = () if mention.analysis is None else mention.analysis.topics
    return topics.get(found[0].id, "") if found else ""
