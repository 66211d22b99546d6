"""What people call a receiver or a source: the name it was given, else a word or its id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from veille.wording.catalogue import Catalogue
from veille.wording.format import visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A receiver as config.toml has it; `name` is "" where it was given none."""

    id: str
    kind: str
    name: str = ""


def receiver_names(say: Catalogue, receivers: Sequence[Receiver]) -> Mapping[str, str]:
    """Return by id what each is called; of several of a kind without names, with the id."""
    unnamed = Counter(each.kind for each in receivers if not each.name)
    return {each.id: _name(say, each, unnamed[each.kind]) for each in receivers}


def source_names(names: Mapping[str, str]) -> Mapping[str, str]:
    """Return by id what each source is called: the name of config.toml, its id where that is ""."""
    return {id: visible(name.strip() or id) for id, name in names.items()}


def with_id(id: str, names: Mapping[str, str]) -> str:
    """Return `Presse locale (presse)`, for who works with config.toml; the id where it is all."""
    name = names.get(id, id)
    return id if name == id else f"{name} ({id})"


def _name(say: Catalogue, receiver: Receiver, alike: int) -> str:
    if receiver.name:
        return visible(receiver.name)
    word = say(f"web.receiver.{receiver.kind}")
    return f"{word} ({receiver.id})" if alike > 1 else word
