"""The page of one mention: its exchange, why it is here, what people do, who was faster."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from veille.domain.alert import Flag, Severity
from veille.domain.evidence import Example, Span
from veille.domain.incident import QueueState, Verdict
from veille.domain.mention import MentionKind
from veille.domain.record import Identity, MaskedMention
from veille.store import alerts, examples, mentions, queue, verdicts
from veille.store.engine import Db
from veille.web.views import PAGE

# fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
Town = Any


async def item(town: Town, number: int = 1) -> Any:
    return await town.store.read(lambda db: queue.get(db, number))


def answered(db: Db) -> None:
    """The first mention of the town is answered, by us and by somebody else."""
    key = f"{1:032x}"
    first = mentions.stored(db, [key])[key]
    for number, text, own in (
        (51, "Les pompiers arrivent, restez sur le toit.", True),
        (52, "Merci <b>beaucoup</b>", False),
    ):
        reply = _reply(first, number, text, own=own)
        mentions.add(db, mentions=[reply], tombstones=[], now=first.received_at)


def _reply(first: Any, number: int, text: str, *, own: bool) -> MaskedMention:
    at = first.created_at + timedelta(minutes=number - 50)
    return MaskedMention(
        key=f"{number:032x}",
        source="mastodon",
        watches=("mairie",),
        kind=MentionKind.REPLY,
        text=text,
        created_at=at,
        received_at=at,
        content_hash=f"{number}",
        identity=Identity(native_id=str(number), author_name="Jeanne Untel"),
        author=f"{number:032x}",
        role="élue",
        reply_to=first.key,
        own=own,
    )


async def test_the_exchange_stands_in_order_ours_marked_without_a_name(
    town: Town, camille: Browser
) -> None:
    await town.store.write(answered)
    page = await camille.get("/queue/1")
    part = page.text[page.text.index('id="exchange"') :].partition("</section>")[0]
    assert re.findall(r"<li( class=\"\w+\")?", part) == [' class="here"', ' class="own"', ""]
    for said in ("Saint-Aubin (nous)", "Les pompiers arrivent", "Merci &lt;b&gt;beaucoup"):
        assert said in part
    assert "pseudonyme 00000000, élue" in part
    assert "Jeanne" not in page.text
    assert "L&#39;échange" not in (await camille.get("/queue/2")).text


async def test_it_says_why_it_is_in_the_queue_and_underlines_what_matched(
    town: Town, camille: Browser
) -> None:
    def evidence(db: Db) -> None:
        alert = alerts.get(db, ["f" * 16])["f" * 16]
        span = Span(field="text", start=13, end=20)
        examples.put(db, alert, [Example(key=f"{1:032x}", spans=(span,))])

    await town.store.write(evidence)
    page = await camille.get("/queue/1")
    assert "Placé dans la file par la règle « Appels à l&#39;aide »." in page.text
    assert "Aussi dans l&#39;incident I1 : Inondation" in page.text
    assert "<mark>coincée</mark>" in page.text
    assert "Priorité : 109 points sur 140." in page.text


async def test_a_stale_form_changes_nothing_and_says_what_changed_and_by_whom(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    stale = await camille.get("/queue/1")
    await sacha.submit(await sacha.get("/queue/1"), "/queue/1/assign", to="Sacha")
    told = await camille.submit(
        stale, "/queue/1/move", state="closed", reason="Réglé par téléphone"
    )
    assert told.status == 409
    assert "Sacha l&#39;a modifié à 02:16. Votre action n&#39;a rien remplacé." in told.text
    assert "Dernier changement : Sacha confie à Sacha." in told.text
    assert 'value="Réglé par téléphone"' in told.text
    assert (await item(town)).state is QueueState.TAKEN


async def test_a_draft_is_not_lost_when_somebody_else_was_faster(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    await camille.submit(await camille.get("/queue/2"), "/queue/2/draft", text="Premier jet")
    stale = await camille.get("/queue/2")
    fields = {"draft": "1", "version": "1", "csrf": (await sacha.get("/queue/2")).field("csrf")}
    await sacha.post("/queue/2/draft", {**fields, "text": "Plus court"})
    told = await camille.post(
        "/queue/2/draft", {**fields, "csrf": stale.field("csrf"), "text": "Mon long texte"}
    )
    assert told.status == 409
    assert "Plus court" in told.text
    form = told.text.partition('id="edit-1" open')[2].partition("</form>")[0]
    assert "Mon long texte</textarea>" in form  # not where it would begin a second one
    assert 'name="version" value="2"' in form
    assert told.text.count("Mon long texte") == 1
    assert "Votre texte est gardé" in told.text


async def test_a_critical_answer_takes_a_second_pair_of_eyes(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    page = await camille.submit(
        await camille.get("/queue/1"), "/queue/1/draft", text="Restez en hauteur.", image="1"
    )
    assert "18 caractères sur 500" in page.text
    assert "pas de texte de remplacement" in page.text
    assert "une autre personne relit et approuve" in page.text
    assert "J&#39;ai publié" not in page.text
    fields = {"draft": "1", "csrf": page.field("csrf")}
    page = await camille.post("/queue/1/propose", {**fields, "version": "1"})
    assert "Approuver" not in page.text
    seen = await sacha.get("/queue/1")
    assert "Approuver" in seen.text
    fields["csrf"] = seen.field("csrf")
    seen = await sacha.post("/queue/1/approve", {**fields, "version": "2"})
    assert "Approuvé par Sacha." in seen.text
    assert "Ouvrir sur la plateforme" in seen.text
    link = "https://social.example/@mairie/9"
    done = await sacha.post("/queue/1/publish", {**fields, "version": "3", "link": link})
    assert "Publié par Sacha, à 02:16" in done.text
    assert f'href="{link}"' in done.text
    assert (await item(town)).state is QueueState.ANSWERED


async def test_a_template_is_filled_in_and_never_with_a_name(town: Town, camille: Browser) -> None:
    page = await camille.get("/queue/1?template=Signalement transmis aux services#answer")
    text = page.text.partition('id="draft-text"')[2].partition("</textarea>")[0]
    assert "rue du Lavoir" in text
    assert "Saint-Aubin" in text
    assert "{" not in text
    assert 'id="draft-text"' in (await camille.get("/queue/1?template=nothing")).text


async def test_a_verdict_is_one_tap_and_stands_until_undone(town: Town, camille: Browser) -> None:
    page = await camille.submit(
        await camille.get("/queue/1"), "/queue/1/judge", verdict="wrong_label"
    )
    assert "Dernier avis : Vraie, mais mal classée." in page.text
    said = await town.store.read(lambda db: verdicts.of_item(db, 1))
    assert said is Verdict.WRONG_LABEL


async def test_a_question_is_not_closed_without_a_reason(town: Town, camille: Browser) -> None:
    page = await camille.submit(
        await camille.get("/queue/1"), "/queue/1/correct", intent="question"
    )
    told = await camille.submit(page, "/queue/1/move", state="closed")
    assert told.status == 400
    assert "dites pourquoi la clore" in told.text
    page = await camille.submit(
        await camille.get("/queue/1"), "/queue/1/move", state="waiting", waiting_for="la voirie"
    )
    assert "en attente" in page.text
    assert "la voirie" in page.text


async def test_what_was_closed_is_reopened_and_what_was_taken_given_back(
    town: Town, camille: Browser
) -> None:
    page = await camille.submit(
        await camille.get("/queue/2"), "/queue/2/move", state="out_of_scope"
    )
    assert 'action="/queue/2/assign"' not in page.text
    page = await camille.submit(page, "/queue/2/reopen")
    page = await camille.submit(page, "/queue/2/take")
    form = {"csrf": page.field("csrf"), "version": str((await item(town, 2)).version)}
    await camille.post("/queue/2/release", form)
    found = await item(town, 2)
    assert (found.state, found.assignee) == (QueueState.NEW, None)


async def test_next_and_previous_follow_the_view_one_came_from(
    town: Town, camille: Browser
) -> None:
    await town.store.write(
        lambda db: queue.flag(
            db, [Flag(key=f"{2:032x}", rule="r", severity=Severity.WARNING, at=town.clock.now)]
        )
    )
    listed = await camille.get("/queue?source=mastodon")
    links = re.findall(r'href="(/queue/\d\?[^"]+)"', listed.text)
    paths = [link.replace("&amp;", "&") for link in links]
    assert [path[:8] for path in paths] == ["/queue/1", "/queue/3", "/queue/2"]
    page = await camille.get(paths[0])
    assert 'rel="prev"' not in page.text
    address, row = back_of(page)
    assert address.startswith("/queue?source=mastodon&order=")
    assert row == "row-1"
    await camille.submit(page, _action(page, "move"), state="out_of_scope")
    page = await camille.get(_link(page, "next"))
    assert page.path.startswith("/queue/3")
    page = await camille.get(_link(page, "next"))
    assert page.path.startswith("/queue/2")
    assert 'rel="next"' not in page.text
    page = await camille.get(_link(page, "prev"))
    assert page.path.startswith("/queue/3")


def many(count: int) -> Any:
    """Return a change that puts so many more mentions in the queue, alike but for their age."""

    def change(db: Db) -> None:
        given = [masked_of(number, at=number - 2000) for number in range(2000, 2000 + count)]
        mentions.add(db, mentions=given, tombstones=[], now=given[-1].received_at)
        flags = [
            Flag(key=each.key, rule="r", severity=Severity.WARNING, at=each.received_at)
            for each in given
        ]
        queue.flag(db, flags)

    return change


def masked_of(number: int, *, at: int) -> MaskedMention:
    when = datetime(2026, 1, 17, 8, tzinfo=UTC) + timedelta(minutes=at)
    return MaskedMention(
        key=f"{number:032x}",
        source="mastodon",
        watches=("mairie",),
        kind=MentionKind.POST,
        text=f"Le trottoir est cassé, {number}",
        created_at=when,
        received_at=when,
        content_hash=f"{number}",
        identity=Identity(native_id=str(number)),
        author=f"{number:032x}",
    )


def listed(page: Any) -> list[str]:
    """Return the addresses of the rows of a view."""
    links = re.findall(r'class="row" id="row-\d+" href="([^"]+)"', page.text)
    return [link.replace("&amp;", "&") for link in links]


def back_of(page: Any) -> tuple[str, str]:
    """Return where "back to the view" leads: address and row."""
    found = re.search(r'class="link" href="(/queue[^"#]*)#(row-\d+)"', page.text)
    assert found is not None
    return found[1].replace("&amp;", "&"), found[2]


async def test_the_way_back_leads_to_the_page_and_the_row_one_came_from(
    town: Town, camille: Browser
) -> None:
    await town.store.write(many(2 * PAGE))  # with Q1 before and Q2 after them: three pages
    first = await camille.get("/queue?source=mastodon")
    second = await camille.get(_link(first, "next"))
    third = await camille.get(_link(second, "next"))
    paths = [listed(page) for page in (first, second, third)]
    assert [len(each) for each in paths] == [PAGE, PAGE, 2]
    for number, page in enumerate((first, second, third)):
        for at in (0, -1):
            seen = await camille.get(paths[number][at])
            address, row = back_of(seen)
            assert address.startswith(page.path + ("&order=" if number == 0 else ""))
            assert listed(await camille.get(address)) == paths[number]
            assert f'id="{row}"' in page.text
            assert f"/queue/{row[4:]}?" in paths[number][at]
    # one reads on over the end of a page, there and back
    seen = await camille.get(paths[0][-1])
    seen = await camille.get(_link(seen, "next"))
    assert seen.path == paths[1][0]
    assert back_of(seen)[0].startswith(second.path)
    seen = await camille.get(_link(seen, "prev"))
    assert seen.path == paths[0][-1].partition("&after")[0]
    assert listed(await camille.get(back_of(seen)[0]))[-1][:12] == paths[0][-1][:12]


async def test_who_works_through_a_page_comes_back_to_the_row_that_follows(
    town: Town, camille: Browser
) -> None:
    await town.store.write(many(PAGE))
    path = listed(await camille.get("/queue?source=mastodon"))
    seen = await camille.get(path[3])
    await camille.submit(seen, _action(seen, "move"), state="out_of_scope")
    done = await camille.get(path[3])
    address, row = back_of(done)
    assert row == "row-" + path[4].partition("?")[0][7:]
    assert listed(await camille.get(address)) == path, "no row has moved"
    assert _link(done, "prev").partition("?")[0] == path[2].partition("?")[0]


async def test_what_came_since_pushes_nobody_off_their_row(town: Town, camille: Browser) -> None:
    await town.store.write(many(PAGE + 3))
    path = listed(await camille.get("/queue?source=mastodon"))[-1]
    graver = [
        Flag(key=f"{number:032x}", rule="r", severity=Severity.CRITICAL, at=town.clock.now)
        for number in range(2000 + PAGE, 2000 + PAGE + 3)
    ]
    await town.store.write(lambda db: queue.flag(db, graver))
    seen = await camille.get(path)
    address, row = back_of(seen)
    assert row[4:] == path.partition("?")[0][7:]
    assert f'id="{row}"' in (await camille.get(address)).text
    assert _link(seen, "prev").startswith(f"/queue/{int(row[4:]) - 1}?")


def _action(page: Any, verb: str) -> str:
    found = re.search(rf'action="(/queue/\d+/{verb}[^"]*)"', page.text)
    assert found is not None
    return found[1]


def _link(page: Any, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', page.text)
    assert found is not None
    return found[1].replace("&amp;", "&")


async def test_an_address_of_nonsense_has_no_neighbours(town: Town, camille: Browser) -> None:
    for query in ("order=x", "view=state%3Dnone&order=1.2.3.4.1", "order=" + "9" * 90):
        page = await camille.get(f"/queue/1?{query}")
        assert page.status == 200
        assert 'rel="next"' not in page.text


async def test_an_editor_keeps_and_removes_templates_that_all_may_use(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    assert "Modèles de l&#39;équipe" not in (await camille.get("/queue/1")).text
    token = {"csrf": (await camille.get("/queue/1")).field("csrf")}
    refused = await camille.post("/queue/templates/keep", {**token, "name": "A", "text": "B"})
    assert refused.status == 403
    page = await sacha.get("/queue/1")
    fields = {"name": "Voirie", "text": "Nous regardons {lieu}."}
    page = await sacha.submit(page, "/queue/templates/keep", back="/queue/1", **fields)
    assert "Le modèle est gardé" in page.text
    again = await sacha.submit(page, "/queue/templates/keep", back="/queue/1", **fields)
    assert "Le modèle n&#39;a pas changé" in again.text
    begun = await camille.get("/queue/1?template=Voirie")
    assert "Nous regardons rue du Lavoir.</textarea>" in begun.text
    fields = {"name": "Écoles", "text": "C'est noté."}
    page = await sacha.submit(again, "/queue/templates/keep", back="/queue/1", **fields)
    seen = await sacha.submit(again, "/queue/templates/remove", back="/queue/1", name="Voirie")
    assert "Un collègue a changé les modèles entre-temps" in seen.text
    page = await sacha.submit(page, "/queue/templates/remove", back="/queue/1", name="Voirie")
    assert "Le modèle est retiré." in page.text
    assert "Voirie</option>" not in (await camille.get("/queue/1")).text.partition("correct-")[0]


async def test_who_is_ticked_is_called_by_the_note(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    page = await camille.get("/queue/1")
    fields = {"csrf": page.field("csrf"), "text": "Un avis, @sacha ?", "call.Sacha": "1"}
    page = await camille.post("/queue/1/note", {**fields, "call.Dominique": "1"})
    assert "Un avis, @sacha ? @Dominique" in page.text
    assert "On vous demande sur 1 fiche" in (await sacha.get("/queue")).text


async def test_a_second_tap_on_a_slow_line_writes_nothing_twice(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    page = await camille.get("/queue/2")
    for verb in ("note", "draft"):
        for _ in range(2):
            await camille.submit(page, f"/queue/2/{verb}", text="On rappelle lundi.")
    seen = (await camille.get("/queue/2")).text
    assert seen.count('class="draft"') == 1
    lines = seen.partition('data-live="timeline"')[2]
    assert lines.count("On rappelle lundi.") == 1
    await sacha.submit(await sacha.get("/queue/2"), "/queue/2/note", text="On rappelle lundi.")
    town.clock.advance(seconds=30)
    await sacha.submit(await sacha.get("/queue/2"), "/queue/2/note", text="On rappelle lundi.")
    lines = (await camille.get("/queue/2")).text.partition('data-live="timeline"')[2]
    assert lines.count("On rappelle lundi.") == 3
