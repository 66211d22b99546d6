"""A file of topics: everything wrong is said at once, with its place; limits hold."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.app import parts
from veille.app.check import findings
from veille.config import load
from veille.domain.errors import RuleError
from veille.pipeline import rule_tests
from veille.rules.parse import rule_files
from veille.rules.topics import (
    MAX_EXAMPLES_EACH,
    MAX_TOPICS,
    MAX_WORDS,
    parse_topics,
)

OTHER = "  - {id: other, name: Autre}\n"
GOOD = (
    "topics:\n  - id: bees\n    name: Abeilles\n    words: [ruche, essaim*]\n    hints: [jardin]\n"
    "    examples: [Un essaim pend au tilleul.]\n" + OTHER
)
CONFIG = '[veille]\nname = "x"\n[[watch]]\nid = "mairie"\n'


def refusal(text: str | bytes) -> str:
    with pytest.raises(RuleError) as caught:
        parse_topics("t.yml", text if isinstance(text, bytes) else text.encode())
    return str(caught.value)


def test_a_topic_holds_what_is_written() -> None:
    bees, other = parse_topics("t.yml", GOOD.encode())
    assert (bees.id, bees.name, bees.words, bees.hints) == (
        "bees", "Abeilles", ("ruche", "essaim*"), ("jardin",),
    )  # fmt: skip
    assert bees.examples == ("Un essaim pend au tilleul.",)
    assert (other.id, other.words, other.examples) == ("other", (), ())


def test_all_findings_are_said_at_once_with_line_and_column() -> None:
    found = refusal("""topics:
  - id: Bees
    name: Abeilles
    wrods: [ruche]
    words: [ruche, "*", "à la", "es*saim"]
  - id: noise
    name: Bruit
    words: [bruit]
    over: [roda]
  - id: road
    words: [rue]
  - id: empty
    name: Vide
  - {id: other, name: Autre, words: [x]}
""")
    assert found.splitlines() == [
        't.yml:2:9: id: "Bees": use a to z, 0 to 9 and _, up to 64',
        't.yml:4:5: unknown field "wrods"; did you mean "words"?',
        't.yml:5:20: words: "*": write words; * stands only at the end of a word',
        't.yml:5:25: words: "à la" has little words only: they stand in every text',
        't.yml:5:33: words: "es*saim": write words; * stands only at the end of a word',
        't.yml:9:12: over: unknown "roda"; did you mean "road"?',
        "t.yml:10:5: name: missing: write what readers see",
        "t.yml:12:5: words: missing, and no examples either: write words, examples or both",
        "t.yml:14:37: words: other is what is left of all topics: remove the field",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "t.yml:1:1: the file is empty: write a list under topics:"),
        ("topics: x", "t.yml:1:9: topics: expected a list"),
        ("topics:\n" + OTHER * 2, 'id: "other" stands 2 times'),
        ("topics:\n  - {id: a, name: A, words: [x]}\n", "other is missing"),
        ("topics:\n  - {id: a, name: A, words: [x], over: [a]}\n" + OTHER, "not stand over itself"),
        (f"topics:\n  - {{id: a, name: A, words: {['x'] * (MAX_WORDS + 1)}}}\n", "more than"),
        (f"topics:\n  - {{id: a, name: A, examples: {['x'] * (MAX_EXAMPLES_EACH + 1)}}}\n", "more"),
        ("topics:\n" + OTHER * (MAX_TOPICS + 1), f"more than {MAX_TOPICS}"),
        (f"topics:\n  - {{id: a, name: A, examples: [{'x' * 301}]}}\n", "over 300 characters"),
        (
            "topics:\n  - {id: a, name: A, words: [rue*, "
            + ", ".join(f"ruelle w{n}" for n in range(300))
            + "]}\n"
            + OTHER,
            '301 words and phrases begin with "ruelle"',
        ),
        (b"topics:\n  - name: \xff\n", "t.yml:2:1: this is not UTF-8"),
        ("topics: &a [*a]", "are refused"),
        (
            "topics:\n"
            + "".join(f"  - {{id: t{n}, name: A, examples: {['x'] * 30}}}\n" for n in range(21)),
            "over 600 examples in all",
        ),
    ],
)
def test_what_is_wrong_or_too_much_is_refused(text: str | bytes, told: str) -> None:
    assert told in refusal(text)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_bytes_are_topics_or_refused(data: bytes) -> None:
    with suppress(RuleError):
        assert parse_topics("t.yml", b"topics:\n" + data)[-1].name


def test_topics_stand_among_the_rules_and_are_no_rules(tmp_path: Path) -> None:
    (tmp_path / "topics.yml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "a.yml").write_text("rules: []", encoding="utf-8")
    assert list(rule_files(tmp_path)) == [str(tmp_path / "a.yml")]
    assert list(rule_tests.gather([tmp_path])) == [str(tmp_path / "a.yml")]
    with pytest.raises(RuleError, match="these are topics, not rules"):
        rule_tests.gather([tmp_path / "topics.yml"])


def test_the_set_file_comes_before_the_one_among_the_rules_and_that_before_the_shipped(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG, encoding="utf-8")
    assert parts.topics(load(config))[0].id == "flood"
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "topics.yml").write_text(GOOD, encoding="utf-8")
    config.write_text(CONFIG + '[rules]\ndirectory = "rules"\n', encoding="utf-8")
    assert [topic.id for topic in parts.topics(load(config))] == ["bees", "other"]
    (tmp_path / "own.yml").write_text(GOOD.replace("bees", "wasps"), encoding="utf-8")
    both = CONFIG + '[rules]\ndirectory = "rules"\n[models]\ntopics = "own.yml"\n'
    config.write_text(both, encoding="utf-8")
    assert [topic.id for topic in parts.topics(load(config))] == ["wasps", "other"]


def test_check_says_once_what_is_wrong_with_the_topics(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG + '[models]\ntopics = "own.yml"\n', encoding="utf-8")
    missing = [line for line in findings(load(config)) if "own.yml" in line]
    assert missing == [f"{tmp_path / 'own.yml'}: cannot read the topics: No such file or directory"]
    (tmp_path / "own.yml").write_text(GOOD.replace("words", "wrods"), encoding="utf-8")
    wrong = [line for line in findings(load(config)) if "own.yml" in line]
    assert wrong == [f'{tmp_path / "own.yml"}:4:5: unknown field "wrods"; did you mean "words"?']
