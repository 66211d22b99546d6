"""The whole night of `veille demo` as its people live it: a phone, a keyboard, two at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from servers.browser import CHROMIUM, DESK, PHONE, Browsers, Person
from servers.demo import PASSWORD, Demo
from veille.domain.access import Role
from veille.store import incidents, timeline

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM: the night was not played"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
]
expect.set_options(timeout=20_000)
REFUSED = "409 (Conflict)"
"""What Chromium says of a page that says "somebody else was faster"."""


@dataclass
class Night:
    """The demonstration, its people, and the phone that lay open on Now from its beginning."""

    demo: Demo
    browsers: Browsers
    phone: Person

    async def person(self, name: str, **options: object) -> Person:
        """Return a colleague who has just signed in at a desk, or at what `options` say."""
        someone = await self.browsers.person(self.demo.url, **(options or DESK))
        await someone.sign_in(name, PASSWORD)
        return someone


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def night(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Night]:
    async with AsyncExitStack() as stack:
        browsers = await stack.enter_async_context(Browsers())
        demo = await stack.enter_async_context(Demo(tmp_path_factory.mktemp("demo")))
        phone = await browsers.person(demo.url, **PHONE)
        await phone.sign_in(demo.login, demo.password)
        await phone.page.evaluate("window.stays = 1")
        await demo.employ(Claire=Role.EDITOR, Sacha=Role.TRIAGE)
        yield Night(demo=demo, browsers=browsers, phone=phone)


@pytest.fixture(autouse=True)
def _nothing_breaks(night: Night) -> AsyncIterator[None]:
    """No script fails, no policy is broken, nothing outside is asked for, in any browser."""
    yield
    hosts = {url.split("/")[2] for person in night.browsers.people for url in person.hosts}
    assert hosts == {night.demo.url.split("/")[2]}
    broken = [said for person in night.browsers.people for said in person.broken]
    assert [said for said in broken if REFUSED not in said] == []


async def said(page: Page, text: str) -> None:
    """The page says so where a reader of screens hears it."""
    await expect(page.locator("[role=status]", has_text=text).first).to_be_visible()


async def press(page: Page, name: str, *, inside: str = "main") -> None:
    """Press the first button of that name; a phone is touched."""
    button = page.locator(inside).get_by_role("button", name=name, exact=True).first
    await button.click()


async def undo(page: Page) -> None:
    await page.locator("#undo button").click()
    await said(page, "C'est annulé")


async def test_the_night_on_a_phone(night: Night) -> None:
    page = night.phone.page
    incident = await take_in_two_taps(page)
    await night.demo.over()  # its clock leaps until then: ten seconds of an undo are over at once
    await entrust_and_note(page)
    await page.goto(night.demo.url + "/queue")
    await page.locator("a.row").first.tap()
    await page.locator("#correct-intent").select_option(label="question")
    # as extensions and screenshots leave fields; to carry that over would break our own policy
    await page.evaluate("for (const e of document.all) { e.style.top = 0; e.style.top = '' } 0")
    await press(page, "Enregistrer la correction")
    await said(page, "votre avis sur l'analyse est enregistré")
    await page.goto(night.demo.url + "/silences")
    await silence_what_is_previewed(page)
    await page.goto(incident)
    await close_and_judge(page)
    await page.goto(night.demo.url + "/more")
    await press(page, "Se déconnecter")
    await expect(page.get_by_label("Mot de passe")).to_be_visible()
    await page.goto(incident)
    await expect(page.get_by_label("Mot de passe")).to_be_visible()


async def take_in_two_taps(page: Page) -> str:
    """The critical incident announced on the page that lay open is taken; return its address."""
    await expect(page.locator("#alarm")).to_contain_text("critique", timeout=90_000)
    assert await page.evaluate("window.stays") == 1  # heard on the page that lay open
    await page.locator("#alarm a").tap()
    await page.locator("li.card.critical button.main").first.tap()
    await said(page, "vous avez pris")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    return page.url.partition("?")[0]


async def entrust_and_note(page: Page) -> None:
    """Given to a colleague, taken back at once, and noted for that colleague."""
    await page.locator("#dock-assign").tap()
    await page.locator("#to").select_option("Sacha")
    await press(page, "Confier", inside="#act")
    await said(page, "est confié")
    await undo(page)
    await expect(page.locator(".first")).to_contain_text("Camille")
    await page.locator("#note").fill("Le CODIS est prévenu, une équipe part rue du Lavoir.")
    await page.get_by_label("Sacha", exact=True).check()
    await press(page, "Ajouter la note")
    await said(page, "La note est dans la main courante")
    newest = page.locator(".timeline").last  # older lines are folded above
    await expect(newest).to_contain_text("une équipe part rue du Lavoir")


async def silence_what_is_previewed(page: Page) -> None:
    """What a silence would hide is shown before it is one, and it can be ended."""
    await page.locator("#match").fill("rule=press_pickup")
    await page.locator("#reason").fill("Les journalistes sont rappelés au matin.")
    await press(page, "Voir ce qu'il cacherait")
    await expect(page.locator("section[aria-labelledby=hides]")).to_contain_text("La presse")
    await press(page, "Faire taire")
    await said(page, "Silence enregistré")
    await page.locator("tr", has_text="rule=press_pickup").get_by_role("button").tap()
    await said(page, "Silence terminé")


async def close_and_judge(page: Page) -> None:
    """Closed, opened again by an undo, found right, and closed for good."""
    await page.locator("#dock-resolve").tap()
    await press(page, "Clore l'incident")
    await said(page, "est clos")
    await undo(page)
    await press(page, "Vraie alerte")
    await said(page, "votre avis sur l'alerte est enregistré")
    await page.locator("#dock-resolve").tap()
    await press(page, "Clore l'incident")
    await said(page, "est clos")
    await expect(page.locator("#act")).to_contain_text("Rouvrir")


async def reach(page: Page, selector: str) -> None:
    """Walk there by the Tab key."""
    for _ in range(200):
        if await page.evaluate("at => !!document.activeElement?.matches(at)", selector):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(selector)


async def test_the_night_by_the_keyboard_alone(night: Night) -> None:
    sacha = await night.person("Sacha")
    page, keys = sacha.page, sacha.page.keyboard
    await night.demo.over()
    await page.goto(night.demo.url + "/")
    await keys.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Prendre en charge")
    await keys.press("Escape")
    await work_an_incident_by_keys(page)
    await search_and_correct_by_keys(page)
    await reach(page, "form[action='/logout'] button")
    await keys.press("Enter")
    await expect(page.get_by_label("Mot de passe")).to_be_visible()


async def work_an_incident_by_keys(page: Page) -> None:
    """Taken, entrusted, taken back, noted, silenced, closed, reopened, closed, judged."""
    keys = page.keyboard
    for _ in range(4):  # a later card than that of the phone
        await keys.press("j")
    await keys.press("e")
    await said(page, "vous avez pris")
    await keys.press("a")
    await keys.type("Claire")
    await keys.press("Tab")
    await keys.press("Enter")
    await said(page, "est confié")
    await keys.press("u")
    await said(page, "C'est annulé")
    await keys.press("n")
    await keys.type("Vu avec les services techniques.")
    await reach(page, "form[action$='/note'] button")
    await keys.press("Enter")
    await said(page, "La note est dans la main courante")
    await keys.press("s")
    await keys.type("Suivi ici")
    await keys.press("Tab")
    await keys.press("Enter")
    await said(page, "est en silence")
    await keys.press("r")
    await keys.press("Enter")
    await said(page, "est clos")
    await keys.press("u")
    await said(page, "C'est annulé")
    await keys.press("r")
    await keys.press("Enter")
    await said(page, "est clos")
    await reach(page, "button[value=true_alert]")
    await keys.press("Enter")
    await said(page, "votre avis sur l'alerte est enregistré")


async def search_and_correct_by_keys(page: Page) -> None:
    """A mention is found by its words, and its topic corrected."""
    keys = page.keyboard
    await keys.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()  # one key, then words
    await keys.type("Lavoir")
    await keys.press("Enter")
    await expect(page.locator(".quotes mark").first).to_have_text(re.compile("lavoir", re.I))
    await reach(page, ".quotes a[data-key=o]")
    await keys.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Q[0-9]+"))
    await reach(page, "#correct-topic")
    await keys.press("ArrowDown")
    await reach(page, "form:has(#correct-topic) button")
    await keys.press("Enter")
    await said(page, "votre avis sur l'analyse est enregistré")


async def test_of_two_who_claim_at_once_one_wins_and_the_other_is_told_who(night: Night) -> None:
    sacha, claire = await night.person("Sacha"), await night.person("Claire")
    await night.demo.over()
    await sacha.open("/")
    path = str(
        await sacha.page.locator("li.card:has(button.main) a.button").last.get_attribute("href")
    )
    await sacha.open(path)
    await claire.open(path)
    async with asyncio.TaskGroup() as both:
        for person in (sacha, claire):
            both.create_task(person.page.locator("#take").click())
    won = {}
    for person in (sacha, claire):
        notice = person.page.locator("main .notice").filter(has_text="en charge").first
        won[person] = await notice.inner_text()
    by_outcome = sorted(("vous avez pris" in text, text) for text in won.values())
    assert [did for did, _ in by_outcome] == [False, True], by_outcome
    loser = next(person for person, text in won.items() if "vous avez pris" not in text)
    winner = "Claire" if loser is sacha else "Sacha"
    assert f"{winner} l'a pris en charge" in by_outcome[0][1]
    await expect(loser.page.locator(".first")).to_contain_text(winner)


async def test_the_night_has_one_time_and_people_on_call(night: Night) -> None:
    await night.demo.over()
    async with night.demo.store() as store:
        told = await store.read(timeline.log)
    of_veille = [event for event in told if event.kind.startswith("notification.")]
    assert {event.at.date().isoformat() for event in of_veille} <= {"2026-01-17", "2026-01-18"}
    relays: dict[str, list[Any]] = {}
    for event in told:
        if event.kind == "incident.escalated":
            relays.setdefault(event.target, []).append(event)
    # the first three of each: none was put off, and who takes one ends its own
    steps = [found[:3] for found in relays.values() if len(found) > 1]
    assert max(map(len, steps)) == 3
    for found in steps:
        assert [event.data["people"] for event in found[:2]] == [["Camille"], ["Idriss"]]
        gaps = {later.at - before.at for before, later in pairwise(found)}
        assert gaps == {timedelta(minutes=5)}
    sacha = await night.person("Sacha")
    await sacha.open("/on-call")
    await expect(sacha.page.locator("main")).to_contain_text("astreinte : Camille")
    await expect(sacha.page.locator("main")).to_contain_text("dim. 18 janv. · aujourd'hui")


async def test_an_alert_is_split_off_and_put_back(night: Night) -> None:
    claire = await night.person("Claire")
    page = claire.page
    await night.demo.over()
    async with night.demo.store() as store:
        under_way = await store.read(incidents.unresolved)
    several = next(each.id for each in under_way if len(each.alerts) > 1)
    await claire.open(f"/incidents/{several}")
    await page.locator("#split summary").click()
    await page.locator("#split-alert-1").check()
    await press(page, "Séparer")
    await said(page, "forme un nouvel incident")
    await undo(page)


async def test_the_queue_is_worked_through_together(night: Night) -> None:
    sacha, claire = await night.person("Sacha"), await night.person("Claire")
    page = sacha.page
    await night.demo.over()
    await sacha.open("/queue")
    await keep_a_view(page)
    await take_many_and_take_it_back(page)
    await sacha.open("/queue?severity=warning")
    await page.locator("a.row").first.click()
    await press(page, "Reporter")
    await said(page, "La mention est reportée")
    await undo(page)
    await sacha.open("/queue?severity=critical")
    await page.locator("a.row").last.click()
    await answer_with_a_second_pair_of_eyes(page, claire.page)
    await sacha.open("/search?q=barrage")
    await expect(page.locator(".quotes mark").first).to_be_visible()
    await press(page, "Se déconnecter", inside="nav.menu")
    await expect(page.get_by_label("Mot de passe")).to_be_visible()


async def keep_a_view(page: Page) -> None:
    """What a filter shows is a view of its own."""
    await page.locator("details.filters summary").click()
    await page.locator("#by-severity").select_option("warning")
    await press(page, "Filtrer")
    await page.locator("#view-name").fill("Vigilance de nuit")
    await press(page, "Enregistrer cette vue")
    await said(page, "La vue est enregistrée")
    await page.locator("nav.views").get_by_role("link", name="Vigilance de nuit").click()


async def take_many_and_take_it_back(page: Page) -> None:
    """What a bulk action would do is shown first, and undone after."""
    boxes = page.locator("input[name=item]")
    await boxes.nth(0).check()
    await boxes.nth(1).check()
    await expect(page.locator("#picked")).to_have_text("2 mentions choisies")
    await page.locator("#verb").select_option("take")
    await press(page, "Aperçu")
    await expect(page.locator("#will")).to_have_text("2 mentions changent")
    await press(page, "Confirmer pour 2 mentions")
    await said(page, "2 mentions ont changé")
    await undo(page)


async def answer_with_a_second_pair_of_eyes(page: Page, other: Page) -> None:
    """A draft is written here, approved by somebody else, and published by a person."""
    await page.locator("#new-draft summary").click()
    mention = page.url.partition("?")[0]  # not before: the click that led here may take a while
    await page.locator("#draft-text").fill("Les secours sont en route. Restez à l'étage.")
    await press(page, "Enregistrer le projet")
    await said(page, "Le projet de réponse est enregistré")
    await press(page, "Proposer à la relecture")
    await said(page, "Le projet attend l'accord")
    await expect(page.get_by_role("button", name="Approuver")).to_have_count(0)
    await other.goto(mention)
    await expect(other.locator("#presence")).to_have_text(re.compile("Sacha (regarde|écrit)"))
    await press(other, "Approuver")
    await said(other, "Le projet est approuvé")
    await expect(page.get_by_role("button", name="J'ai publié")).to_be_visible()  # by itself
    await page.locator(".draft input[type=url]").fill("https://social.example/@mairie/1")
    await press(page, "J'ai publié")
    await said(page, "la réponse est publiée")


async def test_a_tap_on_a_notification_opens_what_it_says(night: Night) -> None:
    claire = await night.person("Claire", **DESK, permissions=["notifications"])
    await claire.page.evaluate("navigator.serviceWorker.ready.then(() => 0)")
    worker = claire.context.service_workers[0]
    # a browser opens windows for a person's own tap only: what would be opened is kept
    await worker.evaluate(
        "self.opened = []; self.clients.openWindow = (url) => self.opened.push(url);"
        "WindowClient.prototype.focus = function () { self.opened.push(`focus ${this.url}`); };"
        "const own = ServiceWorkerRegistration.prototype, show = own.showNotification;"
        "own.showNotification = function (...it) { return self.shown = show.apply(this, it); }; 0"
    )
    said = {
        "title": "▲ Critique · Inondation", "body": "I1", "tag": "I1", "path": "/incidents/1",
        "take": "/l/abc", "take_text": "Prendre en charge", "open_text": "Voir", "rings": True,
        "stays": True, "lang": "fr",
    }  # fmt: skip

    async def tapped(action: str = "", **given: str) -> list[str]:
        await worker.evaluate(
            "(said) => self.dispatchEvent(new PushEvent('push', {data: JSON.stringify(said)}))",
            said | given,
        )
        found: list[str] = await worker.evaluate(
            """async (action) => {
              // who asks for notifications while one is on its way makes Chromium forget it
              const pause = (ms) => new Promise((done) => setTimeout(done, ms));
              for (let left = 1000; !self.shown && left; left--) await pause(20);
              await self.shown;
              await pause(200);
              const [notification] = await self.registration.getNotifications();
              const tap = new NotificationEvent("notificationclick", {notification, action});
              self.dispatchEvent(tap);
              await pause(400);
              if ((await self.registration.getNotifications()).length) return ["still there"];
              self.shown = undefined;
              return self.opened.splice(0);
            }""",
            action,
        )
        return found

    home = night.demo.url
    assert await tapped() == [f"{home}/incidents/1"]
    assert await tapped("take") == [f"{home}/l/abc"]
    assert await tapped(path="//evil.example/") == []
    await claire.page.goto(f"{home}/incidents/1")
    assert await tapped("open") == [f"focus {home}/incidents/1"]
