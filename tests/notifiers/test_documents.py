"""Documents on Slack and by mail, and the question whether a receiver answers."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import Any

import pytest

from veille.demo.mail import MailStandIn
from veille.demo.slack import SlackStandIn
from veille.domain.errors import DeliveryError
from veille.domain.notification import Document, NotificationKind
from veille.notifiers.base import Tools
from veille.notifiers.email import EmailNotifier
from veille.notifiers.settings import EmailReceiver, SlackReceiver
from veille.notifiers.slack import SlackNotifier

WEEK = Document(
    key="weekly-2026-W03-courriel",
    subject="Semaine 3 à Saint-Aubin",
    text="412 messages, 3 incidents.\n<!channel> <https://x.example|clic>\n",
    html="<p>412 messages, 3 incidents.</p>",
)


def slack_of(slack: SlackStandIn, tools: Tools, **changes: Any) -> SlackNotifier:
    values: dict[str, Any] = {"id": "astreinte", "token": "SLACK_TOKEN", "timeout": "5s"}
    values |= {"channel": "C0000000001", "api_url": slack.url, "allow_private": True}
    return SlackNotifier(SlackReceiver(**(values | changes)), tools=tools)


def mail_of(relay: MailStandIn, tools: Tools, **changes: Any) -> EmailNotifier:
    values: dict[str, Any] = {"id": "courriel", "host": relay.host, "port": relay.port}
    values |= {"sender": "veille@mairie.example", "to": ("astreinte@mairie.example",)}
    values |= {"tls": "none", "timeout": "5s", "allow_private": True}
    return EmailNotifier(EmailReceiver(**(values | changes)), tools=tools)


async def refusal(sending: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await sending
    return caught.value


async def test_a_document_is_one_slack_message_that_pings_nobody(
    slack: SlackStandIn, tools: Tools
) -> None:
    await slack_of(slack, tools).publish(WEEK)
    (posted,) = slack.received()
    assert posted.key == WEEK.key
    assert slack.pings() == []
    (block,) = posted.body["blocks"]
    subject, text = block["elements"][0]["elements"]
    assert (subject["style"], subject["text"].strip()) == ({"bold": True}, WEEK.subject)
    assert text["text"] == WEEK.text.strip()


async def test_a_long_document_is_cut_to_what_slack_takes(
    slack: SlackStandIn, tools: Tools
) -> None:
    await slack_of(slack, tools).publish(replace(WEEK, text="é" * 50_000))
    parts = slack.received()[0].body["blocks"][0]["elements"][0]["elements"][1:]
    texts = [part["text"] for part in parts]
    assert all(len(text) <= 3000 for text in texts)
    assert sum(map(len, texts)) == 12_000
    assert texts[-1].endswith("…")


async def test_a_document_without_text_is_still_taken(slack: SlackStandIn, tools: Tools) -> None:
    await slack_of(slack, tools).publish(replace(WEEK, text=" "))
    assert len(slack.received()) == 1


async def test_a_document_is_a_mail_with_one_message_id_for_every_try(
    relay: MailStandIn, tools: Tools
) -> None:
    for _ in range(2):
        await mail_of(relay, tools).publish(WEEK)
    first, again = relay.received()
    assert first.raw == again.raw
    assert first.message_id.startswith("<weekly-2026-W03-courriel.")
    assert first.message["Subject"] == WEEK.subject
    assert first.message["Auto-Submitted"] == "auto-generated"
    assert first.message["Content-Language"] == "fr"
    assert "412 messages" in first.body("plain")
    assert "<p>412" in first.body("html")


@pytest.mark.parametrize("text", ["Semaine\r\nBcc: x@y.example", "a\x00b", "\ud800"])
async def test_no_subject_or_key_adds_a_header(relay: MailStandIn, tools: Tools, text: str) -> None:
    await mail_of(relay, tools).publish(replace(WEEK, subject=text, key=text))
    (mail,) = relay.received()
    assert mail.message["Bcc"] is None
    assert mail.message_id.startswith("<document.")


async def test_a_redaction_is_worth_no_mail(relay: MailStandIn, tools: Tools, note: Any) -> None:
    sender = mail_of(relay, tools)
    ref = await sender.send(note(), ref=None)
    assert await sender.send(note(NotificationKind.REDACTED), ref=ref) == ref
    assert len(relay.received()) == 1


async def test_slack_is_asked_who_the_token_is_and_nothing_is_posted(
    slack: SlackStandIn, tools: Tools
) -> None:
    answer = await slack_of(slack, tools).verify()
    assert "espace Saint-Aubin, application veille" in answer
    assert slack.received() == []
    refused = await refusal(slack_of(slack, tools, token="WRONG").verify())
    assert not refused.may_retry
    await slack.go_down()
    assert (await refusal(slack_of(slack, tools).verify())).may_retry


async def test_the_relay_is_greeted_and_no_mail_is_sent(relay: MailStandIn, tools: Tools) -> None:
    assert str(relay.port) in await mail_of(relay, tools).verify()
    assert relay.received() == []
    await relay.go_down()
    assert (await refusal(mail_of(relay, tools).verify())).may_retry


async def test_a_relay_that_refuses_the_login_is_found_by_verify(tools: Tools) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    async with MailStandIn() as relay:  # offers no TLS, so no login either
        sender = mail_of(relay, tools, tls="starttls", user="veille", password="SMTP")
        sender._tls = context
        assert not (await refusal(sender.verify())).may_retry
