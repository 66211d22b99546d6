"""The official list of communes, and the words that tell in which département a text is."""

from __future__ import annotations

import lzma
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from veille.domain.errors import ModelError
from veille.domain.text import fold

# The shipped list is 1 MB unpacked: nothing much larger is one.
UNPACKED_LIMIT = 8 * 1024 * 1024
_TOKEN = re.compile(r"[#@]?[^\W_](?:[^\W_]|[\u0300-\u036f])*")
_SPELLED_OUT = {"st": "saint", "ste": "sainte", "au": "le", "du": "le", "aux": "les", "des": "les"}
_DISTRICT = re.compile(r"(Paris|Lyon|Marseille) (\d+)er? Arrondissement")
INSEE_LENGTH = 5
_OVERSEAS = ("97", "98")


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a text: folded, with `st` spelled out and `au`, `du` read as their article."""

    word: str
    start: int
    end: int
    is_capital: bool


@dataclass(frozen=True, slots=True)
class Commune:
    """One official commune or district; `is_ordinary`: its name is also a common word."""

    code: str
    name: str
    population: int
    is_ordinary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """Words that point to communes by INSEE code or département; `codes` empty: abroad."""

    codes: frozenset[str]
    is_sure: bool
    is_capital: bool
    needs_article: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gazetteer:
    """Names by their words joined with spaces; `joined` without, as hashtags write them."""

    communes: Mapping[str, tuple[Commune, ...]]
    joined: Mapping[str, str]
    districts: Mapping[tuple[str, int], Commune]
    clues: Mapping[str, Clue]
    namesakes: Mapping[str, int]
    others: frozenset[str]
    regions: Mapping[str, frozenset[str]]
    codes: Mapping[str, Commune]
    longer: Mapping[str, int]
    """Inhabitants of all communes « Saint-Martin-… », which people call « Saint-Martin » too."""
    reach: Mapping[str, int]
    """How many words the longest name has that begins with this one: most words begin none."""


def department(code: str) -> str:
    """Return the département of an INSEE code: 93066 gives 93, 97411 gives 974."""
    return code[:3] if code.startswith(_OVERSEAS) else code[:2]


def tokens(text: str) -> list[Token]:
    """Return the words of a text in order, with their places in it."""
    found = []
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        raw = match[0]
        word = _word(raw, text[end : end + 1])
        found.append(Token(word, start, end, raw.lstrip("#@")[:1].isupper()))
    return found


def _word(raw: str, following: str) -> str:
    word = fold(raw)
    if word == "s" and following == "/":
        return "sur"
    return _SPELLED_OUT.get(word, word)


def key(name: str) -> str:
    """Return the words of a name, as `tokens` reads them, joined with spaces."""
    if "/" in name:  # « s/ »
        return " ".join(token.word for token in tokens(name))
    return " ".join([_word(raw, "") for raw in _TOKEN.findall(name)])


def read_gazetteer(*, communes: bytes, areas: bytes, clues: bytes) -> Gazetteer:
    """Return the gazetteer of the three files' bytes. Raises ModelError when malformed."""
    try:
        raw = lzma.LZMADecompressor().decompress(communes, max_length=UNPACKED_LIMIT)
        return _gazetteer(raw.decode("utf-8"), _rows(areas), _rows(clues))
    except (lzma.LZMAError, UnicodeDecodeError, ValueError, LookupError) as error:
        raise ModelError(f"list of communes: {error}; install veille again") from error


def _rows(raw: bytes) -> list[list[str]]:
    lines = raw.decode("utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("# ")]


def _gazetteer(raw: str, areas: list[list[str]], clues: list[list[str]]) -> Gazetteer:
    by_name: dict[str, list[Commune]] = defaultdict(list)
    districts: dict[tuple[str, int], Commune] = {}
    codes: dict[str, Commune] = {}
    for code, name, population, flag in (line.split("\t") for line in raw.splitlines()):
        commune = Commune(code, name, int(population), flag == "o")
        codes[code] = commune
        if match := _DISTRICT.fullmatch(name):
            districts[fold(match[1]), int(match[2])] = commune
        else:
            by_name[key(name)].append(commune)
    for name, kind, code, *_ in clues:
        if kind == "short" and not by_name.get(key(name)):
            by_name[key(name)].append(codes[code])
    communes = {name: tuple(rows) for name, rows in by_name.items()}
    signs = dict(_clues(areas, clues, communes))
    others = frozenset(key(row[0]) for row in clues if row[1] == "other")
    return Gazetteer(
        communes=communes,
        joined={name.replace(" ", ""): name for name in communes},
        districts=districts,
        clues=signs,
        namesakes={key(row[0]): int(row[2]) for row in clues if row[1] == "namesake"},
        others=others,
        regions={
            code: frozenset(row[2].split(","))
            for row in areas
            if row[1] == "region"
            for code in row[2].split(",")
        },
        codes=codes,
        longer=_longer(communes),
        reach=_reach((*communes, *signs, *others)),
    )


def _reach(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for words in map(str.split, names):
        found[words[0]] = max(len(words), found.get(words[0], 0))
    return found


def _longer(communes: Mapping[str, tuple[Commune, ...]]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for name, rows in communes.items():
        parts = name.split()
        if parts[0] in {"saint", "sainte"} and len(parts) > len(("saint", "martin")):
            found[" ".join(parts[:2])] += sum(commune.population for commune in rows)
    return dict(found)


def _clues(
    areas: list[list[str]], clues: list[list[str]], communes: Mapping[str, tuple[Commune, ...]]
) -> Iterator[tuple[str, Clue]]:
    for name, kind, codes in areas:
        # « Loire », « Nord », « Manche » alone are rivers, winds and seas as often as départements
        # and « Saint-Martin » is a commune more often than the island
        river = kind == "departement" and len(key(name).split()) == 1
        bare = river or len(communes.get(key(name), ())) > 1
        held = frozenset(codes.split(","))
        yield key(name), Clue(codes=held, is_sure=True, is_capital=True, needs_article=bare)
    for name, kind, codes, *_ in clues:
        if kind in {"sure", "hint", "abroad"}:
            yield (
                key(name),
                Clue(
                    codes=frozenset() if kind == "abroad" else frozenset(codes.split(",")),
                    is_sure=kind != "hint",
                    is_capital=name != name.lower(),
                    needs_article=False,
                ),
            )
