"""Labelled files: every form is recognised, every error names its line and what to write."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.errors import InputError
from veille.nlp.labelled import NO, YES, parse

TOPICS = ("flood", "roads", "other")


def test_a_header_names_the_columns_and_others_are_ignored() -> None:
    raw = (
        "# note\nvoice\ttext\tsentiment\turgent\thostility\ttarget\tintent\ttopic\ttoxic\n"
        "v1\tL'eau monte\tneg\t1\tnone\tnone\tdistress\tflood\t0\n"
        "v2\tMerci\tpositive\t0\t\t\tthanks\tother\t\n"
    )
    found = parse(raw.encode(), topics=TOPICS)
    first, second = found.examples
    assert first.labels == {
        "sentiment": "negative", "urgency": YES, "hostility": "none", "target": "none",
        "intent": "distress", "topic": "flood", "toxicity": NO,
    }  # fmt: skip
    assert second.labels == {
        "sentiment": "positive", "urgency": NO, "intent": "thanks", "topic": "other",
    }  # fmt: skip
    assert [each.text for each in found.of("toxicity")] == ["L'eau monte"]


def test_a_commented_file_without_header_has_the_five_columns_of_the_municipal_set() -> None:
    found = parse(b"# x\nUn trou\tneg\t0\tcomplaint\troads\n", topics=TOPICS)
    assert found.heads == ("sentiment", "urgency", "intent", "topic")


def lines(*labels: object) -> bytes:
    return "".join(json.dumps({"text": "t", "label": each}) + "\n" for each in labels).encode()


@pytest.mark.parametrize(
    ("labels", "head", "said"),
    [
        (("negative", "objective"), "sentiment", ["negative", "neutral"]),
        (("toxic", "normal"), "toxicity", [YES, NO]),
        (("hateful", "non-hateful"), "toxicity", [YES, NO]),
        (("Related and informative", "Not related"), "crisis", [YES, NO]),
        (("none", "uncivil"), "hostility", ["none", "uncivil"]),
        (("irony", "threat"), "intent", ["irony", "threat"]),
        (("flood", "roads"), "topic", ["flood", "roads"]),
    ],
)
def test_the_head_is_recognised_from_the_labels(
    labels: tuple[str, ...], head: str, said: list[str]
) -> None:
    found = parse(lines(*labels), topics=TOPICS)
    assert [each.labels[head] for each in found.examples] == said


def test_labels_that_fit_several_heads_need_to_be_told() -> None:
    with pytest.raises(InputError, match="--head urgency or --head crisis or --head toxicity"):
        parse(lines("0", 1, True), topics=TOPICS)
    found = parse(lines("0", 1, True), topics=TOPICS, head="toxicity")
    assert [each.labels["toxicity"] for each in found.examples] == [NO, YES, YES]


def test_what_a_set_says_inside_another_object_is_no_column() -> None:
    raw = b'{"text": "a", "label": "toxic", "labels": {"hostility": ["x"], "label": 1}}\n'
    assert parse(raw, topics=TOPICS).heads == ("toxicity",)


def test_mixed_texts_are_left_out_and_counted() -> None:
    found = parse(lines("negative", "mixed", "mixed"), topics=TOPICS)
    assert len(found.examples) == 1
    assert found.left_out == {"sentiment mixed": 2}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"text\tsentiment\nun\tneg\ndeux\tfurieux\n", 'line 3: "furieux" is no sentiment'),
        (b"text\tsentiment\nun\tneg\ndeux\n", "line 3: 1 columns, the header has 2"),
        (b"text\tmood\nun\tneg\n", "no column with a label"),
        (b"un\tdeux\n", "no header"),
        (b'{"text": "a", "label": "neg"}\n{oops\n', "line 2: no JSON object"),
        (b'{"text": "a", "label": "neg"}\n{"label": "neg"}\n', "line 2: no text"),
        (b"text\turgent\n\xe9t\xe9\t1\n", "line 2: not UTF-8"),
        (b"# x\ntext\tlabel\turgent\nun\tneg\t1\n", 'line 3: "label" beside "urgent"'),
        (b"# x\ntext\turgent\turgent\nun\t0\t1\n", 'line 2: the column "urgent" stands twice'),
        (b"text\turgent\turgency\nun\t0\t1\n", 'line 2: "urgency" and "urgent" are one head'),
        (b'{"text": "a", "label": "neg", "label": "pos"}\n', 'line 1: .*"label" stands twice'),
        (b'{"text": "a", "label": "neg"}\n{"text": "b", "topic": "roads"}\n', "line 1: .*beside"),
        (b"", "no text"),
        (b"# only a comment\n", "no text"),
        (b'{"text": "a", "label": "nope"}\n', 'line 1: "nope" is no'),
    ],
)
def test_what_is_wrong_is_said_with_its_line(raw: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("{", "\\{")):
        parse(raw, topics=TOPICS)


def test_a_long_text_where_a_label_should_be_is_not_repeated_whole() -> None:
    secret = "mon adresse est 12 rue du Lavoir et je crie"
    with pytest.raises(InputError) as caught:
        parse(lines("neg", secret), topics=TOPICS)
    assert secret not in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        found = parse(raw, topics=TOPICS)
    except InputError:
        return
    assert found.examples
