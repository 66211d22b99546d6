"""Read what is learnt from: our sentences, and the public sets of a data folder."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from veille.domain.errors import ConfigError
from veille.nlp.prepare import for_encoder
from veille.training.labels import HEADS

COLUMNS = tuple(
    "text sentiment urgent crisis hostility target intent topic voice pair".split()
)  # fmt: skip
DEV_VOICES = frozenset(
    "b04 b12 b20 b28 b36 c05 c13 c21 c29 d01 d09 d17 d25 e05 e13 e21 e29 f05 f13 f21 f29 f37 "
    "g06 g14 g22 g30 h03 h11 h19 h27 h35 i02 i10 j06 j14 k08 l03 l11 l19 m06 m14 n02 n10 n18 "
    "o04 o12 o20 q05 q13 q21 r04 r12 r20 t07 t15 t23".split()
)
"""Every eighth voice of b to t, written out: a file added later must not move a voice."""
SHORT = {"neg": 0, "neu": 1, "pos": 2}
POLARITY = {"negative": 0, "neutral": 1, "objective": 1, "positive": 2}  # DEFT's mixed is left out
INFORMATIVE = "Related and informative"  # CrisisLexT26's label of what is about the crisis
FOLDERS = {
    "umsab": "umsab_sentiment_fr",
    "deft": "deft2017_polarity_fr",
    "t26": "crisislex_t26",
    "toxifrench": "toxifrench",
}
VOCABULARY_SETS = (*FOLDERS.values(), "mlma_hate_fr", "hatecheck_fr")
"""Sets whose train split widens the vocabulary; the last two teach nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One text, as the runtime hands it to the network, with the labels its set gives.

    `labels` maps a head to the number of its label; a head that is not there is unknown.
    """

    text: str
    labels: Mapping[str, int]
    origin: str
    voice: str = ""


class Public(msgspec.Struct, kw_only=True):
    """What is read of a line of a public set."""

    text: str
    label: str | int
    event: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """The two folders: public sets (`data/<set>/train.jsonl`) and our sentences (`*.tsv`)."""

    data: Path
    sentences: Path

    def ours(self, split: str, files: tuple[str, ...] = ()) -> list[Row]:
        """Return our sentences whose voice is of the split; of the files named, else of all."""
        names = [f"{name}.tsv" for name in files]
        paths = [self.sentences / n for n in names] or sorted(self.sentences.glob("*.tsv"))
        if not paths:
            raise ConfigError(f"{self.sentences}: no *.tsv; name the folder with --sentences")
        rows = [_ours(cells) for path in paths for cells in read_tsv(path)]
        return [row for row in rows if (row.voice in DEV_VOICES) == (split == "dev")]

    def public(self, name: str, split: str) -> list[Row]:
        """Return the rows of a set of FOLDERS that have a label the network knows."""
        rows = self._labelled(name, split)
        return [
            Row(text=for_encoder(row.text), labels=labels, origin=row.event or name)
            for row, labels in rows
            if labels
        ]

    def _labelled(self, name: str, split: str) -> Iterator[tuple[Public, dict[str, int]]]:
        for number, row in enumerate(self._lines(FOLDERS[name], split), start=1):
            try:
                yield row, _public_labels(name, row)
            except ValueError as error:
                path = self._path(FOLDERS[name], split)
                raise ConfigError(f"{path}: line {number}: unknown label: {error}") from error

    def t26_sample(self, count: int, seed: int) -> list[Row]:
        """Return `count` train rows of CrisisLexT26, shared evenly by event and by label."""
        groups: dict[tuple[str, int], list[Row]] = defaultdict(list)
        for row in self.public("t26", "train"):
            groups[row.origin, row.labels["crisis"]].append(row)
        rng = random.Random(seed)  # noqa: S311  draws a sample that can be drawn again
        for rows in groups.values():
            rng.shuffle(rows)
        sample: list[Row] = []
        while len(sample) < count and any(groups.values()):
            sample += [rows.pop() for rows in groups.values() if rows]
        return sample[:count]

    def municipal(self) -> list[Row]:
        """Return the hundred dev sentences `municipal_fr_dev.tsv`; never trained on."""
        path = self.data / "municipal_fr_dev.tsv"
        found = []
        for number, line in enumerate(_lines_of(path), start=1):
            if line.startswith("#"):
                continue
            try:
                found.append(_municipal(line.split("\t")))
            except (ValueError, KeyError) as error:
                raise ConfigError(f"{path}: line {number}: {error}") from error
        return found

    def vocabulary(self) -> Iterator[str]:
        """Yield every text whose pieces the vocabulary must hold."""
        for folder in VOCABULARY_SETS:
            yield from (for_encoder(row.text) for row in self._lines(folder, "train"))
        yield from (row.text for row in self.ours("train"))

    def _lines(self, folder: str, split: str) -> Iterator[Public]:
        path = self._path(folder, split)
        decoder = msgspec.json.Decoder(Public)
        for number, line in enumerate(_lines_of(path), start=1):
            try:
                yield decoder.decode(line)
            except msgspec.DecodeError as error:
                raise ConfigError(f"{path}: line {number}: {error}") from error

    def _path(self, folder: str, split: str) -> Path:
        return self.data / folder / f"{split}.jsonl"


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Return the rows of one file of sentences by column. Raises ConfigError, naming the line."""
    rows = (line.split("\t") for line in _lines_of(path))
    if tuple(next(rows, ())) != COLUMNS:
        raise ConfigError(f"{path}: line 1: the columns must be {' '.join(COLUMNS)}")
    found = []
    for number, cells in enumerate(rows, start=2):
        if len(cells) != len(COLUMNS):
            raise ConfigError(f"{path}: line {number}: {len(cells)} columns, not {len(COLUMNS)}")
        row = dict(zip(COLUMNS, cells, strict=True))
        try:
            labels_of(row)
        except (ValueError, KeyError) as error:
            raise ConfigError(f"{path}: line {number}: unknown label: {error}") from error
        found.append(row)
    return found


def labels_of(row: Mapping[str, str]) -> dict[str, int]:
    """Return the labels of a row of sentences; an empty cell is unknown. Raises on other words."""
    found = {"sentiment": SHORT[row["sentiment"]]}
    for head, column in (("urgency", "urgent"), ("crisis", "crisis")):
        if row[column]:
            found[head] = ("0", "1").index(row[column])
    for head in ("hostility", "target", "intent", "topic"):
        if row[head]:
            found[head] = HEADS[head].index(row[head])
    return found


def _ours(row: Mapping[str, str]) -> Row:
    return Row(
        text=for_encoder(row["text"]), labels=labels_of(row), origin="ours", voice=row["voice"]
    )


def _public_labels(name: str, row: Public) -> dict[str, int]:
    if name == "t26":
        return {"crisis": int(row.label == INFORMATIVE)}
    if name == "toxifrench":
        return {"toxicity": ("0", "1").index(str(row.label))}
    return {"sentiment": POLARITY[str(row.label)]} if row.label in POLARITY else {}


def _municipal(cells: list[str]) -> Row:
    text, feeling, urgent, intent, topic = cells
    labels = {
        "sentiment": SHORT[feeling],
        "urgency": ("0", "1").index(urgent),
        "intent": HEADS["intent"].index(intent),
        "topic": HEADS["topic"].index(topic),
    }
    return Row(text=for_encoder(text), labels=labels, origin="municipal")


def _lines_of(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # texts may hold U+2028 and U+0085
    except OSError as error:
        raise ConfigError(f"{path} cannot be read; name its folder with --data") from error
    return lines if lines[-1] else lines[:-1]
