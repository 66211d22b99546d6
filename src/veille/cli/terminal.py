"""What is printed on a terminal that cannot say every character, or that is gone."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import select
import sys
import unicodedata

PLAIN = {
    **dict.fromkeys("\u00a0\u2007\u2009\u202f", " "),
    **dict.fromkeys("‘’“”", "'"),
    **dict.fromkeys("‐‑–—−·", "-"),
    **dict(zip("▲◆●○◐✓✗×°→", ("^", "+", "*", "o", "c", "v", "x", "x", "o", "->"), strict=True)),
    **dict(
        zip("«»⟨⟩…œŒæÆ€", ("<<", ">>", "<", ">", "...", "oe", "OE", "ae", "AE", "EUR"), strict=True)
    ),
}
"""What veille itself prints, in ASCII; neither quotes nor backslashes, for logs are JSON."""
_HARMLESS = str.maketrans({'"': "'", "\\": "/"})
_HANDLER, _ASCII = "veille.plain", "veille-ascii"
_DEFAULTS = ("strict", "surrogateescape", "backslashreplace")
"""What Python chooses by itself (sys.stdout, sys.stderr): anything else somebody asked for."""


def plain(text: str) -> str:
    """Return text in ASCII: accents and signs as near as they come, `?` for what has no like."""
    return "".join(map(_plain, text))


def speak_plainly() -> None:
    """Standard output and error print what they cannot say as `plain` does, and never fail for it.

    A second call changes nothing. Bytes (JSON, files) are left alone: they are always UTF-8.
    """
    codecs.register_error(_HANDLER, _instead)
    codecs.register(_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in _DEFAULTS:
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=_ASCII if is_ascii else None, errors=_HANDLER)


def is_gone() -> bool:
    """Whether nobody reads standard output any more."""
    poll = select.poll()
    with contextlib.suppress(AttributeError, OSError, ValueError):
        poll.register(sys.stdout.fileno(), 0)  # errors are told unasked
    return any(found & select.POLLERR for _, found in poll.poll(0))


def hang_up() -> None:
    """Nothing more is printed: who read it is gone, and Python would fail to flush at its end."""
    with (
        contextlib.suppress(AttributeError, OSError, ValueError),
        open(os.devnull, "wb") as nowhere,
    ):
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _plain(char: str) -> str:
    if char in PLAIN:
        return PLAIN[char]
    bare = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return bare.translate(_HARMLESS) or ("" if unicodedata.combining(char) else "?")


def _instead(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain(error.object[error.start : error.end]), error.end


def _ascii(name: str) -> codecs.CodecInfo | None:
    """Return ASCII by another name: click takes an ASCII terminal for a mistake, writes UTF-8."""
    if name.replace("_", "-") != _ASCII:
        return None
    ascii = codecs.lookup("ascii")
    return codecs.CodecInfo(
        ascii.encode,
        ascii.decode,
        incrementalencoder=ascii.incrementalencoder,
        incrementaldecoder=ascii.incrementaldecoder,
        name=_ASCII,
    )
