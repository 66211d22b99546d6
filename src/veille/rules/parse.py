"""Rule files to a RuleSet: everything wrong is said at once, each with file:line:column."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from veille.domain.alert import Severity
from veille.domain.errors import InputError, RuleError
from veille.domain.ids import content_hash
from veille.rules.annotations import EXPECTED, NAMES, Template, parse_template
from veille.rules.fields import Reader
from veille.rules.matchers import Where, compile_where
from veille.rules.model import GROUP_FIELDS, SPIKE_GROUP_FIELDS, CountBy, Rule, RuleKind, RuleSet
from veille.rules.parse_spike import SPIKE_KEYS, read_spike, refuse_spike_keys
from veille.rules.yaml_nodes import MAX_BYTES, Fields, Findings, Items, Node, Scalar, read, shown

TEST_SUFFIX = "_test.yml"
TOPICS_FILE = "topics.yml"
"""Stands among the rules and holds none: `rules/topics.py` reads it."""
RULE_KEYS = (
    "id", "kind", "where", "window", "group_by", "for", "keep_firing_for", "group_wait",
    "count_by", "min_count", "min_authors", "exclude_own", "late_by", "severity", "flag", "labels",
    "annotations", "enabled", *SPIKE_KEYS,
)  # fmt: skip
ANNOTATIONS = ("summary", "description", "actions")
MAX_COUNT = 10_000
"""Largest `min_count`: a tenth of what an engine keeps for one rule."""
SPIKE_AUTHORS = 2
"""Default `min_authors` of a spike rule: one author alone cannot page anybody."""
LATE_BY = timedelta(hours=6)
"""Default `late_by`; a spike's is its window at most, else a source that catches up is one."""
MAX_WINDOW = timedelta(days=7)
"""Longest `window`: a restart reads the store back that far."""

_ID = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
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


def parse_rules(files: Mapping[str, bytes], *, topics: Sequence[str] = ()) -> RuleSet:
    """Return the rules of all files, in the order of file names; ids are unique over files.

    `topics` are those that a rule may name; without any, names are not checked.
    Raises RuleError with every finding, one a line, sorted by file and place.
    """
    rules: list[Rule] = []
    disabled: list[str] = []
    problems: list[str] = []
    seen: dict[str, str] = {}
    for name in sorted(files):
        findings = Findings(name)
        for node in _rule_nodes(files[name], findings):
            reader = Reader(node, findings, RULE_KEYS)
            if not isinstance(node, Fields):
                continue
            rule = _rule(reader, name, topics)
            if rule.id and rule.id in seen:
                reader.wrong("id", f'"{rule.id}" is already at {seen[rule.id]}: choose another')
            seen.setdefault(rule.id, f"{name}:{rule.line}")
            if reader.truth("enabled", default=True):
                rules.append(rule)
            else:
                disabled.append(rule.id)
        problems.extend(findings)
    if problems:
        raise RuleError("\n".join(problems))
    return RuleSet(rules=tuple(rules), disabled=tuple(disabled))


def _rule_nodes(data: bytes, findings: Findings) -> tuple[Node, ...]:
    root = read(data, findings)
    if root is None:
        if not list(findings):
            findings.add(Node(1, 1), "the file is empty: write a list under rules:")
        return ()
    return Reader(root, findings, ("rules",)).items("rules")


def _rule(reader: Reader, file: str, topics: Sequence[str]) -> Rule:
    kind = RuleKind(reader.choice("kind", tuple(RuleKind)))
    is_spike = kind is RuleKind.SPIKE
    fields = SPIKE_GROUP_FIELDS if is_spike else GROUP_FIELDS
    group_by = reader.names("group_by", fields, ("watch",))
    window = reader.duration("window", timedelta(minutes=15), _SECOND, MAX_WINDOW)
    _check_kind(reader, kind)
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
        min_authors=reader.integer("min_authors", SPIKE_AUTHORS if is_spike else 1, 1, MAX_COUNT),
        spike=read_spike(reader, window) if is_spike else None,
        hold=reader.duration("for", _NONE, _NONE, _DAY),
        keep_firing=reader.duration("keep_firing_for", _NONE, _NONE, _DAY * 7),
        group_wait=(
            reader.duration("group_wait", _NONE, _NONE, _DAY) if reader.has("group_wait") else None
        ),
        late_by=reader.duration(
            "late_by", min(window, LATE_BY) if is_spike else LATE_BY, _NONE, _DAY * 365
        ),
        exclude_own=reader.truth("exclude_own", default=True),
        flag=reader.truth("flag", default=False),
        labels=_labels(reader, group_by),
        annotations=_annotations(reader, (*group_by, EXPECTED) if is_spike else group_by),
        file=file,
        line=reader.node.line,
    )


def _id(reader: Reader) -> str:
    text = reader.text("id")
    if not reader.has("id"):
        reader.wrong("id", "missing: name the rule with a to z, 0 to 9 and _")
    elif not _ID.fullmatch(text):
        reader.wrong("id", f'"{text[:60]}": use a to z, 0 to 9 and _, up to 64')
        return ""
    return text


def _check_kind(reader: Reader, kind: RuleKind) -> None:
    if kind is RuleKind.SPIKE:
        return
    refuse_spike_keys(reader)
    if kind is RuleKind.COUNT:
        if not reader.has("min_count"):
            reader.wrong("min_count", "missing: a count rule says how many mentions fire it")
        return
    for name in ("min_count", "min_authors"):
        if reader.has(name):
            reader.wrong(name, "a mention rule fires for a single one: remove it, or kind: count")
    where = reader.fields.get("where")
    if where is None or (isinstance(where, Fields) and not where.nodes):
        reader.wrong("where", "missing or empty: a mention rule says which mentions")


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
