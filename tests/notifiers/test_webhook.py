"""Webhook out: one table of answers, signed bodies, a key that stays."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from aiohttp import web

from veille.collectors.webhook import verify
from veille.domain.errors import ConfigError, DeliveryError
from veille.domain.notification import Document, Notification, NotificationKind, Quote
from veille.net.client import Client
from veille.notifiers.base import Tools
from veille.notifiers.settings import WebhookReceiver
from veille.notifiers.webhook import WebhookNotifier

NIGHT = datetime(2026, 1, 18, 1, 14, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"un secret de trente-deux octets!").decode()
Note = Callable[..., Notification]


@dataclass
class Hook:
    """Somebody's webhook: verifies the signature as we verify theirs, answers as it is told."""

    url: str = ""
    answers: list[web.Response] = field(default_factory=list)
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    is_hanging: bool = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.methods.append(request.method)
        body = await request.read()
        if self.is_hanging:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if self.answers:
            return self.answers.pop(0)
        if request.method == "POST":
            id_ = verify(SECRET, dict(request.headers), body, NIGHT)
            self.taken.append((id_, json.loads(body)))
        return web.Response(status=202)


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    app = web.Application()
    app.router.add_route("*", "/entree", hook.serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/entree?cle=cachee"
    yield hook
    await runner.cleanup()


def notifier(hook: Hook, tools: Tools, **changes: Any) -> WebhookNotifier:
    values: dict[str, Any] = {"id": "outil", "url": hook.url, "secret": "OUT", "timeout": "5s"}
    keyed = replace(tools, secret={"OUT": SECRET, "BAD": "whsec_court"}.__getitem__)
    return WebhookNotifier(
        WebhookReceiver(**(values | {"allow_private": True} | changes)), tools=keyed
    )


async def refusal(sending: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await sending
    assert "cachee" not in str(caught.value), "the address may hold a secret"
    return caught.value


async def test_a_notification_is_posted_signed_with_everything_in_it(
    hook: Hook, tools: Tools, note: Note
) -> None:
    assert await notifier(hook, tools).send(note(), ref=None) == {}
    ((id_, body),) = hook.taken
    assert id_ == "I12-opened-1.1768698300"
    assert body["type"] == "fr.veille.incident.opened.v1"
    assert body["timestamp"] == "2026-01-18T01:14:00Z"
    data = body["data"]
    assert data["incident"] == "I12"
    assert (data["value"], data["threshold"], data["authors"], data["window_s"]) == (12, 3, 11, 900)
    assert data["messages"] == 12
    assert (data["severity"], data["state"], data["rule"]) == ("critical", "open", "flood_distress")
    assert data["link"] == "https://veille.mairie.example/incidents/12"
    assert len(data["quotes"]) == 2
    assert data["places"][0] == "rue du Lavoir"


async def test_without_quotes_nothing_of_a_text_leaves(
    hook: Hook, tools: Tools, note: Note
) -> None:
    await notifier(hook, tools, quotes=False).send(note(), ref=None)
    assert {"quotes", "places"} & hook.taken[0][1]["data"].keys() == set()


async def test_nobody_is_named(hook: Hook, tools: Tools, note: Note, flood: Any) -> None:
    facts = flood(assignee="Camille", actor="Camille")
    await notifier(hook, tools).send(note(NotificationKind.ASSIGNED, facts=facts), ref=None)
    assert "Camille" not in json.dumps(hook.taken)


async def test_every_try_has_the_same_key(hook: Hook, tools: Tools, note: Note) -> None:
    sender = notifier(hook, tools)
    hook.answers = [web.Response(status=503)]
    await refusal(sender.send(note(), ref=None))
    await sender.send(note(), ref=None)
    await sender.send(note(), ref=None)
    assert {id_ for id_, _ in hook.taken} == {"I12-opened-1.1768698300"}


async def test_a_redaction_is_an_event_of_its_own(hook: Hook, tools: Tools, note: Note) -> None:
    redacted = note(NotificationKind.REDACTED, quotes=())
    await notifier(hook, tools).send(redacted, ref={})
    body = hook.taken[0][1]
    assert body["type"] == "fr.veille.incident.redacted.v1"
    assert body["data"]["quotes"] == []


async def test_a_document_is_posted_with_its_text(hook: Hook, tools: Tools) -> None:
    document = Document(key="weekly-2026-W03", subject="Semaine 3", text="Calme.", html="<p>")
    await notifier(hook, tools).publish(document)
    ((id_, body),) = hook.taken
    assert (id_, body["data"]) == ("weekly-2026-W03", {"subject": "Semaine 3", "text": "Calme."})


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (400, {}, {"is_content": True}),
        (413, {}, {"is_content": True}),
        (422, {}, {"is_content": True}),
        (401, {}, {"may_retry": False}),
        (403, {}, {"may_retry": False}),
        (404, {}, {"may_retry": False}),
        (410, {}, {"may_retry": False}),
        (302, {"Location": "http://127.0.0.1:9/"}, {"may_retry": False}),
        (408, {}, {"may_retry": True}),
        (429, {"Retry-After": "7"}, {"retry_after_s": 7.0}),
        (503, {"Retry-After": "90"}, {"retry_after_s": 90.0}),
        (500, {}, {"may_retry": True, "is_unknown": False}),
    ],
)
async def test_each_answer_says_what_the_outbox_may_do(
    hook: Hook,
    tools: Tools,
    note: Note,
    status: int,
    headers: dict[str, str],
    expected: dict[str, object],
) -> None:
    hook.answers = [web.Response(status=status, headers=headers)]
    error = await refusal(notifier(hook, tools).send(note(), ref=None))
    assert {name: getattr(error, name) for name in expected} == expected
    assert hook.taken == []


async def test_an_answer_that_never_comes_may_be_a_delivery(
    hook: Hook, tools: Tools, note: Note
) -> None:
    hook.is_hanging = True
    error = await refusal(notifier(hook, tools).send(note(), ref=None))
    assert error.is_unknown


async def test_nobody_there_is_no_delivery(hook: Hook, tools: Tools, note: Note) -> None:
    sender = notifier(hook, tools, url="http://127.0.0.1:9/entree?cle=cachee")
    error = await refusal(sender.send(note(), ref=None))
    assert (error.may_retry, error.is_unknown) == (True, False)


async def test_a_private_address_must_be_meant(hook: Hook, tools: Tools, note: Note) -> None:
    async with Client() as client:
        guarded = replace(tools, session=lambda *, allow_private: client.session())
        error = await refusal(notifier(hook, guarded).send(note(), ref=None))
    assert not error.may_retry
    assert "allow_private = true" in str(error)


async def test_a_secret_that_is_none_is_said_before_anything_is_sent(
    hook: Hook, tools: Tools, note: Note
) -> None:
    error = await refusal(notifier(hook, tools, secret="BAD").send(note(), ref=None))
    assert not error.may_retry
    assert "court" not in str(error)
    assert hook.methods == []


async def test_verify_sends_nothing(hook: Hook, tools: Tools) -> None:
    assert "(code 202)" in await notifier(hook, tools).verify()
    assert hook.methods == ["HEAD"]
    hook.answers = [web.Response(status=410)]
    assert not (await refusal(notifier(hook, tools).verify())).may_retry
    assert (await refusal(notifier(hook, tools, secret="BAD").verify())).may_retry is False


@pytest.mark.parametrize("text", ["\ud800 \x00 \u202e", "</script>", "é" * 3000])
async def test_hostile_texts_arrive_as_json(
    hook: Hook, tools: Tools, note: Note, flood: Any, text: str
) -> None:
    quote = Quote(text=text, source=text, at=note().facts.at)
    hostile = note(facts=flood(title=text, labels={text: text}), quotes=(quote,), places=(text,))
    await notifier(hook, tools).send(hostile, ref=None)
    assert len(hook.taken) == 1


@pytest.mark.parametrize("changes", [{"url": "ftp://x/"}, {"timeout": "0s"}, {"sekret": "x"}])
def test_settings_that_could_never_work_are_refused(changes: dict[str, str]) -> None:
    values = {"kind": "webhook", "id": "x", "url": "https://x.example/", "secret": "S"}
    with pytest.raises((msgspec.ValidationError, ConfigError)):
        msgspec.convert(values | changes, WebhookReceiver)


async def test_an_incident_of_another_installation_is_no_repeat(
    hook: Hook, tools: Tools, note: Note, flood: Any
) -> None:
    sender = notifier(hook, tools)
    await sender.send(note(), ref=None)
    await sender.send(note(facts=flood(opened_at=NIGHT)), ref=None)
    assert len({id_ for id_, _ in hook.taken}) == 2
