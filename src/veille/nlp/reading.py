"""What is compared of a text: its words, names, numbers and denials, without the wrapping."""

from __future__ import annotations

import re
import sys
import unicodedata
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from veille.domain.text import fold, seen
from veille.nlp.prepare import TEXT_LIMIT

MOST_STEMS = 32  # of a text: what a long article says first stands for it
_STOP = frozenset(
    "a ai ainsi alors apres as assez au aucun aucune aujourd aussi autre aux avait avant avec avez "
    "avoir avons beaucoup bien bon bonjour bonsoir c ca car ce cela ces cet cette ceux chez ci "
    "comme comment contre d dans de deja depuis des donc dont du elle elles en encore entre est et "
    "etait etaient ete etes etre eu eux fait faire fait faut h hier hui il ils ici j jamais je "
    "jusqu jusque jusquau l la le les leur leurs lors lui m ma mais me meme mes moi mon n ne ni "
    "non nos notre nous on ont or ou oui par parce pas pendant peu peut plus pour pourquoi puis qu "
    "quand que quel quelle quelles quels qui quoi rien s sa sans se sera seront ses si son sont "
    "sous suis sur t ta te tes toi ton toujours tous tout toute toutes tres trop tu un une va vais "
    "vers voici voila vont vos votre vous y etre svp stp merci oh ah eh "
    "rt via info infos alerte attention urgent flash breaking paraitrait parait apparemment "
    "apparament selon dit disent http https www com fr user masque masquee".split()
)
_FRAME = frozenset("rt via user http".split())  # what quoting adds
# Said of anything that happens, so no part of a claim: « arrive sur Alès et Uzès ».
WEAK = frozenset(
    "arriv arriverait pass dirig annonc signal approch rest partag confirm parl matin soir nuit "
    "midi jour heur demain week end vill mairi commun gen mond".split()
)
_NOT = frozenset({"pas", "aucun", "aucune", "jamais"})
_CLAUSE = frozenset({"si", "que", "qu", "mais", "car"})  # « je sais pas si » denies nothing
_DENIAL = frozenset(
    "dement dementi dementie dementent faux fausse fausses fake intox infox infondee infonde hoax "
    "canular canulars desinformation inexact inexacte inexactes errone erronee erronees mensonger "
    "mensongere mensongeres pipeau invente inventee".split()
)
_TURNS = _NOT | _DENIAL | {"n", "ne"}
_WAYS = frozenset(
    "rue quai place avenue av boulevard bd impasse allee chemin route pont square quartier "
    "residence camping ecole college lycee parking gare stade salle".split()
)
# Delays and distances change from mouth to mouth; hours, days and people are the claim itself.
_VAGUE = frozenset({"min", "mn", "minut", "km", "kmh", "kilometr", "metr"})
_NUMBERS = {
    word: str(number)
    for number, word in enumerate("deux trois quatre cinq six sept huit".split(), start=2)
} | {"dix": "10", "cent": "100"}
_EITHER = {
    "day": "lundi mardi mercredi jeudi vendredi samedi dimanche".split(),
    "month": "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre "
    "decembre".split(),
    "open": ("ouvert ouverte ouverts ouvertes ouvre ouvrent rouvre", "ferme fermee fermes fermees"),
    "held": ("annule annulee annules annulees", "maintenu maintenue maintenus maintenues"),
}
_SLOTS = {  # word: what it settles, and how
    word: (slot, str(value))
    for slot, values in _EITHER.items()
    for value, line in enumerate(values)
    for word in line.split()
}
_MASKED = re.compile(
    r"\[[^\]\n]{1,40} masquée?\]|(?:https?://|www\.)\S+|(?<![\w.])@\w[\w.-]*", re.I
)
_TOKEN = re.compile(
    r"(?P<hour>\b\d{1,2}\s?[hH](?:\s?\d{2})?\b)"
    r"|(?P<number>\b\d+(?:[ .\u00a0\u202f]\d{3}\b)*(?:,\d+)?)"
    r"|(?P<word>[^\W_]{1,40})|(?P<stop>[.;:!?…\n])"
)
_AFTER_WORDS = re.compile(r"\W*")
_HEADED = re.compile(r"\s?:")  # « Uzès : … » begins with where, not with a capital only
_ENDING = re.compile(r"(?<=\w{4})(?:aient|ement|ees|ent|ait|ant|er|ez|ee|es|e|s|x)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is compared of a text: `stems` in order without repeats, `facts` as (slot, value)."""

    digest: bytes
    word_count: int
    stems: tuple[str, ...]
    names: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    denied: tuple[str, ...]
    is_denial: bool
    is_cut: bool


def read(text: str) -> Reading:
    """Return what is compared of a text: without links, handles, masks, emoji, case, accents."""
    plain = _MASKED.sub(" ", unicodedata.normalize("NFC", seen(text)[:TEXT_LIMIT]))
    tokens = _tokens(plain)
    spoken = [token for token in tokens if token.kind != "stop"]
    content = [token for token in spoken if token.kind == "word" and not token.is_stop]
    stems = tuple(dict.fromkeys(token.stem for token in content))[:MOST_STEMS]
    said = [token.folded for token in spoken if token.folded not in _FRAME]
    denied, is_denial = _denied(tokens)
    return Reading(
        digest=blake2b(" ".join(said).encode("utf-8", "replace"), digest_size=12).digest(),
        word_count=len(said),
        stems=stems,
        names=tuple(dict.fromkeys(token.stem for token in content if token.is_name)),
        facts=_facts(spoken),
        denied=denied,
        is_denial=is_denial,
        is_cut=_is_cut(plain),
    )


def _is_cut(plain: str) -> bool:
    end = _AFTER_WORDS.match(plain[::-1])  # from behind: a search tries each of 2,000 dots anew
    return end is not None and ("…" in end[0] or "..." in end[0])


class _Token(NamedTuple):
    kind: str  # word, number, hour, stop
    folded: str
    stem: str = ""
    is_stop: bool = False
    is_name: bool = False


def _tokens(plain: str) -> list[_Token]:
    """Return the words, numbers and clause ends, with what is a name: by its capital, or a way's.

    A capital says nothing at the start of a sentence (unless a colon follows the word) and in a
    text that shouts.
    """
    spaced = plain.split()
    is_shouted = sum(map(str.isupper, spaced)) * 2 > len(spaced)
    found: list[_Token] = []
    is_start, after_way = True, False
    for match in _TOKEN.finditer(plain):
        kind, word = str(match.lastgroup), match[0]
        if kind != "word":
            found.append(_Token(kind, _value(word)))
            is_start, after_way = kind == "stop", False
            continue
        is_first = is_start and not _HEADED.match(plain, match.end())
        is_capital = word[0].isupper() and not is_shouted and not is_first
        token = _name(word) if is_capital or after_way else _word(word)
        found.append(token)
        after_way = token.folded in _WAYS or (after_way and token.is_stop)
        is_start = is_start and token.is_stop
    return found


def _word(word: str) -> _Token:
    # no cache, though it would save 20 µs a text: it would keep the names in what was deleted
    folded = sys.intern(fold(word))
    stem = sys.intern(_ENDING.sub("", folded))
    if folded in _NUMBERS:
        return _Token("number", _NUMBERS[folded], stem)
    has_digit = not folded.isalpha()  # D981 names a road
    return _Token("word", folded, stem, folded in _STOP, has_digit)


def _name(word: str) -> _Token:
    token = _word(word)
    return token._replace(is_name=token.kind == "word" and not token.is_stop)


def _value(number: str) -> str:
    """Return a number or an hour as all write it: 1 200 and 1.200 alike, 18h and 18 h 00 alike."""
    return re.sub(r"[\s.\u00a0\u202f]", "", number.lower()).removesuffix("h00").removesuffix("h")


def _facts(tokens: list[_Token]) -> tuple[tuple[str, str], ...]:
    """Return each number by what it counts, hours as hours, and days and states by their kind."""
    found: dict[tuple[str, str], None] = {}
    before = ""
    for at, token in enumerate(tokens):
        if token.kind == "word":
            if token.folded in _SLOTS:
                found[_SLOTS[token.folded]] = None
            before = token.stem
            continue
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        counts = after is not None and after.kind == "word" and not after.is_stop
        slot = after.stem if counts and after is not None else before
        if token.kind == "hour" or (after is not None and after.folded in {"heure", "heures"}):
            slot = "hour"
        if slot not in _VAGUE:
            found[slot, token.folded] = None
    return tuple(found)


def _denied(tokens: list[_Token]) -> tuple[tuple[str, ...], bool]:
    """Return the words under a negation, and whether the text calls something untrue.

    « n'arrive pas » denies « arrive », « pas de tornade » the tornado, « pas un fake » no claim.
    """
    if _TURNS.isdisjoint([token.folded for token in tokens]):
        return (), False
    denied: dict[str, None] = {}
    is_denial = False
    behind_ne, reach = 0, 0  # words left in which a verb or what it bears on is looked for
    for token in tokens:
        word = token.folded
        if token.kind == "stop" or word in _CLAUSE:
            behind_ne = reach = 0
        elif word in {"n", "ne"}:
            behind_ne = 4
        elif word in _NOT or (word == "plus" and behind_ne):
            behind_ne, reach = 0, 4
        elif token.kind == "word" and not token.is_stop:
            if behind_ne or reach:
                denied[token.stem] = None
            is_denial |= word in _DENIAL and not (behind_ne or reach)
            reach = 0
        behind_ne, reach = max(0, behind_ne - 1), max(0, reach - 1)
    return tuple(denied), is_denial
