"""JSON that holds half a character, which strict decoders refuse, is mended: no post is lost."""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec

from veille.domain.text import printable

BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)
"""What decoding bytes from outside may raise; msgspec.ValidationError is one of them."""

Decoded = TypeVar("Decoded")


def decode(decoder: msgspec.json.Decoder[Decoded], raw: bytes) -> Decoded:
    """Return the decoded value, lone surrogates replaced by U+FFFD. Raises one of `BROKEN`."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if b"\\u" not in raw:
            raise
        mended = printable(json.dumps(json.loads(raw), ensure_ascii=False))
        return decoder.decode(mended)
