"""What stands under a message, and in a mail, for who must act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from servers.plain import plain
from veille.demo.mail import MailStandIn
from veille.demo.slack import SlackStandIn
from veille.demo.slack_people import buttons
from veille.domain.errors import DeliveryError
from veille.domain.incident import IncidentState, Verdict
from veille.domain.notification import Diverted, Facts, Notification, NotificationKind
from veille.notifiers.base import Tools
from veille.notifiers.email import EmailNotifier
from veille.notifiers.settings import EmailReceiver, SlackReceiver
from veille.notifiers.slack import SlackNotifier

Note = Callable[..., Notification]
Flood = Callable[..., Facts]
TAKE = "https://veille.mairie.example/l/AQAAAAAAAAAM"


OTHERS = ["Me confier", "Faire taire 1 h", "Fausse alerte", "Clore"]


def notifier(slack: SlackStandIn, tools: Tools, *, has_buttons: bool = True) -> SlackNotifier:
    settings = SlackReceiver(
        id="astreinte",
        token="SLACK_TOKEN",
        channel="C0000000001",
        api_url=slack.url,
        allow_private=True,
    )
    return SlackNotifier(settings, tools=replace(tools, has_buttons=has_buttons))


def named(slack: SlackStandIn) -> list[str]:
    return [button["text"]["text"] for button in buttons(slack.received()[0])]


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (
            IncidentState.OPEN,
            [
                "Prendre en charge",
                "Voir",
                "Me confier",
                "Faire taire 1 h",
                "Fausse alerte",
                "Clore",
            ],
        ),
        (
            IncidentState.ACKNOWLEDGED,
            ["Voir", *OTHERS],
        ),
        (IncidentState.RESOLVED, ["Voir"]),
    ],
)
async def test_the_buttons_are_those_of_the_state(
    slack: SlackStandIn, tools: Tools, note: Note, flood: Flood, state: Any, shown: list[str]
) -> None:
    await notifier(slack, tools).send(note(facts=flood(state=state)), ref=None)
    assert [plain(name) for name in named(slack)] == shown


async def test_a_press_says_which_incident_where_since_when_and_what_was_seen(
    slack: SlackStandIn, tools: Tools, note: Note, flood: Flood
) -> None:
    facts = flood(touched=3)
    await notifier(slack, tools).send(note(facts=facts), ref=None)
    opened = int(facts.opened_at.timestamp())
    values = {b.get("value") for b in buttons(slack.received()[0]) if "url" not in b}
    assert values == {f"I12 astreinte {opened} 3"}


async def test_without_a_signing_secret_there_is_only_the_page_to_open(
    slack: SlackStandIn, tools: Tools, note: Note
) -> None:
    await notifier(slack, tools, has_buttons=False).send(note(), ref=None)
    assert named(slack) == ["Voir"]


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_slack_takes_every_button_with_its_question_in_each_language(
    slack: SlackStandIn, tools: Tools, note: Note, voice: Any, language: str
) -> None:
    speaking = replace(tools, voice=voice(language))
    await notifier(slack, speaking).send(note(), ref=None)
    asked = [b["confirm"]["title"]["text"] for b in buttons(slack.received()[0]) if "confirm" in b]
    assert len(asked) == 3


async def test_the_message_says_that_it_was_a_false_alarm_and_the_thread_who_said_so(
    slack: SlackStandIn, tools: Tools, note: Note, flood: Flood
) -> None:
    sender = notifier(slack, tools)
    ref = await sender.send(note(), ref=None)
    over = flood(
        state=IncidentState.RESOLVED, actor="Camille", verdict=Verdict.FALSE_ALARM, assignee=None
    )
    await sender.send(note(NotificationKind.RESOLVED, facts=over), ref=ref)
    first, news = slack.received()
    assert first.body["blocks"][0]["text"]["text"].startswith("✓ Fausse alerte · Inondation")
    assert "Fausse alerte, selon Camille, à 02:14." in str(news.body["blocks"])
    assert named(slack) == ["Voir"]


async def test_a_silence_stands_in_the_message_and_in_the_thread_and_sends_no_mail(
    slack: SlackStandIn, relay: MailStandIn, tools: Tools, note: Note, flood: Flood
) -> None:
    sender = notifier(slack, tools)
    ref = await sender.send(note(), ref=None)
    until = flood().at.replace(hour=2)
    muted = note(NotificationKind.MUTED, facts=flood(muted_until=until, actor="Camille"))
    await sender.send(muted, ref=ref)
    first, news = slack.received()
    assert "En silence jusqu'à 03:14." in str(first.body["blocks"])
    assert "à la demande de Camille" in str(news.body["blocks"])
    await letters(relay, tools).send(muted, ref={"message_id": "<a@b>"})
    assert relay.received() == []


async def test_one_person_is_told_alone_and_pinged_by_nothing_in_it(
    slack: SlackStandIn, tools: Tools
) -> None:
    sender = notifier(slack, tools)
    await sender.whisper(channel="C0000000001", user="U1", text="<!channel> non & non")
    (told,) = slack.whispers()
    assert (told.user, told.text) == ("U1", "&lt;!channel&gt; non &amp; non")
    slack.refuse_next("user_not_in_channel")
    with pytest.raises(DeliveryError):
        await sender.whisper(channel="C0000000001", user="U1", text="non")


def letters(relay: MailStandIn, tools: Tools) -> EmailNotifier:
    settings = EmailReceiver(
        id="courriel",
        host="127.0.0.1",
        port=relay.port,
        tls="none",
        sender="veille@mairie.example",
        to=("astreinte@mairie.example",),
        allow_private=True,
    )
    return EmailNotifier(settings, tools=tools)


async def test_a_mail_has_one_button_that_takes_it_and_a_plain_link_to_the_page(
    relay: MailStandIn, tools: Tools, note: Note
) -> None:
    await letters(relay, tools).send(note(take_link=TAKE), ref=None)
    (mail,) = relay.received()
    page, text = mail.body("html"), mail.body("plain")
    assert page.count("display:inline-block") == 1
    assert f'<a href="{TAKE}" style="display:inline-block' in page
    assert '<a href="https://veille.mairie.example/incidents/12">' in page
    assert f"Prendre en charge : {TAKE}" in plain(text)


async def test_a_mail_that_stands_in_for_slack_says_so_first(
    relay: MailStandIn, tools: Tools, note: Note, flood: Flood
) -> None:
    since = flood().opened_at
    told = Diverted(receiver="astreinte", channel="slack", via="email", since=since)
    await letters(relay, tools).send(note(facts=flood(diverted=told)), ref=None)
    text = plain(relay.received()[0].body("plain"))
    lines = [line for line in text.splitlines() if line]
    assert lines[1] == "Slack ne répond pas depuis 02:05 : ce message vous vient par courriel."
