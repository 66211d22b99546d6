"""The queue as people see it: rows, views, filters, pages, and what is done to many at once."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from veille.domain.alert import Flag, Severity
from veille.domain.incident import QueueState
from veille.domain.mention import MentionKind
from veille.domain.record import Identity, MaskedMention
from veille.pipeline.unsnooze import bring_back
from veille.store import audit, mentions, queue
from veille.store.codec import micros
from veille.store.engine import Db
from veille.web import static_files
from veille.web.views import PAGE

# fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
Town = Any


def rows(page: Any) -> list[str]:
    """Return the items of a page, in its order."""
    return re.findall(r'<tr data-row data-live="(Q\d+)"', page.text)


def boxes(page: Any) -> list[str]:
    return re.findall(r'name="item" id="pick-\d+" data-key="x" value="(\d+\.\d+)"', page.text)


async def item(town: Town, number: int = 1) -> Any:
    return await town.store.read(lambda db: queue.get(db, number))


async def ask(browser: Browser, path: str, page: Any, items: list[str], **fields: str) -> Any:
    """Send a form that names several items, as the boxes of a page do."""
    pairs = [("csrf", page.field("csrf")), *fields.items(), *(("item", each) for each in items)]
    headers = {"Sec-Fetch-Site": "same-origin"}
    return await browser.ask("POST", path, data=pairs, headers=headers)


def link(page: Any, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', page.text)
    assert found is not None
    return found[1].replace("&amp;", "&")


def standing(page: Any) -> str:
    """Return the address of the list as it stands, where its forms lead back to."""
    found = re.search(r'id="takes">.*?name="back" value="([^"]+)"', page.text)
    assert found is not None
    return found[1].replace("&amp;", "&")


def came(town: Town, *numbers: int) -> Any:
    """Return a change by which critical mentions come to the queue now."""

    def change(db: Db) -> None:
        given = [_mention(number) for number in numbers]
        mentions.add(db, mentions=given, tombstones=[], now=town.clock.now)
        queue.flag(db, [
            Flag(key=each.key, rule="r", severity=Severity.CRITICAL, at=town.clock.now)
            for each in given
        ])  # fmt: skip

    return change


TEXT = "Bonjour, le ramassage n'a pas été fait rue des Tanneurs depuis trois semaines. " * 4


def fill(count: int) -> Any:
    """Return a change that puts so many more mentions in the queue, a minute between two."""

    def change(db: Db) -> None:
        given = [_mention(number) for number in range(1000, 1000 + count)]
        mentions.add(db, mentions=given, tombstones=[], now=given[-1].received_at)
        flags = [
            Flag(key=each.key, rule="complaints", severity=Severity.INFO, at=each.received_at)
            for each in given
        ]
        queue.flag(db, flags)

    return change


def _mention(number: int) -> MaskedMention:
    at = datetime(2026, 1, 17, tzinfo=UTC) + timedelta(minutes=number)
    return MaskedMention(
        key=f"{number:032x}",
        source="mastodon",
        watches=("mairie",),
        kind=MentionKind.POST,
        text=f"{number} {TEXT}",
        created_at=at,
        received_at=at,
        content_hash=str(number),
        identity=Identity(native_id=str(number)),
        author=f"{number:032x}",
    )


async def test_a_row_says_how_bad_what_where_and_who_has_it(town: Town, camille: Browser) -> None:
    page = await camille.get("/queue")
    assert page.status == 200
    assert rows(page) == ["Q1", "Q2"]
    for said in (
        "À traiter : 2 mentions",
        "Critique",
        "« Une dame est coincée",
        "Q1 · mastodon · Inondation, Voirie · négatif (probable)",
        "nouveau",
        "Gravité : critique, 80 points",
        "Urgence : 95 %, 29 points",
        "Échéance : aucun délai ne court, 0 point",
    ):
        assert said in page.text, said


async def test_a_row_is_taken_without_leaving_the_list_and_given_back(
    town: Town, camille: Browser
) -> None:
    page = await camille.get("/queue?severity=critical")
    fields = {"csrf": page.field("csrf"), "version": "1", "back": "/queue?severity=critical"}
    page = await camille.post("/queue/1/take", fields)
    assert page.path.startswith("/queue?severity=critical&done=take")
    assert "C&#39;est fait : vous avez pris Q1 en charge." in page.text
    assert "pris en charge · Camille" in page.text
    undo = re.search(r'action="(/undo/\d+)"', page.text)
    assert undo is not None
    page = await camille.submit(page, undo[1], back="/queue?severity=critical")
    assert "C&#39;est annulé : tout est comme avant." in page.text
    assert (await item(town)).state is QueueState.NEW


async def test_an_undo_comes_too_late_and_never_for_another_person(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    await camille.submit(await camille.get("/queue/1"), "/queue/1/take")
    form = await sacha.get("/queue")
    late = await sacha.post("/undo/1", {"csrf": form.field("csrf"), "back": "/queue"})
    assert "Trop tard pour annuler" in late.text
    form = await camille.get("/queue/1?undo=1")
    assert 'data-undo="10"' in form.text
    assert 'data-undo="' not in (await sacha.get("/queue/1?undo=1")).text
    town.clock.advance(seconds=11)
    assert 'data-undo="' not in (await camille.get("/queue/1?undo=1")).text
    late = await camille.submit(form, "/undo/1")
    assert "Trop tard pour annuler" in late.text
    assert (await item(town)).assignee == "Camille"


async def test_the_way_back_of_a_form_stays_here(town: Town, camille: Browser) -> None:
    page = await camille.get("/queue/1")
    for back in ("https://evil.example", "//evil.example", "/queue/1/take", "javascript:x", ""):
        answer = await camille.post(
            "/queue/1/take", {"csrf": page.field("csrf"), "back": back}, follow=False
        )
        assert answer.headers["Location"].startswith("/queue/1?done=take"), back


async def test_a_called_person_finds_the_note_on_top_until_they_look(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    await sacha.submit(await sacha.get("/queue/2"), "/queue/2/note", text="@Camille, un avis ?")
    page = await camille.get("/queue")
    assert "On vous demande sur 1 fiche" in page.text
    assert "Sacha vous cite dans une note sur Q2" in page.text
    assert '<span class="count">3<' in page.text
    await camille.get("/queue/2", headers={"Veille-Live": "1"})
    assert "On vous demande" in (await camille.get("/queue")).text
    assert "@Camille, un avis ?" in (await camille.get("/queue/2")).text
    page = await camille.get("/queue")
    assert "On vous demande" not in page.text
    assert '<span class="count">2<' in page.text
    assert "On vous demande" not in (await sacha.get("/queue")).text


async def test_each_shipped_view_holds_what_its_name_says(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    await camille.submit(await camille.get("/queue/1"), "/queue/1/take")
    await sacha.submit(await sacha.get("/queue/2"), "/queue/2/move", state="closed", reason="vu")
    page = await camille.get("/queue")
    tab = r'<li data-live="view ([^"]+)">.*?>([^<]+) <span class="tally">(\d+)'
    found = re.findall(tab, page.text)
    assert [(name, int(count)) for _, name, count in found] == [
        ("À traiter", 1),
        ("À moi", 1),
        ("Questions et demandes", 0),
        ("En attente", 0),
        ("Reportées", 0),
        ("Signalées", 0),
        ("Closes", 1),
    ]
    for path, _, count in found:
        assert len(rows(await camille.get(path.replace("&amp;", "&")))) == int(count), path


async def test_snoozed_mentions_leave_the_list_for_their_view(town: Town, camille: Browser) -> None:
    page = await camille.submit(await camille.get("/queue/1"), "/queue/1/snooze", until="hour")
    assert "reporté jusqu&#39;à 03:16" in page.text
    assert rows(await camille.get("/queue")) == ["Q2"]
    assert rows(await camille.get("/queue?snoozed=yes")) == ["Q1"]
    town.clock.advance(hours=1)
    assert rows(await camille.get("/queue?snoozed=yes")) == []


async def test_filters_are_an_address_and_a_form_keeps_what_a_view_says(
    town: Town, camille: Browser
) -> None:
    assert rows(await camille.get("/queue?severity=info")) == ["Q2"]
    assert rows(await camille.get("/queue?source=presse")) == []
    assert rows(await camille.get("/queue?topic=flood&tone=negative&assignee=-")) == ["Q1", "Q2"]
    page = await camille.get("/queue?place=rue+du+Lavoir&severity=")
    assert rows(page) == ["Q1"]
    assert 'name="place" maxlength="200" value="rue du Lavoir"' in page.text
    page = await camille.get("/queue?state=answered&state=closed")
    assert '<option value="answered,closed" selected>répondu, clos</option>' in page.text
    again = await camille.get("/queue?state=answered%2Cclosed&severity=&source=")
    assert '<option value="answered,closed" selected>' in again.text


async def test_a_filter_of_nonsense_shows_the_whole_queue_and_says_so(
    town: Town, camille: Browser
) -> None:
    long = "place=" + "x" * 300
    for query in ("state=asleep", "after=1.2", "snoozed=perhaps", "tone=<script>", long):
        page = await camille.get(f"/queue?{query}")
        assert page.status == 400, query
        assert "toute la file est affichée" in page.text
        assert rows(page) == ["Q1", "Q2"]
        assert "<script>" not in page.text.partition("</head>")[2]


async def test_a_person_keeps_a_view_and_an_editor_one_for_all(
    town: Town, camille: Browser, sacha: Browser, dominique: Browser
) -> None:
    page = await camille.get("/queue?source=mastodon")
    page = await camille.submit(page, "/queue/views/add", view="source=mastodon", name="<b>Fil</b>")
    assert "La vue est enregistrée." in page.text
    assert "&lt;b&gt;Fil&lt;/b&gt;" in page.text
    assert "&lt;b&gt;Fil" not in (await dominique.get("/queue")).text
    form = await camille.get("/queue?severity=info")
    assert 'name="shared"' not in form.text
    refused = await camille.submit(
        form, "/queue/views/add", view="severity=info", name="Tous", shared="1"
    )
    assert refused.status == 403
    form = await sacha.get("/queue?severity=info")
    await sacha.submit(form, "/queue/views/add", view="severity=info", name="Petites", shared="1")
    page = await dominique.get("/queue?severity=info")
    assert "Petites" in page.text
    assert "Retirer la vue" not in page.text
    page = await sacha.get("/queue?severity=info")
    token = {"csrf": page.field("csrf")}
    assert (await sacha.post("/queue/views/1/remove", token)).status == 404  # it is Camille's
    assert (await sacha.post("/queue/views/x/remove", token)).status == 404
    await sacha.submit(form, "/queue/views/add", view="severity=info", name="Petites", shared="1")
    taken = await sacha.submit(
        form, "/queue/views/add", view="severity=warning", name="Petites", shared="1"
    )
    assert "Une autre vue de l&#39;équipe porte déjà ce nom" in taken.text
    changed = await sacha.submit(page, "/queue/views/2/remove", shared="1", version="7")
    assert "Cette vue a changé entre-temps" in changed.text
    page = await sacha.submit(page, "/queue/views/2/remove", shared="1")
    assert "La vue est retirée." in page.text
    assert "Petites" not in (await dominique.get("/queue")).text


async def test_a_view_without_a_name_is_refused_in_words(town: Town, camille: Browser) -> None:
    page = await camille.get("/queue?severity=info")
    page = await camille.submit(page, "/queue/views/add", view="severity=info", name=" ")
    assert "La vue n&#39;a pas été enregistrée" in page.text
    page = await camille.get("/queue?severity=info")
    page = await camille.submit(page, "/queue/views/add", view="state=asleep", name="Rien")
    assert "La vue n&#39;a pas été enregistrée" in page.text


async def test_pages_follow_each_other_in_the_order_of_the_first(
    town: Town, camille: Browser
) -> None:
    await town.store.write(fill(PAGE + 5))
    first = await camille.get("/queue")
    path = re.search(r'rel="next" href="([^"]+)"', first.text)
    assert path is not None
    await camille.submit(await camille.get("/queue/1"), "/queue/1/assign", to="Sacha")
    town.clock.advance(minutes=30)
    second = await camille.get(path[1].replace("&amp;", "&"))
    assert len(rows(first)) == PAGE
    assert len(rows(second)) == 7
    assert not set(rows(first)) & set(rows(second))
    assert 'rel="next"' not in second.text
    assert "Ordre établi à 02:16" in second.text


async def test_a_list_stands_as_it_was_opened_over_all_that_is_done(
    town: Town, camille: Browser
) -> None:
    await town.store.write(fill(PAGE + 5))
    page = await camille.get("/queue")
    opened, following = rows(page), link(page, "next")
    back = standing(page)
    town.clock.advance(minutes=20)
    await town.store.write(came(town, 5000, 5001))
    fields = {"csrf": page.field("csrf"), "version": "1", "back": back}
    page = await camille.post("/queue/3/take", fields)
    assert rows(page) == opened
    assert "2 nouvelles mentions." in page.text
    assert '<a class="link" href="/queue">Actualiser</a>' in page.text
    page = await camille.submit(page, "/undo/1", back=back)
    assert rows(page) == opened
    third = re.search(r'id="row-3" href="([^"]+)"', page.text)
    assert third is not None
    path = third[1].replace("&amp;", "&")
    form = await camille.get(path)
    fields = {"csrf": form.field("csrf"), "version": "3", "state": "out_of_scope"}
    closed = await camille.post(path.replace("/queue/3", "/queue/3/move"), fields)
    assert link(closed, "next").startswith("/queue/4?")
    page = await camille.get(back)
    assert rows(page) == opened
    assert page.text.count('class="left">N&#39;est plus dans cette vue.<') == 1
    assert 'id="pick-3"' not in page.text
    assert "Tout cocher (24)" in page.text
    second = await camille.get(following)
    assert not {"Q33", "Q34"} & set(rows(second)), "what came since is on no page that follows"
    assert not set(rows(second)) & set(opened)
    assert "2 nouvelles mentions." in second.text
    assert rows(await camille.get("/queue"))[1:3] == ["Q33", "Q34"]


async def test_what_comes_into_a_list_of_old_is_announced_where_it_would_stand(
    town: Town, camille: Browser
) -> None:
    await town.store.write(fill(PAGE))
    page = await camille.get("/queue")
    back, opened = standing(page), rows(page)
    graver = Flag(key=f"{1024:032x}", rule="r", severity=Severity.CRITICAL, at=town.clock.now)
    await town.store.write(lambda db: queue.flag(db, [graver]))  # of the second page, so far
    again = await camille.get(back)
    assert rows(again) == rows(page)
    assert "1 nouvelle mention." in again.text
    late = f"{10**17}.2.3.4"
    for order in ("order=1.2.3.4", "order=1.2.3.4.x", "order=1.2.3.4." + "1." * 30 + "1",
                  f"order={late}.1", f"after={late}"):  # fmt: skip
        assert (await camille.get(f"/queue?{order}")).status == 400, order
    assert rows(await camille.get("/queue?order=1.2.3.4.1.999.1")) == ["Q1"]
    done = "UPDATE queue SET state = 'closed' WHERE id IN (SELECT value FROM json_each(?))"
    await town.store.write(lambda db: db.execute(done, (f"[{','.join(o[1:] for o in opened)}]",)))
    page = await camille.get(back)
    assert rows(page) == opened, "all of them are done with"
    assert "Aperçu pour les 2 de la vue" in page.text


async def test_who_reads_on_is_told_what_becomes_graver_before_their_page(
    town: Town, camille: Browser
) -> None:
    await town.store.write(fill(2 * PAGE))
    first = await camille.get("/queue")
    following = link(first, "next")
    back = standing(await camille.get(following))
    town.clock.advance(minutes=1)
    # who took a row of the first page raised nothing
    path = f"/queue/{rows(first)[3][1:]}"
    await camille.submit(await camille.get(path), f"{path}/take")
    assert "nouvelle" not in (await camille.get(back)).text
    flags = [
        Flag(key=f"{number:032x}", rule="r", severity=Severity.CRITICAL, at=town.clock.now)
        for number in (1000 + PAGE, 999 + 2 * PAGE)  # a row of the second page, and of the third
    ]
    await town.store.write(lambda db: queue.flag(db, flags))
    for page in (back, following):
        news = "1" if page == back else "2"
        assert f"{news} nouvelle" in (await camille.get(page)).text, page


async def test_a_full_page_weighs_less_than_150_kb_with_all_it_loads(
    town: Town, camille: Browser
) -> None:
    await town.store.write(fill(PAGE + 1))
    page = await camille.get("/queue?state=new&severity=info&severity=critical&source=mastodon")
    assert len(rows(page)) == PAGE
    files = town.app[static_files.FILES].files
    loaded = set(re.findall(r'(?:src|href)="/static/([^"]+)"', page.text))
    assert {name.partition(".")[0] for name in loaded} >= {"veille", "desk", "htmx"}
    assert len(page.text.encode()) + sum(len(files[name].body) for name in loaded) < 150_000


async def test_many_are_taken_after_a_preview_and_given_back_with_one_undo(
    town: Town, camille: Browser
) -> None:
    page = await camille.get("/queue")
    seen = await ask(camille, "/queue/bulk/preview", page, boxes(page), verb="take", view="")
    assert "2 mentions changent" in seen.text
    assert "▲ Dont 1 critique." in seen.text
    assert "Q1 : nouveau → pris en charge (Camille)" in seen.text
    assert (await item(town)).state is QueueState.NEW
    done = await ask(camille, "/queue/bulk", seen, boxes(page), verb="take", view="severity=info")
    assert done.path.startswith("/queue?severity=info&done=bulk")
    assert "C&#39;est fait : 2 mentions ont changé." in done.text
    undone = await camille.submit(done, "/undo/1", back="/queue")
    assert "C&#39;est annulé" in undone.text
    assert [(await item(town, n)).assignee for n in (1, 2)] == [None, None]


async def test_what_will_not_change_is_named_with_its_reason(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    page = await camille.get("/queue")
    await sacha.submit(await sacha.get("/queue/1"), "/queue/1/take")
    seen = await ask(camille, "/queue/bulk/preview", page, boxes(page), verb="take", view="")
    assert "1 mention change" in seen.text
    assert "Q1 : Sacha a changé cette fiche entre-temps" in seen.text
    done = await ask(camille, "/queue/bulk", seen, boxes(page), verb="take", view="")
    assert "C&#39;est fait : 1 mention a changé." in done.text
    assert "1 mention est restée comme elle était" in done.text
    assert 'action="/undo/' in done.text
    assert (await item(town, 1)).assignee == "Sacha"
    assert (await item(town, 2)).assignee == "Camille"


async def test_an_assignment_of_many_is_chosen_on_the_preview(town: Town, camille: Browser) -> None:
    page = await camille.get("/queue")
    seen = await ask(camille, "/queue/bulk/preview", page, boxes(page), verb="assign", view="")
    assert "<option selected>Camille</option>" in seen.text
    again = await ask(
        camille, "/queue/bulk/preview", seen, boxes(page), verb="assign", view="", to="Sacha"
    )
    assert "Q2 : nouveau → pris en charge (Sacha)" in again.text
    for nobody in ("Inconnu", "", "Sacha\u202e"):
        refused = await ask(
            camille, "/queue/bulk", again, boxes(page), verb="assign", view="", to=nobody
        )
        assert "La demande n&#39;a pas été acceptée." in refused.text, nobody
    await ask(camille, "/queue/bulk", again, boxes(page), verb="assign", view="", to="Sacha")
    assert (await item(town, 2)).assignee == "Sacha"


async def test_a_snooze_of_many_says_until_when(town: Town, camille: Browser) -> None:
    page = await camille.get("/queue")
    seen = await ask(camille, "/queue/bulk/preview", page, boxes(page), verb="snooze", view="")
    assert "nouveau → nouveau, reporté jusqu&#39;à 03:16" in seen.text
    done = await ask(
        camille, "/queue/bulk", seen, boxes(page), verb="snooze", view="", until="tomorrow"
    )
    assert "2 mentions ont changé" in done.text
    assert rows(done) == []


async def test_a_bulk_form_of_nonsense_changes_nothing(town: Town, camille: Browser) -> None:
    page = await camille.get("/queue")
    for items in ([], ["1"], ["x.1"], ["1.-1"], ["1.1"] * 501, ["1.99999999999999999999"]):
        answer = await ask(camille, "/queue/bulk", page, items, verb="take", view="")
        assert "La demande n&#39;a pas été acceptée." in answer.text, items
    answer = await ask(camille, "/queue/bulk/preview", page, ["1.1"], verb="explode", view="")
    assert "La demande n&#39;a pas été acceptée." in answer.text
    assert (await item(town)).version == 1


async def test_all_boxes_of_a_page_are_ticked_by_a_link(town: Town, camille: Browser) -> None:
    assert (await camille.get("/queue?all=1")).text.count(" checked>") == 2


async def test_a_reader_sees_the_list_and_no_way_to_act(town: Town, dominique: Browser) -> None:
    page = await dominique.get("/queue")
    assert rows(page) == ["Q1", "Q2"]
    for sign in ('name="item"', "/take", 'id="verb"', 'id="bulk"', 'id="takes"', "pick-all"):
        assert sign not in page.text, sign
    for path in ("/queue/bulk", "/queue/bulk/preview", "/undo/1"):
        assert (await ask(dominique, path, page, ["1.1"], verb="take")).status == 403


async def test_hostile_texts_are_shown_as_text(
    town: Town, camille: Browser, hostile_item: str
) -> None:
    page = await camille.get("/queue")
    number = hostile_item.rpartition("/")[2]
    assert f"Q{number}" in rows(page)
    assert "<img src=" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "\u202e" not in page.text
    seen = await ask(camille, "/queue/bulk/preview", page, [f"{number}.1"], verb="closed", view="")
    assert "<script>window" not in seen.text
    assert "\u202e" not in seen.text


async def test_no_page_of_the_queue_puts_a_text_in_an_address_or_in_the_audit_trail(
    town: Town, camille: Browser
) -> None:
    page = await camille.get("/queue")
    assert not re.search(r'(href|action)="[^"]*(coinc|Lavoir)', page.text)
    await ask(camille, "/queue/bulk", page, boxes(page), verb="closed", view="", reason="Lavoir")
    log = await town.store.read(lambda db: [dict(row) for row in db.rows("SELECT * FROM audit")])
    assert "Lavoir" not in str(log)
    assert await town.store.read(audit.verify) is None


async def test_all_of_a_view_is_acted_on_after_its_preview(town: Town, camille: Browser) -> None:
    await town.store.write(fill(PAGE))
    page = await camille.get("/queue?severity=info")
    count = PAGE + len([one for one in (1, 2) if (await item(town, one)).severity == "info"])
    assert f"Aperçu pour les {count} de la vue" in page.text
    seen = await ask(
        camille, "/queue/bulk/preview", page, [], verb="take", view="severity=info", all="1"
    )
    assert f"{count} mentions changent" in seen.text
    assert seen.text.count('type="hidden" name="item"') == count
    listed = re.findall(r'type="hidden" name="item" value="([^"]*)"', seen.text)
    await ask(camille, "/queue/bulk", seen, listed, verb="take", view="severity=info")
    assert rows(await camille.get("/queue?state=new&severity=info")) == []


async def test_a_page_that_shows_all_of_its_view_offers_no_more(
    town: Town, camille: Browser
) -> None:
    assert 'name="all"' not in (await camille.get("/queue")).text


async def test_undo_and_bulk_lead_back_to_the_page_they_were_done_on(
    town: Town, camille: Browser
) -> None:
    await town.store.write(fill(PAGE))
    first = await camille.get("/queue")
    second = re.search(r'rel="next" href="(/queue[^"]*)"', first.text)
    assert second is not None
    page = await camille.get(second[1])
    number = rows(page)[0].removeprefix("Q")
    version = (await item(town, int(number))).version
    fields = {"csrf": page.field("csrf"), "version": str(version), "back": second[1]}
    done = await camille.post(f"/queue/{number}/take", fields)
    back = done.field("back", action="/undo/1").replace("&amp;", "&")
    assert back.startswith(second[1] + "&order=")
    page = await camille.submit(done, "/undo/1", back=back)
    assert page.path.startswith(back)
    seen = await ask(
        camille, "/queue/bulk/preview", page, boxes(page), verb="take", view="", back=second[1]
    )
    assert f'href="{second[1]}"' in seen.text
    done = await ask(camille, "/queue/bulk", seen, boxes(page), verb="take", view="",
                     back=second[1])  # fmt: skip
    assert done.path.startswith(second[1])


async def test_who_was_slower_in_the_list_is_told_there(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    page = await camille.get("/queue?severity=critical")
    await sacha.submit(await sacha.get("/queue/1"), "/queue/1/take")
    fields = {"csrf": page.field("csrf"), "version": "1", "back": "/queue?severity=critical"}
    told = await camille.post("/queue/1/take", fields)
    assert told.status == 409
    assert "Sacha l&#39;a pris en charge" in told.text
    assert rows(told) == ["Q1"]
    fields["back"] = "//evil.example/queue"
    assert "evil" not in (await camille.post("/queue/1/take", fields)).text
    page = await camille.get("/queue")
    fields = {"csrf": page.field("csrf"), "version": "1", "back": "/queue"}
    answer = await camille.post("/queue/2/take", fields, follow=False)
    assert answer.headers["Location"].endswith("#row-2")


async def test_who_wrote_again_is_said_until_it_is_decided(town: Town, camille: Browser) -> None:
    said = "<strong>la personne a réécrit</strong> · nouveau"
    page = await camille.get("/queue/2")
    await camille.submit(page, "/queue/2/move", state="closed", reason="vu")
    now = town.clock.now
    await town.store.write(
        lambda db: bring_back(db, 2, now + timedelta(minutes=1), now + timedelta(minutes=2))
    )
    for path in ("/queue", "/queue/2"):
        assert said in (await camille.get(path)).text, path
    await camille.submit(await camille.get("/queue/2"), "/queue/2/take")
    assert "a réécrit</strong> · pris en charge" in (await camille.get("/queue")).text
    page = await camille.get("/queue/2")
    await camille.submit(page, "/queue/2/move", state="answered")
    assert "a réécrit</strong>" not in (await camille.get("/queue?state=answered")).text
    asleep = "UPDATE queue SET snoozed_until = ?, updated_at = 0 WHERE id = 1"
    await town.store.write(lambda db: db.execute(asleep, (micros(now + timedelta(days=1)),)))
    await town.store.write(lambda db: bring_back(db, 1, now, now))
    page = await camille.get("/queue/1")
    line = re.search(r"La personne a réécrit : de nouveau à traiter[^<]*", page.text)
    assert line is not None
    assert "inconnu" not in line[0], "nobody had it"


async def test_keys_of_a_row_lead_to_fields_of_its_page(town: Town, camille: Browser) -> None:
    page = await camille.get("/queue")
    link = re.search(r'href="(/queue/1\?[^"]*)"', page.text)
    places = re.search(r'data-go="([^"]*)"', page.text)
    assert link is not None
    assert places is not None
    there = (await camille.get(link[1].replace("&amp;", "&"))).text
    for place in places[1].split():
        assert f'id="{place[2:]}"' in there
