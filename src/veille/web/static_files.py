"""The style sheet, script and icon: few, small, and named by their own hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from aiohttp import web

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_YEAR_S = 31536000


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """One file as it is served."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFiles:
    """`paths` leads from `veille.css` to its address, `files` from the last part of that back."""

    paths: Mapping[str, str]
    files: Mapping[str, StaticFile]


FILES = web.AppKey("static_files", StaticFiles)


def load() -> StaticFiles:
    """Return the packaged files; an address changes when its content does."""
    paths: dict[str, str] = {}
    files: dict[str, StaticFile] = {}
    for entry in (resources.files("veille.web") / "static").iterdir():
        stem, _, suffix = entry.name.rpartition(".")
        if suffix not in _TYPES:
            continue
        body = entry.read_bytes()
        served = f"{stem}.{hashlib.sha256(body).hexdigest()[:12]}.{suffix}"
        paths[entry.name] = f"/static/{served}"
        files[served] = StaticFile(body=body, content_type=_TYPES[suffix])
    return StaticFiles(paths=paths, files=files)


async def serve(request: web.Request) -> web.Response:
    """The file of this exact name and hash, to be kept for a year."""
    file = request.app[FILES].files.get(request.match_info["name"])
    if file is None:
        raise web.HTTPNotFound
    headers = {"Cache-Control": f"public, max-age={_YEAR_S}, immutable"}
    return web.Response(
        body=file.body, content_type=file.content_type, charset="utf-8", headers=headers
    )
