"""What people search for: words as in watches, and filters such as `ton:négatif du:2026-01-18`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from difflib import get_close_matches
from enum import StrEnum

from veille.domain.errors import QueryError
from veille.domain.query import And, Node, Not, Or, Query, Term, parse_query
from veille.domain.text import fold

MAX_CHARS = 500
MAX_WORDS = 32
"""Each word is a list that is read to its end at worst; FTS5 stops at a depth of 256."""
MAX_FILTERS = 16
MIN_PREFIX = 3
"""Letters before a `*`: `a*` would merge the lists of a tenth of all words."""
_YEARS = range(1970, 2200)

_QUOTES = str.maketrans("“”„«»＂", '""""""')
_TOKEN = re.compile(r'"[^"]*"|[()]|[^\s()"]+|"')
_FILTER = re.compile(r"(-?)([^\W\d_]+):(.*)", re.DOTALL)
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)


class Field(StrEnum):
    """What a filter is about; the value is its English name."""

    SOURCE = "source"
    TOPIC = "topic"
    TONE = "tone"
    INTENT = "intent"
    URGENCY = "urgency"
    PLACE = "place"
    AUTHOR = "author"
    STATE = "state"
    SEVERITY = "severity"
    RULE = "rule"
    SINCE = "since"
    UNTIL = "until"


FRENCH: Mapping[Field, str] = {
    Field.SOURCE: "source", Field.TOPIC: "sujet", Field.TONE: "ton", Field.INTENT: "intention",
    Field.URGENCY: "urgence", Field.PLACE: "lieu", Field.AUTHOR: "auteur", Field.STATE: "etat",
    Field.SEVERITY: "gravite", Field.RULE: "regle", Field.SINCE: "du", Field.UNTIL: "au",
}  # fmt: skip
"""How each filter is written in French; accents do not matter."""
VALUES: Mapping[Field, Mapping[str, str]] = {
    Field.TONE: {
        "negative": "négatif", "neutral": "neutre", "positive": "positif", "undecided": "indécis",
    },
    Field.INTENT: {
        "distress": "détresse", "threat": "menace", "insult": "insulte", "irony": "ironie",
        "rumor": "rumeur", "complaint": "réclamation", "criticism": "critique",
        "request": "demande", "question": "question", "thanks": "remerciement",
        "information": "information", "undecided": "indécis",
    },
    Field.URGENCY: {"urgent": "urgent", "normal": "normal"},
    Field.STATE: {
        "new": "nouveau", "taken": "pris", "waiting": "attente", "answered": "répondu",
        "closed": "clos", "reported": "signalé", "out_of_scope": "hors-sujet",
    },
    Field.SEVERITY: {"critical": "critique", "warning": "attention", "info": "info"},
}  # fmt: skip
"""The values a filter may have and their French words, where that is a closed set."""
_NAMES = {name: field for field in Field for name in (field.value, FRENCH[field])}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One of these values, or with `is_excluded` none of them; times are not filters."""

    field: Field
    values: tuple[str, ...]
    is_excluded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A parsed search, all parts of which must hold: words, filters, `since` <= received < `until`.

    `text` is as written. `words.root` is an empty And when there are only filters.
    """

    text: str
    words: Query
    filters: tuple[Filter, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    @property
    def has_words(self) -> bool:
        """Whether words are searched, not filters alone."""
        return self.words.root != And(())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    field: Field
    value: str
    is_excluded: bool
    column: int


def parse_search(text: str, *, zone: tzinfo, topics: Mapping[str, str]) -> Search:
    """Return the search written as words, "phrases", AND, OR, NOT and filters `name:value`.

    Words are as in watches, but `#word` finds the word too. A filter named twice holds for either
    value; `-name:value` excludes. `topics` are names by id; either may be written. Days are those
    of `zone`, `au:` included. Raises QueryError with key, column and remedy.
    """
    if len(text) > MAX_CHARS:
        raise QueryError(
            f"search: longer than {MAX_CHARS} characters: shorten it", key="long", most=MAX_CHARS
        )
    plain = text.translate(_QUOTES)
    written = list(_written(plain))
    rest = _blank(plain, [span for _, span in written])
    words = parse_query(rest)
    _check(words.root)
    parts = [part for part, _ in written]
    days = {part.field: part for part in parts if part.field in {Field.SINCE, Field.UNTIL}}
    since, until = days.get(Field.SINCE), days.get(Field.UNTIL)
    return Search(
        text=text.strip(),
        words=words,
        filters=_filters(parts, topics),
        since=None if since is None else _start(since, zone),
        until=None if until is None else _start(until, zone, days=1),
    )


def write_filter(field: Field, value: str) -> str:
    """Return a filter as a French reader writes it, `ton:négatif`; what has spaces is quoted."""
    word = VALUES.get(field, {}).get(value, value).replace('"', " ")
    is_plain = re.fullmatch(r"[^\s()\"“”„«»＂]+", word) is not None
    return f"{FRENCH[field]}:{word}" if is_plain else f'{FRENCH[field]}:"{word}"'


def without(text: str, field: Field, value: str, *, topics: Mapping[str, str]) -> str:
    """Return a search that parses without this filter, however it was written."""
    kept = text.translate(_QUOTES)
    for part, span in reversed(list(_written(kept))):
        if part.field is field and not part.is_excluded and _value(part, topics) == value:
            kept = _blank(kept, [span])
    return " ".join(kept.split())


def _written(plain: str) -> Iterator[tuple[_Written, tuple[int, int]]]:
    """Yield each filter with where it stands; QueryError for one inside an alternative."""
    tokens = list(_TOKEN.finditer(plain))
    depth = 0
    for at, token in enumerate(tokens):
        depth += (token[0] == "(") - (token[0] == ")")
        found = _FILTER.fullmatch(token[0])
        field = None if found is None else _field(found[2], token.start() + 1)
        if found is None or field is None:
            continue
        value, end = found[3], token.end()
        if not value and at + 1 < len(tokens) and tokens[at + 1].start() == end:
            value, end = tokens[at + 1][0], tokens[at + 1].end()
        column = token.start() + 1
        before = tokens[at - 1][0] if at else ""
        after = next((t[0] for t in tokens[at + 1 :] if t.start() >= end), "")
        if depth > 0 or "OR" in {before, after} or before == "NOT":
            raise _wrong(column, "inside", "a filter holds for the whole search: write it apart")
        value = value.strip('"').strip()
        if not value or value in {"(", ")"}:
            raise _wrong(column, "valueless", f"nothing after {found[2]}: — write a value")
        yield _Written(
            field=field, value=value, is_excluded=bool(found[1]), column=column
        ), (token.start(), end)  # fmt: skip


def _field(name: str, column: int) -> Field | None:
    """Return the filter of this name, None for a word with a colon; QueryError for a near miss."""
    folded = fold(name)
    if folded in _NAMES:
        return _NAMES[folded]
    near = get_close_matches(folded, _NAMES, n=1, cutoff=0.8)
    if near:
        problem = f"{name}: is no filter: did you mean {near[0]}:?"
        raise _wrong(column, "unknown", problem, name=name, near=near[0])
    return None


def _blank(plain: str, spans: list[tuple[int, int]]) -> str:
    """Return the text with spaces for filters and an AND beside them: columns stay."""
    kept = list(plain)
    for start, end in spans:
        kept[start:end] = " " * (end - start)
        # `ton:négatif AND inondation`: what joins a filter to words is nothing to the words
        joined = re.match(r"\s*AND(?=\s|$)", "".join(kept[end:]))
        if joined:
            kept[end : end + joined.end()] = " " * joined.end()
        led = re.search(r"(?:^|\s)AND\s*$", "".join(kept[:start]))
        if led and not joined:
            kept[led.start() : start] = " " * (start - led.start())
    return "".join(kept)


def _filters(parts: list[_Written], topics: Mapping[str, str]) -> tuple[Filter, ...]:
    grouped: dict[tuple[Field, bool], list[str]] = {}
    for part in parts:
        if part.field not in {Field.SINCE, Field.UNTIL}:
            value = _value(part, topics)
            grouped.setdefault((part.field, part.is_excluded), []).append(value)
    if sum(map(len, grouped.values())) > MAX_FILTERS:
        raise QueryError(
            f"search: more than {MAX_FILTERS} filters: drop some", key="filters", most=MAX_FILTERS
        )
    return tuple(
        Filter(field=field, values=tuple(dict.fromkeys(values)), is_excluded=is_excluded)
        for (field, is_excluded), values in grouped.items()
    )


def _value(part: _Written, topics: Mapping[str, str]) -> str:
    known = topics if part.field is Field.TOPIC else VALUES.get(part.field)
    if known is None:
        return part.value
    wanted = fold(part.value)
    found = {fold(word): value for value, name in known.items() for word in (value, name)}
    if wanted in found:
        return found[wanted]
    if part.field is Field.TOPIC and not topics:  # nothing says which there are
        return part.value
    choices = list(known.values())
    near = get_close_matches(wanted, list(found), n=1)
    listed = known[found[near[0]]] if near else ", ".join(choices[:12])
    name = FRENCH[part.field]
    problem = f"{name}: has no value {part.value!r}: write {listed}"
    raise _wrong(part.column, "value", problem, name=name, value=part.value, known=listed)


def _start(part: _Written, zone: tzinfo, *, days: int = 0) -> datetime:
    """Return when the day begins, or the one `days` later; UTC."""
    found = _DAY.fullmatch(part.value)
    if part.is_excluded or found is None:
        raise _not_a_day(part)
    year, month, day = found.group(1, 2, 3) if found[1] else found.group(6, 5, 4)
    try:
        first = date(int(year), int(month), int(day)) + timedelta(days=days)
    except (ValueError, OverflowError) as error:
        raise _not_a_day(part) from error
    if first.year not in _YEARS:
        raise _not_a_day(part)
    return datetime.combine(first, time(), tzinfo=zone).astimezone(UTC)


def _not_a_day(part: _Written) -> QueryError:
    name = FRENCH[part.field]
    problem = f"{name}: takes a day: write {name}:2026-01-18"
    return _wrong(part.column, "day", problem, name=name)


def _check(root: Node) -> None:
    """QueryError for what no index answers: only exclusions, short beginnings, many words."""
    terms = list(_terms(root))
    if len(terms) > MAX_WORDS:
        raise QueryError(f"search: more than {MAX_WORDS} words", key="many", most=MAX_WORDS)
    for term in terms:
        if any(is_prefix for _, is_prefix in term.parts[:-1]):
            raise QueryError("search: in a phrase only the last word may end in *", key="inner")
        word, is_prefix = term.parts[-1]
        if is_prefix and len(word) < MIN_PREFIX:
            raise QueryError(
                f"search: {word}* is too short: write {MIN_PREFIX} letters before *",
                key="short",
                word=word,
                least=MIN_PREFIX,
            )
    if root != And(()) and not _is_wanted(root):
        raise QueryError("search: it only excludes: add a word to look for", key="excluding")


def _terms(node: Node) -> Iterator[Term]:
    match node:
        case Term():
            yield node
        case Not(node=inner):
            yield from _terms(inner)
        case And(nodes=nodes) | Or(nodes=nodes):
            for inner in nodes:
                yield from _terms(inner)


def _is_wanted(node: Node) -> bool:
    """Whether some words must be there, and what is excluded is words that may be looked for."""
    match node:
        case Term():
            return True
        case Not():
            return False
        case Or(nodes=nodes):
            return all(map(_is_wanted, nodes))
        case And(nodes=nodes):
            wanted = [inner for inner in nodes if not isinstance(inner, Not)]
            excluded = [inner.node for inner in nodes if isinstance(inner, Not)]
            return bool(wanted) and all(map(_is_wanted, [*wanted, *excluded]))


def _wrong(column: int, key: str, problem: str, **values: object) -> QueryError:
    return QueryError(f"search: column {column}: {problem}", key=key, column=column, **values)
