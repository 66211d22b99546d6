"""Boolean queries of watches: parsed once, then tried on every text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from veille.domain.errors import QueryError
from veille.domain.text import fold, words
from veille.domain.watch import Watch

MAX_CHARS = 8_192
MAX_TERMS = 500
MAX_DEPTH = 20

_QUOTES = str.maketrans("“”„«»＂", '""""""')
_TOKEN = re.compile(r'\s*(?:([()])|(-?)"([^"]*)"|-\(|([^\s()"]+)|("))')
_FRENCH = {"ET": "AND", "OU": "OR", "SAUF": "NOT"}
_OPERATORS = ("AND", "OR", "NOT")


class _Folds(dict[int, str]):
    """What each character folds to: three times as fast as `fold` on accented French."""

    def __missing__(self, code: int) -> str:
        folded = fold(chr(code))
        if code < _LATIN_END:  # other scripts are not kept: their characters are too many
            self[code] = folded
        return folded


_LATIN_END = 0x2100
_FOLDS = _Folds()


@dataclass(frozen=True, slots=True)
class Term:
    """Words that must follow each other; `needle` is in every folded text they occur in.

    `parts` are the folded words, each with whether it is only the beginning of one.
    """

    pattern: re.Pattern[str]
    needle: str
    parts: tuple[tuple[str, bool], ...] = ()

    def holds(self, folded: str) -> bool:
        return self.needle in folded and self.pattern.search(folded) is not None


@dataclass(frozen=True, slots=True)
class Not:
    """The inner node does not hold."""

    node: Node

    def holds(self, folded: str) -> bool:
        return not self.node.holds(folded)


@dataclass(frozen=True, slots=True)
class And:
    """Every node holds."""

    nodes: tuple[Node, ...]

    def holds(self, folded: str) -> bool:
        return all(node.holds(folded) for node in self.nodes)


@dataclass(frozen=True, slots=True)
class Or:
    """At least one node holds."""

    nodes: tuple[Node, ...]

    def holds(self, folded: str) -> bool:
        return any(node.holds(folded) for node in self.nodes)


Node = Term | Not | And | Or
_ALL = And(())


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. `needles`: one is in every folded text that matches; None: unknown."""

    text: str
    root: Node
    needles: frozenset[str] | None

    def matches(self, text: str) -> bool:
        """Whether the query holds for this text; case, accents and hyphens do not matter."""
        return self.root.holds(_fold(text))

    def spans(self, text: str) -> tuple[tuple[int, int], ...]:
        """Return where wanted words stand in `text`: sorted, apart, code points, end excluded."""
        pieces = [_FOLDS[ord(character)] for character in text]
        index = [at for at, piece in enumerate(pieces) for _ in piece]
        folded = "".join(pieces)
        found = sorted(
            (index[match.start()], index[match.end() - 1] + 1)
            for term in _wanted(self.root)
            for match in term.pattern.finditer(folded)
        )
        return _merged(found)


class Matcher:
    """The queries of several watches, ready to be tried on many texts."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        """Raise QueryError, naming the watch, when a query does not parse."""
        self._watches = [(watch.id, _parsed(watch)) for watch in watches]
        known = [query.needles for _, query in self._watches]
        # A text without any needle is refused by substring tests alone: the firehose path.
        self._needles = (
            None if None in known else tuple(frozenset[str]().union(*(n for n in known if n)))
        )

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all watches, in the order they were given."""
        return tuple(id_ for id_, _ in self._watches)

    def match(self, text: str) -> tuple[str, ...]:
        """Return the ids of the watches whose query holds, in the order they were given."""
        folded = _fold(text)
        if self._needles is not None:
            for needle in self._needles:
                if needle in folded:
                    break
            else:
                return ()
        return tuple(id_ for id_, query in self._watches if query.root.holds(folded))


def parse_query(text: str) -> Query:
    """Return the query written as words, "phrases", AND, OR, NOT (capitals), parentheses.

    Words side by side must all occur; `-word` is NOT; `inond*` is a prefix. A word also finds its
    hashtag and handle, `#word` only the hashtag. `Saint-Aubin` is the phrase "saint aubin". NOT
    excludes the whole text, even if it also names what is wanted. "" matches everything. Raises
    QueryError with the column (from 1) and the remedy.
    """
    if len(text) > MAX_CHARS:
        raise QueryError(
            f"query: longer than {MAX_CHARS} characters: split it into two watches",
            key="long",
            most=MAX_CHARS,
        )
    root = _Parser(text).parse() if text.strip() else _ALL
    return Query(text, root, _needles(root))


def _fold(text: str) -> str:
    """Return `fold(text)`, but for a Greek final sigma: here it folds as any other."""
    return fold(text) if text.isascii() else text.translate(_FOLDS)


def _parsed(watch: Watch) -> Query:
    try:
        return parse_query(watch.query)
    except QueryError as error:
        raise QueryError(f'watch "{watch.id}": {error}') from error


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # ( ) AND OR NOT term, or "" at the end
    column: int
    node: Term | None = None


class _Parser:
    """Recursive descent: or > and > not > atom."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def parse(self) -> Node:
        node = self._or()
        if self._peek().kind == ")":
            raise _wrong(self._peek().column, "stray", 'this ")" closes nothing: remove it')
        return node

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _or(self) -> Node:
        nodes = [self._and()]
        while self._peek().kind == "OR":
            self._take()
            nodes.append(self._and())
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _and(self) -> Node:
        nodes = [self._not()]
        while self._peek().kind in {"AND", "NOT", "(", "term"}:
            if self._peek().kind == "AND":
                self._take()
            nodes.append(self._not())
        return nodes[0] if len(nodes) == 1 else And(tuple(nodes))

    def _not(self) -> Node:
        is_negated = False
        while self._peek().kind == "NOT":
            self._take()
            is_negated = not is_negated
        node = self._atom()
        return Not(node) if is_negated else node

    def _atom(self) -> Node:
        token = self._take()
        if token.node is not None:
            return token.node
        if token.kind != "(":
            what = f'"{token.kind}"' if token.kind else "the end"
            raise _wrong(token.column, "missing", f"a word is missing before {what}: add it")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            deep = f"more than {MAX_DEPTH} parentheses deep: simplify"
            raise _wrong(token.column, "deep", deep)
        node = self._or()
        if self._take().kind != ")":
            raise _wrong(token.column, "open", 'this "(" is never closed: add ")"')
        self._depth -= 1
        return node


def _tokens(text: str) -> list[_Token]:
    """Return the tokens, the last of kind ""."""
    plain = text.translate(_QUOTES)
    found: list[_Token] = []
    at, end = 0, len(plain.rstrip())
    while at < end:
        match = _TOKEN.match(plain, at)
        if match is None:  # not reachable: every character starts a token
            raise _wrong(at + 1, "stray", "not understood: remove it")
        column = at + len(match[0]) - len(match[0].lstrip()) + 1
        found += _read(match, column)
        at = match.end()
    if sum(token.kind == "term" for token in found) > MAX_TERMS:
        raise QueryError(
            f"query: more than {MAX_TERMS} words: split it into two watches",
            key="many",
            most=MAX_TERMS,
        )
    return [*found, _Token("", len(text) + 1)]


def _read(match: re.Match[str], column: int) -> list[_Token]:
    parenthesis, minus, phrase, word, quote = match.groups()
    if quote:
        raise _wrong(column, "quote", "this quote is never closed: add the closing one")
    if parenthesis:
        return [_Token(parenthesis, column)]
    if phrase is not None:
        term = _Token("term", column, _term(phrase, column))
        return [_Token("NOT", column), term] if minus else [term]
    if word is None:  # "-(": the group that follows is negated
        return [_Token("NOT", column), _Token("(", column + 1)]
    if word in _OPERATORS:
        return [_Token(word, column)]
    if word in _FRENCH:
        remedy = f'write {_FRENCH[word]}, or "{word}" in quotes for the word itself'
        problem = f"{word} is no operator: {remedy}"
        raise _wrong(column, "operator", problem, word=word, operator=_FRENCH[word])
    if word[0] == "-":
        return [_Token("NOT", column), _Token("term", column + 1, _term(word[1:], column))]
    return [_Token("term", column, _term(word, column))]


def _term(written: str, column: int) -> Term:
    """Return the words of a phrase as one pattern over folded text: literals, no backtracking."""
    patterns: list[str] = []
    parts: list[tuple[str, bool]] = []
    needle = ""
    for chunk in _fold(written).split():
        if "*" in chunk[:-1]:
            raise _wrong(column, "star", "* may only end a word: inond*")
        found = words(chunk)
        if chunk[-1] == "*" and not (found and chunk[-2].isalnum()):
            raise _wrong(column, "star", "* needs a word before it: inond*")
        for place, word in enumerate(found):
            is_prefix = chunk[-1] == "*" and place == len(found) - 1
            patterns.append(_pattern(word, is_first=not patterns, is_prefix=is_prefix))
            parts.append((word.lstrip("#@"), is_prefix))
            needle = max(needle, word, key=len)
    if not patterns:
        problem = "no letter or digit to look for: write a word, or quote a phrase"
        raise _wrong(column, "empty", problem)
    return Term(re.compile("".join(patterns)), needle, tuple(parts))


def _pattern(word: str, *, is_first: bool, is_prefix: bool) -> str:
    is_tag = word[0] in "#@"
    before = (
        ("" if is_tag else r"(?<![^\W_])") if is_first else (r"[\W_]*" if is_tag else r"[\W_]+")
    )
    return before + re.escape(word) + (r"[^\W_]*" if is_prefix else r"(?![^\W_])")


def _needles(node: Node) -> frozenset[str] | None:
    match node:
        case Term(needle=needle):
            return frozenset({needle})
        case Or(nodes=nodes):
            found = [_needles(inner) for inner in nodes]
            return None if None in found else frozenset[str]().union(*(f for f in found if f))
        case And(nodes=nodes):
            known = [f for f in map(_needles, nodes) if f is not None]
            return min(known, key=lambda f: (len(f), -min(map(len, f))), default=None)
        case Not():
            return None


def _wanted(node: Node) -> list[Term]:
    match node:
        case Term():
            return [node]
        case Or(nodes=nodes) | And(nodes=nodes):
            return [term for inner in nodes for term in _wanted(inner)]
        case Not():
            return []


def _merged(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _wrong(column: int, key: str, problem: str, **values: object) -> QueryError:
    return QueryError(f"query: column {column}: {problem}", key=key, column=column, **values)
