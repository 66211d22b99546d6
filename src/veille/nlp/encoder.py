"""The encoder: texts to logits and pooled vectors, one text a run."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Logits (negative, neutral, positive, crisis, urgent) and the mean of the token vectors."""

    logits: tuple[float, ...]
    vector: NDArray[np.float32]


class Encoder:
    """Run each text alone, several at once, on one session without threads of its own.

    Dynamic int8 takes one activation scale for a whole run, so texts that share a run would
    change each other's scores; alone, a text has the same scores whatever its neighbours.
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
        return [self._pool.submit(self._run, text) for text in texts]

    def close(self) -> None:
        """Stop the threads; the encoder is not used again."""
        self._pool.shutdown()

    def _run(self, text: str) -> Encoded:
        import numpy as np  # heavy

        ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        logits, vector = self._session.run(None, {"ids": ids})
        return Encoded(logits=tuple(map(float, logits[0])), vector=vector[0])
