"""The icon as PNG, drawn from the same triangle as `static/veille.svg`: phones want pixels."""

from __future__ import annotations

import struct
import zlib
from functools import cache

TRIANGLE = ((8.0, 1.0), (15.0, 14.0), (1.0, 14.0))
"""Its corners, apex first, in a square of 16."""
GROUND, INK = (0x1A, 0x44, 0x80), (0xFF, 0xFF, 0xFF)
SIZES = (192, 512)  # what browsers ask of an icon to install with (W3C manifest, "icons")
_BOX = 16.0
_WITHIN = 0.42
"""Of the width: what is drawn leaves the rest free, for masks cut down to a circle of 40 % (W3C
Image Resource, "maskable")."""
_LINES = 4
"""A pixel's row is looked at this often, for edges without steps."""


@cache
def png(size: int) -> bytes:
    """Return a square PNG: the triangle in white on the accent colour, safe under any mask."""
    rows = b"".join(b"\x00" + _row(y, size) for y in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)  # 8 bits of red, green and blue
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _row(y: int, size: int) -> bytes:
    """Return one row of pixels, each as white as it is covered."""
    scale = size * _WITHIN / (_BOX / 2)  # half of the box fits into what a mask leaves
    spans = [_span((y + (n + 0.5) / _LINES), size, scale * 0.75) for n in range(_LINES)]
    inside = [span for span in spans if span is not None]
    if not inside:
        return bytes(GROUND) * size
    first, last = int(min(a for a, _ in inside)), int(max(b for _, b in inside)) + 1
    # between the edges nothing needs to be counted: drawing takes milliseconds, at each start
    left = min(last, int(max(a for a, _ in inside)) + 1) if len(inside) == _LINES else last
    right = max(left, int(min(b for _, b in inside)))
    drawn = [_pixel(x, inside) for x in (*range(first, left), *range(right, last))]
    drawn.insert(left - first, bytes(INK) * (right - left))
    return bytes(GROUND) * first + b"".join(drawn) + bytes(GROUND) * (size - last)


def _span(y: float, size: int, scale: float) -> tuple[float, float] | None:
    """Return from where to where a line crosses the triangle, in pixels."""
    (_, top), (right, bottom), (left, _) = TRIANGLE
    middle = (top + bottom) / 2 + 1  # its weight sits low: a little lower looks centred
    at = (y - size / 2) / scale + middle
    if not top <= at <= bottom:
        return None
    half = (right - left) / 2 * (at - top) / (bottom - top) * scale
    return size / 2 - half, size / 2 + half


def _pixel(x: int, spans: list[tuple[float, float]]) -> bytes:
    covered = sum(max(0.0, min(b, x + 1) - max(a, x)) for a, b in spans) / _LINES
    return bytes(
        round(ground + (ink - ground) * covered) for ground, ink in zip(GROUND, INK, strict=True)
    )
