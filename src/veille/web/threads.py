"""The exchange around a mention: what it answers and what answers it, ours marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from veille.domain.record import StoredMention
from veille.store import mentions, threads
from veille.store.engine import Db
from veille.web.words import Words
from veille.wording.format import visible

_PSEUDONYM = 8  # hex digits of the keyed hash: enough to tell the people of one thread apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What is stored around a mention and itself, in the order it was written.

    `items` are queue numbers by key; `is_cut`: there is more than that.
    """

    mentions: Sequence[StoredMention] = ()
    items: Mapping[str, int] = field(default_factory=dict)
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One text of an exchange and who wrote it; `item` is its queue number if it has another."""

    mention: StoredMention
    author: str
    item: int | None
    is_here: bool


def load(db: Db, key: str) -> Exchange:
    """Return the exchange around the mention of this key; no mentions when it stands alone."""
    thread = threads.around(db, key)
    found = mentions.stored(db, [key, *thread.keys]) if thread.keys else {}
    inorder = sorted(found.values(), key=lambda each: (each.created_at, each.key))
    return Exchange(mentions=inorder, items=thread.items, is_cut=thread.is_cut)


def said(exchange: Exchange, key: str, words: Words) -> list[Said]:
    """Return the exchange as a page shows it."""
    return [
        Said(
            mention=each,
            author=author(each, words),
            item=exchange.items.get(each.key),
            is_here=each.key == key,
        )
        for each in exchange.mentions
    ]


def author(mention: StoredMention, words: Words) -> str:
    """Return who wrote it: us, or a pseudonym, with the role the source gives them."""
    if mention.own:
        return words.say("views.author.own", name=words.institution)
    known = (mention.author or "")[:_PSEUDONYM]
    who = words.say(f"views.author.{'pseudonym' if known else 'unknown'}", mark=known)
    if not mention.role:
        return who
    return words.say("views.author.role", author=who, role=visible(mention.role))
