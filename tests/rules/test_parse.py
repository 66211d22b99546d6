"""Rule files: everything wrong is said at once, with its place; hostile files are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.errors import RuleError
from veille.rules.parse import joined, parse_files, parse_rules, rule_files

GOOD = """
rules:
  - id: calls
    kind: count
    where: {urgency.label: urgent}
    min_count: 3
    severity: critical
    annotations: {summary: "{count} appels en {window}, {watch}"}
"""


def parse(text: str, name: str = "r.yml"):
    return parse_rules({name: text.encode()})


def refusal(text: str | bytes) -> str:
    with pytest.raises(RuleError) as caught:
        parse_rules({"r.yml": text if isinstance(text, bytes) else text.encode()})
    return str(caught.value)


def test_a_rule_has_the_documented_defaults():
    (rule,) = parse(GOOD).rules
    assert rule.window.total_seconds() == 900
    assert rule.late_by.total_seconds() == 6 * 3600
    assert rule.group_by == ("watch",)
    assert rule.exclude_own
    assert not rule.flag
    assert rule.min_authors == 1


def test_all_findings_are_said_at_once_with_line_and_column():
    found = refusal("""rules:
  - id: Flood
    kind: cuont
    where: {sentimnt.label: x, urgency.score: ">= 2"}
    window: 15x
    severity: critical
    flagg: true
""")
    assert found.splitlines() == [
        'r.yml:2:9: id: "Flood": use a to z, 0 to 9 and _, up to 64',
        'r.yml:3:11: kind: unknown value "cuont"; did you mean "count"?',
        'r.yml:4:13: unknown field "sentimnt.label"; did you mean "sentiment.label"?',
        "r.yml:4:47: urgency.score: >= 2 is out of range: urgency.score lies in [0, 1]",
        'r.yml:5:13: window: "15x" is not a duration: write a whole number and s, m, h or d (15m)',
        'r.yml:7:5: unknown field "flagg"; did you mean "flag"?',
    ]


def test_findings_of_every_file_are_said():
    with pytest.raises(RuleError) as caught:
        parse_rules({"b.yml": b"rules: x", "a.yml": b"[", "c.yml": GOOD.encode()})
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["a.yml", "b.yml"]


def test_ids_are_unique_over_files():
    with pytest.raises(RuleError, match=r'b\.yml:3:9: id: "calls" is already at a\.yml:3'):
        parse_rules({"a.yml": GOOD.encode(), "b.yml": GOOD.encode()})


_WRITTEN = [GOOD.replace("calls", name).encode() for name in ("one", "two")]
_OFF = _WRITTEN[1] + b"    enabled: false\n"
_FOLDERS = st.dictionaries(
    st.sampled_from(["a.yml", "b.yml", "c.yml"]),
    st.sampled_from([*_WRITTEN, _OFF, _WRITTEN[0].replace(b": 3", b": 4"), b"rules: [", b""]),
)


@given(st.lists(_FOLDERS, max_size=5))
def test_a_folder_after_any_edits_is_read_as_if_for_the_first_time(folders):
    def outcome(files, known):
        try:
            parsed = parse_files(files, known=known)
        except RuleError as error:
            return str(error), known  # as who follows a folder: the last good ones stay
        found = joined(parsed)
        rules = [(r.id, r.version, r.file, r.line, r.min_count) for r in found.rules]
        return (rules, found.disabled), parsed

    known = {}
    for files in folders:
        before = known
        told, known = outcome(files, before)
        assert told == outcome(files, {})[0]
        for name in known.keys() & before.keys():  # what did not change was not read again
            assert (known[name] is before[name]) == (known[name].data == before[name].data)


def test_topics_are_checked_against_the_known_ones():
    text = GOOD.replace("urgency.label: urgent", "any: [{topics: [flod]}, {topic: '!= fier'}]")
    assert parse_rules({"r.yml": text.encode()}).rules, "without a file any name may be one"
    with pytest.raises(RuleError) as caught:
        parse_rules({"r.yml": text.encode()}, topics=["flood", "fire"])
    assert [line.split(": ", 1)[1] for line in str(caught.value).splitlines()] == [
        'topics: unknown value "flod"; did you mean "flood"?',
        'topic: unknown value "fier"; did you mean "fire"?',
    ]
    right = text.replace("flod", "flood").replace("fier", "fire").encode()
    assert parse_rules({"r.yml": right}, topics=["flood", "fire"]).rules


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("hostility.label: threats", 'unknown value "threats"; did you mean "threat"?'),
        ("hostility.target: staf", 'unknown value "staf"; did you mean "staff"?'),
        ("intent.label: rumour", 'unknown value "rumour"; did you mean "rumor"?'),
        ("card.hazard: flod", 'unknown value "flod"; did you mean "flood"?'),
        ("card.need: resque", 'unknown value "resque"; did you mean "rescue"?'),
        ("cluster.is_claim: oui", '"oui" is neither true nor false'),
        ("cluster.size: big", '"big" is no comparison'),
        ("places: Alès", '"Alès": write an INSEE code such as 30007, or its begin: 30*'),
        ("places: 3000", '"3000": write an INSEE code'),
        ("places: '*'", '"*": write an INSEE code'),
        ("toxicity.score: '> 2'", "toxicity.score lies in [0, 1]"),
        ("clusters.size: 3", 'unknown field "clusters.size"; did you mean "cluster.size"?'),
    ],
)
def test_a_mistake_about_a_finding_is_named(condition: str, message: str):
    assert message in refusal(GOOD.replace("urgency.label: urgent", condition))


def test_what_counts_as_one_is_said_by_name():
    assert 'did you mean "clusters"?' in refusal(f"{GOOD.rstrip()}\n    count_by: cluster\n")
    assert parse_rules({"r.yml": GOOD.encode()}).rules[0].count_by == "clusters"


def test_a_label_may_be_called_topic_unless_the_rule_groups_by_it():
    plain = f"{GOOD.rstrip()}\n    labels: {{topic: danger}}\n"
    assert parse_rules({"r.yml": plain.encode()}).rules[0].labels == {"topic": "danger"}
    assert '"topic" is set by veille' in refusal(f"{plain}    group_by: [watch, topic]\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: count", "kind: mention", "min_count: belongs to kind: build, count"),
        ("    min_count: 3\n", "", "min_count: missing"),
        ("min_count: 3", "min_count: 0", "min_count: 0 is out of range: write 1 to 10000"),
        ("min_count: 3", "min_count: three", 'expected a whole number, not "three"'),
        ("    severity: critical\n", "", "severity: missing: write one of info, warning, critical"),
        ("min_count: 3", "min_count: 3\n    window: 8d", "write 1s to 7d"),
        ("min_count: 3", "min_count: 3\n    window: []", "window: "),
        ("min_count: 3", "min_count: 3\n    flag: yes", 'expected true or false, not "yes"'),
        ("min_count: 3", "min_count: 3\n    group_by: [wach]", 'did you mean "watch"?'),
        ("min_count: 3", "min_count: 3\n    labels: {severity: x}", '"severity" is set by veille'),
        ("min_count: 3", "min_count: 3\n    min_count: 4", '"min_count" stands twice'),
        ("{count} appels", "{count.real} appels", '"{count.real}" is no placeholder'),
        ("{count} appels", "{count!r} appels", '"{count!r}" is no placeholder'),
        ("{count} appels", "{count:99999} appels", '"{count:99999}" is no placeholder'),
        ("{count} appels", "{source} appels", '"{source}" is no placeholder'),
        ("{count} appels", "{count appels", "summary: "),
        ("{urgency.label: urgent}", "{urgency.label: urgnt}", 'did you mean "urgent"?'),
        ("{urgency.label: urgent}", "{urgency.label: '> 3'}", "unknown value"),
        ("{urgency.label: urgent}", "{source: '> 3'}", "is a word: use = or !="),
        ("{urgency.label: urgent}", "{urgency.score: high}", 'write ">= 0.8"'),
        ("{urgency.label: urgent}", "{urgency.score: '> 1'}", "> 1 is out of range: urgency.score"),
        ("{urgency.label: urgent}", "{sentiment.score: '< -1'}", "< -1 is out of range"),
        ("{urgency.label: urgent}", "{own: maybe}", "neither true nor false"),
        ("{urgency.label: urgent}", "{entities: [Paris]}", "write PER, LOC, ORG or MISC"),
        ("{urgency.label: urgent}", "{text: eau}", "write {words:"),
        ("{urgency.label: urgent}", "{text: {wrods: [eau]}}", "known: words, re"),
        ("{urgency.label: urgent}", "{text: {words: ['*']}}", "* stands only at the end"),
        ("{urgency.label: urgent}", "{text: {words: ['a*b']}}", "* stands only at the end"),
        ("{urgency.label: urgent}", "{text: {re: '(?=a)'}}", "no google-re2 pattern"),
        ("{urgency.label: urgent}", "{text: {re: '\\bécole'}}", "ASCII only"),
        ("{urgency.label: urgent}", "{text: {re: '(x{900}){9}'}}", "google-re2 pattern"),
        ("{urgency.label: urgent}", "{any: []}", "the list is empty"),
        ("{urgency.label: urgent}", "{not: {}}", "matches everything"),
        ("{urgency.label: urgent}", "{not: 3}", "where is a mapping"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, message: str):
    assert old in GOOD
    assert message in refusal(GOOD.replace(old, new))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[" * 100_000, "r.yml:1:21: nested deeper than 20"),
        (b"{a: " * 50_000, "nested deeper than 20"),
        (b"- " * 100_000, "nested deeper than 20"),
        (b"? " * 50_000, "nested deeper than 20"),
        (b"a: &x [1]\nb: *x", "r.yml:1:4: anchors"),
        (b"rules: *x", "aliases"),
        (b"rules: !!python/object/apply:os.getcwd []", "tags (!) are refused"),
        (b"x" * 300_000, "over 256 KiB"),
        (b"a\xff", "not UTF-8"),
        (b"a\x00b", "not YAML"),
        (b'"\\UFFFFFFFF"', "not YAML"),
        (b"%YAML 1." + b"9" * 5000 + b"\n--- a", "not YAML"),
        (b"--- a\n--- b", "not YAML"),
        (b"a: b: c", "r.yml:1:5: this is not YAML"),
        (b"", "the file is empty"),
        (b"rules:\n - 3", "expected a mapping"),
        (b"? [a]\n: b", "a key is a single word"),
        (b"rules:\n\t- id: a", "indent with spaces, not with tabs"),
        (b"words: [@maire]", "put it in quotes"),
        (b"urgency.score: >= 0.5", "put it in quotes"),
        (b"urgency: {score: >= 0.5}", "put it in quotes"),
        (b"summary: Attention : eau", 'put text that holds ": " in quotes'),
        (b"rules: a", 'expected a list, not "a": write [a]'),
    ],
)
def test_a_hostile_or_broken_file_is_refused(data: bytes, message: str):
    assert message in refusal(data)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda t: t.encode("utf-8", "replace")))
def test_no_bytes_raise_anything_but_a_rule_error(data: bytes):
    said = ""
    try:
        parse_rules({"r.yml": data})
    except RuleError as error:
        said = str(error)
    assert all(line.startswith("r.yml:") for line in said.splitlines())


def test_a_finding_stays_on_one_line_whatever_it_quotes():
    found = refusal('rules: [{id: "a\\nb\\x1b[31m", kind: count, min_count: 1, severity: info}]')
    assert found.splitlines() == [found]
    assert "\x1b" not in found


def test_the_version_follows_the_content_and_not_the_layout():
    one = parse(GOOD).rules[0].version
    layout = GOOD.replace("    kind: count\n", "").replace(
        "    min_count: 3\n", "    # why\n    min_count:   3\n    kind: count\n"
    )
    assert parse(layout).rules[0].version == one
    assert parse(GOOD.replace("min_count: 3", "min_count: 4")).rules[0].version != one
    assert parse(GOOD).version != parse(GOOD.replace("min_count: 3", "min_count: 4")).version


def test_a_disabled_rule_is_checked_but_not_run():
    ruleset = parse(GOOD + "    enabled: false\n")
    assert ruleset.rules == ()
    assert ruleset.disabled == ("calls",)
    assert "severity: missing" in refusal("rules: [{id: a, kind: mention, enabled: false}]")


def test_a_folder_gives_its_rule_files_and_not_their_tests(tmp_path: Path):
    (tmp_path / "a.yml").write_text(GOOD)
    (tmp_path / "a_test.yml").write_text("tests: []")
    (tmp_path / "note.txt").write_text("x")
    assert list(rule_files(tmp_path)) == [str(tmp_path / "a.yml")]
    (tmp_path / "b.yaml").write_text(GOOD)
    with pytest.raises(RuleError, match=r"rename it to b\.yml"):
        rule_files(tmp_path)
    with pytest.raises(RuleError, match="cannot read the rules"):
        rule_files(tmp_path / "missing")
