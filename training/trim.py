"""Cut the 250,002 pieces to about 35,000 and write the tokenizer and the trimmed encoder.

Kept: the specials; every piece of the training texts; single characters of Latin scripts and
emoji; the most frequent French pieces; the commonest English, Spanish, Italian and Portuguese
ones, through which crisis texts of other languages teach French. Order and scores are kept, so
a text made of kept pieces is cut as before.
"""

from __future__ import annotations

import argparse
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import emoji
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from wordfreq import iter_wordlist, word_frequency

from corpus import all_training_texts

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
FRENCH_PIECES = 22_000
OTHER_PIECES = 4_000  # for each of the transfer languages
WORDS_READ = 120_000
# Characters that SentencePiece's nmt_nfkc deletes, and those it turns into a space.
DELETED = "[\\x{0000}-\\x{0008}\\x{000b}\\x{000e}-\\x{001f}\\x{007f}\\x{008f}\\x{009f}\\x{00ad}]"
SPACES = (
    "[\\x{0009}\\x{000a}\\x{000c}\\x{000d}\\x{0085}\\x{1680}\\x{200b}\\x{200e}\\x{200f}\\x{2028}"
    "\\x{2029}\\x{2581}\\x{feff}\\x{fffd}]"
)


def build_tokenizer(pieces: list[tuple[str, float]]) -> Tokenizer:
    """Return a unigram tokenizer over `pieces`, the first four being the specials."""
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(DELETED), ""),
            normalizers.Replace(Regex(SPACES), " "),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always"),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def check_normalizer(tokenizer: Tokenizer, table: dict[str, str]) -> int:
    """Return how many single characters our normaliser maps unlike the original."""
    normalize = tokenizer.normalizer.normalize_str
    return sum(normalize(f"a{char}b") != f"a{out}b" for char, out in table.items())


def frequent_pieces(tokenizer: Tokenizer, language: str, count: int) -> Iterator[str]:
    totals: Counter[str] = Counter()
    words = [w for w, _ in zip(iter_wordlist(language, "best"), range(WORDS_READ), strict=False)]
    forms = [[w, w.capitalize(), w.upper(), f"#{w}", f"l'{w}"] for w in words]
    encoded = tokenizer.encode_batch([" ".join(group) for group in forms])
    for word, item in zip(words, encoded, strict=True):
        frequency = word_frequency(word, language)
        for piece in item.tokens:
            totals[piece] += frequency
    return (piece for piece, _ in totals.most_common(count))


def is_common_character(piece: str) -> bool:
    char = piece.removeprefix("\u2581")
    if len(char) != 1:
        return len(char) == 0
    category = unicodedata.category(char)
    return category[0] in "PSN" or "LATIN" in unicodedata.name(char, "")


def pieces_of(tokenizer: Tokenizer, texts: Iterable[str]) -> set[str]:
    return {token for item in tokenizer.encode_batch(list(texts)) for token in item.tokens}


def kept_pieces(tokenizer: Tokenizer, pieces: list[tuple[str, float]]) -> set[str]:
    kept = set(SPECIALS) | {piece for piece, _ in pieces if is_common_character(piece)}
    kept |= pieces_of(tokenizer, all_training_texts())
    kept |= pieces_of(tokenizer, emoji.EMOJI_DATA)
    kept |= set(frequent_pieces(tokenizer, "fr", FRENCH_PIECES))
    for language in ("en", "es", "it", "pt"):
        kept |= set(frequent_pieces(tokenizer, language, OTHER_PIECES))
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder of rebuild.py")
    work = parser.parse_args().work
    raw = json.loads((work / "pieces.json").read_text())
    pieces = [(piece, score) for piece, score in raw["pieces"]]
    full = build_tokenizer(pieces)
    print("characters normalised otherwise:", check_normalizer(full, raw["normalizer"]))
    kept = kept_pieces(full, pieces)
    rows = [i for i, (piece, _) in enumerate(pieces) if piece in kept and piece != "<mask>"]
    build_tokenizer([pieces[i] for i in rows]).save(str(work / "tokenizer.json"))
    saved = torch.load(work / "weights.pt")
    name = "embeddings.word_embeddings.weight"
    saved["state"][name] = saved["state"][name][rows].clone()
    saved["header"]["rows"] = len(rows)
    torch.save(saved, work / "trimmed.pt")
    print(f"{len(rows)} pieces kept")


if __name__ == "__main__":
    main()
