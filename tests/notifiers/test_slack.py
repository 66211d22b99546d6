from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from servers.plain import plain
from veille.demo.slack import SlackMessage, SlackStandIn
from veille.domain.alert import Severity
from veille.domain.errors import ConfigError, DeliveryError
from veille.domain.incident import IncidentState
from veille.domain.notification import Facts, Notification, NotificationKind, Quote
from veille.net.client import Client
from veille.notifiers.base import Tools
from veille.notifiers.settings import SlackReceiver
from veille.notifiers.slack import SlackNotifier

SNAPSHOTS = Path(__file__).parent / "snapshots"
HOSTILE = "<!channel> <@U1> <#C1|x> *gras* _it_ ~barré~ `code` &amp; :sos: <https://x.example|clic>"

Note = Callable[..., Notification]
Flood = Callable[..., Facts]

DOCUMENTS = {NotificationKind.WEEKLY, NotificationKind.DIGEST, NotificationKind.TRIAL}


def receiver(slack: SlackStandIn, **changes: Any) -> SlackReceiver:
    values: dict[str, Any] = {
        "id": "astreinte",
        "token": "SLACK_TOKEN",
        "channel": "C0000000001",
        "api_url": slack.url,
        "allow_private": True,
        "timeout": "5s",
    }
    return SlackReceiver(**(values | changes))


def notifier(slack: SlackStandIn, tools: Tools, **changes: Any) -> SlackNotifier:
    return SlackNotifier(receiver(slack, **changes), tools=tools)


def texts(message: SlackMessage) -> list[str]:
    """Every text a reader of the message sees, one per line of it."""
    lines = []
    for block in message.body["blocks"]:
        if block["type"] == "header":
            lines.append(block["text"]["text"])
        elif block["type"] == "rich_text":
            for part in block["elements"]:
                mark = "> " if part["type"] == "rich_text_quote" else ""
                lines.append(mark + "".join(element["text"] for element in part["elements"]))
        else:
            lines += [f"[{b['text']['text']}] {b['url']}" for b in block["elements"]]
    return lines


def shown(message: SlackMessage) -> str:
    body = f"{message.body['text']}\n----\n" + "\n".join(texts(message)) + "\n"
    return body + f"----\n{json.dumps(message.body['metadata'])}\n"


async def refusal(sending: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await sending
    return caught.value


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_new_incident_reads_as_the_snapshot(
    slack: SlackStandIn, tools: Tools, note: Note, voice: Any, language: str
) -> None:
    await notifier(slack, replace(tools, voice=voice(language))).send(note(), ref=None)
    expected = (SNAPSHOTS / f"slack_{language}.txt").read_text(encoding="utf-8")
    assert shown(slack.received()[0]) == expected


async def test_later_news_edit_the_first_message_and_go_into_its_thread(
    slack: SlackStandIn, tools: Tools, note: Note, flood: Flood
) -> None:
    sender = notifier(slack, tools)
    ref = await sender.send(note(), ref=None)
    taken = flood(state=IncidentState.ACKNOWLEDGED, assignee="Camille", actor="Camille")
    after = await sender.send(note(NotificationKind.ACKNOWLEDGED, facts=taken), ref=ref)
    assert after == ref
    first, news = slack.received()
    assert first.edits == 1
    assert "Pris en charge par Camille." in texts(first)
    assert texts(news) == ["Pris en charge par Camille à 02:14."]
    assert slack.thread(ref["ts"]) == [news]
    assert not news.body["reply_broadcast"]


async def test_a_repeat_is_shown_in_the_channel_too(
    slack: SlackStandIn, tools: Tools, note: Note
) -> None:
    sender = notifier(slack, tools)
    ref = await sender.send(note(), ref=None)
    await sender.send(note(NotificationKind.REPEATED), ref=ref)
    news = slack.thread(ref["ts"])[0]
    assert news.body["reply_broadcast"] is True
    assert plain(texts(news)[0]).startswith(
        "Rappel à 02:14 : personne ne l'a pris en charge depuis 02:05"
    )


@pytest.mark.parametrize("severity", list(Severity))
async def test_more_of_a_crisis_is_shown_in_the_channel_too(
    slack: SlackStandIn, tools: Tools, note: Note, flood: Flood, severity: Severity
) -> None:
    sender = notifier(slack, tools)
    ref = await sender.send(note(), ref=None)
    await sender.send(note(NotificationKind.UPDATED, facts=flood(severity=severity)), ref=ref)
    news = slack.thread(ref["ts"])[0]
    assert bool(news.body["reply_broadcast"]) is (severity is Severity.CRITICAL)


async def test_grown_numbers_edit_the_message_and_tell_nobody(
    slack: SlackStandIn, tools: Tools, note: Note, flood: Flood
) -> None:
    sender = notifier(slack, tools)
    ref = await sender.send(note(), ref=None)
    grown = note(NotificationKind.REFRESHED, facts=flood(value=18))
    assert await sender.send(grown, ref=ref) == ref
    only = slack.received()
    assert len(only) == 1
    assert plain(texts(only[0])[1]).startswith("18 messages")


async def test_news_without_a_first_message_open_one_in_the_newest_state(
    slack: SlackStandIn, tools: Tools, note: Note, flood: Flood
) -> None:
    done = flood(state=IncidentState.RESOLVED, actor="veille")
    await notifier(slack, tools).send(note(NotificationKind.RESOLVED, facts=done), ref=None)
    lines = texts(slack.received()[0])
    assert lines[0] == "✓ Résolu · Inondation, appels à l'aide · Saint-Aubin"
    assert "Résolu à 02:14." in lines


async def test_a_deleted_first_message_is_posted_anew(
    slack: SlackStandIn, tools: Tools, note: Note
) -> None:
    sender = notifier(slack, tools)
    lost = {"channel": "C0000000001", "ts": "1.0"}
    ref = await sender.send(note(NotificationKind.UPDATED), ref=lost)
    assert ref["ts"] == slack.received()[0].ts != "1.0"
    assert slack.posts_by_key() == {"I12-updated-1": 1}


async def test_a_hostile_text_pings_and_formats_nothing(
    slack: SlackStandIn, tools: Tools, note: Note, flood: Flood
) -> None:
    quote = Quote(text=HOSTILE, source="s", at=flood().at)
    bad = flood(title=HOSTILE, rule=HOSTILE, annotations={"actions": HOSTILE}, assignee=HOSTILE)
    hostile = {"facts": bad, "quotes": (quote,), "places": (HOSTILE,), "institution": HOSTILE}
    sender = notifier(slack, tools)
    ref = await sender.send(note(**hostile), ref=None)
    for kind in set(NotificationKind) - DOCUMENTS:
        await sender.send(note(kind, **hostile), ref=ref)
    assert slack.pings() == []
    for message in slack.received():
        assert '"mrkdwn"' not in json.dumps(message.body["blocks"])
        assert message.body["link_names"] is False
        assert "<" not in message.body["text"]
    assert f"> {HOSTILE}" in texts(slack.received()[0]), "quoted as written"


async def test_the_stand_in_would_have_seen_a_ping(slack: SlackStandIn, note: Note) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer xoxb-stand-in"}) as client:
        body = {"channel": "C0000000001", "text": "<!channel> au secours"}
        async with client.post(f"{slack.url}chat.postMessage", json=body) as answer:
            assert (await answer.json())["ok"]
    assert slack.pings() == ["!channel"]


async def test_a_text_of_sixty_thousand_characters_fits(
    slack: SlackStandIn, tools: Tools, note: Note, flood: Flood
) -> None:
    long = "à l'aide 🆘 " * 6000
    facts = flood(title=long, rule=long, annotations={"actions": long}, assignee=long)
    quoted = (long, "x" * 60_000, "", long)
    quotes = tuple(Quote(text=text, source="s", at=facts.at) for text in quoted)
    everything = note(facts=facts, quotes=quotes, places=(long,) * 100, institution=long)
    sender = notifier(slack, tools)
    ref = await sender.send(everything, ref=None)
    await sender.send(replace(everything, kind=NotificationKind.REPEATED), ref=ref)
    lines = [line for line in texts(slack.received()[0]) if line.startswith("> ")]
    assert [len(line) <= 282 and line.endswith("…") for line in lines] == [True] * 3


async def test_a_receiver_without_quotes_gets_no_text_of_a_mention(
    slack: SlackStandIn, tools: Tools, note: Note
) -> None:
    await notifier(slack, tools, quotes=False).send(note(), ref=None)
    assert "coincée" not in json.dumps(slack.received()[0].body, ensure_ascii=False)


@pytest.mark.parametrize("link", ["", "javascript:alert(1)", "https://x.example/\n", "http://["])
async def test_a_link_that_is_no_web_address_gives_no_button(
    slack: SlackStandIn, tools: Tools, note: Note, link: str
) -> None:
    await notifier(slack, tools).send(note(link=link), ref=None)
    assert [b["type"] for b in slack.received()[0].body["blocks"]] == ["header", "rich_text"]


async def test_posts_to_one_channel_are_a_second_apart_whoever_sends(
    slack: SlackStandIn, tools: Tools, note: Note, clock: Any
) -> None:
    one, other = notifier(slack, tools), notifier(slack, tools, id="double")
    for number in range(4):
        await (one if number % 2 else other).send(note(key=f"I{number}-opened"), ref=None)
    assert len(slack.received()) == 4
    assert clock.slept_s == pytest.approx(3.0)


async def test_a_rate_limit_says_when_to_come_back_and_holds_the_channel(
    slack: SlackStandIn, tools: Tools, note: Note
) -> None:
    slack.fail_next(429, retry_after=30)
    sender = notifier(slack, tools)
    error = await refusal(sender.send(note(), ref=None))
    assert (error.retry_after_s, error.may_retry, error.is_unknown) == (30.0, True, False)
    again = await refusal(notifier(slack, tools, id="double").send(note(), ref=None))
    assert again.retry_after_s == pytest.approx(30.0)
    assert slack.received() == []


async def test_a_limit_without_a_delay_waits_half_a_minute(
    slack: SlackStandIn, tools: Tools, note: Note
) -> None:
    slack.refuse_next("ratelimited")
    assert (await refusal(notifier(slack, tools).send(note(), ref=None))).retry_after_s == 30.0


@pytest.mark.parametrize(
    ("code", "may_retry", "is_unknown", "says"),
    [
        ("invalid_auth", False, False, "Remplacez SLACK_TOKEN dans le fichier des secrets"),
        ("missing_scope", False, False, "chat:write"),
        ("channel_not_found", False, False, "Corrigez channel du destinataire astreinte"),
        ("not_in_channel", False, False, "Invitez-la dans le canal"),
        ("is_archived", False, False, "Rouvrez-le"),
        ("service_unavailable", True, False, "repart toute seule"),
        ("something_new", True, False, "something_new"),
        ("fatal_error", True, True, "fatal_error"),
    ],
)
async def test_each_refusal_says_whether_to_retry_and_the_remedy(
    slack: SlackStandIn,
    tools: Tools,
    note: Note,
    code: str,
    may_retry: bool,
    is_unknown: bool,
    says: str,
) -> None:
    slack.refuse_next(code)
    error = await refusal(notifier(slack, tools).send(note(), ref=None))
    assert (error.may_retry, error.is_unknown) == (may_retry, is_unknown)
    assert says in str(error)
    assert "xoxb" not in str(error)


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_error_is_retried_by_the_outbox_only(
    slack: SlackStandIn, tools: Tools, note: Note, status: int
) -> None:
    slack.fail_next(status)
    error = await refusal(notifier(slack, tools).send(note(), ref=None))
    assert error.may_retry
    assert slack.received() == [], "the client did not try again by itself"
    await notifier(slack, tools).send(note(), ref=None)
    assert slack.posts_by_key() == {"I12-opened-1": 1}


async def test_a_token_slack_does_not_know_is_not_retried(
    slack: SlackStandIn, tools: Tools, note: Note
) -> None:
    error = await refusal(notifier(slack, tools, token="WRONG").send(note(), ref=None))
    assert not error.may_retry
    assert "(invalid_auth)" in str(error)


async def test_an_unknown_channel_is_not_retried(
    slack: SlackStandIn, tools: Tools, note: Note
) -> None:
    error = await refusal(notifier(slack, tools, channel="C9").send(note(), ref=None))
    assert not error.may_retry
    assert "(channel_not_found)" in str(error)


async def test_a_lost_answer_is_unknown_and_repeats_with_the_same_key(
    slack: SlackStandIn, tools: Tools, note: Note
) -> None:
    slack.lose_answers()
    sending = asyncio.create_task(notifier(slack, tools).send(note(), ref=None))
    while not slack.received():
        await asyncio.sleep(0)
    await slack.go_down()
    assert (await refusal(sending)).is_unknown
    await slack.come_back()
    await notifier(slack, tools).send(note(), ref=None)
    assert slack.posts_by_key() == {"I12-opened-1": 2}


async def test_a_timeout_is_unknown(slack: SlackStandIn, tools: Tools, note: Note) -> None:
    slack.lose_answers()
    error = await refusal(notifier(slack, tools, timeout="1s").send(note(), ref=None))
    assert (error.is_unknown, error.may_retry) == (True, True)


async def test_slack_down_is_known_not_to_have_arrived(
    slack: SlackStandIn, tools: Tools, note: Note
) -> None:
    await slack.go_down()
    error = await refusal(notifier(slack, tools).send(note(), ref=None))
    assert (error.is_unknown, error.may_retry) == (False, True)
    assert slack.url in str(error)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", "ok"),
        ("text/html", "<h1>portail</h1>"),
        ("application/json", "[1]"),
        ("application/json", "{"),
        ("application/json", '{"ok": true}'),
    ],
)
async def test_an_answer_that_is_not_slacks_is_a_delivery_error(
    tools: Tools, note: Note, kind: str, body: str
) -> None:
    async def portal(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type=kind)

    app = web.Application()
    app.router.add_post("/api/chat.postMessage", portal)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    settings = SlackReceiver(id="a", token="SLACK_TOKEN", channel="C1", api_url=url)
    try:
        error = await refusal(SlackNotifier(settings, tools=tools).send(note(), ref=None))
        assert error.may_retry
    finally:
        await runner.cleanup()


async def test_a_closed_session_never_becomes_an_unguarded_one(
    slack: SlackStandIn, tools: Tools, note: Note, session: aiohttp.ClientSession
) -> None:
    await session.close()
    assert (await refusal(notifier(slack, tools).send(note(), ref=None))).may_retry
    assert slack.received() == []


async def test_a_proxy_of_the_environment_is_not_used(
    slack: SlackStandIn, tools: Tools, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    await notifier(slack, tools).send(note(), ref=None)
    assert len(slack.received()) == 1


async def test_a_missing_secret_is_not_retried(
    slack: SlackStandIn, tools: Tools, note: Note
) -> None:
    def missing(name: str) -> str:
        raise ConfigError(f"secrets.toml: {name} is missing: add it")

    error = await refusal(notifier(slack, replace(tools, secret=missing)).send(note(), ref=None))
    assert not error.may_retry
    assert "secrets.toml: SLACK_TOKEN" in str(error)


async def test_a_private_address_is_refused_with_the_line_to_add(
    slack: SlackStandIn, tools: Tools, note: Note
) -> None:
    async with Client() as client:
        guarded = replace(tools, session=lambda *, allow_private: client.session())
        error = await refusal(notifier(slack, guarded).send(note(), ref=None))
    assert not error.may_retry
    assert "allow_private = true" in str(error)
    assert slack.received() == []


async def test_no_text_or_token_reaches_the_log(
    slack: SlackStandIn, tools: Tools, note: Note, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    slack.fail_next(500)
    await refusal(notifier(slack, tools).send(note(), ref=None))
    await notifier(slack, tools).send(note(), ref=None)
    assert "coincée" not in caplog.text
    assert "xoxb" not in caplog.text
