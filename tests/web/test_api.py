"""The API: what everybody may ask, what it refuses, and that one request is done once."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from servers.mortal import KilledError
from veille.alerts.settings import RouteSettings
from veille.domain.access import Access, may
from veille.domain.explanation import Explanation, Weight
from veille.pipeline.actions import Actions
from veille.store import calls, oncall, outbox, push, queue, timeline, tokens, users
from veille.store.engine import Db, SqliteStore
from veille.store.retention import Ages, purge
from veille.web.api.about import ALL
from veille.web.api.operation import PREFIX, Operation
from veille.web.api.problems import STATUSES, Kind
from veille.web.app import build
from veille.web.ports import PushDesk
from veille.web.server import listen
from veille.web.settings import WebSettings
from veille.web.site import SITE
from veille.web.tokens import new_token, scopes_of, token_hash

T = TypeVar("T")
Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
KEY = f"{1:032x}"
SAMPLES = {
    "incident": "I1", "item": "Q1", "silence": "S1", "draft": "1", "deed": "1", "view": "1",
    "token": "1", "mention": KEY, "name": "Camille", "override": "1", "rule": "flood_distress",
    "target": "I1", "session": "0" * 64, "device": "1", "file": "flood.yml",
    "template": "Voirie",
}  # fmt: skip
PRIVATE = [each for each in ALL if each.access is not Access.PUBLIC]


def address(operation: Operation) -> str:
    """Return an address of an operation, of things that exist."""
    said = "?rule=flood_distress" if operation.path.endswith("/whynot") else ""
    return PREFIX + re.sub(r"\{(\w+)\}", lambda found: SAMPLES[found[1]], operation.path) + said


class Program:
    """A client with a token, that speaks JSON."""

    def __init__(self, browser: Browser, token: str) -> None:
        self.browser = browser
        self.token = token

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | io.BytesIO | None = None,
        **headers: str,
    ) -> Any:
        said = {"Authorization": f"Bearer {self.token}"}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = raw
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            said.setdefault("Content-Type", "application/json")
        return await self.browser.ask(
            method, path if path.startswith("/api") else PREFIX + path, data=data, headers=said,
            follow=False,
        )  # fmt: skip

    async def get(self, path: str, **headers: str) -> Any:
        return await self.ask("GET", path, **headers)

    async def tag(self, path: str) -> str:
        """Return the ETag of what is there."""
        return str((await self.get(path)).headers["ETag"])

    async def act(self, path: str, body: object = None, **headers: str) -> Any:
        """Post what changes the thing of this path, in the version it has now."""
        tag = headers.pop("tag", None) or await self.tag("/".join(path.split("/")[:3]))
        return await self.ask("POST", path, body, If_Match=tag, **headers)


async def token_of(town: Town, name: str, *scopes: str) -> str:
    """Return a new token of this user with these scopes, all of the role's when none is said."""
    token, now = new_token(), town.clock.now

    def add(db: Db) -> None:
        user = users.get(db, name)
        assert user is not None
        wanted = scopes or tuple(a.value for a in Access if a is not Access.PUBLIC)
        granted = [w for w in wanted if scopes or may(user.role, Access(w))]
        tokens.add(
            db, user=name, name="essai", token_hash=token_hash(token),
            scopes=scopes_of(granted, role=user.role), now=now, expires_at=now + timedelta(days=9),
        )  # fmt: skip

    await town.store.write(add)
    return token


@pytest.fixture
async def admin(town: Town, stranger: Browser) -> Program:
    return Program(stranger, await token_of(town, "Sacha"))


@pytest.fixture
async def triage(town: Town, stranger: Browser) -> Program:
    return Program(stranger, await token_of(town, "Camille"))


def problem(answer: Any) -> dict[str, Any]:
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    found: dict[str, Any] = json.loads(answer.text)
    assert found["status"] == answer.status
    assert found["type"].startswith("/api/v1/problems#")
    return found


# The document.


async def test_the_document_is_valid_and_public(town: Town, stranger: Browser) -> None:
    answer = await stranger.get("/api/v1/openapi.json")
    assert answer.status == 200
    said = json.loads(answer.text)
    assert list(OpenAPIV31SpecValidator(said).iter_errors()) == []
    paths = {(m.upper(), p) for p, ops in said["paths"].items() for m in ops}
    assert paths == {(each.method, PREFIX + each.path) for each in ALL}
    operations = [op for ops in said["paths"].values() for op in ops.values()]
    names = [op["operationId"] for op in operations]
    assert len(names) == len(set(names))
    answers = [answer for op in operations for answer in op["responses"].values()]
    led = [link["operationId"] for each in answers for link in each.get("links", {}).values()]
    assert set(led) <= set(names)
    spent = said["components"]["schemas"]["Clock"]["properties"]["spent"]
    for lasting in (timedelta(0), timedelta(minutes=9, microseconds=7), timedelta(days=2)):
        # the format "duration" knows no parts of a second
        assert re.search(spent["pattern"], msgspec.to_builtins(lasting))
    assert '"duration"' not in answer.text
    checked = {each.name for each in ALL if each.checks}
    assert checked <= set(led)  # whatever asks for a version is led to by who says it
    tag = answer.headers["ETag"]
    again = await stranger.get("/api/v1/openapi.json", headers={"If-None-Match": tag})
    assert (again.status, again.headers["ETag"]) == (304, tag)


async def test_every_type_of_problem_is_explained_in_both_languages(
    town: Town, stranger: Browser
) -> None:
    for language, word in (("fr", "Introuvable"), ("en", "Not found")):
        answer = await stranger.get("/api/v1/problems", headers={"Accept-Language": language})
        found = json.loads(answer.text)["items"]
        assert {each["name"] for each in found} == {kind.value for kind in Kind}
        assert word in {each["title"] for each in found}


# Who may.


async def test_a_stranger_gets_nowhere(town: Town, stranger: Browser) -> None:
    for operation in PRIVATE:
        answer = await stranger.ask(operation.method, address(operation), follow=False)
        assert answer.status == 401, operation.name
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert problem(answer)["type"].endswith("#unknown")


async def test_a_token_without_the_scope_is_told_which_one(town: Town, stranger: Browser) -> None:
    lesser = {Access.READ: "act", Access.ACT: "read", Access.EDIT: "act",
              Access.AUDIT: "act", Access.ADMIN: "act"}  # fmt: skip
    made = {
        scope: Program(stranger, await token_of(town, "Sacha", scope)) for scope in ("read", "act")
    }
    for operation in PRIVATE:
        answer = await made[lesser[operation.access]].ask(operation.method, address(operation))
        assert answer.status == 403, operation.name
        said = problem(answer)
        assert said["type"].endswith("#scope")
        assert said["scope"] == operation.access.value
        assert "insufficient_scope" in answer.headers["WWW-Authenticate"]


async def test_a_triage_token_cannot_edit_users(town: Town, triage: Program) -> None:
    answer = await triage.ask("POST", "/users", {"name": "Malice", "role": "admin"})
    assert answer.status == 403
    assert problem(answer)["type"].endswith("#scope")
    assert await town.store.read(lambda db: users.get(db, "Malice")) is None


async def test_a_session_reads_and_writes_only_with_its_token_in_a_header(
    town: Town, camille: Browser
) -> None:
    assert (await camille.get("/api/v1/incidents")).status == 200
    csrf = (await camille.get("/account")).field("csrf")
    tag = (await camille.get("/api/v1/incidents/I1")).headers["ETag"]
    origin = {"Sec-Fetch-Site": "same-origin", "If-Match": tag}
    path = "/api/v1/incidents/I1/take"
    without = await camille.ask("POST", path, headers=origin)
    in_form = await camille.ask("POST", path, headers=origin, data={"csrf": csrf})
    other = await camille.ask("POST", path, headers={**origin, "X-CSRF-Token": "x" * 43})
    assert [without.status, in_form.status, other.status] == [403, 403, 403]
    assert problem(without)["type"].endswith("#forged")
    done = await camille.ask("POST", path, headers={**origin, "X-CSRF-Token": csrf})
    assert done.status == 200, done.text


# Acting, by version.


async def test_an_incident_is_taken_noted_and_given_back(town: Town, triage: Program) -> None:
    done = await triage.act("/incidents/I1/take")
    assert done.status == 200, done.text
    undo = json.loads(done.text)["undo"]
    whole = json.loads((await triage.get("/incidents/I1")).text)
    assert whole["incident"]["assignee"] == "Camille"
    note = await triage.ask("POST", "/incidents/I1/notes", {"text": "Vu avec @Sacha"})
    assert (note.status, json.loads(note.text)) == (201, {"called": ["Sacha"]})
    back = await triage.ask("POST", f"/undo/{undo}")
    assert json.loads(back.text) == {"targets": ["I1"]}
    late = await triage.ask("POST", f"/undo/{undo}")
    assert late.status == 409
    assert (await triage.ask("POST", "/undo/999")).status == 404
    lines = json.loads((await triage.get("/incidents/I1/timeline?limit=200")).text)["items"]
    assert "note" in {line["kind"] for line in lines}


async def test_a_write_needs_the_version_and_the_last_one(
    town: Town, triage: Program, admin: Program
) -> None:
    missing = await triage.ask("POST", "/queue/Q1/take")
    assert (missing.status, problem(missing)["type"]) == (428, "/api/v1/problems#unconditional")
    seen = await triage.tag("/queue/Q1")
    assert (await admin.act("/queue/Q1/take")).status == 200
    stale = await triage.ask("POST", "/queue/Q1/take", If_Match=seen)
    said = problem(stale)
    assert stale.status == 412
    assert said["changed_by"] == "Sacha"
    assert "changed_at" in said
    mangled = await triage.ask("POST", "/queue/Q1/take", If_Match="2")
    assert (mangled.status, problem(mangled)["errors"][0]["pointer"]) == (400, "/header/If-Match")
    keyless = await triage.ask("POST", "/queue/Q1/take", If_Match=seen, Idempotency_Key="é")
    assert (keyless.status, problem(keyless)["errors"][0]["pointer"]) == (
        400, "/header/Idempotency-Key"
    )  # fmt: skip
    now = await triage.tag("/queue/Q1")
    for never in ('"ours"', 'W/"ours"', f"W/{now}"):  # a proxy that packs weakens a tag
        strange = await triage.ask("POST", "/queue/Q1/take", If_Match=never)
        said = problem(strange)
        assert (strange.status, "changed_by" in said) == (412, False)
    weak = await triage.ask("POST", "/queue/Q1/take", If_Match=f"W/{seen}")
    assert weak.status == 412
    theirs = await triage.act("/queue/Q1/take")
    assert (theirs.status, problem(theirs)["type"]) == (409, "/api/v1/problems#conflict")


async def test_templates_views_and_silences_are_changed_as_they_were_seen(
    town: Town, admin: Program, triage: Program
) -> None:
    view = {"name": "Graves", "query": "severity=critical", "shared": True}
    silence = {"what": {"topic": ["roads"]}, "seconds": 3600, "reason": "travaux"}
    cases = (
        ("/templates", {"name": "Voirie", "text": "Vu."}, "PUT", "", {"text": "C'est noté."}),
        ("/views", view, "PUT", "", {"query": "severity=info"}),
        ("/silences", silence, "POST", "/expire", None),
    )
    for path, body, method, verb, change in cases:
        made = json.loads((await admin.ask("POST", path, body)).text)
        thing = f"{path}/{made['name'] if path == '/templates' else made['id']}"
        tag = await admin.tag(thing)
        assert (await admin.get(thing, If_None_Match=tag)).status == 304
        assert (await admin.ask(method, thing + verb, change)).status == 428
        done = await admin.ask(method, thing + verb, change, If_Match=tag)
        assert done.status == 200, done.text
        again = await admin.ask(method, thing + verb, change, If_Match=tag)
        assert (again.status, problem(again)["type"]) == (412, "/api/v1/problems#stale")
        assert problem(again)["changed_by"] == "Sacha"
        if method == "PUT":
            taken = await admin.ask("POST", path, body)
            assert (taken.status, problem(taken)["type"]) == (409, "/api/v1/problems#conflict")
            assert (await admin.ask("DELETE", thing, If_Match=tag)).status == 412
            theirs = await triage.ask("DELETE", thing, If_Match=await admin.tag(thing))
            assert (theirs.status, problem(theirs)["scope"]) == (403, "edit")
            gone = await admin.ask("DELETE", thing, If_Match=await admin.tag(thing))
            assert gone.status == 204
            assert (await admin.get(thing)).status == 404


async def test_two_programs_that_race_for_one_claim_are_told_who_won(
    town: Town, triage: Program, admin: Program
) -> None:
    tag = await triage.tag("/queue/Q1")
    answers = await asyncio.gather(
        triage.ask("POST", "/queue/Q1/take", If_Match=tag),
        admin.ask("POST", "/queue/Q1/take", If_Match=tag),
    )
    assert sorted(each.status for each in answers) == [200, 412]
    item = await town.store.read(lambda db: queue.get(db, 1))
    told = next(problem(each) for each in answers if each.status == 412)
    assert told["changed_by"] == item.assignee


async def test_what_did_not_change_is_not_sent_again(town: Town, triage: Program) -> None:
    for path in ("/incidents", "/incidents/I1", "/queue", "/queue/Q1", "/sources", "/me",
                 "/queue?limit=1", "/on-call", "/ledger"):  # fmt: skip
        tag = await triage.tag(path)
        town.clock.advance(seconds=3)
        again = await triage.get(path, If_None_Match=tag)
        assert (again.status, again.text, again.headers["ETag"]) == (304, "", tag), path
    tag = await triage.tag("/incidents/I1")
    await triage.act("/incidents/I1/take")
    assert (await triage.get("/incidents/I1", If_None_Match=tag)).status == 200


# Once.


async def test_a_request_sent_again_is_answered_again_and_done_once(
    town: Town, triage: Program
) -> None:
    body = {"text": "Appel au CODIS"}
    first = await triage.ask("POST", "/incidents/I1/notes", body, Idempotency_Key="n-1")
    again = await triage.ask("POST", "/incidents/I1/notes", body, Idempotency_Key="n-1")
    assert (again.status, again.text) == (first.status, first.text) == (201, '{"called":[]}')
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await triage.ask("POST", "/incidents/I1/notes", {"text": "!"}, Idempotency_Key="n-1")
    assert (other.status, problem(other)["type"]) == (409, "/api/v1/problems#reused")
    events = await town.store.read(lambda db: timeline.of(db, "I1"))
    assert [event.text for event in events if event.kind == "note"] == ["Appel au CODIS"]
    seen = {"If_Match": await triage.tag("/queue/Q1"), "Idempotency_Key": "t-1"}
    taken = await triage.ask("POST", "/queue/Q1/take", **seen)
    again = await triage.ask("POST", "/queue/Q1/take", **seen)  # its version is past by itself
    assert (taken.status, again.status, again.text) == (200, 200, taken.text)


async def test_a_key_is_of_one_user_and_of_one_day(
    town: Town, triage: Program, admin: Program
) -> None:
    body = {"text": "une fois"}
    for program in (triage, admin):
        answer = await program.ask("POST", "/incidents/I1/notes", body, Idempotency_Key="k")
        assert "Idempotency-Replayed" not in answer.headers
    town.clock.advance(hours=24)
    answer = await triage.ask("POST", "/incidents/I1/notes", body, Idempotency_Key="k")
    assert (answer.status, "Idempotency-Replayed" in answer.headers) == (201, False)


async def test_a_request_that_was_cut_by_a_stop_is_not_done_again(
    town: Town, triage: Program
) -> None:
    body = {"text": "deux fois ?"}
    await triage.ask("POST", "/incidents/I1/notes", body, Idempotency_Key="k")
    seen = {"If_Match": await triage.tag("/queue/Q1"), "Idempotency_Key": "t"}
    await triage.ask("POST", "/queue/Q1/take", **seen)
    # as it stands when the program was killed between the work and the answer
    await town.store.write(
        lambda db: db.execute("UPDATE api_requests SET answer = NULL, process = 'before'")
    )
    for again in (
        await triage.ask("POST", "/incidents/I1/notes", body, Idempotency_Key="k"),
        await triage.ask("POST", "/queue/Q1/take", **seen),
    ):
        assert (again.status, problem(again)["type"]) == (409, "/api/v1/problems#uncertain")


class Dying:
    """A store whose process ends before (odd) or after (even) a commit."""

    def __init__(self, store: SqliteStore, step: int) -> None:
        self._store = store
        self._left = step

    def _live(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise KilledError

    async def write(self, change: Callable[[Db], T]) -> T:
        self._live()
        done = await self._store.write(change)
        self._live()
        return done

    async def read(self, query: Callable[[Db], T]) -> T:
        return await self._store.read(query)


async def test_a_key_is_done_once_at_whatever_line_the_program_is_killed(
    town: Town, triage: Program
) -> None:
    assert (await triage.get("/me")).status == 200  # the use of the token is noted once an hour
    died = []
    for step in range(1, 6):
        body, key = {"text": f"note {step}"}, {"Idempotency_Key": f"k-{step}"}
        store = Dying(town.store, step)
        app = build(
            store=store, settings=WebSettings(), institution="Saint-Aubin",
            timezone=ZoneInfo("Europe/Paris"), language="fr",
            actions=Actions(store, route=RouteSettings(), now=town.clock), intake=town.door,
            health=town.pulse, originals=town.vault, now=town.clock,
            secret=town.app[SITE].secret,
        )  # fmt: skip
        async with AsyncExitStack() as stack:
            browser = type(triage.browser)(await listen(app, "127.0.0.1:0", stack))
            stack.push_async_callback(browser.session.close)
            dying = Program(browser, triage.token)
            first = await dying.ask("POST", "/incidents/I1/notes", body, **key)
        again = await triage.ask("POST", "/incidents/I1/notes", body, **key)
        events = await town.store.read(lambda db: timeline.of(db, "I1"))
        assert [event.text for event in events].count(body["text"]) == 1
        died.append((first.status, again.status))
    # before the note: it is made now; between note and answer: the answer is lost; then it is kept
    assert died == [(500, 201), (500, 409), (500, 409), (500, 201), (201, 201)]


async def test_two_requests_of_one_key_at_once_are_one(town: Town, triage: Program) -> None:
    asked = [
        triage.ask("POST", "/incidents/I1/notes", {"text": "une"}, Idempotency_Key="k")
        for _ in range(4)
    ]
    answers = await asyncio.gather(*asked)
    assert {each.status for each in answers} <= {201, 409}
    assert 201 in {each.status for each in answers}
    events = await town.store.read(lambda db: timeline.of(db, "I1"))
    assert [event.text for event in events].count("une") == 1


async def test_a_refused_request_leaves_its_key_free(town: Town, triage: Program) -> None:
    refused = await triage.act("/queue/Q1/assign", {"to": "Personne"}, Idempotency_Key="k")
    assert (refused.status, problem(refused)["type"]) == (409, "/api/v1/problems#refused")
    done = await triage.act("/queue/Q1/assign", {"to": "Camille"}, Idempotency_Key="k")
    assert done.status == 200


async def test_an_answer_that_is_kept_is_sealed(town: Town, admin: Program) -> None:
    made = await admin.ask(
        "POST", "/users", {"name": "Nouvelle", "role": "reader"}, Idempotency_Key="u"
    )
    password = json.loads(made.text)["password"]
    rows = await town.store.read(lambda db: db.rows("SELECT * FROM api_requests"))
    assert rows
    assert not any(password.encode() in bytes(row["answer"]) for row in rows)
    again = await admin.ask(
        "POST", "/users", {"name": "Nouvelle", "role": "reader"}, Idempotency_Key="u"
    )
    assert again.text == made.text
    object.__setattr__(town.app[SITE], "secret", b"another key, of 32 bytes exactly")
    lost = await admin.ask(
        "POST", "/users", {"name": "Nouvelle", "role": "reader"}, Idempotency_Key="u"
    )
    assert (lost.status, problem(lost)["type"]) == (409, "/api/v1/problems#uncertain")


async def test_an_original_is_kept_by_no_key_and_each_opening_is_one(
    town: Town, triage: Program
) -> None:
    town.vault.texts[KEY] = "Rappelez-moi au 06 39 98 12 34"
    for _ in range(2):
        answer = await triage.ask("POST", f"/mentions/{KEY}/original", Idempotency_Key="o")
        assert json.loads(answer.text)["text"].startswith("Rappelez")
    assert town.vault.opened == [(KEY, "Camille")] * 2
    assert not await town.store.read(lambda db: db.rows("SELECT * FROM api_requests"))
    town.vault.texts.clear()  # erased
    gone = await triage.ask("POST", f"/mentions/{KEY}/original", Idempotency_Key="o")
    assert gone.status == 404


# Pages.


async def test_pages_follow_each_other_and_end(town: Town, triage: Program) -> None:
    for path, name in (("/incidents", "id"), ("/queue", "item"), ("/search", "mention")):
        whole = json.loads((await triage.get(f"{path}?limit=200")).text)["items"]
        seen, following = [], f"{PREFIX}{path}?limit=1"
        while following:
            answer = await triage.get(following)
            page = json.loads(answer.text)
            seen += page["items"]
            assert len(page["items"]) <= 1
            link = f'<{page["next"]}>; rel="next"' if page["next"] else None
            assert answer.headers.get("Link") == link
            following = page["next"]
        assert [one[name] for one in seen] == [one[name] for one in whole]
        assert len(whole) > 1


async def test_a_cursor_is_good_for_its_own_list_only(town: Town, triage: Program) -> None:
    following = json.loads((await triage.get("/incidents?limit=1")).text)["next"]
    cursor = following.rpartition("after=")[2]
    for path in (
        f"/queue?after={cursor}",
        f"/incidents?state=open&after={cursor}",
        f"/incidents?after={cursor[:-2]}AA",
        "/incidents?after=AAAA",
    ):
        answer = await triage.get(path)
        assert (answer.status, problem(answer)["type"]) == (404, "/api/v1/problems#cursor"), path
    assert (await triage.get(f"/incidents?limit=5&after={cursor}")).status == 200


# Hostile and wrong requests.

HOSTILE = (
    (b"{", 400), (b"", 400), (b"\xff\xfe{}", 400), (b'{"text":"a\x00"}', 400),
    (b'{"text":"a\\u0000"}', 400), (b'{"text":"\\ud800"}', 400), (b'{"text":"\\udfff x"}', 400),
    (b'{"text":"a","text":"b"}', 400), (b'{"text":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    (b'{"text":' + b"9" * 5000 + b"}", 400), (b'{"text":1e999}', 400), (b'{"text":NaN}', 400),
    (b'{"text":"a","more":1}', 400), (b"[]", 400), (b"null", 400), (b'{"text":""}', 400),
    (b'{"text":"' + b"a" * 4001 + b'"}', 400),
)  # fmt: skip


async def test_what_the_document_says_of_a_body_is_held_to(town: Town, admin: Program) -> None:
    items = [{"item": "Q1", "version": 1}]
    for method, path, body, place in (
        ("POST", "/queue/bulk/preview", {"verb": "move", "items": items}, "/state"),
        ("POST", "/queue/bulk/preview", {"verb": "assign", "items": items}, "/to"),
        ("POST", "/queue/Q1/move", {"state": "closed", "stays_open": True}, ""),
        ("POST", "/queue/Q1/labels", {"labels": {"urgency": "panique"}}, ""),
        ("POST", "/incidents/I1/split", {}, ""),
        ("POST", "/incidents/I1/notes", {"text": " \n\u2003"}, "/text"),
        ("POST", "/silences/preview", {"what": {"severity": ["grave"]}}, ""),
        ("POST", "/views", {"name": "\u202egraves", "query": ""}, "/name"),
        ("POST", "/views", {"name": "Graves\n", "query": ""}, "/name"),
        ("POST", "/views", {"name": "Graves", "query": "state=asleep"}, ""),
        ("POST", "/users", {"name": " ", "role": "reader"}, "/name"),
        ("POST", "/drafts/1/publish", {"link": "javascript:alert(1)"}, "/link"),
    ):
        answer = await admin.ask(method, path, body, If_Match="*")
        said = problem(answer)
        assert (said["status"], said["errors"][0]["pointer"]) == (400, place), (path, said)


async def test_a_body_that_is_wrong_is_refused_in_words(town: Town, triage: Program) -> None:
    for raw, status in HOSTILE:
        answer = await triage.ask("POST", "/incidents/I1/notes", raw=raw)
        assert answer.status == status, raw[:40]
        assert problem(answer)["detail"]
    packed = await triage.ask("POST", "/incidents/I1/notes", {"text": "a"}, Content_Encoding="gzip")
    assert (packed.status, problem(packed)["type"]) == (400, "/api/v1/problems#unreadable")
    events = await town.store.read(lambda db: timeline.of(db, "I1"))
    assert not any(event.kind == "note" for event in events)


async def test_errors_point_at_what_is_wrong(town: Town, triage: Program) -> None:
    items = [{"item": "Q1", "version": 1}, {"item": "Q2"}]
    for body, pointer in (
        ({"verb": "take", "items": items}, "/items/1/version"),
        ({"verb": "take", "items": [{"item": "X", "version": 1}]}, "/items/0/item"),
        ({"verb": "fly", "items": [items[0]]}, "/verb"),
        ({"verb": "take", "items": [items[0]], "a/b": 1}, "/a~1b"),
    ):
        answer = await triage.ask("POST", "/queue/bulk/preview", body)
        assert answer.status == 400
        assert [each["pointer"] for each in problem(answer)["errors"]] == [pointer]
    for path, pointer in (
        ("/incidents?limit=0", "/query/limit"), ("/incidents?limit=201", "/query/limit"),
        ("/incidents?limit=x", "/query/limit"), ("/incidents?limit=1&limit=2", "/query/limit"),
        ("/incidents?state=lost", "/query/state/0"), ("/incidents?page=2", "/query/page"),
        ("/search?q=%00", "/query/q"), ("/search?a%00b=1", "/query"),
    ):  # fmt: skip
        answer = await triage.get(path)
        assert answer.status == 400, path
        assert [each["pointer"] for each in problem(answer)["errors"]] == [pointer]


async def test_what_http_asks_of_a_server_is_answered_in_words(
    town: Town, triage: Program, stranger: Browser
) -> None:
    head = await triage.ask("HEAD", "/incidents/I1")
    get = await triage.get("/incidents/I1")
    assert (head.status, head.text, head.headers["ETag"]) == (200, "", get.headers["ETag"])
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
    wrong = await triage.ask("DELETE", "/incidents/I1")
    assert wrong.status == 405
    assert set(wrong.headers["Allow"].split(",")) == {"GET", "HEAD"}
    options = await triage.ask("OPTIONS", "/incidents/I1")
    assert (options.status, options.headers["Allow"]) == (204, wrong.headers["Allow"])
    assert "Access-Control-Allow-Origin" not in options.headers
    form = await triage.ask("POST", "/incidents/I1/notes", raw=b"a=b", Content_Type="text/plain")
    assert (form.status, problem(form)["type"]) == (415, "/api/v1/problems#media_type")
    xml = await triage.get("/incidents", Accept="application/xml")
    assert (xml.status, problem(xml)["type"]) == (406, "/api/v1/problems#unacceptable")
    for path in ("/api/v1/nothing", "/api/v1/incidents/I999", "/api/v1/incidents/Q1",
                 "/api/v1/queue/Q999999999999999999999"):  # fmt: skip
        assert problem(await triage.get(path))["type"].endswith("#missing")


async def test_problems_speak_the_language_that_is_asked_for(town: Town, triage: Program) -> None:
    for header, title in (
        ("", "Introuvable"), ("en", "Not found"), ("de", "Introuvable"),
        ("de, en;q=0.5, fr;q=0.1", "Not found"), ("en;q=0, fr", "Introuvable"),
    ):  # fmt: skip
        answer = await triage.get("/incidents/I999", Accept_Language=header)
        assert problem(answer)["title"] == title, header


@pytest.mark.parametrize("settings", [WebSettings(api_rate=5)])
async def test_a_token_that_asks_too_often_waits(
    settings: WebSettings, town: Town, triage: Program, admin: Program
) -> None:
    for _ in range(5):
        assert (await triage.get("/me")).status == 200
    answer = await triage.get("/me")
    assert (answer.status, problem(answer)["type"]) == (429, "/api/v1/problems#too_many")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    for written in (f"bearer {triage.token}", f"Bearer   {triage.token}"):  # it is the same token
        assert (await triage.get("/me", Authorization=written)).status == 429
    assert (await admin.get("/me")).status == 200
    town.clock.advance(seconds=int(answer.headers["Retry-After"]))
    assert (await triage.get("/me")).status == 200


async def test_hostile_text_is_json_and_nothing_else(
    town: Town, hostile_item: str, triage: Program
) -> None:
    answer = await triage.get(f"/queue/Q{hostile_item.rpartition('/')[2]}")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "<script>" in json.loads(answer.text)["mention"]["text"]


async def test_a_body_over_a_mebibyte_is_too_large(town: Town, triage: Program) -> None:
    raw = io.BytesIO(b" " * (2**20 + 1))
    answer = await triage.ask("POST", "/incidents/I1/notes", raw=raw)
    assert (answer.status, problem(answer)["type"]) == (413, "/api/v1/problems#too_large")


# Reading everything.


async def test_every_list_and_thing_can_be_read(town: Town, admin: Program) -> None:
    await admin.ask("POST", "/queue/Q1/drafts", {"text": "Nous arrivons."})
    silence = {"what": {"topic": ["roads"]}, "seconds": 3600, "reason": "travaux"}
    assert (await admin.ask("POST", "/silences", silence)).status == 201
    await admin.ask("POST", "/templates", {"name": "Voirie", "text": "C'est noté."})
    await admin.ask("POST", "/views", {"name": "Graves", "query": "severity=critical"})
    for operation in ALL:
        if operation.method == "GET":
            answer = await admin.get(address(operation))
            assert answer.status == 200, (operation.name, answer.text)


async def test_an_incident_says_why_as_its_page_does(town: Town, triage: Program) -> None:
    why = json.loads((await triage.get("/incidents/I1/why")).text)
    assert "12 messages" in why["reasons"][0]["sentence"].replace("\u00a0", " ")
    assert why["reach"]["authors"] == 2
    assert sum(group["count"] for group in why["messages"]) == 2
    assert why["cards"]
    assert why["since"] is None
    assert (await triage.ask("POST", "/looks/I1")).status == 204
    town.clock.advance(minutes=20)
    since = json.loads((await triage.get("/incidents/I1/why")).text)["since"]
    assert since == "2026-01-18T01:16:00Z"
    story = json.loads((await triage.get("/incidents/I1/story")).text)
    assert story["older"] == 0
    assert {line["kind"] for line in story["lines"]} >= {"event", "message"}


async def test_a_look_answers_the_calls_of_a_note(
    town: Town, triage: Program, admin: Program
) -> None:
    await admin.ask("POST", "/queue/Q1/notes", {"text": "@Camille, à toi"})
    assert json.loads((await triage.get("/now")).text)["calls"] == 1
    assert (await triage.ask("POST", "/looks/Q1")).status == 204
    assert await town.store.read(lambda db: calls.count_for(db, "Camille")) == 0
    assert (await triage.ask("POST", "/looks/Q999")).status == 404


async def test_colleagues_see_who_is_there_and_who_writes(
    town: Town, triage: Program, admin: Program
) -> None:
    await triage.ask("POST", "/presence/Q1", {"is_writing": True})
    seen = json.loads((await admin.get("/presence/Q1")).text)["items"]
    assert seen == [{"name": "Camille", "is_writing": True}]
    await triage.ask("POST", "/presence/Q1", {"has_left": True})
    assert json.loads((await admin.get("/presence/Q1")).text)["items"] == []


async def test_a_label_is_explained_and_a_rule_says_why_not(town: Town, triage: Program) -> None:
    town.teller.answer = (
        Explanation(
            head="urgency", label="urgent",
            spans=(Weight(start=14, end=21, text="coincée", weight=0.4),),
        ),
    )  # fmt: skip
    said = json.loads((await triage.get("/queue/Q1/why")).text)
    assert said["labels"][0]["spans"][0]["text"] == "coincée"
    became = json.loads((await triage.get("/queue/Q1/whynot?rule=unusual_volume")).text)
    assert became["answer"]["outcome"] == "condition"
    assert became["said"]
    assert (await triage.get("/queue/Q1/whynot?rule=nothing")).status == 404
    town.teller.answer = None
    busy = await triage.get("/queue/Q1/why")
    assert (busy.status, problem(busy)["type"]) == (429, "/api/v1/problems#busy")
    assert int(busy.headers["Retry-After"]) > 0
    for _ in range(5):
        answer = await triage.get("/queue/Q1/why")
    assert (answer.status, problem(answer)["type"]) == (429, "/api/v1/problems#too_many")


async def test_a_rule_is_read_and_its_tests_run(
    town: Town, triage: Program, admin: Program
) -> None:
    whole = json.loads((await triage.get("/rules/flood_distress")).text)
    assert whole["file"] == "flood.yml"
    assert any("id: flood_distress" in line["text"] for line in whole["lines"])
    assert whole["tested"] is None
    assert (await triage.ask("POST", "/rules/flood_distress/test")).status == 403
    done = await admin.ask("POST", "/rules/data_leak/test")
    assert done.status == 200, done.text
    assert json.loads(done.text)["passed"] > 0
    tested = json.loads((await triage.get("/rules/data_leak")).text)["tested"]
    assert tested == json.loads(done.text)
    assert (await admin.ask("POST", "/rules/nothing/test")).status == 404


async def test_one_ends_ones_own_sessions_and_no_others(
    town: Town, admin: Program, triage: Program, sacha: Browser
) -> None:
    (mine,) = json.loads((await admin.get("/sessions")).text)["items"]
    assert not mine["is_this"]
    assert (await triage.ask("DELETE", f"/sessions/{mine['id']}")).status == 404
    assert (await admin.ask("DELETE", f"/sessions/{mine['id']}")).status == 204
    assert (await sacha.get("/api/v1/me")).status == 401
    assert json.loads((await admin.ask("POST", "/sessions/end")).text) == {"sessions": 0}


DESK = PushDesk(public_key="k", receiver="telephones", sealing_key=b"k" * 32, hosts=())


@pytest.mark.parametrize("push_desk", [DESK])
async def test_one_tries_and_removes_ones_own_devices(
    push_desk: PushDesk, town: Town, triage: Program, admin: Program
) -> None:
    add = partial(
        push.add, user="Camille", mark="m", sealed=b"s", name="Firefox", known="", now=town.clock()
    )
    number = await town.store.write(add)
    (mine,) = json.loads((await triage.get("/devices")).text)["items"]
    assert (mine["id"], mine["name"]) == (number, "Firefox")
    assert not mine.keys() & {"sealed", "mark", "known"}
    assert json.loads((await admin.get("/devices")).text)["items"] == []
    for method, path in (("POST", f"/devices/{number}/try"), ("DELETE", f"/devices/{number}")):
        assert (await admin.ask(method, path)).status == 404
        assert (await triage.ask(method, path)).status in {202, 204}
    assert await town.store.read(outbox.depth) == {"telephones": 1}
    assert json.loads((await triage.get("/devices")).text)["items"] == []


async def test_one_chooses_ones_language(town: Town, triage: Program) -> None:
    for language, title in (("en", "Not found"), (None, "Introuvable")):
        done = await triage.ask("PUT", "/me/language", {"language": language})
        assert done.status == 204
        assert problem(await triage.get("/incidents/I999"))["title"] == title


async def test_shifts_are_taken_over_and_swapped_by_who_may(
    town: Town, triage: Program, admin: Program
) -> None:
    (rota,) = json.loads((await triage.get("/on-call?days=28")).text)["items"]
    assert rota["now"]["people"] == ["Camille"]
    turns = [turn for turn in rota["shifts"] if turn["key"]]
    mine = next(turn["key"] for turn in turns if turn["people"] == ["Camille"])
    hers = next(turn["key"] for turn in turns if turn["people"] == ["Sacha"])
    noors = next(turn["key"] for turn in turns if turn["people"] == ["Noor"])
    swap = {"schedule": "astreinte", "one": mine, "other": hers}
    seen = json.loads((await triage.ask("POST", "/on-call/swaps/preview", swap)).text)["items"]
    assert [change["after"] for change in seen] == ["Sacha", "Camille"]
    others = {**swap, "one": noors}
    assert (await triage.ask("POST", "/on-call/swaps", others)).status == 403
    assert (await triage.ask("POST", "/on-call/swaps", swap)).status == 201
    again = await triage.ask("POST", "/on-call/swaps", swap)
    assert (again.status, problem(again)["type"]) == (409, "/api/v1/problems#conflict")
    over = {
        "schedule": "astreinte", "person": "Noor",
        "starts_at": "2026-01-20T09:00:00+01:00", "ends_at": "2026-01-20T12:00:00+01:00",
    }  # fmt: skip
    refused = await triage.ask("POST", "/on-call/overrides", {**over, "person": "Personne"})
    assert refused.status == 409
    assert (await admin.ask("POST", "/on-call/preview", over)).status == 200
    assert (await admin.ask("POST", "/on-call/overrides", over)).status == 201
    since = town.clock.now
    standing = await town.store.read(lambda db: oncall.overrides(db, since=since))
    assert [one.person for one in standing] == ["Sacha", "Camille", "Noor"]
    theirs = await triage.ask("DELETE", f"/on-call/overrides/{standing[-1].id}")
    assert (theirs.status, problem(theirs)["scope"]) == (403, "edit")
    assert (await triage.ask("DELETE", f"/on-call/overrides/{standing[0].id}")).status == 204
    policies = json.loads((await triage.get("/on-call/policies")).text)
    assert policies["items"][0]["uses"] == ["severity=critical"]
    assert policies["people"]["Noor"] == "Noor Benali"
    town.clock.advance(seconds=20)
    over = {"schedule": "astreinte", "person": "Noor", "ends_at": "2026-01-18T08:00:00+01:00"}
    assert (await admin.ask("POST", "/on-call/overrides", over)).status == 201
    (rota,) = json.loads((await triage.get("/on-call")).text)["items"]
    assert rota["now"]["people"] == rota["shifts"][0]["people"] == ["Noor"]  # from that second on
    later = lambda: town.clock.now + timedelta(days=14)  # noqa: E731 the clock of a demonstration
    object.__setattr__(town.app[SITE], "shown_now", later)
    (shown,) = json.loads((await triage.get("/on-call")).text)["items"]
    assert shown["now"]["starts_at"] > rota["now"]["ends_at"]


async def test_the_trail_is_had_as_a_file_by_day(town: Town, admin: Program) -> None:
    await admin.act("/queue/Q1/take")
    whole = await admin.get("/audit/export?actor=Sacha&since=2026-01-18&until=2026-01-18")
    assert whole.headers["Content-Type"].startswith("application/jsonl")
    assert "take" in whole.text
    assert (await admin.get("/audit/export?until=2026-01-17")).text == ""
    assert json.loads((await admin.get("/audit?until=2026-01-17")).text)["items"] == []
    assert (await admin.get("/audit?since=yesterday")).status == 400
    chain = json.loads((await admin.get("/audit/chain")).text)
    assert (chain["checked_at"], chain["actors"]) == (None, ["Sacha"])


async def test_a_template_whose_name_has_a_slash_is_removed(town: Town, admin: Program) -> None:
    body = {"name": "eau / gaz", "text": "Bonjour, c'est noté."}
    assert (await admin.ask("POST", "/templates", body)).status == 201
    path = "/templates/eau%20%2F%20gaz"
    assert (await admin.ask("DELETE", path, If_Match=await admin.tag(path))).status == 204
    assert "eau / gaz" not in (await admin.get("/templates")).text


async def test_an_address_that_is_too_long_is_refused_in_words(
    town: Town, triage: Program, camille: Browser
) -> None:
    answer = await triage.get(f"/search?q={'a' * 8200}")
    assert (answer.status, problem(answer)["type"]) == (414, "/api/v1/problems#too_long")
    page = await camille.get(f"/search?q={'a' * 8200}")
    assert (page.status, page.headers["Content-Type"]) == (414, "text/html; charset=utf-8")


async def test_views_are_counted(town: Town, triage: Program) -> None:
    await triage.ask("POST", "/views", {"name": "Graves", "query": "severity=critical"})
    tabs = json.loads((await triage.get("/views/counts")).text)["items"]
    assert (tabs[0]["count"], tabs[0]["view"]) == (2, None)
    assert [(tab["name"], tab["count"]) for tab in tabs if tab["view"]] == [("Graves", 1)]


async def test_a_file_is_had_with_a_token(town: Town, triage: Program) -> None:
    for kind, begins in (("csv", '"identifiant"'), ("jsonl", "{"), ("atom", "<?xml")):
        for path in ("/search/export?q=Lavoir&format=", "/queue/export?format="):
            answer = await triage.get(path + kind)
            assert answer.status == 200, answer.text
            assert answer.text.lstrip("\ufeff").startswith(begins)
    wrong = await triage.get("/search/export?q=(a&format=csv")
    assert (wrong.status, problem(wrong)["type"]) == (404, "/api/v1/problems#query")
    assert (await triage.get("/search/export?format=pdf")).status == 400


async def test_a_token_makes_no_token_without_the_password(town: Town, admin: Program) -> None:
    body = {"name": "robot", "scopes": ["read"]}
    refused = await admin.ask("POST", "/tokens", body)
    assert (refused.status, problem(refused)["type"]) == (403, "/api/v1/problems#proof")
    password = "une rivière en crue 1910"
    lesser = Program(admin.browser, await token_of(town, "Sacha", "read", "admin"))
    more = await lesser.ask("POST", "/tokens", {**body, "scopes": ["audit"], "password": password})
    assert (more.status, problem(more)["scope"]) == (403, "audit")
    made = await admin.ask("POST", "/tokens", {**body, "password": password})
    assert made.status == 201
    said = json.loads(made.text)
    other = Program(admin.browser, said["token"])
    assert json.loads((await other.get("/me")).text)["scopes"] == ["read"]
    assert (await admin.ask("DELETE", f"/tokens/{said['id']}")).status == 204
    assert (await other.get("/me")).status == 401


async def test_a_token_without_the_scope_admin_ends_itself_and_no_other(
    town: Town, triage: Program, camille: Browser
) -> None:
    other = Program(triage.browser, await token_of(town, "Camille", "read"))
    theirs, mine = (one["id"] for one in json.loads((await triage.get("/tokens")).text)["items"])
    password = {"password": "une rivière en crue 1910"}
    made = await triage.ask("POST", "/tokens", {"name": "x", "scopes": ["read"], **password})
    for answer in (await triage.ask("DELETE", f"/tokens/{theirs}"), made):
        assert (answer.status, problem(answer)["scope"]) == (403, "admin")
    assert (await other.get("/me")).status == 200
    assert (await triage.ask("DELETE", f"/tokens/{mine}")).status == 204
    assert (await triage.get("/me")).status == 401
    csrf = {"X-CSRF-Token": (await camille.get("/account")).field("csrf")}  # a person ends any
    headers = {"Sec-Fetch-Site": "same-origin", **csrf}
    assert (await camille.ask("DELETE", f"{PREFIX}/tokens/{theirs}", headers=headers)).status == 204


async def test_many_items_are_previewed_then_changed_at_once(town: Town, triage: Program) -> None:
    body = {"verb": "take", "items": [{"item": "Q1", "version": 1}, {"item": "Q2", "version": 9}]}
    seen = json.loads((await triage.ask("POST", "/queue/bulk/preview", body)).text)
    assert (len(seen["changes"]), len(seen["refused"]), seen["undo"]) == (1, 1, None)
    done = json.loads((await triage.ask("POST", "/queue/bulk", body)).text)
    assert done["refused"][0]["why"] == "changed_meanwhile"
    item = await town.store.read(lambda db: queue.get(db, 1))
    assert item.assignee == "Camille"


def test_every_kind_of_problem_has_a_status() -> None:
    assert set(STATUSES) == set(Kind)


async def test_kept_requests_go_after_a_day(town: Town, triage: Program) -> None:
    body = {"text": "note"}
    await triage.ask("POST", "/incidents/I1/notes", body, Idempotency_Key="k")
    ages = Ages(flagged=timedelta(days=180), incident=timedelta(days=365))
    later = town.clock.now + timedelta(hours=25)
    gone = await town.store.write(lambda db: purge(db, ages, now=later, limit=10))
    assert gone["api_requests"] == 1
