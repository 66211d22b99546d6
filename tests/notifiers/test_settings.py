from __future__ import annotations

from typing import Any

import msgspec
import pytest

from veille.notifiers.base import Tools
from veille.notifiers.email import EmailNotifier
from veille.notifiers.registry import build
from veille.notifiers.settings import EmailReceiver, ReceiverSettings, SlackReceiver
from veille.notifiers.slack import SlackNotifier

SLACK = {"kind": "slack", "id": "a", "token": "SLACK_TOKEN", "channel": "C0123456789"}
EMAIL = {
    "kind": "email",
    "id": "b",
    "host": "smtp.mairie.example",
    "sender": "veille@mairie.example",
    "to": ["astreinte@mairie.example"],
}


def read(values: dict[str, Any]) -> ReceiverSettings:
    return msgspec.convert(values, ReceiverSettings)


def test_the_kind_says_which_receiver_and_which_notifier(tools: Tools) -> None:
    slack, mail = read(SLACK), read(EMAIL)
    assert isinstance(slack, SlackReceiver)
    assert isinstance(mail, EmailReceiver)
    assert (slack.timeout_s, mail.port, mail.tls) == (10.0, 587, "starttls")
    assert isinstance(build(slack, tools=tools), SlackNotifier)
    assert isinstance(build(mail, tools=tools), EmailNotifier)


@pytest.mark.parametrize(
    ("base", "changes", "says"),
    [
        (SLACK, {"chanel": "C1"}, "unknown field `chanel`"),
        (SLACK, {"kind": "fax"}, "Invalid value 'fax'"),
        (SLACK, {"api_url": "ftp://slack.example/"}, "is no web address"),
        (SLACK, {"api_url": "https://"}, "is no web address"),
        (SLACK, {"api_url": "http://["}, "is no web address"),
        (SLACK, {"channel": "deux mots"}, "is no channel"),
        (SLACK, {"timeout": "0s"}, "out of range"),
        (SLACK, {"timeout": "ten"}, "is not a duration"),
        (EMAIL, {"to": []}, "at least one address"),
        (EMAIL, {"to": ["a@mairie.example\r\nBcc: b@x.example"]}, "is no mail address"),
        (EMAIL, {"to": ["a@mairie.example\n"]}, "is no mail address"),
        (EMAIL, {"to": ["a@b@c"]}, "is no mail address"),
        (EMAIL, {"to": ["Camille <c@mairie.example>"]}, "is no mail address"),
        (EMAIL, {"to": ["é@mairie.example"]}, "in ASCII"),
        (EMAIL, {"to": ["a" * 250 + "@mairie.example"]}, "is no mail address"),
        (EMAIL, {"sender": "veille"}, "is no mail address"),
        (EMAIL, {"host": "smtp example"}, "is no server"),
        (EMAIL, {"port": 0}, "is no server"),
        (EMAIL, {"tls": "ssl"}, "Invalid enum value 'ssl'"),
        (EMAIL, {"user": "veille"}, "user and password go together"),
        (EMAIL, {"user": "v", "password": "SMTP", "tls": "none"}, "would show the password"),
    ],
)
def test_a_receiver_that_could_never_work_is_refused_with_the_remedy(
    base: dict[str, Any], changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        read(base | changes)
