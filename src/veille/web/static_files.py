"""The style sheet, script and icon: few, small, and named by their own hash."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from aiohttp import web

from veille.web.icons import SIZES, png

_TYPES = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "png": "image/png",
}
_WORKER = "sw.js"
_YEAR_S = 31536000
_FOLDER = resources.files("veille.web") / "static"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """One file as it is served, and packed; pages are not packed: they hold secrets (BREACH)."""

    body: bytes
    packed: bytes
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFiles:
    """`paths` leads from `veille.css` to its address, `files` from the last part of that back.

    `worker` is the source of the service worker, which has an address of its own.
    """

    paths: Mapping[str, str]
    files: Mapping[str, StaticFile]
    worker: str


FILES = web.AppKey("static_files", StaticFiles)


@cache
def load() -> StaticFiles:
    """Return the packaged files, as the first call found them; an address is of its content."""
    paths: dict[str, str] = {}
    files: dict[str, StaticFile] = {}
    for name, body in _bodies():
        stem, _, suffix = name.rpartition(".")
        if suffix not in _TYPES or name == _WORKER:
            continue
        served = f"{stem}.{hashlib.sha256(body).hexdigest()[:12]}.{suffix}"
        paths[name] = f"/static/{served}"
        files[served] = StaticFile(
            body=body, packed=gzip.compress(body, mtime=0), content_type=_TYPES[suffix]
        )
    worker = (_FOLDER / _WORKER).read_text(encoding="utf-8")
    return StaticFiles(paths=paths, files=files, worker=worker)


def _bodies() -> Iterator[tuple[str, bytes]]:
    """Yield the packaged files, and the icons that are drawn."""
    for entry in _FOLDER.iterdir():
        body = entry.read_bytes()
        is_ours = entry.name.endswith(".js") and not entry.name.endswith(".min.js")
        yield entry.name, _lean(body) if is_ours else body
    for size in SIZES:
        yield f"icon-{size}.png", png(size)


def _lean(script: bytes) -> bytes:
    """Return it without what is for who reads it: lines of comment and indentation."""
    lines = (line.strip() for line in script.splitlines())
    return b"\n".join(line for line in lines if line and not line.startswith(b"//"))


async def serve(request: web.Request) -> web.Response:
    """The file of this exact name and hash, to be kept for a year."""
    file = request.app[FILES].files.get(request.match_info["name"])
    if file is None:
        raise web.HTTPNotFound
    headers = {
        "Cache-Control": f"public, max-age={_YEAR_S}, immutable",
        "Vary": "Accept-Encoding",
    }
    body = file.body
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        body, headers["Content-Encoding"] = file.packed, "gzip"
    charset = None if file.content_type == _TYPES["png"] else "utf-8"
    return web.Response(body=body, content_type=file.content_type, charset=charset, headers=headers)
