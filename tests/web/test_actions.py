"""What people do through forms, without scripts; who is second is told so, texts stay texts."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from veille.domain.access import Role
from veille.domain.incident import IncidentState, QueueState
from veille.store import incidents, queue, timeline, users

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
SPOKEN = "l&#39;a pris en charge à 02:16. Votre action n&#39;a rien remplacé."


class Tags(HTMLParser):
    """The tags of a page as a browser would build them, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


async def incident(town: Town, number: int = 1) -> Any:
    return await town.store.read(lambda db: incidents.get(db, number))


async def item(town: Town, number: int = 1) -> Any:
    return await town.store.read(lambda db: queue.get(db, number))


async def test_an_incident_goes_from_taken_to_closed_by_forms_alone(
    town: Town, camille: Browser
) -> None:
    page = await camille.submit(await camille.get("/"), "/incidents/1/take")
    assert page.path.startswith("/incidents/1?done=take")
    assert "C&#39;est fait : vous avez pris I1 en charge." in page.text
    assert "Camille l&#39;a pris en charge à 02:16." in page.text
    page = await camille.submit(page, "/incidents/1/note", text="Pompiers prévenus.")
    assert "Camille note : Pompiers prévenus." in page.text
    page = await camille.submit(page, "/incidents/1/assign", to="Sacha")
    assert "Camille confie à Sacha" in page.text
    page = await camille.submit(page, "/incidents/1/resolve")
    assert "C&#39;est fait : I1 est clos." in page.text
    assert 'action="/incidents/1/take"' not in page.text
    done = await incident(town)
    assert (done.state, done.assignee, done.resolved_by) == (
        IncidentState.RESOLVED,
        "Sacha",
        "Camille",
    )
    now = await camille.get("/")
    assert "Clos récemment" in now.text
    assert 'action="/incidents/1/take"' not in now.text


async def test_a_queue_item_is_taken_answered_and_leaves_the_queue(
    town: Town, camille: Browser
) -> None:
    page = await camille.submit(await camille.get("/queue/1"), "/queue/1/take")
    assert "vous avez pris Q1 en charge" in page.text
    assert (await item(town)).state is QueueState.TAKEN
    page = await camille.submit(page, "/queue/1/assign", to="Sacha")
    assert (await item(town)).assignee == "Sacha"
    page = await camille.submit(page, "/queue/1/move", state="answered")
    assert "Camille change l&#39;état : répondu" in page.text
    assert "/queue/1" not in (await camille.get("/")).text


@pytest.mark.parametrize("state", ["waiting", "answered", "closed", "reported", "out_of_scope"])
async def test_every_state_of_the_list_can_be_chosen(
    town: Town, camille: Browser, state: str
) -> None:
    page = await camille.get("/queue/2")
    assert f'<option value="{state}"' in page.text
    assert (await camille.submit(page, "/queue/2/move", state=state)).status == 200
    assert (await item(town, 2)).state == state


async def test_each_action_names_its_actor_in_timeline_and_audit(
    town: Town, camille: Browser
) -> None:
    forged = {"actor": "Sacha", "name": "Sacha"}
    page = await camille.submit(await camille.get("/queue/1"), "/queue/1/take", **forged)
    await camille.submit(page, "/queue/1/note", text="vu", **forged)
    events = await town.store.read(lambda db: timeline.of(db, "Q1"))
    assert [(e.kind, e.actor) for e in events[1:]] == [
        ("queue.taken", "Camille"),
        ("note", "Camille"),
    ]
    sql = "SELECT actor, action FROM audit WHERE target = 'Q1' ORDER BY seq"
    entries = await town.store.read(lambda db: [tuple(row) for row in db.rows(sql)])
    assert entries == [("Camille", "queue.taken"), ("Camille", "note")]


@pytest.mark.parametrize(
    ("page_path", "form", "fields"),
    [
        ("/", "/incidents/1/take", {}),
        ("/incidents/1", "/incidents/1/take", {}),
        ("/incidents/1", "/incidents/1/assign", {"to": "Camille"}),
        ("/incidents/1", "/incidents/1/resolve", {}),
    ],
)
async def test_a_stale_incident_page_says_who_was_faster_and_replaces_nothing(
    town: Town,
    camille: Browser,
    sacha: Browser,
    page_path: str,
    form: str,
    fields: dict[str, str],
) -> None:
    stale = await camille.get(page_path)
    await sacha.submit(await sacha.get("/"), "/incidents/1/take")
    before = await incident(town)
    answer = await camille.submit(stale, form, **fields)
    assert answer.status == 409
    assert "Sacha " + SPOKEN in answer.text
    assert 'role="alert"' in answer.text
    assert await incident(town) == before


@pytest.mark.parametrize(
    ("form", "fields"),
    [("take", {}), ("assign", {"to": "Camille"}), ("move", {"state": "closed"})],
)
async def test_a_stale_queue_page_says_who_was_faster_and_replaces_nothing(
    town: Town, camille: Browser, sacha: Browser, form: str, fields: dict[str, str]
) -> None:
    stale = await camille.get("/queue/1")
    await sacha.submit(await sacha.get("/queue/1"), "/queue/1/take")
    before = await item(town)
    answer = await camille.submit(stale, f"/queue/1/{form}", **fields)
    assert answer.status == 409
    assert "Sacha " + SPOKEN in answer.text
    assert await item(town) == before


async def test_after_a_conflict_the_page_shown_is_fresh_and_may_act(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    stale = await camille.get("/incidents/1")
    await sacha.submit(await sacha.get("/"), "/incidents/1/take")
    conflict = await camille.submit(stale, "/incidents/1/resolve")
    again = await camille.submit(conflict, "/incidents/1/resolve")
    assert again.status == 200
    assert (await incident(town)).resolved_by == "Camille"


async def test_a_note_is_never_lost_to_a_conflict(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    stale = await camille.get("/incidents/1")
    await sacha.submit(await sacha.get("/"), "/incidents/1/take")
    page = await camille.submit(stale, "/incidents/1/note", text="Route coupée.")
    assert "Camille note : Route coupée." in page.text


async def test_the_same_form_sent_twice_acts_once(town: Town, camille: Browser) -> None:
    page = await camille.get("/")
    await camille.submit(page, "/incidents/1/take")
    await camille.submit(page, "/incidents/1/take")
    events = await town.store.read(lambda db: timeline.of(db, "I1"))
    assert [e.kind for e in events].count("incident.acknowledged") == 1


@pytest.mark.parametrize(
    ("path", "verb", "fields", "said"),
    [
        ("/incidents/1", "assign", {"to": "Personne"}, "Choisissez une personne de la liste."),
        ("/incidents/1", "note", {"text": "  "}, "Écrivez une note"),
        ("/incidents/1", "note", {"text": "x" * 2001}, "Écrivez une note"),
        ("/queue/1", "move", {"state": "new"}, "Choisissez un état de la liste."),
        ("/queue/1", "move", {"state": "exploded"}, "Choisissez un état de la liste."),
    ],
)
async def test_a_field_that_makes_no_sense_is_refused_in_words(
    town: Town, camille: Browser, path: str, verb: str, fields: dict[str, str], said: str
) -> None:
    before = await incident(town), await item(town)
    answer = await camille.submit(await camille.get(path), f"{path}/{verb}", **fields)
    assert answer.status == 400
    assert said in answer.text
    assert (await incident(town), await item(town)) == before


async def test_nothing_is_given_to_a_disabled_user(town: Town, camille: Browser) -> None:
    page = await camille.get("/incidents/1")
    await town.store.write(lambda db: users.disable(db, "Sacha", now=town.clock()))
    assert (await camille.submit(page, "/incidents/1/assign", to="Sacha")).status == 400
    assert "<option>Sacha" not in (await camille.get("/incidents/1")).text


@pytest.mark.parametrize(
    "path", ["/incidents/1/erase", "/incidents/9/take", "/incidents/Q1/take", "/queue/9/note"]
)
async def test_an_unknown_target_or_verb_is_not_found(
    town: Town, camille: Browser, path: str
) -> None:
    csrf = (await camille.get("/")).field("csrf")
    answer = await camille.post(path, {"csrf": csrf, "text": "x"})
    assert answer.status == 404


def assert_harmless(page: str) -> None:
    """No tag, attribute or address of the page came from a mention; nothing in it hides."""
    tags = Tags(page)
    # our sparklines are SVG, and nothing else is
    found = [tag for tag, a in tags.found if (tag, a.get("class")) != ("svg", "spark")]
    assert {"img", "svg", "b", "i", "iframe", "style"}.isdisjoint(found)
    for tag, attributes in tags.found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("href", "src", "action"):
            assert (attributes.get(name) or "/").startswith(("/", "#", "https://social.example/"))
        if tag == "script":
            assert (attributes.get("src") or "").startswith("/static/")
    for hidden in "\u202e\u202c\u200b\x1b\x07":
        assert hidden not in page


async def test_a_hostile_mention_is_text_on_every_page(
    town: Town, camille: Browser, hostile_item: str
) -> None:
    for path in ("/", hostile_item, "/incidents/1"):
        page = await camille.get(path)
        assert page.status == 200
        assert_harmless(page.text)
        read = Tags(page.text).text
        assert "<script>window.owned=1</script><img src=" in read, path
    page = await camille.get(hostile_item)
    read = Tags(page.text).text
    for shown in ("⟨U+202E⟩", "⟨U+200B⟩", "{{ 7*7 }}", "&lt;b&gt;", "<b onmouseover"):
        assert shown in read
    assert "javascript:" not in page.text
    assert "ouvrir l&#39;original]" not in page.text  # the mask was typed by the author


@pytest.mark.parametrize("attack", ["<script>owned=1</script>\u202e", "\"'><img src=x onerror=1>"])
async def test_hostile_notes_originals_and_names_are_text_too(
    town: Town, camille: Browser, attack: str
) -> None:
    name = "<img src=x onerror=owned=1>"
    await town.store.write(
        lambda db: users.add(db, name=name, password_hash="x", role=Role.TRIAGE, now=town.clock())
    )
    page = await camille.get("/incidents/1")
    page = await camille.submit(page, "/incidents/1/note", text=attack)
    page = await camille.submit(page, "/incidents/1/assign", to=name)
    assert_harmless(page.text)
    town.vault.texts[town.keys[0]] = attack
    form = f"/mentions/{town.keys[0]}/original"
    opened = await camille.submit(await camille.get("/queue/1"), form, back="/queue/1")
    assert_harmless(opened.text)
    assert "&lt;" in opened.text


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "javascript:owned=1"])
async def test_the_way_back_from_an_original_stays_here(
    town: Town, camille: Browser, back: str
) -> None:
    form = f"/mentions/{town.keys[0]}/original"
    opened = await camille.submit(await camille.get("/queue/1"), form, back=back)
    assert "evil" not in opened.text
    assert_harmless(opened.text)


async def test_a_person_without_scripts_goes_from_a_mailed_link_to_done(
    town: Town, stranger: Browser
) -> None:
    login = await stranger.get("/incidents/I1")
    assert login.path.startswith("/login?")
    to = login.field("next")
    page = await stranger.post(
        "/login", {"name": " camille ", "password": "une rivière en crue 1910", "next": to}
    )
    assert page.path == "/incidents/I1"
    page = await stranger.submit(page, "/incidents/1/take")
    page = await stranger.submit(page, "/incidents/1/resolve")
    assert "I1 est clos" in page.text
    out = await stranger.submit(page, "/logout")
    assert "Vous êtes déconnecté." in out.text
    assert (await stranger.get("/")).path == "/login"


async def test_every_control_is_native_named_and_sent_by_a_button(
    town: Town, camille: Browser
) -> None:
    asks = {"/queue": ["/queue"], "/queue/1": ["/queue/1#answer", "/queue/1/whynot#whynot"]}
    for path in ("/", "/incidents/1", "/queue", "/queue/1", "/account"):
        tags = Tags((await camille.get(path)).text).found
        labelled = {attributes.get("for") for tag, attributes in tags if tag == "label"}
        asking = [a["action"] for tag, a in tags if tag == "form" and a.get("method") == "get"]
        assert asking == asks.get(path, [])
        assert {a.get("method") for tag, a in tags if tag == "form"} <= {"post", "get"}
        for tag, attributes in tags:
            assert int(attributes.get("tabindex") or 0) <= 0
            is_shown = attributes.get("type") != "hidden" and "aria-hidden" not in attributes
            if tag in {"input", "select", "textarea"} and is_shown:
                assert attributes.get("id") in labelled, (path, attributes)
