"""The page of sources: which are heard, which are not, and what to do about it."""

from __future__ import annotations

import html
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec

from servers.home import PAGE, shipped
from veille.domain.alert import Alert, AlertState, Condition, Severity
from veille.rules.silence import Heard
from veille.store import alerts, memories, sources
from veille.store.engine import Db

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any


def row(text: str, source: str) -> str:
    """Return what the page says of one source."""
    return text[text.index(f'id="source-{source}"') :].partition("</tr>")[0]


async def test_a_source_that_fails_is_first_with_its_cause_and_the_next_try(
    town: Town, dominique: Browser
) -> None:
    def fail(db: Db) -> None:
        now = town.clock.now
        sources.note_error(
            db,
            "mastodon",
            at=now,
            error="503 <b>slow</b>\u202e: check the address",
            next_try_at=now + timedelta(minutes=7),
        )

    await town.store.write(fail)
    page = (await dominique.get("/sources")).text
    assert page.index('id="source-mastodon"') < page.index('id="source-presse"')
    said = row(page, "mastodon")
    assert "En panne" in said
    assert "503 &lt;b&gt;slow&lt;/b&gt;" in said
    assert "\u202e" not in said
    assert "2 essais manqués de suite" in said
    assert "(dans 7 min)" in said
    assert "Encore 212 requêtes permises" in said
    assert "1 source sur 3 ne se fait pas entendre" in page


async def test_a_source_is_called_by_its_name_wherever_it_is_told_and_filtered_by_its_id(
    town: Town, dominique: Browser
) -> None:
    def rename(db: Db) -> None:
        db.execute("UPDATE mentions SET source = 'facebook' WHERE key = ?", (town.keys[0],))
        at = town.clock.now
        sources.note_read(
            db, "facebook", at=at, accepted=1, unmatched=0, rejected=0, unknown_fields=0
        )

    called = html.escape(PAGE)
    page = (await dominique.get("/sources")).text
    assert f'<strong>{called}</strong> <code class="small quiet">facebook</code>' in page
    assert "<code" not in row(page, "presse")  # called by its id: once is enough
    await town.store.write(rename)
    for path in ("/queue", "/queue/1", "/incidents/1"):
        told = (await dominique.get(path)).text
        assert called in told, path
        assert "· facebook" not in told, path
    assert f'<option value="facebook">{called}</option>' in (await dominique.get("/queue")).text


async def test_a_source_that_only_a_setting_can_mend_says_so(
    town: Town, dominique: Browser
) -> None:
    await town.store.write(
        lambda db: sources.note_error(
            db, "presse", at=town.clock.now, error="401", next_try_at=None
        )
    )
    said = row((await dominique.get("/sources")).text, "presse")
    assert "corrigez [[source]] « presse »" in said
    assert "Prochain essai" not in said


async def test_a_good_source_says_its_last_item_its_delay_and_its_days(
    town: Town, dominique: Browser
) -> None:
    def heal(db: Db) -> None:
        sources.note_read(
            db,
            "mastodon",
            at=town.clock.now,
            accepted=3,
            unmatched=0,
            rejected=0,
            unknown_fields=0,
        )

    await town.store.write(heal)
    said = row((await dominique.get("/sources")).text, "mastodon")
    assert "Entendue" in said
    assert "Dernier élément retenu : 02:16 (à l&#39;instant)" in said
    assert "publication et la réception du dernier : 1 min" in said
    assert "0,4 messages par jour sur une semaine, 3 en 24 h" in said


async def test_a_source_that_answers_and_brings_nothing_is_silent(
    town: Town, dominique: Browser
) -> None:
    since = town.clock.now - timedelta(hours=2)
    alert = Alert(
        fingerprint="a" * 16,
        rule="source_silent",
        rule_version="1",
        severity=Severity.WARNING,
        group={"source": "presse"},
        labels={"source": "presse"},
        state=AlertState.FIRING,
        started_at=since,
        fired_at=since,
        conditions=(Condition(name="silent_s", value=9000, threshold=600),),
    )
    await town.store.write(lambda db: alerts.save(db, [alert]))
    said = row((await dominique.get("/sources")).text, "presse")
    assert "Muette depuis 2 h (00:16)" in said
    assert "ouvrez-la et voyez" in said
    other = replace(alert, shadow=True)
    await town.store.write(lambda db: alerts.save(db, [other]))
    assert "Muette" not in row((await dominique.get("/sources")).text, "presse")


async def test_a_source_that_was_taken_out_is_told_apart_and_one_never_read_too(
    town: Town, dominique: Browser
) -> None:
    await town.store.write(
        lambda db: sources.note_read(
            db, "ancienne", at=town.clock.now, accepted=0, unmatched=0, rejected=0,
            unknown_fields=0,
        )
    )  # fmt: skip
    page = (await dominique.get("/sources")).text
    assert "Retirée de la configuration" in row(page, "ancienne")
    assert "Pas encore lue" in row(page, "facebook")
    assert "*rules" not in page


async def test_an_own_account_is_active_slow_or_abandoned_as_its_rule_has_it(
    town: Town, dominique: Browser
) -> None:
    rule = next(one for one in shipped().rules if one.id == "own_account_silent")

    async def heard(days: int, others: int) -> str:
        at = town.clock.now - timedelta(days=days)
        fact = Heard(values=("facebook",), first=at, last=at, others=others)
        state = {(rule.feed, "m"): msgspec.json.encode(fact).decode()}
        await town.store.write(lambda db: memories.save(db, state))
        text = (await dominique.get("/sources")).text
        return text[text.index('data-live="account facebook"') :].partition("</tr>")[0]

    assert "Pas encore entendu" in (await dominique.get("/sources")).text
    assert "Actif" in await heard(3, 0)
    assert "Ralenti" in await heard(30, 1)
    said = await heard(190, 14)
    assert "Abandonné" in said
    assert "14 messages d&#39;habitants depuis" in said
    assert "fermer le compte et dire où l&#39;on répond" in said


async def test_what_is_no_source_is_on_no_page(town: Town, dominique: Browser) -> None:
    def keep(db: Db) -> None:
        now = town.clock.now
        counts = {"accepted": 1, "unmatched": 0, "rejected": 0, "unknown_fields": 0}
        sources.note_read(db, "*scene", at=now, **counts)
        sources.note_read(db, "presse", at=now, **counts)

    await town.store.write(keep)
    for path in ("/sources", "/queue", "/"):
        page = await dominique.get(path)
        assert "*scene" not in page.text, path
    assert '<option value="presse">' in (await dominique.get("/queue")).text
