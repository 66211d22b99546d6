"""Rule files to a RuleSet: everything wrong is said at once, each with file:line:column."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from veille.domain.alert import Severity
from veille.domain.errors import InputError, RuleError
from veille.domain.ids import content_hash
from veille.domain.text import printable
from veille.rules.annotations import EXPECTED, NAMES, Template, parse_template
from veille.rules.build import Build
from veille.rules.fields import Reader
from veille.rules.lint import impossible
from veille.rules.matchers import Where, compile_where
from veille.rules.model import GROUP_FIELDS, TRENDS, CountBy, Params, Rule, RuleKind, RuleSet
from veille.rules.params import Ratio
from veille.rules.parse_composite import check_composites
from veille.rules.parse_kinds import KIND_KEYS, KINDS, MAX_COUNT, Given, read_params
from veille.rules.spike import Spike
from veille.rules.yaml_nodes import MAX_BYTES, Fields, Findings, Items, Node, Scalar, read, shown

TEST_SUFFIX = "_test.yml"
TOPICS_FILE = "topics.yml"
"""Stands among the rules and holds none: `rules/topics.py` reads it."""
RULE_KEYS = (
    "id", "kind", "where", "group_by", "for", "keep_firing_for", "group_wait", "exclude_own",
    "severity", "flag", "labels", "annotations", "enabled", "shadow", "owner", "runbook",
    *KIND_KEYS,
)  # fmt: skip
"""Every field a rule may have; those of KIND_KEYS belong to some kinds only."""
FEEDING = ("id", "kind", "where", "group_by", "exclude_own", "own", "of", "late_by")
ANNOTATIONS = ("summary", "description", "actions")
LATE_BY = timedelta(hours=6)
"""Default `late_by`; a trend's is its window at most, else a source that catches up is one."""
MAX_TOTAL = 2 * 1024 * 1024
"""Of all files: thousands of rules, some seconds to read."""
MAX_CLEAR = 10_000_000_000
"""Largest `clear_below`: that of what a `reach` rule adds up."""
MAX_LINE = 200
MAX_WINDOW = timedelta(days=7)
"""Longest `window`: a restart reads the store back that far."""

_ID = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_HTTPS = re.compile(r"https://[^\s<>\"'@/?#]+(?:[/?#][^\s<>\"']*)?")
_LABEL = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_RESERVED = ("severity", "rule", *(name for name in GROUP_FIELDS if name != "topic"))
_SECOND, _DAY, _NONE = timedelta(seconds=1), timedelta(days=1), timedelta(0)


def rule_files(directory: Path) -> dict[str, bytes]:
    """Return the rule files (`*.yml` without `*_test.yml`) of a folder by path, sorted.

    RuleError when the folder or a file cannot be read. A file over the size limit is cut just
    above it, so that parsing refuses it.
    """
    try:
        paths = yaml_files(directory)
        return {str(p): read_file(p) for p in paths if not p.name.endswith(TEST_SUFFIX)}
    except OSError as error:
        raise RuleError(f"{directory}: cannot read the rules: {error.strerror}") from error


def yaml_files(directory: Path) -> list[Path]:
    """Return the `*.yml` of a folder but its topics, sorted.

    RuleError for `*.yaml`, which would be forgotten.
    """
    paths = sorted(directory.iterdir())
    for path in paths:
        if path.suffix == ".yaml":
            raise RuleError(f"{path}: rename it to {path.stem}.yml, rules are read from *.yml")
    return [path for path in paths if path.suffix == ".yml" and path.name != TOPICS_FILE]


def read_file(path: Path) -> bytes:
    """Return the first bytes of a file, at most one more than may be parsed; OSError passes."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """The rules of a file in which nothing is wrong."""

    data: bytes
    rules: tuple[Rule, ...]
    disabled: tuple[str, ...]
    places: Mapping[str, str]
    """`file:line` by id, of disabled ones too."""


def parse_rules(
    files: Mapping[str, bytes],
    *,
    topics: Sequence[str] = (),
    sources: Mapping[str, str] = MappingProxyType({}),
) -> RuleSet:
    """Return the rules of all files, in the order of file names; ids are unique over files.

    `topics` are those that a rule may name; without any, names are not checked. `sources` are the
    names of sources by id, for the sentences of alerts.
    Raises RuleError with every finding, one a line, sorted by file and place.
    """
    return joined(parse_files(files, topics=topics), sources=sources)


def joined(
    files: Mapping[str, RuleFile], *, sources: Mapping[str, str] = MappingProxyType({})
) -> RuleSet:
    """Return the rules of all files, in the order of file names, with the names of sources."""
    found = [files[name] for name in sorted(files)]
    return RuleSet(
        rules=tuple(
            replace(rule, sources=sources) if sources and "source" in rule.group_by else rule
            for file in found
            for rule in file.rules
        ),
        disabled=tuple(name for file in found for name in file.disabled),
    )


def parse_files(
    files: Mapping[str, bytes],
    *,
    topics: Sequence[str] = (),
    known: Mapping[str, RuleFile] = MappingProxyType({}),
) -> dict[str, RuleFile]:
    """Return what `parse_rules` joins; raises RuleError as it does.

    Of `known`, parsed with the same topics, files with the same bytes are taken as they are.
    """
    if (size := sum(map(len, files.values()))) > MAX_TOTAL:
        raise RuleError(f"the rule files hold {size} bytes, over {MAX_TOTAL}: remove some")
    found: dict[str, RuleFile] = {}
    problems: list[str] = []
    seen: dict[str, str] = {}
    for name, data in sorted(files.items()):
        file = known.get(name)
        # an id that stands elsewhere by now is told with its place, which parsing finds
        if file is None or file.data != data or not seen.keys().isdisjoint(file.places):
            findings = Findings(name)
            file = _file(data, findings, seen, topics)
            problems.extend(findings)
        found[name] = file
        for rule, place in file.places.items():
            seen.setdefault(rule, place)
    if problems:
        raise RuleError("\n".join(problems))
    return found


def _file(
    data: bytes, findings: Findings, elsewhere: Mapping[str, str], topics: Sequence[str]
) -> RuleFile:
    """Return the rules of a file; one with findings is of no use."""
    name, places = findings.file, dict[str, str]()
    rules: list[Rule] = []
    disabled: list[str] = []
    written: list[tuple[Reader, Rule]] = []
    for node in _rule_nodes(data, findings):
        reader = Reader(node, findings, RULE_KEYS)
        if not isinstance(node, Fields):
            continue
        if findings.is_full:
            break
        rule = _rule(reader, name, topics)
        for field, why in impossible(rule):
            reader.wrong(field, why)
        if rule.id and (place := elsewhere.get(rule.id) or places.get(rule.id)):
            reader.wrong("id", f'"{rule.id}" is already at {place}: choose another')
        places.setdefault(rule.id, f"{name}:{rule.line}")
        written.append((reader, rule))
        if reader.truth("enabled", default=True):
            rules.append(rule)
        else:
            disabled.append(rule.id)
    check_composites(written, disabled)
    return RuleFile(data=data, rules=tuple(rules), disabled=tuple(disabled), places=places)


def _rule_nodes(data: bytes, findings: Findings) -> tuple[Node, ...]:
    root = read(data, findings)
    if root is None:
        if not list(findings):
            findings.add(Node(1, 1), "the file is empty: write a list under rules:")
        return ()
    return Reader(root, findings, ("rules",)).items("rules")


def _rule(reader: Reader, file: str, topics: Sequence[str]) -> Rule:
    kind = RuleKind(reader.choice("kind", tuple(KINDS)))
    group_by = reader.names("group_by", KINDS[kind].group_by, ("watch",))
    name, default = KINDS[kind].window
    window = reader.duration(name, default, _SECOND, MAX_WINDOW)
    authors = 1 if "author" in group_by else KINDS[kind].min_authors
    late_by = min(window, LATE_BY) if kind in TRENDS else LATE_BY
    is_known = reader.text("kind") == kind  # else what it misses is not what is wrong
    params = read_params(reader, kind, Given(window, topics)) if is_known else None
    return Rule(
        id=_id(reader),
        version=content_hash(_canonical(reader.node))[:12],
        kind=kind,
        where=_where(reader, topics),
        window=window,
        group_by=group_by,
        severity=Severity(reader.choice("severity", tuple(Severity))),
        count_by=CountBy(reader.choice("count_by", tuple(CountBy), CountBy.CLUSTERS)),
        min_count=reader.integer("min_count", 1, 1, MAX_COUNT),
        min_authors=reader.integer("min_authors", authors, 1, MAX_COUNT),
        params=params,
        clear_below=(
            reader.integer("clear_below", 1, 1, MAX_CLEAR) if reader.has("clear_below") else None
        ),
        hold=reader.duration("for", _NONE, _NONE, _DAY),
        keep_firing=reader.duration("keep_firing_for", _NONE, _NONE, _DAY * 7),
        group_wait=(
            reader.duration("group_wait", _NONE, _NONE, _DAY) if reader.has("group_wait") else None
        ),
        late_by=reader.duration("late_by", late_by, _NONE, _DAY * 365),
        exclude_own=reader.truth("exclude_own", default=True),
        flag=reader.truth("flag", default=False),
        shadow=reader.truth("shadow", default=False),
        owner=_line(reader, "owner"),
        runbook=_runbook(reader),
        labels=_labels(reader, group_by),
        annotations=_annotations(reader, (*group_by, *_words(kind, params))),
        file=file,
        line=reader.node.line,
        feed=_feed(reader),
    )


def _words(kind: RuleKind, params: Params | None) -> tuple[str, ...]:
    """Return the placeholders of a kind's annotations beside those all have."""
    expected = (EXPECTED,) if isinstance(params, Spike | Build | Ratio) else ()
    return (*expected, *KINDS[kind].words)


def _feed(reader: Reader) -> str:
    """Return a hash of the fields that decide what a rule remembers."""
    written = (f"{k}:{_canonical(reader.fields[k])}" for k in FEEDING if k in reader.fields)
    return content_hash(*written)[:12]


def _id(reader: Reader) -> str:
    text = reader.text("id")
    if not reader.has("id"):
        reader.wrong("id", "missing: name the rule with a to z, 0 to 9 and _")
    elif not _ID.fullmatch(text):
        reader.wrong("id", f'"{text[:60]}": use a to z, 0 to 9 and _, up to 64')
        return ""
    return text


def _line(reader: Reader, name: str) -> str | None:
    if not reader.has(name):
        return None
    text = reader.text(name)
    if len(text) > MAX_LINE or text != " ".join(text.split()) or text != printable(text):
        reader.wrong(name, f"write one line of up to {MAX_LINE} characters")
    return text


def _runbook(reader: Reader) -> str | None:
    """Return a web address: it becomes a link in alerts."""
    text = _line(reader, "runbook")
    if text is not None and not _HTTPS.fullmatch(text):
        reader.wrong("runbook", "write a whole address that begins with https://, without spaces")
    return text


def _where(reader: Reader, topics: Sequence[str]) -> Where:
    node = reader.fields.get("where")
    return Where() if node is None else compile_where(node, reader.findings, topics)


def _labels(reader: Reader, group_by: Sequence[str]) -> dict[str, str]:
    labels = reader.texts("labels")
    for name in labels:
        if not _LABEL.fullmatch(name):
            reader.wrong("labels", f'"{name[:60]}" is no label name: use a to z, 0 to 9 and _')
        elif name in _RESERVED or name in group_by:
            reader.wrong("labels", f'"{name}" is set by veille: choose another name')
    return labels


def _annotations(reader: Reader, names: tuple[str, ...]) -> dict[str, Template]:
    node = reader.fields.get("annotations")
    if node is None:
        return {}
    inner = Reader(node, reader.findings, ANNOTATIONS)
    found: dict[str, Template] = {}
    for name in ANNOTATIONS:
        if inner.has(name):
            try:
                found[name] = parse_template(inner.text(name), (*NAMES, *names))
            except InputError as error:
                inner.wrong(name, str(error))
    return found


def _canonical(node: Node) -> str:
    """Return what was written without layout, comments and the order of keys."""
    match node:
        case Scalar(text=text):
            return repr(text)
        case Items(nodes=nodes):
            return f"[{','.join(_canonical(item) for item in nodes)}]"
        case Fields(nodes=fields):
            return f"{{{','.join(f'{key!r}:{_canonical(fields[key])}' for key in sorted(fields))}}}"
        case _:
            return shown(node)
