"""Signs of coordination in words, for pages and messages: never who."""

from __future__ import annotations

from veille.domain.coordination import Coordination
from veille.wording.catalogue import Catalogue
from veille.wording.format import measure, number
from veille.wording.reasons import listed


def coordination_words(say: Catalogue, found: Coordination | None) -> str:
    """Return the texts that several accounts said at once, and how many accounts are new."""
    if found is None:
        return ""
    said = []
    if found.texts:
        said.append(
            say(
                "notify.coordination.texts",
                texts=number(say, found.texts),
                copies=number(say, found.copies),
                shortest=measure(say, found.shortest_s, decimals=1),
                median=measure(say, found.median_s, decimals=1),
            )
        )
    if found.new_accounts:
        said.append(
            say(
                "notify.coordination.accounts",
                new=number(say, found.new_accounts),
                accounts=number(say, found.accounts),
                ratio=number(say, found.new_ratio, decimals=2),
                days=number(say, found.days),
            )
        )
    return listed(said, say)
