"""A few sentences and an encoder of two narrow layers: all stages run in a blink."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from veille.training.corpus import COLUMNS, DEV_VOICES, Corpus
from veille.training.labels import HEADS
from veille.training.work import Report, Talk

EXTRA = ("torch", "transformers", "safetensors", "onnx", "sklearn", "emoji", "wordfreq")
MISSING = [name for name in EXTRA if importlib.util.find_spec(name) is None]
needs_torch = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} missing: pip install 'veille[torch]'"
)
WORDS = (
    "la rue est sale merci aux agents le feu monte dans cave vite au secours quand ouvre piscine "
    "honte bravo eau maire vote impôts bruit école bus malade neige chien lampe guichet parc "
    "inondation crie danger calme beau jour nuit travaux pont budget"
).split()
DEV = min(DEV_VOICES)


def sentence(number: int) -> str:
    """Return words that differ from those of any other number below a million."""
    picks = [WORDS[(number // 37**place + 7 * place) % 37] for place in range(5)]
    return " ".join(picks)


def row(number: int, voice: str) -> str:
    cells = {
        "text": sentence(number),
        "sentiment": ("neg", "neu", "pos")[number % 3],
        "urgent": str(number % 2),
        "crisis": str(number // 2 % 2),
        "hostility": HEADS["hostility"][number % 3],
        "target": HEADS["target"][number % 7],
        "intent": HEADS["intent"][number % 11],
        "topic": HEADS["topic"][number % 26],
        "voice": voice,
        "pair": "",
    }
    return "\t".join(cells[name] for name in COLUMNS)


def write_sentences(folder: Path, count: int = 120) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(COLUMNS)]
    lines += [row(n, DEV if n % 5 == 0 else "a01") for n in range(count)]
    (folder / "a.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_public(data: Path) -> None:
    kinds: dict[str, Callable[[int], dict[str, object]]] = {
        "umsab_sentiment_fr": lambda n: {"label": ("negative", "neutral", "positive")[n % 3]},
        "deft2017_polarity_fr": lambda n: {"label": ("negative", "mixed", "positive")[n % 3]},
        "crisislex_t26": lambda n: {
            "label": ("Not related", "Related and informative")[n % 2],
            "event": f"event{n % 4}",
        },
        "toxifrench": lambda n: {"label": n % 2},
        "mlma_hate_fr": lambda n: {"label": "toxic"},
        "hatecheck_fr": lambda n: {"label": "hateful"},
    }
    for at, (name, more) in enumerate(kinds.items()):
        (data / name).mkdir(parents=True)
        for split, first in (("train", 1_000), ("dev", 2_000)):
            rows = [{"text": sentence(first + 100 * at + n), **more(n)} for n in range(16)]
            lines = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in rows)
            (data / name / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    lines = ["# text, sentiment, urgent, intent, topic"]
    lines += [
        f"{sentence(3_000 + n)}\t{('neg', 'neu', 'pos')[n % 3]}\t{n % 2}"
        f"\t{HEADS['intent'][n % 11]}\t{HEADS['topic'][n % 26]}"
        for n in range(12)
    ]
    (data / "municipal_fr_dev.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have intervals drawn from ten resamples: the thousand of a card take seconds a head."""
    monkeypatch.setattr("veille.training.calibrate.RESAMPLES", 10)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    write_sentences(tmp_path / "sentences")
    write_public(tmp_path / "data")
    return Corpus(data=tmp_path / "data", sentences=tmp_path / "sentences")


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """Return a Hugging Face directory of a BERT of two layers, drawn from a fixed seed."""
    import torch
    from transformers import BertConfig, BertModel

    from veille.training.vocabulary import SPECIALS, build_tokenizer

    folder = tmp_path / "tiny"
    folder.mkdir()
    letters = sorted({c for word in WORDS for c in word})
    pieces = [(p, 0.0) for p in SPECIALS] + [(f"\u2581{w}", -2.0) for w in WORDS]
    pieces += [("\u2581", -4.0)] + [(letter, -6.0) for letter in letters]
    build_tokenizer(pieces).save(str(folder / "tokenizer.json"))
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(pieces), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64, pad_token_id=1,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


class Listener:
    """Hears all that is said, and stops the program at the step it is told to."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.stop_at: tuple[str, int] | None = None

    def talk(self) -> Talk:
        return Talk(say=self.said.append, progress=self._progress)

    @contextmanager
    def _progress(self, label: str, unit: str) -> Iterator[Report]:
        def report(done: int, total: float | None) -> None:
            if self.stop_at == (label, done):
                raise KeyboardInterrupt

        yield report


@pytest.fixture
def listener() -> Listener:
    return Listener()
