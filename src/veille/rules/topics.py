"""`topics.yml` to topics: everything wrong is said at once, with its place."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from veille.domain.errors import InputError, RuleError
from veille.domain.topic import ID, OTHER, TopicSpec, keyword
from veille.rules.fields import Reader
from veille.rules.phrases import check_phrase
from veille.rules.yaml_nodes import Fields, Findings, Node, Scalar, read, shown

MAX_TOPICS = 100
MAX_WORDS = 500
"""Of one topic, hints apart; looking up does not get slower with more, writing them well does."""
MAX_ALIKE = 300
"""Of the file, hints too, that one word of a text can begin: were all found at each of the 1,000
words of the longest text, reading it would take a second."""
MAX_EXAMPLES = 600
"""Of the file: each is read by the network at every start, some 5 ms on one core."""
MAX_EXAMPLES_EACH = 30
MAX_EXAMPLE = 300
"""Characters: a text of two or three sentences, as people write them."""
MAX_NAME = 60
KEYS = ("id", "name", "words", "hints", "examples", "over")


@lru_cache(maxsize=2)  # 0.3 s, and a check or a start asks for the same file several times
def parse_topics(name: str, data: bytes) -> tuple[TopicSpec, ...]:
    """Return the topics of a file in its order; `other` is one of them.

    Raises RuleError with every finding, one a line: `file:line:column: message`.
    """
    findings = Findings(name)
    root = read(data, findings)
    found: list[TopicSpec] = []
    if root is None:
        if not list(findings):
            findings.add(Node(1, 1), "the file is empty: write a list under topics:")
    else:
        found = _topics(Reader(root, findings, ("topics",)), findings)
    if problems := list(findings):
        raise RuleError("\n".join(problems))
    return tuple(found)


def _topics(root: Reader, findings: Findings) -> list[TopicSpec]:
    nodes = root.items("topics")
    if len(nodes) > MAX_TOPICS:
        root.wrong("topics", f"{len(nodes)} topics, more than {MAX_TOPICS}: merge some")
        return []
    readers = [Reader(node, findings, KEYS) for node in nodes]
    ids = [reader.text("id") for reader in readers if isinstance(reader.node, Fields)]
    found = [_topic(reader, ids) for reader in readers if isinstance(reader.node, Fields)]
    if OTHER not in ids:
        root.wrong("topics", f"{OTHER} is missing: add - {{id: {OTHER}, name: Autre}}")
    if sum(len(topic.examples) for topic in found) > MAX_EXAMPLES:
        root.wrong("topics", f"over {MAX_EXAMPLES} examples in all: keep the best of each topic")
    word, count = _most_begun(found)
    if count > MAX_ALIKE:
        root.wrong(
            "topics",
            f'{count} words and phrases begin with "{word}" or its start and *, more than '
            f"{MAX_ALIKE}: keep the best",
        )
    return found


def _most_begun(topics: list[TopicSpec]) -> tuple[str, int]:
    """Return the word that begins most keywords of all topics, and how many."""
    firsts = Counter(
        keyword(written)[0] for topic in topics for written in (*topic.words, *topic.hints)
    )
    begun = {
        word: firsts[word] + sum(firsts[f"{word[:end]}*"] for end in range(1, len(word) + 1))
        for word in {first.removesuffix("*") for first in firsts}
    }
    word = max(begun, key=begun.__getitem__, default="")
    return word, begun.get(word, 0)


def _topic(reader: Reader, ids: list[str]) -> TopicSpec:
    topic = TopicSpec(
        id=_id(reader, ids),
        name=_name(reader),
        words=_words(reader, "words"),
        hints=_words(reader, "hints"),
        examples=_examples(reader),
        over=_over(reader, ids),
    )
    if topic.id == OTHER:
        for key in KEYS[2:]:
            if reader.has(key):
                reader.wrong(key, f"{OTHER} is what is left of all topics: remove the field")
    elif not reader.has("words") and not reader.has("examples"):
        reader.wrong("words", "missing, and no examples either: write words, examples or both")
    return topic


def _id(reader: Reader, ids: list[str]) -> str:
    text = reader.text("id")
    if not reader.has("id"):
        reader.wrong("id", "missing: name the topic with a to z, 0 to 9 and _")
    elif not ID.fullmatch(text):
        reader.wrong("id", f'"{text[:60]}": use a to z, 0 to 9 and _, up to 64')
    elif ids.count(text) > 1:
        reader.wrong("id", f'"{text}" stands {ids.count(text)} times: choose another')
    return text


def _name(reader: Reader) -> str:
    text = reader.text("name").strip()
    if not text:
        reader.wrong("name", "missing: write what readers see")
    elif len(text) > MAX_NAME:
        reader.wrong("name", f"over {MAX_NAME} characters: shorten it")
    return text


def _words(reader: Reader, name: str) -> tuple[str, ...]:
    nodes = reader.items(name)
    if len(nodes) > MAX_WORDS:
        reader.wrong(name, f"{len(nodes)} words, more than {MAX_WORDS}: keep the best")
        return ()
    found: list[str] = []
    for node in nodes:
        try:
            found.append(_keyword(node))
        except InputError as error:
            reader.findings.add(node, f"{name}: {error}")
    return tuple(found)


def _keyword(node: Node) -> str:
    if not isinstance(node, Scalar) or not node.text.strip():
        raise InputError(f"expected a word or phrase, not {shown(node)}")
    check_phrase(node.text)
    if not keyword(node.text):
        raise InputError(f'"{node.text}" has little words only: they stand in every text')
    return node.text


def _examples(reader: Reader) -> tuple[str, ...]:
    nodes = reader.items("examples")
    if len(nodes) > MAX_EXAMPLES_EACH:
        reader.wrong("examples", f"{len(nodes)}, more than {MAX_EXAMPLES_EACH}: keep the best")
    found: list[str] = []
    for node in nodes:
        if not isinstance(node, Scalar) or not node.text.strip():
            reader.findings.add(node, f"examples: expected a sentence, not {shown(node)}")
        elif len(node.text) > MAX_EXAMPLE:
            reader.findings.add(node, f"examples: over {MAX_EXAMPLE} characters: shorten it")
        else:
            found.append(node.text)
    return tuple(found)


def _over(reader: Reader, ids: list[str]) -> tuple[str, ...]:
    found = reader.names("over", [name for name in ids if name != OTHER], ())
    if reader.text("id") in found:
        reader.wrong("over", "a topic does not stand over itself: remove it")
    return found
