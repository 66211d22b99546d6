"""The pages of rules: what runs, how often it was right, and where it is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from servers.home import rulebook, shipped
from veille.domain.alert import AlertState, Transition
from veille.domain.incident import Verdict
from veille.store import alerts, sources, verdicts
from veille.store.engine import Db
from veille.web.rule_source import finding, rule_source
from veille.web.site import SITE

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
RULES = b"""# A file of the town.
rules:
  # What the river does: <script>alert(1)</script>
  # and the lake.
  - id: flood_distress
    kind: mention
    severity: info
    where: {text: {words: ["\xe2\x80\xaecrue"]}}
  # The next one.
  - id: other
    kind: mention
    severity: info
    where: {urgency.score: ">= 0.5"}
"""
TESTS = b"""tests:
  - name: rien
    mentions:
      - {at: 0m, id: a, text: "la crue", analysis: {urgency: {score: 0.9}}}
    expect:
      - {at: 1m, firing: [{rule: flood_distress}]}
"""


def use(town: Town, folder: Path) -> None:
    """The town's rules are those of this folder; the shipped ones run."""
    known = town.app[SITE]
    fresh = replace(known.house, rules=rulebook(folder, town.clock))
    town.app._state[SITE] = replace(known, house=fresh)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "rules"
    made.mkdir()
    (made / "river.yml").write_bytes(RULES)
    return made


async def test_each_rule_says_when_it_fired_and_how_often_rightly(
    town: Town, dominique: Browser
) -> None:
    now = town.clock.now

    def history(db: Db) -> None:
        (live,) = alerts.live(db)
        old = now - timedelta(days=31)
        alerts.add_transitions(
            db,
            [
                Transition(at=old, alert=live),
                Transition(at=now, alert=live),
                Transition(at=now, alert=replace(live, shadow=True)),
                Transition(at=now, alert=replace(live, state=AlertState.RESOLVED)),
                Transition(at=now, alert=replace(live, rule="other")),
            ],
        )
        for number in range(10):
            said = Verdict.FALSE_ALARM if number < 2 else Verdict.TRUE_ALERT
            verdicts.add(db, number, ["flood_distress"], verdict=said, actor="Camille", at=now)

    await town.store.write(history)
    page = (await dominique.get("/rules")).text
    row = page[page.index('data-live="rule flood_distress"') :].partition("</tr>")[0]
    assert "Se déclenche" in row
    assert "8 sur 10 utiles (80 %, entre 49 % et 94 %)" in row
    assert "</span>2<br>" in row  # not the one of 31 days ago, nor the end
    assert "dont 1 à l&#39;essai" in row
    assert f"{len(shipped().rules)} règles en service" in page
    assert f"Version en service : {shipped().version}" in page
    one = (await dominique.get("/rules/flood_distress")).text
    assert one.count("<tr data-row>") == 3
    assert 'href="/incidents/1">I1</a>' in one


async def test_a_rule_shows_its_text_its_reason_and_the_address_of_each_line(
    town: Town, dominique: Browser, folder: Path
) -> None:
    use(town, folder)
    page = (await dominique.get("/rules/flood_distress")).text
    assert "What the river does: &lt;script&gt;alert(1)&lt;/script&gt; and the lake." in page
    assert '<li id="L5"><a href="#L5">5</a>' in page
    assert "The next one" not in page
    assert "\u202e" not in page
    whole = (await dominique.get("/rules/files/river.yml")).text
    assert '<li id="L13">' in whole
    for path in ("/rules/unknown", "/rules/files/config.toml", "/rules/files/..%2Fconfig.toml"):
        assert (await dominique.get(path)).status == 404


async def test_a_refused_folder_says_what_runs_and_leads_to_the_line(
    town: Town, dominique: Browser, folder: Path
) -> None:
    use(town, folder)
    cause = f'{folder}/river.yml:6:5: unknown field "knd"\nall too much'
    await town.store.write(
        lambda db: sources.note_error(
            db, sources.RULES, at=town.clock.now, error=cause, next_try_at=town.clock.now
        )
    )
    page = (await dominique.get("/rules")).text
    assert "refusés à 02:16" in page
    assert 'href="/rules/files/river.yml#L6"' in page
    assert str(folder) not in page
    assert f"Version en service : {shipped().version}" in page
    one = (await dominique.get("/rules/flood_distress")).text
    assert "peut différer du texte" in one
    assert 'href="/rules/files/river.yml#L6"' in one


async def test_tests_run_when_an_editor_asks_and_age_with_their_file(
    town: Town, sacha: Browser, folder: Path
) -> None:
    use(town, folder)
    page = await sacha.get("/rules/flood_distress")
    assert "Pas encore joués" in page.text
    (folder / "river_test.yml").write_bytes(TESTS)
    said = await sacha.submit(page, "/rules/flood_distress/test")
    assert "Les tests ont été joués." in said.text
    assert "0 test passe sur 1" in said.text
    assert "rule other has no test" in said.text
    assert "Le fichier a changé" not in said.text
    (folder / "river.yml").write_bytes(RULES + b"# more\n")
    assert "Le fichier a changé" in (await sacha.get("/rules/flood_distress")).text


async def test_who_does_not_edit_runs_no_tests(town: Town, camille: Browser) -> None:
    page = await camille.get("/rules/flood_distress")
    assert "/rules/flood_distress/test" not in page.text
    fields = {"csrf": page.field("csrf")}
    assert (await camille.post("/rules/flood_distress/test", fields)).status == 403


async def test_a_page_of_nonsense_is_refused_and_one_beyond_the_end_is_empty(
    town: Town, dominique: Browser
) -> None:
    for written in ("x", "-1", "1e3", "²", "9" * 9):
        assert (await dominique.get(f"/rules?from={written}")).status == 400
    assert (await dominique.get("/rules?from=9000")).status == 200


async def test_a_rule_is_found_wherever_its_id_stands() -> None:
    text = b"rules:\n- kind: mention\n  id: 'a'\n  severity: info\n\n# next\n- id: b\n"
    found = rule_source({"x_test.yml": text, "x.yml": text}, "a")
    assert found is not None
    assert (found.file, [line.number for line in found.lines]) == ("x.yml", [2, 3, 4])
    assert rule_source({"x.yml": text}, "c") is None
    assert finding("the rule files hold too much").path is None
