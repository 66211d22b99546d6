"""The page in a real browser: accessibility by axe-core, reflow, contrast, print."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from veille.domain.alert import Severity
from veille.domain.incident import Incident, IncidentState
from veille.reports.compose import compose
from veille.reports.render import to_html
from veille.store import incidents, sources
from veille.wording.catalogue import catalogue
from web.test_browser import CHROMIUM, Tab, chromium, fresh_tab, violations

if TYPE_CHECKING:
    from datetime import datetime

    from conftest import Press

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM: the summary was not seen by one"),
    pytest.mark.timeout(60),
]


@pytest.fixture(scope="module")
def browser_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chromium(tmp_path_factory.mktemp("chromium") / "profile") as address:
        yield address


@pytest.fixture
async def tab(browser_address: str) -> AsyncIterator[Tab]:
    async with fresh_tab(browser_address) as opened:
        yield opened


@pytest.fixture
def file(two_weeks: Press, monday: datetime, tmp_path: Path) -> Path:
    """A full week: incidents, sources in each state, quotes in two languages."""
    db, at = two_weeks.db, monday + timedelta(hours=2)
    two_weeks.hear("positive", 9, source="mastodon", lang="en", text="Lovely new bike lane")
    flood = Incident(
        id=1,
        key="k",
        labels={"topic": "flood"},
        state=IncidentState.RESOLVED,
        severity=Severity.CRITICAL,
        title="Inondation, appels à l'aide au camping municipal",
        opened_at=at,
        updated_at=at,
        acknowledged_at=at + timedelta(minutes=7),
        resolved_at=at + timedelta(hours=5),
    )
    incidents.save(db, flood, expected_version=None)
    counted = {"unmatched": 0, "rejected": 0, "unknown_fields": 0}
    sources.note_read(db, "presse", at=at, accepted=3, **counted)
    sources.note_error(db, "mastodon", at=at, error="403", next_try_at=None)
    path = tmp_path / "semaine.html"
    page = compose(two_weeks.summary(), catalogue("fr"))
    path.write_text(to_html(page), encoding="utf-8")
    return path


async def test_axe_finds_nothing_in_any_light_and_nothing_scrolls_sideways(
    file: Path, tab: Tab
) -> None:
    for width, scheme in ((320, "light"), (390, "dark"), (1440, "light")):
        await tab.look(width, scheme=scheme)
        await tab.open(file.as_uri())
        assert await violations(tab) == [], (width, scheme)
        assert await tab.run("document.documentElement.scrollWidth") <= width, (width, scheme)


async def test_the_keyboard_reaches_every_table_that_may_scroll(file: Path, tab: Tab) -> None:
    await tab.look(320)
    await tab.open(file.as_uri())
    scrolls = "[...document.querySelectorAll('div')].filter(e => e.scrollWidth > e.clientWidth)"
    assert await tab.run(f"{scrolls}.every(e => e.tabIndex === 0 && e.ariaLabel)")
    await tab.press("Tab", 9)
    assert await tab.run("document.activeElement.getAttribute('role')") == "region"


async def test_it_calls_nothing_outside(file: Path, tab: Tab) -> None:
    await tab.open(file.as_uri())
    assert await tab.run("performance.getEntriesByType('resource').length") == 0
