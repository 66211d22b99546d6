"""Who approves an answer: somebody else than its author, who may edit."""

from __future__ import annotations

from typing import Any

from veille.domain.draft import DraftState
from veille.store import drafts

# fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
Town = Any


async def test_who_may_not_edit_approves_nothing(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    page = await sacha.get("/queue/1")
    await sacha.submit(page, "/queue/1/draft", text="Les secours arrivent.")
    mine = await town.store.read(lambda db: drafts.get(db, 1))
    fields = {"draft": "1", "version": str(mine.version)}
    page = await camille.get("/queue/1")
    answer = await camille.post("/queue/1/propose", {**fields, "csrf": page.field("csrf")})
    assert answer.status == 200
    fields["version"] = str(mine.version + 1)
    refused = await camille.post("/queue/1/approve", {**fields, "csrf": page.field("csrf")})
    assert refused.status == 403
    left = await town.store.read(lambda db: drafts.get(db, 1))
    assert left.state is DraftState.PROPOSED
