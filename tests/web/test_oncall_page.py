"""The page of who is on call: the same words as `veille oncall`, and changes that are looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from servers.home import PARIS, PEOPLE, roster
from veille.alerts.oncall_settings import ScheduleSettings
from veille.app.oncall_words import Voice
from veille.domain.calendar import Region
from veille.domain.oncall import CalendarRole
from veille.pipeline.oncall import Roster
from veille.pipeline.rota import Rota
from veille.store import audit_trail, oncall
from veille.store.audit_trail import TrailFilter
from veille.web.house import House
from veille.web.site import SITE
from veille.wording.catalogue import catalogue

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
AHEAD = timedelta(weeks=4)


async def overrides(town: Town) -> list[Any]:
    since = town.clock.now
    return list(await town.store.read(lambda db: oncall.overrides(db, since=since)))


async def test_who_is_on_call_is_said_as_the_command_says_it(
    town: Town, dominique: Browser
) -> None:
    now = town.clock.now
    found = await town.store.read(lambda db: roster().status(db, now, ahead=AHEAD))
    voice = Voice(say=catalogue("fr"), zone=PARIS, roster=roster(), now=now)
    said = voice.line(found[0]).replace("\u00a0", " ").replace("\u202f", " ")
    page = (await dominique.get("/on-call")).text
    assert said == "astreinte : Camille Roux jusqu'à lun. 19 janv. 08:00"
    assert said.replace("'", "&#39;") + "</h3>" in page
    assert "Ensuite Sacha &lt;b&gt;Martin&lt;/b&gt; à partir du lun. 19 janv. 08:00" in page


async def test_the_week_has_each_day_with_its_hours(town: Town, dominique: Browser) -> None:
    page = (await dominique.get("/on-call")).text
    week = page[page.index('id="week"') :]
    days = week.split('<th scope="row">')[1:]
    assert [day[16:26] for day in days] == [f"2026-01-{18 + n}" for n in range(7)]
    assert "<li>Camille Roux</li>" in days[0]
    monday = days[1].partition("</tr>")[0]
    assert "<li>00:00-08:00 Camille Roux</li>" in monday
    assert "<li>08:00-09:00 Sacha" in monday
    assert "<li>09:00-18:00 Noor Benali</li>" in monday


async def test_the_policy_is_told_in_sentences(town: Town, dominique: Browser) -> None:
    page = (await dominique.get("/on-call")).text
    assert "Étape 1, tout de suite : qui est d&#39;astreinte sur astreinte" in page
    assert "après 5 min : Sacha &lt;b&gt;Martin&lt;/b&gt;, seulement samedi, dimanche 08:00" in page
    assert "Puis tout recommence 1 fois, 15 min plus tard." in page
    assert "Pour : severity=critical" in page


async def test_an_editor_sees_what_an_override_changes_before_it_counts(
    town: Town, sacha: Browser
) -> None:
    page = await sacha.get("/on-call")
    asked = {"verb": "replace", "schedule": "astreinte", "person": "Noor"}
    times = {"since": "2026-01-19T07:00", "until": "2026-01-19T10:00"}
    seen = await sacha.post("/on-call/preview", {"csrf": page.field("csrf"), **asked, **times})
    assert "du lun. 19 janv. 07:00 au lun. 19 janv. 08:00" in seen.text
    assert "du lun. 19 janv. 08:00 au lun. 19 janv. 09:00" in seen.text
    assert "au lun. 19 janv. 10:00" not in seen.text.partition("<form")[0]  # hers already
    assert await overrides(town) == []
    done = await sacha.post("/on-call/change", {"csrf": page.field("csrf"), **asked, **times})
    assert "Remplacement noté." in done.text
    (one,) = await overrides(town)
    assert one.starts_at == datetime(2026, 1, 19, 6, tzinfo=UTC)
    assert "Remplacement 1 : Noor Benali" in done.text
    (row,) = await town.store.read(
        lambda db: audit_trail.page(db, TrailFilter(action="oncall.overridden"), limit=9)
    )
    assert (row.actor, row.target) == ("Sacha", "override 1")
    gone = await sacha.submit(done, "/on-call/withdraw", override="1")
    assert "Remplacement annulé." in gone.text
    assert await overrides(town) == []
    again = await sacha.post("/on-call/withdraw", {"csrf": page.field("csrf"), "override": "1"})
    assert again.status == 409


async def test_who_acts_gives_away_their_own_shift_and_no_other(
    town: Town, camille: Browser
) -> None:
    page = await camille.get("/on-call")
    asked = {"csrf": page.field("csrf"), "verb": "replace", "schedule": "astreinte"}
    mine = {"person": "Noor", "since": "2026-01-18T10:00", "until": "2026-01-18T12:00"}
    done = await camille.post("/on-call/change", {**asked, **mine})
    assert "Remplacement noté." in done.text
    theirs = {"person": "Camille", "since": "2026-01-20T10:00", "until": "2026-01-20T12:00"}
    for path in ("/on-call/preview", "/on-call/change"):
        refused = await camille.post(path, {**asked, **theirs})
        assert refused.status == 403
        assert "ce tour n&#39;est pas le vôtre" in refused.text
    # part of it is somebody else's
    wide = {"person": "Noor", "since": "2026-01-19T07:00", "until": "2026-01-19T08:30"}
    assert (await camille.post("/on-call/change", {**asked, **wide})).status == 403
    assert len(await overrides(town)) == 1


async def test_two_people_swap_shifts_at_once(town: Town, camille: Browser) -> None:
    page = await camille.get("/on-call")
    start = page.text.index('id="one-astreinte"')
    keys = [part.partition('"')[0] for part in page.text[start:].split('value="')[1:]]
    mine = next(key for key in keys if key.endswith(".Camille"))
    hers = next(key for key in keys if key.endswith(".Sacha"))
    asked = {"csrf": page.field("csrf"), "verb": "swap", "schedule": "astreinte"}
    swap = {**asked, "one": mine, "other": hers}
    seen = await camille.post("/on-call/preview", swap)
    assert seen.text.count("<strong>") >= 2
    done = await camille.post("/on-call/change", swap)
    assert "Tours échangés." in done.text
    found = await overrides(town)
    assert [one.person for one in found] == ["Sacha", "Camille"]
    # sent twice: the shifts are not what they were
    assert (await camille.post("/on-call/change", swap)).status == 409
    assert len(await overrides(town)) == 2


async def test_nonsense_changes_nothing(town: Town, sacha: Browser) -> None:
    page = await sacha.get("/on-call")
    asked = {"csrf": page.field("csrf"), "verb": "replace", "schedule": "astreinte"}
    for wrong in (
        {"person": "Noor", "until": ""},
        {"person": "Noor", "until": "bientôt"},
        {"person": "Noor", "until": "0001-01-01T00:00"},
        {"person": "Noor", "until": "9999-12-31T23:59"},
        {"person": "Noor", "until": "2026-01-17T00:00"},
        # 02:30 does not exist that night: it is 03:30, later than the end
        {"person": "Noor", "since": "2026-03-29T02:30", "until": "2026-03-29T03:10"},
        {"person": "nobody", "until": "2026-01-19T00:00"},
        {"person": "Noor", "until": "2026-01-19T00:00", "schedule": "<b>"},
        {"verb": "swap", "one": "x", "other": "x"},
    ):
        refused = await sacha.post("/on-call/change", {**asked, **wrong})
        assert refused.status == 400, wrong
        assert "Rien n&#39;a changé" in refused.text
    assert await overrides(town) == []


async def test_who_only_reads_sees_no_form_and_is_refused(town: Town, dominique: Browser) -> None:
    page = await dominique.get("/on-call")
    assert 'action="/on-call' not in page.text
    fields = {"csrf": page.field("csrf"), "override": "1"}
    assert (await dominique.post("/on-call/withdraw", fields)).status == 403


async def test_a_calendar_that_fails_is_told_with_its_cause(town: Town, dominique: Browser) -> None:
    # not configured any more: it counts no more and is not told
    await town.store.write(
        lambda db: oncall.calendar_failed(
            db, "astreinte", CalendarRole.PRIMARY, address="x", error="404", now=town.clock.now
        )
    )
    assert "404" not in (await dominique.get("/on-call")).text


EVENT = (
    "BEGIN:VEVENT\r\nUID:{}\r\nSUMMARY:{}\r\nDTSTART;TZID=Europe/Paris:{}\r\n"
    "DTEND;TZID=Europe/Paris:{}\r\nEND:VEVENT\r\n"
)
DST_WEEK = "".join(
    EVENT.format(*event)
    for event in (
        (1, "Camille Roux", "20260327T180000", "20260329T080000"),
        (2, "sacha", "20260330T080000", "20260427T180000"),
        (3, "Congés de Paul", "20260330T080000", "20260331T080000"),
    )
)


async def test_a_calendar_its_holes_and_an_override_are_told_over_the_night_the_clocks_change(
    town: Town, stranger: Browser
) -> None:
    plan = ScheduleSettings(id="astreinte", calendar="https://cal.example/a.ics")
    people = Roster(people=PEOPLE, schedules=(plan,), zone=PARIS, region=Region.METROPOLE)
    house = House(rota=Rota(town.store, people))
    town.app._state[SITE] = replace(town.app[SITE], house=house)
    town.clock.now = datetime(2026, 3, 28, 12, tzinfo=UTC)
    content = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x\r\n{DST_WEEK}END:VCALENDAR\r\n"
    await town.store.write(
        lambda db: oncall.keep_calendar(
            db, "astreinte", CalendarRole.PRIMARY, address=str(plan.calendar),
            content=content.encode(), now=town.clock.now,
        )
    )  # fmt: skip
    await stranger.sign_in("Sacha")
    asked = {"csrf": (await stranger.get("/on-call")).field("csrf"), "schedule": "astreinte"}
    night = {"since": "2026-03-29T01:00", "until": "2026-03-29T04:00", "person": "Noor"}
    done = await stranger.post("/on-call/change", {**asked, **night, "verb": "replace"})
    assert "astreinte : Camille Roux jusqu&#39;à dim. 29 mars 01:00" in done.text
    assert "Trou : personne de dim. 29 mars 08:00 à lun. 30 mars 08:00" in done.text
    assert "Congés de Paul" in done.text
    sunday = done.text.partition('datetime="2026-03-29"')[2].partition("</tr>")[0]
    cells = [line.partition("</li>")[0] for line in sunday.split("<li>")[1:]]
    assert cells == [
        "00:00-01:00 Camille Roux",
        "01:00-04:00 Noor Benali",
        "04:00-08:00 Camille Roux",
        "08:00-24:00 personne d&#39;astreinte",
    ]
    (one,) = await overrides(town)
    assert one.ends_at - one.starts_at == timedelta(hours=2)  # by the clocks on the wall: three
    start = done.text.index('id="one-astreinte"')
    keys = [part.partition('"')[0] for part in done.text[start:].split('value="')[1:]]
    swap = {"one": keys[1], "other": next(key for key in keys if key.endswith(".Camille"))}
    seen = await stranger.post("/on-call/preview", {**asked, **swap, "verb": "swap"})
    assert "du dim. 29 mars 01:00 au dim. 29 mars 04:00" in seen.text
    assert (await stranger.post("/on-call/change", {**asked, **swap, "verb": "swap"})).status == 200
    assert len(await overrides(town)) == 3
