"""What a page is made of: vendored code as its publisher made it, and little of it."""

from __future__ import annotations

import hashlib
import re
import tomllib
from importlib import resources
from typing import Any

import pytest

from veille.web import static_files

# Fixtures come from conftest.py; importmode=importlib keeps it from being imported by name.
Browser = Any
Town = Any
FOLDER = resources.files("veille.web") / "static"
LIMIT = 150_000
"""Bytes of a page without images, with all that it loads (issue 6)."""


def test_htmx_is_what_its_publisher_made() -> None:
    said = tomllib.loads((FOLDER / "htmx.toml").read_text())
    body = (FOLDER / "htmx.min.js").read_bytes()
    assert hashlib.sha256(body).hexdigest() == said["sha256"]
    assert f'version:"{said["version"]}"'.encode() in body
    assert (FOLDER / "htmx.LICENSE").read_text().startswith("Zero-Clause BSD")


def test_no_template_of_a_script_goes_over_lines() -> None:
    """Its lines would lose their indentation, and those that begin as a comment, when served."""
    ours = [each for each in FOLDER.iterdir() if re.search(r"(?<!\.min)\.js$", each.name)]
    lines = [line for each in ours for line in each.read_text().splitlines()]
    assert [line for line in lines if line.count("`") % 2] == []


def test_the_dark_theme_is_the_same_as_the_device_s_and_as_chosen() -> None:
    css = (FOLDER / "veille.css").read_text()
    chosen = re.search(r'\n\[data-theme="dark"\] \{\n(.*?)\n\}', css, re.DOTALL)
    device = re.search(r":root:not\(\[data-theme\]\) \{\n(.*?)\n  \}", css, re.DOTALL)
    assert chosen is not None
    assert device is not None
    assert chosen[1] == device[1]


def test_the_style_sheet_has_three_sizes_of_letters() -> None:
    css = (FOLDER / "veille.css").read_text()
    sizes = set(re.findall(r"font-size: ([^;]+);", css))
    assert sizes <= {"0.875rem", "1rem", "1.375rem", "11pt"}


@pytest.mark.parametrize(
    "path", ["/", "/incidents/1", "/queue", "/queue/1", "/silences", "/account", "/help/keys"]
)
async def test_a_page_weighs_less_than_150_kb(town: Town, camille: Browser, path: str) -> None:
    page = await camille.get(path)
    assert page.status == 200
    loaded = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert len(loaded) >= 3
    files = town.app[static_files.FILES].files
    weight = sum(len(files[name.rpartition("/")[2]].packed) for name in set(loaded))
    assert weight + len(page.text.encode()) < LIMIT


async def test_files_are_packed_for_who_takes_them_so(town: Town, camille: Browser) -> None:
    files = town.app[static_files.FILES]
    path = files.paths["htmx.min.js"]
    said = files.files[path.rpartition("/")[2]]
    url = camille.url + path
    for wanted, size in (("gzip, br", len(said.packed)), ("identity", len(said.body))):
        async with camille.session.get(url, headers={"Accept-Encoding": wanted}) as answer:
            assert await answer.read() == said.body
            assert answer.headers["Content-Length"] == str(size)
            assert answer.headers["Vary"] == "Accept-Encoding"
    assert len(said.packed) < len(said.body) / 2
    page = await camille.get("/", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in page.headers  # a token beside what others write: BREACH
