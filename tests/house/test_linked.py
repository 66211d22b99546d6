"""What a reader should find is linked from where they look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def _links(page: Path) -> Iterator[Path]:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            yield (page.parent / target).resolve()


def _pages() -> list[Path]:
    ours = [ROOT / "README.md", *DOCS.rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
    return sorted(ours)


SCRIPTS = sorted([*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "soak").glob("*.py")])
OPERATED = sorted(
    file
    for folder in ("systemd", "deploy", "monitoring")
    for file in (ROOT / folder).rglob("*")
    if file.is_file()
)


@pytest.mark.parametrize("page", _pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_link_leads_nowhere(page: Path) -> None:
    assert [str(target) for target in _links(page) if not target.exists()] == []


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda p: p.name)
def test_every_page_is_linked_from_the_first(page: Path) -> None:
    first = DOCS / "README.md"
    assert page == first or page in set(_links(first))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_every_measurement_has_its_figures_written_down(script: Path) -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert script.relative_to(ROOT).as_posix() in page or f"make {script.stem}" in page


@pytest.mark.parametrize("file", OPERATED, ids=lambda p: p.name)
def test_every_unit_and_operations_file_is_explained(file: Path) -> None:
    page = DOCS / "operations.md"
    linked = set(_links(page))
    text = page.read_text(encoding="utf-8")
    assert file in linked or file.parent in linked or file.name in text
