"""Cut the 250,002 pieces to those French needs, and build their tokenizer.

Kept: the specials; every piece of the training texts; single characters of Latin scripts and
emoji; the most frequent French pieces; the commonest English, Spanish, Italian and Portuguese
ones, through which crisis texts of other languages teach French. Order and scores are kept, so
a text made of kept pieces is cut as before.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
MASK = "<mask>"
FRENCH_PIECES = 22_000
OTHER_PIECES = 4_000  # for each of the transfer languages
OTHERS = ("en", "es", "it", "pt")
WORDS_READ = 120_000
# Characters that SentencePiece's nmt_nfkc deletes, and those it turns into a space.
DELETED = "[\\x{0000}-\\x{0008}\\x{000b}\\x{000e}-\\x{001f}\\x{007f}\\x{008f}\\x{009f}\\x{00ad}]"
SPACES = (
    "[\\x{0009}\\x{000a}\\x{000c}\\x{000d}\\x{0085}\\x{1680}\\x{200b}\\x{200e}\\x{200f}\\x{2028}"
    "\\x{2029}\\x{2581}\\x{feff}\\x{fffd}]"
)

Pieces = list[tuple[str, float]]


def build_tokenizer(pieces: Pieces) -> Any:  # Any: tokenizers ships no types
    """Return a unigram tokenizer over `pieces`, the first four being the specials."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

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


def kept_rows(pieces: Pieces, texts: Iterable[str]) -> list[int]:
    """Return the numbers of the pieces to keep, ascending."""
    import emoji

    tokenizer = build_tokenizer(pieces)
    kept = set(SPECIALS) | {piece for piece, _ in pieces if is_common_character(piece)}
    kept |= _pieces_of(tokenizer, texts)
    kept |= _pieces_of(tokenizer, emoji.EMOJI_DATA)
    kept |= set(_frequent(tokenizer, "fr", FRENCH_PIECES))
    for language in OTHERS:
        kept |= set(_frequent(tokenizer, language, OTHER_PIECES))
    return [i for i, (piece, _) in enumerate(pieces) if piece in kept and piece != MASK]


def is_common_character(piece: str) -> bool:
    """Return whether a piece is one character of Latin, a digit, a sign or a symbol."""
    char = piece.removeprefix("\u2581")
    if len(char) != 1:
        return not char
    category = unicodedata.category(char)
    return category[0] in "PSN" or "LATIN" in unicodedata.name(char, "")


def _frequent(tokenizer: Any, language: str, count: int) -> Iterator[str]:  # Any: untyped
    from wordfreq import iter_wordlist, word_frequency

    totals: Counter[str] = Counter()
    words = [w for w, _ in zip(iter_wordlist(language, "best"), range(WORDS_READ), strict=False)]
    forms = [" ".join((w, w.capitalize(), w.upper(), f"#{w}", f"l'{w}")) for w in words]
    for word, item in zip(words, tokenizer.encode_batch(forms), strict=True):
        frequency = word_frequency(word, language)
        for piece in item.tokens:
            totals[piece] += frequency
    return (piece for piece, _ in totals.most_common(count))


def _pieces_of(tokenizer: Any, texts: Iterable[str]) -> set[str]:  # Any: untyped
    return {token for item in tokenizer.encode_batch(list(texts)) for token in item.tokens}
