"""YAML as located nodes: bounded, without aliases, tags or duplicate keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice

import yaml

from veille.domain.errors import InputError
from veille.domain.text import printable

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
"""Nested collections; PyYAML's C composer recurses and crashes on deep ones."""
MAX_FINDINGS = 100
"""Of one file: a hostile one has a hundred thousand, and each looks for what was meant."""
MAX_NAMES = 300
"""Names among which the one that was meant is looked for: 10 us each."""
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml, where PyYAML was built with it: ten times faster on a file of 1,000 rules."""

_OPEN = (
    yaml.BlockMappingStartToken, yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken,
)  # fmt: skip
_CLOSE = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


@dataclass(frozen=True, slots=True)
class Node:
    """A place in a file: `line` and `column` count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar(Node):
    """A single value as written; `is_quoted` tells `"yes"` from `yes`, "" unquoted is no value."""

    text: str
    is_quoted: bool


@dataclass(frozen=True, slots=True)
class Items(Node):
    """A list."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Fields(Node):
    """A mapping: the key's own place beside each value, for messages about the key."""

    nodes: dict[str, Node]
    keys: dict[str, Scalar]


class Findings:
    """Everything wrong in one file, in the order it was found, up to MAX_FINDINGS."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: list[tuple[int, int, str]] = []

    @property
    def is_full(self) -> bool:
        """Whether there are so many that nobody would read more."""
        return len(self.lines) >= MAX_FINDINGS

    def add(self, node: Node, message: str) -> None:
        """Note that `message` is wrong at `node`; it stays on one line, whatever it quotes."""
        if self.is_full:
            return
        self.lines.append((node.line, node.column, " ".join(printable(message).split())))

    def __iter__(self) -> Iterator[str]:
        """Yield `file:line:column: message`, top down."""
        for line, column, message in sorted(self.lines):
            yield f"{self.file}:{line}:{column}: {message}"
        if self.is_full:
            yield f"{self.file}: {MAX_FINDINGS} findings: mend these first, there may be more"


def read(data: bytes, findings: Findings) -> Node | None:
    """Return the one document in `data`; None when it cannot be read, and findings say why."""
    if len(data) > MAX_BYTES:
        findings.add(Node(1, 1), f"the file is over {MAX_BYTES // 1024} KiB: split it")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        findings.add(Node(line, 1), "this is not UTF-8: save the file as UTF-8")
        return None
    try:
        _check_tokens(text)
        root = yaml.compose(text, Loader=_LOADER)
    except _RefusedError as refused:
        findings.add(refused.node, str(refused))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = _place(mark) if mark else Node(1, 1)
        problem = error.problem or error.context or ""
        findings.add(place, f"this is not YAML: {problem}{_remedy(problem, place, text)}")
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML's scanner lets chr() and int() raise on escapes and directives out of range
        findings.add(Node(1, 1), f"this is not YAML: {str(error).splitlines()[0]}")
    else:
        return None if root is None else _convert(root, findings)
    return None


class _RefusedError(InputError):
    def __init__(self, node: Node, message: str) -> None:
        super().__init__(message)
        self.node = node


def _remedy(problem: str, place: Node, text: str) -> str:
    """Return what to write instead, for the mistakes that people make; "" for all others."""
    line = next(islice(text.splitlines(), place.line - 1, None), "")
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return ": indent with spaces, not with tabs"
    if problem == "mapping values are not allowed in this context":
        return ': align it with the line before, or put text that holds ": " in quotes'
    if "comment or line break" in problem or line[place.column - 1 : place.column] in {*"@`%>|"}:
        return ": put it in quotes"
    return ""


def _place(mark: yaml.Mark) -> Node:
    return Node(mark.line + 1, mark.column + 1)


def _check_tokens(text: str) -> None:
    """Raise before composing: the scanner does not recurse, so it may read anything."""
    depth = 0
    for token in yaml.scan(text, Loader=_LOADER):
        if isinstance(token, _OPEN):
            depth += 1
        elif isinstance(token, _CLOSE):
            depth -= 1
        elif isinstance(token, yaml.AnchorToken | yaml.AliasToken):
            message = "anchors (&) and aliases (*) are refused: write the value at each place"
            raise _RefusedError(_place(token.start_mark), message)
        elif isinstance(token, yaml.TagToken):
            message = "tags (!) are refused: write the value alone, in quotes if it begins with !"
            raise _RefusedError(_place(token.start_mark), message)
        if depth > MAX_DEPTH:
            raise _RefusedError(
                _place(token.start_mark), f"nested deeper than {MAX_DEPTH}: flatten it"
            )


def _convert(node: yaml.Node, findings: Findings) -> Node:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if isinstance(node, yaml.ScalarNode):
        return Scalar(line, column, node.value, bool(node.style))  # libyaml: "" of a plain one
    if isinstance(node, yaml.SequenceNode):
        return Items(line, column, tuple(_convert(item, findings) for item in node.value))
    fields = Fields(line, column, {}, {})
    for key_node, value in node.value:
        key = _convert(key_node, findings)
        if not isinstance(key, Scalar):
            findings.add(key, "a key is a single word")
        elif key.text in fields.nodes:
            findings.add(key, f'"{key.text}" stands twice: keep one')
        else:
            fields.nodes[key.text] = _convert(value, findings)
            fields.keys[key.text] = key
    return fields


def shown(node: Node) -> str:
    """Return what a node is, for messages."""
    match node:
        case Scalar(text="", is_quoted=False):
            return "nothing"
        case Scalar(text=text):
            return f'"{text[:60]}"'
        case Items():
            return "a list"
        case _:
            return "a mapping"


def suggest(name: str, known: Sequence[str]) -> str:
    """Return the remedy for an unknown name: the closest known one, else all of them."""
    if not 0 < len(known) <= MAX_NAMES:
        return f"check the name: {len(known)} are known"
    close = get_close_matches(name, known, n=1)
    return f'did you mean "{close[0]}"?' if close else f"known: {', '.join(known)}"
