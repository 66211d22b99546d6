"""Which commune a text names: its INSEE code when the text or the watch settles it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from veille.domain.analysis import Entity, Place
from veille.domain.text import fold
from veille.nlp.gazetteer import (
    INSEE_LENGTH,
    Clue,
    Commune,
    Gazetteer,
    Token,
    department,
    key,
    tokens,
)

# Chosen on tests/nlp/homonyms.tsv and the scenarios of the project, not learnt. A weight is how
# many times more likely a clue makes a candidate; a code is given from 95 % of all weights.
DECIDED = 0.95
NAMED_DEPARTMENT = 10_000.0
NAMED_REGION = 300.0
HINT = 5.0
BESIDE = 500.0
"""Another commune of the same département is named in the text."""
BESIDE_IN_REGION = 5.0
WATCHED = 200.0
WATCHED_DEPARTMENT = 40.0
WATCHED_AGAINST_A_CITY = 10.0
CITY = 20_000
"""Inhabitants from which a town is talked about all over the country."""
KNOWN = 30_000
"""Inhabitants from which a capital letter alone makes an ordinary word a town: Tours, Cannes."""
UNLISTED = 1_000
"""Inhabitants that a watched commune is given which the list does not hold."""
ABROAD = 0.1
"""A French text on public services means a namesake abroad a tenth as often as its size says."""
FEWEST = 50
NEIGHBOURS = 8
"""Names of a text that bear on one another: a list of a thousand must not cost a million."""
SHORT = 3
ADJACENT = 7
"""« Valence, en Espagne »: a clue this near speaks of this very name."""
_AT = frozenset({"a", "vers", "depuis", "sur", "pres", "entre", "jusqu"})
_OF = frozenset({"de", "d"})
_OFFICES = frozenset(
    "ville commune mairie maire habitants habitant centre marche conseil bourg village"
    " municipalite commissariat hopital".split()
)
_ARTICLES = frozenset({"le", "la", "les", "l"})
_WAYS = frozenset(
    "rue avenue boulevard bd av place quai route chemin impasse allee allees cours porte square"
    " faubourg passage".split()
)
_OWNERS = frozenset(
    "eglise college lycee ecole hopital clinique quartier stade chapelle paroisse residence"
    " monsieur madame mme m docteur dr famille fete cathedrale basilique gare canal pont"
    " saison foire eau fromage jambon".split()
)
_NOT_COUNTED = r"(?!\s*(?:€|%|(?:km|kg|voix|fois|m|h)\b|[a-zà-ÿ]+s\b))"
"""« 10000 euros », « 974 personnes »: an amount is no postcode."""
_NUMBER = re.compile(
    r"\(\s*([0-9]{5}|[0-9]{2,3}|2[AaBb])\s*\)"
    rf"|\b([0-9]{{5}})\b{_NOT_COUNTED}|\b(97[1-6])\b{_NOT_COUNTED}"
    rf"|(?:\bdans le|[Dd]épartement|\bdépt?) ([0-9]{{2,3}}|2[AB])\b{_NOT_COUNTED}"
    r"(?!\s*(?:[eè]|janv|f[ée]vr|mars|avril|mai|jui|ao[uû]t|sept|oct|nov|d[ée]c))"
)
_ORDINAL = re.compile(r"\s*,?\s*(\d{1,2})\s?(?:er|e|è|ème|eme|ième)\b")
_ORDINAL_BEFORE = re.compile(
    r"(\d{1,2})\s?(?:er|e|è|ème|eme|ième)\s+(?:arrondissement\s+|arrdt\s+|arr\.?\s+)?(?:de|à)\s+$"
)
_POSTCODE = r"(?:750|690|130)(\d\d)"
_POSTCODE_AFTER = re.compile(rf"\W{{0,3}}{_POSTCODE}\b")
_POSTCODE_BEFORE = re.compile(rf"\b{_POSTCODE}\s+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Name:
    """A name found in the text at word `at`, `length` words long; the communes that bear it."""

    at: int
    length: int
    key: str
    start: int
    end: int
    candidates: tuple[Commune, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """A clue at its place in the text."""

    start: int
    end: int
    codes: frozenset[str]
    is_sure: bool


class Communes:
    """Resolve names of communes; holds no state between texts, safe for threads."""

    def __init__(self, gazetteer: Gazetteer, *, version: str) -> None:
        self._gazetteer = gazetteer
        self.version = version

    def resolve(
        self, text: str, entities: Sequence[Entity], *, territory: Iterable[str]
    ) -> tuple[Place, ...]:
        """Return the communes that a text names, each once, in order of its first place.

        `territory` holds INSEE codes or département numbers: what the watch is about.
        """
        found, watched = tokens(text), frozenset(territory)
        clues = [*_numbers(text), *self._clues(text, found)]
        taken = [(clue.start, clue.end) for clue in clues if clue.is_sure]
        taken += self._others(found)
        names = [
            name
            for name in self._names(text, found, entities, watched)
            if not any(start <= name.start and name.end <= end for start, end in taken)
        ]
        near = list({name.key: name for name in names}.values())[:NEIGHBOURS]
        places = [self._place(text, name, near, clues, watched) for name in names]
        # one that is named 3,000 times is listed once, where it stands first
        return tuple({p.insee or f"?{key(p.name)}": p for p in reversed(places)}.values())[::-1]

    def _names(
        self, text: str, found: list[Token], entities: Sequence[Entity], territory: frozenset[str]
    ) -> Iterator[_Name]:
        at = 0
        before: _Name | None = None
        place: _Name | None = None
        while at < len(found):
            name = self._longest(text, found, at)
            if name and not _is_tail(found, name, before):
                is_place = _is_place(text, found, name, entities, territory)
                if is_place or _is_joined(found, name, place):
                    yield name
                    place = name
            before = name or before
            at += name.length if name else 1

    def _longest(self, text: str, found: list[Token], at: int) -> _Name | None:
        """Return the longest name that starts at this word, if any does."""
        first = found[at]
        full = self._gazetteer.joined.get(first.word[1:]) if first.word[0] == "#" else None
        run = [first] if full else _run(text, found[at : at + self._reach(first)])
        for length in range(len(run), 0, -1):
            name = full or " ".join(token.word for token in run[:length])
            if candidates := self._gazetteer.communes.get(name):
                return _Name(
                    at=at,
                    length=length,
                    key=name,
                    start=first.start + (full is not None),
                    end=run[length - 1].end,
                    candidates=candidates,
                )
        return None

    def _reach(self, first: Token) -> int:
        return self._gazetteer.reach.get(first.word, 0)

    def _clues(self, text: str, found: list[Token]) -> Iterator[_Evidence]:
        for at, first in enumerate(found):
            for length in range(1, min(self._reach(first), len(found) - at) + 1):
                words = found[at : at + length]
                clue = self._gazetteer.clues.get(" ".join(token.word for token in words))
                if clue and _holds(text, found, at, words, clue):
                    yield _Evidence(
                        start=first.start,
                        end=words[-1].end,
                        codes=clue.codes,
                        is_sure=clue.is_sure,
                    )

    def _others(self, found: list[Token]) -> Iterator[tuple[int, int]]:
        """Yield the spans of what bears a town's name and is none: « gare de Lyon »."""
        for at, first in enumerate(found):
            for last in range(at, min(at + self._reach(first), len(found))):
                words = " ".join(token.word for token in found[at : last + 1])
                if words in self._gazetteer.others:
                    yield first.start, found[last].end

    def _place(
        self,
        text: str,
        name: _Name,
        names: Sequence[_Name],
        clues: Sequence[_Evidence],
        territory: frozenset[str],
    ) -> Place:
        told = [clue for clue in clues if clue.end <= name.start or clue.start >= name.end]
        name = replace(name, candidates=(*name.candidates, *self._shortened(name, territory)))
        weights = {c: self._weight(c, name, names, told, territory) for c in name.candidates}
        best = max(weights, key=lambda commune: (weights[commune], commune.code))
        share = weights[best] / (sum(weights.values()) + self._elsewhere(name, territory))
        is_lone = len(name.candidates) == 1 and (best.population >= CITY or not _is_common(name))
        # between villages that nothing but their size tells apart, size says nothing
        least = max(CITY, self._gazetteer.longer.get(name.key, 0))
        is_told = (
            is_lone or best.population >= least or weights[best] > max(best.population, FEWEST)
        )
        is_decided = share >= DECIDED and is_told and not _contradicted(best, name, told)
        district = self._district(text, name) if is_decided else None
        chosen = district or best
        return Place(
            name=chosen.name,
            insee=chosen.code if is_decided else None,
            score=round(share, 4),
            start=name.start,
            end=name.end,
        )

    def _shortened(self, name: _Name, territory: frozenset[str]) -> Iterator[Commune]:
        """Yield watched communes that people call so: « Saint-Rémy » for Saint-Rémy-de-Provence."""
        for code in sorted(territory & self._gazetteer.codes.keys()):
            commune = self._gazetteer.codes[code]
            if key(commune.name).startswith(f"{name.key} "):
                yield commune

    def _weight(
        self,
        commune: Commune,
        name: _Name,
        names: Sequence[_Name],
        clues: Sequence[_Evidence],
        territory: frozenset[str],
    ) -> float:
        weight = float(max(commune.population, FEWEST))
        for codes, is_sure in {(clue.codes, clue.is_sure) for clue in clues}:
            if commune.code in codes or department(commune.code) in codes:
                sure = NAMED_DEPARTMENT if len(codes) <= 1 else NAMED_REGION
                weight *= sure if is_sure else HINT
        for other in (other for other in names if other.key != name.key):
            weight *= self._beside(commune, other)
        return weight * self._watched(commune, name, territory)

    def _beside(self, commune: Commune, other: _Name) -> float:
        """Return how much more likely another name of the text makes this commune."""
        here = department(commune.code)
        region = self._gazetteer.regions.get(here, frozenset())
        total = self._abroad(other)
        same = near = 0.0
        for candidate in other.candidates:
            population = max(candidate.population, FEWEST)
            total += population
            same += population * (department(candidate.code) == here)
            near += population * (department(candidate.code) in region)
        return 1 + (BESIDE * same + BESIDE_IN_REGION * near) / total

    def _watched(self, commune: Commune, name: _Name, territory: frozenset[str]) -> float:
        own = department(commune.code)
        if commune.code in territory or own in territory:
            factor = WATCHED
        elif own in {department(code) for code in territory}:
            factor = WATCHED_DEPARTMENT
        else:
            return 1.0
        rivals = [c.population for c in name.candidates if c.code != commune.code]
        rival = max([*rivals, self._abroad(name)], default=0)
        # the whole country talks about a city: that it is watched here says little
        is_city = rival >= max(CITY, commune.population / 10)
        return min(factor, WATCHED_AGAINST_A_CITY) if is_city else factor

    def _abroad(self, name: _Name) -> float:
        return ABROAD * self._gazetteer.namesakes.get(name.key, 0)

    def _elsewhere(self, name: _Name, territory: frozenset[str]) -> float:
        """Return the weight of places of this name which the list does not hold."""
        weight = self._abroad(name)
        watched = {code for code in territory if len(code) == INSEE_LENGTH}
        if watched - self._gazetteer.codes.keys() and len(name.candidates) > 1:
            weight += WATCHED * UNLISTED
        return weight

    def _district(self, text: str, name: _Name) -> Commune | None:
        before = text[max(0, name.start - 40) : name.start]
        number = (
            _ORDINAL.match(text, name.end)
            or _POSTCODE_AFTER.match(text, name.end)
            or _ORDINAL_BEFORE.search(before)
            or _POSTCODE_BEFORE.search(before)
        )
        return self._gazetteer.districts.get((name.key, int(number[1]))) if number else None


def _run(text: str, found: list[Token]) -> list[Token]:
    """Return the first words, those that only spaces, hyphens or apostrophes part."""
    run = found[:1]
    for left, right in pairwise(found):
        if text[left.end : right.start].strip(" -'’‐‑./") or "\n" in text[left.end : right.start]:
            break
        run.append(right)
    return run


def _is_place(
    text: str,
    found: list[Token],
    name: _Name,
    entities: Sequence[Entity],
    territory: frozenset[str],
) -> bool:
    """Tell whether a name in the text is used as that of a commune."""
    if text[name.start - 1 : name.start] in {"#"}:
        return len(name.key) > SHORT and not any(c.is_ordinary for c in name.candidates)
    if text[name.start - 1 : name.start] in {"-", "@"} or re.match(
        r"[-‑]\w", text[name.end : name.end + 2]
    ):
        return False  # part of a longer name that is not in the list
    before = [token.word for token in found[max(0, name.at - 3) : name.at]]
    last = before[-1] if before else ""
    if _belongs_to_another(before) or (last in _ARTICLES and found[name.at].word not in _ARTICLES):
        return False
    first = fold(text[name.start : found[name.at].end])
    is_of = last in _OF or first in {"du", "des"}
    is_at = last in _AT or first in {"au", "aux"} or (is_of and bool(_OFFICES & set(before)))
    labels = {e.label for e in entities if e.start < name.end and name.start < e.end}
    is_capital = any(token.is_capital for token in found[name.at : name.at + name.length])
    biggest = max(c.population for c in name.candidates)
    is_watched = any(c.code in territory for c in name.candidates)
    if not is_capital:
        is_long = name.length > 1 and found[name.at].word in {"saint", "sainte"}
        return is_long or (is_at and biggest >= CITY and not _is_common(name))
    if _is_common(name):
        if last and "LOC" in labels and name.length == 1 and len(name.key) > SHORT:
            return True  # a capital inside a sentence that the recogniser calls a place: Tulle
        return is_at or (is_of and (is_watched or biggest < CITY))
    if name.length > 1 or is_at or is_of:
        return True
    if "PER" in labels:
        return biggest >= KNOWN and "LOC" in labels
    return "LOC" in labels or biggest >= CITY or is_watched


def _is_tail(found: Sequence[Token], name: _Name, before: _Name | None) -> bool:
    """Tell whether a name ends a longer one: « Valence d'Agen » is not Agen."""
    if before is None or _is_common(before) or not found[before.at].is_capital:
        return False
    of = name.at - 1
    return before.at + before.length == of and found[of].word in _OF


def _is_joined(found: Sequence[Token], name: _Name, place: _Name | None) -> bool:
    """Tell whether « et » joins a name to a place: « à ales et uzes », « Brive et Tulle »."""
    et = name.at - 1
    if place is None or place.at + place.length != et or found[et].word != "et":
        return False
    return not _is_common(name)


def _is_common(name: _Name) -> bool:
    """Tell whether a name is also an ordinary word, or too short to tell: Die, Y, Orange."""
    small = all(c.population < KNOWN for c in name.candidates)
    return small and (name.candidates[0].is_ordinary or len(name.key) <= SHORT)


def _belongs_to_another(before: Sequence[str]) -> bool:
    """Tell whether the words before make the name that of a street, a church or a person."""
    last = before[-1] if before else ""
    is_after = last in _OF | _ARTICLES and bool(_WAYS & set(before[-3:-1]))
    return is_after or last in _WAYS | _OWNERS


def _numbers(text: str) -> Iterator[_Evidence]:
    """Yield the départements that a text gives by number or postcode."""
    for match in _NUMBER.finditer(text):
        digits = next(group for group in match.groups() if group).upper()
        code = department(digits) if len(digits) == INSEE_LENGTH else digits
        codes = {"2A", "2B"} if code == "20" else {code}
        yield _Evidence(start=match.start(), end=match.end(), codes=frozenset(codes), is_sure=True)


def _holds(text: str, found: list[Token], at: int, words: Sequence[Token], clue: Clue) -> bool:
    if clue.is_capital and not words[-1].is_capital:
        return False
    if not clue.needs_article:
        return True
    before = [token.word for token in found[max(0, at - 3) : at]]
    around = text[max(0, words[0].start - 2) : words[0].start].strip()
    return (
        around.endswith(("(", ","))
        or before[-1:] == ["en"]
        or bool({"dans", "departement"} & set(before[-3:]) and before[-1] in _ARTICLES | _OF)
    )


def _contradicted(commune: Commune, name: _Name, clues: Iterable[_Evidence]) -> bool:
    """Tell whether the text names an area that is not this commune's."""
    sure = [clue for clue in clues if clue.is_sure]
    beside = [clue for clue in sure if 0 <= clue.start - name.end <= ADJACENT]
    told = beside or (sure if len(name.candidates) > 1 else [])
    codes = {commune.code, department(commune.code)}
    return bool(told) and not any(codes & clue.codes for clue in told)
