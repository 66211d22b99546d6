"""The encoder: texts to logits and pooled vectors, texts of like length in one run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from veille.domain.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STEP = 4
"""A text is read at its own length rounded up to this: the last bits of softmax and mean depend
on that width, so it comes from the text alone."""
SLOTS = 256
"""Texts times width of one run. With STEP the fastest of 128 to 1,024 by 4 to 32 (320 tweets)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Logits (negative, neutral, positive, crisis, urgent) and the mean of the token vectors."""

    logits: tuple[float, ...]
    vector: NDArray[np.float32]


class Encoder:
    """Run several texts at once, several runs at once, on one session without threads of its own.

    The network works on each token's row by itself, attention on each text by itself, and which
    width a text is read at is its own: its scores are the same, bit for bit, whatever its
    neighbours, order or thread.
    """

    def __init__(self, tokenizer: Any, session: Any, *, threads: int) -> None:
        self._tokenizer = tokenizer
        self._session = session
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="encoder")

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Return what the network says of each text, in order; a text is cut at max_length."""
        return [future.result() for future in self.submit(texts)]

    def submit(self, texts: Sequence[str]) -> list[Future[Encoded]]:
        """Start on the texts and return at once; each future holds one text's result."""
        ids = [self._tokenizer.encode(text).ids for text in texts]
        futures: list[Future[Encoded]] = [Future() for _ in ids]
        for group in groups([len(each) for each in ids]):
            run = self._pool.submit(self._run, [ids[at] for at in group])
            run.add_done_callback(Handover([futures[at] for at in group]))
        return futures

    def reach(self, text: str) -> int:
        """Return how many code points of the text are read: what max_length cuts off is not."""
        return max((end for _, end in self._tokenizer.encode(text).offsets), default=0)

    def close(self) -> None:
        """Stop the threads; the encoder is not used again."""
        self._pool.shutdown()

    def _run(self, ids: Sequence[Sequence[int]]) -> list[Encoded]:
        import numpy as np  # heavy

        width = width_of(max(map(len, ids)))
        padded = np.zeros((len(ids), width), np.int64)
        for row, each in zip(padded, ids, strict=True):
            row[: len(each)] = each
        lengths = np.array([len(each) for each in ids], np.int64)
        logits, vectors = self._session.run(None, {"ids": padded, "lengths": lengths})
        return [
            Encoded(logits=tuple(map(float, each)), vector=vector.copy())  # not the whole run's
            for each, vector in zip(logits, vectors, strict=True)
        ]


class Handover:
    """Give each text its part of a run, or the run's failure.

    A text of which the network says no number has its own InputError, and its neighbours do not.
    """

    def __init__(self, futures: Sequence[Future[Encoded]]) -> None:
        self._futures = futures

    def __call__(self, run: Future[list[Encoded]]) -> None:
        """Settle every future; called once, when the run is over."""
        failure = run.exception()
        if failure is not None:
            for future in self._futures:
                future.set_exception(failure)
            return
        for future, encoded in zip(self._futures, run.result(), strict=True):
            if _is_finite(encoded):
                future.set_result(encoded)
            else:
                future.set_exception(InputError("the network gives no number for this text"))


def _is_finite(encoded: Encoded) -> bool:
    import numpy as np  # heavy

    return bool(np.isfinite(encoded.logits).all() and np.isfinite(encoded.vector).all())


def width_of(length: int) -> int:
    """Return the width a text of `length` tokens is read at."""
    return -(-length // STEP) * STEP


def groups(lengths: Sequence[int]) -> Iterable[list[int]]:
    """Yield the places of the texts of each run: one width, the longest texts first."""
    by_width: dict[int, list[int]] = {}
    for at, length in enumerate(lengths):
        by_width.setdefault(width_of(length), []).append(at)
    for width, places in sorted(by_width.items(), reverse=True):
        size = max(1, SLOTS // width)
        yield from (places[start : start + size] for start in range(0, len(places), size))
